//! The private clone that a run works in.

use std::path::{Path, PathBuf};

use worknode_core::{
    error::{Code, Error},
    event::Event,
    git::CommitId,
    ids::RunId,
    node::Node,
    run::Purpose,
    task::{Task, TaskStatus},
};
use worknode_journal::EventFilter;

use crate::{
    definition::AgentDefinition,
    outside::{authorship, failed, identity},
    system::{Paths, System},
};

/// The file beside a run's output that names the commit its clone began with.
pub(super) const START: &str = "start";

/// A clone for one run.
pub(super) struct Place {
    /// Where it is.
    pub(super) clone: PathBuf,
    /// The tip of the base branch.
    pub(super) base: CommitId,
    /// What is checked out.
    pub(super) start: CommitId,
    /// The rejected submission that it goes on from.
    pub(super) continues: Option<CommitId>,
}

/// Makes the clone of one run, and notes what it begins with.
pub(super) async fn make_clone(
    system: &System,
    agent: &AgentDefinition,
    run: RunId,
    task: Option<&Node>,
    purpose: &Purpose,
) -> Result<Place, Error> {
    let context = system.context();
    let clone = context.paths.workspace(&agent.name);
    put_away(system, &clone).await?;
    let base = context
        .repository
        .base_tip(&context.team.base)
        .await
        .map_err(failed)?;
    let state = task.and_then(Node::task);
    let (start, continues) = match (purpose, state) {
        (Purpose::Work { .. }, Some(task)) => start_of_attempt(system, &base, task).await?,
        (Purpose::Review { .. }, Some(task)) => (candidate_of(task)?, None),
        _ => (base.clone(), None),
    };
    let identity = identity(system, &agent.name)?;
    let branch = state.map_or_else(
        || format!("worknode/{run}"),
        |task| format!("worknode/{}", task.spec.key),
    );
    context
        .store
        .clone_for_agent(&clone, &start, &branch, &identity)
        .await
        .map_err(failed)?;
    Ok(Place {
        clone,
        base,
        start,
        continues,
    })
}

/// A further attempt goes on from the work that was rejected, on top of what landed meanwhile.
async fn start_of_attempt(
    system: &System,
    base: &CommitId,
    task: &Task,
) -> Result<(CommitId, Option<CommitId>), Error> {
    let previous = task.last_submission.as_ref();
    let authorship = authorship(system, "worknode")?;
    let point = system
        .context()
        .store
        .start_point(base, previous, &authorship)
        .await
        .map_err(failed)?;
    let continues = previous.filter(|_| point.carries_previous).cloned();
    Ok((point.commit, continues))
}

fn candidate_of(task: &Task) -> Result<CommitId, Error> {
    match &task.status {
        TaskStatus::InReview(review) => review.candidate.clone(),
        _ => None,
    }
    .ok_or_else(|| Error::new(Code::IllegalTransition, "there is nothing to review any more"))
}

/// The clone of the agent's run before this one: nothing that was handed in needs it any more.
/// One whose run ended without a submission is kept beside the run's output, for people.
async fn put_away(system: &System, clone: &Path) -> Result<(), Error> {
    let paths = &system.context().paths;
    if !tokio::fs::try_exists(clone).await.map_err(failed)? {
        return Ok(());
    }
    if let Some(run) = owner_of(system, clone)? {
        let kept = paths.run(run).join("workspace");
        if tokio::fs::rename(clone, &kept).await.is_ok() {
            return Ok(());
        }
    }
    worknode_git::remove_clone(&paths.state.join("workspaces"), clone)
        .await
        .map_err(failed)
}

/// The last run of the agent whose clone this is, when it left work that nobody took.
fn owner_of(system: &System, clone: &Path) -> Result<Option<RunId>, Error> {
    let Some(name) = clone.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return Ok(None);
    };
    let runs = system.reader().runs_of(system.team().agent_node(&name), 2)?;
    // The newest is the one that is starting; the one before it left the clone.
    let Some(stored) = runs.into_iter().nth(1) else {
        return Ok(None);
    };
    let Purpose::Work { task, epoch } = stored.run.spec.purpose else {
        return Ok(None);
    };
    let filter = EventFilter {
        node: Some(task),
        types: vec!["task_submitted".to_owned()],
        ..EventFilter::default()
    };
    let submitted = system
        .reader()
        .events(&filter)?
        .into_iter()
        .any(|record| matches!(record.event, Event::TaskSubmitted { epoch: at, .. } if at == epoch));
    Ok((!submitted).then_some(stored.run.spec.id))
}

/// The commit that the clone of a run began with; `None` when it never got one.
pub(crate) async fn start_of(paths: &Paths, run: RunId) -> Option<CommitId> {
    tokio::fs::read_to_string(paths.run(run).join(START))
        .await
        .ok()?
        .trim()
        .parse()
        .ok()
}
