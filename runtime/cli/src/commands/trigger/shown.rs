//! Triggers on a screen.

use worknode_core::time::{Span, Timestamp};
use worknode_daemon::triggers::{
    ExplainedView, FiringView, NextView, NextViews, SimulationView, TriggerView,
};

use crate::output::{self, ago, bold, cell, colour_of, dim, length, paint, state, table};

/// Characters of an outcome in a table.
const OUTCOME: usize = 60;

pub(super) fn list(triggers: &[TriggerView], now: Timestamp) {
    if triggers.is_empty() {
        output::line(
            "there are no triggers; `[[trigger]]` in worknode.toml or `worknode trigger add` makes one",
        );
        return;
    }
    let mut rows = table(&["NAME", "STATUS", "SCHEDULE", "NEXT", "LAST", "FILE"]);
    for trigger in triggers {
        let coming = trigger.next.map_or_else(String::new, |next| coming(next, now));
        rows.add_row([
            cell(&trigger.name),
            state(&trigger.status),
            cell(format!("{}: {}", trigger.schedule, trigger.action)),
            cell(coming),
            cell(last(trigger, now)),
            cell(&trigger.place),
        ]);
    }
    output::rows(&rows, "there are no triggers");
    for trigger in triggers {
        for alarm in &trigger.alarms {
            let words = format!("{}: {}: {}", trigger.name, alarm.cause.name(), alarm.detail);
            output::line(format!("{} {words}", paint("!", colour_of("failed"))));
        }
    }
}

/// `in 5m`
fn coming(next: Timestamp, now: Timestamp) -> String {
    if next <= now {
        return "now".to_owned();
    }
    let seconds = next.since(now).as_secs();
    // As exact as it is near.
    let shown = match seconds {
        0..=119 => seconds,
        120..=172_799 => seconds - seconds % 60,
        _ => seconds - seconds % 3_600,
    };
    format!("in {}", Span::secs(shown))
}

/// What it did last, and why it did not act since.
fn last(trigger: &TriggerView, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if let Some(last) = &trigger.last {
        let outcome = last.outcome.as_deref().unwrap_or("under way");
        parts.push(format!("{}: {}", ago(now, last.at), cut(outcome)));
    }
    let since = trigger.last.as_ref().map(|last| last.due);
    if let Some(skip) = trigger.skipped.as_ref().filter(|skip| Some(skip.due) > since) {
        parts.push(format!("skipped {}: {}", ago(now, skip.due), cut(&skip.reason)));
    }
    parts.join("; ")
}

fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(OUTCOME) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

pub(super) fn one(trigger: &TriggerView, explained: &ExplainedView, now: Timestamp) {
    output::line(format!(
        "{}  {}  {}",
        paint(&trigger.name, bold()),
        paint(&trigger.status, colour_of(&trigger.status)),
        paint(&trigger.place, dim())
    ));
    output::line(&explained.text);
    let fact = |name: &str, value: String| output::line(format!("{:<10} {value}", paint(name, dim())));
    if let Some(next) = trigger.next {
        fact("next", format!("{next}, {}", coming(next, now)));
    }
    if let Some(last) = &trigger.last {
        let late = trigger.last_late().unwrap_or_default();
        let outcome = last.outcome.as_deref().unwrap_or("under way");
        fact("last", format!("{}, {} late: {outcome}", last.at, length(late.0)));
    }
    if let Some(skip) = &trigger.skipped {
        fact("skipped", format!("{}: {}", skip.due, skip.reason));
    }
    fact("fired", format!("{} times", trigger.fired));
    if trigger.failures > 0 {
        fact("failed", format!("{} times in a row", trigger.failures));
    }
    if let Some(paused) = &trigger.paused {
        fact("paused", format!("by {}, {}", paused.what, ago(now, paused.at)));
    }
    for running in &trigger.running {
        fact("running", running.clone());
    }
    if let Some(queued) = &trigger.queued {
        fact("waits", queued.clone());
    }
    if let Some(retrying) = &trigger.retrying {
        fact(
            "retried",
            format!("{}, {}", retrying.what, coming(retrying.at, now)),
        );
    }
    for alarm in &trigger.alarms {
        fact("alarm", format!("{}: {}", alarm.cause.name(), alarm.detail));
    }
}

pub(super) fn runs(runs: &[FiringView]) {
    if runs.is_empty() {
        output::line("nothing has fired yet");
        return;
    }
    let mut rows = table(&["DUE", "LATE", "TRIGGER", "STATUS", "OUTCOME", "STARTED"]);
    for run in runs {
        let late = std::time::Duration::from_millis(run.late_ms);
        let outcome = run.outcome.as_deref().map(cut).unwrap_or_default();
        let by = run.by_hand.as_deref().map(|by| format!("by hand ({by}); "));
        rows.add_row([
            cell(run.due.to_string()),
            cell(length(late)),
            cell(&run.trigger),
            state(&run.status),
            cell(format!("{}{outcome}", by.unwrap_or_default())),
            cell(started(run)),
        ]);
    }
    output::rows(&rows, "nothing has fired");
}

fn started(run: &FiringView) -> String {
    let of_run = run.run.map(|id| {
        let agent = run.agent.as_deref().unwrap_or_default();
        format!("run {id} {agent}").trim_end().to_owned()
    });
    let of_task = run.task.as_ref().map(|task| format!("task {task}"));
    of_run.or(of_task).unwrap_or_default()
}

pub(super) fn next(view: &NextViews) {
    for next in &view.next {
        output::line(next_line(next));
    }
    if view.next.is_empty() {
        output::line(paint("nothing is due by the clock", dim()));
    }
    notes(&view.notes);
}

/// `2026-03-29T01:30:00Z  2026-03-29T03:30:00+02:00 Europe/Berlin  daily-review`
fn next_line(next: &NextView) -> String {
    let mut parts = vec![next.at.clone()];
    if let (Some(local), Some(zone)) = (&next.local, &next.timezone) {
        parts.push(format!("{local} {zone}"));
    }
    parts.push(next.trigger.clone());
    if let (Some(task), Some(step)) = (&next.task, &next.step) {
        parts.push(format!("{step} of {task}"));
    }
    if let Some(scheduled) = &next.scheduled {
        parts.push(paint(&format!("scheduled for {scheduled}"), dim()));
    }
    parts.join("  ")
}

pub(super) fn explained(view: &ExplainedView) {
    output::line(&view.text);
}

pub(super) fn simulation(view: &SimulationView) {
    let mut rows = table(&["AT", "TRIGGER", "DOES", "ABOUT", "SKIPPED"]);
    for one in &view.occurrences {
        let due = &one.due;
        let about = match (&due.task, &due.step) {
            (Some(task), Some(step)) => format!("{step} of {task}"),
            _ => due.local.clone().unwrap_or_default(),
        };
        rows.add_row([
            cell(&due.at),
            cell(&due.trigger),
            cell(&one.action),
            cell(about),
            cell(one.skipped.clone().unwrap_or_default()),
        ]);
    }
    output::rows(&rows, "nothing would fire");
    if view.not_listed > 0 {
        output::line(paint(&format!("… and {} more", view.not_listed), dim()));
    }
    let cut = if view.cut { "at least " } else { "" };
    output::line(format!(
        "from {} to {}: {cut}{} would fire, {} would be skipped",
        view.from, view.to, view.fired, view.skipped
    ));
    if view.triggers.len() > 1 {
        let mut rows = table(&["TRIGGER", "FIRED", "SKIPPED"]);
        for tally in &view.triggers {
            rows.add_row([
                cell(&tally.trigger),
                cell(tally.fired.to_string()),
                cell(tally.skipped.to_string()),
            ]);
        }
        output::rows(&rows, "nothing would fire");
    }
    notes(&view.notes);
}

fn notes(notes: &[String]) {
    for note in notes {
        output::line(paint(note, dim()));
    }
}
