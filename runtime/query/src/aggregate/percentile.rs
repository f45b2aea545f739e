//! Percentiles in bounded memory.
//!
//! Up to [`bounds::SAMPLES`] values are kept as they are. Beyond that they are counted in
//! buckets whose bounds grow by a constant factor, so that the middle of a bucket is never more
//! than 1 % away from any value in it (the idea of DDSketch: Masson, Rim, Lee, 2019). Which
//! values came first makes no difference, and two samples merge into the one that all values
//! together would have made.

use std::collections::BTreeMap;

use worknode_core::bounds;

/// How far an estimate may be off, as a part of the value.
const ERROR: f64 = 0.01;
/// Buckets kept for the values of one sign. They span a factor of 10^17 between the smallest and
/// the largest; smaller values than that are counted with the smallest kept.
const BUCKETS: usize = 2_048;

/// The values of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sample {
    Exact(Vec<f64>),
    Sketch(Sketch),
}

impl Default for Sample {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Extend<f64> for Sample {
    fn extend<T: IntoIterator<Item = f64>>(&mut self, values: T) {
        for value in values {
            self.add(value);
        }
    }
}

impl Sample {
    fn add(&mut self, value: f64) {
        match self {
            Self::Exact(values) => values.push(value),
            Self::Sketch(sketch) => sketch.add(value),
        }
        self.keep_bounded();
    }

    fn keep_bounded(&mut self) {
        if let Self::Exact(values) = self
            && values.len() > bounds::SAMPLES
        {
            *self = Self::Sketch(Sketch::of(values));
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (_, Self::Exact(values)) => self.extend(values),
            (Self::Exact(values), Self::Sketch(mut sketch)) => {
                sketch.add_all(values);
                *self = Self::Sketch(sketch);
            }
            (Self::Sketch(mine), Self::Sketch(other)) => mine.merge(other),
        }
    }

    pub(super) const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// The least value that `percentile` of 100 values do not exceed.
    pub(super) fn percentile(&self, percentile: u8) -> Option<f64> {
        match self {
            Self::Exact(values) => {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                let rank = rank(u64::try_from(sorted.len()).ok()?, percentile)?;
                sorted.get(usize::try_from(rank).ok()?).copied()
            }
            Self::Sketch(sketch) => sketch.percentile(percentile),
        }
    }
}

/// The place of a percentile among `count` sorted values, from 0.
fn rank(count: u64, percentile: u8) -> Option<u64> {
    let place = u128::from(count)
        .saturating_mul(u128::from(percentile))
        .div_ceil(100);
    u64::try_from(place.max(1))
        .ok()?
        .checked_sub(1)
        .filter(|rank| *rank < count)
}

/// Values counted in buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sketch {
    negative: BTreeMap<i32, u64>,
    zeros: u64,
    positive: BTreeMap<i32, u64>,
}

impl Sketch {
    fn of(values: &[f64]) -> Self {
        let mut sketch = Self::default();
        sketch.add_all(values);
        sketch
    }

    fn add_all(&mut self, values: &[f64]) {
        for value in values {
            self.add(*value);
        }
    }

    fn add(&mut self, value: f64) {
        if value > 0.0 {
            count(&mut self.positive, bucket(value), 1);
        } else if value < 0.0 {
            count(&mut self.negative, bucket(-value), 1);
        } else {
            self.zeros = self.zeros.saturating_add(1);
        }
    }

    fn merge(&mut self, other: Self) {
        for (bucket, more) in other.negative {
            count(&mut self.negative, bucket, more);
        }
        for (bucket, more) in other.positive {
            count(&mut self.positive, bucket, more);
        }
        self.zeros = self.zeros.saturating_add(other.zeros);
    }

    fn percentile(&self, percentile: u8) -> Option<f64> {
        // From the least to the most: the largest magnitude of the negative ones first.
        let negative = self.negative.iter().rev().map(|(at, n)| (-middle(*at), *n));
        let positive = self.positive.iter().map(|(at, n)| (middle(*at), *n));
        let all = negative.chain([(0.0, self.zeros)]).chain(positive);
        let total = all.clone().map(|(_, n)| n).fold(0, u64::saturating_add);
        let mut left = rank(total, percentile)?;
        for (value, n) in all {
            match left.checked_sub(n) {
                None => return Some(value),
                Some(rest) => left = rest,
            }
        }
        None
    }
}

/// The factor from one bound to the next.
fn factor() -> f64 {
    (1.0 + ERROR) / (1.0 - ERROR)
}

/// The bucket of a positive value: `factor^(bucket - 1) < value <= factor^bucket`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of any double to this base is below 36,000"
)]
fn bucket(value: f64) -> i32 {
    (value.ln() / factor().ln()).ceil() as i32
}

/// The value that is no further than the error from both bounds of a bucket.
fn middle(bucket: i32) -> f64 {
    let upper = (f64::from(bucket) * factor().ln()).exp();
    2.0 * upper / (factor() + 1.0)
}

fn count(buckets: &mut BTreeMap<i32, u64>, bucket: i32, more: u64) {
    let counted = buckets.entry(bucket).or_default();
    *counted = counted.saturating_add(more);
    if buckets.len() > BUCKETS
        && let Some((_, smallest)) = buckets.pop_first()
        && let Some(mut next) = buckets.first_entry()
    {
        let both = next.get().saturating_add(smallest);
        next.insert(both);
    }
}
