//! The scheduler on a clock that the test moves.

use std::{sync::Arc, time::Duration};

use worknode_core::{
    event::Event,
    hlc::Hlc,
    time::{ManualClock, Timestamp},
};
use worknode_journal::EventFilter;
use worknode_tests::{scene::Scene, within::Within};

const TEAM: &str = r#"
[team]
name = "clock"

[[trigger]]
name = "minutely"
cron = "* * * * *"
timezone = "Europe/Berlin"
emit = { event = "tick" }

[[trigger]]
name = "every-hour"
every = "1h"
misfire = "all"
emit = { event = "hour" }

[[trigger]]
name = "third-tick"
event = "tick"
consecutive = 3
notify = { to = "operator", message = "three ticks" }

[[trigger]]
name = "ladder"
deadline = { of = "task:*", steps = [{ at = "10m", notify = "executive" }] }

[[phase]]
name = "all"
[[phase.task]]
id = "late"
title = "Late"
prompt = "Write it"
files = ["late.txt"]
deadline = "2026-03-29T01:30:00Z"
"#;

/// Half a minute before a full minute, an hour before the clocks change in Berlin.
fn begin() -> Timestamp {
    "2026-03-29T00:00:30Z".parse().unwrap()
}

struct Look {
    within: Within,
    clock: Arc<ManualClock>,
}

impl Look {
    /// Moves the clock and waits until the scheduler has looked.
    async fn after(&self, by: Duration) {
        self.clock.advance(by);
        self.within.runtime.look_at_the_clock().await;
    }

    fn fired(&self, trigger: &str) -> Vec<String> {
        let filter = EventFilter {
            types: vec!["trigger_fired".to_owned()],
            ..EventFilter::default()
        };
        let records = self.within.system().reader().events(&filter).unwrap();
        let due = records.into_iter().filter_map(|record| match record.event {
            Event::TriggerFired {
                trigger: name, due, ..
            } if name == trigger => Some(due.to_string()),
            _ => None,
        });
        due.collect()
    }
}

/// What a trigger emits passes the membranes of the team, like what anybody sends.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_trigger_emits_comes_in_through_the_membrane() {
    let membrane =
        "[[membrane]]\nof = \"team\"\naccept = [\"hour\", \"t?ck\"]\nfilter = \"event.type == 'hour'\"\n";
    let scene = Scene::with_team(&format!("{TEAM}\n{membrane}"));
    let within = Within::start(&scene, begin()).await;
    let look = Look {
        clock: Arc::clone(&within.clock),
        within,
    };
    let count = |topic: &str| scene.count_offline(look.within.system(), |stored| stored == topic);
    look.after(Duration::from_secs(30)).await;
    wait_until(&look, || {
        count("dead_lettered") == 1 && count("trigger_acted") == 1
    })
    .await;
    assert_eq!(count("tick"), 0);
    look.after(Duration::from_secs(60 * 60)).await;
    wait_until(&look, || count("hour") == 1).await;
    look.within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_what_is_due_fires_once_and_on_time_by_its_own_zone() {
    let scene = Scene::with_team(TEAM);
    let within = Within::start(&scene, begin()).await;
    let look = Look {
        clock: Arc::clone(&within.clock),
        within,
    };
    look.after(Duration::from_secs(29)).await;
    assert!(look.fired("minutely").is_empty(), "not a moment too early");
    look.after(Duration::from_secs(1)).await;
    look.after(Duration::ZERO).await;
    assert_eq!(
        look.fired("minutely"),
        ["2026-03-29T00:01:00.000Z"],
        "once, however often one looks"
    );
    look.after(Duration::from_secs(60)).await;
    look.after(Duration::from_secs(60)).await;
    assert_eq!(look.fired("minutely").len(), 3);
    wait_until(&look, || look.fired("third-tick").len() == 1).await;

    // Back, and forth again over the same minutes: nothing fires a second time.
    look.clock.set(begin());
    look.within.runtime.look_at_the_clock().await;
    look.after(Duration::from_secs(150)).await;
    assert_eq!(look.fired("minutely").len(), 3);
    look.within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_p8_a_machine_that_slept_makes_up_as_its_triggers_say() {
    let scene = Scene::with_team(TEAM);
    let within = Within::start(&scene, begin()).await;
    let look = Look {
        clock: Arc::clone(&within.clock),
        within,
    };
    // Three hours, over the hour that Berlin skips.
    look.after(Duration::from_secs(3 * 3_600)).await;
    let hours = look.fired("every-hour");
    assert_eq!(hours.len(), 3, "misfire = all makes up for each: {hours:?}");
    let minutes = look.fired("minutely");
    assert_eq!(
        minutes.first().unwrap(),
        "2026-03-29T02:59:00.000Z",
        "misfire = once: the newest late one"
    );
    let filter = EventFilter {
        types: vec!["trigger_skipped".to_owned()],
        after: Hlc::ZERO,
        ..EventFilter::default()
    };
    assert!(
        !look.within.system().reader().events(&filter).unwrap().is_empty(),
        "what is skipped is recorded"
    );
    assert_eq!(
        look.fired("ladder").len(),
        1,
        "a step that was slept over is taken once"
    );
    look.within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_restart_fires_nothing_a_second_time() {
    let scene = Scene::with_team(TEAM);
    let within = Within::start(&scene, begin()).await;
    let look = Look {
        clock: Arc::clone(&within.clock),
        within,
    };
    look.after(Duration::from_secs(3 * 3_600)).await;
    let before = (
        look.fired("every-hour"),
        look.fired("minutely"),
        look.fired("ladder"),
    );
    let now = look.clock_now();
    look.within.runtime.shutdown("test").await;
    look.within.system().journal().close().await.unwrap();

    let within = Within::start(&scene, now).await;
    let look = Look {
        clock: Arc::clone(&within.clock),
        within,
    };
    look.after(Duration::ZERO).await;
    assert_eq!(
        (
            look.fired("every-hour"),
            look.fired("minutely"),
            look.fired("ladder")
        ),
        before
    );
    look.within.runtime.shutdown("test").await;
}

impl Look {
    fn clock_now(&self) -> Timestamp {
        use worknode_core::time::Clock;
        self.clock.now()
    }
}

async fn wait_until(look: &Look, is_so: impl Fn() -> bool) {
    while !is_so() {
        look.within.runtime.look_at_the_clock().await;
        tokio::task::yield_now().await;
    }
}
