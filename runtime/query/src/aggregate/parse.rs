//! From text to an aggregate.

use super::{Aggregate, Measure};
use crate::{
    error::{Place, QueryCode, QueryError},
    expression::Expression,
    near::nearest,
    scope::Scope,
    signs::outside_text,
};

pub(super) fn aggregate(source: &str, scope: &Scope) -> Result<Aggregate, QueryError> {
    let text = source.trim();
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let measure: Measure = name.parse().map_err(|()| unknown(source, name))?;
    let rest = rest.trim_start();
    let (argument, rest) = argument(rest).map_err(|message| bad(source, message))?;
    let of = match (argument, measure.has_argument()) {
        (Some(argument), true) => Some(Expression::compile(argument, scope)?),
        (None, false) => None,
        (Some(argument), false) if argument.trim().is_empty() => None,
        (Some(_), false) => return Err(bad(source, &format!("`{name}` has no argument"))),
        (None, true) => {
            let hint = format!("write `{name}(x)`, with a number of each Worknode");
            return Err(bad(source, &format!("`{name}` of what?")).hint(hint));
        }
    };
    let by = keys(rest).map_err(|message| bad(source, message))?;
    let by = by.map(|keys| Expression::compile(&format!("[{keys}]"), scope));
    Ok(Aggregate {
        measure,
        of,
        by: by.transpose()?,
    })
}

/// What stands in the brackets at the beginning, and what comes behind them.
fn argument(text: &str) -> Result<(Option<&str>, &str), &'static str> {
    let Some(inner) = text.strip_prefix('(') else {
        return Ok((None, text));
    };
    let end = closing(inner).ok_or("there is no closing bracket")?;
    let (argument, rest) = inner.split_at(end);
    Ok((Some(argument), rest.strip_prefix(')').unwrap_or(rest)))
}

/// Where the bracket closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in outside_text(text) {
        match c {
            '(' => open = open.saturating_add(1),
            ')' if open == 0 => return Some(at),
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The expressions behind `by`.
fn keys(rest: &str) -> Result<Option<&str>, &'static str> {
    let rest = rest.trim();
    if rest.is_empty() {
        return Ok(None);
    }
    let keys = rest
        .strip_prefix("by")
        .filter(|keys| keys.starts_with(char::is_whitespace))
        .ok_or("only `by` may follow here")?;
    match keys.trim() {
        "" => Err("by what?"),
        keys => Ok(Some(keys)),
    }
}

fn unknown(source: &str, name: &str) -> QueryError {
    let error = bad(source, &format!("there is no aggregate `{name}`"));
    let names = || Measure::ALL.into_iter().map(Measure::name);
    match nearest(name, names()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => {
            let all: Vec<&str> = names().collect();
            error.hint(format!("there are: {}", all.join(", ")))
        }
    }
}

fn bad(source: &str, message: &str) -> QueryError {
    let place = Place::whole(source);
    QueryError::new(QueryCode::BadAggregate, message).at(Some(place))
}

pub(super) fn not_the_same(this: &Aggregate, other: &Aggregate) -> QueryError {
    let message = format!("`{other}` cannot be merged into `{this}`");
    QueryError::new(QueryCode::BadAggregate, message)
}
