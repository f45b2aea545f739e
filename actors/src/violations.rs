//! What somebody tried and a rule forbids, kept as events of the Worknode that it was about.
//!
//! Work that leaves the plan is told rule by rule. Words that are refused are told once for each
//! caller, rule and Worknode in a while: whoever asks for the same a thousand times a second is not to
//! fill the journal.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use worknode_core::{
    error::{Code, Error},
    event::{Event, Principal},
    ids::NodeId,
    node::Node,
    task::TaskStatus,
    time::Timestamp,
    verdict::Finding,
};

use crate::system::System;

/// For so long the same refusal is not told again.
const AGAIN: Duration = Duration::from_secs(60);
/// Refusals that are remembered. Beyond it the oldest are forgotten, and told again when they return.
const REMEMBERED: usize = 10_000;
/// Findings of one submission that become events one by one. A verdict holds them all.
const TOLD: usize = 20;
/// Rules beside the plan's whose objections say that something was tried that nobody may, and not only done badly.
const FORBIDDEN: [&str; 4] = ["secrets.", "tests.removed", "tests.skipped", "tests.fewer"];

/// The refusals that were told of late.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<(String, String, NodeId), Timestamp>>);

impl Refusals {
    /// Is it news? Then it is remembered.
    fn is_news(&self, who: &str, rule: &str, node: NodeId, now: Timestamp) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (who.to_owned(), rule.to_owned(), node);
        if told.get(&key).is_some_and(|at| now.since(*at) < AGAIN) {
            return false;
        }
        if told.len() >= REMEMBERED {
            told.retain(|_, at| now.since(*at) < AGAIN);
        }
        if told.len() >= REMEMBERED {
            told.clear();
        }
        told.insert(key, now);
        true
    }
}

/// Which rule a refusal names, when it is one that is kept. An operator who is refused has made a
/// mistake, and knows it.
fn rule_of(by: &Principal, error: &Error) -> Option<String> {
    if !matches!(by, Principal::Agent { .. } | Principal::Outside { .. }) {
        return None;
    }
    match error.code {
        Code::Forbidden => {
            let named = error.message.split("(rule `").nth(1);
            let named = named.and_then(|rest| rest.split('`').next());
            Some(named.unwrap_or("capability").to_owned())
        }
        Code::StaleEpoch => Some("epoch".to_owned()),
        Code::Refused => Some("refused".to_owned()),
        _ => None,
    }
}

/// Keeps that `by` was refused.
pub(crate) async fn note_refusal(system: &System, by: &Principal, node: NodeId, error: &Error) {
    let Some(rule) = rule_of(by, error) else { return };
    let who = by.to_string();
    if !system.refusals().is_news(&who, &rule, node, system.now()) {
        return;
    }
    let event = Event::RuleViolated {
        who,
        what: error.message.clone(),
        rule,
        epoch: None,
    };
    if let Err(error) = system.record(Principal::Runtime, node, vec![event]).await {
        tracing::warn!(%error, "a refusal could not be kept");
    }
}

/// Keeps what in a submission nobody may do.
pub(crate) async fn note_findings(system: &System, node: &Node, findings: &[Finding]) -> Result<(), Error> {
    let Some(TaskStatus::InReview(review)) = node.task().map(|task| &task.status) else {
        return Ok(());
    };
    let author = system.reader().node(review.submission.agent)?;
    let who = author.map_or_else(|| review.submission.agent.to_string(), |author| author.name);
    let forbidden = |finding: &&Finding| {
        finding.is_outside_plan() || FORBIDDEN.iter().any(|rule| finding.rule.starts_with(rule))
    };
    let violated = |finding: &Finding| Event::RuleViolated {
        who: who.clone(),
        what: match &finding.file {
            Some(file) => format!("{file}: {}", finding.message),
            None => finding.message.clone(),
        },
        rule: finding.rule.clone(),
        epoch: Some(review.submission.epoch),
    };
    let events: Vec<Event> = findings
        .iter()
        .filter(forbidden)
        .take(TOLD)
        .map(violated)
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    system.record(Principal::Runtime, node.id, events).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_the_same_refusal_is_told_once_in_a_while() {
        let refusals = Refusals::default();
        let at = Timestamp::from_millis;
        assert!(refusals.is_news("a", "tier", NodeId::ROOT, at(0)));
        assert!(!refusals.is_news("a", "tier", NodeId::ROOT, at(59_999)));
        assert!(refusals.is_news("b", "tier", NodeId::ROOT, at(0)));
        assert!(refusals.is_news("a", "epoch", NodeId::ROOT, at(0)));
        assert!(refusals.is_news("a", "tier", NodeId::ROOT, at(60_000)));
        for n in 0..2 * REMEMBERED {
            refusals.is_news(&n.to_string(), "tier", NodeId::ROOT, at(60_000));
        }
        assert!(refusals.0.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn only_what_others_tried_is_kept() {
        let error = Error::new(Code::Forbidden, "x may not review y (rule `submitter`)");
        let outside = Principal::Outside {
            node: NodeId::ROOT,
            name: "x".into(),
        };
        assert_eq!(rule_of(&outside, &error).as_deref(), Some("submitter"));
        assert_eq!(rule_of(&Principal::Operator, &error), None);
        assert_eq!(rule_of(&outside, &Error::new(Code::NotFound, "nothing")), None);
    }
}
