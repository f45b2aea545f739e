//! Files of an older format: what happened in them stays, and what follows from it is made anew.

use rusqlite::Connection;
use worknode_core::{
    error::{Code, Error},
    event::Event,
    ids::NodeId,
};

use super::support::{Store, agent, draft, emitted, node, queued, run_id, task};
use crate::{EventFilter, Journal, OpenError, Selector};

/// The projections as the first format had them.
const FIRST: &str = "
CREATE TABLE nodes (num INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parent BLOB, kind TEXT NOT NULL,
  name TEXT NOT NULL, status TEXT NOT NULL, depth INTEGER NOT NULL, created INTEGER NOT NULL,
  state TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX nodes_by_name ON nodes (kind, name, parent);
CREATE INDEX nodes_by_parent ON nodes (parent);
CREATE INDEX nodes_by_status ON nodes (kind, status);
";

/// Makes the file behind `path` one of the first format.
fn age(path: &std::path::Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("ALTER TABLE nodes RENAME TO newer; DROP INDEX nodes_by_name; DROP INDEX nodes_by_parent; DROP INDEX nodes_by_status")
        .unwrap();
    conn.execute_batch(FIRST).unwrap();
    conn.execute_batch(
        "INSERT INTO nodes SELECT num, id, parent, kind, name, status, depth, created, state FROM newer;
         DROP TABLE newer; DROP TABLE links; DROP TABLE labels; DROP TABLE texts; DROP INDEX events_rare;
         PRAGMA user_version = 1;",
    )
    .unwrap();
}

#[tokio::test]
async fn a_journal_of_the_first_format_is_taken_over() {
    let mut store = Store::new().await;
    store
        .append(vec![task(node(1), "one"), agent(node(2), "worker")])
        .await
        .unwrap();
    store
        .append(vec![draft(node(1), Event::TaskReady)])
        .await
        .unwrap();
    store
        .append(vec![draft(node(2), queued(run_id(7)))])
        .await
        .unwrap();
    for n in 0..5 {
        store.append(vec![emitted(node(1), n)]).await.unwrap();
    }
    let reader = store.journal.reader();
    let events = reader.events(&EventFilter::default()).unwrap();
    let before = reader.node(node(1)).unwrap();
    let run = reader.run(run_id(7)).unwrap();
    store.journal.close().await.unwrap();
    age(&store.path());

    // Who only reads does not change it, and says what to do.
    let error = Journal::open_read_only(&store.path()).unwrap_err();
    assert!(matches!(error, OpenError::NeedsWriter { .. }), "{error}");

    store.reopen().await;
    let reader = store.journal.reader();
    assert_eq!(reader.events(&EventFilter::default()).unwrap(), events);
    assert_eq!(reader.node(node(1)).unwrap(), before);
    assert_eq!(reader.run(run_id(7)).unwrap(), run);
    let words = Selector {
        words: Some("schema".into()),
        ..Selector::default()
    };
    assert_eq!(reader.select(&words).unwrap().nodes[0].0.id, node(1));
    assert!(reader.newest_event(&["plan_loaded"], Some).unwrap().is_none());
    store
        .append(vec![draft(node(1), Event::NodeMoved { parent: node(2) })])
        .await
        .unwrap();
    store.assert_sound().await;
    // Once is enough.
    store.reopen().await;
    assert_eq!(
        store.journal.reader().ancestors(node(1)).unwrap(),
        [node(2), NodeId::ROOT]
    );
}

#[tokio::test]
async fn an_older_journal_that_contradicts_itself_is_left_as_it_is() {
    let store = Store::new().await;
    store.append(vec![task(node(1), "one")]).await.unwrap();
    store.journal.close().await.unwrap();
    age(&store.path());
    let conn = Connection::open(store.path()).unwrap();
    conn.execute("DELETE FROM events WHERE at = (SELECT min(at) FROM events)", [])
        .unwrap();
    drop(conn);
    let clock = std::sync::Arc::clone(&store.clock);
    let error = Journal::open(&store.path(), clock).unwrap_err();
    assert_eq!(Error::from(error).code, Code::CorruptJournal);
    let version = Connection::open(store.path())
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        .unwrap();
    assert_eq!(version, 1);
}
