//! From the pipes of a run into its files.

use std::{
    io,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    time::{Instant, sleep_until},
};
use worknode_core::time::millis;

use crate::{log::Log, report::StreamReport};

/// Bytes read at once: what a pipe holds by default.
const READ: usize = 64 * 1024;

/// How much a run has written, and when it last did. Cheap to read and to clone a handle of.
#[derive(Debug)]
pub struct Activity {
    started: Instant,
    /// Milliseconds after `started`; zero until there is output.
    last_output: AtomicU64,
    pub(crate) stdout: Arc<Tally>,
    pub(crate) stderr: Arc<Tally>,
}

impl Activity {
    pub(crate) fn starting_now() -> Self {
        Self {
            started: Instant::now(),
            last_output: AtomicU64::new(0),
            stdout: Arc::default(),
            stderr: Arc::default(),
        }
    }

    /// Bytes written to standard output so far.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.stdout.bytes.load(Ordering::Relaxed)
    }

    /// Bytes written to standard error so far.
    #[must_use]
    pub fn bytes_err(&self) -> u64 {
        self.stderr.bytes.load(Ordering::Relaxed)
    }

    /// When the run was started.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// When the run last wrote something; its start when it has not yet. Millisecond precision.
    #[must_use]
    pub fn last_output(&self) -> Instant {
        self.started + Duration::from_millis(self.last_output.load(Ordering::Relaxed))
    }

    /// How long the run has been silent.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        self.last_output().elapsed()
    }

    /// Waits until the run has been silent for `limit`. Sleeps from one possible moment to the
    /// next: a busy run costs one wake-up per `limit`. Does not watch for the exit.
    pub async fn silence(&self, limit: Duration) {
        while self.silent_for() < limit {
            sleep_until(instant_after(self.last_output(), limit)).await;
        }
    }

    fn note(&self, stream: &Tally, read: usize) {
        stream.bytes.fetch_add(read as u64, Ordering::Relaxed);
        self.last_output
            .fetch_max(millis(self.started.elapsed()), Ordering::Relaxed);
    }
}

/// `start` and `length` later, or so far away that it does not matter.
pub(crate) fn instant_after(start: Instant, length: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    start.checked_add(length).unwrap_or_else(|| start + FAR)
}

/// What is counted of one stream. Shared with whoever asks, so that a report can be made even
/// while a write hangs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes: AtomicU64,
    dropped: AtomicU64,
    error: OnceLock<String>,
}

impl Tally {
    pub(crate) fn drop_bytes(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Notes why something was not kept; the first reason stays.
    pub(crate) fn fail(&self, path: &Path, error: &io::Error) {
        if self.error.set(format!("`{}`: {error}", path.display())).is_ok() {
            tracing::warn!(path = %path.display(), %error, "output of a run is being dropped");
        }
    }

    #[cfg(test)]
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.get().map(String::as_str)
    }

    pub(crate) fn report(&self, cut: bool) -> StreamReport {
        StreamReport {
            bytes: self.bytes.load(Ordering::Relaxed),
            dropped: self.dropped(),
            write_error: self.error.get().cloned(),
            cut,
        }
    }
}

/// Reads `pipe` to its end into `log`. A log that fails does not stop the reading: a run must
/// not hang on a full pipe because a disk is full.
///
/// Memory is one buffer. While a write is under way nothing is read, so a run that writes
/// faster than the disk waits for the disk.
pub(crate) async fn pump(
    mut pipe: pipe::Receiver,
    mut log: Log,
    stream: Arc<Tally>,
    activity: Arc<Activity>,
) {
    let mut buffer = vec![0; READ];
    loop {
        let read = match pipe.read(&mut buffer).await {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "the output of a run cannot be read any more");
                return;
            }
        };
        activity.note(&stream, read);
        let written = tokio::task::spawn_blocking(move || {
            log.append(buffer.get(..read).unwrap_or_default());
            (log, buffer)
        });
        // Fails only when the runtime is shutting down.
        let Ok(back) = written.await else { return };
        (log, buffer) = back;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_output() {
        let activity = Activity::starting_now();
        let limit = Duration::from_secs(300);
        tokio::time::advance(Duration::from_secs(200)).await;
        activity.note(&activity.stdout, 5);
        let begun = Instant::now();
        activity.silence(limit).await;
        assert!(activity.silent_for() >= limit);
        assert!(begun.elapsed() >= limit);
        assert_eq!(activity.bytes_out(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_beyond_time_does_not_panic() {
        let activity = Activity::starting_now();
        let waiting = activity.silence(Duration::MAX);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), waiting)
                .await
                .is_err()
        );
    }
}
