//! A program is run, in the box that drivers' commands get: with its own process tree, a clean
//! environment, bounded in time and output, and no way to the runtime's own files. It can read the
//! repository, and write only into a directory of its own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use worknode_core::{bounds, error::Error, ids::RunId};
use worknode_process::{
    DEFAULT_ENV, ExitStatus, Input, Limits, RunRequest, SpawnSpec, clean_env, run_to_end, sandbox::Sandbox,
};
use worknode_triggers::spec::RunSpec;

use super::text::filled;
use crate::{
    keeper::{MARK, shim_secret},
    outside::{failed, tail},
    scheduler::job::{Came, Job},
    system::System,
};

/// How long a command may take when nothing is said.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The longest that can be said.
const MOST: Duration = Duration::from_secs(24 * 3600);
/// How long a program may take that is only told something.
const TELLING: Duration = Duration::from_secs(30);
/// Bytes kept of what it writes.
const OUTPUT: u64 = 1024 * 1024;
/// Bytes of it that are part of the outcome when it fails.
const TAIL: u64 = 512;
/// How often it is tried again to remove what is left, and after how long.
const REMOVALS: u32 = 20;
const REMOVE_AGAIN: Duration = Duration::from_millis(50);
/// How long it goes on without a daemon: nobody waits for it any more.
const ORPHANED: Duration = Duration::from_secs(5);

/// Runs the command; its exit code is the outcome.
pub(super) async fn run(system: &System, job: &Job, spec: &RunSpec) -> Result<Came, Error> {
    let limit = spec.timeout.map_or(TIMEOUT, |span| span.0).min(MOST);
    command(system, job, &spec.command, None, limit).await
}

/// Runs a program that finds a message in the file that `WORKNODE_MESSAGE` names.
pub(super) async fn tell(
    system: &System,
    job: &Job,
    parts: &[String],
    message: &Value,
) -> Result<Came, Error> {
    command(system, job, parts, Some(message), TELLING).await
}

async fn command(
    system: &System,
    job: &Job,
    parts: &[String],
    message: Option<&Value>,
    limit: Duration,
) -> Result<Came, Error> {
    let root = system.context().paths.state.join("commands");
    let own = format!("{}#{}", job.occurrence, job.attempts.saturating_add(1));
    let run = RunId::derived(system.team().node(), &own);
    let place = root.join(run.to_string());
    tokio::fs::create_dir_all(&root).await.map_err(failed)?;
    // The directory is made just before the start: where it is, an earlier daemon came as far.
    match tokio::fs::create_dir(&place).await {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            remove(&place).await;
            let why = "interrupted by the end of the daemon: the command may or may not have done its work";
            return Ok(Came::Failed(why.to_owned()));
        }
        made => made.map_err(failed)?,
    }
    let ended = in_place(system, job, (parts, message, limit), (&place, run)).await;
    remove(&place).await;
    ended
}

async fn in_place(
    system: &System,
    job: &Job,
    (parts, message, limit): (&[String], Option<&Value>, Duration),
    (place, run): (&Path, RunId),
) -> Result<Came, Error> {
    let request = request(system, job, parts, message, place, run).await?;
    let (stdout, stderr) = (request.command.stdout.clone(), request.command.stderr.clone());
    let finished = run_to_end(request, limit, bounds::STOP_GRACE)
        .await
        .map_err(failed)?;
    let how = match finished.exit.status {
        _ if finished.timed_out() => format!("stopped at its time limit of {limit:?}"),
        ExitStatus::Code(0) => return Ok(Came::Done("exited with code 0".to_owned())),
        ExitStatus::Code(code) => format!("exited with code {code}"),
        ExitStatus::Signal(signal) => format!("died of signal {signal}"),
        ExitStatus::Unknown => "nobody saw its end".to_owned(),
    };
    let mut said = tail(&stderr, TAIL).await;
    if said.is_empty() {
        said = tail(&stdout, TAIL).await;
    }
    let said = String::from_utf8_lossy(&said);
    let said = said.trim();
    Ok(Came::Failed(if said.is_empty() {
        how
    } else {
        format!("{how}: {said}")
    }))
}

async fn request(
    system: &System,
    job: &Job,
    parts: &[String],
    message: Option<&Value>,
    place: &Path,
    run: RunId,
) -> Result<RunRequest, Error> {
    let paths = &system.context().paths;
    let scratch = place.join("scratch");
    tokio::fs::create_dir(&scratch).await.map_err(failed)?;
    let scratch = scratch.canonicalize().map_err(failed)?;
    let mut env = clean_env(DEFAULT_ENV);
    env.insert("TMPDIR".into(), scratch.clone().into());
    env.insert("WORKNODE_TRIGGER".into(), job.trigger.name().into());
    env.insert("WORKNODE_OCCURRENCE".into(), job.occurrence.key.clone().into());
    env.insert(MARK.into(), run.to_string().into());
    if let Some(message) = message {
        let file = scratch.join("message.json");
        tokio::fs::write(&file, message.to_string())
            .await
            .map_err(failed)?;
        env.insert("WORKNODE_MESSAGE".into(), file.into());
    }
    let mut parts = parts.iter();
    let program = parts.next().map(PathBuf::from).unwrap_or_default();
    let args = parts.map(|part| filled(system, job, part).into()).collect();
    let sandbox = Sandbox {
        write: vec![scratch],
        hide: vec![paths.state.canonicalize().map_err(failed)?],
        best_effort: true,
        ..Sandbox::default()
    };
    Ok(RunRequest {
        shim: paths.program.clone(),
        dir: place.to_owned(),
        run,
        secret: shim_secret(system, run),
        command: SpawnSpec {
            program,
            args,
            env,
            cwd: system.team().repository.clone(),
            stdin: Input::Closed,
            stdout: place.join("stdout.log"),
            stderr: place.join("stderr.log"),
            output_limit: OUTPUT,
            sandbox: Some(sandbox),
        },
        limits: Limits::none(bounds::STOP_GRACE, ORPHANED),
        watch: Vec::new(),
    })
}

/// Removes what the command left. Its shim may just be writing its last word.
async fn remove(place: &Path) {
    let mut tries = 0;
    while let Err(error) = tokio::fs::remove_dir_all(place).await {
        tries += 1;
        // Something in it may have been renamed meanwhile: only the place itself counts.
        if !tokio::fs::try_exists(place).await.unwrap_or(true) {
            return;
        }
        if tries > REMOVALS {
            tracing::warn!(%error, place = %place.display(), "the directory of a command could not be removed");
            return;
        }
        tokio::time::sleep(REMOVE_AGAIN).await;
    }
}
