//! Questions about Worknodes and events.
//!
//! One language, CEL (the Common Expression Language), for queries over the tree, for the
//! `where` of triggers, and for the filters of membranes:
//!
//! ```text
//! kind == "task" && status == "completed" && completed_at > now - duration("168h")
//! event.type == "compilation_failed" && event.data.exit_code != 0
//! ```
//!
//! Everything here is pure: expressions are text, facts are values, and the present instant is
//! one of the facts.
//!
//! | type | what it is |
//! |---|---|
//! | [`Scope`] | which names an expression may use |
//! | [`Predicate`] | a condition, checked when it is compiled |
//! | [`Expression`] | any other expression |
//! | [`Facts`], [`Fact`] | what they are evaluated on |
//! | [`Selection`] | what an index can answer of a condition |
//! | [`Aggregate`], [`Aggregation`] | counts, sums, percentiles over what matches |
//! | [`Cursor`] | where the next page of a query begins |
//! | [`QueryError`], [`EvalError`] | what is wrong, where, and what to do |
//!
//! # Bounds
//! An expression is limited in length, parts, depth, loops and patterns when it is compiled, and
//! in steps when it is evaluated; see `EXPRESSION*` in [`worknode_core::bounds`]. What a step is
//! worth is estimated beforehand from the size of the facts, so that no accepted expression runs
//! for long on any facts. How values could grow (joining texts or lists in loops, lists in
//! lists) is not part of the language here.
//!
//! # What is not there
//! A name without a value is `null`. A condition that asks more of it than whether it is there
//! does not hold, and nor does its opposite, as in SQL; see [`Predicate::matches`].

mod aggregate;
mod compile;
mod cursor;
mod error;
mod event;
mod expression;
mod fact;
mod facts;
mod functions;
mod near;
mod node;
mod program;
mod scope;
mod selection;
mod signs;
#[cfg(test)]
mod tests;

pub use self::{
    aggregate::{Aggregate, Aggregation, Group, Measure, Outcome, Progress, Value},
    cursor::Cursor,
    error::{EvalError, Place, QueryCode, QueryError},
    expression::{Expression, Predicate},
    fact::{Fact, TooDeep},
    facts::Facts,
    near::nearest,
    scope::{Name, Scope, Shape},
    selection::{Field, Selection, Term},
};
