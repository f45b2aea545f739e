//! What was decided and what went wrong, for those who come later.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_actors::notes::{
    self, Alternative, Decision, Hit, Issue, NewDecision, NewIssue, Ranked, Report, Solution,
};
use worknode_core::{
    command::Operation,
    error::{Code, Error},
    ids::NodeId,
    node::{Kind, Node},
};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    nodes::{check_covered, named},
    parts::{Created, Json, Made, Path, Query},
};

type Answer<T> = Result<Json<T>, ApiError>;

/// Notes of one answer when the client names no number.
const PAGE: usize = 20;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/decisions",
            decisions,
            "What was decided: the latest, or what fits the words",
        )
        .post(
            "/decisions",
            decide,
            "Records a decision; the same again is the one that is there",
        )
        .example(r#"{"question": "Which store?", "decision": "SQLite", "rationale": "nothing to install"}"#)
        .get("/decisions/{id}", decision, "One decision")
        .get(
            "/issues",
            issues,
            "Errors that came up: the latest, or those that fit the words",
        )
        .post(
            "/issues",
            report,
            "Reports an error; one that is known is told with its solution",
        )
        .example(r#"{"error": "database is locked", "file": "src/store.rs"}"#)
        .post(
            "/issues/search",
            search,
            "Finds what is known of an error by its whole text",
        )
        .example(r#"{"error": "thread 'main' panicked: database is locked"}"#)
        .get("/issues/{id}", issue, "One issue")
        .post("/issues/{id}/resolve", resolve, "Says how an issue is solved")
        .example(r#"{"cause": "two writers", "fix": "one writer"}"#)
        .post("/issues/{id}/helped", helped, "Says that its solution helped")
}

/// Which notes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Which {
    /// Words; those that fit best come first.
    q: Option<String>,
    /// Of which task, or what else they are below.
    on: Option<String>,
    /// Only solved ones, or only others.
    resolved: Option<bool>,
    /// At most so many.
    limit: Option<usize>,
}

impl Which {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE)
    }

    fn on(&self, api: &Api, caller: &Caller) -> Result<Option<NodeId>, Error> {
        let on = place(api, self.on.as_deref())?;
        if let Some(id) = on {
            check_covered(api, caller, id)?;
        }
        Ok(on)
    }
}

/// Notes that were looked for by words, or the latest.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Listed<Found, Plain> {
    Found(Vec<Found>),
    Latest(Vec<Plain>),
}

/// The Worknode that a note is about, when one is named.
fn place(api: &Api, named_so: Option<&str>) -> Result<Option<NodeId>, Error> {
    named_so
        .map(|text| named(api, text).map(|node| node.id))
        .transpose()
}

/// Who may note anything at all. Where, is asked once it is known what.
fn may_note(caller: &Caller) -> Result<(), Error> {
    caller.may(Operation::Note, "write notes")
}

/// Is this something that the caller may see? What lies elsewhere is left out of lists.
fn sees(api: &Api, caller: &Caller, id: NodeId) -> bool {
    check_covered(api, caller, id).is_ok()
}

/// A note of one kind, by its id, a beginning of it, or its name.
fn note(api: &Api, caller: &Caller, kind: Kind, text: &str) -> Result<Node, Error> {
    caller.may_read()?;
    let node = named(api, text)?;
    if node.kind != kind {
        let message = format!("`{}` is of kind {}, not {kind}", node.name, node.kind);
        return Err(Error::new(Code::Usage, message));
    }
    check_covered(api, caller, node.id)?;
    Ok(node)
}

async fn decisions(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Answer<Listed<Ranked<Decision>, Decision>> {
    caller.may_read()?;
    if let Some(words) = &which.q {
        let system = api.runtime.system();
        let found = notes::search_decisions(system, caller.0.subtree, words, which.limit())?;
        return Ok(Json(Listed::Found(found)));
    }
    let on = which.on(&api, &caller)?;
    let mut latest = notes::decisions(api.reader(), on, which.limit())?;
    latest.retain(|decision| sees(&api, &caller, decision.id));
    Ok(Json(Listed::Latest(latest)))
}

async fn issues(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Answer<Listed<Hit, Issue>> {
    caller.may_read()?;
    if let Some(words) = &which.q {
        let system = api.runtime.system();
        let found = notes::search_issues(system, caller.0.subtree, words, which.limit())?;
        return Ok(Json(Listed::Found(found)));
    }
    let on = which.on(&api, &caller)?;
    let mut latest = notes::issues(api.reader(), on, which.resolved, which.limit())?;
    latest.retain(|issue| sees(&api, &caller, issue.id));
    Ok(Json(Listed::Latest(latest)))
}

async fn decision(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer<Decision> {
    let node = note(&api, &caller, Kind::Decision, &id)?;
    Ok(Json(Decision::read(api.reader(), &node)?))
}

async fn issue(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer<Issue> {
    Ok(Json(Issue::read(&note(&api, &caller, Kind::Issue, &id)?)))
}

/// A decision as a client records it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewDecision")]
struct Decide {
    /// What was asked.
    question: String,
    /// What was decided.
    decision: String,
    /// Why.
    #[serde(default)]
    rationale: String,
    /// What was not chosen, and why.
    #[serde(default)]
    alternatives: Vec<Alternative>,
    /// How sure, from 0 to 1.
    #[serde(default)]
    confidence: Option<f64>,
    /// The task that it is about; one's own, or none, when it is not said.
    #[serde(default)]
    on: Option<String>,
    /// The decision that it replaces.
    #[serde(default)]
    supersedes: Option<String>,
}

async fn decide(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Decide>,
) -> Result<Created<Decision>, ApiError> {
    may_note(&caller)?;
    let on = place(&api, body.on.as_deref())?;
    let before = body.supersedes.as_deref();
    let before = before
        .map(|text| note(&api, &caller, Kind::Decision, text))
        .transpose()?;
    let new = NewDecision {
        question: body.question,
        decision: body.decision,
        rationale: body.rationale,
        alternatives: body.alternatives,
        confidence: body.confidence,
    };
    let system = api.runtime.system();
    let made = notes::decide(system, &caller.0, on, new, before.as_ref()).await?;
    Ok(Created(made))
}

/// An issue as a client reports it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewIssue")]
struct Reported {
    /// The text of the error.
    error: String,
    /// Where it came up.
    #[serde(default)]
    file: String,
    /// The root cause.
    #[serde(default)]
    cause: String,
    /// What mends it, in words.
    #[serde(default)]
    fix: String,
    /// What mends it, as a patch.
    #[serde(default)]
    patch: String,
    /// The task where it came up; one's own, or none, when it is not said.
    #[serde(default)]
    on: Option<String>,
}

async fn report(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Reported>,
) -> Result<Made<Report>, ApiError> {
    may_note(&caller)?;
    let on = place(&api, body.on.as_deref())?;
    let new = NewIssue {
        error: body.error,
        file: body.file,
        solution: Solution {
            cause: body.cause,
            fix: body.fix,
            patch: body.patch,
        },
    };
    let report = notes::report(api.runtime.system(), &caller.0, on, new).await?;
    Ok(if report.known {
        Made::Not(report)
    } else {
        Made::New(report)
    })
}

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IssueSearch")]
struct Search {
    /// The text of an error.
    error: String,
    /// At most so many.
    #[serde(default)]
    limit: Option<usize>,
}

/// An error's text is too long for a query.
async fn search(State(api): State<Arc<Api>>, caller: Caller, Json(body): Json<Search>) -> Answer<Vec<Hit>> {
    caller.may_read()?;
    if body.error.trim().is_empty() {
        return Err(Error::new(Code::Usage, "there is no error to look for").into());
    }
    let limit = body.limit.unwrap_or(PAGE);
    let system = api.runtime.system();
    Ok(Json(notes::search_issues(
        system,
        caller.0.subtree,
        &body.error,
        limit,
    )?))
}

/// How an issue is solved.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewSolution")]
struct Solved {
    /// The root cause.
    cause: String,
    /// What mends it, in words.
    fix: String,
    /// What mends it, as a patch.
    patch: String,
}

impl From<Solved> for Solution {
    fn from(Solved { cause, fix, patch }: Solved) -> Self {
        Self { cause, fix, patch }
    }
}

async fn resolve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(solved): Json<Solved>,
) -> Answer<Issue> {
    let node = note(&api, &caller, Kind::Issue, &id)?;
    let system = api.runtime.system();
    Ok(Json(
        notes::resolve(system, &caller.0, node.id, solved.into()).await?,
    ))
}

async fn helped(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer<Issue> {
    let node = note(&api, &caller, Kind::Issue, &id)?;
    let system = api.runtime.system();
    Ok(Json(notes::helped(system, &caller.0, node.id).await?))
}
