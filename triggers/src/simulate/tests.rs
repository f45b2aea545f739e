use worknode_core::hlc::Hlc;

use super::*;
use crate::{
    due::{due, upcoming},
    spec::TriggerSpec,
    trigger::compile,
};

fn trigger(text: &str) -> Trigger {
    compile(&toml::from_str::<TriggerSpec>(text).unwrap()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn told(triggers: &[Trigger], from: &str, to: &str, world: World<'_>) -> Vec<String> {
    let all = simulate(triggers, at(from), at(to), world);
    all.map(|one| {
        let skipped = one
            .skipped
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        format!("{} {}{skipped}", &one.at.to_string()[5..16], one.trigger.name())
    })
    .collect()
}

const SPAWN: &str = "spawn = { agent = \"a\" }";

#[test]
fn what_would_fire_is_told_in_order() {
    let triggers = [
        trigger("name = \"daily\"\ncron = \"0 9 * * *\"\nnotify = \"operator\""),
        trigger("name = \"often\"\nevery = \"12h\"\nnotify = \"operator\""),
        trigger("name = \"off\"\nevery = \"1h\"\nenabled = false\nnotify = \"operator\""),
        trigger(
            "name = \"twice\"\nevery = \"1h\"\nmax_firings = 1\nend = \"2026-11-21T11:00:00Z\"\nnotify = \"operator\"",
        ),
    ];
    let found = told(
        &triggers,
        "2026-11-21T08:30:00Z",
        "2026-11-22T00:00:00Z",
        World::default(),
    );
    assert_eq!(
        found,
        [
            "11-21T09:00 daily",
            "11-21T09:00 twice",
            "11-21T10:00 twice: the trigger has acted as often as it may",
            "11-21T11:00 twice: the trigger has acted as often as it may",
            "11-21T12:00 often",
            "11-22T00:00 often",
        ]
    );
}

#[test]
fn runs_that_take_time_overlap_as_they_would() {
    let world = || World {
        run_time: Duration::from_secs(90 * 60),
        ..World::default()
    };
    let with = |overlap: &str| {
        let text = format!("name = \"t\"\ncron = \"0 * * * *\"\noverlap = \"{overlap}\"\n{SPAWN}");
        told(
            &[trigger(&text)],
            "2026-11-21T08:30:00Z",
            "2026-11-21T12:10:00Z",
            world(),
        )
    };
    let still = "the last firing was still running";
    assert_eq!(
        with("forbid"),
        [
            "11-21T09:00 t".to_owned(),
            format!("11-21T10:00 t: {still}"),
            "11-21T11:00 t".to_owned(),
            format!("11-21T12:00 t: {still}")
        ]
    );
    assert_eq!(with("allow").len(), 4);
    assert_eq!(
        with("queue"),
        ["11-21T09:00 t", "11-21T10:30 t", "11-21T12:00 t",]
    );
}

#[test]
fn events_and_deadlines_are_simulated_too() {
    let triggers = [
        trigger("name = \"broken\"\nevent = \"build_failed\"\nconsecutive = 2\nnotify = \"operator\""),
        trigger("name = \"quiet\"\nevent = \"progress\"\nabsent_for = \"4h\"\nnotify = \"operator\""),
        trigger(
            "name = \"ladder\"\ndeadline = { of = \"task:*\", steps = [{ at = \"6h\", notify = \"assignee\" }, { at = \"1h\", notify = \"executive\" }] }",
        ),
    ];
    let event = |kind, hour: &str| Seen {
        kind,
        stamp: Hlc {
            wall: at(&format!("2026-11-21T{hour}:00Z")),
            counter: 0,
            origin: 1,
        },
        source: "coder",
        path: "team/coder",
        facts: None,
    };
    let world = World {
        tasks: vec![TaskDeadline {
            task: "schema",
            deadline: at("2026-11-21T12:00:00Z"),
            since: at("2026-11-21T09:00:00Z"),
            done: None,
            facts: None,
        }],
        events: vec![
            event("build_failed", "09:10"),
            event("progress", "09:20"),
            event("build_failed", "09:30"),
        ],
        run_time: Duration::ZERO,
    };
    assert_eq!(
        told(&triggers, "2026-11-21T08:30:00Z", "2026-11-21T20:00:00Z", world),
        [
            "11-21T09:00 ladder",
            "11-21T09:30 broken",
            "11-21T11:00 ladder",
            "11-21T13:20 quiet"
        ]
    );
}

#[test]
fn p6_a_simulation_tells_what_will_fire() {
    let text = "name = \"t\"\ncron = \"*/7 1-4 * * *\"\ntimezone = \"Europe/Berlin\"\njitter = \"3m\"\nnotify = \"operator\"";
    let triggers = [trigger(text)];
    let (from, to) = (at("2026-10-24T20:00:00Z"), at("2026-10-26T20:00:00Z"));
    let told: Vec<Occurrence> = simulate(&triggers, from, to, World::default())
        .map(|one| one.occurrence())
        .collect();
    let listed: Vec<Occurrence> = upcoming(&triggers[0], from)
        .take_while(|firing| firing.due_at <= to)
        .map(|firing| firing.occurrence)
        .collect();
    let (mut last, mut fired) = (from, Vec::new());
    while last < to {
        let now = last.plus(Duration::from_secs(45));
        let due = due(
            &triggers[0],
            Window {
                last,
                now: now.min(to),
            },
            100,
        );
        fired.extend(due.fire.into_iter().map(|firing| firing.occurrence));
        last = now;
    }
    assert!(told.len() > 60);
    assert_eq!(told, listed);
    assert_eq!(told, fired);
}
