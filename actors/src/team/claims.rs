//! Giving out tasks to those who ask for any: the queue of waiting claims.
//!
//! Whoever waits longest is served first. A claim that is being made leaves the queue and, when the
//! task went to somebody else in that moment, returns to its old place.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use ractor::ActorRef;
use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    event::{Event, Record, SCHEMA_VERSION},
    ids::NodeId,
    node::Node,
    task::{Claim, TaskCommand},
    time::Timestamp,
};
use worknode_policies::{names, steal};

use super::{State, TeamMsg, index::Place, view::View};
use crate::{
    claims::{ClaimNext, Wanted, Won, give_back},
    membrane::arrival,
    request,
    system::System,
};

/// The claims that wait for a task, by the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queue: BTreeMap<u64, Waiter>,
    /// When each of them has waited long enough.
    ends: BTreeSet<(Timestamp, u64)>,
    last: u64,
    /// Something was added since the queue was last looked through: to the queue, or to what is
    /// ready.
    stirred: bool,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Waiter {
    turn: u64,
    ask: Box<ClaimNext>,
    until: Timestamp,
}

impl Waiting {
    /// Something new may be ready.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
    }

    /// The next instant at which somebody has waited long enough.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.ends.first().map(|(until, _)| *until)
    }

    fn add(&mut self, waiter: Waiter) {
        self.ends.insert((waiter.until, waiter.turn));
        self.queue.insert(waiter.turn, waiter);
    }

    fn remove(&mut self, turn: u64) -> Option<Waiter> {
        let waiter = self.queue.remove(&turn)?;
        self.ends.remove(&(waiter.until, turn));
        Some(waiter)
    }

    /// One who has waited long enough by now.
    fn remove_ended(&mut self, now: Timestamp) -> Option<Waiter> {
        let (_, turn) = self.ends.first().filter(|(until, _)| *until <= now).copied()?;
        self.remove(turn)
    }

    fn drop_gone(&mut self) {
        let gone = self.queue.values().filter(|waiter| waiter.ask.reply.is_closed());
        for turn in gone.map(|waiter| waiter.turn).collect::<Vec<_>>() {
            self.remove(turn);
        }
    }
}

impl State {
    /// Somebody asks for a task.
    pub(super) fn queue_claim(&mut self, ask: Box<ClaimNext>) {
        if self.waiting.queue.len() >= bounds::WAITING_CLAIMS {
            self.waiting.drop_gone();
        }
        if self.waiting.queue.len() >= bounds::WAITING_CLAIMS {
            // Whoever asked may have gone away.
            let _ = ask
                .reply
                .send(Err(Error::backpressure("the queue of waiting claims")));
            return;
        }
        self.waiting.last = self.waiting.last.saturating_add(1);
        let waiter = Waiter {
            turn: self.waiting.last,
            until: self.system.now().plus(ask.wanted.wait),
            ask,
        };
        self.waiting.add(waiter);
        self.waiting.stirred = true;
    }

    /// Gives out what is ready to those who wait, and tells those whose time is over.
    pub(super) fn serve_claims(&mut self, myself: &ActorRef<TeamMsg>) {
        if std::mem::take(&mut self.waiting.stirred) && !self.view.held {
            let turns: Vec<u64> = self.waiting.queue.keys().copied().collect();
            for turn in turns {
                if self.view.index.ready.is_empty() {
                    break;
                }
                self.serve(turn, myself);
            }
        }
        let now = self.system.now();
        while let Some(waiter) = self.waiting.remove_ended(now) {
            let _ = waiter.ask.reply.send(Err(nothing_ready(&waiter.ask.wanted)));
        }
    }

    fn serve(&mut self, turn: u64, myself: &ActorRef<TeamMsg>) {
        let Some(waiter) = self.waiting.remove(turn) else {
            return;
        };
        if waiter.ask.reply.is_closed() {
            return;
        }
        match choose(&self.view, &self.system, &self.busy, &waiter.ask) {
            Ok(None) => {
                self.waiting.add(waiter);
            }
            Ok(Some(place)) => self.begin_claim(waiter, place, myself),
            Err(error) => {
                let _ = waiter.ask.reply.send(Err(error));
            }
        }
    }

    fn begin_claim(&mut self, waiter: Waiter, place: Place, myself: &ActorRef<TeamMsg>) {
        self.view.index.ready.remove(&place);
        self.busy.insert(place.id);
        let (system, myself) = (self.system.clone(), myself.clone());
        self.jobs.spawn(async move {
            let outcome = make_claim(&system, place.id, &waiter.ask).await;
            let (waiter, node) = settle(&system, waiter, outcome).await;
            // A team that is gone has no queue to return to.
            let _ = myself.send_message(TeamMsg::Claimed {
                task: place.id,
                node,
                waiter,
            });
        });
    }

    /// A claim was made, or not: then its claimer waits on, at its old place.
    pub(super) fn claim_made(
        &mut self,
        task: NodeId,
        node: Option<Arc<Node>>,
        waiter: Option<Waiter>,
    ) -> Result<(), Error> {
        self.busy.remove(&task);
        if let Some(node) = node {
            self.view.learn(&self.system, node)?;
        } else {
            self.look_again(task)?;
        }
        if let Some(waiter) = waiter {
            self.waiting.add(waiter);
            self.waiting.stirred = true;
        }
        while self.jobs.try_join_next().is_some() {}
        Ok(())
    }
}

async fn make_claim(system: &System, task: NodeId, ask: &ClaimNext) -> Result<Won, Error> {
    let claim = TaskCommand::Claim {
        agent: ask.wanted.holder,
        run: None,
        lease: ask.wanted.lease,
    };
    let asked = system.ask(&ask.authority, task, Command::Task(claim), None);
    let answer = request::carried(ask.request.clone(), asked).await?;
    Won::of(answer.node()?)
}

/// Tells the claimer, unless somebody else was faster: then it waits on.
async fn settle(
    system: &System,
    waiter: Waiter,
    outcome: Result<Won, Error>,
) -> (Option<Waiter>, Option<Arc<Node>>) {
    match outcome {
        Ok(won) => {
            let node = Arc::clone(&won.node);
            if let Err(Ok(won)) = waiter.ask.reply.send(Ok(won)) {
                give_back(system, &won).await;
                return (None, None);
            }
            (None, Some(node))
        }
        Err(error) if matches!(error.code, Code::Held | Code::IllegalTransition) => (Some(waiter), None),
        Err(error) => {
            let _ = waiter.ask.reply.send(Err(error));
            (None, None)
        }
    }
}

fn nothing_ready(wanted: &Wanted) -> Error {
    let what = if wanted.wait.is_zero() {
        format!("no task is ready that {} could take", wanted.name)
    } else {
        format!(
            "no task became ready within {} s that {} could take",
            wanted.wait.as_secs_f64(),
            wanted.name
        )
    };
    Error::new(Code::NotFound, what).hint("a claim can wait for one: say for how long")
}

/// The best task for this claim: in its own scope, or else of a team that has more than enough.
fn choose(
    view: &View,
    system: &System,
    busy: &HashSet<NodeId>,
    ask: &ClaimNext,
) -> Result<Option<Place>, Error> {
    let wanted = &ask.wanted;
    let own = best(view, system, busy, ask, (wanted.scope, None))?;
    let (None, Some(plan)) = (own, &wanted.steal) else {
        return Ok(own);
    };
    for from in &plan.from {
        let backlog = backlog(view, system, *from, plan.above)?;
        if steal::may_take(0, backlog, plan.above)
            && let Some(place) = best(view, system, busy, ask, (*from, Some(wanted.scope)))?
        {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Is what was found better than this place, and so than all behind it? Among those that tie, skills
/// decide.
fn is_better(wanted: &Wanted, found: Place, place: Place) -> bool {
    wanted.skills.is_empty() || !found.ties_with(&place)
}

/// May this holder have the task: is it one for it, in its reach, and let through on its way?
fn may_have(
    system: &System,
    ask: &ClaimNext,
    node: &Node,
    (scope, taker): (NodeId, Option<NodeId>),
) -> Result<bool, Error> {
    let in_reach = |of| is_below(system, node, of);
    if !takes(&ask.wanted, node) || !in_reach(scope)? || !in_reach(ask.authority.subtree)? {
        return Ok(false);
    }
    Ok(taker.is_none_or(|taker| passes_between(system, ask, node, (scope, taker))))
}

/// The best one below `scope`, on its way to another team if there is one. One that this holder has lost before only when there is no other.
fn best(
    view: &View,
    system: &System,
    busy: &HashSet<NodeId>,
    ask: &ClaimNext,
    (scope, taker): (NodeId, Option<NodeId>),
) -> Result<Option<Place>, Error> {
    let (mut best, mut lost): (Option<(Place, usize)>, Option<Place>) = (None, None);
    for place in view.index.ready.iter().take(looks(&ask.wanted)).copied() {
        if best.is_some_and(|(found, _)| is_better(&ask.wanted, found, place)) {
            break;
        }
        let Some(node) = view.task(place.id) else {
            continue;
        };
        if busy.contains(&place.id) || !may_have(system, ask, node, (scope, taker))? {
            continue;
        }
        if node
            .task()
            .is_some_and(|task| task.lost_by.contains(&ask.wanted.holder))
        {
            lost = lost.or(Some(place));
            continue;
        }
        let skills = node
            .body
            .tags
            .iter()
            .filter(|tag| ask.wanted.skills.contains(*tag))
            .count();
        if best.is_none_or(|(_, most)| skills > most) {
            best = Some((place, skills));
        }
    }
    Ok(best.map(|(place, _)| place).or(lost))
}

/// How many of what is ready are looked at. Usually the very first is taken.
fn looks(wanted: &Wanted) -> usize {
    let simple = wanted.scope == NodeId::ROOT && wanted.skills.is_empty() && wanted.fits.is_none();
    if simple {
        bounds::CLAIM_LOOKS / 16
    } else {
        bounds::CLAIM_LOOKS
    }
}

/// Does the task's own rule, and the claimer's, allow it?
fn takes(wanted: &Wanted, node: &Node) -> bool {
    let named = node.task().is_some_and(|task| {
        let pattern = task.spec.agent.as_deref();
        pattern.is_none_or(|pattern| names::fits(pattern, &wanted.name))
    });
    named && wanted.fits.as_ref().is_none_or(|fits| fits(node))
}

/// Do the membranes of both teams let the claim through: out of the one whose task it is, and in to the
/// one that takes it?
fn passes_between(system: &System, ask: &ClaimNext, task: &Node, (from, taker): (NodeId, NodeId)) -> bool {
    let now = system.now();
    let by = &ask.authority.principal;
    let claimed = Record {
        at: task.updated,
        node: task.id,
        by: by.clone(),
        cause: None,
        version: SCHEMA_VERSION,
        event: Event::TaskClaimed {
            claim: Claim {
                agent: ask.wanted.holder,
                run: None,
                epoch: task.task().map_or(0, |task| task.epoch).saturating_add(1),
                lease_until: now.plus(ask.wanted.lease),
            },
        },
    };
    system.boundaries().seen(&claimed, from, now).is_some()
        && arrival::passes_into(system, taker, by, &claimed.event).is_ok()
}

/// Asked of its parent: tasks are many, and what they hang below is few.
fn is_below(system: &System, node: &Node, top: NodeId) -> Result<bool, Error> {
    if top == NodeId::ROOT || top == node.id {
        return Ok(true);
    }
    match node.parent {
        Some(parent) => Ok(system.boundaries().of(parent)?.is_below(top)),
        None => Ok(false),
    }
}

/// How many tasks are ready below `top`; counted no further than one more than `enough`.
fn backlog(view: &View, system: &System, top: NodeId, enough: usize) -> Result<usize, Error> {
    let mut found = 0_usize;
    for node in view.index.ready.iter().filter_map(|place| view.task(place.id)) {
        if is_below(system, node, top)? {
            found = found.saturating_add(1);
            if found > enough {
                break;
            }
        }
    }
    Ok(found)
}
