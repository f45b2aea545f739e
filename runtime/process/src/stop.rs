//! Bringing a group down: ask, wait, kill, look again, report.

use std::{future::Future, io, time::Duration};

use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout};
use worknode_core::time::millis;

use crate::{
    group::Group,
    report::{Means, StopReport, StopStep},
};

/// Wait before a group is looked at again that could not be seen.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long killed processes may take to disappear. More is a process that hangs in the kernel,
/// which is reported and not waited for.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);

/// Stops `group`: TERM, then KILL when `grace_over` is ready and something is left. Without
/// `gently` it is killed at once.
///
/// TERM is followed by CONT: a stopped process acts on TERM only when it continues.
pub(crate) async fn bring_down(
    group: &mut Group,
    gently: bool,
    grace_over: impl Future<Output = ()>,
) -> StopReport {
    let mut steps = Steps::begin();
    match group.look().await {
        Ok(0) => return steps.report,
        // Not to be seen is not to be gone: go on.
        Ok(_) | Err(_) => steps.report.was_running = true,
    }
    if gently && group.signal(Signal::TERM).is_ok() {
        steps.report.term_sent = true;
        steps.step("term");
        if let Err(error) = group.signal(Signal::CONT) {
            tracing::debug!(%error, "a group could not be continued after TERM");
        }
        tokio::select! {
            biased;
            () = emptied_or_unseen(group) => {}
            () = grace_over => {}
        }
    }
    kill(group, &mut steps).await;
    steps.report
}

/// `start` and `length` later, or so far away that it does not matter.
pub(crate) fn instant_after(start: Instant, length: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    start.checked_add(length).unwrap_or_else(|| start + FAR)
}

/// Ready when the group is empty. What cannot be seen now, because a process vanishes while it
/// is read, is looked at again: one such moment must not cost the whole grace.
async fn emptied_or_unseen(group: &mut Group) {
    while let Err(error) = group.emptied().await {
        tracing::debug!(%error, "the members of a group cannot be watched at the moment");
        sleep(LOOK_AGAIN).await;
    }
}

async fn kill(group: &mut Group, steps: &mut Steps) {
    match timeout(SETTLE, kill_until_empty(group, steps)).await {
        Ok(Ok(())) => return conclude(group, Ok(0), steps),
        Ok(Err(error)) => kill_blindly(group, &error, steps).await,
        Err(_) => {}
    }
    let left = group.look().await;
    conclude(group, left, steps);
}

/// Members cannot be seen, perhaps for want of file descriptors. A group that is certainly
/// ours is killed all the same; whether it is gone is looked at afterwards.
async fn kill_blindly(group: &mut Group, why: &io::Error, steps: &mut Steps) {
    tracing::warn!(%why, "the members of a group cannot be watched while they are stopped");
    match group.signal(Signal::KILL) {
        Ok(()) => steps.killed(),
        Err(error) => steps.report.doubt(format!("not signalled: {error}")),
    }
    let _ = timeout(SETTLE, group.emptied()).await;
}

fn conclude(group: &Group, left: io::Result<usize>, steps: &mut Steps) {
    match left {
        Ok(survivors) => steps.report.survivors = survivors,
        Err(error) => steps
            .report
            .doubt(format!("what is left cannot be seen: {error}")),
    }
    steps.report.ended = group.seen().saturating_sub(steps.report.survivors);
    if steps.report.gone() {
        steps.step("gone");
    }
}

/// Kills until no member is left. One signal reaches all members of that moment, and the
/// kernel lets no fork slip past it; the repetition is for processes that join the group.
async fn kill_until_empty(group: &mut Group, steps: &mut Steps) -> io::Result<()> {
    loop {
        if group.look().await? == 0 {
            return Ok(());
        }
        group.signal(Signal::KILL)?;
        steps.killed();
        group.these_exited().await?;
    }
}

/// A report in the making.
struct Steps {
    begun: Instant,
    report: StopReport,
}

impl Steps {
    fn begin() -> Self {
        Self {
            begun: Instant::now(),
            report: StopReport::default(),
        }
    }

    fn step(&mut self, step: &str) {
        self.report.steps.push(StopStep {
            step: step.to_owned(),
            after_ms: millis(self.begun.elapsed()),
        });
    }

    /// KILL may be repeated; the first one is the step.
    fn killed(&mut self) {
        if !self.report.kill_sent {
            self.report.kill_sent = true;
            self.report.used(Means::Group);
            self.step("kill");
        }
    }
}
