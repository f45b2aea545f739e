//! The task that owns a child from its start to its report.

use std::{io, process::Child, sync::Arc};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpid};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Duration, Instant, timeout_at},
};
use worknode_core::time::millis;

use crate::{
    group::{Group, GroupId},
    identity::raw_pid,
    output::Activity,
    report::{Exit, ExitStatus, OutputReport, StopReport},
    stop::{bring_down, destroy},
    watch::Held,
};

/// How long the output may go on after the group is gone. The pipe holds little, so this is
/// enough to empty it; whoever still holds it open then has left the run.
const DRAIN: Duration = Duration::from_millis(500);

/// Stops that wait for the keeper's attention. More wait before they are queued.
pub(crate) const STOP_QUEUE: usize = 16;

/// A wish to stop the run.
#[derive(Debug)]
pub(crate) struct StopRequest {
    /// When KILL follows.
    pub(crate) deadline: Instant,
    /// Ask first.
    pub(crate) gently: bool,
    pub(crate) reply: oneshot::Sender<StopReport>,
}

/// What the keeper tells everybody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// What a stop answers once the leader is reaped.
    pub(crate) after: Option<StopReport>,
    /// The end, complete with its output.
    pub(crate) exit: Option<Exit>,
}

/// The child itself. Dropped before it is reaped, it is killed with its group: this happens
/// when a start is abandoned half-way or the runtime goes away, and then nobody would watch it,
/// read its output or stop it.
#[derive(Debug)]
pub(crate) struct Leader {
    child: Child,
    group: GroupId,
    reaped: bool,
}

impl Leader {
    /// Takes over a child that leads its own group.
    pub(crate) fn new(mut child: Child) -> io::Result<Self> {
        match GroupId::new(child.id()) {
            Some(group) => Ok(Self {
                child,
                group,
                reaped: false,
            }),
            None => {
                let _ = child.kill();
                Err(io::Error::other("its group cannot be signalled safely"))
            }
        }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) const fn group(&self) -> GroupId {
        self.group
    }

    /// Whether it has exited. Does not reap it.
    fn has_exited(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        raw_pid(self.child.id()).is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), look), Ok(None)))
    }

    /// Reaps it. From here on its number may mean something else.
    fn reap(&mut self) -> ExitStatus {
        match self.child.try_wait() {
            Ok(Some(status)) => {
                self.reaped = true;
                ExitStatus::from_std(status)
            }
            Ok(None) => ExitStatus::Unknown,
            Err(error) => {
                self.reaped = true;
                tracing::warn!(%error, "how a run ended cannot be told");
                ExitStatus::Unknown
            }
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.reaped || matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        // It runs and is not reaped: its number is its own.
        let _ = kill_process_group(self.group.pid(), Signal::KILL);
        if let Ok(None) = self.child.try_wait() {
            reap_elsewhere(self.group.pid());
        }
    }
}

/// Reaps a killed child without making anybody wait for it. Without a thread it stays a zombie
/// until this process ends, which harms nothing but the table of processes.
fn reap_elsewhere(child: Pid) {
    let reaper = move || {
        let _ = waitpid(Some(child), WaitOptions::empty());
    };
    if let Err(error) = std::thread::Builder::new().spawn(reaper) {
        tracing::warn!(%error, "an abandoned run was killed and cannot be reaped");
    }
}

/// Owner of a run.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) leader: Leader,
    pub(crate) held: Held,
    pub(crate) requests: mpsc::Receiver<StopRequest>,
    pub(crate) pumps: [JoinHandle<()>; 2],
    pub(crate) activity: Arc<Activity>,
    pub(crate) life: watch::Sender<Life>,
}

impl Keeper {
    /// Watches the run to its end. The order matters: first the rest of the group goes, then
    /// the leader is reaped, then stops are answered, then the output is drained and reported.
    pub(crate) async fn keep(mut self) {
        let mut group = Group::of_child(self.leader.group());
        let (after, replies) = match self.until_exit(&mut group).await {
            Some((report, replies)) => (report, replies),
            None => (destroy(&mut group).await, Vec::new()),
        };
        let status = self.leader.reap();
        let ran_ms = millis(self.activity.started().elapsed());
        self.answer_everybody(after.clone(), replies).await;
        let output = self.drain().await;
        let exit = Exit {
            status,
            leftovers: group.leftovers(),
            survivors: after.survivors,
            ran_ms,
            output,
        };
        tracing::debug!(pid = self.held.pid, %status, leftovers = exit.leftovers, "a run has ended");
        self.life.send_modify(|life| life.exit = Some(exit));
    }

    /// Waits for the leader's exit and obeys stops meanwhile. When a stop brought it about, that
    /// stop's report and whoever waits for it.
    async fn until_exit(&mut self, group: &mut Group) -> Option<(StopReport, Replies)> {
        loop {
            tokio::select! {
                biased;
                exited = self.held.exited() => {
                    if let Err(error) = exited {
                        tracing::error!(%error, pid = self.held.pid, "a run cannot be watched any more");
                    }
                    return None;
                }
                Some(request) = self.requests.recv() => {
                    let (report, replies) = stop(group, &mut self.requests, request).await;
                    if self.leader.has_exited() {
                        return Some((report, replies));
                    }
                    answer(replies, &report);
                }
            }
        }
    }

    /// Answers the stops that brought the end about, and those that came too late to.
    async fn answer_everybody(&mut self, done: StopReport, replies: Replies) {
        let late = StopReport {
            survivors: done.survivors,
            doubt: done.doubt.clone(),
            ..StopReport::nothing_to_stop()
        };
        self.life.send_modify(|life| life.after = Some(late.clone()));
        answer(replies, &done);
        self.requests.close();
        while let Some(request) = self.requests.recv().await {
            answer(vec![request.reply], &late);
        }
    }

    async fn drain(&mut self) -> OutputReport {
        let until = Instant::now() + DRAIN;
        let [stdout, stderr] = &mut self.pumps;
        let (stdout, stderr) = tokio::join!(cut(stdout, until), cut(stderr, until));
        OutputReport {
            stdout: self.activity.stdout.report(stdout),
            stderr: self.activity.stderr.report(stderr),
        }
    }
}

type Replies = Vec<oneshot::Sender<StopReport>>;

/// Stops the group. Requests that come meanwhile join: the earliest deadline counts, and all get
/// the same report.
async fn stop(
    group: &mut Group,
    requests: &mut mpsc::Receiver<StopRequest>,
    first: StopRequest,
) -> (StopReport, Replies) {
    let mut replies = vec![first.reply];
    let mut deadline = first.deadline;
    let grace_over = async {
        while let Ok(request) = timeout_at(deadline, requests.recv()).await {
            match request {
                Some(request) => {
                    deadline = deadline.min(request.deadline);
                    replies.push(request.reply);
                }
                None => return tokio::time::sleep_until(deadline).await,
            }
        }
    };
    let report = bring_down(group, first.gently, grace_over).await;
    (report, replies)
}

fn answer(replies: Replies, report: &StopReport) {
    for reply in replies {
        // Whoever asked may have gone away; the stop was made all the same.
        let _ = reply.send(report.clone());
    }
}

/// Waits for a pump until then; true when it had to be cut off.
async fn cut(pump: &mut JoinHandle<()>, until: Instant) -> bool {
    let late = timeout_at(until, &mut *pump).await.is_err();
    pump.abort();
    late
}
