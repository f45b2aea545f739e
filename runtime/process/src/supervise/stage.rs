//! The process that becomes the agent.
//!
//! What must be done between fork and exec is done here, in a fresh process with one thread,
//! and not in a forked copy of the daemon, where next to nothing is allowed.
//!
//! Its standard input is a socket to the shim. The instructions come through it, and what went
//! wrong goes back. A copy of the socket closes by itself when the exec succeeds: then the shim
//! reads the end of the stream, and knows.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    ffi::{CString, OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    iter,
    os::{
        fd::AsFd,
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use nix::unistd::execve;
use rustix::{
    process::{Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit},
    stdio::dup2_stdin,
};
use serde::{Deserialize, Serialize};
use signal_hook::{consts::SIGPIPE, flag};

use crate::{
    sandbox::{Enforced, Sandbox},
    text,
    wire::{Failure, ORDER_MAX, line},
};

/// How much rather than others an agent is ended when the machine has no memory left.
const OOM_SCORE: &str = "500";

/// What to become.
#[derive(Serialize, Deserialize)]
pub(super) struct Instructions {
    #[serde(with = "text")]
    pub(super) program: PathBuf,
    #[serde(with = "text::list")]
    pub(super) args: Vec<OsString>,
    #[serde(with = "text::map")]
    pub(super) env: BTreeMap<OsString, OsString>,
    /// The files through which a cgroup is joined: none or one.
    #[serde(with = "text::list")]
    pub(super) join: Vec<PathBuf>,
    pub(super) memory: Option<u64>,
    pub(super) sandbox: Option<Sandbox>,
    /// The shim.
    pub(super) parent: u32,
    /// Which descriptor of the shim is standard input.
    pub(super) stdin: Option<i32>,
}

/// What the stage says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Staged {
    /// Everything is done but the exec.
    Ready(Option<Enforced>),
    Failed(Failure),
}

pub(super) fn main() -> ExitCode {
    let Ok(control) = io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let mut control = UnixStream::from(control);
    let failure = match become_agent(&mut control) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    if let Ok(line) = line(&Staged::Failed(failure)) {
        let _ = control.write_all(&line);
    }
    ExitCode::FAILURE
}

fn become_agent(control: &mut UnixStream) -> Result<Infallible, Failure> {
    let told = read(control).map_err(Failure::shim("read its instructions"))?;
    let stdin = stdin(&told).map_err(Failure::shim("open the agent's standard input"))?;
    for file in &told.join {
        // Zero means the process that writes it.
        fs::write(file, "0").map_err(Failure::shim("put the agent into its cgroup"))?;
    }
    die_with(told.parent).map_err(Failure::shim("tie the agent's life to its own"))?;
    // Not every system lets one do this; it is a favour to the others.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    limit(told.memory).map_err(Failure::shim("set the agent's limits"))?;
    let enforced = match &told.sandbox {
        Some(sandbox) => Some(
            sandbox
                .enforce()
                .map_err(|error| Failure::Sandbox(error.to_string()))?,
        ),
        None => None,
    };
    line(&Staged::Ready(enforced))
        .and_then(|line| control.write_all(&line))
        .map_err(Failure::shim("report that the agent is ready"))?;
    match exec(&told, &stdin) {
        Ok(never) => match never {},
        Err(error) => Err(Failure::Exec(error.into())),
    }
}

/// Executes the program, and nothing else: what the standard library calls hands a file that is
/// no program to a shell.
fn exec(told: &Instructions, stdin: &File) -> io::Result<Infallible> {
    let program = c_string(told.program.as_os_str())?;
    let args = told.args.iter().map(|arg| c_string(arg));
    let argv: Vec<CString> = iter::once(Ok(program.clone()))
        .chain(args)
        .collect::<io::Result<_>>()?;
    let pairs = told.env.iter().map(|(name, value)| {
        let mut pair = name.clone();
        pair.push("=");
        pair.push(value);
        c_string(&pair)
    });
    let env = pairs.collect::<io::Result<Vec<_>>>()?;
    // This process ignores SIGPIPE, which the agent would inherit; a handler it does not.
    flag::register(SIGPIPE, Arc::default())?;
    dup2_stdin(stdin)?;
    Ok(execve(&program, &argv, &env)?)
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

fn read(control: &UnixStream) -> io::Result<Instructions> {
    let mut text = Vec::new();
    BufReader::new(control.take(ORDER_MAX)).read_until(b'\n', &mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn stdin(told: &Instructions) -> io::Result<File> {
    match told.stdin {
        Some(number) => File::open(format!("/proc/{}/fd/{number}", told.parent)),
        None => File::open("/dev/null"),
    }
}

/// The kernel kills the agent when its shim dies. If that has happened already, nobody would.
fn die_with(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let now = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if now == Some(parent) {
        Ok(())
    } else {
        Err(io::Error::other("it is gone"))
    }
}

/// No core dumps: they hold secrets and fill disks. And a bound on what one process asks for,
/// against a burst that measuring would see too late; twice the limit, because the kernel counts
/// here what is reserved and never used.
fn limit(memory: Option<u64>) -> io::Result<()> {
    let most = |value| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    setrlimit(Resource::Core, most(0))?;
    if let Some(bytes) = memory {
        setrlimit(Resource::Data, most(bytes.saturating_mul(2)))?;
    }
    Ok(())
}
