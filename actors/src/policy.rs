//! The policy actor: judges what was handed in, and lands what may count.
//!
//! For each task in review one job asks [`landing::next_step`] what comes next, does it, and
//! asks again, until it has to wait for somebody. Gates run beside each other up to a bound;
//! landing happens one at a time, on top of whatever has landed meanwhile. Of several whose base
//! has moved, the first takes the others along (`policy/queue.rs`).

mod advance;
mod binding;
mod gates;
pub(crate) mod land;
mod queue;
mod together;
mod tools;

pub(crate) use self::gates::{checkouts::Checkouts, counts::Counts, gates_on_commit};

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{
    sync::{Mutex, Semaphore, watch},
    task::JoinSet,
};
use worknode_core::{
    error::{Code, Error},
    event::{Event, Record},
    ids::NodeId,
    node::Node,
    task::TaskStatus,
};
use worknode_policies::landing::Candidate;

use crate::{feed, membrane::Reply, store::tasks_that_are, system::System};

/// Submissions whose gates run at the same time.
const JUDGED_AT_ONCE: usize = 2;

/// Wait before a judgement is tried again that something outside prevented; doubles.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest such wait.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// What the policy actor is told.
#[derive(Debug)]
pub(crate) enum PolicyMsg {
    /// What happened.
    Feed(feed::Batch),
    /// The job about this task has come as far as it can.
    Done(NodeId),
    /// Something outside has changed: look at everything again.
    Look,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Policy;

/// What the jobs share.
#[derive(Debug)]
struct Bench {
    judging: Semaphore,
    /// Held from the last look at the base branch to the landing.
    landing: Mutex<()>,
    /// Those that may land.
    queue: queue::Queue,
    /// Whether the daemon stops: then nothing new is judged.
    stop: watch::Sender<bool>,
}

impl Bench {
    fn new() -> Self {
        Self {
            judging: Semaphore::new(JUDGED_AT_ONCE),
            landing: Mutex::new(()),
            queue: queue::Queue::default(),
            stop: watch::Sender::new(false),
        }
    }

    /// Would one more have to wait until it is judged, or until what lands now is on the branch?
    fn is_crowded(&self) -> bool {
        self.judging.available_permits() == 0 || self.landing.try_lock().is_err()
    }

    /// Waits until the daemon stops.
    async fn stopped(&self) {
        // The sender lives as long as this does.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

pub(crate) struct State {
    system: System,
    bench: Arc<Bench>,
    jobs: JoinSet<()>,
    /// Tasks with a job; `true` when something happened to the task meanwhile.
    busy: HashMap<NodeId, bool>,
}

impl Actor for Policy {
    type Msg = PolicyMsg;
    type State = State;
    type Arguments = System;

    async fn pre_start(
        &self,
        myself: ActorRef<PolicyMsg>,
        system: System,
    ) -> Result<State, ActorProcessingErr> {
        let begun = system.journal().last_stamp();
        feed::follow(system.journal(), begun, myself.clone(), PolicyMsg::Feed);
        myself.send_message(PolicyMsg::Look)?;
        let mut jobs = JoinSet::new();
        jobs.spawn(gates::checkouts::keep(system.clone()));
        Ok(State {
            system,
            bench: Arc::new(Bench::new()),
            jobs,
            busy: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<PolicyMsg>,
        message: PolicyMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PolicyMsg::Feed(batch) => {
                for task in touched(&batch.records) {
                    state.look_at(&myself, task)?;
                }
            }
            PolicyMsg::Done(task) => {
                while state.jobs.try_join_next().is_some() {}
                if state.busy.remove(&task) == Some(true) {
                    state.look_at(&myself, task)?;
                }
            }
            PolicyMsg::Look => {
                for node in tasks_that_are(state.system.reader(), &["in_review"])? {
                    state.look_at(&myself, node.id)?;
                }
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<PolicyMsg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        // A landing that has begun is brought to its end; everything else can be begun again.
        state.bench.stop.send_replace(true);
        let landing = state.bench.landing.lock().await;
        state.jobs.shutdown().await;
        drop(landing);
        state.system.checkouts().close().await;
        Ok(())
    }
}

/// Can the task be in review after this, so that there is something to do?
const fn may_leave_in_review(event: &Event) -> bool {
    event.changes_node()
        && !matches!(
            event,
            Event::TaskReady
                | Event::TaskClaimed { .. }
                | Event::ClaimRenewed { .. }
                | Event::TaskStarted { .. }
                | Event::TaskProgressed { .. }
                | Event::TaskReleased { .. }
                | Event::TaskBlocked { .. }
        )
}

/// The Worknodes to which something happened that concerns a judge, each once.
fn touched(records: &[Arc<Record>]) -> HashSet<NodeId> {
    records
        .iter()
        .filter(|record| may_leave_in_review(&record.event))
        .map(|record| record.node)
        .collect()
}

impl State {
    fn look_at(&mut self, myself: &ActorRef<PolicyMsg>, task: NodeId) -> Result<(), Error> {
        if let Some(again) = self.busy.get_mut(&task) {
            *again = true;
            return Ok(());
        }
        let in_review = |node: &Node| matches!(node.task().map(|t| &t.status), Some(TaskStatus::InReview(_)));
        if !self
            .system
            .reader()
            .node(task)?
            .is_some_and(|node| in_review(&node))
        {
            return Ok(());
        }
        self.busy.insert(task, false);
        let (system, bench, myself) = (self.system.clone(), Arc::clone(&self.bench), myself.clone());
        self.jobs.spawn(async move {
            until_judged(&system, &bench, task).await;
            // A policy actor that is gone has forgotten the task already.
            let _ = myself.send_message(PolicyMsg::Done(task));
        });
        Ok(())
    }
}

/// Judges, and goes on trying when something outside is in the way: a full disk, a repository
/// that cannot be read. The operator is told once; the work waits where it is safe.
async fn until_judged(system: &System, bench: &Bench, task: NodeId) {
    let mut wait = FIRST_RETRY;
    while let Err(error) = advance::advance(system, bench, task).await {
        tracing::error!(%error, %task, retry_in = ?wait, "a submission could not be judged");
        if wait == FIRST_RETRY {
            system
                .notify("operator", format!("a submission cannot be judged yet: {error}"))
                .await;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_RETRY);
    }
}

/// Somebody cancelled it, or another submission took its place: look again.
fn look_again_if_refused(decided: Result<Reply, Error>) -> Result<(), Error> {
    match decided {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.code, Code::IllegalTransition | Code::StaleEpoch) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The candidate of a submission: what the rules know of it, and git's own.
#[derive(Debug)]
struct Made {
    known: Candidate,
    git: Option<worknode_git::Candidate>,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            known: Candidate::Unmade,
            git: None,
        }
    }
}
