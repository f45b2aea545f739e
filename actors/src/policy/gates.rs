//! Running gates on a candidate.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;
use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    git::CommitId,
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
use worknode_process::{
    DEFAULT_ENV, ExitStatus, Input, Limits, RunRequest, SpawnSpec, clean_env, run_to_end, sandbox::Sandbox,
};
use worknode_profiles::profile::SandboxMode;

use super::{Bench, Made, binding};
use crate::{
    definition::TestsDefinition,
    keeper::{MARK, existing, shim_secret},
    outside::{failed, tail},
    system::System,
};

/// Bytes kept of what a gate's command writes.
const OUTPUT: u64 = 4 * 1024 * 1024;
/// How long a gate's command goes on without a daemon: nobody asks for its answer any more.
const ORPHANED: Duration = Duration::from_secs(5);
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
    let Candidate::Made(landing) = &made.known else {
        return Ok(());
    };
    let _place = bench.judging.acquire().await.map_err(failed)?;
    for name in gates {
        let verdict = judge(system, node, landing, name).await?;
        let passed = verdict.findings.is_empty();
        tracing::info!(gate = %name, tree = %landing.tree.short(), passed, "gate");
        let record = Command::Task(TaskCommand::RecordVerdict { verdict });
        system.command_after(Some(node.updated), node.id, record).await?;
        if !passed && name == gate::PLAN {
            break;
        }
    }
    Ok(())
}

/// The verdict of one gate on one tree. It is not kept here.
pub(super) async fn judge(
    system: &System,
    node: &Node,
    landing: &Landing,
    name: &str,
) -> Result<Verdict, Error> {
    let Some(task) = node.task() else {
        return Err(Error::new(Code::Usage, format!("`{}` is not a task", node.name)));
    };
    let spec = &task.spec;
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
        bound: binding::bound(system, node, landing, name, &findings),
        findings,
        took_ms: worknode_core::time::millis(begun.elapsed()),
    };
    Ok(sign(&system.context().keys, judgement))
}

/// What a gate finds on a commit that nobody handed in.
///
/// # Errors
/// When it cannot be run, or judges only what somebody handed in.
pub(crate) async fn gate_on_commit(
    system: &System,
    name: &str,
    commit: &CommitId,
) -> Result<Vec<Finding>, Error> {
    if name != gate::TESTS {
        let message = format!("the gate `{name}` judges a task's submission, not a commit alone");
        return Err(Error::new(Code::Usage, message).hint("a trigger can run the gate `tests`"));
    }
    let tree = system.context().store.tree_of(commit).await.map_err(failed)?;
    let landing = Landing {
        tree,
        commit: commit.clone(),
        base: commit.clone(),
    };
    judge_tests(system, &landing).await
}

async fn judge_plan(system: &System, spec: &TaskSpec, landing: &Landing) -> Result<Vec<Finding>, Error> {
    let changes = system
        .context()
        .store
        .changes(&landing.base, &landing.tree)
        .await
        .map_err(failed)?;
    let changes: Vec<Change> = changes.into_iter().map(Into::into).collect();
    let mut findings = plan_gate::judge(spec, &changes, &landing.base);
    let store = &system.context().store;
    let missing = store.missing(&landing.tree, &spec.deliverables).await;
    findings.extend(plan_gate::undelivered(&missing.map_err(failed)?));
    Ok(findings)
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
        Ok(()) => run_tests(system, tests, &place, &checkout).await,
        Err(error) => Err(failed(error)),
    };
    if let Err(error) = worknode_git::remove_clone(&root, &place).await {
        tracing::warn!(%error, "a checkout could not be removed");
    }
    findings
}

async fn run_tests(
    system: &System,
    tests: &TestsDefinition,
    place: &Path,
    checkout: &Path,
) -> Result<Vec<Finding>, Error> {
    let request = request(system, tests, place, checkout)?;
    let (stdout, stderr) = (request.command.stdout.clone(), request.command.stderr.clone());
    let end = match run_to_end(request, tests.timeout, bounds::STOP_GRACE).await {
        Err(error) => tests_gate::CommandEnd::NotStarted(error.to_string()),
        Ok(finished) if finished.timed_out() => tests_gate::CommandEnd::TimedOut(tests.timeout),
        Ok(finished) => match finished.exit.status {
            ExitStatus::Code(code) => tests_gate::CommandEnd::Code(code),
            ExitStatus::Signal(signal) => tests_gate::CommandEnd::Signal(signal),
            ExitStatus::Unknown => tests_gate::CommandEnd::NotStarted("nobody saw its end".to_owned()),
        },
    };
    let mut output = tail(&stdout, TAIL).await;
    output.extend(tail(&stderr, TAIL).await);
    Ok(tests_gate::judge(&tests.command.join(" "), &end, &output))
}

/// The command of the gate under a shim of its own, in a sandbox: what it runs was written by an
/// agent.
fn request(
    system: &System,
    tests: &TestsDefinition,
    place: &Path,
    checkout: &Path,
) -> Result<RunRequest, Error> {
    let Some((program, args)) = tests.command.split_first() else {
        return Err(Error::new(
            Code::InvalidConfig,
            "the command of the gate `tests` is empty",
        ));
    };
    let paths = &system.context().paths;
    let run = system.new_run();
    let scratch = place.join("scratch");
    std::fs::create_dir_all(&scratch).map_err(failed)?;
    let mut env = gate_env();
    env.insert("TMPDIR".into(), scratch.clone().into());
    env.insert(MARK.into(), run.to_string().into());
    let real = |path: &Path| path.canonicalize().map_err(failed);
    let mut write = vec![real(checkout)?, real(&scratch)?];
    write.extend(existing(&tests.writes));
    let sandbox = Sandbox {
        write,
        hide: vec![real(&paths.state)?],
        best_effort: tests.sandbox == SandboxMode::BestEffort,
        ..Sandbox::default()
    };
    Ok(RunRequest {
        shim: paths.program.clone(),
        dir: place.to_owned(),
        run,
        secret: shim_secret(system, run),
        command: SpawnSpec {
            program: PathBuf::from(program),
            args: args.iter().map(Into::into).collect(),
            env,
            cwd: checkout.to_owned(),
            stdin: Input::Closed,
            stdout: place.join("stdout.log"),
            stderr: place.join("stderr.log"),
            output_limit: OUTPUT,
            sandbox: (tests.sandbox != SandboxMode::Off).then_some(sandbox),
        },
        limits: Limits::none(bounds::STOP_GRACE, ORPHANED),
        watch: Vec::new(),
    })
}

fn gate_env() -> BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    let mut env = clean_env(DEFAULT_ENV);
    env.insert("CI".into(), "true".into());
    env
}
