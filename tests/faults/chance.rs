//! Kills at moments that nobody chose: daemon, shims, agents, one or all.

use std::time::{Duration, Instant};

use worknode_tests::scene::Scene;

use crate::{
    act,
    case::{self, finish, let_go, look_around, pause},
    daemon::Daemon,
    history::History,
    processes::{self, Process, Role},
    promises::{self, Evidence},
    report::{Outcome, Row},
    steps::Act,
    team::{self, ATTEMPTS},
};

/// How long there is killing in one scene, before it is left alone and must come to its end.
const KILLING: Duration = Duration::from_secs(8);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Numbers that look random and follow from the seed (xorshift64*).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn one_of<T>(&mut self, all: Vec<T>) -> Option<T> {
        let count = u64::try_from(all.len()).unwrap_or(0);
        let chosen = usize::try_from(self.below(count.max(1))).unwrap_or(0);
        all.into_iter().nth(chosen)
    }
}

/// Plays scenes until the time is over, two at a time.
pub(crate) fn play(seed: u64, time: Duration) -> Vec<Row> {
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        let lanes = [0, 1].map(|lane| scope.spawn(move || play_lane(seed, lane, end)));
        let played = lanes.into_iter().map(|lane| lane.join().unwrap_or_default());
        played.flatten().collect()
    })
}

/// Scene `n` of lane `l` has the seed `seed + 2n + l`, so that one of them can be played again.
fn play_lane(seed: u64, lane: u64, end: Instant) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut next = seed.wrapping_add(lane);
    while Instant::now() < end {
        let of_scene = next;
        let row = Row::of(format!("chance seed {of_scene}"), || one(of_scene));
        eprintln!("chance  {}", row.line());
        rows.push(row);
        next = next.wrapping_add(2);
    }
    rows
}

/// How often each was killed.
#[derive(Debug, Default)]
struct Killed {
    daemons: usize,
    shims: usize,
    agents: usize,
    all: usize,
}

fn one(seed: u64) -> Outcome {
    // Never zero, which would stay so.
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let scene = team::scene();
    let mut problems = Vec::new();
    let mut crashes = Vec::new();
    let mut killed = Killed::default();
    let mut started = 1;
    let mut daemon = Daemon::start(&scene, started, None);
    let mut history = History::default();
    let end = Instant::now() + KILLING;
    while Instant::now() < end {
        wait(
            Duration::from_millis(100 + chance.below(700)),
            &scene,
            &mut history,
        );
        if chance.below(2) == 0 {
            daemon.kill();
            killed.daemons += 1;
            problems.extend(daemon.surprise());
            let seen = std::mem::take(&mut history);
            crashes.push(look_around(&scene, seen, &mut problems));
            if chance.below(3) == 0 {
                kill_some(&mut chance, &scene, &mut killed);
            }
            started += 1;
            daemon = Daemon::start(&scene, started, None);
            let_go(&scene);
        } else {
            kill_some(&mut chance, &scene, &mut killed);
        }
    }
    let ended = finish(&scene, &mut daemon, PATIENCE, |history| {
        // A trigger's task has three attempts, and three kills take them.
        for key in history.failed_firings() {
            scene.worknode(&["task", "retry", key]);
        }
        act::go_on(Act::Watch, &scene, history)
    });
    problems.extend(ended);
    let evidence = Evidence {
        scene: &scene,
        history: History::read(scene.path()),
        crashes,
        others_were_killed: killed.shims + killed.agents + killed.all > 0,
        runs_of_task: usize::try_from(ATTEMPTS).unwrap_or(usize::MAX),
    };
    let held = promises::check(&evidence, &mut problems);
    case::keep(&scene, &format!("chance seed {seed}"), &problems);
    let Killed {
        daemons,
        shims,
        agents,
        all,
    } = killed;
    let mut outcome = Outcome::reached(held, problems);
    outcome.note = format!("killed: {daemons} daemons, {shims} shims, {agents} agents, {all} times all");
    outcome
}

/// Lets the team work for a while, and sees to it that a trigger fires.
fn wait(time: Duration, scene: &Scene, history: &mut History) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        history.refresh(scene.path());
        act::go_on(Act::Watch, scene, history);
        pause();
    }
}

/// A shim, a process of an agent, or everything but the daemon.
fn kill_some(chance: &mut Chance, scene: &Scene, killed: &mut Killed) {
    let present = processes::of(scene);
    let only = |shims: bool| -> Vec<Process> {
        let is_one = |process: &&Process| (process.role == Role::Shim) == shims;
        present.iter().filter(is_one).cloned().collect()
    };
    let chosen = match chance.below(4) {
        0 => only(true),
        1 | 2 => only(false),
        _ => {
            killed.all += 1;
            return processes::kill(scene, &only(false));
        }
    };
    let Some(process) = chance.one_of(chosen) else {
        return;
    };
    if process.role == Role::Shim {
        killed.shims += 1;
    } else {
        killed.agents += 1;
    }
    processes::kill(scene, &[process]);
}
