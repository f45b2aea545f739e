//! From what a query asks to what the store's index is asked. The index may select too much, never
//! too little: all that it selects is evaluated.

use std::collections::BTreeSet;

use worknode_core::{node::Kind, time::Timestamp};
use worknode_journal::{Selector, Span, limits};
use worknode_query::{Field, Predicate, Selection, Term};

use super::Query;

/// Worknodes of the first look into the index; each further one takes twice as many.
const FIRST_LOOK: usize = 100;

/// What the index is asked; nothing when it can be seen that nothing matches.
pub(super) fn selector(query: &Query, predicate: Option<&Predicate>, now: Timestamp) -> Option<Selector> {
    let selection = predicate.map_or_else(Selection::everything, |predicate| predicate.selection(now));
    let filtered = predicate.is_some() || query.levels.is_some();
    let mut selector = Selector {
        root: query.under,
        parent: query.parent,
        kinds: query.kinds.clone(),
        statuses: query.statuses.clone(),
        archived: query.archived,
        words: query.words.clone(),
        // What is left out by evaluation does not count. Nobody knows yet how much that is.
        limit: if filtered {
            query.limit.saturating_mul(2).clamp(FIRST_LOOK, limits::PAGE)
        } else {
            query.limit.clamp(1, limits::PAGE)
        },
        ..Selector::default()
    };
    if selection.is_empty() {
        return None;
    }
    for term in &selection.terms {
        narrow(&mut selector, term)?;
    }
    Some(selector)
}

/// Narrows the question by one term; nothing when nothing is left. What the index does not know is
/// left to the evaluation, and so is a second term on the same.
fn narrow(selector: &mut Selector, term: &Term) -> Option<()> {
    match term {
        Term::OneOf { field, texts } => return one_of(selector, *field, texts),
        Term::Prefix {
            field: Field::Name,
            prefix,
        } => _ = selector.name_prefix.get_or_insert_with(|| prefix.clone()),
        Term::Contains { field, texts } if texts.len() == 1 => contains(selector, *field, texts.first()?),
        Term::Is {
            field: Field::Archived,
            truth,
        } => {
            if selector.archived.is_some_and(|archived| archived != *truth) {
                return None;
            }
            selector.archived = Some(*truth);
        }
        Term::Between { field, from, to } => between(selector, *field, *from, *to),
        Term::Prefix { .. } | Term::Contains { .. } | Term::Is { .. } => {}
    }
    Some(())
}

fn one_of(selector: &mut Selector, field: Field, texts: &BTreeSet<String>) -> Option<()> {
    match field {
        Field::Kind => {
            // What cannot name a kind is the kind of nothing.
            let named = texts.iter().filter_map(|text| text.parse::<Kind>().ok());
            selector.kinds = intersection(&selector.kinds, named.collect())?;
        }
        Field::Status => {
            selector.statuses = intersection(&selector.statuses, texts.iter().cloned().collect())?;
        }
        Field::Name | Field::Id | Field::Parent if texts.len() == 1 => {
            only(selector, field, texts.first()?)?;
        }
        _ => {}
    }
    Some(())
}

/// There is one text that it can be. What is no id is the id of nothing.
fn only(selector: &mut Selector, field: Field, text: &str) -> Option<()> {
    match field {
        Field::Name => selector.name = selector.name.take().or_else(|| Some(text.to_owned())),
        Field::Id => selector.id = selector.id.or(Some(text.parse().ok()?)),
        Field::Parent => selector.parent = selector.parent.or(Some(text.parse().ok()?)),
        _ => {}
    }
    Some(())
}

/// What is in both; an empty list that was there before means everything. Nothing when nothing is.
fn intersection<T: PartialEq + Clone>(before: &[T], wanted: Vec<T>) -> Option<Vec<T>> {
    let both: Vec<T> = wanted
        .into_iter()
        .filter(|one| before.is_empty() || before.contains(one))
        .collect();
    (!both.is_empty()).then_some(both)
}

fn contains(selector: &mut Selector, field: Field, text: &str) {
    match field {
        Field::Tags => _ = selector.tag.get_or_insert_with(|| text.to_owned()),
        Field::Assignees => {
            // What is no id is nobody: the evaluation finds that out.
            selector.assignee = selector.assignee.or_else(|| text.parse().ok());
        }
        _ => {}
    }
}

fn between(selector: &mut Selector, field: Field, from: Option<i64>, to: Option<i64>) {
    let span = Span {
        from: from.map(instant),
        to: to.map(instant),
    };
    let target = match field {
        Field::CreatedAt => &mut selector.created,
        Field::UpdatedAt => &mut selector.updated,
        Field::CompletedAt => &mut selector.finished,
        Field::Priority => {
            selector.least_priority = selector.least_priority.or(from.map(small));
            selector.most_priority = selector.most_priority.or(to.map(small));
            return;
        }
        _ => return,
    };
    if *target == Span::default() {
        *target = span;
    }
}

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Beyond all priorities that there are, it is the outermost one.
fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}
