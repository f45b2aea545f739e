//! P5: what was acknowledged is there, wherever the writing was cut off.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use worknode_core::{event::Event, hlc::Hlc, ids::NodeId, node::Kind, time::ManualClock};

use super::support::{MORNING, Store, agent, child, draft, emitted, node, open, queued, root, run_id, task};
use crate::{Durability, EventFilter, Journal, OpenError, open::beside};

#[tokio::test]
async fn p5_a_log_cut_at_any_byte_keeps_what_was_acknowledged() {
    let store = Store::new().await;
    let wal = beside(&store.path(), "-wal");
    let length = || std::fs::metadata(&wal).unwrap().len();
    // How long the log was when so many events were acknowledged.
    let mut acknowledged = vec![(length(), 1)];
    let requests = (1..=12).flat_map(|n: u128| {
        let id = node(n);
        let worker = node(100 + n);
        [
            vec![task(id, &format!("t{n}")), agent(worker, &format!("a{n}"))],
            vec![draft(id, Event::TaskReady), draft(worker, queued(run_id(n)))],
            vec![emitted(id, 1)],
        ]
    });
    let mut events = 1;
    for request in requests {
        events += store.append(request).await.unwrap().len();
        acknowledged.push((length(), events));
    }
    let (database, log) = (std::fs::read(store.path()).unwrap(), std::fs::read(&wal).unwrap());
    assert_eq!(
        log.len() as u64,
        length(),
        "the log was not started over, so its length tells the time"
    );

    let mut cuts: Vec<u64> = acknowledged
        .iter()
        .flat_map(|(length, _)| [length - 1, *length])
        .collect();
    cuts.extend((0..log.len() as u64).step_by(4_999));
    for cut in cuts {
        let expected = acknowledged
            .iter()
            .rev()
            .find(|(length, _)| *length <= cut)
            .map_or(0, |(_, events)| *events);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        std::fs::write(&path, &database).unwrap();
        std::fs::write(beside(&path, "-wal"), &log[..usize::try_from(cut).unwrap()]).unwrap();
        let journal = open(&path, &Arc::new(ManualClock::at(MORNING)));
        let report = journal.verify().await.unwrap();
        assert!(report.is_sound(), "cut at {cut}: {report:#?}");
        assert!(
            report.events >= expected as u64,
            "cut at {cut}: {} of {expected} events",
            report.events
        );
        // And it goes on.
        let next = if report.events == 0 {
            root()
        } else {
            emitted(NodeId::ROOT, 9)
        };
        journal.append(vec![next], Durability::Durable).await.unwrap();
        assert!(journal.verify().await.unwrap().is_sound());
        journal.close().await.unwrap();
    }
}

/// Tells the child where to write.
const CHILD: &str = "WORKNODE_TEST_JOURNAL";

#[test]
#[ignore = "the child of the test below"]
fn child_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let journal = open(Path::new(&path), &Arc::new(ManualClock::at(MORNING)));
    let begun = journal.last_stamp();
    let writers: Vec<_> = (0..4_u128)
        .map(|writer| {
            let journal = journal.clone();
            runtime.spawn(async move {
                let home = node(writer + 1);
                let known = journal.reader().node(home).unwrap().is_some();
                let first = if known {
                    emitted(home, 0)
                } else {
                    child(home, NodeId::ROOT, Kind::Document, &writer.to_string())
                };
                let mut next = vec![first];
                for n in 1.. {
                    let records = journal.append(next, Durability::Durable).await.unwrap();
                    let mut line = String::new();
                    for record in records {
                        line += &format!("ack {}\n", record.at);
                    }
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                    next = vec![emitted(home, n), emitted(home, n)];
                }
            })
        })
        .collect();
    assert!(begun > Hlc::ZERO);
    for writer in writers {
        runtime.block_on(writer).unwrap();
    }
}

#[tokio::test]
async fn p5_a_killed_writer_loses_nothing_it_acknowledged() {
    let store = Store::new().await;
    store.journal.close().await.unwrap();
    let path = store.path();
    let mut acknowledged = Vec::new();
    for acks in [1, 40, 400] {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "tests::crash::child_that_writes_until_it_is_killed",
                "--nocapture",
            ])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let before = acknowledged.len();
        while let Some(Ok(line)) = lines.next() {
            if let Some(stamp) = line.strip_prefix("ack ") {
                acknowledged.push(stamp.parse::<Hlc>().unwrap());
            }
            if acknowledged.len() == before + acks {
                // What is in the pipe by then was acknowledged too, and is read to its end.
                writer.kill().unwrap();
            }
        }
        writer.wait().unwrap();
        assert!(acknowledged.len() >= before + acks, "the child ended by itself");
        read_alone_changes_nothing(&path, &acknowledged);
        let journal = open(&path, &store.clock);
        for stamp in &acknowledged {
            assert!(
                journal.reader().event(*stamp).unwrap().is_some(),
                "{stamp} was acknowledged and is gone"
            );
        }
        assert!(journal.verify().await.unwrap().is_sound());
        journal.close().await.unwrap();
    }
}

/// A journal whose writer was killed can be read as it lies, and lies as before.
fn read_alone_changes_nothing(path: &Path, acknowledged: &[Hlc]) {
    let before = files(path);
    let reader = match Journal::open_read_only(path) {
        Ok(reader) => reader,
        Err(error) => panic!("{error} with {:?}", before.keys()),
    };
    for stamp in acknowledged {
        assert!(reader.event(*stamp).unwrap().is_some());
    }
    assert!(reader.verify().unwrap().is_sound());
    drop(reader);
    assert!(files(path) == before, "reading changed a file");
}

fn files(path: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

#[tokio::test]
async fn a_closed_journal_is_read_without_any_other_file() {
    let mut store = Store::new().await;
    let records = store
        .append((0..50).map(|n| emitted(NodeId::ROOT, n)).collect())
        .await
        .unwrap();
    store.assert_sound().await;
    store.journal.close().await.unwrap();
    let before = files(&store.path());
    assert_eq!(before.len(), 2, "database and lock: {:?}", before.keys());
    let reader = Journal::open_read_only(&store.path()).unwrap();
    assert_eq!(reader.events(&EventFilter::default()).unwrap()[1..], records);
    assert!(reader.verify().unwrap().is_sound());
    assert!(files(&store.path()) == before);

    store.reopen().await;
    store.append(vec![emitted(NodeId::ROOT, 51)]).await.unwrap();
    let alive = Journal::open_read_only(&store.path()).unwrap();
    assert_eq!(
        alive.last_stamp().unwrap(),
        store.journal.last_stamp(),
        "also beside a living writer"
    );
}

#[tokio::test]
async fn a_log_without_its_index_needs_a_writer() {
    let store = Store::new().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    std::fs::copy(store.path(), &path).unwrap();
    std::fs::copy(beside(&store.path(), "-wal"), beside(&path, "-wal")).unwrap();
    let before = files(&path);
    let error = Journal::open_read_only(&path).unwrap_err();
    assert!(matches!(error, OpenError::NeedsWriter { .. }), "{error}");
    assert!(files(&path) == before);
}
