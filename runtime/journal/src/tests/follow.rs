//! A follower sees everything once, in order.

use std::time::Duration;

use worknode_core::{event::Record, hlc::Hlc, ids::NodeId};

use super::support::{Store, emitted, number};
use crate::{EventFilter, ReadError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_see_every_event_once_and_in_order_while_others_write() {
    const WRITERS: usize = 8;
    const EACH: usize = 40;
    let store = Store::new().await;
    let followers: Vec<_> = [1, 7, 10_000]
        .into_iter()
        .map(|max| {
            let mut follower = store.journal.follow(Hlc::ZERO);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while seen.len() < 1 + WRITERS * EACH {
                    let page = follower.next(max).await.unwrap();
                    assert!(!page.is_empty() && page.len() <= max);
                    seen.extend(page);
                }
                assert_eq!(follower.position(), seen.last().unwrap().at);
                seen.iter()
                    .map(|record: &std::sync::Arc<Record>| (**record).clone())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let journal = store.journal.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let drafts = vec![emitted(NodeId::ROOT, writer * EACH + n)];
                    journal.append(drafts, crate::Durability::Durable).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let all = store.journal.reader().events(&EventFilter::default()).unwrap();
    for follower in followers {
        assert_eq!(follower.await.unwrap(), all);
    }
}

#[tokio::test]
async fn a_follower_begins_after_its_place_and_ends_with_the_journal() {
    let store = Store::new().await;
    let records = store
        .append((0..5).map(|n| emitted(NodeId::ROOT, n)).collect())
        .await
        .unwrap();
    let mut follower = store.journal.follow(records[1].at);
    assert_eq!(page(&mut follower).await, records[2..4]);
    store.journal.close().await.unwrap();
    assert_eq!(
        page(&mut follower).await,
        records[4..],
        "what is left is still handed out"
    );
    assert_eq!(follower.next(2).await, Err(ReadError::Closed));
}

#[tokio::test]
async fn a_follower_that_gave_up_waiting_has_missed_nothing() {
    let store = Store::new().await;
    let mut follower = store.journal.follow(store.journal.last_stamp());
    assert!(
        tokio::time::timeout(Duration::ZERO, follower.next(9))
            .await
            .is_err()
    );
    store.append(vec![emitted(NodeId::ROOT, 1)]).await.unwrap();
    assert_eq!(number(&follower.next(9).await.unwrap()[0]), Some(1));
}

async fn page(follower: &mut crate::Follower) -> Vec<Record> {
    let page = follower.next(2).await.unwrap();
    page.iter().map(|record| (**record).clone()).collect()
}
