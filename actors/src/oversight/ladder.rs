//! What is open, and how far up the ladder it is. A fold of events, and nothing else.

use std::collections::BTreeMap;

use worknode_core::{
    agent::Tier,
    error::Error,
    escalation::{Escalation, Matter, Present, next_step},
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    task::TaskStatus,
    time::Timestamp,
};
use worknode_journal::{EventFilter, Reader};

use crate::{
    store::{OPEN, all_of_kind, tasks_that_are},
    system::System,
};

/// Something that nobody has settled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The stamp of the event that it began with.
    pub topic: String,
    /// What it is about.
    pub reason: String,
    /// The last step that was taken.
    pub last: Option<Escalation>,
}

impl Open {
    pub(super) fn next_step(&self, matter: Matter, present: Present, now: Timestamp) -> Option<Escalation> {
        next_step(
            matter,
            &self.topic,
            self.last.as_ref(),
            present,
            &self.reason,
            now,
        )
    }
}

/// Events that begin, move or end a ladder, as far as a start has to read them.
const TELLING: [&str; 10] = [
    "task_blocked",
    "task_failed",
    "task_retried",
    "task_cancelled",
    "approval_expired",
    "rule_violated",
    "plan_deviated",
    "plan_changed",
    "escalated",
    "escalation_settled",
];

/// What is open by now, in the order of the tree.
///
/// # Errors
/// When the journal cannot be read.
pub fn open(reader: &Reader, until: Option<Hlc>) -> Result<Vec<(NodeId, Matter, Open)>, Error> {
    let ladders = Ladders::load(reader, until)?;
    let all = ladders.open.into_iter();
    Ok(all.map(|((node, matter), open)| (node, matter, open)).collect())
}

/// How many of a Worknode's own events a start reads, the newest. What began before them has come to
/// the operator long ago.
const READ: usize = 64;

/// Calls `take` with the newest events of these types of one Worknode, up to `until`, in order.
pub(super) fn each(
    reader: &Reader,
    node: NodeId,
    types: &[&str],
    until: Option<Hlc>,
    mut take: impl FnMut(&Record),
) -> Result<(), Error> {
    let filter = EventFilter {
        node: Some(node),
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        until,
        newest_first: true,
        limit: READ,
        ..EventFilter::default()
    };
    reader.events(&filter)?.iter().rev().for_each(&mut take);
    Ok(())
}

/// Where something can be open: the teams, the phases, and the tasks that are not done.
fn places(reader: &Reader) -> Result<Vec<NodeId>, Error> {
    let mut places = Vec::new();
    for kind in [Kind::Team, Kind::Phase] {
        places.extend(all_of_kind(reader, kind)?.iter().map(|node| node.id));
    }
    for states in [&OPEN[..], &["failed"]] {
        places.extend(tasks_that_are(reader, states)?.iter().map(|node| node.id));
    }
    Ok(places)
}

/// All that is open.
#[derive(Debug, Default)]
pub(super) struct Ladders {
    open: BTreeMap<(NodeId, Matter), Open>,
    /// Tasks that somebody of the executive tier has sent on since their holder was stuck.
    ordered: BTreeMap<NodeId, String>,
}

impl Ladders {
    pub(super) fn load(reader: &Reader, until: Option<Hlc>) -> Result<Self, Error> {
        let mut ladders = Self::default();
        for place in places(reader)? {
            each(reader, place, &TELLING, until, |record| ladders.take(record))?;
        }
        Ok(ladders)
    }

    /// Takes notice of an event.
    pub(super) fn take(&mut self, record: &Record) {
        match &record.event {
            Event::TaskBlocked { reason, .. } => self.blocked(record, reason),
            Event::TaskFailed { reason } => self.begin(record, Matter::Attempts, reason),
            Event::ApprovalExpired { by } => {
                let reason = format!("the approval of {by} is too old");
                self.begin(record, Matter::Approval, &reason);
            }
            // A write that came too late is how claims work, and nobody's to settle.
            Event::RuleViolated {
                who,
                what,
                rule,
                epoch: None,
            } if !matches!(rule.as_str(), "epoch" | "refused") => {
                self.begin(record, Matter::Refused, &format!("{who} was refused: {what}"));
            }
            Event::PlanDeviated {
                deviation, threshold, ..
            } if deviation > threshold => {
                let reason = format!("{deviation} per mille from the plan, {threshold} may be");
                self.begin(record, Matter::Deviation, &reason);
            }
            _ => self.take_end(record),
        }
    }

    /// Takes notice of an event that settles something.
    fn take_end(&mut self, record: &Record) {
        let node = record.node;
        match &record.event {
            Event::PlanDeviated { .. } => self.end(node, &[Matter::Deviation]),
            Event::TaskRetried | Event::TaskCancelled { .. } => {
                self.note_order(record);
                let all = [
                    Matter::Blocked,
                    Matter::Attempts,
                    Matter::Disagreement,
                    Matter::Refused,
                ];
                self.end(node, &all);
            }
            Event::PlanChanged { .. } => self.note_order(record),
            Event::TaskApproved { .. } | Event::TaskRejected { .. } => self.end(node, &[Matter::Approval]),
            Event::TaskCompleted { .. } => self.end(node, &[Matter::Approval, Matter::Refused]),
            Event::TaskSubmitted { .. } => self.end(node, &[Matter::Refused]),
            _ => self.take_step(record),
        }
    }

    /// Takes notice of a step of an escalation.
    fn take_step(&mut self, record: &Record) {
        match &record.event {
            Event::Escalated { step } => self.taken(record.node, step.clone()),
            Event::EscalationSettled { topic, .. } => self.settled(record.node, topic),
            _ => {}
        }
    }

    fn blocked(&mut self, record: &Record, reason: &str) {
        match self.ordered.remove(&record.node) {
            // Sent on by an order, and stuck again: whoever works and whoever orders do not agree.
            Some(by) => {
                let reason = format!("{by} sent it on, and it is blocked again: {reason}");
                self.begin(record, Matter::Disagreement, &reason);
            }
            None => self.begin(record, Matter::Blocked, reason),
        }
    }

    fn note_order(&mut self, record: &Record) {
        if let Principal::Agent {
            name,
            tier: Tier::Executive,
            ..
        } = &record.by
        {
            self.ordered.insert(record.node, name.clone());
        }
    }

    /// What is open already goes on; it does not begin anew.
    fn begin(&mut self, record: &Record, matter: Matter, reason: &str) {
        let open = Open {
            topic: record.at.to_string(),
            reason: reason.to_owned(),
            last: None,
        };
        self.open.entry((record.node, matter)).or_insert(open);
    }

    fn end(&mut self, node: NodeId, matters: &[Matter]) {
        for matter in matters {
            self.open.remove(&(node, *matter));
        }
    }

    pub(super) fn taken(&mut self, node: NodeId, step: Escalation) {
        if let Some(open) = self.open.get_mut(&(node, step.matter))
            && open.topic == step.topic
        {
            open.last = Some(step);
        }
    }

    pub(super) fn settled(&mut self, node: NodeId, topic: &str) {
        self.open
            .retain(|(of, _), open| *of != node || open.topic != topic);
    }

    /// Those of which a step is due.
    pub(super) fn due(&self, now: Timestamp) -> Vec<(NodeId, Matter, Open)> {
        let is_due = |open: &Open| match &open.last {
            None => true,
            Some(last) => last.until.is_some_and(|until| until <= now),
        };
        let due = self.open.iter().filter(|(_, open)| is_due(open));
        due.map(|((node, matter), open)| (*node, *matter, open.clone()))
            .collect()
    }

    /// When the next step is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.open
            .values()
            .filter_map(|open| open.last.as_ref()?.until)
            .min()
    }
}

/// Who can be asked about this Worknode.
pub(super) fn present(system: &System, node: &Node) -> Present {
    let executive = system
        .agents()
        .iter()
        .any(|(_, agent)| agent.spec.tier == Tier::Executive);
    Present {
        assignee: assignee(system, node).is_some(),
        executive,
    }
}

/// Whoever the work is given to: who holds it or has handed it in, else the agent that the plan names.
pub(super) fn assignee(system: &System, node: &Node) -> Option<String> {
    let task = node.task()?;
    let holder = match &task.status {
        TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim) => Some(claim.agent),
        TaskStatus::InReview(review) => Some(review.submission.agent),
        _ => None,
    };
    let holder = holder.or_else(|| node.body.assignees.iter().next().copied());
    let named = holder
        .and_then(|agent| system.agent(agent))
        .map(|agent| agent.name.clone());
    named.or_else(|| task.spec.agent.clone().filter(|name| !name.contains(['*', '?'])))
}

#[cfg(test)]
mod tests {
    use worknode_core::{escalation::Rung, ids::RunId};

    use super::*;

    fn record(at: u64, by: Principal, event: Event) -> Record {
        Record {
            at: Hlc {
                wall: Timestamp::from_millis(at),
                counter: 0,
                origin: 1,
            },
            node: NodeId::ROOT,
            by,
            cause: None,
            version: 1,
            event,
        }
    }

    fn blocked(at: u64) -> Record {
        let event = Event::TaskBlocked {
            epoch: 1,
            reason: "no key".into(),
        };
        record(at, Principal::Runtime, event)
    }

    fn executive() -> Principal {
        Principal::Agent {
            node: NodeId::ROOT,
            name: "boss".into(),
            run: RunId::from_parts(1, [1; 10]),
            tier: Tier::Executive,
        }
    }

    fn matters(ladders: &Ladders) -> Vec<Matter> {
        ladders.open.keys().map(|(_, matter)| *matter).collect()
    }

    #[test]
    fn what_is_settled_is_open_no_more_and_what_comes_again_is_another_one() {
        let mut ladders = Ladders::default();
        ladders.take(&blocked(1));
        let (node, matter, open) = ladders.due(Timestamp::default()).pop().unwrap();
        let step = open
            .next_step(matter, Present::default(), Timestamp::default())
            .unwrap();
        assert_eq!(step.to, Rung::Operator);
        ladders.take(&record(2, Principal::Runtime, Event::Escalated { step }));
        assert!(
            ladders.due(Timestamp::MAX).is_empty(),
            "the operator has all the time"
        );
        ladders.take(&record(3, Principal::Operator, Event::TaskRetried));
        assert!(ladders.open.is_empty());
        ladders.take(&blocked(4));
        assert_ne!(ladders.due(Timestamp::default())[0].2.topic, open.topic);
        ladders.settled(node, &open.topic);
        assert_eq!(ladders.open.len(), 1, "what was settled was the one before");
    }

    #[test]
    fn blocked_again_after_an_order_is_a_disagreement() {
        let mut ladders = Ladders::default();
        ladders.take(&blocked(1));
        ladders.take(&record(2, executive(), Event::TaskRetried));
        ladders.take(&blocked(3));
        assert_eq!(matters(&ladders), [Matter::Disagreement]);
        assert!(ladders.due(Timestamp::default())[0].2.reason.contains("boss"));
        ladders.take(&record(4, Principal::Operator, Event::TaskRetried));
        ladders.take(&blocked(5));
        assert_eq!(
            matters(&ladders),
            [Matter::Blocked],
            "the operator's word is no dispute"
        );
    }

    #[test]
    fn each_matter_begins_and_ends_with_its_events() {
        let mut ladders = Ladders::default();
        let mut at = 0;
        let mut take = |ladders: &mut Ladders, event| {
            at += 1;
            ladders.take(&record(at, Principal::Runtime, event));
        };
        let deviated = |deviation| Event::PlanDeviated {
            deviation,
            threshold: 150,
            parts: BTreeMap::new(),
        };
        let failed = Event::TaskFailed { reason: "no".into() };
        let expired = Event::ApprovalExpired {
            by: Principal::Operator,
        };
        take(&mut ladders, failed);
        take(&mut ladders, expired);
        take(&mut ladders, deviated(151));
        assert_eq!(
            matters(&ladders),
            [Matter::Attempts, Matter::Deviation, Matter::Approval]
        );
        take(&mut ladders, deviated(150));
        take(&mut ladders, Event::TaskRetried);
        assert_eq!(matters(&ladders), [Matter::Approval]);
    }
}
