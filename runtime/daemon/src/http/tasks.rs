//! Tasks: the same verbs as the command line's.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap};
use schemars::JsonSchema;
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

use super::{
    Api,
    auth::Caller,
    claims,
    described::Routes,
    error::ApiError,
    parts::{Created, Done, Json, Path, Tagged},
    plan,
    shared::OneOf,
};
use crate::view::{self, TaskView};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/tasks",
            list,
            "All open tasks, and the last thousand that are over",
        )
        .post("/tasks", add, "Adds a task")
        .example(r#"{"title": "Write the changelog", "files": ["CHANGELOG.md"]}"#)
        .get("/tasks/{id}", show, "One task")
        .put("/tasks/{id}", plan::change, "Changes what is planned of a task")
        .example(r#"{"files": ["schema.sql"], "reason": "it is smaller than we thought"}"#)
        .delete(
            "/tasks/{id}",
            remove,
            "The same as `cancel`: what happened stays on record",
        )
        .post(
            "/tasks/claim",
            claims::next,
            "Claims the next task that is ready and fits",
        )
        .example(r#"{"agent": "ci", "skills": ["rust"], "wait": "20s"}"#)
        .post("/tasks/{id}/claim", claims::claim, "Claims a task for a lease")
        .example(r#"{"agent": "ci", "lease": "60s"}"#)
        .post("/tasks/{id}/renew", claims::renew, "Renews the lease of a claim")
        .if_match_epoch()
        .example(r#"{"epoch": 1, "lease": "60s"}"#)
        .post(
            "/tasks/{id}/hand-over",
            claims::hand_over,
            "Hands a claim on to another holder",
        )
        .if_match_epoch()
        .example(r#"{"epoch": 1, "to": "ci"}"#)
        .post(
            "/tasks/{id}/fail",
            claims::fail,
            "Gives a task up: it counts as an attempt",
        )
        .if_match_epoch()
        .example(r#"{"epoch": 1, "reason": "the tool is not there"}"#)
        .post("/tasks/{id}/progress", progress, "Says how far the holder is")
        .if_match_epoch()
        .example(r#"{"epoch": 1, "percent": 50, "message": "half way"}"#)
        .post(
            "/tasks/{id}/submit",
            submit,
            "Hands in a commit; the gates check exactly this one",
        )
        .if_match_epoch()
        .example(r#"{"epoch": 1, "commit": "0123456789abcdef0123456789abcdef01234567"}"#)
        .post(
            "/tasks/{id}/complete",
            submit,
            "The same as `submit`: it asks for review, it does not grant it",
        )
        .if_match_epoch()
        .example(r#"{"epoch": 1, "commit": "0123456789abcdef0123456789abcdef01234567"}"#)
        .post(
            "/tasks/{id}/release",
            release,
            "Gives a task back: it counts as no attempt",
        )
        .if_match_epoch()
        .example(r#"{"epoch": 1, "reason": "somebody else knows more"}"#)
        .post(
            "/tasks/{id}/block",
            block,
            "Says that the holder cannot go on, and what is missing",
        )
        .if_match_epoch()
        .example(r#"{"epoch": 1, "reason": "the schema is missing"}"#)
        .post("/tasks/{id}/cancel", cancel, "Nobody wants it any more")
        .post(
            "/tasks/{id}/retry",
            retry,
            "Lets a blocked or failed task be tried again",
        )
        .post(
            "/tasks/{id}/undo",
            undo,
            "Makes a task that takes back what this one landed",
        )
        .post("/tasks/{id}/approve", approve, "Approves what is in review")
        .example(r#"{"note": "as planned"}"#)
        .post(
            "/tasks/{id}/reject",
            reject,
            "Rejects what is in review, with the reason for the next brief",
        )
        .example(r#"{"reason": "the tests are missing"}"#)
}

type Answer = Result<Json<TaskView>, ApiError>;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<OneOf<Json<Vec<TaskView>>>, ApiError> {
    caller.may_read()?;
    let answer = async { Ok(Json(view::tasks(api.reader())?)) };
    api.shared("tasks", answer).await
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<OneOf<Tagged<TaskView>>, ApiError> {
    caller.may_read()?;
    let answer = async { Ok(tagged(&api, &id)?) };
    api.shared(format!("task {id}"), answer).await
}

fn tagged(api: &Api, id: &str) -> Result<Tagged<TaskView>, Error> {
    let node = view::find(api.reader(), Kind::Task, id)?;
    let body = view::task(api.reader(), node.id)?;
    Ok(Tagged {
        epoch: body.epoch,
        body,
    })
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(new): Json<NewTask>,
) -> Result<Created<TaskView>, ApiError> {
    caller.may_write()?;
    let id = add_task(api.runtime.system(), &caller.0, new).await?;
    Ok(Created(one(&api, id)?.0))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewProgress")]
pub(super) struct Reported {
    /// That of the claim; `If-Match` may say it instead.
    epoch: Option<u64>,
    #[serde(default)]
    percent: Option<u8>,
    #[serde(default)]
    message: String,
}

pub(super) async fn progress(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Reported>,
) -> Result<Done, ApiError> {
    let task = claims::task(&api, &id)?;
    let progress = Progress {
        percent: body.percent,
        message: body.message,
    };
    let system = api.runtime.system();
    system
        .report_progress(&caller.0, task, claims::epoch(body.epoch, &headers)?, progress)
        .await?;
    // Nothing to say: what was acknowledged is a word that may be replaced before it is stored.
    Ok(Done)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Submitted {
    /// That of the claim; `If-Match` may say it instead.
    epoch: Option<u64>,
    commit: CommitId,
}

pub(super) async fn submit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Submitted>,
) -> Answer {
    let node = view::find(api.reader(), Kind::Task, &id)?;
    submit::submit(
        api.runtime.system(),
        &caller.0,
        node.id,
        claims::epoch(body.epoch, &headers)?,
        body.commit,
    )
    .await?;
    one(&api, node.id)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UnderClaim")]
pub(super) struct Because {
    /// That of the claim; `If-Match` may say it instead.
    epoch: Option<u64>,
    #[serde(default)]
    reason: String,
}

pub(super) async fn release(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Because>,
) -> Answer {
    let release = TaskCommand::Release {
        epoch: claims::epoch(body.epoch, &headers)?,
        cause: ReleaseCause::GivenBack,
        detail: body.reason,
    };
    ask(&api, &caller, &id, release).await
}

pub(super) async fn block(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Because>,
) -> Answer {
    ask(
        &api,
        &caller,
        &id,
        TaskCommand::Block {
            epoch: claims::epoch(body.epoch, &headers)?,
            reason: body.reason,
        },
    )
    .await
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Because")]
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

async fn remove(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let reason = "removed".to_owned();
    ask(&api, &caller, &id, TaskCommand::Cancel { reason }).await
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
) -> Result<Created<TaskView>, ApiError> {
    caller.may_spawn()?;
    let node = view::find(api.reader(), Kind::Task, &id)?;
    let undoing = undo::undo(api.runtime.system(), &caller.0, &node, &body.reason).await?;
    Ok(Created(one(&api, undoing)?.0))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
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
