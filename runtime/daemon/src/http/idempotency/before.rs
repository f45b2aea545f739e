//! Requests with a key that earlier daemons carried out, as the journal has them.

use std::time::Duration;

use worknode_core::{
    event::{Event, Record},
    hlc::Hlc,
    time::{Timestamp, millis},
};
use worknode_journal::{EventFilter, ReadError, Reader};

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    /// Digest of who asked where with which key.
    pub(super) key: String,
    /// Digest of what was asked.
    pub(super) asked: String,
    /// The event that says so.
    pub(super) at: Hlc,
}

/// The last `most` of the time `kept` before `now`, the oldest first.
pub(super) fn done(
    reader: &Reader,
    now: Timestamp,
    kept: Duration,
    most: usize,
) -> Result<Vec<Done>, ReadError> {
    let mut filter = EventFilter {
        after: Hlc {
            wall: Timestamp::from_millis(now.as_millis().saturating_sub(millis(kept))),
            ..Hlc::ZERO
        },
        types: vec!["request_done".to_owned()],
        newest_first: true,
        ..EventFilter::default()
    };
    let mut found: Vec<Done> = Vec::new();
    while found.len() < most {
        let mut page = reader.events(&filter)?;
        // The last of the page before comes again.
        page.retain(|record| filter.until.is_none_or(|until| record.at < until));
        let Some(last) = page.last() else { break };
        filter.until = Some(last.at);
        found.extend(page.into_iter().filter_map(taken));
    }
    found.truncate(most);
    found.reverse();
    Ok(found)
}

fn taken(record: Record) -> Option<Done> {
    match record.event {
        Event::RequestDone { key, asked } => Some(Done {
            key,
            asked,
            at: record.at,
        }),
        // Somebody's own event of that name.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use worknode_actors::clock::SystemClock;
    use worknode_core::{
        event::{Draft, Principal},
        ids::NodeId,
        node::{Detail, Kind, NodeSpec},
        time::Clock as _,
    };
    use worknode_journal::{Durability, Journal};

    use super::*;

    fn draft(event: Event) -> Draft {
        Draft {
            node: NodeId::ROOT,
            by: Principal::Operator,
            cause: None,
            event,
        }
    }

    fn numbered(n: usize) -> Draft {
        draft(Event::RequestDone {
            key: n.to_string(),
            asked: "it".to_owned(),
        })
    }

    #[tokio::test]
    async fn p8_the_last_of_a_day_are_found_the_oldest_first_and_no_more_than_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let journal = Journal::open(&dir.path().join("journal.db"), clock.clone()).unwrap();
        let node = NodeSpec::new(None, Kind::Organisation, "root", Detail::Plain);
        let made = vec![draft(Event::NodeCreated { node })];
        journal.append(made, Durability::Durable).await.unwrap();
        // More than one page of the journal has.
        for chunk in 0..15 {
            let many = (0..100).map(|n| numbered(chunk * 100 + n)).collect();
            journal.append(many, Durability::Durable).await.unwrap();
        }
        let (now, day) = (clock.now(), Duration::from_secs(24 * 60 * 60));
        let keys = |now, most| -> Vec<String> {
            let found = done(journal.reader(), now, day, most).unwrap();
            found.into_iter().map(|one| one.key).collect()
        };
        let named = |range: std::ops::Range<usize>| range.map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(keys(now, 10_000), named(0..1_500));
        assert_eq!(keys(now, 1_200), named(300..1_500));
        assert_eq!(keys(now.plus(day + day), 10_000), named(0..0));
    }
}
