//! Tasks: the same verbs as the command line's.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use worknode_actors::{
    membrane::Reply,
    new_task::{NewTask, add_task},
    submit, undo,
};
use worknode_core::{
    command::Command,
    error::{Code, Error},
    git::CommitId,
    ids::NodeId,
    node::{Kind, Node},
    task::{Progress, ReleaseCause, TaskCommand, TaskStatus},
    verdict::Finding,
};
use worknode_policies::landing;

use super::{Api, auth::Caller, claims, error::ApiError};
use crate::view::{self, TaskView};

type Answer = Result<Json<TaskView>, ApiError>;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<Vec<TaskView>>, ApiError> {
    caller.may_read()?;
    Ok(Json(view::tasks(api.reader())?))
}

pub(super) async fn show(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may_read()?;
    let node = view::find(api.reader(), Kind::Task, &id)?;
    one(&api, node.id)
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(new): Json<NewTask>,
) -> Result<(StatusCode, Json<TaskView>), ApiError> {
    caller.may_write()?;
    let id = add_task(api.runtime.system(), &caller.0.principal, new).await?;
    Ok((StatusCode::CREATED, one(&api, id)?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reported {
    epoch: u64,
    #[serde(default)]
    percent: Option<u8>,
    #[serde(default)]
    message: String,
}

pub(super) async fn progress(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Reported>,
) -> Result<StatusCode, ApiError> {
    let task = claims::task(&api, &id)?;
    let progress = Progress {
        percent: body.percent,
        message: body.message,
    };
    let system = api.runtime.system();
    system
        .report_progress(&caller.0, task, body.epoch, progress)
        .await?;
    // Nothing to say: what was acknowledged is a word that may be replaced before it is stored.
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submitted {
    epoch: u64,
    commit: CommitId,
}

pub(super) async fn submit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Submitted>,
) -> Answer {
    let node = view::find(api.reader(), Kind::Task, &id)?;
    submit::submit(api.runtime.system(), &caller.0, node.id, body.epoch, body.commit).await?;
    one(&api, node.id)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    epoch: u64,
    #[serde(default)]
    reason: String,
}

pub(super) async fn release(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Because>,
) -> Answer {
    let release = TaskCommand::Release {
        epoch: body.epoch,
        cause: ReleaseCause::GivenBack,
        detail: body.reason,
    };
    ask(&api, &caller, &id, release).await
}

pub(super) async fn block(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Because>,
) -> Answer {
    ask(
        &api,
        &caller,
        &id,
        TaskCommand::Block {
            epoch: body.epoch,
            reason: body.reason,
        },
    )
    .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cancelled {
    reason: String,
}

pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Cancelled>,
) -> Answer {
    ask(&api, &caller, &id, TaskCommand::Cancel { reason: body.reason }).await
}

pub(super) async fn retry(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    ask(&api, &caller, &id, TaskCommand::Retry).await
}

/// Answers with the task that takes it back.
pub(super) async fn undo(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Cancelled>,
) -> Result<(StatusCode, Json<TaskView>), ApiError> {
    caller.may_spawn()?;
    let node = view::find(api.reader(), Kind::Task, &id)?;
    let undoing = undo::undo(api.runtime.system(), &caller.0, &node, &body.reason).await?;
    Ok((StatusCode::CREATED, one(&api, undoing)?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Decided {
    /// What was looked at; the submission that is in review when it is not said.
    commit: Option<CommitId>,
    /// Digest of what was looked at; what is in review now when it is not said.
    shown: Option<String>,
    note: String,
    reason: String,
}

pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Decided>,
) -> Answer {
    let node = view::find(api.reader(), Kind::Task, &id)?;
    let commit = decided_on(&node, body.commit)?;
    ask(
        &api,
        &caller,
        &id,
        TaskCommand::Approve {
            shown: shown(&node, &commit, body.shown)?,
            commit,
            note: body.note,
        },
    )
    .await
}

pub(super) async fn reject(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Decided>,
) -> Answer {
    let node = view::find(api.reader(), Kind::Task, &id)?;
    let commit = decided_on(&node, body.commit)?;
    if body.reason.is_empty() {
        return Err(Error::new(
            Code::Usage,
            "a rejection needs a reason: it goes into the next brief",
        )
        .into());
    }
    let findings = vec![Finding::new("review.rejected", body.reason)];
    ask(&api, &caller, &id, TaskCommand::Reject { commit, findings }).await
}

/// The digest of what is in review, which must be what was looked at.
fn shown(node: &Node, commit: &CommitId, said: Option<String>) -> Result<String, Error> {
    let Some(task) = node.task() else {
        return Ok(String::new());
    };
    let shown = landing::shown(&task.spec, commit);
    if said.is_none_or(|said| said == shown) {
        return Ok(shown);
    }
    let what = format!(
        "the work or the plan of task `{}` is not what was shown",
        node.name
    );
    Err(Error::new(Code::Changed, what).hint("look at it again, then decide"))
}

fn decided_on(node: &Node, said: Option<CommitId>) -> Result<CommitId, Error> {
    match (said, node.task().map(|task| &task.status)) {
        (Some(commit), _) => Ok(commit),
        (None, Some(TaskStatus::InReview(review))) => Ok(review.submission.commit.clone()),
        (None, _) => Err(Error::new(
            Code::IllegalTransition,
            format!(
                "task `{}` is {}; there is nothing to review",
                node.name,
                node.status()
            ),
        )),
    }
}

async fn ask(api: &Api, caller: &Caller, id: &str, command: TaskCommand) -> Answer {
    let node = view::find(api.reader(), Kind::Task, id)?;
    match api
        .runtime
        .system()
        .ask(&caller.0, node.id, Command::Task(command), None)
        .await?
    {
        Reply::Done { .. } | Reply::Conflated | Reply::PutAside { .. } => one(api, node.id),
    }
}

fn one(api: &Api, id: NodeId) -> Answer {
    Ok(Json(view::task(api.reader(), id)?))
}
