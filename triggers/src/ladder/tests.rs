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
    }
}

/// What fires and what is skipped, each as task and step.
fn look(trigger: &Trigger, tasks: &[TaskDeadline<'_>], last: &str, now: &str) -> (Vec<String>, Vec<String>) {
    let window = Window {
        last: at(last),
        now: at(now),
    };
    let due = DeadlineLadder::of(trigger).unwrap().due(tasks, window, 100);
    let text = |step: &StepFiring<'_>| format!("{} {}", step.task.task, step.step.before);
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

proptest! {
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
