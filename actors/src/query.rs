//! Questions over any subtree, the same from everywhere: what an index can answer is taken from the
//! index, the rest of the condition is evaluated.
//!
//! A query is bounded in what one page looks at, not only in what it shows: where little matches, a
//! page may be short, even empty, and only a page without a next one is the last. The order is that
//! of creation.

use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    node::{Kind, Node},
    time::Timestamp,
};
use worknode_journal::{Reader, Selected, Selector, limits};
use worknode_policies::kinds::Kinds;
use worknode_query::{Aggregate, Cursor, Fact, Facts, Outcome, Predicate, Scope};

mod indexed;
#[cfg(test)]
mod tests;

/// Pages of the index that one page of a query looks through at the most.
const ROUNDS: usize = 20;
/// Worknodes that aggregates take in. Beyond it, ask for less than the whole tree.
pub const AGGREGATED: usize = 2_000_000;
/// Aggregates of one question at the most.
pub const AGGREGATES: usize = 16;
/// Worknodes of one page when nobody says how many.
pub const PAGE: usize = 50;

/// Which Worknodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// This one and all below it.
    pub under: NodeId,
    /// A condition in CEL.
    pub filter: Option<String>,
    /// Words in its name, its task, its attributes.
    pub words: Option<String>,
    /// Of these kinds; empty: of any.
    pub kinds: Vec<Kind>,
    /// With one of these statuses; empty: with any.
    pub statuses: Vec<String>,
    /// Those that are put away, or those that are not; all when it is not said.
    pub archived: Option<bool>,
    /// Directly below this one.
    pub parent: Option<NodeId>,
    /// At most so many levels below `under`.
    pub levels: Option<usize>,
    /// At most so many on a page.
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

impl Query {
    /// Everything at and below `under`.
    #[must_use]
    pub const fn below(under: NodeId) -> Self {
        Self {
            under,
            filter: None,
            words: None,
            kinds: Vec::new(),
            statuses: Vec::new(),
            archived: None,
            parent: None,
            levels: None,
            limit: PAGE,
            cursor: None,
        }
    }

    /// What tells it from other queries, its page apart.
    fn text(&self) -> String {
        let first_page = Self {
            limit: 0,
            cursor: None,
            ..self.clone()
        };
        format!("{first_page:?}")
    }
}

/// One page of what matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The Worknodes, the oldest first, each with its level below the root.
    pub nodes: Vec<(Node, usize)>,
    /// Where the next page begins; nothing: this was the last.
    pub next: Option<String>,
    /// Worknodes on which the condition could not be evaluated, and why the first of them.
    pub failed: Failed,
}

/// Worknodes on which an expression has no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// How many.
    pub nodes: usize,
    /// Why the first.
    pub reason: Option<String>,
}

/// A query on its way through the tree.
#[derive(Debug)]
pub struct Scan {
    kinds: std::sync::Arc<Kinds>,
    predicate: Option<Predicate>,
    /// What is computed of those that match.
    aggregates: Vec<Aggregate>,
    selector: Option<Selector>,
    /// The deepest level that is asked for.
    deepest: Option<usize>,
    text: String,
    limit: usize,
    now: Timestamp,
    failed: Failed,
}

/// What one look into the index found: those that match, with what was known of each.
#[derive(Debug)]
pub struct Batch {
    matching: Vec<(Node, usize, Facts)>,
    last: Option<Cursor>,
}

impl Scan {
    /// Begins, or goes on where the cursor says.
    ///
    /// # Errors
    /// `usage` for a condition or a cursor that makes no sense, `not_found` when there is nothing
    /// to look below.
    pub fn begin(
        reader: &Reader,
        kinds: &std::sync::Arc<Kinds>,
        query: &Query,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let text = query.text();
        let cursor = query.cursor.as_deref().map(str::parse::<Cursor>).transpose()?;
        if let Some(cursor) = &cursor {
            cursor.continues(&text)?;
        }
        let now = cursor.map_or(now, |cursor| cursor.now());
        let predicate = query.filter.as_deref();
        let predicate = predicate
            .map(|filter| Predicate::compile(filter, &Scope::node()))
            .transpose()?;
        let mut selector = indexed::selector(query, predicate.as_ref(), now);
        if let (Some(selector), Some(cursor)) = (&mut selector, cursor) {
            selector.after = Some(cursor.place());
        }
        let top = reader.ancestors(query.under)?.len();
        if top == 0 && query.under != NodeId::ROOT {
            return Err(gone(query.under));
        }
        Ok(Self {
            kinds: std::sync::Arc::clone(kinds),
            predicate,
            aggregates: Vec::new(),
            selector,
            deepest: query.levels.map(|levels| top.saturating_add(levels)),
            text,
            limit: query.limit.clamp(1, limits::PAGE),
            now,
            failed: Failed::default(),
        })
    }

    /// The instant of its first page.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The next look into the index; nothing after the last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn next(&mut self, reader: &Reader) -> Result<Option<Batch>, Error> {
        let Some(selector) = &mut self.selector else {
            return Ok(None);
        };
        let Selected { nodes, next } = reader.select(selector)?;
        match next {
            Some(next) => {
                selector.after = Some(next);
                selector.limit = selector.limit.saturating_mul(2).min(limits::PAGE);
            }
            None => self.selector = None,
        }
        let last = next.map(|place| self.behind(place));
        let mut matching = Vec::new();
        for (node, depth) in nodes {
            if self.deepest.is_some_and(|deepest| depth > deepest) {
                continue;
            }
            let facts = facts_of(&node, depth, &self.kinds, self.now, &|name| self.uses(name));
            if self.holds(&facts, &node) {
                matching.push((node, depth, facts));
            }
        }
        Ok(Some(Batch { matching, last }))
    }

    /// Where a page begins that comes behind this place in the order of creation.
    fn behind(&self, place: u64) -> Cursor {
        Cursor::behind(&self.text, self.now, place)
    }

    /// Does anybody ask for this of a Worknode?
    fn uses(&self, name: &str) -> bool {
        self.predicate
            .as_ref()
            .is_some_and(|predicate| predicate.uses(name))
            || self.aggregates.iter().any(|aggregate| aggregate.uses(name))
    }

    fn holds(&mut self, facts: &Facts, node: &Node) -> bool {
        let Some(predicate) = &self.predicate else {
            return true;
        };
        predicate.matches(facts).unwrap_or_else(|error| {
            self.failed.nodes = self.failed.nodes.saturating_add(1);
            self.failed
                .reason
                .get_or_insert_with(|| format!("on `{}`: {error}", node.name));
            false
        })
    }
}

/// One page of what `query` asks for.
///
/// # Errors
/// As [`Scan::begin`].
pub fn page(
    reader: &Reader,
    kinds: &std::sync::Arc<Kinds>,
    query: &Query,
    now: Timestamp,
) -> Result<Found, Error> {
    let mut scan = Scan::begin(reader, kinds, query, now)?;
    let mut found = Found::default();
    for _ in 0..ROUNDS {
        let Some(batch) = scan.next(reader)? else {
            found.next = None;
            break;
        };
        let room = scan.limit.saturating_sub(found.nodes.len());
        let all = batch.matching.len();
        let taken = batch.matching.into_iter().take(room);
        found.nodes.extend(taken.map(|(node, depth, _)| (node, depth)));
        let last = match found.nodes.last() {
            // Those that had no room come first on the next page.
            Some((node, _)) if all > room => reader.place_of(node.id)?.map(|place| scan.behind(place)),
            _ => batch.last,
        };
        found.next = last.map(|cursor| cursor.to_string());
        if found.nodes.len() >= scan.limit {
            break;
        }
    }
    found.failed = scan.failed;
    Ok(found)
}

/// What the Worknodes that `query` asks for come to, all together.
///
/// # Errors
/// As [`Scan::begin`]; `usage` for an aggregate that makes no sense, `limit_reached` beyond
/// [`AGGREGATED`] Worknodes.
pub async fn aggregate(
    reader: &Reader,
    kinds: &std::sync::Arc<Kinds>,
    query: &Query,
    aggregates: &[String],
    now: Timestamp,
) -> Result<(Vec<Outcome>, Failed), Error> {
    if aggregates.len() > AGGREGATES {
        let message = format!("more than {AGGREGATES} aggregates in one question");
        return Err(Error::new(Code::LimitReached, message));
    }
    let scope = Scope::node();
    let compiled = aggregates.iter().map(|text| Aggregate::compile(text, &scope));
    let compiled = compiled.collect::<Result<Vec<_>, _>>()?;
    let mut tallies: Vec<_> = compiled.iter().map(Aggregate::start).collect();
    let mut scan = Scan::begin(reader, kinds, query, now)?;
    scan.aggregates = compiled;
    let mut taken = 0_usize;
    loop {
        // Away from who serves others, and never for longer than one look takes.
        let asked = reader.ask(move |reader| Ok((scan.next(reader), scan)));
        let (batch, back) = asked.await?;
        scan = back;
        let Some(batch) = batch? else { break };
        taken = taken.saturating_add(batch.matching.len());
        if taken > AGGREGATED {
            let message = format!("more than {AGGREGATED} Worknodes would be taken together");
            return Err(
                Error::new(Code::LimitReached, message).hint("ask for a part of the tree with `under`")
            );
        }
        for (_, _, facts) in &batch.matching {
            for tally in &mut tallies {
                tally.add(facts);
            }
        }
    }
    let outcomes = tallies.into_iter().map(worknode_query::Aggregation::finish);
    Ok((outcomes.collect(), scan.failed))
}

/// What conditions see of a Worknode, as far as they use it.
fn facts_of(node: &Node, depth: usize, kinds: &Kinds, now: Timestamp, uses: &dyn Fn(&str) -> bool) -> Facts {
    let mut facts = Facts::of_node_for(node, now, uses);
    facts.set("depth", depth);
    // What cannot be read in the current version is seen as it is stored.
    if uses("attributes")
        && kinds.version(&node.kind) > node.body.version
        && let Ok((attributes, _)) = kinds.read(node)
    {
        let readable = |(name, value)| Some((name, Fact::json(&value).ok()?));
        facts.set(
            "attributes",
            Fact::map(attributes.into_iter().filter_map(readable)),
        );
    }
    facts
}

fn gone(id: NodeId) -> Error {
    Error::new(Code::NotFound, format!("there is no Worknode {id}"))
        .hint("`worknode tree` shows what there is")
}
