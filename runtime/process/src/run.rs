//! Start a run, wait for it, stop it.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::unix::pipe,
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use worknode_core::time::millis;

use worknode_core::run::{ProcessIdentity, SpawnPermit};

use crate::{
    error::SpawnError,
    identity::Look,
    keeper::{Keeper, Leader, Life, STOP_QUEUE, StopRequest},
    log::Log,
    output::{Activity, Tally, instant_after, pump},
    procfs::Stat,
    report::{Exit, ExitStatus, OutputReport, StopReport},
    spec::SpawnSpec,
    watch::{Held, open_pidfd},
};

/// A run. Dropping it neither stops the run nor ends its supervision.
#[derive(Debug)]
pub struct Process {
    identity: ProcessIdentity,
    activity: Arc<Activity>,
    stopper: Stopper,
}

/// Stops a run; usable while another task waits for it.
#[derive(Clone, Debug)]
pub struct Stopper {
    requests: mpsc::Sender<StopRequest>,
    life: watch::Receiver<Life>,
}

/// Starts the process of a run: leader of its own process group, with a closed standard input
/// and output into files. Consumes the permit: without a decision that was stored, no run
/// starts, and none starts twice.
///
/// A start that is abandoned (the future is dropped) leaves no process behind.
///
/// # Errors
///
/// [`SpawnError`] says what is wrong and with which file.
pub async fn spawn(permit: SpawnPermit, spec: SpawnSpec) -> Result<Process, SpawnError> {
    tracing::debug!(run = %permit.run(), program = %spec.program.display(), "spawn");
    begin(spec).await
}

/// The same for any command of the runtime's own.
pub(crate) async fn begin(spec: SpawnSpec) -> Result<Process, SpawnError> {
    let program = spec.program.clone();
    // Looking at files and waiting for the exec can take as long as the file system likes.
    let started = tokio::task::spawn_blocking(move || Started::begin(&spec))
        .await
        .map_err(|error| SpawnError::Other {
            program: program.clone(),
            reason: io::Error::other(error),
        })??;
    started
        .supervise()
        .map_err(|error| SpawnError::from_watch(&program, error))
}

/// A child with its pipes and files, before a keeper has it.
struct Started {
    leader: Leader,
    stat: Stat,
    identity: ProcessIdentity,
    pidfd: OwnedFd,
    pipes: [OwnedFd; 2],
    logs: [Log; 2],
    activity: Activity,
}

impl Started {
    fn begin(spec: &SpawnSpec) -> Result<Self, SpawnError> {
        spec.check_cwd()?;
        let program = spec.executable()?;
        if spec.stdout == spec.stderr {
            return Err(SpawnError::SameOutput {
                path: spec.stdout.clone(),
            });
        }
        let activity = Activity::starting_now();
        let stdout = open_log(&spec.stdout, spec.output_limit, &activity.stdout)?;
        let stderr = open_log(&spec.stderr, spec.output_limit, &activity.stderr)?;
        let child = command(spec, &program)
            .spawn()
            .map_err(|error| SpawnError::from_start(&program, error))?;
        Leader::new(child)
            .and_then(|leader| Self::identify(leader, [stdout, stderr], activity))
            .map_err(|error| SpawnError::from_watch(&program, error))
    }

    /// The child is not reaped, so its number means it even if it has exited by now.
    fn identify(mut leader: Leader, logs: [Log; 2], activity: Activity) -> io::Result<Self> {
        let pid = leader.child().id();
        let missing = || io::Error::other("it has no output pipe");
        let stdout = leader.child().stdout.take().ok_or_else(missing)?;
        let stderr = leader.child().stderr.take().ok_or_else(missing)?;
        let pidfd = open_pidfd(pid)?;
        let stat = Stat::read(pid)?;
        Ok(Self {
            leader,
            identity: ProcessIdentity::from_stat(&stat)?,
            stat,
            pidfd,
            pipes: [stdout.into(), stderr.into()],
            logs,
            activity,
        })
    }

    fn supervise(self) -> io::Result<Process> {
        let held = Held::new(&self.stat, self.pidfd)?;
        let activity = Arc::new(self.activity);
        let [stdout, stderr] = self.pipes;
        let out = pipe::Receiver::from_owned_fd(stdout)?;
        let err = pipe::Receiver::from_owned_fd(stderr)?;
        let [out_log, err_log] = self.logs;
        let pumps = [
            tokio::spawn(pump(
                out,
                out_log,
                Arc::clone(&activity.stdout),
                Arc::clone(&activity),
            )),
            tokio::spawn(pump(
                err,
                err_log,
                Arc::clone(&activity.stderr),
                Arc::clone(&activity),
            )),
        ];
        let (requests, queue) = mpsc::channel(STOP_QUEUE);
        let (life, watched) = watch::channel(Life::default());
        let keeper = Keeper {
            leader: self.leader,
            held,
            requests: queue,
            pumps,
            activity: Arc::clone(&activity),
            life,
        };
        tokio::spawn(keeper.keep());
        Ok(Process {
            identity: self.identity,
            activity,
            stopper: Stopper {
                requests,
                life: watched,
            },
        })
    }
}

fn open_log(path: &Path, limit: u64, tally: &Arc<Tally>) -> Result<Log, SpawnError> {
    Log::create(path, limit, Arc::clone(tally)).map_err(|error| SpawnError::from_output(path, error))
}

/// Nothing here may force a fork (`pre_exec`, `uid`, a program to be searched): that costs tens
/// of milliseconds in a large process, where posix_spawn costs a fraction of one.
fn command(spec: &SpawnSpec, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(&spec.args)
        .env_clear()
        .envs(&spec.env)
        .current_dir(&spec.cwd)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Process {
    /// Which process leads the run.
    #[must_use]
    pub const fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// How much it writes, and when it last did.
    #[must_use]
    pub fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    /// A handle that stops it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits for the end of the run: its leader has exited, the rest of its group was killed,
    /// its output is in the files. Can be called again and gives the same answer.
    pub async fn wait(&mut self) -> Exit {
        let ended = self.stopper.life.wait_for(|life| life.exit.is_some()).await;
        let exit = ended.ok().and_then(|life| life.exit.clone());
        exit.unwrap_or_else(|| self.unknown_end())
    }

    /// For when nobody watches it any more: the runtime is shutting down, or the kernel does
    /// not let it die.
    pub(crate) fn unknown_end(&self) -> Exit {
        Exit {
            status: ExitStatus::Unknown,
            leftovers: 0,
            survivors: 0,
            ran_ms: millis(self.activity.started().elapsed()),
            output: OutputReport {
                stdout: self.activity.stdout.report(true),
                stderr: self.activity.stderr.report(true),
            },
        }
    }
}

impl Stopper {
    /// Stops the run: TERM to its group, and KILL after `grace` to what is left of it. Zero
    /// grace is KILL at once.
    ///
    /// Answers when nothing of the group is left and its leader is reaped, at the latest some
    /// seconds after KILL. Stopping what has ended succeeds; stops at the same time join, and
    /// the shortest grace counts. A stop goes on when its caller goes away.
    pub async fn stop(&self, grace: Duration) -> StopReport {
        let (request, answer) = request(grace);
        if self.requests.send(request).await.is_err() {
            return self.after_the_end();
        }
        match answer.await {
            Ok(report) => report,
            Err(_) => self.after_the_end(),
        }
    }

    /// Begins to kill the run and does not wait. A full queue means that stops are under way.
    pub(crate) fn kill_in_background(&self) {
        let _ = self.requests.try_send(request(Duration::ZERO).0);
    }

    fn after_the_end(&self) -> StopReport {
        let after = self.life.borrow().after.clone();
        after.unwrap_or_else(|| StopReport::in_doubt("nobody watches this run any more"))
    }
}

fn request(grace: Duration) -> (StopRequest, oneshot::Receiver<StopReport>) {
    let (reply, answer) = oneshot::channel();
    let request = StopRequest {
        deadline: instant_after(Instant::now(), grace),
        gently: !grace.is_zero(),
        reply,
    };
    (request, answer)
}
