//! The team: gives work to agents, and takes it back from those that are gone.
//!
//! It follows the journal, keeps a view of tasks and agents, and asks a pure function what
//! follows from it ([`steps`]). A step is carried out in a job of its own; while it is under
//! way, nothing else is decided about the same Worknodes. All rules look at states, not at the
//! events that led there, so that a restart needs no memory of its own.

mod children;
mod claims;
mod index;
mod perform;
pub(crate) mod settlement;
pub(crate) mod steps;
pub(crate) mod view;

use std::{collections::HashSet, sync::Arc};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::{JoinHandle, JoinSet};
use worknode_core::{
    agent::AgentCommand,
    command::Command,
    error::Error,
    event::{Event, PanicStage, Principal, Record},
    ids::NodeId,
    node::Node,
    run::StopCause,
};

use self::{
    claims::{Waiter, Waiting},
    steps::Step,
    view::View,
};
use crate::{
    board::store_reports, claims::ClaimNext, clock::Alarm, feed, guard::Readiness, pools, system::System,
};

/// What the team is told.
#[derive(Debug)]
pub(crate) enum TeamMsg {
    /// What happened.
    Feed(feed::Batch),
    /// A step is done, well or not.
    Done(Step),
    /// Somebody asks for a task.
    Claim(Box<ClaimNext>),
    /// A claim was made, or not: then its claimer waits on.
    Claimed {
        /// Of which task.
        task: NodeId,
        /// What that is now.
        node: Option<Arc<Node>>,
        /// Who did not get it.
        waiter: Option<Waiter>,
    },
    /// Something is due.
    Wake,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Team;

pub(crate) struct State {
    system: System,
    view: View,
    /// Worknodes about which something is being done.
    busy: HashSet<NodeId>,
    jobs: JoinSet<()>,
    /// Claims that wait for a task.
    waiting: Waiting,
    alarm: Alarm,
    /// Stores progress reports.
    reports: JoinHandle<()>,
}

impl Actor for Team {
    type Msg = TeamMsg;
    type State = State;
    type Arguments = System;

    async fn pre_start(
        &self,
        myself: ActorRef<TeamMsg>,
        system: System,
    ) -> Result<State, ActorProcessingErr> {
        let begun = system.journal().last_stamp();
        let view = View::load(&system)?;
        feed::follow(system.journal(), begun, myself.clone(), TeamMsg::Feed);
        let mut state = State {
            reports: tokio::spawn(store_reports(system.clone())),
            system,
            view,
            busy: HashSet::new(),
            jobs: JoinSet::new(),
            waiting: Waiting::default(),
            alarm: Alarm::default(),
        };
        state.take_orphans_along()?;
        state.react(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<TeamMsg>,
        message: TeamMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        // A claim that was made is told by the feed too, with all that happened beside it: what follows
        // is decided then, once for all of them.
        let decide = match message {
            TeamMsg::Feed(batch) => state.take_notice(&batch.records).map(|()| true),
            TeamMsg::Done(step) => state.done(&step).map(|()| true),
            TeamMsg::Claim(ask) => {
                state.queue_claim(ask);
                Ok(false)
            }
            TeamMsg::Claimed { task, node, waiter } => {
                let made = node.is_some();
                state.claim_made(task, node, waiter).map(|()| !made)
            }
            TeamMsg::Wake => {
                state.alarm.clear();
                Ok(true)
            }
        }?;
        if decide {
            state.react(&myself);
        } else {
            state.serve_claims(&myself);
            state.set_alarm(&myself);
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<TeamMsg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.alarm.clear();
        state.reports.abort();
        // Let what is under way come to its end: a claim without its run would have to be
        // settled by the next daemon.
        while state.jobs.join_next().await.is_some() {}
        Ok(())
    }
}

impl State {
    fn take_notice(&mut self, records: &[Arc<Record>]) -> Result<(), Error> {
        self.waiting.stir();
        for record in records {
            self.view.take(&self.system, record)?;
            self.note_abnormal_end(record);
            self.take_children_along(record);
        }
        Ok(())
    }

    /// A step's outcome may reach the store before it reaches the feed: look at the store.
    fn done(&mut self, step: &Step) -> Result<(), Error> {
        for id in step.touches() {
            self.busy.remove(&id);
            self.look_again(id)?;
        }
        self.waiting.stir();
        while self.jobs.try_join_next().is_some() {}
        Ok(())
    }

    /// What the store says of a Worknode by now.
    fn look_again(&mut self, id: NodeId) -> Result<(), Error> {
        if let Some(node) = self.system.reader().node(id)? {
            self.view.learn(&self.system, Arc::new(node))?;
        }
        Ok(())
    }

    /// Decides what follows from the view and begins it.
    fn react(&mut self, myself: &ActorRef<TeamMsg>) {
        self.ask_guard();
        if self.view.index.rested(self.system.now()) {
            self.waiting.stir();
        }
        let now = self.system.now();
        let steps = self
            .system
            .with_present_team(|team| steps::decide(&self.view, team, &self.busy, now));
        for step in steps {
            if matches!(&step, Step::Settle { task } if self.system.is_claimed_for_spawn(*task)) {
                continue;
            }
            self.busy.extend(step.touches());
            if let Step::Finish { .. } = step {
                self.view.finished = true;
            }
            let (system, myself) = (self.system.clone(), myself.clone());
            self.jobs.spawn(async move {
                perform::perform(&system, &step).await;
                // A team that is gone has no view to update.
                let _ = myself.send_message(TeamMsg::Done(step));
            });
        }
        self.serve_claims(myself);
        self.set_alarm(myself);
    }

    /// Who may not start, and what the pools of credentials want by now.
    fn ask_guard(&mut self) {
        let (guard, now) = (self.system.guard(), self.system.now());
        let effects = guard.tick(now);
        self.view.held = guard.blocks(PanicStage::Spawns);
        let agents = self.view.agents.iter();
        self.view.unready = agents
            .filter_map(|(id, node)| {
                let readiness = guard.readiness(*id, &node.agent()?.spec, now);
                (readiness != Readiness::Now).then_some((*id, readiness))
            })
            .collect();
        if !effects.is_empty() {
            let system = self.system.clone();
            self.jobs
                .spawn(async move { pools::carry_out(&system, effects).await });
        }
    }

    fn set_alarm(&mut self, myself: &ActorRef<TeamMsg>) {
        let due = self.system.guard().due(self.system.now());
        let wakes = [self.view.next_wake(&self.busy), due, self.waiting.next_due()];
        let wake = wakes.into_iter().flatten().min();
        self.alarm.set(self.system.clock(), wake, myself, TeamMsg::Wake);
    }

    /// The team's strategy: who else is restarted when an agent ends abnormally.
    fn note_abnormal_end(&mut self, record: &Record) {
        let Event::RunExited { receipt, .. } = &record.event else {
            return;
        };
        let by_itself = receipt.cause.as_ref().is_none_or(StopCause::is_limit);
        if receipt.is_clean() || !by_itself {
            return;
        }
        let mut affected = self.system.with_present_team(|team| {
            let order = team.agents.iter().map(|agent| team.agent_node(&agent.name));
            team.strategy
                .affected(&order.collect::<Vec<NodeId>>(), &record.node)
        });
        affected.retain(|agent| *agent != record.node);
        let ended = record.at;
        for agent in affected.into_iter().rev() {
            let system = self.system.clone();
            self.jobs.spawn(async move {
                let stop = AgentCommand::StopRun {
                    cause: StopCause::Strategy,
                    grace: None,
                };
                let stopped = system.command_after(Some(ended), agent, Command::Agent(stop));
                if let Err(error) = stopped.await {
                    tracing::error!(%error, %agent, "a sibling could not be stopped");
                }
            });
        }
    }
}

/// The name under which the team acts.
pub(crate) const RUNTIME: Principal = Principal::Runtime;
