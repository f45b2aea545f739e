//! One row of the matrix, played.

use std::time::{Duration, Instant};

use worknode_tests::scene::Scene;

use crate::{
    act,
    daemon::Daemon,
    history::History,
    processes::{self, Process, Role},
    promises::{self, Crash, Evidence},
    report::Outcome,
    steps::{Case, Fault},
    team::{self, HOLD},
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(30);
/// How long the first daemon may take to come to its fault, and the next to finish the plan.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long what is wrong may last while things settle: a shim that has just lost its daemon
/// needs a moment to notice.
const SETTLE: Duration = Duration::from_secs(3);

/// Runs that one task takes at the most: its own two attempts and two reviews, and what one fault
/// may cost.
const RUNS_OF_TASK: usize = 8;

/// Waits for a moment.
pub(crate) fn pause() {
    std::thread::park_timeout(LOOK);
}

/// Plays the case to its end, and says what held.
pub(crate) fn play(case: &Case) -> Outcome {
    let scene = team::scene();
    act::prepare(case.act, &scene);
    let mut daemon = Daemon::start(&scene, 1, Some(case.variable()));
    let seen = until_dead(case, &scene, &mut daemon);
    let Some(seen) = seen else {
        let gone = daemon.down(&scene).err();
        let outcome = Outcome::not_reached(gone);
        keep(&scene, &case.name(), &outcome.problems);
        return outcome;
    };
    let mut problems: Vec<String> = daemon.surprise().into_iter().collect();
    let crash = look_around(&scene, seen, &mut problems);

    let mut daemon = Daemon::start(&scene, 2, None);
    let next = daemon.pid();
    problems.extend(finish(&scene, &mut daemon, PATIENCE, |history| {
        if history.has_started(next) && !act::holds_agents(case.act) {
            let_go(&scene);
        }
        act::go_on(case.act, &scene, history)
    }));
    let evidence = Evidence {
        scene: &scene,
        history: History::read(scene.path()),
        crashes: vec![crash],
        others_were_killed: matches!(case.fault, Fault::Shim(_)),
        runs_of_task: RUNS_OF_TASK,
    };
    let held = promises::check(&evidence, &mut problems);
    keep(&scene, &case.name(), &problems);
    Outcome::reached(held, problems)
}

/// Plays until the daemon has died of its fault. What the journal showed last before that;
/// nothing when the whole plan was worked off without it.
fn until_dead(case: &Case, scene: &Scene, daemon: &mut Daemon) -> Option<History> {
    let end = Instant::now() + PATIENCE;
    let mut history = History::default();
    loop {
        // What is read before the look at the daemon was acknowledged by a living one.
        history.refresh(scene.path());
        if daemon.is_over() {
            return Some(history);
        }
        if matches!(case.fault, Fault::Shim(_)) && has_lost_a_run(&history) {
            daemon.kill();
            return Some(history);
        }
        let busy = act::go_on(case.act, scene, &history);
        if (!busy && is_finished(&history)) || Instant::now() > end {
            return None;
        }
        pause();
    }
}

/// Whether a run ended because its shim did.
fn has_lost_a_run(history: &History) -> bool {
    let runs = history.runs();
    let lost = runs.iter().filter_map(|run| run.receipt());
    lost.filter(|receipt| receipt.ending != CLEAN).count() > 0
}

const CLEAN: worknode_core::run::Ending = worknode_core::run::Ending::Code { code: 0 };

/// The plan is worked off, and nobody works any more.
pub(crate) fn is_finished(history: &History) -> bool {
    history.tasks().len() >= 4
        && history.open_tasks().is_empty()
        && history.runs().iter().all(|run| !run.exited.is_empty())
        && history.all_handled()
        && history.count("trigger_fired") <= history.count("trigger_acted")
}

/// What there is to see while no daemon lives. Agents hold from here on.
pub(crate) fn look_around(scene: &Scene, seen: History, problems: &mut Vec<String>) -> Crash {
    scene.write(HOLD, "");
    let history = History::read(scene.path());
    if !history.begins_with(&seen) {
        problems.push("P5: what was read before the crash is not in the journal".to_owned());
    }
    let end = Instant::now() + SETTLE;
    let processes = loop {
        let processes = processes::of(scene);
        let wrong = processes::wrong_without_daemon(&processes);
        if wrong.is_empty() {
            break processes;
        }
        if Instant::now() > end {
            problems.extend(wrong.into_iter().map(|what| format!("P7: {what}")));
            break processes;
        }
        pause();
    };
    Crash {
        live: live_runs(&processes),
        history,
    }
}

/// The runs with a shim and an agent.
fn live_runs(processes: &[Process]) -> Vec<String> {
    let shims = processes.iter().filter(|process| process.role == Role::Shim);
    let with_agent = shims.filter(|shim| {
        let named = |role: &Role| matches!(role, Role::Agent(name) if !name.is_empty());
        processes
            .iter()
            .any(|other| other.run == shim.run && named(&other.role))
    });
    with_agent.map(|shim| shim.run.clone()).collect()
}

/// Agents need not hold any more.
pub(crate) fn let_go(scene: &Scene) {
    // Gone already is as well.
    let _ = std::fs::remove_file(scene.file(HOLD));
}

/// Lets the plan come to its end under a daemon without faults, and ends that. What went wrong.
pub(crate) fn finish(
    scene: &Scene,
    daemon: &mut Daemon,
    patience: Duration,
    mut go_on: impl FnMut(&History) -> bool,
) -> Vec<String> {
    let end = Instant::now() + patience;
    let mut history = History::default();
    let mut problems = Vec::new();
    loop {
        history.refresh(scene.path());
        let busy = go_on(&history);
        if !busy && history.has_started(daemon.pid()) && is_finished(&history) {
            break;
        }
        if daemon.is_over() {
            let how = daemon.surprise();
            problems.push(how.unwrap_or_else(|| "end: the next daemon was killed".to_owned()));
            return problems;
        }
        if Instant::now() > end {
            let open = history.open_tasks().join(", ");
            problems.push(format!(
                "end: the plan was not finished; open: [{open}], busy: {busy}"
            ));
            break;
        }
        pause();
    }
    problems.extend(daemon.down(scene).err().map(|what| format!("end: {what}")));
    problems
}

/// `FAULTS_KEEP=DIR` keeps what a failed scene left, for whoever looks for the cause.
pub(crate) fn keep(scene: &Scene, name: &str, problems: &[String]) {
    let Some(dir) = std::env::var_os("FAULTS_KEEP").filter(|_| !problems.is_empty()) else {
        return;
    };
    let to = std::path::Path::new(&dir).join(name.replace([' ', ':'], "-"));
    let copied = std::fs::create_dir_all(&dir).and_then(|()| {
        std::process::Command::new("cp")
            .arg("-r")
            .arg(scene.path())
            .arg(&to)
            .status()
            .map(drop)
    });
    match copied {
        Ok(()) => eprintln!("{name}: kept in {}", to.display()),
        Err(error) => eprintln!("{name}: cannot be kept: {error}"),
    }
}
