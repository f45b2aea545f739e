//! The scheduler: fires what is due.
//!
//! It sleeps until the next instant at which something is due, looks at each trigger that is on
//! the agenda, at its whole window since it was last looked at, and acts on each occurrence once.
//!
//! ```text
//! look.rs, notice.rs ── due? ──▶ batch.rs ── may it? ── storing.rs ──▶ outcome.rs ── beside ──▶ deed/
//!      ▲      ▲                                                        │ outcome, next attempt
//!      │      └──────────────────── feed ◀────── journal ◀─────────────┘
//!      └ agenda (slot.rs)
//! ```
//!
//! - **Append, then act.** A firing is stored before anything of it happens. A deed that is only
//!   an event is stored in the same transaction (P6). Any other is done in the background, in a
//!   lane of its own kind, so that nothing waits for a server that hangs; what came of it is
//!   stored, and comes back by the feed like everything else.
//! - **Each trigger has its own window.** It goes on where its newest occurrence is recorded, so
//!   that neither restarts nor a busy neighbour lose anything (`recall.rs`).
//! - **What was accepted is not forgotten.** What waits for a run, a panic or a provider has fired
//!   already, and acts when that is over, also in the next daemon.
//! - **Who stands still cannot say so.** That is seen from outside (`pulse.rs`).

mod ask;
mod batch;
mod chain;
mod deadlines;
mod deed;
mod hand;
mod health;
mod job;
mod look;
mod notice;
mod outcome;
mod over;
pub mod pulse;
mod recall;
mod replace;
mod slot;
mod storing;
mod watch;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;
use worknode_core::{error::Error, firing::Started, hlc::Hlc, time::Timestamp};
use worknode_triggers::Occurrence;

pub use self::ask::{Replaced, SchedulerMsg, TriggerReport};
pub(crate) use self::deed::TRIGGERED;
use self::{batch::DueNow, deadlines::Deadlines, deed::Lanes, over::End, slot::Slots};
use crate::{
    clock::Alarm,
    feed,
    store::{OPEN, tasks_that_are},
    system::System,
};

/// Wait before a firing that could not be stored is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The actor.
#[derive(Debug)]
pub(crate) struct Scheduler;

pub(crate) struct State {
    system: System,
    slots: Slots,
    deadlines: Deadlines,
    lanes: Lanes,
    /// Deeds that are being done. They end with this actor: the next one begins them again.
    jobs: JoinSet<()>,
    /// What firings started and goes on, by trigger and occurrence.
    running: HashMap<Started, (String, String)>,
    /// Ends of these that could not be stored.
    ends: HashMap<Started, End>,
    /// Triggers with a firing that waits.
    waiting: BTreeSet<usize>,
    /// When to ask them again: what was told just now may not be so everywhere yet, and nobody
    /// tells when a provider's pause has gone by.
    ask_again: Option<Timestamp>,
    /// What fired on events and could not be stored.
    kept: Vec<DueNow>,
    /// What was raised by triggers that are gone, and could not be taken back: nobody else looks after it.
    left_raised: Vec<(Started, Occurrence, Hlc)>,
    /// When to look again although nothing is due, because something could not be stored, as on a full
    /// disk.
    again: Option<Timestamp>,
    alarm: Alarm,
}

impl Actor for Scheduler {
    type Msg = SchedulerMsg;
    type State = State;
    type Arguments = System;

    async fn pre_start(
        &self,
        myself: ActorRef<SchedulerMsg>,
        system: System,
    ) -> Result<State, ActorProcessingErr> {
        let begun = system.journal().last_stamp();
        let mut state = State::recall(system).await?;
        feed::follow(state.system.journal(), begun, myself.clone(), SchedulerMsg::Feed);
        state.finish_what_was_fired().await?;
        state.recall_events(begun).await?;
        let all: Vec<usize> = (0..state.slots.len()).collect();
        state.plan_all(&all);
        myself.send_message(SchedulerMsg::Look)?;
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<SchedulerMsg>,
        message: SchedulerMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SchedulerMsg::Look => {
                state.alarm.clear();
                state.look().await;
            }
            SchedulerMsg::LookNow(done) => {
                state.look().await;
                // Who asked may have gone away, here and below.
                let _ = done.send(());
            }
            SchedulerMsg::Feed(batch) => state.take_notice(&batch.records).await,
            SchedulerMsg::Fire {
                trigger,
                by,
                request,
                reply,
            } => {
                let _ = reply.send(state.fire_by_hand(&trigger, by, request).await);
            }
            SchedulerMsg::Pause { trigger, by, reply } => {
                let _ = reply.send(state.pause(&trigger, by).await);
            }
            SchedulerMsg::Resume { trigger, by, reply } => {
                let _ = reply.send(state.resume(&trigger, by).await);
            }
            SchedulerMsg::Replace { triggers, reply } => {
                let _ = reply.send(state.replace(triggers).await);
            }
            SchedulerMsg::Pulse(reply) => drop(reply.send(state.slots.next())),
            SchedulerMsg::Report { of, reply } => {
                let _ = reply.send(state.report(of.as_deref()));
            }
        }
        while state.jobs.try_join_next().is_some() {}
        state.set_alarm(&myself);
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<SchedulerMsg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.jobs.abort_all();
        Ok(())
    }
}

impl State {
    /// As the journal has it.
    async fn recall(system: System) -> Result<Self, Error> {
        let known = recall::stored_states(system.reader())?;
        let slots = recall::slots(&system, system.team().triggers.clone(), known).await?;
        let mut deadlines = Deadlines::default();
        for node in tasks_that_are(system.reader(), &OPEN)? {
            deadlines.note(&node, system.now());
        }
        Ok(Self {
            slots: Slots::new(slots),
            deadlines,
            lanes: Lanes::default(),
            jobs: JoinSet::new(),
            running: HashMap::new(),
            ends: HashMap::new(),
            waiting: BTreeSet::new(),
            ask_again: None,
            kept: Vec::new(),
            left_raised: Vec::new(),
            again: None,
            alarm: Alarm::default(),
            system,
        })
    }

    /// Something failed that may go well a little later.
    fn try_again(&mut self) {
        let again = self.system.now().plus(TRY_AGAIN);
        self.again.get_or_insert(again);
    }

    /// One timer for all triggers.
    fn set_alarm(&mut self, myself: &ActorRef<SchedulerMsg>) {
        let next = self.slots.next().into_iter().chain(self.ask_again).min();
        // What could not be stored is due still: on a full disk it is not tried without pause.
        let next = self.again.or(next);
        self.alarm
            .set(self.system.clock(), next, myself, SchedulerMsg::Look);
    }
}
