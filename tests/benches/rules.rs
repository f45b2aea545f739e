//! The rules of triggers alone, without a journal: a million timers, ten thousand triggers that
//! watch events, and a year of a thousand of them.

use std::{
    collections::BTreeSet,
    hint::black_box,
    time::{Duration, Instant},
};

use worknode_core::{hlc::Hlc, time::Timestamp};
use worknode_triggers::{
    Agenda, Trigger, TriggerSpec, World, compile,
    event::{EventDecision, EventIndex, EventState, Seen},
    simulate,
    spec::NotifySpec,
    trigger::When,
};

use crate::{
    Bench, Failure,
    population::resident,
    report::{Figure, Unit},
};

const NOW: Timestamp = Timestamp::from_millis(1_795_600_000_000);
const DAY: Duration = Duration::from_secs(86_400);
const DAY_MILLIS: u64 = 86_400_000;
/// A prime, so that neighbours are far apart.
const STRIDE: u64 = 7_919_317;
/// The wanted rate of events.
const RATE: f64 = 100_000.0;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let mut figures = timers(bench.load(1_000_000, 10_000))?;
    figures.push(events(bench.load(10_000, 500), bench.load(1_000_000, 10_000))?);
    figures.push(year(bench.load(1_000, 20), bench.load(365, 30))?);
    Ok(figures)
}

/// Instants all over a day, in no order.
fn instant(number: usize) -> Timestamp {
    let spread = (number as u64).wrapping_mul(STRIDE) % DAY_MILLIS;
    NOW.plus(Duration::from_millis(spread))
}

/// Timers that are planned one by one, and a day in steps of a second until all have come.
fn timers(count: usize) -> Result<Vec<Figure>, Failure> {
    let before = resident()?;
    let begun = Instant::now();
    let mut agenda = Agenda::new(count);
    for number in 0..count {
        agenda.plan(number, Some(instant(number)));
    }
    let insert = begun.elapsed();
    let memory = resident()?.saturating_sub(before);
    let begun = Instant::now();
    let came = seconds().map(|now| agenda.due(now).len()).sum::<usize>();
    let advance = begun.elapsed();
    drop(agenda);

    let before = resident()?;
    let begun = Instant::now();
    let mut plain: BTreeSet<(Timestamp, usize)> = BTreeSet::new();
    for number in 0..count {
        plain.insert((instant(number), number));
    }
    let plain_insert = begun.elapsed();
    let plain_memory = resident()?.saturating_sub(before);
    let begun = Instant::now();
    let mut plainly = 0;
    for now in seconds() {
        while plain.first().is_some_and(|(at, _)| *at <= now) {
            plainly += usize::from(plain.pop_first().is_some());
        }
    }
    let plain_advance = begun.elapsed();
    if (came, plainly) != (count, count) {
        return Err(format!("of {count} timers {came} came, of the plain ones {plainly}").into());
    }
    let load = format!("{count} timers in a day, in no order; baseline: an ordered set");
    let each = |time: Duration| time.as_secs_f64() / count as f64;
    let figure = |what: &str, unit, ours, baseline| Figure {
        what: format!("timers held, {what}"),
        unit,
        ours,
        baseline,
        load: load.clone(),
    };
    let (memory, plain_memory) = (memory as f64 / count as f64, plain_memory as f64 / count as f64);
    Ok(vec![
        figure("memory of each", Unit::Bytes, memory, plain_memory),
        figure("to plan one", Unit::Seconds, each(insert), each(plain_insert)),
        figure(
            "to take one out",
            Unit::Seconds,
            each(advance),
            each(plain_advance),
        ),
    ])
}

/// Each second of the day.
fn seconds() -> impl Iterator<Item = Timestamp> {
    (0..=86_400).map(|second| NOW.plus(Duration::from_secs(second)))
}

fn trigger(name: String, set: impl FnOnce(&mut TriggerSpec)) -> Result<Trigger, Failure> {
    let mut spec = TriggerSpec {
        name,
        enabled: true,
        notify: Some(NotifySpec {
            to: Some("operator".to_owned()),
            ..NotifySpec::default()
        }),
        ..TriggerSpec::default()
    };
    set(&mut spec);
    compile(&spec).map_err(|problems| format!("{}: {problems:?}", spec.name).into())
}

/// Of a hundred, one watches a pattern that begins with a name, one a pattern that ends with one,
/// one a part of the tree, the others a type each of their own.
fn watching(number: usize) -> Result<Trigger, Failure> {
    trigger(format!("watch-{number}"), |spec| {
        spec.event = Some(match number % 100 {
            0 => format!("area{number}_*"),
            1 => format!("*_of{number}"),
            2 => "compilation_failed".to_owned(),
            _ => format!("event_{number}"),
        });
        if number % 100 == 2 {
            spec.under = Some(format!("team/part{number}"));
        }
        spec.consecutive = u32::try_from(1 + number % 3).ok();
        spec.cooldown = "1s".parse().ok();
    })
}

/// The type of each event: one that a trigger waits for, one that several do, two for nobody.
fn kind(number: usize, triggers: usize) -> String {
    match number % 4 {
        0 => format!("event_{}", number * 7_919 % triggers),
        1 => "compilation_failed".to_owned(),
        2 => "run_used".to_owned(),
        _ => "area100_x".to_owned(),
    }
}

fn events(count: usize, events: usize) -> Result<Figure, Failure> {
    let triggers = (0..count).map(watching).collect::<Result<Vec<_>, _>>()?;
    let kinds: Vec<String> = (0..10_000).map(|number| kind(number, count)).collect();
    let index = EventIndex::build(&triggers);
    let mut states = vec![EventState::default(); count];
    let mut found = Vec::new();
    let begun = Instant::now();
    let fired = shown(&kinds, events, |seen| {
        index.candidates(seen.kind, seen.path, &mut found);
        let asked = found.iter().filter_map(|place| usize::try_from(*place).ok());
        asked.map(|place| ask(&triggers, &mut states, place, seen)).sum()
    });
    let ours = events as f64 / begun.elapsed().as_secs_f64();

    // Asking every one takes its time: the same events, only fewer of them.
    let fewer = (events / 500).max(1);
    let mut states = vec![EventState::default(); count];
    let begun = Instant::now();
    let plainly = shown(&kinds, fewer, |seen| {
        let meant = |place: &usize| match triggers.get(*place).map(Trigger::when) {
            Some(When::Event(rule)) => rule.event.matches(seen.kind),
            _ => false,
        };
        let asked = (0..count).filter(meant);
        asked.map(|place| ask(&triggers, &mut states, place, seen)).sum()
    });
    let baseline = fewer as f64 / begun.elapsed().as_secs_f64();
    black_box((fired, plainly));
    let enough = if ours < RATE {
        "; FEWER than 100,000 a second"
    } else {
        ""
    };
    Ok(Figure {
        what: "events matched against triggers".to_owned(),
        unit: Unit::PerSecond,
        ours,
        baseline,
        load: format!(
            "{count} triggers that watch events, {events} events, {fired} firings; baseline: every trigger is asked, {fewer} events{enough}"
        ),
    })
}

/// Shows so many events, ten microseconds apart, and sums up what comes of each.
fn shown(kinds: &[String], events: usize, mut show: impl FnMut(&Seen<'_>) -> usize) -> usize {
    let mut sum = 0;
    for (number, kind) in kinds.iter().cycle().take(events).enumerate() {
        let stamp = Hlc {
            wall: NOW.plus(Duration::from_micros(number as u64 * 10)),
            counter: u16::try_from(number % 1_000).unwrap_or_default(),
            origin: 1,
        };
        sum += show(&Seen {
            kind,
            stamp,
            source: "coder-1",
            path: "team/part402/coder-1",
            facts: None,
        });
    }
    sum
}

/// Asks one trigger about an event: 1 when it fires.
fn ask(triggers: &[Trigger], states: &mut [EventState], place: usize, seen: &Seen<'_>) -> usize {
    let (Some(trigger), Some(state)) = (triggers.get(place), states.get_mut(place)) else {
        return 0;
    };
    usize::from(matches!(state.on_event(trigger, seen), EventDecision::Fire(_)))
}

/// What a year of many triggers comes to, against nothing but the times of their expressions.
fn year(count: usize, days: u32) -> Result<Figure, Failure> {
    let zones = ["Europe/Berlin", "America/New_York", "UTC"];
    let triggers = (0..count).map(|number| {
        trigger(format!("sim-{number}"), |spec| {
            spec.cron = Some(match number % 10 {
                0 => "0 * * * *".to_owned(),
                1 => format!("{} */2 * * *", number % 60),
                2 => "0 9 * * MON-FRI".to_owned(),
                3 => "0 18 LW * *".to_owned(),
                _ => format!("{} {} * * *", number % 60, number % 24),
            });
            spec.timezone = zones.get(number % zones.len()).map(|zone| (*zone).to_owned());
        })
    });
    let triggers = triggers.collect::<Result<Vec<_>, _>>()?;
    let end = NOW.plus(DAY * days);
    let begun = Instant::now();
    let fired = simulate(&triggers, NOW, end, World::default()).count();
    let ours = begun.elapsed();
    let begun = Instant::now();
    let mut times = 0_usize;
    for trigger in &triggers {
        let When::Cron(schedule) = trigger.when() else {
            continue;
        };
        let mut at = NOW;
        while let Some(next) = schedule.next_after(at).filter(|next| *next <= end) {
            at = next;
            times += 1;
        }
    }
    let bare = begun.elapsed();
    Ok(Figure {
        what: "triggers, a year simulated".to_owned(),
        unit: Unit::Seconds,
        ours: ours.as_secs_f64(),
        baseline: bare.as_secs_f64(),
        load: format!(
            "{count} cron triggers over {days} days: {fired} firings in their order; baseline: the {times} times of their expressions, one after the other"
        ),
    })
}
