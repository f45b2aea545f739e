//! What triggers cost: loading and holding 100,000 of them, asking for the next time, matching
//! events against 10,000 of them, and simulating 1,000 over a year.
//! `cargo bench -p worknode-triggers`

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use worknode_core::{hlc::Hlc, time::Timestamp};
use worknode_query::{Fact, Facts};
use worknode_triggers::{
    CronSchedule, Trigger, TriggerSpec, Window, World, compile, cycles, due,
    event::{EventDecision, EventIndex, EventState, Seen},
    next_due, simulate,
};

const NOW: Timestamp = Timestamp::from_millis(1_795_600_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn main() {
    println!("load average {}", load());
    one_schedule();
    held();
    events();
    simulated();
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Resident memory of this process, in kilobytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

fn trigger(spec: &TriggerSpec) -> Option<Trigger> {
    compile(spec)
        .map_err(|problems| println!("{}: {problems:?}", spec.name))
        .ok()
}

fn spec(name: String) -> TriggerSpec {
    TriggerSpec {
        name,
        enabled: true,
        notify: Some(worknode_triggers::spec::NotifySpec {
            to: Some("operator".to_owned()),
            ..Default::default()
        }),
        ..TriggerSpec::default()
    }
}

fn one_schedule() {
    for expression in [
        "0 9 * * MON-FRI",
        "*/15 * * * *",
        "0 18 LW * *",
        "0 0 29 2 *",
        "0 0 30 2 *",
    ] {
        let parse = each(2_000, || {
            CronSchedule::parse(black_box(expression), "Europe/Berlin")
        });
        let Ok(schedule) = CronSchedule::parse(expression, "Europe/Berlin") else {
            println!("{expression:18} refused in {parse:?}");
            continue;
        };
        let mut at = NOW;
        let next = each(20_000, || {
            at = schedule.next_after(at).unwrap_or(NOW);
            at
        });
        println!("{expression:18} parse {parse:?}, next {next:?}");
    }
}

fn held() {
    let before = memory();
    let begun = Instant::now();
    let triggers: Vec<Trigger> = (0..100_000_u32)
        .filter_map(|number| {
            let mut spec = spec(format!("trigger-{number}"));
            spec.cron = Some(format!("{} {} * * {}", number % 60, number / 60 % 24, number % 7));
            spec.timezone = Some("Europe/Berlin".to_owned());
            trigger(&spec)
        })
        .collect();
    println!(
        "100,000 cron triggers: loaded in {:?}, {} bytes each",
        begun.elapsed(),
        memory().saturating_sub(before) * 1_024 / triggers.len().max(1)
    );
    let begun = Instant::now();
    let first = triggers.iter().filter_map(|trigger| next_due(trigger, NOW)).min();
    println!(
        "    the next instant of each, and the first of all: {:?} ({first:?})",
        begun.elapsed()
    );
    let begun = Instant::now();
    let window = Window {
        last: NOW,
        now: NOW.plus(DAY),
    };
    let fire: usize = triggers
        .iter()
        .map(|trigger| due(trigger, window, 100).fire.len())
        .sum();
    println!(
        "    what a day without a look owes: {:?} ({fire} fire)",
        begun.elapsed()
    );
    let begun = Instant::now();
    println!("    rounds: {:?} ({})", begun.elapsed(), cycles(&triggers).len());
}

fn events() {
    let spec = |number: u32| {
        let mut spec = spec(format!("watch-{number}"));
        // Most watch a type of their own, some a pattern, some a part of the tree.
        spec.event = Some(match number % 100 {
            0 => format!("area{number}_*"),
            1 => format!("*_of{number}"),
            _ => format!("event_{number}"),
        });
        if number % 100 == 2 {
            spec.event = Some("compilation_failed".to_owned());
            spec.under = Some(format!("team/part{number}"));
        }
        spec.condition = (number % 10 == 3).then(|| "event.data.exit_code != 0".to_owned());
        spec.consecutive = Some(1 + number % 3);
        spec.cooldown = Some("1s".parse().unwrap_or_default());
        spec
    };
    let triggers: Vec<Trigger> = (0..10_000).filter_map(|number| trigger(&spec(number))).collect();
    let begun = Instant::now();
    let index = EventIndex::build(&triggers);
    println!("10,000 event triggers: indexed in {:?}", begun.elapsed());
    let mut states = vec![EventState::default(); triggers.len()];
    let data = Fact::map([("exit_code".to_owned(), Fact::from(1))]);
    let facts = Facts::new()
        .with("event", Facts::new().with("data", data))
        .at(NOW);
    let kinds: Vec<String> = (0..10_000).map(|number| format!("event_{number}")).collect();
    let (mut candidates, mut looked, mut fired) = (Vec::new(), 0_usize, 0_usize);
    let count = 1_000_000_u32;
    let begun = Instant::now();
    for number in 0..count {
        let kind = match number % 4 {
            0 => kinds
                .get(number as usize * 7_919 % kinds.len())
                .map_or("", String::as_str),
            1 => "compilation_failed",
            2 => "run_used",
            _ => "area100_x",
        };
        let stamp = Hlc {
            wall: NOW.plus(Duration::from_micros(u64::from(number) * 10)),
            counter: u16::try_from(number % 1_000).unwrap_or_default(),
            origin: 1,
        };
        let seen = Seen {
            kind,
            stamp,
            source: "coder-1",
            path: "team/part402/coder-1",
            facts: Some(&facts),
        };
        index.candidates(kind, seen.path, &mut candidates);
        looked += candidates.len();
        for place in &candidates {
            let place = *place as usize;
            if let (Some(trigger), Some(state)) = (triggers.get(place), states.get_mut(place)) {
                fired += usize::from(matches!(state.on_event(trigger, &seen), EventDecision::Fire(_)));
            }
        }
    }
    let took = begun.elapsed();
    println!(
        "    {count} events in {took:?}: {:.0} a second, {looked} candidates, {fired} fired",
        f64::from(count) / took.as_secs_f64()
    );
    let begun = Instant::now();
    println!("    rounds: {:?} ({})", begun.elapsed(), cycles(&triggers).len());
}

fn simulated() {
    let triggers: Vec<Trigger> = (0..1_000_u32)
        .filter_map(|number| {
            let mut spec = spec(format!("sim-{number}"));
            spec.cron = Some(match number % 10 {
                0 => "0 * * * *".to_owned(),
                1 => format!("{} */2 * * *", number % 60),
                2 => "0 9 * * MON-FRI".to_owned(),
                3 => "0 18 LW * *".to_owned(),
                _ => format!("{} {} * * *", number % 60, number % 24),
            });
            spec.timezone =
                Some(["Europe/Berlin", "America/New_York", "UTC"][number as usize % 3].to_owned());
            trigger(&spec)
        })
        .collect();
    for days in [30, 365] {
        let begun = Instant::now();
        let fired = simulate(&triggers, NOW, NOW.plus(DAY * days), World::default()).count();
        println!(
            "1,000 triggers simulated over {days} days: {:?} ({fired} firings)",
            begun.elapsed()
        );
    }
    let hourly: Vec<Trigger> = (0..1_000)
        .filter_map(|number| {
            let mut spec = spec(format!("hourly-{number}"));
            spec.cron = Some(format!("{} * * * *", number % 60));
            spec.timezone = Some("Europe/Berlin".to_owned());
            trigger(&spec)
        })
        .collect();
    let begun = Instant::now();
    let fired = simulate(&hourly, NOW, NOW.plus(DAY * 30), World::default()).count();
    println!(
        "1,000 hourly triggers over 30 days: {:?} ({fired} firings)",
        begun.elapsed()
    );
}

/// The mean time of one round.
fn each<T>(rounds: u32, mut round: impl FnMut() -> T) -> Duration {
    let begun = Instant::now();
    for _ in 0..rounds {
        black_box(round());
    }
    begun.elapsed() / rounds
}
