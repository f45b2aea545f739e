//! Samples and what they come to.

use std::time::{Duration, Instant};

/// Measured values, in the order of their size.
#[derive(Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// The value in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(50)
    }

    /// The value that one in a hundred is above; of fewer than a hundred the largest.
    pub(crate) fn p99(&self) -> f64 {
        self.quantile(99)
    }

    fn quantile(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get((self.0.len() * percent / 100).min(last))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(values: I) -> Self {
        values.into_iter().map(|value| value.as_secs_f64()).collect()
    }
}

/// How long `work` takes.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let value = work.await;
    (value, begun.elapsed())
}

/// Nanoseconds since 1970, to be compared with those of another process.
#[expect(
    clippy::disallowed_methods,
    reason = "the product's clock has milliseconds; a start takes less"
)]
pub(crate) fn wall_nanos() -> u128 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.unwrap_or_default().as_nanos()
}

/// From one reading of [`wall_nanos`] to a later one, in seconds.
pub(crate) fn seconds_between(earlier: u128, later: u128) -> f64 {
    Duration::from_nanos(u64::try_from(later.saturating_sub(earlier)).unwrap_or(u64::MAX)).as_secs_f64()
}
