//! Running gates on a candidate.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use tokio::time::Instant;
use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    node::Node,
    task::{Landing, TaskCommand, TaskSpec},
    verdict::{Finding, Verdict},
};
use worknode_policies::{
    change::Change,
    gate::{self, plan_gate, tests_gate},
    landing::Candidate,
    verdict::{Judgement, sign},
};
use worknode_process::{DEFAULT_ENV, ExitStatus, SpawnSpec, clean_env, run_to_end};

use super::{Bench, Made};
use crate::{definition::TestsDefinition, outside::failed, system::System};

/// Bytes kept of what a gate's command writes.
const OUTPUT: u64 = 4 * 1024 * 1024;
/// Bytes of it that are read for the findings.
const TAIL: u64 = 64 * 1024;

/// Runs `gates` in their order and records each verdict. After a failed plan gate the others
/// are not run: what changed outside the plan is not executed.
pub(super) async fn run(
    system: &System,
    bench: &Bench,
    node: &Node,
    made: &Made,
    gates: &[String],
) -> Result<(), Error> {
    let (Some(task), Candidate::Made(landing)) = (node.task(), &made.known) else {
        return Ok(());
    };
    let _place = bench.judging.acquire().await.map_err(failed)?;
    for name in gates {
        let verdict = judge(system, &task.spec, landing, name).await?;
        let passed = verdict.findings.is_empty();
        tracing::info!(gate = %name, tree = %landing.tree.short(), passed, "gate");
        system
            .command(node.id, Command::Task(TaskCommand::RecordVerdict { verdict }))
            .await?;
        if !passed && name == gate::PLAN {
            break;
        }
    }
    Ok(())
}

async fn judge(system: &System, spec: &TaskSpec, landing: &Landing, name: &str) -> Result<Verdict, Error> {
    let begun = Instant::now();
    let findings = match name {
        gate::PLAN => judge_plan(system, spec, landing).await?,
        gate::TESTS => judge_tests(system, landing).await?,
        other => {
            return Err(Error::new(
                Code::InvalidConfig,
                format!("there is no gate `{other}`"),
            ));
        }
    };
    let judgement = Judgement {
        gate: name.to_owned(),
        tree: landing.tree.clone(),
        commit: landing.commit.clone(),
        findings,
        took_ms: worknode_core::time::millis(begun.elapsed()),
    };
    Ok(sign(&system.context().keys, judgement))
}

async fn judge_plan(system: &System, spec: &TaskSpec, landing: &Landing) -> Result<Vec<Finding>, Error> {
    let changes = system
        .context()
        .store
        .changes(&landing.base, &landing.tree)
        .await
        .map_err(failed)?;
    let changes: Vec<Change> = changes.into_iter().map(Into::into).collect();
    Ok(plan_gate::judge(spec, &changes, &landing.base))
}

/// Runs the team's test command in a clean checkout of exactly the tree that would land.
async fn judge_tests(system: &System, landing: &Landing) -> Result<Vec<Finding>, Error> {
    let Some(tests) = &system.team().tests else {
        return Err(Error::new(Code::InvalidConfig, "the gate `tests` has no command")
            .hint("set `command` under [gate.tests]"));
    };
    let root = system.context().paths.state.join("checkouts");
    let place = root.join(system.new_run().to_string());
    let checkout = place.join("tree");
    tokio::fs::create_dir_all(&place).await.map_err(failed)?;
    let findings = match system.context().store.checkout(&landing.commit, &checkout).await {
        Ok(()) => run_tests(tests, &place, &checkout).await,
        Err(error) => Err(failed(error)),
    };
    if let Err(error) = worknode_git::remove_clone(&root, &place).await {
        tracing::warn!(%error, "a checkout could not be removed");
    }
    findings
}

async fn run_tests(
    tests: &TestsDefinition,
    place: &std::path::Path,
    checkout: &std::path::Path,
) -> Result<Vec<Finding>, Error> {
    let (stdout, stderr) = (place.join("stdout.log"), place.join("stderr.log"));
    let Some((program, args)) = tests.command.split_first() else {
        return Err(Error::new(
            Code::InvalidConfig,
            "the command of the gate `tests` is empty",
        ));
    };
    let spec = SpawnSpec {
        program: PathBuf::from(program),
        args: args.iter().map(Into::into).collect(),
        env: gate_env(),
        cwd: checkout.to_owned(),
        stdout: stdout.clone(),
        stderr: stderr.clone(),
        output_limit: OUTPUT,
    };
    let end = match run_to_end(spec, tests.timeout, bounds::STOP_GRACE).await {
        Err(error) => tests_gate::CommandEnd::NotStarted(error.to_string()),
        Ok(finished) if finished.timed_out() => tests_gate::CommandEnd::TimedOut(tests.timeout),
        Ok(finished) => match finished.exit.status {
            ExitStatus::Code(code) => tests_gate::CommandEnd::Code(code),
            ExitStatus::Signal(signal) => tests_gate::CommandEnd::Signal(signal),
            ExitStatus::Unknown => tests_gate::CommandEnd::NotStarted("nobody saw its end".to_owned()),
        },
    };
    let mut output = tail(&stdout).await;
    output.extend(tail(&stderr).await);
    Ok(tests_gate::judge(&tests.command.join(" "), &end, &output))
}

fn gate_env() -> BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    let mut env = clean_env(DEFAULT_ENV);
    env.insert("CI".into(), "true".into());
    env
}

/// The last part of a file; what cannot be read has nothing to say.
async fn tail(path: &std::path::Path) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncSeekExt};
    let read = async {
        let mut file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        file.seek(std::io::SeekFrom::Start(length.saturating_sub(TAIL)))
            .await?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default()
}
