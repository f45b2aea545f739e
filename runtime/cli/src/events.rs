//! Events as lines for people.

use std::collections::{BTreeSet, HashMap};

use anstyle::Style;
use serde_json::{Map, Value};
use worknode_core::{
    agent::ended,
    event::{Event, Principal, Record},
    git::CommitId,
    ids::NodeId,
    letter::LetterOutcome,
    run::Purpose,
    task::PlanChange,
    usage::{Stuck, Usage, Usd},
    verdict::{Outcome, Verdict},
};
use worknode_policies::text::visible;

use crate::output::{bold, colour_of, dim, paint};

/// Characters of a digest that are enough to tell it from others.
const KEY: usize = 19;

/// The names of the Worknodes seen so far. Every Worknode begins with the event that names it.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<NodeId, String>);

impl Names {
    /// Takes a name out of the event that brings it.
    pub(crate) fn learn(&mut self, record: &Record) {
        if let Event::NodeCreated { node } = &record.event {
            self.0.insert(record.node, node.name.clone());
        }
    }

    /// Adds a name that is known otherwise.
    pub(crate) fn add(&mut self, id: NodeId, name: String) {
        self.0.insert(id, name);
    }

    /// The name of a Worknode, or the beginning of its id.
    pub(crate) fn of(&self, id: NodeId) -> String {
        self.0
            .get(&id)
            .cloned()
            .unwrap_or_else(|| id.to_string().chars().take(8).collect())
    }

    /// A whole line: when, what, whose, and the rest in words.
    pub(crate) fn line(&self, record: &Record) -> String {
        let by = match &record.by {
            Principal::Runtime => String::new(),
            other => paint(&format!("  by {other}"), dim()),
        };
        format!(
            "{} {} {}  {}{by}",
            paint(&record.at.to_string(), dim()),
            paint(&format!("{:<17}", record.event.topic()), bold()),
            self.of(record.node),
            self.words(&record.event),
        )
    }

    /// What an event says beside its type.
    pub(crate) fn words(&self, event: &Event) -> String {
        match event {
            Event::NodeCreated { node } => format!("{} {}", node.kind.name(), node.name),
            Event::NodeUpdated { .. } => "the configuration changed".to_owned(),
            Event::NodeRestored
            | Event::TaskReady
            | Event::TaskRetried
            | Event::AgentReady
            | Event::AgentResumed => String::new(),
            Event::NodeMoved { parent } => format!("below {}", self.of(*parent)),
            Event::NodeRenamed { name } => name.clone(),
            Event::NodeArchived { reason } => reason.clone(),
            Event::AttributesSet { attributes, .. } => {
                let pairs: Vec<_> = attributes
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                pairs.join(" ")
            }
            Event::Tagged { tag } | Event::Untagged { tag, .. } => tag.clone(),
            Event::Assigned { to } | Event::Unassigned { to, .. } => self.of(*to),
            Event::Linked { link } | Event::Unlinked { link, .. } => {
                format!("{} {}", link.relation.name(), self.of(link.to))
            }
            Event::MembraneSet { membrane } => match membrane {
                Some(_) => "its own".to_owned(),
                None => "none of its own".to_owned(),
            },
            Event::TaskClaimed { claim } => format!("by {}, epoch {}", self.of(claim.agent), claim.epoch),
            Event::ClaimRenewed { epoch, lease_until } => format!("epoch {epoch}, until {lease_until}"),
            Event::TaskStarted { epoch } => format!("epoch {epoch}"),
            Event::TaskProgressed { progress, .. } => {
                let percent = progress
                    .percent
                    .map_or_else(String::new, |percent| format!("{percent} % "));
                format!("{percent}{}", progress.message)
            }
            Event::TaskSubmitted { commit, epoch } => format!("commit {}, epoch {epoch}", commit.short()),
            Event::TaskReleased { detail, epoch, .. } => format!("epoch {epoch}: {detail}"),
            Event::TaskBlocked { reason, .. }
            | Event::TaskFailed { reason }
            | Event::TaskCancelled { reason }
            | Event::LandingAbandoned { reason }
            | Event::AgentStopRequested { reason }
            | Event::AgentQuarantined { reason }
            | Event::AgentStopped { reason }
            | Event::Panicked { reason }
            | Event::DaemonStopped { reason } => reason.clone(),
            Event::VerdictRecorded { verdict } => verdict_words(verdict),
            Event::ReviewRequested { candidate } => format!("candidate {}", candidate.short()),
            Event::TaskApproved { by, note, .. } => format!("{by}: {note}"),
            Event::TaskRejected { findings, .. } => {
                let all: Vec<_> = findings
                    .iter()
                    .map(|finding| first_line(&finding.message))
                    .collect();
                all.join("; ")
            }
            Event::LandingStarted { landing } => format!("tree {}", landing.tree.short()),
            Event::TaskCompleted { commit, tree } => landed_words(commit, tree.short()),
            Event::RunQueued { run } => self.purpose(&run.purpose),
            Event::RunStarting { run } | Event::RunThawed { run } => run.to_string(),
            Event::RunFrozen { reason, .. } => reason.clone(),
            Event::RunUsed { usage, .. } => usage_words(usage),
            Event::RunStuck { stuck, .. } => stuck.as_ref().map_or("goes on", Stuck::name).to_owned(),
            Event::RunSession { session, .. } => session.clone(),
            Event::PermissionRequested { request, .. } => {
                format!("{} ({})", visible(&request.tool), request.id)
            }
            Event::PermissionAnswered {
                request,
                answer,
                by,
                reason,
                ..
            } => {
                let why = if reason.is_empty() { "" } else { ": " };
                format!("{request} {} by {by}{why}{reason}", answer.name())
            }
            Event::PoolPaused { pool, until, reason } => format!("{pool}, until {until}: {reason}"),
            Event::PoolResumed { pool } => pool.clone(),
            Event::PanicLifted { stage } => stage.name().to_owned(),
            Event::RunStarted { process, .. } => format!("process {}", process.pid),
            Event::RunStopping { cause, .. } => cause.words(),
            Event::RunExited { receipt, .. } => ended(receipt),
            Event::AgentRestarting { until, restarts } => format!("restart {restarts}, at {until}"),
            Event::TriggerFired {
                trigger, occurrence, ..
            } => format!("{trigger}@{occurrence}"),
            Event::TriggerActed { trigger, outcome, .. } => format!("{trigger}: {outcome}"),
            Event::TriggerEnded { trigger, outcome, .. } => format!("{trigger}: {outcome}"),
            Event::TriggerSkipped { trigger, reason, .. } => format!("{trigger}: {reason}"),
            Event::TriggerAttempted {
                trigger,
                attempt,
                failure,
                retry_at,
                ..
            } => format!("{trigger}: attempt {attempt} failed: {failure}; the next one at {retry_at}"),
            Event::TriggerPassed {
                trigger,
                count,
                reason,
                ..
            } => format!("{trigger}: {count} more: {reason}"),
            Event::TriggersWatched { triggers, .. } | Event::TriggersDropped { triggers } => few(triggers),
            Event::TriggerPaused { trigger } | Event::TriggerResumed { trigger, .. } => trigger.clone(),
            Event::TriggerAlarm {
                trigger,
                detail,
                over,
                ..
            } => {
                let what = if *over { "over: " } else { "" };
                format!("{trigger}: {what}{detail}")
            }
            Event::Notified { to, message } => format!("to {to}: {message}"),
            Event::Emitted { data, .. } => pairs(data),
            Event::DeadLettered { reason, original } => format!("{}: {reason}", original.name),
            Event::MessageSent { message } => message.text.lines().next().unwrap_or_default().to_owned(),
            Event::MessageAcked { message } => message.to_string(),
            Event::DeadLetterSettled { letter, outcome } => {
                let what = match outcome {
                    LetterOutcome::Replayed => "replayed",
                    LetterOutcome::Discarded => "discarded",
                    LetterOutcome::Lost => "given up for newer ones",
                };
                format!("{letter} {what}")
            }
            Event::TaskRaised { raise, .. } => format!("whoever works on it: {raise}"),
            Event::TaskLowered { firing } => format!("what {firing} gave is over"),
            Event::AlarmRaised { what, detail } => format!("{what}: {detail}"),
            Event::AlarmEnded { what } => format!("{what}: over"),
            Event::ApprovalExpired { by } => format!("the word of {by} is too old"),
            Event::PlanChanged {
                change,
                before,
                after,
                reason,
            } => plan_change_words(*change, before, after, reason),
            Event::PlanDeviated {
                deviation, threshold, ..
            } => format!(
                "{} from the plan, {} may be",
                percent(*deviation),
                percent(*threshold)
            ),
            Event::RuleViolated { who, what, rule, .. } => format!("{who}: {what} ({rule})"),
            Event::Escalated { step } => {
                format!(
                    "{} to the {}: {}",
                    step.matter.name(),
                    step.to.name(),
                    step.reason
                )
            }
            Event::EscalationSettled { reason, .. } => reason.clone(),
            Event::BaseMoved { from, to } => format!("{} to {}", from.short(), to.short()),
            Event::PlanLoaded { tasks, .. } => format!("{tasks} tasks"),
            Event::PlanFinished {
                completed,
                failed,
                open,
            } => {
                format!("{completed} completed, {failed} failed, {open} open")
            }
            Event::DaemonStarted { version, pid } => format!("{version}, process {pid}"),
            Event::ConfigReloaded {
                added,
                changed,
                removed,
                taken_up,
                restart,
            } => reloaded_words([added, changed, removed, taken_up, restart]),
            Event::RequestDone { key, .. } => {
                format!(
                    "a request with a key, {}",
                    key.chars().take(KEY).collect::<String>()
                )
            }
            Event::ConfigRejected { mistakes, more, .. } => {
                let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
                match mistakes.len() + more {
                    0 | 1 => first,
                    all => format!("{first} (and {} more)", all - 1),
                }
            }
        }
    }

    fn purpose(&self, purpose: &Purpose) -> String {
        match purpose {
            Purpose::Work { task, .. } => format!("works on {}", self.of(*task)),
            Purpose::Review { task } => format!("reviews {}", self.of(*task)),
            Purpose::Standing => "for its standing duty".to_owned(),
            Purpose::Fired { trigger, .. } => format!("for trigger {trigger}"),
            Purpose::Spawned { by, title, .. } => format!("for {by}: {title}"),
        }
    }

    /// The line for whoever watches a run, when the event is news to them.
    pub(crate) fn news(&self, record: &Record) -> Option<String> {
        let (who, words) = (self.of(record.node), self.words(&record.event));
        let (what, style) = match &record.event {
            Event::TaskClaimed { claim } => (
                format!("{who}: taken by {}", self.of(claim.agent)),
                colour_of("claimed"),
            ),
            Event::TaskSubmitted { .. } => (format!("{who}: handed in, {words}"), colour_of("in_review")),
            Event::VerdictRecorded { verdict } if verdict.outcome == Outcome::Failed => {
                (format!("{who}: {words}"), colour_of("failed"))
            }
            Event::VerdictRecorded { .. } => (format!("{who}: {words}"), dim()),
            Event::TaskApproved { .. } => (format!("{who}: approved by {words}"), dim()),
            Event::TaskRejected { .. } => (format!("{who}: sent back: {words}"), colour_of("failed")),
            Event::TaskCompleted { .. } => (format!("{who}: {words}"), colour_of("completed")),
            Event::TaskReleased { .. } => (format!("{who}: taken back: {words}"), colour_of("blocked")),
            Event::TaskBlocked { .. } | Event::TaskFailed { .. } | Event::TaskCancelled { .. } => (
                format!("{who}: {}: {words}", record.event.type_name()),
                colour_of("failed"),
            ),
            Event::LandingAbandoned { .. } => (format!("{who}: not landed: {words}"), colour_of("blocked")),
            Event::AgentRestarting { .. } => (format!("{who}: {words}"), colour_of("backoff")),
            Event::RunStopping { .. } => (format!("{who}: being stopped: {words}"), colour_of("stopping")),
            Event::AgentQuarantined { .. } => (format!("{who}: quarantined: {words}"), colour_of("failed")),
            Event::AgentStopped { .. } => (format!("{who}: stopped: {words}"), dim()),
            Event::RunFrozen { .. } => (format!("{who}: frozen: {words}"), colour_of("frozen")),
            Event::RunThawed { .. } => (format!("{who}: thawed"), dim()),
            Event::RunStuck { stuck: Some(_), .. } => {
                (format!("{who}: gets nowhere: {words}"), colour_of("blocked"))
            }
            Event::PermissionRequested { .. } => (
                format!("{who}: asks a person for {words}; `worknode prompts` shows it"),
                colour_of("blocked"),
            ),
            Event::PermissionAnswered { .. } => (format!("{who}: {words}"), dim()),
            Event::RunExited { receipt, .. } if !receipt.is_clean() => {
                (format!("{who}: {words}"), colour_of("blocked"))
            }
            event => news_of_all(event, &words)?,
        };
        Some(paint(&what, style))
    }
}

/// The line for what is about no task and no agent alone.
fn news_of_all(event: &Event, words: &str) -> Option<(String, Style)> {
    Some(match event {
        Event::PoolPaused { .. } => (format!("credentials pause: {words}"), colour_of("blocked")),
        Event::PoolResumed { .. } => (format!("credentials go on: {words}"), dim()),
        Event::Panicked { .. } => (format!("panic: {words}"), colour_of("failed")),
        Event::PanicLifted { .. } => (format!("panic lifted: {words}"), dim()),
        Event::ConfigReloaded { .. } => (format!("configuration: {words}"), dim()),
        Event::ConfigRejected { .. } => (format!("configuration refused: {words}"), colour_of("failed")),
        Event::BaseMoved { .. } => (
            format!("the base branch was moved by hand: {words}"),
            colour_of("blocked"),
        ),
        event => return news_of_triggers(event, words),
    })
}

/// The line for what a trigger did, and for what became of one.
fn news_of_triggers(event: &Event, words: &str) -> Option<(String, Style)> {
    Some(match event {
        Event::TriggerActed { failed: true, .. } | Event::TriggerEnded { failed: true, .. } => {
            (format!("trigger {words}"), colour_of("blocked"))
        }
        Event::TriggerActed { .. } => (format!("trigger {words}"), dim()),
        Event::TriggerAlarm { over: false, .. } => (format!("trigger alarm: {words}"), colour_of("failed")),
        Event::TriggerPaused { .. } => (format!("trigger paused: {words}"), dim()),
        Event::TriggerResumed { .. } => (format!("trigger resumed: {words}"), dim()),
        Event::Notified { .. } => (format!("message {words}"), dim()),
        _ => return None,
    })
}

/// Some names of many.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Data as people would write it.
fn pairs(data: &Map<String, Value>) -> String {
    let pair = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    };
    data.iter().map(pair).collect::<Vec<_>>().join(" ")
}

fn verdict_words(verdict: &Verdict) -> String {
    let outcome = if verdict.outcome == Outcome::Passed {
        "passed"
    } else {
        "failed"
    };
    let failing = verdict.findings.iter().find(|finding| finding.weight.fails());
    let why = failing.map_or_else(String::new, |finding| {
        let file = finding
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!(" {file}"));
        format!(": {}{file}: {}", finding.rule, first_line(&finding.message))
    });
    format!(
        "gate {} {outcome} on tree {} in {} ms{why}",
        verdict.gate,
        verdict.tree.short(),
        verdict.took_ms
    )
}

/// `triggers added: a, b; for a restart: limits`
pub(crate) fn reloaded_words(lists: [&[String]; 5]) -> String {
    let names = [
        "triggers added",
        "changed",
        "removed",
        "taken up",
        "for the next start",
    ];
    let parts = names.into_iter().zip(lists).filter(|(_, list)| !list.is_empty());
    let parts: Vec<_> = parts
        .map(|(name, list)| format!("{name}: {}", list.join(", ")))
        .collect();
    if parts.is_empty() {
        "nothing changed".to_owned()
    } else {
        parts.join("; ")
    }
}

/// What was used, for people.
pub(crate) fn usage_words(usage: &Usage) -> String {
    let tokens = format!("{} tokens, {} turns", usage.tokens(), usage.turns);
    if usage.cost == Usd::ZERO {
        tokens
    } else {
        format!("{tokens}, {}", usage.cost)
    }
}

fn landed_words(commit: &CommitId, tree: &str) -> String {
    format!("landed as {} (tree {tree})", commit.short())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Per mille as people read it.
fn percent(per_mille: u32) -> String {
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// `changed files: ["a"] → ["b"] (why)`
fn plan_change_words(
    change: PlanChange,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    reason: &str,
) -> String {
    let why = if reason.is_empty() {
        String::new()
    } else {
        format!(" ({reason})")
    };
    let what = match change {
        PlanChange::Added => return format!("added{why}"),
        PlanChange::Cancelled => return format!("cancelled{why}"),
        PlanChange::Changed => "changed",
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |side: &Map<String, Value>, name: &String| {
        side.get(name).map_or_else(
            || "nothing".to_owned(),
            |value| first_line(&value.to_string()).to_owned(),
        )
    };
    let changes: Vec<String> = names
        .into_iter()
        .map(|name| format!("{name}: {} → {}", value(before, name), value(after, name)))
        .collect();
    format!("{what} {}{why}", changes.join(", "))
}
