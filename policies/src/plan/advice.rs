//! What is allowed in a plan and probably not meant: tasks that may change the same files at the
//! same time, deadlines that no estimate can meet, files that no task may touch.
//!
//! Two globs share a path when one is named by both: a file that the repository has, or the simplest
//! path that one of the two patterns means. That finds what people write, and misses patterns whose
//! common paths are all odd ones.

use std::{collections::BTreeMap, iter::Peekable, str::Chars, time::Duration};

use worknode_core::time::{Span, Timestamp};

use super::{PhaseSpec, Plan, PlanTask, check::Problem, graph};
use crate::pattern::Patterns;

/// Comparisons of a path with a task's patterns. What is beyond is told, and not compared.
const LOOKS: usize = 5_000_000;
/// Pairs of tasks that are named one by one.
const PAIRS: usize = 50;
/// Files that are named one by one.
const SHOWN: usize = 10;

/// What is around the plan.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The files of the repository.
    pub files: &'a [String],
    /// What time it is.
    pub now: Timestamp,
}

/// What a plan without mistakes brings to mind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// What is probably not meant.
    pub warnings: Vec<Problem>,
    /// Files that no task may touch.
    pub untouched: usize,
    /// The first of them.
    pub first_untouched: Vec<String>,
    /// Not all files were compared with all tasks.
    pub incomplete: bool,
}

/// Looks at a plan that [`super::check`] found no mistake in.
#[must_use]
pub fn advise(plan: &Plan, around: Around<'_>) -> Advice {
    let mut advice = Advice::default();
    let mut touched = vec![false; around.files.len()];
    let mut looks = 0;
    for (at, phase) in plan.phase.iter().enumerate() {
        overlaps(at, phase, around.files, &mut touched, &mut looks, &mut advice);
    }
    deadlines(plan, around.now, &mut advice);
    let untouched = around
        .files
        .iter()
        .zip(&touched)
        .filter(|(_, touched)| !**touched);
    advice.untouched = untouched.clone().count();
    advice.first_untouched = untouched.take(SHOWN).map(|(file, _)| file.clone()).collect();
    advice
}

/// What a task may touch, ready to be asked.
struct Touches<'a> {
    task: &'a PlanTask,
    may: Vec<Patterns>,
}

impl<'a> Touches<'a> {
    fn of(task: &'a PlanTask) -> Self {
        let lists = [
            Some(&task.files),
            Some(&task.may_delete),
            task.may_create.as_ref(),
        ];
        let may = lists.into_iter().flatten();
        Self {
            task,
            may: may.filter_map(|list| Patterns::parse(list).ok()).collect(),
        }
    }

    fn may(&self, path: &str) -> bool {
        self.may.iter().any(|patterns| patterns.matches(path))
    }

    /// The simplest path that each of its patterns means.
    fn witnesses(&self) -> impl Iterator<Item = String> + '_ {
        let patterns = self.task.files.iter().chain(&self.task.may_delete);
        let named = patterns.filter(|pattern| !pattern.starts_with('!'));
        named
            .map(|pattern| witness(pattern))
            .filter(|path| self.may(path))
    }
}

/// A path that the pattern names: stars become names, of choices the first is taken.
fn witness(pattern: &str) -> String {
    let mut path = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' => {
                while rest.next_if_eq(&'*').is_some() {}
                path.push('x');
            }
            '?' => path.push('x'),
            '[' => path.push(of_class(&mut rest)),
            '{' => path.push_str(&first_choice(&mut rest)),
            '\\' => path.extend(rest.next()),
            other => path.push(other),
        }
    }
    path
}

/// A character of a class whose bracket was opened.
fn of_class(rest: &mut Peekable<Chars<'_>>) -> char {
    let first = rest.next().filter(|c| !matches!(c, '!' | '^'));
    while rest.next_if(|c| *c != ']').is_some() {}
    rest.next();
    first.unwrap_or('x')
}

/// The first of the choices whose bracket was opened.
fn first_choice(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut first = String::new();
    while let Some(c) = rest.next_if(|c| !matches!(c, ',' | '}')) {
        first.push(c);
    }
    while rest.next_if(|c| *c != '}').is_some() {}
    rest.next();
    first
}

/// Tasks of one phase that may run at the same time and may touch the same file. Phases run one
/// after the other, so no two tasks of different phases can.
fn overlaps(
    at: usize,
    phase: &PhaseSpec,
    files: &[String],
    touched: &mut [bool],
    looks: &mut usize,
    advice: &mut Advice,
) {
    let tasks: Vec<Touches<'_>> = phase.task.iter().map(Touches::of).collect();
    let witnesses: Vec<String> = tasks.iter().flat_map(Touches::witnesses).collect();
    let mut pairs: BTreeMap<(usize, usize), String> = BTreeMap::new();
    let before = graph::Before::among(&phase.task);
    let paths = files.iter().map(Some).zip(touched.iter_mut().map(Some));
    let extra = witnesses.iter().map(|path| (Some(path), None));
    for (path, touched) in paths.chain(extra) {
        let Some(path) = path else { continue };
        *looks = looks.saturating_add(tasks.len());
        if *looks > LOOKS {
            advice.incomplete = true;
            break;
        }
        let by: Vec<usize> = (0..tasks.len()).filter(|at| tasks[*at].may(path)).collect();
        if let Some(touched) = touched {
            *touched |= !by.is_empty();
        }
        note_pairs(&by, &before, path, &mut pairs);
    }
    advice
        .warnings
        .extend(pairs.into_iter().map(|((one, other), path)| Problem {
            path: format!("phase[{at}].task[{other}].files"),
            message: format!(
                "`{}` and `{}` may run at the same time, and both may change `{path}`",
                tasks[one].task.id, tasks[other].task.id
            ),
            hint: Some(format!(
                "let one depend on the other, or exclude it in one of them: \"!{path}\""
            )),
        }));
}

/// Of those that may touch the same path, the pairs that nothing keeps apart.
fn note_pairs(
    by: &[usize],
    before: &graph::Before,
    path: &str,
    pairs: &mut BTreeMap<(usize, usize), String>,
) {
    for (nth, one) in by.iter().enumerate() {
        for other in by.iter().skip(nth + 1) {
            if pairs.len() >= PAIRS {
                return;
            }
            if !before.orders(*one, *other) {
                pairs.entry((*one, *other)).or_insert_with(|| path.to_owned());
            }
        }
    }
}

/// Deadlines that cannot be met when every task takes as long as it should.
fn deadlines(plan: &Plan, now: Timestamp, advice: &mut Advice) {
    let mut finish: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut phase_begins = Duration::ZERO;
    for (at, phase) in plan.phase.iter().enumerate() {
        let mut phase_ends = phase_begins;
        for position in graph::order(&phase.task) {
            let task = &phase.task[position];
            let waits = task.depends_on.iter().filter_map(|id| finish.get(id.as_str()));
            let begins = waits.copied().fold(phase_begins, Duration::max);
            let ends = begins.saturating_add(task.estimate.map_or(Duration::ZERO, |span| span.0));
            finish.insert(&task.id, ends);
            phase_ends = phase_ends.max(ends);
            if let Some(deadline) = task.deadline
                && deadline < now.plus(ends)
            {
                let path = format!("phase[{at}].task[{position}].deadline");
                advice.warnings.push(impossible(path, task, deadline, now, ends));
            }
        }
        phase_begins = phase_ends;
    }
}

fn impossible(path: String, task: &PlanTask, deadline: Timestamp, now: Timestamp, ends: Duration) -> Problem {
    let id = &task.id;
    let message = if deadline < now {
        format!("the deadline of `{id}` has passed")
    } else {
        format!(
            "`{id}` cannot be completed by then: with what it waits for it takes {}, and {} are left",
            Span(ends),
            Span(deadline.since(now))
        )
    };
    Problem {
        path,
        message,
        hint: Some("move the deadline, or do less before it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        toml::from_str(text).unwrap()
    }

    fn advice(text: &str, files: &[&str], now: u64) -> Advice {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let around = Around {
            files: &files,
            now: Timestamp::from_millis(now),
        };
        advise(&plan(text), around)
    }

    fn task(id: &str, rest: &str) -> String {
        format!("[[phase.task]]\nid = \"{id}\"\ntitle = \"t\"\nprompt = \"p\"\n{rest}\n")
    }

    fn told(advice: &Advice) -> Vec<String> {
        let say = |problem: &Problem| format!("{}: {}", problem.path, problem.message);
        advice.warnings.iter().map(say).collect()
    }

    #[test]
    fn tasks_that_may_change_the_same_file_at_the_same_time_are_told() {
        let two = |first: &str, second: &str| {
            let text = [
                "[[phase]]\nname = \"p\"\n".to_owned(),
                task("a", first),
                task("b", second),
            ];
            told(&advice(&text.concat(), &["src/lib.rs"], 0))
        };
        let found = two("files = [\"src/**\"]", "files = [\"src/lib.rs\"]");
        assert_eq!(
            found,
            [
                "phase[0].task[1].files: `a` and `b` may run at the same time, and both may change `src/lib.rs`"
            ]
        );
        let no = "files = [\"src/**\", \"!src/lib.rs\", \"!src/x\"]";
        assert!(two(no, "files = [\"src/lib.rs\"]").is_empty(), "excluded");
        assert!(
            two(
                "files = [\"src/**\"]",
                "files = [\"src/lib.rs\"]\ndepends_on = [\"a\"]"
            )
            .is_empty(),
            "one after the other"
        );
        assert_eq!(
            two("files = [\"new/*.md\"]", "files = [\"new/**\"]").len(),
            1,
            "files that are not there yet"
        );
        assert!(two("files = [\"a/**\"]", "files = [\"b/**\"]").is_empty());
    }

    #[test]
    fn what_waits_indirectly_or_in_another_phase_does_not_run_at_the_same_time() {
        let text = [
            "[[phase]]\nname = \"p\"\n".to_owned(),
            task("a", "files = [\"x\"]"),
            task("b", "files = [\"y\"]\ndepends_on = [\"a\"]"),
            task("c", "files = [\"x\"]\ndepends_on = [\"b\"]"),
            "[[phase]]\nname = \"q\"\n".to_owned(),
            task("d", "files = [\"x\"]"),
        ];
        assert_eq!(told(&advice(&text.concat(), &["x"], 0)), [""; 0]);
    }

    #[test]
    fn deadlines_that_no_estimate_can_meet_are_told() {
        let text = [
            "[[phase]]\nname = \"p\"\n".to_owned(),
            task("a", "files = [\"a\"]\nestimate = \"2h\""),
            task(
                "b",
                "files = [\"b\"]\nestimate = \"1h\"\ndepends_on = [\"a\"]\ndeadline = \"1970-01-01T02:30:00Z\"",
            ),
            "[[phase]]\nname = \"q\"\n".to_owned(),
            task("c", "files = [\"c\"]\ndeadline = \"1970-01-01T03:00:00Z\""),
        ];
        let found = told(&advice(&text.concat(), &[], 0));
        assert_eq!(
            found,
            [
                "phase[0].task[1].deadline: `b` cannot be completed by then: with what it waits for it takes 3h, and 2h 30m are left"
            ]
        );
        let late = told(&advice(&text.concat(), &[], 4 * 60 * 60 * 1_000));
        assert!(late[1].contains("has passed"), "{late:?}");
    }

    #[test]
    fn files_that_no_task_may_touch_are_counted() {
        let text = [
            "[[phase]]\nname = \"p\"\n".to_owned(),
            task("a", "files = [\"src/*\"]"),
        ];
        let found = advice(&text.concat(), &["README.md", "src/a", "src/b/c"], 0);
        assert_eq!(
            (found.untouched, &found.first_untouched[..]),
            (2, &["README.md".to_owned(), "src/b/c".to_owned()][..])
        );
        assert!(!found.incomplete);
    }

    #[test]
    fn p8_a_plan_of_ten_thousand_tasks_is_not_compared_for_ever() {
        let many: String = (0..3_000)
            .map(|n| task(&format!("t{n}"), "files = [\"**\"]"))
            .collect();
        let found = advice(&format!("[[phase]]\nname = \"p\"\n{many}"), &["a"; 3_000], 0);
        assert!(found.incomplete);
        assert_eq!(found.warnings.len(), PAIRS);
    }
}
