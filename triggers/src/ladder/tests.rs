use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{spec::TriggerSpec, trigger::compile};

fn trigger(of: &str, misfire: &str) -> Trigger {
    let text = format!(
        r#"
        name = "ladder"
        misfire = "{misfire}"
        deadline = {{ of = "{of}", steps = [
            {{ at = "6h", spawn = {{ profile = "emergency" }} }},
            {{ at = "24h", notify = "assignee" }},
            {{ at = "12h", notify = "executive" }},
        ] }}"#
    );
    compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn task(task: &str) -> TaskDeadline<'_> {
    TaskDeadline {
        task,
        deadline: at("2026-12-01T18:00:00Z"),
        since: at("2026-11-01T00:00:00Z"),
        done: None,
        facts: None,
    }
}

/// What fires and what is skipped, each as task and step.
fn look(trigger: &Trigger, tasks: &[TaskDeadline<'_>], last: &str, now: &str) -> (Vec<String>, Vec<String>) {
    let window = Window {
        last: at(last),
        now: at(now),
    };
    let due = DeadlineLadder::of(trigger).unwrap().due(tasks, window, 100);
    let text = |step: &StepFiring<'_>| format!("{} {}", step.task.task, step.step.when);
    (
        due.fire.iter().map(text).collect(),
        due.skipped.iter().map(|(step, _)| text(step)).collect(),
    )
}

const NONE: [&str; 0] = [];

#[test]
fn each_step_fires_at_its_time() {
    let ladder = trigger("task:*", "once");
    let tasks = [task("schema")];
    for (last, now, expected) in [
        ("2026-11-30T17:59:59Z", "2026-11-30T18:00:00Z", "schema 1day"),
        ("2026-12-01T05:59:30Z", "2026-12-01T06:00:30Z", "schema 12h"),
        ("2026-12-01T11:59:30Z", "2026-12-01T12:00:00Z", "schema 6h"),
    ] {
        assert_eq!(look(&ladder, &tasks, last, now).0, [expected]);
    }
    let quiet = look(&ladder, &tasks, "2026-11-30T18:00:00Z", "2026-12-01T05:59:59Z");
    assert!(quiet.0.is_empty() && quiet.1.is_empty());
}

#[test]
fn the_identity_names_task_deadline_and_step() {
    let ladder = trigger("task:*", "once");
    let tasks = [task("schema")];
    let window = Window {
        last: at("2026-12-01T11:59:30Z"),
        now: at("2026-12-01T12:00:00Z"),
    };
    let due = DeadlineLadder::of(&ladder).unwrap().due(&tasks, window, 100);
    assert_eq!(
        due.fire[0].firing.occurrence.to_string(),
        "ladder@schema@2026-12-01T18:00:00.000Z#6h"
    );
}

#[test]
fn only_the_named_tasks_have_this_ladder() {
    let ladder = trigger("task:api-*", "once");
    let (fire, _) = look(
        &ladder,
        &[task("schema"), task("api-users")],
        "2026-11-30T17:59:59Z",
        "2026-11-30T18:00:00Z",
    );
    assert_eq!(fire, ["api-users 1day"]);
}

#[test]
fn of_late_steps_the_policy_keeps_for_each_task_what_it_says() {
    let tasks = [task("schema"), task("api")];
    let (last, now) = ("2026-11-30T12:00:00Z", "2026-12-01T15:00:00Z");
    let (fire, skipped) = look(&trigger("task:*", "once"), &tasks, last, now);
    assert_eq!(fire, ["api 6h", "schema 6h"]);
    assert_eq!(skipped, ["api 1day", "schema 1day", "api 12h", "schema 12h"]);
    assert_eq!(look(&trigger("task:*", "skip"), &tasks, last, now).0, NONE);
    assert_eq!(look(&trigger("task:*", "all"), &tasks, last, now).0.len(), 6);
}

#[test]
fn a_task_that_is_given_little_time_starts_on_the_step_it_has_reached() {
    let hurried = TaskDeadline {
        since: at("2026-12-01T09:00:00Z"),
        ..task("schema")
    };
    let ladder = trigger("task:*", "once");
    let (fire, skipped) = look(
        &ladder,
        &[hurried],
        "2026-12-01T08:59:00Z",
        "2026-12-01T09:00:01Z",
    );
    assert_eq!(
        (fire, skipped),
        (vec!["schema 12h".to_owned()], vec!["schema 1day".to_owned()])
    );
    // The last step is still to come, at its own time.
    let next = DeadlineLadder::of(&ladder)
        .unwrap()
        .next_due(&[hurried], at("2026-12-01T09:00:01Z"));
    assert_eq!(next, Some(at("2026-12-01T12:00:00Z")));
}

#[test]
fn p6_a_moved_deadline_plans_anew_with_other_identities() {
    let ladder = trigger("task:*", "once");
    let moved = TaskDeadline {
        deadline: at("2026-12-03T18:00:00Z"),
        since: at("2026-12-01T13:00:00Z"),
        ..task("schema")
    };
    let deadline_ladder = DeadlineLadder::of(&ladder).unwrap();
    let next = deadline_ladder.next_due(&[moved], at("2026-12-01T13:00:00Z"));
    assert_eq!(next, Some(at("2026-12-02T18:00:00Z")));
    let window = Window {
        last: at("2026-12-02T17:59:00Z"),
        now: at("2026-12-02T18:00:00Z"),
    };
    let due = deadline_ladder.due(&[moved], window, 100);
    assert_eq!(
        due.fire[0].firing.occurrence.key,
        "schema@2026-12-03T18:00:00.000Z#1day"
    );
}

#[test]
fn p8_many_late_tasks_are_bounded_by_the_catch_up() {
    let names: Vec<String> = (0..500).map(|number| format!("task-{number:03}")).collect();
    let tasks: Vec<_> = names.iter().map(|name| task(name)).collect();
    let ladder = trigger("task:*", "once");
    let window = Window {
        last: at("2026-11-30T12:00:00Z"),
        now: at("2026-12-01T15:00:00Z"),
    };
    let due = DeadlineLadder::of(&ladder).unwrap().due(&tasks, window, 100);
    assert_eq!(due.fire.len(), 100);
    assert_eq!(due.skipped.len() + due.unlisted, 1_400);
    assert_eq!(due.skipped.len(), LISTED);
}

/// A ladder with these steps for all tasks.
fn ladder_of(steps: &str, extra: &str) -> Trigger {
    let text = format!("name = \"ladder\"\ndeadline = {{ of = \"task:*\", {extra} steps = [{steps}] }}");
    compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap()
}

#[test]
fn steps_come_after_the_deadline_too() {
    let ladder = ladder_of(
        "{ after = \"1h\", notify = \"executive\" }, { at = \"0s\", notify = \"assignee\" }",
        "",
    );
    let tasks = [task("schema")];
    let (fire, _) = look(&ladder, &tasks, "2026-12-01T17:59:30Z", "2026-12-01T18:00:00Z");
    assert_eq!(fire, ["schema 0s"]);
    let (fire, _) = look(&ladder, &tasks, "2026-12-01T18:59:30Z", "2026-12-01T19:00:00Z");
    assert_eq!(fire, ["schema +1h"]);
}

#[test]
fn a_part_of_the_time_may_pass_with_less_than_a_part_done() {
    let ladder = ladder_of(
        "{ elapsed = \"80%\", done_below = \"50%\", notify = \"executive\" }",
        "",
    );
    let given = TaskDeadline {
        since: at("2026-12-01T08:00:00Z"),
        ..task("schema")
    };
    let (last, now) = ("2026-12-01T15:59:30Z", "2026-12-01T16:00:00Z");
    assert_eq!(look(&ladder, &[given], last, now).0, ["schema 80%"]);
    let halfway = TaskDeadline {
        done: Percent::new(50),
        ..given
    };
    let window = Window {
        last: at(last),
        now: at(now),
    };
    let due = DeadlineLadder::of(&ladder).unwrap().due(&[halfway], window, 100);
    assert!(due.fire.is_empty());
    assert_eq!(due.skipped[0].1, SkipReason::DoneEnough);
    let behind = TaskDeadline {
        done: Percent::new(49),
        ..given
    };
    assert_eq!(look(&ladder, &[behind], last, now).0, ["schema 80%"]);
}

#[test]
fn a_condition_chooses_tasks_and_says_when_it_cannot() {
    let ladder = ladder_of(
        "{ at = \"1h\", notify = \"executive\" }",
        "where = \"priority > 2\",",
    );
    let (urgent, calm) = (Facts::new().with("priority", 3), Facts::new().with("priority", 1));
    let known = |facts| TaskDeadline {
        facts: Some(facts),
        ..task("schema")
    };
    let window = Window {
        last: at("2026-12-01T16:59:30Z"),
        now: at("2026-12-01T17:00:00Z"),
    };
    let ladder = DeadlineLadder::of(&ladder).unwrap();
    assert_eq!(
        ladder
            .due(&[known(&urgent), known(&calm)], window, 100)
            .fire
            .len(),
        1
    );
    let unknown = ladder.due(&[task("schema")], window, 100);
    assert_eq!((unknown.fire.len(), unknown.unjudged.len()), (0, 1));
}

proptest! {
    /// A deadline that is moved to and fro, also back to where it was: no identity acts twice.
    #[test]
    fn p6_no_step_fires_twice_for_one_deadline(moves in prop::collection::vec((0_u64..48, 1_u64..30), 1..12)) {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let ladder = trigger("task:*", "all");
        let start = at("2026-12-01T00:00:00Z");
        let (mut now, mut fired) = (start, std::collections::BTreeSet::new());
        for (deadline, passes) in moves {
            let moved = TaskDeadline {
                deadline: start.plus(hours(deadline)),
                since: now,
                ..task("schema")
            };
            let window = Window { last: now, now: now.plus(hours(passes)) };
            let due = DeadlineLadder::of(&ladder).unwrap().due(&[moved], window, 100);
            let mut seen = std::collections::BTreeSet::new();
            for step in due.fire {
                prop_assert!(seen.insert(step.firing.occurrence.clone()), "twice in one look");
                fired.insert(step.firing.occurrence);
            }
            now = window.now;
        }
        // Three steps for each deadline, however often it was that one.
        prop_assert!(fired.len() <= 3 * 48);
    }

    /// However time is cut into windows, each step of each task is met exactly once.
    #[test]
    fn p5_p6_contiguous_windows_meet_each_step_exactly_once(
        deadlines in prop::collection::vec((0_u64..100, 0_u64..100), 1..5),
        cuts in prop::collection::vec(1_u64..40, 1..12),
    ) {
        let start = at("2026-12-01T00:00:00Z");
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let names: Vec<String> = (0..deadlines.len()).map(|number| format!("t{number}")).collect();
        let tasks: Vec<_> = names.iter().zip(&deadlines).map(|(task, (since, deadline))| TaskDeadline {
            task,
            deadline: start.plus(hours(*deadline)),
            since: start.plus(hours(*since)),
            done: None,
            facts: None,
        }).collect();
        let ladder = trigger("task:*", "once");
        let (mut last, mut met) = (start, Vec::new());
        for cut in cuts {
            let now = last.plus(hours(cut));
            let due = DeadlineLadder::of(&ladder).unwrap().due(&tasks, Window { last, now }, 100);
            let skipped = due.skipped.into_iter().map(|(step, _)| step);
            met.extend(skipped.chain(due.fire).map(|step| step.firing.occurrence));
            last = now;
        }
        let expected = tasks.iter().flat_map(|task| {
            [24, 12, 6].map(|before| task.deadline.minus(hours(before)).max(task.since))
        }).filter(|at| start < *at && *at <= last).count();
        prop_assert_eq!(met.len(), expected);
        met.sort();
        met.dedup();
        prop_assert_eq!(met.len(), expected);
    }
}
