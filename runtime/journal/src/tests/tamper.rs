//! P10: what was changed behind the journal's back is found.

use rusqlite::Connection;
use worknode_core::{event::Event, ids::NodeId};

use super::support::{MORNING, Store, agent, draft, emitted, node, queued, run_id, task};
use crate::Journal;

#[tokio::test]
async fn p10_every_kind_of_tampering_is_found() {
    let store = Store::new().await;
    let fired = Event::TriggerFired {
        trigger: "daily".into(),
        occurrence: "1".into(),
        due: MORNING,
        by: None,
    };
    store
        .append(vec![
            task(node(1), "a"),
            agent(node(2), "coder"),
            draft(node(2), queued(run_id(1))),
            emitted(node(1), 1),
            emitted(node(1), 2),
            emitted(NodeId::ROOT, 3),
            draft(NodeId::ROOT, fired),
        ])
        .await
        .unwrap();
    let head = store.assert_sound().await.head;
    store.journal.close().await.unwrap();

    let nth = |n| format!("(SELECT at FROM events ORDER BY at LIMIT 1 OFFSET {n})");
    let last = "(SELECT max(at) FROM events)";
    let tamperings = [
        format!(
            "UPDATE events SET body = replace(body, '\"n\":1', '\"n\":7') WHERE at = {}",
            nth(4)
        ),
        format!(
            "UPDATE events SET body = replace(body, 'runtime', 'operator') WHERE at = {}",
            nth(4)
        ),
        format!("UPDATE events SET hash = zeroblob(32) WHERE at = {}", nth(4)),
        format!("UPDATE events SET topic = 'task_completed' WHERE at = {}", nth(4)),
        format!("UPDATE events SET before = 0 WHERE at = {}", nth(5)),
        format!("UPDATE events SET at = at + 1 WHERE at = {last}"),
        format!("DELETE FROM events WHERE at = {}", nth(4)),
        format!("DELETE FROM events WHERE at = {last}"),
        format!("INSERT INTO events SELECT at + 1, before, topic, hash, body FROM events WHERE at = {last}"),
        "UPDATE meta SET origin = origin + 1".to_owned(),
        "UPDATE nodes SET status = 'completed' WHERE kind = 'task'".to_owned(),
        "UPDATE nodes SET state = replace(state, '\"attempts\":0', '\"attempts\":1') WHERE kind = 'task'"
            .to_owned(),
        "UPDATE specs SET spec = replace(spec, 'well', 'ill')".to_owned(),
        "DELETE FROM specs".to_owned(),
        "UPDATE marks SET children = 0".to_owned(),
        "DELETE FROM nodes WHERE kind = 'task'".to_owned(),
        "DELETE FROM runs".to_owned(),
        "DELETE FROM firings".to_owned(),
        "DELETE FROM triggers".to_owned(),
        "UPDATE triggers SET state = replace(state, '\"fired\":1', '\"fired\":0')".to_owned(),
        "UPDATE firings SET outcome = 'done'".to_owned(),
        "INSERT INTO firings SELECT trigger_name, '2', node, recorded, due, open, outcome, course FROM firings".to_owned(),
    ];
    for tampering in tamperings {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        std::fs::copy(store.path(), &path).unwrap();
        let changed = Connection::open(&path).unwrap().execute(&tampering, []).unwrap();
        assert!(changed > 0, "{tampering}");
        let report = Journal::open_read_only(&path).unwrap().verify().unwrap();
        assert!(!report.is_sound(), "not noticed: {tampering}");
    }
    let untouched = Journal::open_read_only(&store.path()).unwrap().verify().unwrap();
    assert!(untouched.is_sound() && untouched.head == head);
}

#[tokio::test]
async fn damage_of_one_event_is_told_once_and_at_its_place() {
    let store = Store::new().await;
    let records = store
        .append((0..100).map(|n| emitted(NodeId::ROOT, n)).collect())
        .await
        .unwrap();
    store.journal.close().await.unwrap();
    let conn = Connection::open(store.path()).unwrap();
    conn.execute(
        "UPDATE events SET body = replace(body, '\"n\":50', '\"n\":51')",
        [],
    )
    .unwrap();
    let report = Journal::open_read_only(&store.path()).unwrap().verify().unwrap();
    let places: Vec<_> = report.problems.iter().map(|problem| problem.at).collect();
    assert_eq!(places, [Some(records[50].at)], "{report:#?}");
}

#[tokio::test]
async fn a_changed_last_event_is_found_at_the_next_start() {
    let store = Store::new().await;
    store.append(vec![emitted(NodeId::ROOT, 1)]).await.unwrap();
    store.journal.close().await.unwrap();
    let conn = Connection::open(store.path()).unwrap();
    conn.execute("UPDATE events SET body = replace(body, '\"n\":1', '\"n\":2')", [])
        .unwrap();
    let clock = std::sync::Arc::new(worknode_core::time::ManualClock::at(MORNING));
    let error = worknode_core::error::Error::from(Journal::open(&store.path(), clock).unwrap_err());
    assert_eq!(error.code, worknode_core::error::Code::CorruptJournal);
    assert!(error.hint.is_some());
}
