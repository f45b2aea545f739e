//! Triggers for people: when do they fire, what do they mean, what would they do.
//!
//! What is asked here changes nothing, and needs no daemon: it is answered from the configuration,
//! and from the store as far as there is one.

mod explained;
mod files;
mod listed;
mod ran;
mod simulated;
mod upcoming;
mod world;

pub use self::{
    explained::{ExplainedView, explain},
    files::{AddedView, RemovedView, add, remove},
    listed::{AlarmView, LastView, SkipView, TriggerPage, TriggerView, WaitingView, stored},
    ran::{FiringPage, FiringView, firings, of_trigger as firings_of},
    simulated::{OccurrenceView, SimulationView, TallyView, simulate},
    upcoming::{NextView, NextViews, next},
    world::KnownTasks,
};

use worknode_core::{
    error::{Code, Error},
    time::Timestamp,
};
use worknode_policies::names::Suggestions;
pub use worknode_triggers::Trigger;
use worknode_triggers::{TriggerSpec, compile, spec::NotifySpec, trigger::When};

use crate::config::Place;

/// A schedule without a trigger around it, to ask about.
///
/// # Errors
/// `usage`, with every mistake in it.
pub fn schedule(cron: &str, timezone: Option<&str>) -> Result<Trigger, Error> {
    let spec = TriggerSpec {
        name: "cron".to_owned(),
        cron: Some(cron.to_owned()),
        timezone: timezone.map(str::to_owned),
        notify: Some(NotifySpec {
            to: Some("operator".to_owned()),
            ..NotifySpec::default()
        }),
        enabled: true,
        ..TriggerSpec::default()
    };
    compile(&spec).map_err(|problems| {
        let messages: Vec<_> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.key, problem.message))
            .collect();
        let hint = problems.into_iter().find_map(|problem| problem.hint);
        let error = Error::new(Code::Usage, messages.join("\n"));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })
}

/// Those of `triggers` that are named; all when none is.
///
/// # Errors
/// `not_found`, with the name that was probably meant.
pub fn named<'a>(triggers: &'a [Trigger], names: &[String]) -> Result<Vec<&'a Trigger>, Error> {
    if names.is_empty() {
        return Ok(triggers.iter().collect());
    }
    let find = |name: &String| {
        let found = triggers.iter().find(|trigger| trigger.name() == name);
        found.ok_or_else(|| unknown(name, triggers.iter().map(Trigger::name)))
    };
    names.iter().map(find).collect()
}

/// There is no trigger of this name.
pub(crate) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::new(Code::NotFound, format!("there is no trigger `{name}`"));
    match Suggestions::default().did_you_mean(name, known) {
        Some(hint) => error.hint(hint),
        None => error.hint("`worknode trigger list` shows them all"),
    }
}

/// What makes a trigger due, in one word.
#[must_use]
pub const fn kind_of(trigger: &Trigger) -> &'static str {
    match trigger.when() {
        When::Cron(_) => "cron",
        When::Every(_) => "every",
        When::Event(_) => "event",
        When::Deadline(_) => "deadline",
    }
}

/// What makes a trigger due, in a few words.
#[must_use]
pub fn schedule_of(trigger: &Trigger) -> String {
    match trigger.when() {
        When::Cron(schedule) => format!("{}, {}", schedule.in_words(), schedule.zone_name()),
        When::Every(period) => format!("every {}", period.every),
        When::Event(rule) => match rule.need {
            1 => format!("on {}", rule.event),
            need => format!("on {need} {}", rule.event),
        },
        When::Deadline(ladder) => format!("deadlines of {}", ladder.tasks),
    }
}

/// What a trigger does, as its key in the configuration; of a ladder those of its steps.
#[must_use]
pub fn action_of(trigger: &Trigger) -> String {
    if let Some(action) = trigger.action() {
        return action.key().to_owned();
    }
    let When::Deadline(ladder) = trigger.when() else {
        return String::new();
    };
    let mut keys: Vec<_> = ladder.steps.iter().map(|step| step.action.key()).collect();
    keys.dedup();
    keys.join(", ")
}

/// An instant without the fraction of a second that it does not have.
pub(crate) fn short(at: Timestamp) -> String {
    let text = at.to_string();
    text.strip_suffix(".000Z")
        .map_or_else(|| text.clone(), |whole| format!("{whole}Z"))
}

/// The file and the line of a place, as people write them.
#[must_use]
pub fn shown_place(place: &Place) -> String {
    match place {
        Place::File { file, line, .. } => line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")),
        Place::Variable { .. } | Place::Flag { .. } => place.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_alone_is_checked_as_in_a_file() {
        let error = schedule("0 9 * * FUNDAY", Some("Europe/Berln")).unwrap_err();
        assert_eq!(error.code, Code::Usage);
        assert!(
            error.message.contains("cron: weekday field")
                && error.message.contains("timezone: `Europe/Berln`"),
            "{error:?}"
        );
        assert!(schedule("0 0 30 2 *", None).unwrap_err().message.contains("cron"));
        assert!(schedule("0 9 * * *", Some("Europe/Berlin")).is_ok());
    }

    #[test]
    fn a_name_that_is_not_there_suggests_one_that_is() {
        let triggers = [schedule("@daily", None).unwrap()];
        let error = named(&triggers, &["crom".to_owned()]).unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert!(error.hint.unwrap().contains("cron"));
        assert_eq!(named(&triggers, &[]).unwrap().len(), 1);
    }

    #[test]
    fn whole_seconds_are_written_without_a_fraction() {
        assert_eq!(short(Timestamp::from_millis(1_000)), "1970-01-01T00:00:01Z");
        assert_eq!(short(Timestamp::from_millis(1_001)), "1970-01-01T00:00:01.001Z");
    }
}
