//! What triggers would do over a span of time.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use worknode_core::{
    error::{Code, Error},
    time::Timestamp,
};
use worknode_triggers::{Trigger, World, simulate as run};

use super::{KnownTasks, NextView, upcoming::notes};

/// Occurrences that are listed at the most.
const LISTED: usize = 100_000;
/// Occurrences that are counted at the most: a trigger of every second for two months.
const COUNTED: usize = 5_000_000;

/// What would happen.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SimulationView {
    /// After this instant,
    pub from: Timestamp,
    /// and up to this one.
    pub to: Timestamp,
    /// How often something would act.
    pub fired: usize,
    /// How often something would be due and not act.
    pub skipped: usize,
    /// How often for each trigger.
    pub triggers: Vec<TallyView>,
    /// The occurrences in order of time, the first so many.
    pub occurrences: Vec<OccurrenceView>,
    /// How many more were counted.
    pub not_listed: usize,
    /// Whether the counting ended before the span did.
    pub cut: bool,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// How often one trigger would act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TallyView {
    /// Its name.
    pub trigger: String,
    /// How often it would act.
    pub fired: usize,
    /// How often it would be due and not act.
    pub skipped: usize,
}

/// One occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OccurrenceView {
    /// When, and whose.
    #[serde(flatten)]
    pub due: NextView,
    /// Its identity.
    pub occurrence: String,
    /// What it does.
    pub action: String,
    /// Why it would not act, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// What the triggers would do in `(from, to]`, if each run took `run_time`; the first `list` are
/// told one by one.
///
/// # Errors
/// `usage` when the span has no length.
pub fn simulate(
    triggers: &[&Trigger],
    tasks: &KnownTasks,
    from: Timestamp,
    to: Timestamp,
    run_time: Duration,
    list: usize,
) -> Result<SimulationView, Error> {
    if to <= from {
        let message = format!("the span from {from} to {to} has no length");
        return Err(Error::new(Code::Usage, message).hint("`--to` comes after `--from`"));
    }
    let bounds = (list.min(LISTED), COUNTED);
    Ok(counted(triggers, tasks, (from, to), run_time, bounds))
}

/// The same, listing and counting so many at the most.
fn counted(
    triggers: &[&Trigger],
    tasks: &KnownTasks,
    (from, to): (Timestamp, Timestamp),
    run_time: Duration,
    (list, most): (usize, usize),
) -> SimulationView {
    let triggers: Vec<Trigger> = triggers.iter().map(|trigger| (*trigger).clone()).collect();
    let world = World {
        tasks: tasks.deadlines(),
        run_time,
        ..World::default()
    };
    let mut tally: BTreeMap<&str, (usize, usize)> =
        triggers.iter().map(|trigger| (trigger.name(), (0, 0))).collect();
    let mut view = SimulationView {
        from,
        to,
        fired: 0,
        skipped: 0,
        triggers: Vec::new(),
        occurrences: Vec::new(),
        not_listed: 0,
        cut: false,
        notes: notes(&triggers, tasks),
    };
    for (count, due) in run(&triggers, from, to, world).enumerate() {
        if count >= most {
            view.cut = true;
            break;
        }
        let of_trigger = tally.entry(due.trigger.name()).or_default();
        match due.skipped {
            None => {
                of_trigger.0 += 1;
                view.fired += 1;
            }
            Some(_) => {
                of_trigger.1 += 1;
                view.skipped += 1;
            }
        }
        if view.occurrences.len() < list {
            view.occurrences.push(OccurrenceView {
                due: NextView::of(&due),
                occurrence: due.occurrence().to_string(),
                action: action(&due),
                skipped: due.skipped.map(|reason| reason.to_string()),
            });
        } else {
            view.not_listed += 1;
        }
    }
    view.triggers = tallies(tally);
    view
}

fn tallies(tally: BTreeMap<&str, (usize, usize)>) -> Vec<TallyView> {
    tally
        .into_iter()
        .map(|(trigger, (fired, skipped))| TallyView {
            trigger: trigger.to_owned(),
            fired,
            skipped,
        })
        .collect()
}

fn action(due: &worknode_triggers::Simulated<'_>) -> String {
    use worknode_triggers::simulate::Reason;
    match &due.reason {
        Reason::Step { step, .. } => step.action.key().to_owned(),
        Reason::Scheduled(_) | Reason::Event { .. } => super::action_of(due.trigger),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triggers::schedule;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn simulated(cron: &str, to: &str, list: usize) -> SimulationView {
        let trigger = schedule(cron, Some("Europe/Berlin")).unwrap();
        let (from, to) = (at("2026-01-01T00:00:00Z"), at(to));
        simulate(
            &[&trigger],
            &KnownTasks::default(),
            from,
            to,
            Duration::ZERO,
            list,
        )
        .unwrap()
    }

    #[test]
    fn a_span_is_counted_and_its_beginning_listed() {
        let year = simulated("0 9 * * MON-FRI", "2026-12-31T23:00:00Z", 2);
        assert_eq!(
            (year.fired, year.skipped, year.not_listed, year.cut),
            (261, 0, 259, false)
        );
        assert_eq!(year.occurrences.len(), 2);
        assert_eq!(year.occurrences[0].occurrence, "cron@2026-01-01T08:00:00.000Z");
        assert_eq!(year.triggers[0].fired, 261);
    }

    #[test]
    fn p8_counting_ends() {
        let trigger = schedule("* * * * * *", None).unwrap();
        let span = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let long = counted(
            &[&trigger],
            &KnownTasks::default(),
            span,
            Duration::ZERO,
            (3, 100),
        );
        assert!(long.cut);
        assert_eq!(
            (long.fired, long.occurrences.len(), long.not_listed),
            (100, 3, 97)
        );
    }

    #[test]
    fn a_span_without_length_is_a_mistake() {
        let trigger = schedule("@daily", None).unwrap();
        let now = at("2026-01-01T00:00:00Z");
        let outcome = simulate(&[&trigger], &KnownTasks::default(), now, now, Duration::ZERO, 1);
        assert_eq!(outcome.unwrap_err().code, Code::Usage);
    }
}
