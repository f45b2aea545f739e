//! Handles of a run that lives: wait for it, stop it, hold it still, speak to it.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::timeout,
};
use worknode_core::{run::ProcessIdentity, time::Timestamp};

use crate::{
    identity::Look,
    link::{Call, Life, Link, Place},
    report::{Exit, Reached, StopReport},
    resources::Resources,
    sandbox::Enforced,
    stop::SETTLE,
    tree::signal,
    wire::{Ask, Notice, Reply, Snapshot},
};

/// How long a shim may take for something that takes it a moment.
const CALL_TIME: Duration = Duration::from_secs(10);
/// How long a run may take to be over once its shim has been killed.
const LOST_TIME: Duration = Duration::from_secs(30);

/// A run that lives under its shim. Dropping it neither stops the run nor ends its supervision.
#[derive(Clone, Debug)]
pub struct Shim {
    snapshot: Arc<Snapshot>,
    stopper: Stopper,
    notices: Arc<broadcast::Receiver<Notice>>,
}

/// Stops a run; usable while another task waits for it.
#[derive(Clone, Debug)]
pub struct Stopper {
    shim: ProcessIdentity,
    calls: mpsc::Sender<Call>,
    life: watch::Receiver<Life>,
}

/// What a shim says unasked, as it comes.
#[derive(Debug)]
pub struct Notices(broadcast::Receiver<Notice>);

/// Why a shim did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The run is over, or another daemon has taken it over.
    #[error(
        "the run's shim is not to be reached any more: the run is over, or another daemon has taken over"
    )]
    Gone,
    /// No answer came.
    #[error("the run's shim did not answer within {CALL_TIME:?}")]
    Silent,
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

impl Shim {
    /// Connects to the shim in this place. `expected` is the process that must be listening.
    pub(crate) async fn connect(place: Place, expected: Option<&ProcessIdentity>) -> io::Result<Self> {
        let (link, snapshot) = Link::connect(place, expected).await?;
        let (calls, life, notices) = link.keep();
        Ok(Self {
            stopper: Stopper {
                shim: snapshot.shim.clone(),
                calls,
                life,
            },
            snapshot: Arc::new(snapshot),
            notices: Arc::new(notices),
        })
    }

    /// The handle of a run that was over before anybody could connect.
    pub(crate) fn ended(snapshot: Snapshot, exit: Exit) -> Self {
        let [stdout, stderr] = [&exit.output.stdout, &exit.output.stderr].map(|stream| stream.bytes);
        let life = Life {
            output: (stdout, stderr),
            frozen: false,
            reached: exit.reached,
            exit: Some(exit),
        };
        Self {
            stopper: Stopper {
                shim: snapshot.shim.clone(),
                calls: mpsc::channel(1).0,
                life: watch::Sender::new(life).subscribe(),
            },
            snapshot: Arc::new(snapshot),
            notices: Arc::new(broadcast::channel(1).1),
        }
    }

    /// The agent's own process: the first of the run.
    #[must_use]
    pub fn identity(&self) -> &ProcessIdentity {
        &self.snapshot.leader
    }

    /// The process above it.
    #[must_use]
    pub fn shim(&self) -> &ProcessIdentity {
        &self.snapshot.shim
    }

    /// When the agent was started.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.snapshot.started_at
    }

    /// What of the sandbox is in force; `None` when none was asked for.
    #[must_use]
    pub fn enforced(&self) -> Option<&Enforced> {
        self.snapshot.enforced.as_ref()
    }

    /// A handle that stops it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What the shim says from now on.
    #[must_use]
    pub fn notices(&self) -> Notices {
        Notices(self.notices.resubscribe())
    }

    /// Bytes written to standard output and to standard error, as of the last notice.
    #[must_use]
    pub fn output(&self) -> (u64, u64) {
        self.stopper.life.borrow().output
    }

    /// The limit at which the shim is stopping the run, if it is.
    #[must_use]
    pub fn reached(&self) -> Option<Reached> {
        self.stopper.life.borrow().reached
    }

    /// Whether the run is held still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.stopper.life.borrow().frozen
    }

    /// Waits for the end of the run: nothing of it is left, its output is in the files. Can be
    /// called again and gives the same answer.
    pub async fn wait(&self) -> Exit {
        self.stopper.ended().await
    }

    /// Holds every process of the run still until [`Self::thaw`] or a stop.
    ///
    /// # Errors
    /// When it cannot be done, or the shim cannot be asked.
    pub async fn freeze(&self) -> Result<(), CallError> {
        self.done(Ask::Freeze).await
    }

    /// Lets the run go on.
    ///
    /// # Errors
    /// When it cannot be done, or the shim cannot be asked.
    pub async fn thaw(&self) -> Result<(), CallError> {
        self.done(Ask::Thaw).await
    }

    /// What the run uses, measured now.
    ///
    /// # Errors
    /// When the shim cannot be asked.
    pub async fn resources(&self) -> Result<Resources, CallError> {
        match self.call(Ask::Resources).await? {
            Reply::Resources(resources) => Ok(resources),
            other => Err(unexpected(other)),
        }
    }

    /// The daemon has heard of this run: it is not silent.
    ///
    /// # Errors
    /// When the shim cannot be told.
    pub async fn touch(&self) -> Result<(), CallError> {
        self.done(Ask::Touch).await
    }

    /// Writes to the standard input of a run that was started with
    /// [`Input::Held`](crate::Input::Held). Answers when the shim has it. What has the `key` of
    /// something that the shim got earlier is not written again, whoever sent it.
    ///
    /// # Errors
    /// When the input is closed, too much waits to be read, or the shim cannot be told.
    pub async fn input(&self, key: &str, bytes: Vec<u8>) -> Result<(), CallError> {
        self.done(Ask::Input {
            key: key.to_owned(),
            bytes,
        })
        .await
    }

    /// Ends the standard input after what was written.
    ///
    /// # Errors
    /// When the shim cannot be told.
    pub async fn close_input(&self) -> Result<(), CallError> {
        self.done(Ask::CloseInput).await
    }

    async fn done(&self, ask: Ask) -> Result<(), CallError> {
        match self.call(ask).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn call(&self, ask: Ask) -> Result<Reply, CallError> {
        match timeout(CALL_TIME, self.stopper.call(ask)).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(CallError::Gone),
            Err(_) => Err(CallError::Silent),
        }
    }
}

fn unexpected(reply: Reply) -> CallError {
    match reply {
        Reply::Refused(why) => CallError::Refused(why),
        other => CallError::Refused(format!("the run's shim answered something else: {other:?}")),
    }
}

impl Stopper {
    /// Stops the run: TERM to all its processes, and KILL after `grace` to what is left. Zero
    /// grace is KILL at once.
    ///
    /// Answers when nothing of the run is left, at the latest some seconds after KILL. Stopping
    /// what has ended succeeds; stops at the same time join, and the shortest grace counts. A
    /// stop goes on when its caller goes away. A shim that does not answer is killed, and the
    /// run with it.
    pub async fn stop(&self, grace: Duration) -> StopReport {
        if let Some(exit) = &self.life.borrow().exit {
            return after_the_end(exit);
        }
        let bound = grace.saturating_add(SETTLE * 3);
        match timeout(bound, self.call(Ask::Stop { grace })).await {
            Ok(Some(Reply::Stopped(report))) => return report,
            Ok(_) => {
                // The shim answers every stop that it hears of before it tells the end.
                if let Some(exit) = &self.life.borrow().exit {
                    return after_the_end(exit);
                }
            }
            Err(_) => self.kill_shim(),
        }
        match timeout(LOST_TIME, self.ended()).await {
            Ok(exit) => exit.stop.clone().unwrap_or_else(|| after_the_end(&exit)),
            Err(_) => StopReport::in_doubt("another daemon has taken the run over, or its shim hangs"),
        }
    }

    /// Begins to kill the run and does not wait. A full queue means that stops are under way.
    pub(crate) fn kill_in_background(&self) {
        let (reply, _) = oneshot::channel();
        let ask = Ask::Stop {
            grace: Duration::ZERO,
        };
        let _ = self.calls.try_send(Call { ask, reply });
    }

    async fn call(&self, ask: Ask) -> Option<Reply> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { ask, reply }).await.ok()?;
        answer.await.ok()
    }

    /// The link sees the end of the shim and ends what it leaves.
    fn kill_shim(&self) {
        tracing::error!(
            shim = self.shim.pid,
            "a shim does not answer and is killed with its run"
        );
        if let Ok(Some(stat)) = self.shim.look() {
            signal(&stat, rustix::process::Signal::KILL);
        }
    }

    async fn ended(&self) -> Exit {
        let mut life = self.life.clone();
        let ended = life.wait_for(|life| life.exit.is_some()).await;
        let exit = ended.ok().and_then(|life| life.exit.clone());
        exit.unwrap_or_else(|| Exit::unseen(StopReport::in_doubt("the runtime is shutting down")))
    }
}

fn after_the_end(exit: &Exit) -> StopReport {
    StopReport {
        survivors: exit.survivors,
        ..StopReport::nothing_to_stop()
    }
}

impl Notices {
    /// The next one; `None` when the run is over. When too many came at once, the oldest are
    /// left out.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            match self.0.recv().await {
                Ok(notice) => return Some(notice),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
