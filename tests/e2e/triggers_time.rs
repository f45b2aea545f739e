//! Triggers over restarts, pauses, bursts and set clocks, on a clock that the test moves.

use std::{collections::BTreeMap, time::Duration};

use worknode_actors::new_task::{NewTask, add_task};
use worknode_core::{
    event::{Event, PanicStage, Principal, Record},
    time::{Clock, Timestamp},
};
use worknode_daemon::view::status;
use worknode_journal::EventFilter;
use worknode_policies::authority::Authority;
use worknode_tests::{scene::Scene, within::Within};
use worknode_triggers::{Trigger, TriggerSpec, compile};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn begin() -> Timestamp {
    "2026-11-21T08:00:30Z".parse().unwrap()
}

fn scene(triggers: &str) -> Scene {
    Scene::with_team(&format!("[team]\nname = \"clock\"\n\n{triggers}"))
}

fn every(name: &str, period: &str, more: &str) -> String {
    format!("[[trigger]]\nname = \"{name}\"\nevery = \"{period}\"\nnotify = \"operator\"\n{more}\n")
}

trait Watched {
    async fn after(&self, by: Duration);
    fn records(&self) -> Vec<Record>;
    async fn end(self) -> Timestamp;

    /// When each firing of a trigger was due, in the order in which they were recorded.
    fn fired(&self, name: &str) -> Vec<String> {
        let of = |record: Record| match record.event {
            Event::TriggerFired { trigger, due, .. } if trigger == name => {
                Some(due.to_string()[11..16].to_owned())
            }
            _ => None,
        };
        self.records().into_iter().filter_map(of).collect()
    }

    fn count(&self, is_so: impl Fn(&Event) -> bool) -> usize {
        self.records()
            .iter()
            .filter(|record| is_so(&record.event))
            .count()
    }

    /// Looks at the clock until something is so that others have to bring about.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let begun = std::time::Instant::now();
        while !is_so(self) {
            self.after(Duration::ZERO).await;
            tokio::task::yield_now().await;
            if begun.elapsed() > MINUTE {
                let topics: Vec<_> = self.records().into_iter().map(|record| record.event).collect();
                panic!("it does not become so; what happened: {topics:#?}");
            }
        }
    }
}

impl Watched for Within {
    async fn after(&self, by: Duration) {
        self.clock.advance(by);
        self.runtime.look_at_the_clock().await;
    }

    fn records(&self) -> Vec<Record> {
        let mut filter = EventFilter::default();
        let mut all = Vec::new();
        loop {
            let page = self.system().reader().events(&filter).unwrap();
            let Some(last) = page.last() else { return all };
            filter.after = last.at;
            all.extend(page);
        }
    }

    async fn end(self) -> Timestamp {
        self.runtime.shutdown("test").await;
        self.system().journal().close().await.unwrap();
        self.clock.now()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_each_trigger_goes_on_where_it_was_itself() {
    let all = "misfire = \"all\"";
    let config = every("busy", "1m", all) + &every("rare", "1h", all);
    let scene = scene(&config);
    let within = Within::start(&scene, begin()).await;
    within.after(MINUTE).await;
    let now = within.end().await;
    // An hour goes by without a daemon: the rare one owes what the busy one's last firing would hide.
    let within = Within::start(&scene, now.plus(HOUR)).await;
    within.after(Duration::ZERO).await;
    assert_eq!(within.fired("rare"), ["09:00"]);
    assert_eq!(within.fired("busy").len(), 1 + 60, "each minute, once");
    let now = within.end().await;
    // Two daemons later as well, and without one firing in between.
    let within = Within::start(&scene, now.plus(MINUTE)).await;
    let now = within.end().await;
    let within = Within::start(&scene, now.plus(HOUR)).await;
    within.after(Duration::ZERO).await;
    assert_eq!(within.fired("rare"), ["09:00", "10:00"]);
    let mut minutes = BTreeMap::new();
    for due in within.fired("busy") {
        *minutes.entry(due).or_insert(0) += 1;
    }
    assert!(minutes.values().all(|count| *count == 1), "{minutes:?}");
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_every_occurrence_acts_once_or_is_recorded_as_passed_over_however_the_clock_goes() {
    let scene = scene(&every("tick", "1m", "misfire = \"all\"\ncatch_up = 5"));
    let mut now = begin();
    let mut random = 17_u64;
    let mut furthest = now;
    for round in 0..8 {
        let within = Within::start(&scene, now).await;
        for _ in 0..4 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let step = Duration::from_secs((random >> 33) % 1_500);
            if (random >> 20).is_multiple_of(4) {
                within.clock.set(within.clock.now().minus(step));
            } else {
                within.clock.advance(step);
            }
            furthest = furthest.max(within.clock.now());
            within.runtime.look_at_the_clock().await;
        }
        now = within.end().await;
        if round % 3 == 0 {
            now = now.plus(HOUR);
        }
        furthest = furthest.max(now);
    }
    let within = Within::start(&scene, furthest).await;
    within.after(Duration::ZERO).await;
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let mut passed = 0;
    for record in within.records() {
        match record.event {
            Event::TriggerFired { due, .. } | Event::TriggerSkipped { due, .. } => {
                *seen.entry(due.as_millis()).or_default() += 1;
            }
            Event::TriggerPassed { count, .. } => passed += count,
            _ => {}
        }
    }
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let minutes = furthest.as_millis() / 60_000 - begin().as_millis() / 60_000;
    assert_eq!(seen.len() as u64 + passed, minutes, "nothing is missing");
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_what_was_missed_beyond_the_list_is_one_event_with_a_count() {
    let scene = scene(&every("tick", "1s", ""));
    let within = Within::start(&scene, begin()).await;
    within.after(HOUR).await;
    let passed: Vec<u64> = within
        .records()
        .into_iter()
        .filter_map(|record| match record.event {
            Event::TriggerPassed { count, .. } => Some(count),
            _ => None,
        })
        .collect();
    let skipped = within.count(|event| matches!(event, Event::TriggerSkipped { .. }));
    let fired = within.fired("tick").len();
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0] + (skipped + fired) as u64, 3_600);
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_trigger_stays_so_over_restarts_and_owes_nothing_afterwards() {
    let config = every("tick", "1m", "misfire = \"all\"")
        + "[[trigger]]\nname = \"seen\"\nevent = \"go\"\nnotify = \"operator\"\n";
    let scene = scene(&config);
    let within = Within::start(&scene, begin()).await;
    let by = Principal::Operator;
    assert!(within.runtime.pause_trigger("tick", by.clone()).await.unwrap());
    assert!(!within.runtime.pause_trigger("tick", by.clone()).await.unwrap());
    assert!(within.runtime.pause_trigger("ghost", by.clone()).await.is_err());
    within.after(10 * MINUTE).await;
    let now = within.end().await;
    let within = Within::start(&scene, now.plus(10 * MINUTE)).await;
    within.after(MINUTE).await;
    assert!(within.fired("tick").is_empty());
    let report = within.runtime.triggers(Some("tick")).await.unwrap().remove(0);
    assert_eq!(report.state.paused.unwrap().by, "operator");
    assert_eq!(report.next, None);
    assert!(within.runtime.resume_trigger("tick", by).await.unwrap());
    let passed = within.count(|event| matches!(event, Event::TriggerResumed { passed: 21, .. }));
    assert_eq!(passed, 1, "what it did not do is counted");
    within.after(MINUTE).await;
    assert_eq!(within.fired("tick"), ["08:22"]);
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_triggers_take_over_and_those_that_stay_remember() {
    let scene = scene(&(every("stays", "1h", "max_firings = 2") + &every("goes", "1m", "")));
    let within = Within::start(&scene, begin()).await;
    within.after(HOUR).await;
    let trigger = |name: &str, period: &str, more: (&str, serde_json::Value)| -> Trigger {
        let mut spec = serde_json::json!({ "name": name, "every": period, "notify": "operator" });
        spec[more.0] = more.1;
        compile(&serde_json::from_value::<TriggerSpec>(spec).unwrap()).unwrap()
    };
    let stays = trigger("stays", "1h", ("max_firings", 2.into()));
    let new = trigger("new", "1m", ("misfire", "all".into()));
    let before = within.fired("goes").len();
    let replaced = within
        .runtime
        .replace_triggers(vec![stays.clone(), new])
        .await
        .unwrap();
    assert_eq!(
        (replaced.kept, replaced.added, replaced.removed),
        (1, vec!["new".to_owned()], vec!["goes".to_owned()])
    );
    within.after(HOUR).await;
    within.after(HOUR).await;
    assert_eq!(within.fired("goes").len(), before);
    assert!(!within.fired("new").is_empty());
    assert_eq!(
        within.fired("stays").len(),
        2,
        "it has fired as often as it may, counted from the start"
    );
    let changed = trigger("stays", "1m", ("enabled", true.into()));
    let replaced = within.runtime.replace_triggers(vec![changed]).await.unwrap();
    assert_eq!(replaced.changed, ["stays"]);
    within.after(MINUTE).await;
    assert_eq!(within.fired("stays").len(), 3, "no old debt under the new rule");
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_a_thousand_triggers_on_one_event_each_fire_once() {
    let one = |at: usize| format!("[[trigger]]\nname = \"t{at}\"\nevent = \"go\"\nnotify = \"operator\"\n");
    let scene = scene(&(0..1_000).map(one).collect::<String>());
    let within = Within::start(&scene, begin()).await;
    emit(&within, "go").await;
    within
        .until(|within| within.count(|event| matches!(event, Event::TriggerActed { .. })) >= 1_000)
        .await;
    let records = within.records();
    let fired = records
        .iter()
        .filter(|record| record.event.topic() == "trigger_fired")
        .count();
    assert_eq!((fired, within.fired("t999").len()), (1_000, 1));
    within.end().await;
}

async fn emit(within: &Within, name: &str) {
    let system = within.system();
    let command = worknode_core::command::Command::Emit {
        name: name.to_owned(),
        version: 1,
        data: serde_json::Map::new(),
    };
    system.command(system.team().node(), command).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_a_round_that_nobody_saw_in_the_configuration_ends() {
    // The event's name is made of values, so that it is no round on paper.
    let scene = scene(
        "[[trigger]]\nname = \"echo\"\nevent = \"notified\"\nwhere = \"event.by_kind == 'trigger'\"\nemit = { event = \"heard\" }\n\
         [[trigger]]\nname = \"start\"\nevent = \"go\"\nnotify = \"operator\"\n",
    );
    let within = Within::start(&scene, begin()).await;
    emit(&within, "go").await;
    within.until(|within| within.fired("echo").len() == 1).await;
    within
        .until(|within| within.count(|event| event.topic() == "heard") == 1)
        .await;
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_what_counts_is_counted_on_by_the_next_daemon() {
    let scene = scene("[[trigger]]\nname = \"third\"\nevent = \"go\"\ncount = 3\nnotify = \"operator\"\n");
    let within = Within::start(&scene, begin()).await;
    emit(&within, "go").await;
    emit(&within, "go").await;
    let now = within.end().await;
    let within = Within::start(&scene, now).await;
    within.after(Duration::ZERO).await;
    assert!(within.fired("third").is_empty());
    emit(&within, "go").await;
    within.until(|within| within.fired("third").len() == 1).await;
    emit(&within, "go").await;
    let now = within.end().await;
    let within = Within::start(&scene, now).await;
    for _ in 0..2 {
        emit(&within, "go").await;
    }
    within.until(|within| within.fired("third").len() == 2).await;
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_hand_is_marked_and_changes_no_timetable() {
    let scene = scene(&every("hourly", "1h", "max_firings = 1"));
    let within = Within::start(&scene, begin()).await;
    let one = within
        .runtime
        .fire_trigger("hourly", Principal::Operator)
        .await
        .unwrap();
    let two = within
        .runtime
        .fire_trigger("hourly", Principal::Operator)
        .await
        .unwrap();
    assert!(one.is_by_hand() && one != two);
    let by = within.count(
        |event| matches!(event, Event::TriggerFired { by: Some(by), .. } if **by == Principal::Operator),
    );
    assert_eq!(by, 2);
    within.after(HOUR).await;
    assert_eq!(
        within.fired("hourly").len(),
        3,
        "by hand does not use up what it may"
    );
    within.after(HOUR).await;
    assert_eq!(within.fired("hourly").len(), 3);
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_panic_hinders_waits_or_is_skipped_and_is_told_when_it_takes_long() {
    let scene = scene(&(every("waits", "1h", "on_panic = \"wait\"") + &every("skips", "1h", "")));
    let within = Within::start(&scene, begin()).await;
    within.runtime.panic(Principal::Operator, "test").await.unwrap();
    within.after(HOUR).await;
    let acted = |within: &Within| within.count(|event| matches!(event, Event::TriggerActed { .. }));
    assert_eq!(
        (within.fired("waits").len(), acted(&within)),
        (1, 0),
        "accepted, not done"
    );
    assert!(within.fired("skips").is_empty());
    within.after(3 * MINUTE).await;
    let alarms = |within: &Within, ended| {
        within.count(|event| matches!(event, Event::TriggerAlarm { over, .. } if *over == ended))
    };
    assert_eq!(alarms(&within, false), 1);
    // What was accepted is kept by the next daemon too.
    let now = within.end().await;
    let within = Within::start(&scene, now).await;
    within.after(MINUTE).await;
    assert_eq!(acted(&within), 0);
    within
        .runtime
        .unpanic(&Principal::Operator, PanicStage::Triggers)
        .await
        .unwrap();
    within
        .until(|within| acted(within) == 1 && alarms(within, true) == 1)
        .await;
    assert_eq!(alarms(&within, false), 1, "once");
    within.end().await;
}

const RAISE: &str = r#"
[[trigger]]
name = "hurry"
deadline = { of = "task:*", steps = [{ at = "2h", escalate = { priority = 9, for = "1h" } }] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_priority_is_taken_back_also_by_the_next_daemon() {
    let scene = scene(RAISE);
    let within = Within::start(&scene, begin()).await;
    let new = NewTask {
        key: Some("late".to_owned()),
        title: "Late".to_owned(),
        deadline: Some(begin().plus(3 * HOUR)),
        priority: 2,
        ..NewTask::default()
    };
    let task = add_task(within.system(), &Authority::whole(Principal::Operator), new)
        .await
        .unwrap();
    let priority = |within: &Within| {
        let node = within.system().reader().node(task).unwrap().unwrap();
        node.task().unwrap().spec.priority
    };
    assert_eq!(priority(&within), 2);
    within.after(MINUTE).await;
    within.after(HOUR).await;
    within.until(|within| priority(within) == 9).await;
    let now = within.end().await;
    let within = Within::start(&scene, now).await;
    within.after(MINUTE).await;
    assert_eq!(priority(&within), 9);
    within.after(HOUR).await;
    within.until(|within| priority(within) == 2).await;
    within
        .until(|within| within.count(|event| matches!(event, Event::TriggerEnded { .. })) == 1)
        .await;
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_was_changed_while_no_daemon_ran_owes_nothing_of_before() {
    let all = "misfire = \"all\"";
    let scene = scene(&(every("same", "1h", all) + &every("other", "1h", all)));
    let within = Within::start(&scene, begin()).await;
    let now = within.end().await;
    scene.write(
        "worknode.toml",
        &format!(
            "[team]\nname = \"clock\"\n\n{}{}",
            every("same", "1h", all),
            every("other", "30m", all)
        ),
    );
    let within = Within::start(&scene, now.plus(2 * HOUR)).await;
    within.after(Duration::ZERO).await;
    assert_eq!(within.fired("same"), ["09:00", "10:00"]);
    assert!(within.fired("other").is_empty(), "it watches from here on");
    within.after(HOUR).await;
    assert_eq!(within.fired("other"), ["10:30", "11:00"]);
    let now = within.end().await;
    // Unchanged this time: it owes what was due meanwhile.
    let within = Within::start(&scene, now.plus(HOUR)).await;
    within.after(Duration::ZERO).await;
    assert_eq!(within.fired("other").len(), 4);
    within.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_stands_still_is_told_of_from_outside() {
    let scene = scene(&every("tick", "1h", ""));
    let within = Within::start(&scene, begin()).await;
    let raised = |within: &Within| {
        (
            within.count(|event| matches!(event, Event::AlarmRaised { what, .. } if what == "scheduler")),
            within.count(|event| matches!(event, Event::AlarmEnded { what } if what == "scheduler")),
        )
    };
    let patience = Duration::from_secs(5);
    within.runtime.look_at_the_scheduler(patience).await.unwrap();
    assert_eq!(raised(&within), (0, 0));
    // Its actors are gone; the journal is still there.
    within.runtime.shutdown("test").await;
    let short = Duration::from_millis(20);
    within.runtime.look_at_the_scheduler(short).await.unwrap();
    within.runtime.look_at_the_scheduler(short).await.unwrap();
    assert_eq!(raised(&within), (1, 0), "once");
    let status = status(within.system().reader(), begin(), None).unwrap();
    assert_eq!(status.alarms[0].cause, "stalled");
    assert!(
        status.attention[0].contains("the scheduler stands still"),
        "{status:?}"
    );
    within.system().journal().close().await.unwrap();

    let within = Within::start(&scene, begin().plus(MINUTE)).await;
    within.until(|within| raised(within) == (1, 1)).await;
    within.end().await;
}
