//! A trigger in words, for whoever wants to know what they wrote.

use std::fmt::Write as _;

use worknode_core::time::{Span, Timestamp};

use crate::{
    spec::{CountBy, Misfire, Overlap},
    trigger::{EventRule, Ladder, StepTime, Trigger, When},
};

/// In words: what makes the trigger due, what it does, and what becomes of occurrences that are
/// missed or overlap. For a cron schedule with its zone and the next turns of its clock.
#[must_use]
pub fn explain(trigger: &Trigger, from: Timestamp) -> String {
    let mut text = match trigger.when() {
        When::Cron(schedule) => schedule.explain(from),
        When::Every(period) => {
            let mut text = format!(
                "Every {}, counted from {} by elapsed time, the same in all zones.",
                period.every, period.baseline
            );
            for slot in
                std::iter::successors(trigger.next_slot(from), |slot| trigger.next_slot(slot.due)).take(3)
            {
                let _ = write!(text, "\nNext: {}", slot.due);
            }
            text
        }
        When::Event(rule) => of_events(rule),
        When::Deadline(ladder) => of_ladder(ladder),
    };
    if let Some(action) = trigger.action() {
        let _ = write!(text, "\nThen: {}.", action.key());
    }
    for line in terms(trigger) {
        let _ = write!(text, "\n{line}");
    }
    if !trigger.enabled() {
        text.push_str("\nIt is switched off.");
    }
    text
}

fn some(span: Span) -> Option<Span> {
    (!span.0.is_zero()).then_some(span)
}

fn of_events(rule: &EventRule) -> String {
    let mut text = which_events(rule);
    if let Some(within) = some(rule.within) {
        let _ = write!(text, ", within {within}");
    }
    if let Some(under) = &rule.under {
        let _ = write!(text, ", of `{under}` and what is below it");
    }
    if let Some(condition) = &rule.condition {
        let _ = write!(text, ", for which `{}` holds", condition.source());
    }
    text.push('.');
    if let Some(types) = &rule.reset_by {
        let _ = write!(text, "\nAn event `{types}` starts anew.");
    }
    if let Some(debounce) = some(rule.debounce) {
        let _ = write!(text, "\nOnly when no more of them came for {debounce}.");
    }
    if let Some(cooldown) = some(rule.cooldown) {
        let _ = write!(text, "\nNot again within {cooldown}.");
    }
    text
}

/// How many of them, and whose.
fn which_events(rule: &EventRule) -> String {
    let each = match rule.count_by {
        CountBy::All => "",
        CountBy::Source => ", each source for itself",
    };
    match (some(rule.absent_for), rule.need, rule.in_a_row) {
        (Some(span), ..) => format!("When no event `{}` came for {span}{each}", rule.event),
        (None, 1, _) => format!("On each event `{}`", rule.event),
        (None, need, true) => format!("On every {need} events `{}` in a row{each}", rule.event),
        (None, need, false) => format!("On every {need} events `{}`{each}", rule.event),
    }
}

fn of_ladder(ladder: &Ladder) -> String {
    let mut text = format!("Around the deadlines of tasks `{}`", ladder.tasks);
    if let Some(condition) = &ladder.condition {
        let _ = write!(text, " for which `{}` holds", condition.source());
    }
    text.push(':');
    for step in &ladder.steps {
        let when = match step.when {
            StepTime::Before(span) => format!("{span} before"),
            StepTime::After(span) => format!("{span} after"),
            StepTime::Elapsed(part) => format!("when {part} of the time has passed"),
        };
        let below = step
            .done_below
            .map(|part| format!(", if less than {part} is done"))
            .unwrap_or_default();
        let _ = write!(text, "\n- {when}{below}: {}", step.action.key());
    }
    text
}

fn terms(trigger: &Trigger) -> Vec<String> {
    let terms = trigger.terms();
    let mut lines = Vec::new();
    if !terms.jitter.is_zero() {
        lines.push(format!(
            "Each time up to {} later, so that not all act at once.",
            Span(terms.jitter)
        ));
    }
    if let Some(condition) = &terms.agents {
        lines.push(format!("Only when `{}` holds for an agent.", condition.source()));
    }
    if terms.start > Timestamp::from_millis(0) {
        lines.push(format!("Not before {}.", terms.start));
    }
    if terms.end < Timestamp::MAX {
        lines.push(format!("Not after {}.", terms.end));
    }
    if let Some(most) = terms.max_firings {
        lines.push(format!("At most {most} times in all."));
    }
    if !matches!(trigger.when(), When::Event(_)) {
        lines.push(when_missed(trigger.misfire()).to_owned());
    }
    lines.push(when_still_running(trigger.overlap()).to_owned());
    lines
}

const fn when_missed(misfire: Misfire) -> &'static str {
    match misfire {
        Misfire::Skip => "Missed: it is not made up for.",
        Misfire::Once => "Missed: the last one is made up for.",
        Misfire::All => "Missed: all are made up for, up to the limit.",
    }
}

const fn when_still_running(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Allow => "Still running: another one starts beside it.",
        Overlap::Forbid => "Still running: the next one is skipped.",
        Overlap::Replace => "Still running: it is stopped, and the next one starts.",
        Overlap::Queue => "Still running: the next one waits; a second one is skipped.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spec::TriggerSpec, trigger::compile};

    fn told(text: &str) -> String {
        let text = format!("name = \"t\"\n{text}");
        let trigger = compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap();
        explain(&trigger, "2026-11-21T10:30:00Z".parse().unwrap())
    }

    #[test]
    fn every_kind_is_told_in_words() {
        let periodic = told(
            "every = \"2h\"\njitter = \"5m\"\nmax_firings = 3\noverlap = \"queue\"\nnotify = \"operator\"",
        );
        assert!(
            periodic.starts_with("Every 2h, counted from 1970-01-01T00:00:00.000Z"),
            "{periodic}"
        );
        assert!(
            periodic.contains("At most 3 times") && periodic.contains("up to 5m later"),
            "{periodic}"
        );
        let event = told(
            "event = \"build_failed\"\nwhere = \"event.data.code != 0\"\nunder = \"webapp\"\nconsecutive = 2\nwithin = \"1h\"\ncooldown = \"10m\"\nnotify = \"operator\"",
        );
        assert!(
            event.starts_with(
                "On every 2 events `build_failed` in a row, within 1h, of `webapp` and what is below it, for which `event.data.code != 0` holds.\nNot again within 10m.\nThen: notify."
            ),
            "{event}"
        );
        let quiet =
            told("event = \"progress\"\nabsent_for = \"4h\"\ncount_by = \"source\"\nnotify = \"operator\"");
        assert!(
            quiet.starts_with("When no event `progress` came for 4h, each source for itself."),
            "{quiet}"
        );
        let ladder = told(
            "enabled = false\ndeadline = { of = \"task:*\", steps = [{ at = \"6h\", notify = \"assignee\" }, { elapsed = \"80%\", done_below = \"50%\", notify = \"executive\" }] }",
        );
        assert!(
            ladder.contains(
                "- 6h before: notify\n- when 80% of the time has passed, if less than 50% is done: notify"
            ),
            "{ladder}"
        );
        assert!(ladder.ends_with("It is switched off."));
        assert!(
            told("cron = \"0 9 * * MON\"\nnotify = \"operator\"")
                .starts_with("At 09:00 on Monday, in the zone UTC.")
        );
    }
}
