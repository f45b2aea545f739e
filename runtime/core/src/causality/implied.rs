//! The cause of an event that names none.
//!
//! Events of one decision are stored together, before any of them has a stamp, so they cannot
//! name each other; and much of what happens to a task or a run has its cause in the state that it
//! changes. What that is follows from the event's type: these are the rules.

use super::History;
use crate::{
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::{NodeId, RunId},
    run::{Hold, Purpose, StopCause},
    task::Claim,
    verdict::Outcome,
};

/// Events of a Worknode that one rule looks through, and events of one transaction.
const LOOK: usize = 64;

/// The cause that `record` has by what it is.
pub(super) fn implied<H: History>(history: &H, record: &Record) -> Result<Option<Record>, H::Error> {
    let look = Look { history, record };
    let by_rule = match &record.event {
        event if event.run().is_some() => look.of_run(event)?,
        event if is_of_agent(event) => look.of_agent(event)?,
        event if is_of_trigger(event) => look.of_trigger(event)?,
        event => look.of_task(event)?,
    };
    match by_rule {
        Some(found) => Ok(Some(found)),
        None => look.by_whom(),
    }
}

const fn is_of_agent(event: &Event) -> bool {
    matches!(
        event,
        Event::AgentRestarting { .. }
            | Event::AgentReady
            | Event::AgentQuarantined { .. }
            | Event::AgentStopped { .. }
    )
}

const fn is_of_trigger(event: &Event) -> bool {
    matches!(
        event,
        Event::TriggerFired { .. }
            | Event::TriggerAttempted { .. }
            | Event::TriggerActed { .. }
            | Event::TriggerEnded { .. }
            | Event::TriggerSkipped { .. }
    )
}

struct Look<'a, H> {
    history: &'a H,
    record: &'a Record,
}

impl<H: History> Look<'_, H> {
    /// The newest event of the same Worknode, before this one, of these types and so made.
    fn here(&self, types: &[&'static str], is_so: impl Fn(&Event) -> bool) -> Found<H> {
        self.there(self.record.node, types, is_so)
    }

    /// The same of another Worknode.
    fn there(&self, node: NodeId, types: &[&'static str], is_so: impl Fn(&Event) -> bool) -> Found<H> {
        let records = self.history.of_node(node, self.record.at, types, LOOK)?;
        Ok(records.into_iter().find(|record| is_so(&record.event)))
    }

    /// What happens to a run comes from its start, or from what is to end it.
    fn of_run(&self, event: &Event) -> Found<H> {
        let Some(run) = event.run() else { return Ok(None) };
        match event {
            Event::RunQueued { run } => self.of_purpose(&run.purpose),
            Event::RunStopping {
                cause: StopCause::Requested { by, .. },
                ..
            } if *by != Principal::Runtime => self.of_request(by),
            Event::PermissionAnswered { request: answered, .. } => {
                self.here(&["permission_requested"], |event| {
                    matches!(event, Event::PermissionRequested { request, .. } if request.id == *answered)
                })
            }
            _ => self.here(before_in_run(event), |event| event.run() == Some(run)),
        }
    }

    /// A kill says first that no other run is to follow; that event names what led to it.
    fn of_request(&self, by: &Principal) -> Found<H> {
        let first = self.history.previous(self.record.at)?.filter(|record| {
            record.node == self.record.node && matches!(record.event, Event::AgentStopRequested { .. })
        });
        if first.is_some() {
            return Ok(first);
        }
        self.asked_by(by)
    }

    /// Why a run was queued.
    fn of_purpose(&self, purpose: &Purpose) -> Found<H> {
        match purpose {
            Purpose::Work { task, epoch } => self.there(*task, &["task_claimed"], |event| {
                claim(event).is_some_and(|claim| claim.epoch == *epoch)
            }),
            Purpose::Review { task } => self.there(*task, &["review_requested"], |_| true),
            Purpose::Fired { trigger, .. } => self.firing(trigger),
            Purpose::Spawned { .. } => self.here(&["node_created"], |_| true),
            Purpose::Standing => self.here(&["agent_ready", "agent_resumed", "node_created"], |_| true),
        }
    }

    fn of_agent(&self, event: &Event) -> Found<H> {
        match event {
            Event::AgentReady => self.here(&["agent_restarting"], |_| true),
            // Stopped at once, by somebody, or with the end of its run.
            Event::AgentStopped { .. } if self.record.by != Principal::Runtime => Ok(None),
            _ => self.here(&["run_exited"], |_| true),
        }
    }

    fn of_trigger(&self, event: &Event) -> Found<H> {
        match event {
            Event::TriggerAttempted {
                trigger: acted,
                occurrence: on,
                ..
            }
            | Event::TriggerActed {
                trigger: acted,
                occurrence: on,
                ..
            }
            | Event::TriggerEnded {
                trigger: acted,
                occurrence: on,
                ..
            } => self.here(&["trigger_fired"], |event| {
                matches!(event, Event::TriggerFired { trigger, occurrence, .. }
                    if trigger == acted && occurrence == on)
            }),
            // What fires on an event has that event's stamp for an occurrence.
            Event::TriggerFired { occurrence, .. } | Event::TriggerSkipped { occurrence, .. } => {
                match occurrence.parse::<Hlc>() {
                    Ok(at) => self.history.event(at),
                    Err(_) => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    fn of_task(&self, event: &Event) -> Found<H> {
        let of_claim = |of: u64| {
            self.here(&["task_claimed"], |event| {
                claim(event).is_some_and(|claim| claim.epoch == of)
            })
        };
        match event {
            Event::TaskStarted { epoch }
            | Event::TaskProgressed { epoch, .. }
            | Event::ClaimRenewed { epoch, .. }
            | Event::TaskBlocked { epoch, .. } => of_claim(*epoch),
            Event::TaskSubmitted { epoch, .. } if self.record.by != Principal::Runtime => of_claim(*epoch),
            // Its run is over: what it left is handed in for it, or it is taken back.
            Event::TaskSubmitted { epoch, .. } | Event::TaskReleased { epoch, .. } => match of_claim(*epoch)?
            {
                Some(claimed) => Ok(Some(self.end_of(claim(&claimed.event))?.unwrap_or(claimed))),
                None => Ok(None),
            },
            Event::TaskRejected { by, .. } if *by == Principal::Runtime => self.objection(),
            _ => self.last_of(before_in_task(event)),
        }
    }

    /// The newest event here of these types, if any type can be the cause at all.
    fn last_of(&self, types: &[&'static str]) -> Found<H> {
        if types.is_empty() {
            return Ok(None);
        }
        self.here(types, |_| true)
    }

    /// How the run of a claim ended.
    fn end_of(&self, claim: Option<&Claim>) -> Found<H> {
        let Some((agent, run)) = claim.and_then(|claim| Some((claim.agent, claim.run?))) else {
            return Ok(None);
        };
        self.there(agent, &["run_exited"], |event| event.run() == Some(run))
    }

    /// The verdict that sent a submission back; a submission that could not even be merged has
    /// none.
    fn objection(&self) -> Found<H> {
        self.here(&["verdict_recorded", "task_submitted"], |event| match event {
            Event::VerdictRecorded { verdict } => verdict.outcome == Outcome::Failed,
            _ => true,
        })
    }

    /// What nothing else explains is explained by who did it.
    fn by_whom(&self) -> Found<H> {
        match &self.record.event {
            // An end of the chain: the trigger's time came.
            Event::TriggerFired { .. } | Event::TriggerSkipped { .. } => Ok(None),
            _ => self.asked_by(&self.record.by),
        }
    }

    fn asked_by(&self, by: &Principal) -> Found<H> {
        match by {
            Principal::Trigger { name } => self.firing(name),
            Principal::Agent { node, run, .. } => self.start_of(*node, *run),
            Principal::Operator | Principal::Runtime | Principal::Outside { .. } => Ok(None),
        }
    }

    fn start_of(&self, agent: NodeId, run: RunId) -> Found<H> {
        self.there(agent, &["run_started"], |event| event.run() == Some(run))
    }

    /// The firing in whose transaction the event is, or shortly after.
    fn firing(&self, name: &str) -> Found<H> {
        let mut at = self.record.at;
        for _ in 0..LOOK {
            let Some(record) = self.history.previous(at)? else {
                return Ok(None);
            };
            if matches!(&record.event, Event::TriggerFired { trigger, .. } if trigger == name) {
                return Ok(Some(record));
            }
            at = record.at;
        }
        Ok(None)
    }
}
/// Types of events that lead to this one of the same run.
const fn before_in_run(event: &Event) -> &'static [&'static str] {
    match event {
        Event::RunStarting { .. } | Event::RunStarted { .. } => &["run_queued"],
        Event::RunStopping {
            cause: StopCause::Stuck { .. },
            ..
        }
        | Event::RunFrozen {
            hold: Hold::Stuck, ..
        } => &["run_stuck"],
        Event::RunExited { .. } => &["run_stopping", "run_started", "run_queued"],
        Event::RunThawed { .. } => &["run_frozen"],
        _ => &["run_started", "run_queued"],
    }
}

/// Types of events that lead to this one of the same task; none when nothing here does.
const fn before_in_task(event: &Event) -> &'static [&'static str] {
    match event {
        Event::TaskClaimed { .. } => &FREES,
        Event::VerdictRecorded { .. } => &["task_submitted"],
        Event::ReviewRequested { .. } => &["verdict_recorded", "task_submitted"],
        Event::TaskApproved { .. } | Event::TaskRejected { .. } => &["review_requested", "task_submitted"],
        Event::LandingStarted { .. } => &["task_approved", "verdict_recorded", "task_submitted"],
        Event::LandingAbandoned { .. } | Event::TaskCompleted { .. } => &["landing_started"],
        Event::TaskFailed { .. } => &["task_rejected", "task_released"],
        _ => &[],
    }
}

type Found<H> = Result<Option<Record>, <H as History>::Error>;

/// What lets a task be claimed.
const FREES: [&str; 5] = [
    "task_ready",
    "task_rejected",
    "task_released",
    "task_retried",
    "node_created",
];

const fn claim(event: &Event) -> Option<&Claim> {
    match event {
        Event::TaskClaimed { claim } => Some(claim),
        _ => None,
    }
}
