//! A process of its own that keeps many runs, as a daemon does; and one that keeps as many bare
//! children, as the plainest program does.
//!
//! It says one line of JSON when all are there. Then it does what its standard input says, line
//! by line, and answers in a line each. At the end of its input it ends what it keeps.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worknode_process::Shim;

use crate::{Failure, exits, measure::Samples, population::resident, role, runs, scene};

/// Asks for all runs' resources, or reads what `/proc` says of all children: seconds.
pub(crate) const STATUS: &str = "status";
/// Lets so many more agents exit one after the other: median and p99 of the time until seen.
pub(crate) const ENDS: &str = "ends";

/// What a keeper says first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Bytes of it that are resident: before the first, and with all.
    pub(crate) before: u64,
    pub(crate) after: u64,
    /// The process above each agent, if there is one.
    pub(crate) above: Vec<u32>,
}

/// The keeper, as the benchmark sees it.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    pub(crate) kept: Kept,
}

impl Keeper {
    pub(crate) fn start(role: &str, root: &Path, count: usize) -> Result<Self, Failure> {
        let mut command = Command::new(scene::program()?);
        command
            .args([role::FLAG, role])
            .arg(root)
            .arg(count.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("a keeper without its output")?;
        let mut stdout = BufReader::new(stdout);
        let kept = read(&mut stdout)?;
        Ok(Self {
            child,
            stdin,
            stdout,
            kept,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ask<T: DeserializeOwned>(&mut self, what: &str) -> Result<T, Failure> {
        let stdin = self.stdin.as_mut().ok_or("a keeper without its input")?;
        stdin.write_all(format!("{what}\n").as_bytes())?;
        read(&mut self.stdout)
    }

    /// Lets it end, with all that it keeps.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("a keeper failed: {status}").into())
        }
    }

    /// Kills it, as a daemon is killed: what it keeps goes on.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

fn read<T: DeserializeOwned>(stdout: &mut BufReader<ChildStdout>) -> Result<T, Failure> {
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    if line.is_empty() {
        return Err("a keeper ended early".into());
    }
    Ok(serde_json::from_str(&line)?)
}

fn say(what: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(what)?);
    Ok(())
}

/// The role that keeps runs under their shims.
pub(crate) fn runs(root: &Path, count: usize) -> Result<(), Failure> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let before = resident()?;
        let shims = runs::start_all(root, 0..count, runs::SLEEP).await?;
        say(&Kept {
            before,
            after: resident()?,
            above: shims.iter().map(|shim| shim.shim().pid).collect(),
        })?;
        let mut next = count;
        for line in lines() {
            let line = line.await?;
            match line
                .as_deref()
                .map(|line| line.split_once(' ').unwrap_or((line, "")))
            {
                None => break,
                Some((STATUS, _)) => say(&status(&shims).await?)?,
                Some((ENDS, times)) => {
                    let mut seen = Vec::new();
                    for _ in 0..times.parse::<usize>()? {
                        seen.push(exits::seen_end(root, next).await?);
                        next += 1;
                    }
                    let seen = Samples::from_iter(seen);
                    say(&[seen.median(), seen.p99()])?;
                }
                Some(other) => return Err(format!("a keeper cannot {other:?}").into()),
            }
        }
        runs::end_all(&shims).await
    })
}

async fn status(shims: &[Shim]) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let answers = runs::each(shims, |shim: Shim| async move { shim.resources().await }).await?;
    let time = begun.elapsed();
    for answer in answers {
        answer?;
    }
    Ok(time)
}

/// The role that keeps bare children: a shell each, which waits for the agent.
pub(crate) fn children(root: &Path, count: usize) -> Result<(), Failure> {
    let before = resident()?;
    let mut kept = Vec::new();
    for _ in 0..count {
        kept.push(runs::bare(root, "sleep 1800; exit")?);
    }
    say(&Kept {
        before,
        after: resident()?,
        above: kept.iter().map(Child::id).collect(),
    })?;
    for line in std::io::stdin().lines() {
        if line? != STATUS {
            return Err("a keeper of children can tell their status only".into());
        }
        let begun = Instant::now();
        for child in &kept {
            for file in ["stat", "statm"] {
                std::fs::read(format!("/proc/{}/{file}", child.id()))?;
            }
        }
        say(&begun.elapsed())?;
    }
    runs::signal_groups(&kept, "KILL")?;
    for child in &mut kept {
        child.wait()?;
    }
    Ok(())
}

/// The lines of standard input, each read by a thread that may block.
fn lines() -> impl Iterator<Item = impl Future<Output = Result<Option<String>, Failure>>> {
    std::iter::repeat_with(|| async {
        let read = tokio::task::spawn_blocking(|| std::io::stdin().lines().next().transpose()).await;
        Ok(read??)
    })
}
