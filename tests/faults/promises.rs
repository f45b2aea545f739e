//! What must hold, checked from the journal, the processes, the files and git.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use worknode_core::{
    event::{Event, PanicStage},
    ids::{NodeId, RunId},
    run::{Ending, Purpose, StopCause},
    verdict::Outcome as Verdict,
};
use worknode_tests::scene::Scene;

use crate::{case::pause, history::History, processes};

/// How many promises there are.
pub(crate) const COUNT: usize = 8;

/// How long a shim that has told of its end may take to be gone itself.
const GONE: Duration = Duration::from_secs(3);

/// What became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Kept,
    Broken,
    /// Nothing happened that could have broken it.
    Untried,
}

/// What was there when a daemon had died.
#[derive(Debug)]
pub(crate) struct Crash {
    pub(crate) history: History,
    /// The runs that went on without it.
    pub(crate) live: Vec<String>,
}

/// A scene that is over.
pub(crate) struct Evidence<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) history: History,
    pub(crate) crashes: Vec<Crash>,
    /// Whether more than the daemon was killed.
    pub(crate) others_were_killed: bool,
    /// Runs that one task may take.
    pub(crate) runs_of_task: usize,
}

/// Checks everything. What was found before is in `problems` already, and what is found here is
/// added: the name of the promise, a colon, what is wrong.
pub(crate) fn check(evidence: &Evidence<'_>, problems: &mut Vec<String>) -> [Held; COUNT] {
    let checks: [fn(&Evidence<'_>, &mut Findings) -> bool; COUNT] = [
        one_holder,
        stop_before_hand_over,
        no_unapproved_completion,
        kill_is_proved,
        nothing_lost,
        nothing_doubled,
        no_orphans,
        bounded,
    ];
    let mut held = [Held::Untried; COUNT];
    for (number, check) in (1..).zip(checks) {
        let name = format!("P{number}:");
        let mut findings = Findings::default();
        let tried = check(evidence, &mut findings);
        problems.extend(findings.0.into_iter().map(|what| format!("{name} {what}")));
        held[number - 1] = if problems.iter().any(|problem| problem.starts_with(&name)) {
            Held::Broken
        } else if tried {
            Held::Kept
        } else {
            Held::Untried
        };
    }
    held
}

/// What is wrong.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    fn unless(&mut self, fine: bool, what: impl FnOnce() -> String) {
        if !fine {
            self.0.push(what());
        }
    }
}

/// P1: epochs strictly increase, one claim at a time, and only its holder writes under it.
fn one_holder(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let mut last: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut held: BTreeMap<NodeId, u64> = BTreeMap::new();
    for record in &evidence.history.records {
        let (task, at) = (record.node, record.at);
        let holder = held.get(&task).copied();
        match &record.event {
            Event::TaskClaimed { claim } => {
                let before = last.insert(task, claim.epoch).unwrap_or(0);
                found.unless(claim.epoch > before, || {
                    format!("epoch {} after {before} at {at}", claim.epoch)
                });
                found.unless(holder.is_none(), || format!("claimed while held at {at}"));
                held.insert(task, claim.epoch);
            }
            Event::TaskStarted { epoch }
            | Event::TaskProgressed { epoch, .. }
            | Event::ClaimRenewed { epoch, .. }
            | Event::TaskSubmitted { epoch, .. }
            | Event::TaskBlocked { epoch, .. }
            | Event::TaskReleased { epoch, .. } => {
                found.unless(holder == Some(*epoch), || {
                    format!("epoch {epoch} wrote while {holder:?} held at {at}")
                });
            }
            _ => {}
        }
        if matches!(
            record.event,
            Event::TaskSubmitted { .. }
                | Event::TaskBlocked { .. }
                | Event::TaskReleased { .. }
                | Event::TaskCancelled { .. }
        ) {
            held.remove(&task);
        }
    }
    !last.is_empty()
}

/// P2: what was released is claimed again only after the run of its holder is over, or when that
/// never was.
fn stop_before_hand_over(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let runs = evidence.history.runs();
    let mut holders: BTreeMap<NodeId, (Option<RunId>, bool)> = BTreeMap::new();
    let mut tried = false;
    for (place, record) in evidence.history.records.iter().enumerate() {
        match &record.event {
            Event::TaskClaimed { claim } => {
                if let Some((former, true)) = holders.insert(record.node, (claim.run, false)) {
                    tried = true;
                    let former = runs.iter().find(|run| Some(run.spec.id) == former);
                    let over = former.is_none_or(|run| run.exited.iter().any(|(exit, _)| *exit < place));
                    found.unless(over, || {
                        format!("claimed again at {} before its run ended", record.at)
                    });
                }
            }
            Event::TaskReleased { .. } => {
                if let Some((_, released)) = holders.get_mut(&record.node) {
                    *released = true;
                }
            }
            _ => {}
        }
    }
    tried
}

/// P3: what is completed has passing verdicts of all its gates on exactly the tree that landed,
/// and the base branch has each of them once and nothing else.
fn no_unapproved_completion(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let log = evidence
        .scene
        .git(&["log", "--reverse", "--format=%H %T %s", "main"]);
    let landed: Vec<Vec<&str>> = log
        .lines()
        .skip(2)
        .map(|line| line.splitn(3, ' ').collect())
        .collect();
    let tasks = evidence.history.tasks();
    let mut completed = 0;
    for (place, record) in evidence.history.records.iter().enumerate() {
        let Event::TaskCompleted { tree, commit } = &record.event else {
            continue;
        };
        completed += 1;
        let Some(spec) = tasks.get(&record.node) else {
            found.unless(false, || format!("{} is no task", record.node));
            continue;
        };
        let before = &evidence.history.records[..place];
        let of_task = before.iter().filter(|other| other.node == record.node);
        let judged: Vec<_> = of_task
            .rev()
            .take_while(|other| !matches!(other.event, Event::TaskSubmitted { .. }))
            .collect();
        for gate in &spec.gates {
            let latest = judged.iter().find_map(|other| match &other.event {
                Event::VerdictRecorded { verdict } if verdict.gate == *gate => Some(verdict),
                _ => None,
            });
            let passed = latest.is_some_and(|it| it.outcome == Verdict::Passed && it.tree == *tree);
            found.unless(passed, || {
                format!("{}: gate {gate} did not pass its tree", spec.key)
            });
        }
        let (commit, tree) = (commit.to_string(), tree.to_string());
        let times = landed
            .iter()
            .filter(|line| line[..] == [commit.as_str(), tree.as_str(), spec.title.as_str()]);
        let times = times.count();
        found.unless(times == 1, || format!("{} is {times} times in git", spec.key));
    }
    found.unless(landed.len() == completed, || {
        format!(
            "{completed} tasks completed, and {} commits landed:\n{log}",
            landed.len()
        )
    });
    completed > 0
}

/// P4: every run has a receipt without survivors, nothing is left, and what a panic blocks does
/// not happen.
fn kill_is_proved(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let runs = evidence.history.runs();
    for run in &runs {
        let id = run.spec.id;
        match run.receipt() {
            Some(receipt) => found.unless(receipt.survivors == 0, || {
                format!("run {id} left {} processes", receipt.survivors)
            }),
            None => found.unless(false, || format!("run {id} has no receipt")),
        }
    }
    let end = Instant::now() + GONE;
    let left = loop {
        let left = processes::of(evidence.scene);
        if left.is_empty() || Instant::now() > end {
            break left;
        }
        pause();
    };
    found.unless(left.is_empty(), || format!("processes are left: {left:?}"));
    let mut blocked = false;
    for record in &evidence.history.records {
        match &record.event {
            Event::Panicked { .. } => blocked = true,
            Event::PanicLifted {
                stage: PanicStage::Spawns,
            } => blocked = false,
            Event::RunQueued { .. } => {
                found.unless(!blocked, || {
                    format!("a run was queued in a panic, at {}", record.at)
                });
            }
            _ => {}
        }
    }
    !runs.is_empty()
}

/// P5: the journal is whole, what was there at a crash is still there, and every event that a
/// trigger waits for came to something.
fn nothing_lost(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let audit = evidence.scene.worknode(&["audit", "verify"]);
    found.unless(audit.code == Some(0), || audit.stderr.trim().to_owned());
    for crash in &evidence.crashes {
        found.unless(evidence.history.begins_with(&crash.history), || {
            "what was there at the crash is not there any more".to_owned()
        });
    }
    for record in &evidence.history.records {
        if let Event::Emitted { name, .. } = &record.event {
            let handled = evidence.history.is_handled(name, record.at);
            found.unless(handled, || format!("nothing came of `{name}` at {}", record.at));
        }
    }
    true
}

/// What triggers fired on or skipped, and which of the two.
fn occurrences(history: &History) -> impl Iterator<Item = (bool, (&str, &str))> {
    history.records.iter().filter_map(|record| match &record.event {
        Event::TriggerFired {
            trigger, occurrence, ..
        } => Some((true, (trigger.as_str(), occurrence.as_str()))),
        Event::TriggerSkipped {
            trigger, occurrence, ..
        } => Some((false, (trigger.as_str(), occurrence.as_str()))),
        _ => None,
    })
}

/// P6: no run starts twice, no task lands twice, each firing acts exactly once.
fn nothing_doubled(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let history = &evidence.history;
    let runs = history.runs();
    let mut ids = BTreeSet::new();
    for run in &runs {
        let id = run.spec.id;
        found.unless(ids.insert(id), || format!("run {id} was queued twice"));
        found.unless(run.started.len() <= 1, || format!("run {id} was started twice"));
        found.unless(run.exited.len() <= 1, || format!("run {id} ended twice"));
    }
    let mut landed = BTreeSet::new();
    for record in &history.records {
        if matches!(record.event, Event::TaskCompleted { .. }) {
            found.unless(landed.insert(record.node), || {
                format!("{} landed twice", record.node)
            });
        }
    }
    let mut seen = BTreeSet::new();
    for (fired, occurrence) in occurrences(history) {
        let (trigger, key) = occurrence;
        found.unless(seen.insert(occurrence), || {
            format!("{trigger}@{key} fired or was skipped twice")
        });
        let outcomes: Vec<&str> = history
            .records
            .iter()
            .filter_map(|record| match &record.event {
                Event::TriggerActed {
                    trigger: of,
                    occurrence,
                    outcome,
                    ..
                } if of == trigger && occurrence == key => Some(outcome.as_str()),
                _ => None,
            })
            .collect();
        found.unless(outcomes.len() == usize::from(fired), || {
            format!("{trigger}@{key} came to {outcomes:?}")
        });
    }
    let deeds = history
        .tasks()
        .values()
        .filter(|spec| spec.key.starts_with("go-"))
        .count();
    let firings = occurrences(history).filter(|(fired, (name, _))| *fired && *name == "go");
    let firings = firings.count();
    found.unless(deeds == firings, || {
        format!("`go` fired {firings} times and made {deeds} tasks")
    });
    let deeds = runs
        .iter()
        .filter(|run| matches!(run.spec.purpose, Purpose::Fired { .. }));
    // One that met an agent that may not start has said so, and that is its outcome.
    let started = history.records.iter().filter(|record| match &record.event {
        Event::TriggerActed { trigger, outcome, .. } => {
            trigger == "look" && !outcome.starts_with("not started")
        }
        _ => false,
    });
    let (deeds, started) = (deeds.count(), started.count());
    found.unless(deeds == started, || {
        format!("`look` acted {started} times and started {deeds} runs")
    });
    !runs.is_empty()
}

/// P7: a run that went on without its daemon is taken back: the same, until it ends by itself.
/// What it writes has no gap and no repetition.
fn no_orphans(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let runs = evidence.history.runs();
    let mut tried = false;
    for id in evidence.crashes.iter().flat_map(|crash| &crash.live) {
        let Some(run) = runs.iter().find(|run| run.spec.id.to_string() == *id) else {
            found.unless(false, || format!("run {id} lived and is not in the journal"));
            continue;
        };
        tried = true;
        // Whose agent is killed before the next daemon comes, that one finds ended.
        let Some(receipt) = run.receipt().filter(|_| !evidence.others_were_killed) else {
            continue;
        };
        let times = run.started.len();
        found.unless(times == 1, || format!("run {id} was started {times} times"));
        let lost = matches!(receipt.ending, Ending::NotStarted { .. } | Ending::Unseen)
            || matches!(receipt.cause, Some(StopCause::ShimGone | StopCause::Orphaned));
        found.unless(!lost, || {
            format!(
                "run {id} was not taken back: {:?}, {:?}",
                receipt.ending, receipt.cause
            )
        });
    }
    for run in &runs {
        let path = format!(".worknode/runs/{}/stdout.log", run.spec.id);
        let Ok(text) = std::fs::read_to_string(evidence.scene.file(&path)) else {
            continue;
        };
        let wrong = (1..)
            .zip(text.lines())
            .find(|(number, line)| *line != format!("line {number}"));
        found.unless(wrong.is_none(), || {
            format!("run {}: output {wrong:?}", run.spec.id)
        });
    }
    tried
}

/// P8: nothing is tried for ever.
fn bounded(evidence: &Evidence<'_>, found: &mut Findings) -> bool {
    let mut of_task: BTreeMap<NodeId, usize> = BTreeMap::new();
    for run in evidence.history.runs() {
        if let Some(task) = run.spec.purpose.task() {
            *of_task.entry(task).or_default() += 1;
        }
    }
    for (task, runs) in &of_task {
        found.unless(*runs <= evidence.runs_of_task, || {
            format!("task {task} took {runs} runs")
        });
    }
    let quarantined = evidence.history.count("agent_quarantined");
    found.unless(quarantined == 0, || "an agent was quarantined".to_owned());
    let tasks = evidence.history.tasks();
    for record in &evidence.history.records {
        let key = tasks.get(&record.node).map_or("", |spec| &spec.key);
        // Of a trigger's task that has few attempts, kills may take them all.
        let may = evidence.others_were_killed && key.starts_with("go-");
        let failed = matches!(record.event, Event::TaskFailed { .. });
        found.unless(may || !failed, || format!("{key} used up its attempts"));
    }
    !of_task.is_empty()
}
