//! Running a program for a gate, bounded and to its end.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use worknode_core::{bounds, error::Error, ids::RunId, time::Timestamp};
use worknode_gates::gate::command::End;
use worknode_process::{
    DEFAULT_ENV, ExitStatus, Input, Limits, RunRequest, Secret, SpawnSpec, clean_env, run_to_end,
    sandbox::Sandbox,
};

use crate::{
    keeper::MARK,
    outside::{failed, tail},
    system::random_bytes,
};

/// Bytes kept of what a gate's program writes.
const OUTPUT: u64 = 4 * 1024 * 1024;
/// How long a gate's program goes on without a daemon: nobody asks for its answer any more.
const ORPHANED: Duration = Duration::from_secs(5);
/// The largest report that is read.
const REPORT: u64 = 256 * 1024 * 1024;

/// A program that a gate runs.
#[derive(Debug)]
pub struct Program {
    /// The program that becomes its shim: this one.
    pub shim: PathBuf,
    /// Its run.
    pub run: RunId,
    /// What proves to the shim who asks.
    pub secret: Secret,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Where its output and its scratch folder are.
    pub place: PathBuf,
    /// How long it may take.
    pub timeout: Duration,
    /// Its box, when it has one.
    pub sandbox: Option<Sandbox>,
    /// The variables that it gets beside the usual few.
    pub env: BTreeMap<OsString, OsString>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// What it wrote to standard output: the last 4 MiB.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Ran {
    /// Both streams, one after the other.
    #[must_use]
    pub fn output(&self) -> Vec<u8> {
        [self.stdout.as_slice(), self.stderr.as_slice()].concat()
    }
}

/// Runs a program to its end, or stops it and all that it started at its time limit.
///
/// # Errors
/// When its folders cannot be made. A program that cannot be started is an answer, not an error.
pub async fn run(program: Program) -> Result<Ran, Error> {
    let Some((name, args)) = program.command.split_first() else {
        let end = End::NotStarted("the command is empty".to_owned());
        return Ok(Ran {
            end,
            stdout: Vec::new(),
            stderr: Vec::new(),
        });
    };
    let scratch = program.place.join("scratch");
    tokio::fs::create_dir_all(&scratch).await.map_err(failed)?;
    let mut env = clean_env(DEFAULT_ENV);
    env.insert("CI".into(), "true".into());
    env.insert("TMPDIR".into(), scratch.into());
    env.insert(MARK.into(), program.run.to_string().into());
    env.extend(program.env);
    let (stdout, stderr) = (program.place.join("stdout.log"), program.place.join("stderr.log"));
    let request = RunRequest {
        shim: program.shim,
        dir: program.place.clone(),
        run: program.run,
        secret: program.secret,
        command: SpawnSpec {
            program: PathBuf::from(name),
            args: args.iter().map(Into::into).collect(),
            env,
            cwd: program.folder,
            stdin: Input::Closed,
            stdout: stdout.clone(),
            stderr: stderr.clone(),
            output_limit: OUTPUT,
            sandbox: program.sandbox,
        },
        limits: Limits::none(bounds::STOP_GRACE, ORPHANED),
        watch: Vec::new(),
    };
    let end = match run_to_end(request, program.timeout, bounds::STOP_GRACE).await {
        Err(error) => End::NotStarted(error.to_string()),
        Ok(finished) if finished.timed_out() => End::TimedOut(program.timeout),
        Ok(finished) => match finished.exit.status {
            ExitStatus::Code(code) => End::Code(code),
            ExitStatus::Signal(signal) => End::Signal(signal),
            ExitStatus::Unknown => End::NotStarted("nobody saw its end".to_owned()),
        },
    };
    Ok(Ran {
        end,
        stdout: tail(&stdout, OUTPUT).await,
        stderr: tail(&stderr, OUTPUT).await,
    })
}

/// Reads a report that a program left below `folder`. `None` when it is not there, is a link, leads
/// elsewhere, or is too large: what cannot be trusted says nothing.
pub async fn read_report(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let folder = tokio::fs::canonicalize(folder).await.ok()?;
    let path = tokio::fs::canonicalize(folder.join(name)).await.ok()?;
    let seen = tokio::fs::symlink_metadata(folder.join(name)).await.ok()?;
    if !path.starts_with(&folder) || !seen.is_file() || seen.len() > REPORT {
        return None;
    }
    tokio::fs::read(path).await.ok()
}

/// The run of a program that no runtime knows.
#[must_use]
pub fn random_run(now: Timestamp) -> RunId {
    RunId::from_parts(now.as_millis(), random_bytes::<10>())
}

/// What proves to its shim who asks.
#[must_use]
pub fn random_secret() -> Secret {
    Secret::new(random_bytes::<32>())
}
