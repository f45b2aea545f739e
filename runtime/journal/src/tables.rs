//! Writes what a [`Fold`] and its events changed.

use rusqlite::Connection;
use serde_json::Value;
use worknode_core::{
    body::Relation,
    firing::Firing,
    node::{Kind, Node},
};

use crate::{
    chain::link,
    entry::{Entry, Trigger},
    error::StoreError,
    fold::Fold,
    limits,
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

/// Writes what `fold` has changed before its group is complete; afterwards it changes nothing.
pub(crate) fn flush(conn: &Connection, fold: &mut Fold) -> Result<(), StoreError> {
    save(conn, fold)?;
    fold.committed();
    Ok(())
}

/// Writes the rows of all projections that `fold` changed.
pub(crate) fn save(conn: &Connection, fold: &mut Fold) -> Result<(), StoreError> {
    save_nodes(conn, fold)?;
    save_runs(conn, fold)?;
    save_firings(conn, fold)?;
    save_triggers(conn, fold)
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
    if entry.unsaved.row {
        return insert(conn, entry);
    }
    save_changes(conn, entry)
}

/// Only what is not yet saved of one that has its row.
fn save_changes(conn: &Connection, entry: &mut Entry) -> Result<(), StoreError> {
    let unsaved = entry.unsaved;
    let (num, node) = (entry.num, &entry.node);
    if unsaved.place {
        conn.prepare_cached("UPDATE nodes SET parent = ?2, name = ?3 WHERE num = ?1")?
            .execute((num, node.parent.map(node_key), &node.name))?;
    }
    if unsaved.status {
        let state = state(node)?;
        let [ready, claimed, finished] = moments(node);
        conn.prepare_cached(
            "UPDATE nodes SET state = ?2, status = ?3, ready = ?4, claimed = ?5, finished = ?6 WHERE num = ?1",
        )?
        .execute((num, &state, node.status(), ready, claimed, finished))?;
        entry.weight = entry.weight.max(state.len());
    } else if unsaved.state {
        let state = state(node)?;
        conn.prepare_cached("UPDATE nodes SET state = ?2, priority = ?3 WHERE num = ?1")?
            .execute((num, &state, priority(node)))?;
        entry.weight = entry.weight.max(state.len());
    }
    if unsaved.spec {
        entry.weight = save_spec(conn, num, node)?.saturating_add(entry.weight);
    }
    if unsaved.body {
        conn.prepare_cached("UPDATE nodes SET body = ?2, archived = ?3 WHERE num = ?1")?
            .execute((num, body(node)?, node.body.is_archived()))?;
        relabel(conn, num, node)?;
    }
    if unsaved.body || unsaved.place {
        words(conn, num, node)?;
    }
    Ok(())
}

fn insert(conn: &Connection, entry: &mut Entry) -> Result<(), StoreError> {
    let (num, node) = (entry.num, &entry.node);
    let state = state(node)?;
    let [ready, claimed, finished] = moments(node);
    conn.prepare_cached(
        "INSERT INTO nodes (num, id, parent, kind, name, status, depth, created, priority, archived, \
         ready, claimed, finished, state, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
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
        priority(node),
        node.body.is_archived(),
        ready,
        claimed,
        finished,
        &state,
        body(node)?,
    ))?;
    entry.weight = save_spec(conn, num, node)?.saturating_add(state.len());
    relate(conn, num, node)?;
    words(conn, num, node)
}

/// The state as it is stored: of a task, all but what it is asked to do.
fn state(node: &Node) -> Result<String, StoreError> {
    match node.task() {
        Some(task) => task.life().map_err(|error| unwritable(&error)),
        None => json(&node.state),
    }
}

/// Writes what a task is asked to do, and says how long that is.
fn save_spec(conn: &Connection, num: i64, node: &Node) -> Result<usize, StoreError> {
    let Some(task) = node.task() else { return Ok(0) };
    let spec = json(&*task.spec)?;
    conn.prepare_cached("INSERT OR REPLACE INTO specs (num, spec) VALUES (?1, ?2)")?
        .execute((num, &spec))?;
    Ok(spec.len())
}

fn moments(node: &Node) -> [Option<i64>; 3] {
    let times = node.times;
    [times.ready, times.claimed, times.finished].map(|at| at.map(key))
}

fn priority(node: &Node) -> i32 {
    node.task().map_or(0, |task| task.spec.priority)
}

/// What it carries; most carry nothing.
fn body(node: &Node) -> Result<Option<String>, StoreError> {
    (!node.body.is_empty()).then(|| json(&node.body)).transpose()
}

/// Replaces what is known of its tags, assignees and links.
fn relabel(conn: &Connection, num: i64, node: &Node) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM labels WHERE num = ?1")?
        .execute([num])?;
    conn.prepare_cached("DELETE FROM links WHERE source = ?1")?
        .execute([node_key(node.id)])?;
    relate(conn, num, node)
}

fn relate(conn: &Connection, num: i64, node: &Node) -> Result<(), StoreError> {
    let mut label =
        conn.prepare_cached("INSERT OR IGNORE INTO labels (sort, value, num) VALUES (?1, ?2, ?3)")?;
    for tag in node.body.tags.iter() {
        label.execute(("tag", tag, num))?;
    }
    for assignee in node.body.assignees.iter() {
        label.execute(("assignee", assignee.to_string(), num))?;
    }
    let mut link =
        conn.prepare_cached("INSERT OR IGNORE INTO links (source, relation, target) VALUES (?1, ?2, ?3)")?;
    let planned = node.dependencies().map(|to| (Relation::DependsOn, to));
    for (relation, to) in planned.chain(node.body.links.iter().map(|link| (link.relation, link.to))) {
        link.execute((node_key(node.id), relation.name(), node_key(to)))?;
    }
    Ok(())
}

/// Makes it found by its words.
fn words(conn: &Connection, num: i64, node: &Node) -> Result<(), StoreError> {
    let mut text = node.name.clone();
    let mut also = |more: &str| {
        text.push('\n');
        text.push_str(more);
    };
    if let Some(task) = node.task() {
        also(&task.spec.title);
        also(beginning(&task.spec.prompt));
    }
    for (_, value) in node.body.attributes.iter() {
        texts_in(&value.0, &mut also);
    }
    if is_note(&node.kind) {
        also(&kind_word(&node.kind));
    }
    conn.prepare_cached("INSERT OR REPLACE INTO texts (rowid, text) VALUES (?1, ?2)")?
        .execute((num, text))?;
    Ok(())
}

/// Notes are looked for among their kind alone: by a word that only they have, so that the index
/// leaves out all else.
pub(crate) const fn is_note(kind: &Kind) -> bool {
    matches!(kind, Kind::Decision | Kind::Issue | Kind::Memory)
}

/// The word that notes of this kind have.
pub(crate) fn kind_word(kind: &Kind) -> String {
    format!("wnkind{kind}")
}

/// All texts in a value, however deep: values nest no deeper than JSON is read.
fn texts_in(value: &Value, also: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => also(beginning(text)),
        Value::Array(values) => values.iter().for_each(|value| texts_in(value, also)),
        Value::Object(values) => values.values().for_each(|value| texts_in(value, also)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What of a long text is searched.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(limits::SEARCHED_BYTES)]
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
    // In order of their keys, so that each page is come to once.
    let mut changed: Vec<&Firing> = fold.firings.values().collect();
    changed.sort_unstable_by_key(|firing| (&firing.trigger, &firing.occurrence));
    for firing in changed {
        conn.prepare_cached(
            "INSERT INTO firings (trigger_name, occurrence, node, recorded, due, open, outcome, course) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (trigger_name, occurrence) DO UPDATE SET \
             open = excluded.open, outcome = excluded.outcome, course = excluded.course",
        )?
        .execute((
            &firing.trigger,
            &firing.occurrence,
            node_key(firing.node),
            key(firing.recorded),
            firing.due.as_millis(),
            firing.is_open(),
            &firing.outcome,
            json(&firing.course)?,
        ))?;
    }
    Ok(())
}

fn save_triggers(conn: &Connection, fold: &mut Fold) -> Result<(), StoreError> {
    let mut changed: Vec<(&String, &mut Trigger)> = fold.triggers.entries_mut().collect();
    changed.sort_unstable_by_key(|(_, trigger)| trigger.num);
    for (name, trigger) in changed {
        let alarm = trigger.state.has_alarm();
        let state = json(&*trigger.state)?;
        if trigger.new {
            conn.prepare_cached("INSERT INTO triggers (num, name, alarm, state) VALUES (?1, ?2, ?3, ?4)")?
                .execute((trigger.num, name, alarm, &state))?;
        } else {
            conn.prepare_cached("UPDATE triggers SET alarm = ?2, state = ?3 WHERE num = ?1")?
                .execute((trigger.num, alarm, &state))?;
        }
        trigger.weight = state.len();
    }
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> StoreError {
    StoreError::Failed {
        detail: format!("a state cannot be written as JSON: {error}"),
    }
}
