//! Claims by those whom the runtime does not run: agents elsewhere, people, programs.
//!
//! Who names a task asks its Worknode. Who wants any task asks the team, which owns the queue of
//! what is ready, and may wait there: whoever waits longest is served first. Either way the holder
//! keeps its claim by renewing it; three heartbeats missed, and the lease is over.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::sync::oneshot;
use worknode_core::{
    bounds,
    command::{Command, Operation},
    error::{Code, Error, MAY_BE_DONE},
    event::Principal,
    ids::NodeId,
    node::Node,
    task::{ReleaseCause, TaskCommand},
    time::Timestamp,
};
use worknode_policies::authority::Authority;

use crate::{
    capabilities::allow_task,
    request::{self, Request},
    system::System,
    team::TeamMsg,
};

/// Which tasks a claimer takes, beyond what the other fields of [`Wanted`] say.
pub type Fits = Arc<dyn Fn(&Node) -> bool + Send + Sync>;

/// What somebody who asks for any task takes.
#[derive(Clone)]
pub struct Wanted {
    /// Who is to hold it.
    pub holder: NodeId,
    /// That one's name: tasks may name who may take them.
    pub name: String,
    /// For how long without renewal.
    pub lease: Duration,
    /// Only what is below this Worknode.
    pub scope: NodeId,
    /// Among tasks of the same priority and age, those with more of these tags first.
    pub skills: BTreeSet<String>,
    /// Only what fits this.
    pub fits: Option<Fits>,
    /// Where else to look when nothing is ready in the scope.
    pub steal: Option<Steal>,
    /// How long to wait when nothing is ready.
    pub wait: Duration,
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("holder", &self.name)
            .field("scope", &self.scope)
            .field("skills", &self.skills)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// Where an idle team takes tasks of busy ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steal {
    /// Below these Worknodes, in this order.
    pub from: Vec<NodeId>,
    /// Only where more than so many are ready: the rest is for those who are there.
    pub above: usize,
}

/// A claim that was made.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Won {
    /// The task.
    #[serde(skip)]
    pub node: Arc<Node>,
    /// Its Worknode.
    pub task: NodeId,
    /// Its name.
    pub key: String,
    /// Who holds it.
    pub agent: NodeId,
    /// The fence that every later write must show.
    pub epoch: u64,
    /// Until when it holds without renewal.
    pub lease_until: Timestamp,
}

impl Won {
    /// What `node` says of its holder.
    ///
    /// # Errors
    /// `stale_epoch` when nobody holds it any more.
    pub fn of(node: Arc<Node>) -> Result<Self, Error> {
        let claim = node.task().and_then(|task| task.status.claim());
        let Some(claim) = claim.cloned() else {
            let what = format!("task `{}` is {}; nobody holds it", node.name, node.status());
            return Err(Error::new(Code::StaleEpoch, what));
        };
        Ok(Self {
            task: node.id,
            key: node.name.clone(),
            agent: claim.agent,
            epoch: claim.epoch,
            lease_until: claim.lease_until,
            node,
        })
    }
}

/// A request for any task, on its way to the team.
#[derive(Debug)]
pub(crate) struct ClaimNext {
    pub(crate) authority: Arc<Authority>,
    pub(crate) wanted: Wanted,
    /// The request that it is, when that has a key.
    pub(crate) request: Option<Request>,
    pub(crate) reply: oneshot::Sender<Result<Won, Error>>,
}

/// Claims exactly this task.
///
/// # Errors
/// `held` when somebody else holds it, and whatever the membrane or the task refuses.
pub async fn claim(
    system: &System,
    authority: &Arc<Authority>,
    task: NodeId,
    holder: NodeId,
    lease: Duration,
) -> Result<Won, Error> {
    may_hold(system, authority, holder)?;
    system.check_files(authority, task)?;
    let claim = TaskCommand::Claim {
        agent: holder,
        run: None,
        lease,
    };
    let answer = system.ask(authority, task, Command::Task(claim), None).await?;
    Won::of(answer.node()?)
}

/// Claims the next task that fits, and waits for one as long as it is told to.
///
/// When the future is dropped, its place in the queue is given up; a claim that was made in that
/// moment is given back.
///
/// # Errors
/// `not_found` when nothing fits, `backpressure` when too many wait already, and whatever the
/// membrane or the task refuses.
pub async fn claim_next(system: &System, authority: &Arc<Authority>, wanted: Wanted) -> Result<Won, Error> {
    check(authority, &wanted)?;
    may_hold(system, authority, wanted.holder)?;
    let wanted = within(authority, wanted);
    let limit = wanted.wait.saturating_add(system.answer_time());
    let (reply, answer) = oneshot::channel();
    system.team_actor().tell(TeamMsg::Claim(Box::new(ClaimNext {
        authority: Arc::clone(authority),
        wanted,
        request: request::present(),
        reply,
    })))?;
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::new(
            Code::Failed,
            "the runtime stopped giving out tasks before this claim was answered",
        )
        .hint("ask again in a moment")),
        Err(_) => Err(Error::new(Code::TimedOut, "the claim was not answered in time").hint(MAY_BE_DONE)),
    }
}

/// Gives back a claim that its claimer did not live to see. It costs the task no attempt.
pub(crate) async fn give_back(system: &System, won: &Won) {
    let release = TaskCommand::Release {
        epoch: won.epoch,
        cause: ReleaseCause::Stopped,
        detail: "whoever claimed it went away before the answer".to_owned(),
    };
    if let Err(error) = system.command(won.task, Command::Task(release)).await {
        // Its lease ends it, then.
        tracing::warn!(%error, task = %won.task, "a claim that nobody waits for could not be given back");
    }
}

/// Of what is wanted, what touches only files that the capability names.
fn within(authority: &Authority, wanted: Wanted) -> Wanted {
    let files = authority.limits.named_files();
    if files.are_all() {
        return wanted;
    }
    let asked = wanted.fits;
    let fits: Fits = Arc::new(move |node: &Node| {
        allow_task(&files, node).is_ok() && asked.as_ref().is_none_or(|fits| fits(node))
    });
    Wanted {
        fits: Some(fits),
        ..wanted
    }
}

fn check(authority: &Authority, wanted: &Wanted) -> Result<(), Error> {
    if !authority.operations.contains(&Operation::Claim) {
        let what = format!("{} may not claim tasks", authority.principal);
        return Err(
            Error::new(Code::Forbidden, what).hint("ask the operator for a capability that lists `claim`")
        );
    }
    if wanted.wait > bounds::CLAIM_WAIT {
        let most = bounds::CLAIM_WAIT.as_secs();
        return Err(Error::new(Code::Usage, format!("a claim waits at most {most} s"))
            .hint("ask again when it has waited in vain"));
    }
    if wanted.skills.len() > bounds::SKILLS {
        let what = format!("a claim names at most {} skills", bounds::SKILLS);
        return Err(Error::new(Code::LimitReached, what));
    }
    Ok(())
}

/// The holder is a Worknode of the tree, and one in whose name the caller may claim.
fn may_hold(system: &System, authority: &Authority, holder: NodeId) -> Result<(), Error> {
    match &authority.principal {
        Principal::Outside { node, name } if *node != holder => {
            let what = format!("{name} may claim for itself alone");
            return Err(Error::new(Code::Forbidden, what));
        }
        Principal::Outside { .. }
        | Principal::Agent { .. }
        | Principal::Operator
        | Principal::Runtime
        | Principal::Trigger { .. } => {}
    }
    if system.is_known_holder(holder) {
        return Ok(());
    }
    let found = system.reader().node(holder)?;
    let node = found.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("there is no Worknode {holder} that could hold a task"),
        )
        .hint("make one first: whoever holds a task is a Worknode of the tree, of any kind")
    })?;
    if node.body.is_archived() {
        let what = format!("`{}` is archived, and holds nothing any more", node.name);
        return Err(Error::new(Code::Refused, what));
    }
    Ok(())
}
