//! One submission, taken as far as it goes without waiting for anybody.

use tokio::sync::SemaphorePermit;
use worknode_core::{
    command::Command,
    error::Error,
    event::PanicStage,
    git::CommitId,
    ids::NodeId,
    node::Node,
    task::{Task, TaskCommand, TaskStatus},
    verdict::Finding,
};
use worknode_policies::{
    landing::{self, Candidate, Step},
    signing::PublicKey,
};

use super::{Bench, Made, binding, gates, land, look_again_if_refused};
use crate::{system::System, violations::note_findings};

/// Takes one submission as far as it goes without waiting for anybody.
#[tracing::instrument(name = "judge", skip_all, fields(task = %task))]
pub(super) async fn advance(system: &System, bench: &Bench, task: NodeId) -> Result<(), Error> {
    let mut job = Job {
        system,
        bench,
        task,
        made: Made::default(),
        shared: false,
        place: None,
    };
    while job.next().await? == Then::LookAgain {}
    Ok(())
}

/// What follows a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Something has changed, so something else may come next.
    LookAgain,
    /// It is done, or waits for somebody.
    Stop,
}

impl Then {
    const fn look_again_if(again: bool) -> Self {
        if again { Self::LookAgain } else { Self::Stop }
    }
}

/// A submission on its way.
struct Job<'a> {
    system: &'a System,
    bench: &'a Bench,
    task: NodeId,
    made: Made,
    /// Whether it was judged among others: at most once, and who was not settled there is judged alone.
    shared: bool,
    /// Its place among those that are judged, which it has until it is on the branch.
    place: Option<SemaphorePermit<'a>>,
}

impl Job<'_> {
    /// Looks at the task as it is, and does what comes next.
    async fn next(&mut self) -> Result<Then, Error> {
        let system = self.system;
        let Some(node) = system.reader().node(self.task)? else {
            return Ok(Then::Stop);
        };
        let Some(state) = node.task() else {
            return Ok(Then::Stop);
        };
        let base = land::tip(system).await?;
        if let Some(by) = landing::expired(state, system.now()) {
            let expire = Command::Task(TaskCommand::Expire { by });
            look_again_if_refused(system.command(self.task, expire).await)?;
            return Ok(Then::LookAgain);
        }
        let counted = what_counts(system, &node, state);
        let key = system.context().keys.public();
        let step = next_step(&counted, &self.made.known, &base, &key);
        if !matches!(step, Step::Land(_)) {
            self.place = None;
        }
        self.take(step, &node, &counted, &base).await
    }

    async fn take(
        &mut self,
        step: Step,
        node: &Node,
        counted: &Task,
        base: &CommitId,
    ) -> Result<Then, Error> {
        match step {
            Step::Nothing | Step::AwaitReview(_) => Ok(Then::Stop),
            Step::MakeCandidate => {
                self.made = land::make_candidate(self.system, node, base).await?;
                Ok(Then::LookAgain)
            }
            Step::RunGates(gates) => self.judge(node, counted, &gates).await,
            Step::Reject(findings) => {
                reject(self.system, node, findings).await?;
                Ok(Then::LookAgain)
            }
            Step::RequestReview(candidate) => {
                self.decide(node, TaskCommand::RequestReview { candidate }).await
            }
            Step::Land(landing) => {
                let place = self.place.take();
                let landed = land::land(self.system, self.bench, self.task, landing, &mut self.made, place);
                landed.await.map(Then::look_again_if)
            }
            Step::Settle(landing) => {
                let command = land::settle(self.system, &landing).await?;
                self.decide(node, command).await
            }
        }
    }

    async fn judge(&mut self, node: &Node, counted: &Task, gates: &[String]) -> Result<Then, Error> {
        if !self.shared && may_go_among_others(self.system, self.bench, counted) {
            self.shared = true;
            let settled = land::among_others(self.system, self.bench, self.task, &mut self.made);
            return settled.await.map(Then::look_again_if);
        }
        self.place = Some(gates::run(self.system, self.bench, node, &self.made, gates).await?);
        Ok(Then::LookAgain)
    }

    /// It was decided on this state, and so because of the event that made it.
    async fn decide(&self, node: &Node, command: TaskCommand) -> Result<Then, Error> {
        let decided = self
            .system
            .command_after(Some(node.updated), self.task, Command::Task(command));
        look_again_if_refused(decided.await)?;
        Ok(Then::LookAgain)
    }
}

/// Is there anybody to be judged with? Not while nothing may land: then nobody goes to the front.
fn may_go_among_others(system: &System, bench: &Bench, task: &Task) -> bool {
    bench.is_crowded()
        && landing::may_share_judgement(task)
        && system.guard().check(PanicStage::Landings).is_ok()
}

/// What comes next. Who could land where gates saw it, and whose base has moved since, joins the queue:
/// there it is judged again, with others that are in the same case.
fn next_step(task: &Task, candidate: &Candidate, base: &CommitId, key: &PublicKey) -> Step {
    let step = landing::next_step(task, candidate, base, key);
    match (&step, candidate) {
        (Step::MakeCandidate, Candidate::Made(seen)) => {
            match landing::next_step(task, candidate, &seen.base, key) {
                Step::Land(landing) => Step::Land(landing),
                _ => step,
            }
        }
        _ => step,
    }
}

/// Gives the task back with these objections. It was decided on this state of it.
pub(super) async fn reject(system: &System, node: &Node, findings: Vec<Finding>) -> Result<(), Error> {
    let Some(TaskStatus::InReview(review)) = node.task().map(|task| &task.status) else {
        return Ok(());
    };
    note_findings(system, node, &findings).await?;
    let reject = Command::Task(TaskCommand::Reject {
        commit: review.submission.commit.clone(),
        findings,
    });
    look_again_if_refused(system.command_after(Some(node.updated), node.id, reject).await)
}

/// The task with only the verdicts and approvals that count now.
pub(super) fn what_counts(system: &System, node: &Node, task: &Task) -> Task {
    let config = binding::configs(system, &task.spec);
    let now = landing::Now {
        node: node.id,
        time: system.now(),
        config: &config,
    };
    landing::what_counts(task, &now)
}
