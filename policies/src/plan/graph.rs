//! Who waits for whom within a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{PhaseSpec, Plan, PlanTask};

/// Names of a cycle that are shown; the rest is counted.
const SHOWN: usize = 12;

/// The last tasks of a phase: those that no other task of the same phase waits for. When they
/// are completed, so is all that they waited for, hence the whole phase; waiting for them says
/// the same with fewer words than waiting for each.
pub(super) fn last_tasks(phase: &PhaseSpec) -> Vec<&str> {
    let waited_for: BTreeSet<&str> = phase
        .task
        .iter()
        .flat_map(|task| &task.depends_on)
        .map(String::as_str)
        .collect();
    phase
        .task
        .iter()
        .map(|task| task.id.as_str())
        .filter(|id| !waited_for.contains(id))
        .collect()
}

/// For each phase, the tasks of the phase before that its tasks wait for. Phases without tasks
/// are skipped.
pub(super) fn awaited(plan: &Plan) -> Vec<Vec<&str>> {
    let mut before = Vec::new();
    plan.phase
        .iter()
        .map(|phase| {
            let awaited = before.clone();
            if !phase.task.is_empty() {
                before = last_tasks(phase);
            }
            awaited
        })
        .collect()
}

/// The cycles among `tasks`, each with the task at which it was noticed. Dependencies on tasks
/// that are not among them are ignored.
///
/// Walks with a stack of its own, so that a chain of ten thousand tasks is no danger.
pub(super) fn cycles<'a>(tasks: &[&'a PlanTask]) -> Vec<(&'a str, String)> {
    let by_id: BTreeMap<&str, &'a PlanTask> = tasks.iter().map(|task| (task.id.as_str(), *task)).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for task in tasks {
        if done.contains(task.id.as_str()) {
            continue;
        }
        walk(task, &by_id, &mut done, &mut found);
    }
    found
}

fn walk<'a>(
    start: &'a PlanTask,
    by_id: &BTreeMap<&'a str, &'a PlanTask>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<(&'a str, String)>,
) {
    let mut path: Vec<(&str, std::slice::Iter<'_, String>)> =
        vec![(start.id.as_str(), start.depends_on.iter())];
    let mut on_path: BTreeMap<&str, usize> = BTreeMap::from([(start.id.as_str(), 0)]);
    while let Some((id, rest)) = path.last_mut() {
        let id = *id;
        let Some(next) = rest.next() else {
            path.pop();
            on_path.remove(id);
            done.insert(id);
            continue;
        };
        let Some(task) = by_id.get(next.as_str()) else {
            continue;
        };
        if let Some(at) = on_path.get(task.id.as_str()) {
            let members: Vec<&str> = path[*at..].iter().map(|(id, _)| *id).collect();
            found.push((id, describe(&members)));
        } else if !done.contains(task.id.as_str()) {
            on_path.insert(task.id.as_str(), path.len());
            path.push((task.id.as_str(), task.depends_on.iter()));
        }
    }
}

/// `a → b → a`, with the middle left out when it is long.
fn describe(members: &[&str]) -> String {
    let first = members.first().copied().unwrap_or_default();
    let more = members.len().saturating_sub(SHOWN);
    let mut names: Vec<String> = members.iter().take(SHOWN).map(|id| format!("`{id}`")).collect();
    if more > 0 {
        names.push(format!("({more} more)"));
    }
    names.push(format!("`{first}`"));
    names.join(" → ")
}

/// The positions of `tasks` so that each comes after those of them that it waits for. Those that wait
/// for each other are left out.
pub(super) fn order(tasks: &[PlanTask]) -> Vec<usize> {
    let places = places(tasks);
    let mut open: Vec<usize> = Vec::with_capacity(tasks.len());
    let mut waiters: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    for (at, task) in tasks.iter().enumerate() {
        let awaited: BTreeSet<usize> = awaited_by(task, &places).collect();
        open.push(awaited.len());
        for other in awaited {
            waiters[other].push(at);
        }
    }
    let mut ordered: Vec<usize> = (0..tasks.len()).filter(|at| open[*at] == 0).collect();
    let mut next = 0;
    while let Some(done) = ordered.get(next).copied() {
        next += 1;
        for waiter in &waiters[done] {
            open[*waiter] -= 1;
            if open[*waiter] == 0 {
                ordered.push(*waiter);
            }
        }
    }
    ordered
}

fn places(tasks: &[PlanTask]) -> BTreeMap<&str, usize> {
    let places = tasks.iter().enumerate();
    places.map(|(at, task)| (task.id.as_str(), at)).collect()
}

fn awaited_by<'a>(task: &'a PlanTask, places: &'a BTreeMap<&str, usize>) -> impl Iterator<Item = usize> + 'a {
    let ids = task.depends_on.iter();
    ids.filter_map(|id| places.get(id.as_str()).copied())
}

/// Which of a phase's tasks wait for which, directly or not: a bit for each pair.
pub(super) struct Before {
    bits: Vec<Vec<u64>>,
}

impl Before {
    pub(super) fn among(tasks: &[PlanTask]) -> Self {
        let places = places(tasks);
        let words = tasks.len().div_ceil(64);
        let mut bits = vec![vec![0_u64; words]; tasks.len()];
        for at in order(tasks) {
            let mut own = std::mem::take(&mut bits[at]);
            for other in awaited_by(&tasks[at], &places) {
                own[other / 64] |= 1 << (other % 64);
                for (word, theirs) in own.iter_mut().zip(&bits[other]) {
                    *word |= theirs;
                }
            }
            bits[at] = own;
        }
        Self { bits }
    }

    /// Does one of the two wait for the other?
    pub(super) fn orders(&self, one: usize, other: usize) -> bool {
        let waits = |of: usize, on: usize| self.bits[of][on / 64] >> (on % 64) & 1 == 1;
        waits(one, other) || waits(other, one)
    }
}
