//! What this program does when a benchmark starts it again: as the agent of a run, and as a
//! process whose memory is all its own.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
};

use crate::{Failure, keep, measure::wall_nanos, population, requests};

/// The first argument of a program that plays a role. Not for people.
pub(crate) const FLAG: &str = "--role";
/// The role that writes down when it began: `stamp FILE`.
pub(crate) const STAMP: &str = "stamp";
/// The role of a runtime on a store, which nobody asks anything: `started DIR`.
pub(crate) const STARTED: &str = "started";
/// The role of a population of Worknodes: `worknodes DIR COUNT`.
pub(crate) const WORKNODES: &str = "worknodes";
/// The role of as many bare tasks: `tasks COUNT`.
pub(crate) const TASKS: &str = "tasks";
/// The role that writes down when it ends, at the first line of its input: `last FILE`.
pub(crate) const LAST: &str = "last";
/// The role that keeps runs under their shims: `runs DIR COUNT`.
pub(crate) const RUNS: &str = "runs";
/// The role that keeps bare children: `children DIR COUNT`.
pub(crate) const CHILDREN: &str = "children";

/// The role of a bare server, which answers the same to all: `served SOCKET BYTES`.
pub(crate) const SERVED: &str = "served";

/// Plays the role that the arguments name.
pub(crate) fn play(args: impl Iterator<Item = String>) -> Result<(), Failure> {
    let begun = wall_nanos();
    let args: Vec<String> = args.collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [STAMP, file] => stamp(Path::new(file), begun),
        [STARTED, dir] => population::started(Path::new(dir)),
        [WORKNODES, dir, count] => population::worknodes(Path::new(dir), count.parse()?),
        [TASKS, count] => population::tasks(count.parse()?),
        [LAST, file] => last(Path::new(file)),
        [RUNS, dir, count] => keep::runs(Path::new(dir), count.parse()?),
        [CHILDREN, dir, count] => keep::children(Path::new(dir), count.parse()?),
        [SERVED, socket, bytes] => requests::served(Path::new(socket), bytes.parse()?),
        other => Err(format!("there is no role {other:?}").into()),
    }
}

/// One line: the run, when there is one, and the instant. Beside it, once, the environment, for
/// a baseline that is to have the same.
fn stamp(file: &Path, begun: u128) -> Result<(), Failure> {
    let run = std::env::var("WORKNODE_RUN").unwrap_or_else(|_| "none".to_owned());
    let mut stamps = OpenOptions::new().append(true).create(true).open(file)?;
    stamps.write_all(format!("{run} {begun}\n").as_bytes())?;
    let environment = file.with_extension("env");
    if !environment.exists() {
        std::fs::write(environment, std::fs::read("/proc/self/environ")?)?;
    }
    Ok(())
}

/// Writes the stamp as the last thing before the end.
fn last(file: &Path) -> Result<(), Failure> {
    let mut stamps = File::create(file)?;
    std::io::stdin().read_line(&mut String::new())?;
    stamps.write_all(format!("last {}\n", wall_nanos()).as_bytes())?;
    Ok(())
}
