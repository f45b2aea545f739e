//! The shim: the small process above each run. It starts the agent, keeps its output, watches
//! its limits, reaps whatever comes back to it, and ends the run when told to, with and without
//! a daemon.
//!
//! One thread, one `poll(2)`: nothing happens here unless something happened to the run.
//!
//! | module | what it holds |
//! |---|---|
//! | `start` | from the order to the running agent |
//! | `stage` | the process that becomes the agent: joins the cgroup, sets limits, closes the box |
//! | `life` | the loop |
//! | `limits` | when a run has reached a limit |
//! | `ending` | the end: ask, kill, sweep, drain |
//! | `sweep` | what carries the run's mark and is no descendant: one look for many shims |
//! | `peers` | the socket and who is connected |
//! | `streams`, `feed` | the agent's output and input |
//! | `signals` | what the kernel tells the shim |

mod ending;
mod feed;
mod life;
mod limits;
mod peers;
mod signals;
mod stage;
mod start;
mod streams;
mod sweep;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead, Write},
    process::ExitCode,
};

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::{
    fault,
    wire::{Answer, ORDER_MAX, Order, line},
};

/// The first argument of the process that becomes the agent.
const STAGE: &str = "exec";

/// The whole program `worknode shim …`; `args` are what comes after `shim`. To be called at the
/// very beginning of `main`, while there is one thread.
#[must_use]
pub fn shim_main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    match args.next().as_deref().and_then(OsStr::to_str) {
        Some(STAGE) => stage::main(),
        Some("--run") => supervise(),
        _ => {
            eprintln!("`worknode shim` is started by the daemon, not by hand");
            ExitCode::from(2)
        }
    }
}

fn supervise() -> ExitCode {
    // An incomplete order is that of a daemon that died: nothing is started.
    let Some(order) = read_order() else {
        return ExitCode::FAILURE;
    };
    let _ = silence(dup2_stdin).and_then(|()| silence(dup2_stderr));
    fault::at("before_start");
    match start::start(order) {
        Ok(life) => {
            fault::at("after_start");
            answer(&Answer::Started(life.snapshot()));
            life.live();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            answer(&Answer::Failed(failure));
            ExitCode::FAILURE
        }
    }
}

fn read_order() -> Option<Order> {
    let mut text = Vec::new();
    let mut input = io::Read::take(io::stdin().lock(), ORDER_MAX);
    input.read_until(b'\n', &mut text).ok()?;
    text.ends_with(b"\n")
        .then(|| serde_json::from_slice(&text).ok())?
}

/// A daemon that died meanwhile does not read it; the next one adopts the run.
fn answer(answer: &Answer) {
    if let Ok(line) = line(answer) {
        let mut out = io::stdout();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
    let _ = silence(dup2_stdout);
}

fn silence(replace: impl FnOnce(File) -> rustix::io::Result<()>) -> io::Result<()> {
    Ok(replace(
        File::options().read(true).write(true).open("/dev/null")?,
    )?)
}
