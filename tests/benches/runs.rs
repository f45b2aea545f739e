//! Runs with scripted agents under real shims, without a team around them, and the same agents
//! with nothing around them at all.

use std::{
    fs, io,
    ops::Range,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use worknode_core::{
    agent::{Agent, AgentCommand, AgentEffect, AgentSpec, Share, StartWhen, Tier, decide},
    event::Principal,
    ids::{NodeId, RunId},
    restart::RestartPolicy,
    run::{ProcessIdentity, Purpose, RunLimits, SpawnPermit},
    time::Timestamp,
};
use worknode_process::{
    Input, Limits, RunRequest, Secret, Shim, SpawnSpec, clean_env, find_marked, sandbox::Sandbox,
};
use worknode_tests::program::binary;

use crate::Failure;

/// The shell of the scripts.
const SHELL: &str = "/bin/sh";
/// A process of a load carries this; its value is the load's name.
const LOAD: &str = "BENCH_LOAD";
/// Who starts runs at the same time.
const STARTERS: usize = 8;
/// How long a load may take to be there, or to be gone.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(20);

/// An agent that does nothing, for a time that ends even when nobody cleans up.
pub(crate) const SLEEP: &str = "exec sleep 1800";

/// The order for run `number` of those in `root`, under the limits that a run has when nobody
/// says anything. Another process can ask for the same again.
pub(crate) fn request(root: &Path, number: usize, command: &[&str]) -> Result<RunRequest, Failure> {
    let (program, args) = command.split_first().ok_or("a run needs a command")?;
    let dir = root.join(number.to_string());
    fs::create_dir_all(&dir)?;
    let limits = RunLimits::default();
    Ok(RunRequest {
        shim: binary().to_path_buf(),
        run: run_id(&dir),
        secret: secret(),
        command: SpawnSpec {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
            env: clean_env(&["PATH"]),
            cwd: root.to_path_buf(),
            stdin: Input::Closed,
            stdout: dir.join("out"),
            stderr: dir.join("err"),
            output_limit: limits.output,
            sandbox: None,
        },
        limits: Limits {
            time: limits.time,
            silence: limits.silence,
            grace: limits.grace,
            orphan_grace: limits.orphan_grace,
            memory: limits.memory,
            processes: limits.processes,
            cpu: limits.cpu,
        },
        watch: Vec::new(),
        dir,
    })
}

/// The same with a box like that of an agent that writes code.
pub(crate) fn boxed(root: &Path, number: usize, command: &[&str]) -> Result<RunRequest, Failure> {
    let mut request = request(root, number, command)?;
    let here = root.canonicalize()?;
    let hidden = here.join("hidden");
    fs::create_dir_all(&hidden)?;
    let writable = here.join("workspace");
    fs::create_dir_all(&writable)?;
    request.command.sandbox = Some(Sandbox {
        write: vec![writable],
        hide: vec![hidden],
        connect: Some(vec![443]),
        best_effort: true,
        ..Sandbox::default()
    });
    Ok(request)
}

/// The run whose directory this is.
pub(crate) fn run_id(dir: &Path) -> RunId {
    RunId::derived(NodeId::ROOT, &dir.to_string_lossy())
}

pub(crate) const fn secret() -> Secret {
    Secret::new([7; 32])
}

pub(crate) async fn start(request: RunRequest) -> Result<Shim, Failure> {
    Ok(worknode_process::spawn(permit(request.run)?, request).await?)
}

/// Starts the script as often as there are numbers, some at a time.
pub(crate) async fn start_all(
    root: &Path,
    numbers: Range<usize>,
    script: &str,
) -> Result<Vec<Shim>, Failure> {
    let numbers: Vec<usize> = numbers.collect();
    let starters = numbers
        .chunks(numbers.len().div_ceil(STARTERS).max(1))
        .map(|mine| {
            let (root, script, mine) = (root.to_path_buf(), script.to_owned(), mine.to_vec());
            tokio::spawn(async move {
                let mut started = Vec::new();
                for number in mine {
                    started.push(start(request(&root, number, &[SHELL, "-c", &script])?).await?);
                }
                Ok::<_, Failure>(started)
            })
        });
    let mut shims = Vec::new();
    for starter in starters.collect::<Vec<_>>() {
        shims.extend(starter.await??);
    }
    Ok(shims)
}

/// Waits for what all of them come to.
pub(crate) async fn each<T: Send + 'static, F>(
    shims: &[Shim],
    ask: impl Fn(Shim) -> F,
) -> Result<Vec<T>, Failure>
where
    F: Future<Output = T> + Send + 'static,
{
    let asked: Vec<_> = shims.iter().map(|shim| tokio::spawn(ask(shim.clone()))).collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await?);
    }
    Ok(answers)
}

/// Ends all of them at once.
pub(crate) async fn end_all(shims: &[Shim]) -> Result<(), Failure> {
    let stop = |shim: Shim| async move { shim.stopper().stop(Duration::ZERO).await.gone() };
    let gone = each(shims, stop).await?;
    let left = gone.iter().filter(|gone| !**gone).count();
    if left > 0 {
        return Err(format!("{left} of {} runs could not be stopped", shims.len()).into());
    }
    Ok(())
}

/// The script, started by this process itself, in a process group of its own.
pub(crate) fn bare(root: &Path, script: &str) -> Result<Child, Failure> {
    let mut command = Command::new(SHELL);
    command
        .args(["-c", script])
        .env_clear()
        .envs(clean_env(&["PATH"]))
        .current_dir(root)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command.spawn()?)
}

/// Signals the groups of these children, which are not reaped: their numbers mean them.
pub(crate) fn signal_groups(children: &[Child], signal: &str) -> Result<(), Failure> {
    signal_all(signal, children.iter().map(|child| format!("-{}", child.id())))
}

/// Kills what is left of a load.
pub(crate) fn kill_load(load: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let left = of_load(load);
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{} processes of a load are still there", left.len()).into());
        }
        signal_all("KILL", left.iter().map(|process| process.pid.to_string()))?;
    }
}

/// By the shell's own `kill`: one process for all. What has ended is no failure.
fn signal_all(signal: &str, targets: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut kill = Command::new(SHELL);
    kill.args([
        "-c",
        "signal=$1; shift; kill -s \"$signal\" -- \"$@\"",
        "kill",
        signal,
    ])
    .args(targets)
    .stderr(Stdio::null());
    kill.status()?;
    Ok(())
}

/// A script that is one process which ends at TERM, and one that got away: forked twice, in a
/// session of its own, deaf to TERM.
pub(crate) fn escaping(load: &str) -> String {
    format!(
        "export {LOAD}={load}; trap '' TERM; (setsid sleep 1800 </dev/null >/dev/null 2>&1 &); \
         trap - TERM; {SLEEP}"
    )
}

/// What lives of a load.
pub(crate) fn of_load(load: &str) -> Vec<ProcessIdentity> {
    find_marked(LOAD, load)
}

/// Waits until so many processes of a load are there, each in its own program.
pub(crate) async fn load_is(load: &str, count: usize) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let there = of_load(load);
        if there.iter().filter(|process| sleeps(process.pid)).count() >= count {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("only {} of {count} processes came", there.len()).into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn sleeps(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
}

/// A named pipe, at which as many may wait as want to, to be released at the same time.
pub(crate) fn gate(path: &Path) -> Result<(), Failure> {
    let made = Command::new("mkfifo").arg(path).status()?;
    if made.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("mkfifo: {made}")).into())
    }
}

/// The only way to a permit: from the decision to start an idle agent.
fn permit(run: RunId) -> Result<SpawnPermit, Failure> {
    let agent = Agent::new(AgentSpec {
        profile: "bench".into(),
        driver: "command".into(),
        tier: Tier::Implementation,
        start: StartWhen::Task,
        restart: RestartPolicy::default(),
        limits: RunLimits::default(),
        asks: Share::default(),
        like: None,
        lineage: None,
    });
    let start = AgentCommand::Start {
        raised: Vec::new(),
        run,
        purpose: Purpose::Standing,
        share: Share::default(),
    };
    let decided = decide(&agent, &start, &Principal::Runtime, Timestamp::default())?;
    match decided.effect {
        Some(AgentEffect::Spawn(permit, _)) => Ok(permit),
        other => Err(format!("an idle agent was not started: {other:?}").into()),
    }
}
