//! Start a run under a shim of its own.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::oneshot,
    time::{Duration, timeout},
};
use worknode_core::{ids::RunId, run::SpawnPermit};

use crate::{
    error::SpawnError,
    handle::Shim,
    link::Place,
    lost,
    marked::SHIM_MARK,
    record,
    secret::Secret,
    spec::{SpawnSpec, absolute},
    wire::{Answer, Limits, Order, START_TIME, Snapshot, line},
};

/// Longest answer of a shim to its order.
const ANSWER_MAX: u64 = 1024 * 1024;
/// How long a shim may take to answer: it gives up on the agent before.
const ANSWER_TIME: Duration = START_TIME.saturating_add(Duration::from_secs(5));

/// How long a shim may take to end that does not listen any more.
const ENDING_TIME: Duration = Duration::from_secs(5);

/// What is to run, and how it is kept.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The `worknode` program: it is also the shim.
    pub shim: PathBuf,
    /// The run's directory, which exists. The shim keeps its records and its socket there, so
    /// the agent must not be able to write in it. One directory serves one start.
    pub dir: PathBuf,
    /// The run. No two that live at the same time may have the same id: it is the mark by which
    /// their processes are found.
    pub run: RunId,
    /// What proves to the shim that its daemon is speaking.
    pub secret: Secret,
    /// What to start.
    pub command: SpawnSpec,
    /// Within which limits.
    pub limits: Limits,
    /// Directories in which a change of a file counts as activity.
    pub watch: Vec<PathBuf>,
}

/// Starts the process of a run under a shim. Consumes the permit: without a decision that was
/// stored, no run starts, and none starts twice.
///
/// Answers once the agent's own program has been executed. A start that is abandoned (the future
/// is dropped) leaves no process behind.
///
/// # Errors
///
/// [`SpawnError`] says what is wrong and with which file.
pub async fn spawn(permit: SpawnPermit, request: RunRequest) -> Result<Shim, SpawnError> {
    if permit.run() != request.run {
        return Err(SpawnError::Other {
            reason: io::Error::other(format!("the permit is for run {}", permit.run())),
            program: request.command.program,
        });
    }
    tracing::debug!(run = %request.run, program = %request.command.program.display(), "spawn");
    begin(request).await
}

/// The same for any command of the runtime's own.
pub(crate) async fn begin(request: RunRequest) -> Result<Shim, SpawnError> {
    let program = request.command.program.clone();
    let (give, take) = oneshot::channel();
    // A task of its own: when nobody waits any more, what it started is ended again.
    tokio::spawn(async move {
        if let Err(Ok(abandoned)) = give.send(start(request).await) {
            abandoned.stopper().stop(Duration::ZERO).await;
        }
    });
    take.await.unwrap_or_else(|_| {
        Err(SpawnError::Other {
            program,
            reason: io::Error::other("the runtime is shutting down"),
        })
    })
}

async fn start(request: RunRequest) -> Result<Shim, SpawnError> {
    let asked_for = request.command.program.clone();
    // Looking at files and starting a process can take as long as the file system likes.
    let launched = tokio::task::spawn_blocking(move || launch(request)).await;
    let launch = launched.map_err(|error| SpawnError::Other {
        program: asked_for,
        reason: io::Error::other(error),
    })??;
    let Launch {
        mut child,
        order,
        program,
        shim,
        place,
    } = launch;
    let answer = timeout(ANSWER_TIME, converse(&mut child, &order)).await;
    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let started = match answer {
        Ok(Answer::Started(snapshot)) => Ok(attend(&place, snapshot, &mut child).await),
        Ok(Answer::Failed(failure)) => Err(SpawnError::from_failure(failure, &program, &shim, &place.dir)),
        Err(error) => {
            let _ = child.start_kill();
            let _ = child.wait().await;
            lost::undo(&place.dir, place.run).await;
            Err(SpawnError::from_shim(&program, &shim, "did not answer", error))
        }
    };
    // Waits for the shim, so that it does not stay a zombie.
    tokio::spawn(async move { child.wait().await });
    started
}

/// Connects to a shim that has started its run. A run may be over before that; and a shim that
/// lives and cannot be reached is of no use to anybody.
async fn attend(place: &Place, snapshot: Snapshot, child: &mut Child) -> Shim {
    let refused = match Shim::connect(place.clone(), Some(&snapshot.shim)).await {
        Ok(shim) => return shim,
        Err(error) => error,
    };
    if timeout(ENDING_TIME, child.wait()).await.is_err() {
        tracing::error!(error = %refused, run = %place.run, "a shim cannot be reached and is killed with its run");
        let _ = child.start_kill();
    }
    let exit = match record::read_exit(&place.dir, place.run) {
        Ok(Some(exit)) => exit,
        Ok(None) | Err(_) => lost::end(&place.dir, place.run).await,
    };
    Shim::ended(snapshot, exit)
}

/// A shim that waits for its order.
struct Launch {
    child: Child,
    order: Vec<u8>,
    program: PathBuf,
    shim: PathBuf,
    place: Place,
}

fn launch(request: RunRequest) -> Result<Launch, SpawnError> {
    let mut command = request.command;
    command.check()?;
    let program = command.executable()?;
    command.cwd = absolute(command.cwd);
    command.stdout = absolute(command.stdout);
    command.stderr = absolute(command.stderr);
    let order = line(&Order {
        run: request.run,
        secret: request.secret.clone(),
        program: program.clone(),
        command,
        limits: request.limits,
        watch: request.watch.into_iter().map(absolute).collect(),
    })
    .map_err(|reason| SpawnError::Other {
        program: program.clone(),
        reason,
    })?;
    let child = process(&request.shim, &request.dir, request.run)
        .spawn()
        .map_err(|error| SpawnError::from_shim(&program, &request.shim, "cannot be started", error))?;
    Ok(Launch {
        child,
        order,
        program,
        shim: request.shim,
        place: Place {
            dir: absolute(request.dir),
            run: request.run,
            secret: request.secret,
        },
    })
}

/// Nothing here may force a fork (`pre_exec`, `uid`): that costs tens of milliseconds in a large
/// process, where posix_spawn costs a fraction of one. The order is neither among the arguments
/// nor in the environment, which others can read.
fn process(shim: &Path, dir: &Path, run: RunId) -> Command {
    let mut command = Command::new(absolute(shim.to_path_buf()));
    command
        .args(["shim", "--run"])
        .arg(run.to_string())
        .env_clear()
        .env(SHIM_MARK, run.to_string())
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    #[cfg(feature = "faults")]
    crate::fault::pass_on(&mut command);
    command
}

/// Gives the order and reads the answer.
async fn converse(child: &mut Child, order: &[u8]) -> io::Result<Answer> {
    let missing = || io::Error::other("it has no pipes");
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    // A shim that did not read it all has ended, and the answer says why or is missing.
    let _ = stdin.write_all(order).await;
    drop(stdin);
    let mut said = Vec::new();
    BufReader::new(stdout.take(ANSWER_MAX))
        .read_until(b'\n', &mut said)
        .await?;
    if said.is_empty() {
        return Err(io::Error::other("it ended"));
    }
    Ok(serde_json::from_slice(&said)?)
}
