//! Counts, sums, extremes, averages, percentiles and progress over Worknodes.
//!
//! An aggregate is written as people say it:
//!
//! ```text
//! count
//! count by status
//! sum(attributes.value) by attributes.stage
//! p95(completed_at - created_at)
//! count by holder, day(completed_at)
//! progress by parent
//! ```
//!
//! Worknodes are added one by one, and two halves can be merged: the order does not matter,
//! except for which groups are kept when there are too many.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use worknode_core::bounds;

use crate::{
    error::{EvalError, QueryError},
    expression::Expression,
    fact::Fact,
    facts::Facts,
    scope::Scope,
};

mod parse;
mod percentile;
mod tally;
#[cfg(test)]
mod tests;

use tally::Tally;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// How many there are.
    Count,
    /// How many tasks there are, and how many of them are completed.
    Progress,
    /// All together.
    Sum,
    /// The least.
    Min,
    /// The most.
    Max,
    /// The arithmetic mean.
    Avg,
    /// The value that half of them do not exceed.
    P50,
    /// The value that 90 of 100 do not exceed.
    P90,
    /// The value that 95 of 100 do not exceed.
    P95,
    /// The value that 99 of 100 do not exceed.
    P99,
}

impl Measure {
    const ALL: [Self; 10] = [
        Self::Count,
        Self::Progress,
        Self::Sum,
        Self::Min,
        Self::Max,
        Self::Avg,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
    ];

    /// Its name, as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Progress => "progress",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }

    /// Is it about a number of each Worknode?
    const fn has_argument(self) -> bool {
        !matches!(self, Self::Count | Self::Progress)
    }

    /// Which of 100 it is.
    const fn percentile(self) -> Option<u8> {
        match self {
            Self::P50 => Some(50),
            Self::P90 => Some(90),
            Self::P95 => Some(95),
            Self::P99 => Some(99),
            _ => None,
        }
    }
}

impl FromStr for Measure {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|measure| measure.name() == name)
            .ok_or(())
    }
}

/// What is to be computed, of what, in which groups. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    measure: Measure,
    of: Option<Expression>,
    by: Option<Expression>,
}

impl Aggregate {
    /// Reads an aggregate.
    ///
    /// # Errors
    /// [`QueryError`] says what is wrong, and what was probably meant.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, QueryError> {
        parse::aggregate(source, scope)
    }

    /// What is computed.
    #[must_use]
    pub const fn measure(&self) -> Measure {
        self.measure
    }

    /// Does it use that name of its scope?
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        let own = matches!(self.measure, Measure::Progress) && matches!(name, "kind" | "status");
        let parts = [&self.of, &self.by];
        own || parts.into_iter().flatten().any(|part| part.uses(name))
    }

    /// Begins to compute it.
    #[must_use]
    pub fn start(&self) -> Aggregation {
        Aggregation {
            aggregate: self.clone(),
            groups: BTreeMap::new(),
            others: 0,
            without: 0,
            failed: 0,
            first_failure: None,
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.measure.name())?;
        if let Some(of) = &self.of {
            write!(f, "({})", of.source())?;
        }
        match &self.by {
            // The groups are kept as a list; its brackets are not what was written.
            Some(by) => {
                let keys = by.source();
                let inner = keys.strip_prefix('[').and_then(|keys| keys.strip_suffix(']'));
                write!(f, " by {}", inner.unwrap_or(keys))
            }
            None => Ok(()),
        }
    }
}

/// An aggregate under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    aggregate: Aggregate,
    groups: BTreeMap<Vec<String>, Tally>,
    others: u64,
    without: u64,
    failed: u64,
    first_failure: Option<EvalError>,
}

impl Aggregation {
    /// Takes one Worknode in.
    pub fn add(&mut self, facts: &Facts) {
        match self.observe(facts) {
            Ok(()) => {}
            Err(EvalError::Absent { .. }) => self.without = self.without.saturating_add(1),
            Err(error) => {
                self.failed = self.failed.saturating_add(1);
                self.first_failure.get_or_insert(error);
            }
        }
    }

    fn observe(&mut self, facts: &Facts) -> Result<(), EvalError> {
        let observation = tally::observe(&self.aggregate, facts)?;
        let key = match &self.aggregate.by {
            Some(by) => key(&by.evaluate(facts)?),
            None => Vec::new(),
        };
        match self.group(key) {
            Some(tally) => tally.add(observation),
            None => self.others = self.others.saturating_add(1),
        }
        Ok(())
    }

    /// The tally of a group; `None` when there are too many groups already.
    fn group(&mut self, key: Vec<String>) -> Option<&mut Tally> {
        if self.groups.len() >= bounds::GROUPS && !self.groups.contains_key(&key) {
            return None;
        }
        let measure = self.aggregate.measure;
        Some(self.groups.entry(key).or_insert_with(|| Tally::new(measure)))
    }

    /// Takes in what another has seen of the same aggregate.
    ///
    /// # Errors
    /// [`QueryError`] when the other computes something else.
    pub fn merge(&mut self, other: Self) -> Result<(), QueryError> {
        if other.aggregate != self.aggregate {
            return Err(parse::not_the_same(&self.aggregate, &other.aggregate));
        }
        for (key, tally) in other.groups {
            let count = tally.count();
            match self.group(key) {
                Some(mine) => mine.merge(tally),
                None => self.others = self.others.saturating_add(count),
            }
        }
        self.others = self.others.saturating_add(other.others);
        self.without = self.without.saturating_add(other.without);
        self.failed = self.failed.saturating_add(other.failed);
        self.first_failure = self.first_failure.take().or(other.first_failure);
        Ok(())
    }

    /// What came out.
    #[must_use]
    pub fn finish(self) -> Outcome {
        let exact = self.groups.values().all(Tally::is_exact);
        let mut groups: Vec<Group> = self
            .groups
            .into_iter()
            .map(|(key, tally)| Group {
                key,
                count: tally.count(),
                value: tally.value(),
            })
            .collect();
        if groups.is_empty() && self.aggregate.by.is_none() {
            // Nothing at all is an answer too.
            let tally = Tally::new(self.aggregate.measure);
            groups.push(Group {
                key: Vec::new(),
                count: 0,
                value: tally.value(),
            });
        }
        Outcome {
            aggregate: self.aggregate.to_string(),
            groups,
            others: self.others,
            without: self.without,
            failed: self.failed,
            first_failure: self.first_failure.map(|error| error.to_string()),
            exact,
        }
    }
}

/// The texts under which a Worknode is grouped.
fn key(value: &Fact) -> Vec<String> {
    let text = |json: serde_json::Value| match json {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    match value.to_json() {
        serde_json::Value::Array(keys) => keys.into_iter().map(text).collect(),
        single => vec![text(single)],
    }
}

/// What an aggregate came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outcome {
    /// Of what.
    pub aggregate: String,
    /// The groups in the order of their keys; without `by` there is one, with an empty key.
    pub groups: Vec<Group>,
    /// Worknodes of further groups, of which there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub others: u64,
    /// Worknodes that do not have what was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub without: u64,
    /// Worknodes for which the expressions have no value.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Why, for the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// No percentile is an estimate. An estimate is at most 1 % off.
    pub exact: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One group of an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Group {
    /// What its Worknodes have in common.
    pub key: Vec<String>,
    /// How many they are.
    pub count: u64,
    /// What was asked for; `None` when there is none.
    pub value: Option<Value>,
}

/// A value of an outcome. Lengths of time are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Whole(i64),
    /// Any other number.
    Real(f64),
    /// How far the tasks are.
    Progress(Progress),
}

/// How far the tasks are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Progress {
    /// Tasks that are completed.
    pub done: u64,
    /// All tasks, without those that were cancelled.
    pub total: u64,
    /// Of 100; 0 when there are no tasks.
    pub percent: f64,
}
