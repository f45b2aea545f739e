//! Files that are no journal, and disks that are no help.

use std::{path::Path, process::Command, sync::Arc};

use rusqlite::Connection;
use worknode_core::{
    error::{Code, Error},
    event::Event,
    ids::NodeId,
    time::ManualClock,
};

use super::support::{MORNING, Store, draft, emitted, open, root};
use crate::{AppendError, Durability, EventFilter, Journal, OpenError, StoreError};

fn try_open(path: &Path) -> Result<Journal, OpenError> {
    Journal::open(path, Arc::new(ManualClock::at(MORNING)))
}

fn both_refuse(path: &Path) -> (Code, Code) {
    let before = std::fs::read(path).ok();
    let writing = try_open(path).unwrap_err();
    let reading = Journal::open_read_only(path).unwrap_err();
    for error in [&writing, &reading] {
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "names the file: {error}"
        );
    }
    assert_eq!(
        std::fs::read(path).ok(),
        before,
        "a file that is refused is not changed"
    );
    (Error::from(writing).code, Error::from(reading).code)
}

#[tokio::test]
async fn what_is_no_journal_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");

    std::fs::create_dir(&path).unwrap();
    assert_eq!(both_refuse(&path), (Code::Usage, Code::Usage));
    std::fs::remove_dir(&path).unwrap();

    std::fs::write(&path, "Dear diary, this is not SQLite. ".repeat(99)).unwrap();
    assert_eq!(both_refuse(&path), (Code::CorruptJournal, Code::CorruptJournal));
    std::fs::remove_file(&path).unwrap();

    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE songs (name TEXT)")
        .unwrap();
    assert_eq!(both_refuse(&path), (Code::Usage, Code::Usage));

    let nowhere = dir.path().join("no/such/directory/journal.db");
    assert_eq!(both_refuse(&nowhere), (Code::Failed, Code::NotFound));
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_said_to_be_one() {
    // Not even root can make files there.
    let error = try_open(Path::new("/proc/journal.db")).unwrap_err();
    assert!(matches!(error, OpenError::Store { .. }), "{error:?}");
}

#[tokio::test]
async fn an_empty_file_becomes_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(
        Journal::open_read_only(&path),
        Err(OpenError::NotFound { .. })
    ));
    let journal = try_open(&path).unwrap();
    journal.append(vec![root()], Durability::Durable).await.unwrap();
    assert!(journal.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let store = Store::new().await;
    store.journal.close().await.unwrap();
    Connection::open(store.path())
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert_eq!(both_refuse(&store.path()), (Code::Refused, Code::Refused));
}

#[tokio::test]
async fn one_writer_at_a_time() {
    let mut store = Store::new().await;
    let error = try_open(&store.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert_eq!(Error::from(error).code, Code::Held);
    store.reopen().await;
}

#[tokio::test]
async fn damage_is_found_when_it_is_opened_or_verified() {
    let store = Store::new().await;
    for n in 0..200 {
        store.append(vec![emitted(NodeId::ROOT, n)]).await.unwrap();
    }
    store.journal.close().await.unwrap();
    let whole = std::fs::read(store.path()).unwrap();
    let damaged = |bytes: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    };

    let (_dir, path) = damaged(&whole[..whole.len() / 2]);
    assert_eq!(both_refuse(&path).0, Code::CorruptJournal);

    let mut found = 0;
    for page in 1..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        bytes[page * 4_096 + 2_000..page * 4_096 + 4_000].fill(0xa5);
        let (_dir, path) = damaged(&bytes);
        let sound = match Journal::open_read_only(&path).map(|reader| reader.verify()) {
            Ok(Ok(report)) => report.is_sound(),
            Ok(Err(_)) | Err(_) => false,
        };
        found += usize::from(!sound);
    }
    // Some pages of so small a journal are mostly empty; damage there is none.
    assert!(found > 10, "only {found} damages were noticed");
}

#[tokio::test]
async fn a_full_disk_is_said_so_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(dir.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: no small file system could be mounted here (needs root)");
        return;
    }
    // In a task, so that the file system is unmounted when it panics.
    let path = dir.path().to_owned();
    let outcome = tokio::spawn(async move { fill_and_go_on(&path).await }).await;
    Command::new("umount").arg("-l").arg(dir.path()).status().unwrap();
    outcome.unwrap();
}

async fn fill_and_go_on(dir: &Path) {
    let path = dir.join("journal.db");
    let clock = Arc::new(ManualClock::at(MORNING));
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 300 * 1024]).unwrap();
    let journal = open(&path, &clock);
    journal.append(vec![root()], Durability::Durable).await.unwrap();
    let large = || {
        draft(
            NodeId::ROOT,
            Event::Notified {
                to: "all".into(),
                message: "x".repeat(20_000),
            },
        )
    };
    let mut acknowledged = Vec::new();
    let mut refused = None;
    while refused.is_none() && acknowledged.len() < 1_000 {
        match journal.append(vec![large()], Durability::Durable).await {
            Ok(records) => acknowledged.extend(records),
            Err(error) => refused = Some(error),
        }
    }
    assert!(
        matches!(refused, Some(AppendError::Store(StoreError::DiskFull { .. }))),
        "{refused:?}"
    );
    assert!(journal.append(vec![large()], Durability::Durable).await.is_err());
    assert_eq!(
        journal.reader().events(&EventFilter::default()).unwrap()[1..],
        acknowledged
    );

    std::fs::remove_file(ballast).unwrap();
    acknowledged.extend(journal.append(vec![large()], Durability::Durable).await.unwrap());
    journal.close().await.unwrap();
    let journal = open(&path, &clock);
    assert_eq!(
        journal.reader().events(&EventFilter::default()).unwrap()[1..],
        acknowledged
    );
    assert!(journal.verify().await.unwrap().is_sound());
    journal.close().await.unwrap();
}
