//! The same load under schedulers that people use inside their programs: APScheduler and node-cron.
//!
//! They are installed from their registries into a directory that is gone afterwards. One that
//! cannot be had is left out with a word. Both keep their jobs in memory alone, and their jobs do
//! nothing but note the time: nothing of them is on a disk.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::process::Command;

use crate::{Failure, say};

const APSCHEDULER: (&str, &str) = (
    "APScheduler 3.11.0",
    include_str!("schedulers/with_apscheduler.py"),
);
const NODE_CRON: (&str, &str) = ("node-cron 4.6.0", include_str!("schedulers/with_node_cron.mjs"));
const INSTALL_TIME: Duration = Duration::from_secs(180);
/// Loading, idling, and up to two minutes until the second comes round.
const RUN_TIME: Duration = Duration::from_secs(300);

/// What one of them came to.
pub(crate) struct Outcome {
    /// Which.
    pub(crate) name: &'static str,
    /// Seconds until all jobs were scheduled.
    pub(crate) load: f64,
    /// Bytes that they take, all together.
    pub(crate) memory: f64,
    /// Processor time while none is due, as a part of one core.
    pub(crate) idle: f64,
    /// Seconds from the second in which they were due until each ran.
    pub(crate) late: Vec<f64>,
}

/// Each that can be had, with so many jobs, of which so many are due together.
pub(crate) async fn all(jobs: usize, together: usize, idle: Duration) -> Result<Vec<Outcome>, Failure> {
    let dir = tempfile::tempdir()?;
    let mut outcomes = Vec::new();
    let load = [
        jobs.to_string(),
        together.to_string(),
        idle.as_secs_f64().to_string(),
    ];
    for name in [APSCHEDULER.0, NODE_CRON.0] {
        let measured = if name == APSCHEDULER.0 {
            apscheduler(dir.path(), &load).await
        } else {
            node_cron(dir.path(), &load).await
        };
        match measured.and_then(|told| outcome(name, &told)) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => say(format_args!("{name} is left out: {error}")),
        }
    }
    Ok(outcomes)
}

async fn apscheduler(dir: &Path, load: &[String]) -> Result<Value, Failure> {
    let script = dir.join("load.py");
    fs::write(&script, APSCHEDULER.1)?;
    let bin = dir.join("python/bin");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(dir.join("python"));
    finished(&mut venv, INSTALL_TIME).await?;
    let mut pip = Command::new(bin.join("pip"));
    pip.args(["install", "--quiet", "apscheduler==3.11.0"]);
    finished(&mut pip, INSTALL_TIME).await?;
    let mut run = Command::new(bin.join("python"));
    run.arg(script).args(load);
    told(&finished(&mut run, RUN_TIME).await?)
}

async fn node_cron(dir: &Path, load: &[String]) -> Result<Value, Failure> {
    let script = dir.join("load.mjs");
    fs::write(&script, NODE_CRON.1)?;
    fs::write(dir.join("package.json"), "{\"private\": true}")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "node-cron@4.6.0"])
        .current_dir(dir);
    finished(&mut npm, INSTALL_TIME).await?;
    let mut run = Command::new("node");
    run.arg(script).args(load);
    told(&finished(&mut run, RUN_TIME).await?)
}

/// Runs it to its end, within a bound.
async fn finished(command: &mut Command, bound: Duration) -> Result<Output, Failure> {
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Ok(output) = tokio::time::timeout(bound, run).await else {
        return Err(format!("{:?} took more than {bound:?}", command.as_std()).into());
    };
    let output = output?;
    if output.status.success() {
        return Ok(output);
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let last = complaints.lines().last().unwrap_or_default();
    Err(format!("{:?}: {}: {last}", command.as_std().get_program(), output.status).into())
}

fn told(output: &Output) -> Result<Value, Failure> {
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn outcome(name: &'static str, told: &Value) -> Result<Outcome, Failure> {
    let number = |key: &str| {
        told[key]
            .as_f64()
            .ok_or_else(|| format!("it does not tell its {key}: {told}"))
    };
    let late = told["late"].as_array().into_iter().flatten();
    Ok(Outcome {
        name,
        load: number("load")?,
        memory: number("memory")?,
        idle: number("idle")?,
        late: late.filter_map(Value::as_f64).collect(),
    })
}
