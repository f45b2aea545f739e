//! Taking back what a task has landed: a change of its own, by which exactly that is undone, through
//! the same gates as any other.

use std::{collections::BTreeSet, sync::Arc};

use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    event::{Draft, Event, Principal},
    ids::NodeId,
    node::{Detail, Kind, Node, NodeSpec},
    task::{Approval, TaskCommand, TaskSpec, TaskStatus},
};
use worknode_policies::{authority::Authority, plan::Planned};

use crate::{
    new_task,
    outside::{authorship, failed},
    system::System,
};

/// Who takes such a task: nobody, because it is handed in as it is made.
const NOBODY: &str = "worknode-undo";
/// Undoings of one task. More mean that somebody goes in circles.
const TIMES: u32 = 100;

/// Makes a task that takes back what `node` has landed, and hands its work in. Gates judge it as any
/// other; where the task's work needed an agent's approval, so does this, unless the operator asks.
///
/// # Errors
/// `illegal_transition` when nothing has landed, `already_exists` while another undoing is under way.
pub async fn undo(
    system: &System,
    authority: &Arc<Authority>,
    node: &Node,
    reason: &str,
) -> Result<NodeId, Error> {
    let (Some(task), Some((landed, before))) = (node.task(), landed(node)) else {
        let what = format!(
            "task `{}` is {}; nothing of it has landed",
            node.name,
            node.status()
        );
        return Err(Error::new(Code::IllegalTransition, what));
    };
    system.check_place(authority, node.id)?;
    system.check_files(authority, node.id)?;
    let store = &system.context().store;
    let tree = store.tree_of(&before).await.map_err(failed)?;
    let changes = store.changes(&landed, &tree).await.map_err(failed)?;
    let mut spec = spec_of(system, &authority.principal, task.spec.as_ref(), reason)?;
    let mut files = BTreeSet::new();
    for change in changes {
        files.insert(change.path.to_string());
    }
    spec.files = files.into_iter().collect();
    // What the landing brought may go, in whatever file: tests too.
    spec.may_delete.clone_from(&spec.files);
    let message = format!("{}\n\n{reason}", spec.title);
    let by = authorship(system, "worknode")?;
    let commit = store
        .undoing(&landed, &before, &message, &by)
        .await
        .map_err(failed)?;
    let id = create(system, authority, spec).await?;
    hand_in(system, id, commit).await?;
    Ok(id)
}

/// The commit that landed, and the one under it.
fn landed(node: &Node) -> Option<(worknode_core::git::CommitId, worknode_core::git::CommitId)> {
    match &node.task()?.status {
        TaskStatus::Completed { commit, base, .. } => Some((commit.clone(), base.clone())),
        _ => None,
    }
}

fn spec_of(system: &System, by: &Principal, of: &TaskSpec, reason: &str) -> Result<TaskSpec, Error> {
    let approval = match by {
        Principal::Operator => Approval::None,
        _ => of.approval,
    };
    let why = if reason.is_empty() {
        "no reason was given"
    } else {
        reason
    };
    Ok(TaskSpec {
        key: free_key(system, &of.key)?,
        title: format!("Undo: {}", of.title),
        prompt: format!("Take back what task `{}` has landed: {why}", of.key),
        agent: Some(NOBODY.to_owned()),
        gates: of.gates.clone(),
        approval,
        max_attempts: 1,
        priority: of.priority,
        amended: true,
        ..TaskSpec::default()
    })
}

/// `undo-KEY`, or the next one: what was done again can be taken back again.
fn free_key(system: &System, key: &str) -> Result<String, Error> {
    let team = system.team().node();
    for nth in 1..=TIMES {
        let name = if nth == 1 {
            format!("undo-{key}")
        } else {
            format!("undo-{key}-{nth}")
        };
        let Some(node) = system.reader().node(Planned::task_id(team, &name))? else {
            return Ok(name);
        };
        if node.task().is_some_and(|task| !task.status.is_terminal()) {
            let what = format!("task `{name}` is taking it back already");
            return Err(
                Error::new(Code::AlreadyExists, what).hint("`worknode task show` shows how far it is")
            );
        }
    }
    Err(Error::new(
        Code::LimitReached,
        format!("task `{key}` was taken back {TIMES} times"),
    ))
}

async fn create(system: &System, authority: &Authority, spec: TaskSpec) -> Result<NodeId, Error> {
    let phase = system.ensure_phase(new_task::PHASE).await?;
    let id = Planned::task_id(system.team().node(), &spec.key);
    let node = NodeSpec::new(
        Some(phase),
        Kind::Task,
        spec.key.clone(),
        Detail::Task(Box::new(spec)),
    );
    let draft = Draft {
        node: id,
        by: authority.principal.clone(),
        cause: None,
        event: Event::NodeCreated { node },
    };
    system.store(vec![draft]).await?;
    Ok(id)
}

/// The work is there already: it is claimed in the runtime's own name, and handed in.
async fn hand_in(system: &System, id: NodeId, commit: worknode_core::git::CommitId) -> Result<(), Error> {
    let ask = |command| system.command(id, Command::Task(command));
    match ask(TaskCommand::MarkReady).await {
        // The team was faster.
        Err(error) if error.code == Code::IllegalTransition => {}
        other => drop(other?),
    }
    let claim = TaskCommand::Claim {
        agent: system.team().node(),
        run: None,
        lease: bounds::LEASE,
    };
    let node = ask(claim).await?.node()?;
    let epoch = node.task().map_or(0, |task| task.epoch);
    ask(TaskCommand::Submit { epoch, commit }).await.map(drop)
}
