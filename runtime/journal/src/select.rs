//! Which Worknodes of a subtree are of a kind, in a status, from a time, with a tag, about some
//! words?
//!
//! A page looks at a bounded number of rows and may therefore hold fewer Worknodes than were asked
//! for, even none; only a page without a next one is the last. The order is that of creation, so
//! it does not change between two pages.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter, types::Value};
use worknode_core::{
    body::Relation,
    ids::NodeId,
    node::{Kind, Node},
    time::Timestamp,
};

use crate::{
    error::{ReadError, StoreError},
    limits,
    reader::Reader,
    rows::{self, node_id, node_key},
    stamp,
};

/// An interval of time, both ends included; an end that is not said is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
}

/// Which Worknodes, and which page of them. What is not said is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Those below this one, and itself.
    pub root: NodeId,
    /// Exactly this one.
    pub id: Option<NodeId>,
    /// Those directly below this one.
    pub parent: Option<NodeId>,
    /// Those of one of these kinds; empty: of any.
    pub kinds: Vec<Kind>,
    /// Those with one of these statuses, as [`Node::status`] names them; empty: with any.
    pub statuses: Vec<String>,
    /// Those with exactly this name.
    pub name: Option<String>,
    /// Those whose name begins so.
    pub name_prefix: Option<String>,
    /// Those that have this tag.
    pub tag: Option<String>,
    /// Those that this one is to see to.
    pub assignee: Option<NodeId>,
    /// Those that are put away, or those that are not.
    pub archived: Option<bool>,
    /// Those made in this time.
    pub created: Span,
    /// Those changed in this time.
    pub updated: Span,
    /// Those that were over in this time.
    pub finished: Span,
    /// Those with at least this priority.
    pub least_priority: Option<i32>,
    /// Those with at most this priority.
    pub most_priority: Option<i32>,
    /// Those in whose text all these words are; the last letters may be missing.
    pub words: Option<String>,
    /// Go on after this one: [`Selected::next`] of the page before.
    pub after: Option<u64>,
    /// At most so many; never more than [`limits::PAGE`].
    pub limit: usize,
}

impl Default for Selector {
    fn default() -> Self {
        Self {
            root: NodeId::ROOT,
            id: None,
            parent: None,
            kinds: Vec::new(),
            statuses: Vec::new(),
            name: None,
            name_prefix: None,
            tag: None,
            assignee: None,
            archived: None,
            created: Span::default(),
            updated: Span::default(),
            finished: Span::default(),
            least_priority: None,
            most_priority: None,
            words: None,
            after: None,
            limit: limits::PAGE,
        }
    }
}

/// One page of Worknodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selected {
    /// The Worknodes, each with its level below the root; the oldest first.
    pub nodes: Vec<(Node, usize)>,
    /// Where the next page goes on; nothing: this was the last.
    pub next: Option<u64>,
}

/// Another Worknode that one has something to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// What.
    pub relation: Relation,
    /// The other one.
    pub node: NodeId,
}

impl Reader {
    /// One page of the Worknodes that `selector` names.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn select(&self, selector: &Selector) -> Result<Selected, ReadError> {
        self.with(|conn| Ok(select(conn, selector, self.origin())?))
    }

    /// The Worknodes above `id`, its parent first; empty for the root and for what is not there.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn ancestors(&self, id: NodeId) -> Result<Vec<NodeId>, ReadError> {
        self.with(|conn| {
            let mut above = Vec::new();
            let mut next = parent_of(conn, id)?.flatten();
            while let Some(parent) = next {
                above.push(parent);
                next = parent_of(conn, parent)?.flatten();
            }
            Ok(above)
        })
    }

    /// The Worknodes that have something to do with `id` by links of their own: what it blocks,
    /// what duplicates it, what it produced. At most [`limits::PAGE`].
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn links_to(&self, id: NodeId) -> Result<Vec<Neighbour>, ReadError> {
        self.with(|conn| {
            let mut select =
                conn.prepare_cached("SELECT relation, source FROM links WHERE target = ?1 LIMIT ?2")?;
            let mut found = select.query((node_key(id), limits::PAGE))?;
            let mut neighbours = Vec::new();
            while let Some(row) = found.next()? {
                let name = rows::text(row, 0)?;
                let relation = Relation::ALL.into_iter().find(|known| known.name() == name);
                let relation =
                    relation.ok_or_else(|| StoreError::corrupt(format!("there is no relation `{name}`")))?;
                neighbours.push(Neighbour {
                    relation,
                    node: node_id(row.get(1)?),
                });
            }
            Ok(neighbours)
        })
    }
}

/// Conditions of a query, and their values.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn also(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    fn any_of(&mut self, column: &str, texts: impl ExactSizeIterator<Item = String>) {
        if texts.len() > 0 {
            let marks = vec!["?"; texts.len()].join(", ");
            self.also(&format!("{column} IN ({marks})"), texts.map(Value::Text));
        }
    }

    /// Which one it is: by id, place or name.
    fn itself(&mut self, selector: &Selector) {
        if let Some(id) = selector.id {
            self.also("id = ?", [blob(id)]);
        }
        if let Some(parent) = selector.parent {
            self.also("parent = ?", [blob(parent)]);
        }
        if let Some(name) = &selector.name {
            self.also("name = ?", [Value::Text(name.clone())]);
        }
        if let Some(prefix) = &selector.name_prefix {
            let text = Value::Text(prefix.clone());
            self.also("substr(name, 1, length(?)) = ?", [text.clone(), text]);
        }
    }

    fn within(&mut self, column: &str, span: Span) {
        if let Some(from) = span.from {
            self.also(&format!("{column} >= ?"), [first_key(from)]);
        }
        if let Some(to) = span.to {
            let after = Timestamp::from_millis(to.as_millis().saturating_add(1));
            self.also(&format!("{column} < ?"), [first_key(after)]);
        }
    }
}

/// The first row id of an instant.
fn first_key(at: Timestamp) -> Value {
    let first = worknode_core::hlc::Hlc {
        wall: at,
        counter: 0,
        origin: 0,
    };
    Value::Integer(stamp::key(first))
}

fn blob(id: NodeId) -> Value {
    Value::Blob(node_key(id).to_vec())
}

fn select(conn: &Connection, selector: &Selector, origin: u32) -> Result<Selected, StoreError> {
    let mut conditions = conditions(selector, has_small_set(conn, selector)?);
    let mut within = Within::new(conn, selector.root, &mut conditions)?;
    let nodes = if is_small(conn, selector.finished)? {
        rows::NODES_BY_FINISH
    } else {
        rows::NODES
    };
    let sql = format!(
        "SELECT {}, num, depth FROM {nodes} WHERE true{} ORDER BY num LIMIT ?",
        rows::NODE,
        conditions.sql
    );
    conditions.values.push(integer(limits::SCANNED));
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = select.query(params_from_iter(conditions.values))?;
    let mut page = Selected::default();
    let (mut bytes, mut scanned) = (0_usize, 0_usize);
    while let Some(row) = found.next()? {
        scanned = scanned.saturating_add(1);
        let num: u64 = row.get(rows::NODE_COLUMNS)?;
        let id = node_id(row.get(0)?);
        if within.holds(conn, id, row.get::<_, Option<[u8; 16]>>(1)?.map(node_id))? {
            let (node, size) = rows::node(row, origin)?;
            bytes = bytes.saturating_add(size);
            page.nodes.push((node, row.get(rows::NODE_COLUMNS + 1)?));
        }
        let full = page.nodes.len() >= selector.limit.clamp(1, limits::PAGE) || bytes >= limits::PAGE_BYTES;
        if full || scanned >= limits::SCANNED {
            page.next = Some(num);
            break;
        }
    }
    Ok(page)
}

/// With a `small` set to begin at, kinds and statuses are only looked at, not looked up: their index
/// would lead through a large part of all there is. (To SQLite a column with a plus is no longer one
/// of an index.)
fn conditions(selector: &Selector, small: bool) -> Conditions {
    let mut all = Conditions::default();
    let [kind, status] = if small {
        ["+kind", "+status"]
    } else {
        ["kind", "status"]
    };
    all.any_of(kind, selector.kinds.iter().map(|kind| kind.name().to_owned()));
    all.any_of(status, selector.statuses.iter().cloned());
    all.itself(selector);
    for label in labels(selector) {
        all.also(
            "num IN (SELECT num FROM labels WHERE sort = ? AND value = ?)",
            label,
        );
    }
    if let Some(archived) = selector.archived {
        all.also("archived = ?", [Value::Integer(archived.into())]);
    }
    all.within("created", selector.created);
    all.within("updated", selector.updated);
    all.within("finished", selector.finished);
    if let Some(least) = selector.least_priority {
        all.also("priority >= ?", [Value::Integer(least.into())]);
    }
    if let Some(most) = selector.most_priority {
        all.also("priority <= ?", [Value::Integer(most.into())]);
    }
    if let Some(words) = &selector.words {
        let query = Value::Text(full_text_query(words));
        all.also("num IN (SELECT rowid FROM texts WHERE texts MATCH ?)", [query]);
    }
    if let Some(after) = selector.after {
        all.also(
            "num > ?",
            [Value::Integer(i64::try_from(after).unwrap_or(i64::MAX))],
        );
    }
    all
}

/// The tag and the assignee that are asked for: their sort, and which.
fn labels(selector: &Selector) -> impl Iterator<Item = [Value; 2]> {
    let labels = [
        ("tag", selector.tag.clone()),
        ("assignee", selector.assignee.map(|to| to.to_string())),
    ];
    let label = |(sort, value): (&str, Option<String>)| Some([sort.to_owned(), value?].map(Value::Text));
    labels.into_iter().filter_map(label)
}

/// Are so few asked for by their tag, their assignee, their words or their place, that looking at all
/// of those is best?
fn has_small_set(conn: &Connection, selector: &Selector) -> Result<bool, StoreError> {
    if selector.id.is_some() || selector.parent.is_some() {
        return Ok(true);
    }
    for label in labels(selector) {
        if fewer_than_many(conn, "labels WHERE sort = ? AND value = ?", label)? {
            return Ok(true);
        }
    }
    match &selector.words {
        Some(words) => {
            let query = Value::Text(full_text_query(words));
            fewer_than_many(conn, "texts WHERE texts MATCH ?", [query])
        }
        None => Ok(false),
    }
}

/// Counted no further than it matters.
fn fewer_than_many(
    conn: &Connection,
    what: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<bool, StoreError> {
    let mut select = conn.prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 FROM {what} LIMIT ?)"))?;
    let values = values.into_iter().chain([integer(limits::SMALL_SET)]);
    let found: usize = select.query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(found < limits::SMALL_SET)
}

/// Every word as itself, whatever signs are in it, each the beginning of a word in the text.
fn full_text_query(words: &str) -> String {
    let quoted = |word: &str| format!("\"{}\"*", word.replace('"', "\"\""));
    let ends = |c: char| c.is_whitespace() || c.is_control();
    let words = words.split(ends).filter(|word| !word.is_empty());
    let query: Vec<String> = words.take(limits::WORDS).map(quoted).collect();
    if query.is_empty() {
        // No word at all is in no text.
        "\"\"".to_owned()
    } else {
        query.join(" ")
    }
}

/// Did so few end in this time that looking at all of them is best?
fn is_small(conn: &Connection, span: Span) -> Result<bool, StoreError> {
    if span == Span::default() {
        return Ok(false);
    }
    let mut conditions = Conditions::default();
    conditions.within("finished", span);
    let what = format!(
        "nodes INDEXED BY nodes_by_finish WHERE finished IS NOT NULL{}",
        conditions.sql
    );
    fewer_than_many(conn, &what, conditions.values)
}

/// How it is told whether a Worknode is in the subtree.
enum Within {
    /// All are, or the query itself asks.
    All,
    /// By walking upwards; what was found out is remembered.
    Below {
        root: NodeId,
        known: HashMap<NodeId, bool>,
    },
}

impl Within {
    /// A small subtree is looked up as a whole. In a large one, most of what is looked at is in it.
    fn new(conn: &Connection, root: NodeId, conditions: &mut Conditions) -> Result<Self, StoreError> {
        const TREE: &str = "WITH RECURSIVE tree (id, num) AS (
            SELECT id, num FROM nodes WHERE id = ?
            UNION ALL SELECT nodes.id, nodes.num FROM nodes JOIN tree ON nodes.parent = tree.id LIMIT ?
        )";
        if root == NodeId::ROOT {
            return Ok(Self::All);
        }
        let size: usize = conn
            .prepare_cached(&format!("{TREE} SELECT count(*) FROM tree"))?
            .query_row((node_key(root), integer(limits::SMALL_SET)), |row| row.get(0))?;
        if size < limits::SMALL_SET {
            let values = [blob(root), integer(limits::SMALL_SET)];
            conditions.also(&format!("num IN ({TREE} SELECT num FROM tree)"), values);
            return Ok(Self::All);
        }
        Ok(Self::Below {
            root,
            known: HashMap::new(),
        })
    }

    fn holds(&mut self, conn: &Connection, id: NodeId, parent: Option<NodeId>) -> Result<bool, StoreError> {
        let Self::Below { root, known } = self else {
            return Ok(true);
        };
        if id == *root {
            return Ok(true);
        }
        let mut walked = Vec::new();
        let mut next = parent;
        let holds = loop {
            match next {
                None => break false,
                Some(above) if above == *root => break true,
                Some(above) => match known.get(&above) {
                    Some(holds) => break *holds,
                    None => {
                        walked.push(above);
                        next = parent_of(conn, above)?.flatten();
                    }
                },
            }
        };
        known.extend(walked.into_iter().map(|above| (above, holds)));
        Ok(holds)
    }
}

/// The parent of `id`: nothing of nothing when there is no such Worknode.
fn parent_of(conn: &Connection, id: NodeId) -> Result<Option<Option<NodeId>>, StoreError> {
    let found = conn
        .prepare_cached("SELECT parent FROM nodes WHERE id = ?1")?
        .query_row([&node_key(id) as &dyn ToSql], |row| {
            row.get::<_, Option<[u8; 16]>>(0)
        })
        .optional()?;
    Ok(found.map(|parent| parent.map(node_id)))
}

fn integer(number: usize) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
