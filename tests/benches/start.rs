//! What the runtime adds to the start of a process: the journal, the clone, the brief, the
//! token, the files for its output; against a bare spawn of the same program in the same
//! directory with the same environment.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use worknode_actors::system::System;
use worknode_core::{
    agent::{AgentCommand, Share},
    command::Command,
    event::Event,
    ids::RunId,
    run::Purpose,
};
use worknode_git::Identity;
use worknode_journal::Follower;

use crate::{
    Bench, Failure,
    measure::{Samples, seconds_between, timed, wall_nanos},
    report::{Figure, Unit},
    scene::{AGENT, Stage, read_stamps},
};

/// How long one run may take.
const RUN: Duration = Duration::from_secs(30);

/// Seconds of each repetition, in which ours and the baseline take turns.
#[derive(Default)]
struct Times {
    intent: Vec<f64>,
    synced: Vec<f64>,
    started: Vec<f64>,
    spawned: Vec<f64>,
    exec: Vec<f64>,
    bare_exec: Vec<f64>,
    clone: Vec<f64>,
    git_clone: Vec<f64>,
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let starts = bench.load(30, 3);
    bench.tokio.block_on(async {
        let stage = Stage::new("")?;
        let runtime = stage.start().await?;
        let times = measure(&stage, runtime.system(), starts).await?;
        runtime.shutdown("the benchmark is over").await;
        Ok(figures(starts, times))
    })
}

fn figures(starts: usize, times: Times) -> Vec<Figure> {
    let figure = |what: &str, ours, baseline, load: &str| Figure {
        what: what.to_owned(),
        unit: Unit::Seconds,
        ours,
        baseline,
        load: format!("{starts} times, a repository of five small files; {load}"),
    };
    let [started, spawned, exec, bare_exec] =
        [times.started, times.spawned, times.exec, times.bare_exec].map(Samples::from_iter);
    let [intent, synced, clone, git_clone] =
        [times.intent, times.synced, times.clone, times.git_clone].map(Samples::from_iter);
    let bare = "baseline: a bare spawn of the same program, same directory, same environment";
    let rest = format!("the medians above and below, one less the other; {bare}");
    let plain = "baseline: `git clone --shared` of the same";
    let disk = "two events in one commit; baseline: a write of 300 bytes and its sync";
    vec![
        figure(
            "start asked to run_started, median",
            started.median(),
            spawned.median(),
            bare,
        ),
        figure(
            "start asked to run_started, p99",
            started.p99(),
            spawned.p99(),
            bare,
        ),
        figure(
            "start asked to exec, median",
            exec.median(),
            bare_exec.median(),
            bare,
        ),
        figure(
            "start without its clone",
            started.median() - clone.median(),
            spawned.median(),
            &rest,
        ),
        figure(
            "the journalled intent in it, median",
            intent.median(),
            synced.median(),
            disk,
        ),
        figure(
            "the private clone in it, median",
            clone.median(),
            git_clone.median(),
            plain,
        ),
    ]
}

async fn measure(stage: &Stage, system: &System, starts: usize) -> Result<Times, Failure> {
    let bare_stamps = stage.scene.file(".worknode/bare");
    let mut times = Times::default();
    for repetition in 0..=starts {
        let run = system.new_run();
        let mut follower = system.journal().follow(system.journal().last_stamp());
        let asked_at = wall_nanos();
        let asked = Instant::now();
        start(system, run).await?;
        let intent = asked.elapsed();
        tokio::time::timeout(RUN, until(&mut follower, |event| is_started(event, run))).await??;
        let started = asked.elapsed();
        tokio::time::timeout(RUN, until(&mut follower, |event| is_over(event, run))).await??;
        if repetition == 0 {
            // The first run prepares what later ones find, and shows its environment.
            continue;
        }
        let (_, began) = stage.stamps()?.pop().ok_or("the run left no stamp")?;
        times.intent.push(intent.as_secs_f64());
        times.started.push(started.as_secs_f64());
        times.exec.push(seconds_between(asked_at, began));

        let mut command = stage.bare(&bare_stamps)?;
        let spawned_at = wall_nanos();
        let begun = Instant::now();
        let mut child = command.spawn()?;
        times.spawned.push(begun.elapsed().as_secs_f64());
        tokio::task::spawn_blocking(move || child.wait()).await??;
        let (_, began) = read_stamps(&bare_stamps)?
            .pop()
            .ok_or("the program left no stamp")?;
        times.bare_exec.push(seconds_between(spawned_at, began));

        times.synced.push(synced_write(stage)?.as_secs_f64());
        times
            .clone
            .push(clone(system, stage, repetition).await?.as_secs_f64());
        times.git_clone.push(git_clone(stage, repetition)?.as_secs_f64());
    }
    Ok(times)
}

async fn start(system: &System, run: RunId) -> Result<(), Failure> {
    let purpose = Purpose::Fired {
        trigger: "bench".to_owned(),
        title: "Say when you began".to_owned(),
        prompt: String::new(),
    };
    let start = AgentCommand::Start {
        raised: Vec::new(),
        run,
        purpose,
        share: Share::default(),
    };
    system
        .command(system.team().agent_node(AGENT), Command::Agent(start))
        .await?;
    Ok(())
}

/// Follows the journal until an event fits.
async fn until(follower: &mut Follower, fits: impl Fn(&Event) -> bool) -> Result<(), Failure> {
    loop {
        // One at a time: what comes after is somebody else's to see.
        if follower.next(1).await?.iter().any(|record| fits(&record.event)) {
            return Ok(());
        }
    }
}

fn is_started(event: &Event, run: RunId) -> bool {
    matches!(event, Event::RunStarted { run: started, .. } if *started == run)
}

fn is_over(event: &Event, run: RunId) -> bool {
    matches!(event, Event::RunExited { run: over, .. } if *over == run)
}

/// The least that a durable word costs on this disk, after all that a run does to its files.
fn synced_write(stage: &Stage) -> Result<Duration, Failure> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(stage.scene.file(".worknode/synced"))?;
    let begun = Instant::now();
    file.write_all(&[b'.'; 300])?;
    file.sync_data()?;
    Ok(begun.elapsed())
}

/// What a run's clone takes, by itself.
async fn clone(system: &System, stage: &Stage, number: usize) -> Result<Duration, Failure> {
    let context = system.context();
    let base = context.repository.base_tip(&context.team.base).await?;
    let identity = Identity::new(AGENT, "probe@bench.worknode")?;
    let dest = stage.scene.file(&format!(".worknode/clones/ours-{number}"));
    let (made, time) = timed(
        context
            .store
            .clone_for_agent(&dest, &base, "worknode/bench", &identity),
    )
    .await;
    made?;
    Ok(time)
}

/// The plain way to a clone that borrows objects.
fn git_clone(stage: &Stage, number: usize) -> Result<Duration, Failure> {
    let dest = stage.scene.file(&format!(".worknode/clones/plain-{number}"));
    let mut command = std::process::Command::new("git");
    command
        .args(["clone", "--quiet", "--shared"])
        .arg(stage.scene.path())
        .arg(dest);
    let begun = Instant::now();
    let status = command.status()?;
    let time = begun.elapsed();
    if status.success() {
        Ok(time)
    } else {
        Err(format!("git clone: {status}").into())
    }
}
