//! What programs of agents ask people for.

use serde::{Deserialize, Serialize};
use worknode_actors::store::all;
use worknode_core::{
    error::{Code, Error},
    event::Principal,
    ids::{NodeId, RunId},
    node::{Kind, Node},
    permission::{self, Answer, Open},
    run::Run,
    time::Timestamp,
};
use worknode_journal::{NodeFilter, Reader};
use worknode_policies::text::visible;

/// How many are named when it is not clear which one is meant.
const CANDIDATES: usize = 5;

/// A permission that a program asks for and that waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PromptView {
    /// Its identity.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// Its run.
    pub run: RunId,
    /// The task that the run is about.
    pub task: Option<String>,
    /// The tool or kind of action.
    pub tool: String,
    /// All that is asked, in the program's own words.
    pub what: String,
    /// Digest of what is shown here: an answer names it.
    pub digest: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// When it is denied unless somebody has answered.
    pub expires: Timestamp,
}

impl PromptView {
    /// For the list of what waits for a person.
    #[must_use]
    pub fn words(&self) -> String {
        format!(
            "agent {} asks for {}, until {}: `worknode prompts show {}`, then `allow` or `deny`",
            self.agent,
            visible(&self.tool),
            self.expires,
            self.id
        )
    }
}

/// What somebody answered.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PromptAnswerView {
    /// The request.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// How it was answered.
    pub answer: Answer,
    /// By whom.
    pub by: Principal,
    /// Why, as the program is told.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// All that agents at or below `within` wait for, the oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn waiting(reader: &Reader, within: NodeId) -> Result<Vec<PromptView>, Error> {
    let mut found = Vec::new();
    for node in asking(reader, within)? {
        let Some(run) = run_of(&node) else { continue };
        for open in &run.permissions.open {
            found.push(view(reader, &node, run, open)?);
        }
    }
    found.sort_by(|one: &PromptView, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
    Ok(found)
}

/// The one of agents at or below `within` that waits and whose identity begins so.
///
/// # Errors
/// `not_found`, `usage` when several do, `held` when it was answered a short time ago.
pub fn one(reader: &Reader, within: NodeId, text: &str) -> Result<PromptView, Error> {
    let (node, id) = find(reader, within, text)?;
    let Some(run) = run_of(&node) else {
        return Err(permission::nothing(&id));
    };
    match (run.permissions.open(&id), run.permissions.answered(&id)) {
        (Some(open), _) => view(reader, &node, run, open),
        (None, Some(answered)) => Err(permission::already(answered)),
        (None, None) => Err(permission::nothing(&id)),
    }
}

/// The agent at or below `within` that asks, and the whole identity of what `text` begins. What was answered a short time
/// ago is found too: who comes late is to be told so.
///
/// # Errors
/// `not_found`, or `usage` when several begin so.
pub fn find(reader: &Reader, within: NodeId, text: &str) -> Result<(Node, String), Error> {
    let mut found: Vec<(Node, String)> = Vec::new();
    for node in asking(reader, within)? {
        let ids: Vec<String> = run_of(&node)
            .into_iter()
            .flat_map(|run| begin_so(run, text))
            .collect();
        found.extend(ids.into_iter().map(|id| (node.clone(), id)));
    }
    match found.pop() {
        Some(only) if found.is_empty() => Ok(only),
        Some(last) => {
            let ids = found.iter().map(|(_, id)| id).chain([&last.1]);
            let some: Vec<&str> = ids.take(CANDIDATES).map(String::as_str).collect();
            let what = format!(
                "`{text}` is the beginning of several requests: {}",
                some.join(", ")
            );
            Err(Error::new(Code::Usage, what).hint("write more of its id"))
        }
        None => Err(permission::nothing(text)),
    }
}

/// What came of a request that was just answered.
#[must_use]
pub fn answered(node: &Node, id: &str) -> Option<PromptAnswerView> {
    let answered = run_of(node)?.permissions.answered(id)?;
    Some(PromptAnswerView {
        id: answered.id.clone(),
        agent: node.name.clone(),
        answer: answered.answer,
        by: answered.by.clone(),
        reason: answered.reason.clone(),
        at: answered.at,
    })
}

/// The requests of a run that wait, or were answered last, and begin so.
fn begin_so<'a>(run: &'a Run, text: &'a str) -> impl Iterator<Item = String> + 'a {
    let open = run.permissions.open.iter().map(|open| &open.request.id);
    let answered = run.permissions.answered.iter().map(|answered| &answered.id);
    open.chain(answered)
        .filter(move |id| !text.is_empty() && id.starts_with(text))
        .cloned()
}

/// The agents at or below `within` whose programs ask for something, or did a short time ago.
fn asking(reader: &Reader, within: NodeId) -> Result<Vec<Node>, Error> {
    let filter = NodeFilter {
        kind: Some(Kind::Agent),
        status: Some("busy".to_owned()),
        ..NodeFilter::default()
    };
    let mut asking = all(reader, filter)?;
    asking.retain(|node| run_of(node).is_some_and(|run| !run.permissions.is_empty()));
    if within == NodeId::ROOT {
        return Ok(asking);
    }
    let mut seen = Vec::new();
    for node in asking {
        if node.id == within || reader.ancestors(node.id)?.contains(&within) {
            seen.push(node);
        }
    }
    Ok(seen)
}

fn run_of(node: &Node) -> Option<&Run> {
    node.agent()?.status.run()
}

fn view(reader: &Reader, node: &Node, run: &Run, open: &Open) -> Result<PromptView, Error> {
    let task = run
        .spec
        .purpose
        .task()
        .map(|task| reader.node(task))
        .transpose()?;
    let Open { request, since } = open;
    Ok(PromptView {
        id: request.id.clone(),
        agent: node.name.clone(),
        run: run.spec.id,
        task: task.flatten().map(|task| task.name),
        tool: request.tool.clone(),
        what: request.what.clone(),
        digest: request.digest.clone(),
        since: *since,
        expires: request.expires,
    })
}
