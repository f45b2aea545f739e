//! Oversight: tells who has to know when the work leaves the plan, or cannot go on by itself.
//!
//! It follows the journal. What is open is folded from events alone, in life and at the start, so that
//! a ladder goes on at the step where an earlier daemon was. While nothing is open and nothing can
//! become late, it does nothing.

mod ladder;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use worknode_core::{
    error::Error,
    escalation::{Escalation, Matter, Rung},
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    task::TaskStatus,
    time::Timestamp,
};
use worknode_policies::deviation::Deviation;

use self::ladder::Ladders;
pub use self::ladder::{Open, open};
use crate::{
    clock::Alarm,
    deviation, feed,
    store::{HELD, all_of_kind},
    system::System,
};

/// How long to wait for more before the deviation is reckoned anew.
const SETTLE: Duration = Duration::from_secs(1);
/// How often it is reckoned anew while something can become late by time alone; sooner for what should
/// not even take so long.
const LATE: Duration = Duration::from_secs(60);

/// What oversight is told.
#[derive(Debug)]
pub(crate) enum OversightMsg {
    /// What happened.
    Feed(feed::Batch),
    /// Something is due.
    Wake,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Oversight;

pub(crate) struct State {
    system: System,
    ladders: Ladders,
    /// What was above its threshold when it was told last.
    above: BTreeSet<NodeId>,
    /// When the deviation is to be reckoned anew.
    reckon: Option<Timestamp>,
    alarm: Alarm,
}

impl Actor for Oversight {
    type Msg = OversightMsg;
    type State = State;
    type Arguments = System;

    async fn pre_start(
        &self,
        myself: ActorRef<OversightMsg>,
        system: System,
    ) -> Result<State, ActorProcessingErr> {
        let begun = system.journal().last_stamp();
        let ladders = Ladders::load(system.reader(), Some(begun))?;
        feed::follow(system.journal(), begun, myself.clone(), OversightMsg::Feed);
        let mut state = State {
            above: above(&system)?,
            reckon: Some(system.now()),
            system,
            ladders,
            alarm: Alarm::default(),
        };
        state.hold_spawns();
        state.set_alarm(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<OversightMsg>,
        message: OversightMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            OversightMsg::Feed(batch) => state.take_notice(&batch.records),
            OversightMsg::Wake => state.alarm.clear(),
        }
        state.climb().await?;
        if state.reckon.is_some_and(|at| at <= state.system.now()) {
            state.reckon().await?;
        }
        state.set_alarm(&myself);
        Ok(())
    }
}

impl State {
    fn take_notice(&mut self, records: &[Arc<Record>]) {
        for record in records {
            self.ladders.take(record);
            if may_deviate(&record.event) && self.reckon.is_none_or(|at| at > self.system.now().plus(SETTLE))
            {
                self.reckon = Some(self.system.now().plus(SETTLE));
            }
        }
    }

    /// Takes every step that is due.
    async fn climb(&mut self) -> Result<(), Error> {
        let now = self.system.now();
        for (node, matter, open) in self.ladders.due(now) {
            let Some(stored) = self.system.reader().node(node)? else {
                continue;
            };
            if is_over(&stored, matter) {
                self.settle(node, &open.topic, "it is over").await?;
                continue;
            }
            let present = ladder::present(&self.system, &stored);
            if let Some(step) = open.next_step(matter, present, now) {
                self.escalate(&stored, step).await?;
            }
        }
        Ok(())
    }

    async fn escalate(&mut self, node: &Node, step: Escalation) -> Result<(), Error> {
        let to = match step.to {
            Rung::Assignee => ladder::assignee(&self.system, node).unwrap_or_else(|| "operator".to_owned()),
            Rung::Executive => "executive".to_owned(),
            Rung::Operator => "operator".to_owned(),
        };
        let told = Event::Notified {
            to,
            message: format!("{} `{}`: {}", step.matter.name(), node.name, step.reason),
        };
        let cause = step.topic.parse::<Hlc>().ok();
        let escalated = Event::Escalated { step: step.clone() };
        self.system
            .record_after(cause, Principal::Runtime, node.id, vec![escalated, told])
            .await?;
        // The feed brings it, too; until then the same step must not be taken again.
        self.ladders.taken(node.id, step);
        Ok(())
    }

    async fn settle(&mut self, node: NodeId, topic: &str, reason: &str) -> Result<(), Error> {
        let settled = Event::EscalationSettled {
            topic: topic.to_owned(),
            reason: reason.to_owned(),
        };
        self.system
            .record(Principal::Runtime, node, vec![settled])
            .await?;
        self.ladders.settled(node, topic);
        Ok(())
    }

    /// Reckons the deviation of the team and of its phases, and tells what has gone above its
    /// threshold, or below again.
    async fn reckon(&mut self) -> Result<(), Error> {
        let now = self.system.now();
        let seen = deviation::look(self.system.reader(), self.system.team(), now)?;
        let team = self.system.reader().node(self.system.team().node())?;
        let phases = all_of_kind(self.system.reader(), Kind::Phase)?;
        for node in team.iter().chain(&phases) {
            let found = deviation::of(&seen, node);
            if found.tasks > 0 {
                self.tell(node, &found).await?;
            }
        }
        self.hold_spawns();
        self.reckon = match ages_within(&seen) {
            Some(wait) if self.may_age()? => Some(now.plus(wait)),
            _ => None,
        };
        Ok(())
    }

    /// Can something become late while nothing happens?
    fn may_age(&self) -> Result<bool, Error> {
        let held = self.system.reader().count(&Kind::Task, &HELD)?;
        Ok(held > 0)
    }

    /// Who is in charge may have said that nobody starts while the work is off the plan.
    fn hold_spawns(&self) {
        let stop = self.system.tuning().deviation.stop_spawns;
        self.system.guard().off_plan(stop && !self.above.is_empty());
    }

    async fn tell(&mut self, node: &Node, found: &Deviation) -> Result<(), Error> {
        let threshold = self.system.tuning().deviation.threshold;
        let above = found.total > threshold;
        if above == self.above.contains(&node.id) {
            return Ok(());
        }
        let event = Event::PlanDeviated {
            deviation: found.total,
            threshold,
            parts: found.parts.clone(),
        };
        let records = self
            .system
            .record(Principal::Runtime, node.id, vec![event])
            .await?;
        if above {
            self.above.insert(node.id);
        } else {
            self.above.remove(&node.id);
        }
        // The ladder follows from the event, as it will for the next daemon.
        for record in &records {
            self.ladders.take(record);
        }
        self.climb_one(node).await
    }

    async fn climb_one(&mut self, node: &Node) -> Result<(), Error> {
        let now = self.system.now();
        for (id, matter, open) in self.ladders.due(now) {
            if id != node.id {
                continue;
            }
            let present = ladder::present(&self.system, node);
            if let Some(step) = open.next_step(matter, present, now) {
                self.escalate(node, step).await?;
            }
        }
        Ok(())
    }

    fn set_alarm(&mut self, myself: &ActorRef<OversightMsg>) {
        let wake = [self.ladders.next_due(), self.reckon].into_iter().flatten().min();
        self.alarm
            .set(self.system.clock(), wake, myself, OversightMsg::Wake);
    }
}

/// How long what is begun and not over may be left alone before somebody looks whether it is late; `None`
/// when nothing has an estimate.
fn ages_within(seen: &[deviation::Seen]) -> Option<Duration> {
    let open = seen.iter().filter(|one| one.open && one.facts.begun);
    let shortest = open.filter_map(|one| one.facts.estimate).min()?;
    Some(shortest.clamp(SETTLE, LATE))
}

/// Is the matter settled by what became of the task? At a start nobody has seen it happen.
fn is_over(node: &Node, matter: Matter) -> bool {
    let Some(task) = node.task() else { return false };
    match matter {
        Matter::Blocked | Matter::Disagreement => !matches!(task.status, TaskStatus::Blocked { .. }),
        Matter::Attempts => !matches!(task.status, TaskStatus::Failed { .. }),
        Matter::Approval => !matches!(task.status, TaskStatus::InReview(_)),
        Matter::Refused => task.status.is_terminal(),
        Matter::Deviation => false,
    }
}

/// What the journal said last of the deviation of the team and its phases.
fn above(system: &System) -> Result<BTreeSet<NodeId>, Error> {
    let phases = all_of_kind(system.reader(), Kind::Phase)?;
    let places = phases.iter().map(|phase| phase.id);
    let mut above = BTreeSet::new();
    for place in places.chain([system.team().node()]) {
        let mut last = false;
        ladder::each(system.reader(), place, &["plan_deviated"], None, |record| {
            if let Event::PlanDeviated {
                deviation, threshold, ..
            } = &record.event
            {
                last = deviation > threshold;
            }
        })?;
        if last {
            above.insert(place);
        }
    }
    Ok(above)
}

/// Can the deviation be another one after this?
const fn may_deviate(event: &Event) -> bool {
    matches!(
        event,
        Event::NodeCreated { .. }
            | Event::NodeUpdated { .. }
            | Event::TaskClaimed { .. }
            | Event::TaskReleased { .. }
            | Event::TaskRejected { .. }
            | Event::TaskCompleted { .. }
            | Event::TaskFailed { .. }
            | Event::TaskCancelled { .. }
            | Event::TaskRetried
            | Event::ConfigReloaded { .. }
            | Event::RuleViolated { epoch: Some(_), .. }
    )
}
