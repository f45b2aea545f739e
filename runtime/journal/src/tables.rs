//! Writes what a [`Fold`] and its events changed.

use rusqlite::Connection;

use crate::{
    chain::link,
    entry::{Entry, Unsaved},
    error::StoreError,
    fold::Fold,
    rows::{node_key, run_key},
    schema::Head,
    stamp::key,
};

/// An event that is about to be stored.
#[derive(Debug)]
pub(crate) struct EventRow {
    /// Its stamp as row id.
    pub(crate) key: i64,
    /// The event before it of the same Worknode; 0 when there is none.
    pub(crate) before: i64,
    /// What filters match.
    pub(crate) topic: String,
    /// The stored text.
    pub(crate) body: String,
}

/// Appends `events` to the chain that ends in `head`, and says where it ends then.
pub(crate) fn append(
    conn: &Connection,
    mut head: Head,
    origin: u32,
    events: &[EventRow],
) -> Result<Head, StoreError> {
    let mut insert = conn
        .prepare_cached("INSERT INTO events (at, before, topic, hash, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for event in events {
        head = Head {
            key: event.key,
            hash: link(&head.hash, event.key, origin, &event.body),
        };
        insert.execute((event.key, event.before, &event.topic, head.hash, &event.body))?;
    }
    Ok(head)
}

/// Writes the rows of all projections that `fold` changed.
pub(crate) fn save(conn: &Connection, fold: &mut Fold) -> Result<(), StoreError> {
    save_nodes(conn, fold)?;
    save_runs(conn, fold)?;
    save_firings(conn, fold)
}

fn save_nodes(conn: &Connection, fold: &mut Fold) -> Result<(), StoreError> {
    // In order of their rows, so that the table is walked once.
    let mut changed: Vec<&mut Entry> = fold.nodes.values_mut().collect();
    changed.sort_unstable_by_key(|entry| entry.num);
    for entry in changed {
        save_node(conn, entry)?;
    }
    Ok(())
}

fn save_node(conn: &Connection, entry: &mut Entry) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO marks (num, children, updated) VALUES (?1, ?2, ?3) \
         ON CONFLICT (num) DO UPDATE SET children = excluded.children, updated = excluded.updated",
    )?
    .execute((entry.num, entry.children, key(entry.updated)))?;
    if entry.unsaved == Unsaved::Marks {
        return Ok(());
    }
    let (num, node) = (entry.num, &entry.node);
    let state = json(&node.state)?;
    match entry.unsaved {
        Unsaved::Marks | Unsaved::State => conn
            .prepare_cached("UPDATE nodes SET state = ?2 WHERE num = ?1")?
            .execute((num, &state))?,
        Unsaved::Status => conn
            .prepare_cached("UPDATE nodes SET state = ?2, status = ?3 WHERE num = ?1")?
            .execute((num, &state, node.status()))?,
        Unsaved::All => conn
            .prepare_cached(
                "INSERT INTO nodes (num, id, parent, kind, name, status, depth, created, state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                num,
                node_key(node.id),
                node.parent.map(node_key),
                node.kind.name(),
                &node.name,
                node.status(),
                entry.depth,
                key(node.created),
                &state,
            ))?,
    };
    entry.weight = state.len();
    Ok(())
}

fn save_runs(conn: &Connection, fold: &Fold) -> Result<(), StoreError> {
    for stored in fold.runs.values() {
        conn.prepare_cached(
            "INSERT INTO runs (id, agent, status, begun, updated, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (begun) DO UPDATE SET status = excluded.status, updated = excluded.updated, \
             state = excluded.state",
        )?
        .execute((
            run_key(stored.run.spec.id),
            node_key(stored.agent),
            stored.run.status.name(),
            key(stored.begun),
            key(stored.updated),
            json(&stored.run)?,
        ))?;
    }
    Ok(())
}

fn save_firings(conn: &Connection, fold: &Fold) -> Result<(), StoreError> {
    for firing in fold.firings.values() {
        conn.prepare_cached(
            "INSERT INTO firings (trigger_name, occurrence, node, recorded, due, outcome) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (trigger_name, occurrence) DO UPDATE SET outcome = excluded.outcome",
        )?
        .execute((
            &firing.trigger,
            &firing.occurrence,
            node_key(firing.node),
            key(firing.recorded),
            firing.due.as_millis(),
            &firing.outcome,
        ))?;
    }
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed {
        detail: format!("a state cannot be written as JSON: {error}"),
    })
}
