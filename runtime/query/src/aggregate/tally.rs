//! What is kept of a group.

use super::{Aggregate, Measure, Progress, Value, percentile::Sample};
use crate::{error::EvalError, facts::Facts};

/// What one Worknode adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Observation {
    /// Itself.
    One,
    /// A task, done or not.
    Task {
        done: bool,
    },
    Whole(i64),
    Real(f64),
}

pub(super) fn observe(aggregate: &Aggregate, facts: &Facts) -> Result<Observation, EvalError> {
    match (&aggregate.of, aggregate.measure) {
        (Some(of), _) => {
            let value = of.evaluate(facts)?;
            if value.is_null() {
                return Err(absent(of.source()));
            }
            if let Some(whole) = value.as_whole() {
                return Ok(Observation::Whole(whole));
            }
            match value.as_number().filter(|number| number.is_finite()) {
                Some(number) => Ok(Observation::Real(number)),
                None => Err(EvalError::Mistake {
                    message: format!("`{}` gives {}, not a number", of.source(), value.type_name()),
                }),
            }
        }
        (None, Measure::Progress) => task(facts),
        (None, _) => Ok(Observation::One),
    }
}

fn task(facts: &Facts) -> Result<Observation, EvalError> {
    let text = |name| facts.get(name).and_then(|fact| fact.as_text());
    match (text("kind"), text("status")) {
        (Some("task"), Some("cancelled")) => Err(absent("a task that is wanted")),
        (Some("task"), status) => Ok(Observation::Task {
            done: status == Some("completed"),
        }),
        _ => Err(absent("a task")),
    }
}

fn absent(what: &str) -> EvalError {
    EvalError::Absent {
        what: format!("`{what}`"),
    }
}

/// A sum of whole numbers, exact, and one of all others beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    whole: i128,
    real: f64,
    any_real: bool,
}

impl Sum {
    fn add(&mut self, observation: Observation) {
        match observation {
            Observation::Whole(whole) => self.whole = self.whole.saturating_add(i128::from(whole)),
            Observation::Real(real) => {
                self.real += real;
                self.any_real = true;
            }
            Observation::One | Observation::Task { .. } => {}
        }
    }

    fn merge(&mut self, other: Self) {
        self.whole = self.whole.saturating_add(other.whole);
        self.real += other.real;
        self.any_real |= other.any_real;
    }

    #[expect(clippy::cast_precision_loss, reason = "what is wanted is a double")]
    fn real(self) -> f64 {
        self.whole as f64 + self.real
    }

    fn value(self) -> Value {
        match i64::try_from(self.whole) {
            Ok(whole) if !self.any_real => Value::Whole(whole),
            _ => Value::Real(self.real()),
        }
    }
}

/// What is kept of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tally {
    count: u64,
    kept: Kept,
}

#[derive(Clone, Debug, PartialEq)]
enum Kept {
    Count,
    Progress { done: u64 },
    Sum(Sum),
    Average(Sum),
    Least(Option<Value>),
    Most(Option<Value>),
    Percentile(u8, Box<Sample>),
}

impl Tally {
    pub(super) fn new(measure: Measure) -> Self {
        let kept = match (measure, measure.percentile()) {
            (_, Some(percentile)) => Kept::Percentile(percentile, Box::default()),
            (Measure::Progress, _) => Kept::Progress { done: 0 },
            (Measure::Sum, _) => Kept::Sum(Sum::default()),
            (Measure::Avg, _) => Kept::Average(Sum::default()),
            (Measure::Min, _) => Kept::Least(None),
            (Measure::Max, _) => Kept::Most(None),
            _ => Kept::Count,
        };
        Self { count: 0, kept }
    }

    pub(super) fn add(&mut self, observation: Observation) {
        self.count = self.count.saturating_add(1);
        match &mut self.kept {
            Kept::Count => {}
            Kept::Progress { done } => {
                let more = matches!(observation, Observation::Task { done: true });
                *done = done.saturating_add(u64::from(more));
            }
            Kept::Sum(sum) | Kept::Average(sum) => sum.add(observation),
            Kept::Least(least) => *least = picked(*least, value(observation), f64::lt),
            Kept::Most(most) => *most = picked(*most, value(observation), f64::gt),
            Kept::Percentile(_, sample) => sample.extend(value(observation).map(real)),
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        match (&mut self.kept, other.kept) {
            (Kept::Progress { done }, Kept::Progress { done: more }) => *done = done.saturating_add(more),
            (Kept::Sum(sum), Kept::Sum(more)) | (Kept::Average(sum), Kept::Average(more)) => sum.merge(more),
            (Kept::Least(least), Kept::Least(other)) => *least = picked(*least, other, f64::lt),
            (Kept::Most(most), Kept::Most(other)) => *most = picked(*most, other, f64::gt),
            (Kept::Percentile(_, sample), Kept::Percentile(_, other)) => sample.merge(*other),
            // The same aggregate keeps the same.
            _ => {}
        }
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn is_exact(&self) -> bool {
        match &self.kept {
            Kept::Percentile(_, sample) => sample.is_exact(),
            _ => true,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 Worknodes")]
    pub(super) fn value(&self) -> Option<Value> {
        let count = self.count as f64;
        match &self.kept {
            Kept::Count => Some(Value::Whole(i64::try_from(self.count).unwrap_or(i64::MAX))),
            Kept::Progress { done } => Some(Value::Progress(Progress {
                done: *done,
                total: self.count,
                percent: if self.count == 0 {
                    0.0
                } else {
                    *done as f64 * 100.0 / count
                },
            })),
            Kept::Sum(sum) => Some(sum.value()),
            Kept::Average(sum) => (self.count > 0).then(|| Value::Real(sum.real() / count)),
            Kept::Least(value) | Kept::Most(value) => *value,
            Kept::Percentile(percentile, sample) => sample.percentile(*percentile).map(Value::Real),
        }
    }
}

fn value(observation: Observation) -> Option<Value> {
    match observation {
        Observation::Whole(whole) => Some(Value::Whole(whole)),
        Observation::Real(real) => Some(Value::Real(real)),
        Observation::One | Observation::Task { .. } => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared as doubles")]
fn real(value: Value) -> f64 {
    match value {
        Value::Whole(whole) => whole as f64,
        Value::Real(real) => real,
        Value::Progress(progress) => progress.percent,
    }
}

/// The one that is `better` than the other; whole numbers are compared as such.
fn picked(kept: Option<Value>, new: Option<Value>, better: impl Fn(&f64, &f64) -> bool) -> Option<Value> {
    match (kept, new) {
        (Some(Value::Whole(kept)), Some(Value::Whole(new))) => {
            let more = better(&1.0, &0.0);
            Some(Value::Whole(if more { kept.max(new) } else { kept.min(new) }))
        }
        (Some(kept), Some(new)) => Some(if better(&real(new), &real(kept)) {
            new
        } else {
            kept
        }),
        (kept, new) => kept.or(new),
    }
}
