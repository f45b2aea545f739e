//! Dead letters: what a Worknode's membranes refused and keep. They show what was never let in, so
//! whoever looks at them needs what changing the Worknode needs.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_actors::membrane::arrival;
use worknode_core::{
    command::Command,
    error::{Code, Error},
    hlc::Hlc,
    ids::NodeId,
    letter::{Letter, LetterAction},
    node::Node,
};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    nodes::readable,
    parts::{Json, Path},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/nodes/{id}/dead-letters",
            list,
            "What a Worknode's membranes refused and keep",
        )
        .get("/nodes/{id}/dead-letters/{stamp}", show, "One dead letter")
        .post(
            "/nodes/{id}/dead-letters/{stamp}/{action}",
            settle,
            "Lets a dead letter in after all, or throws it away",
        )
}

/// The dead letters of one Worknode.
#[derive(Debug, Serialize, JsonSchema)]
struct Letters {
    node: NodeId,
    name: String,
    /// How many were given up because there was no room for them any more.
    lost: u64,
    /// The oldest first.
    letters: Vec<OneLetter>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct OneLetter {
    /// Its name: the stamp under which it is kept.
    letter: Hlc,
    reason: String,
    original: Letter,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Letters>, ApiError> {
    let node = opened(&api, &caller, &id)?;
    let letters = node.body.letters.iter();
    Ok(Json(Letters {
        letters: letters
            .map(|stamp| one(&api, &node, *stamp))
            .collect::<Result<_, _>>()?,
        lost: node.body.letters_lost,
        node: node.id,
        name: node.name,
    }))
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((id, stamp)): Path<(String, Hlc)>,
) -> Result<Json<OneLetter>, ApiError> {
    let node = opened(&api, &caller, &id)?;
    Ok(Json(one(&api, &node, stamp)?))
}

/// What may be done about a letter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    Replay,
    Discard,
}

/// A letter that is settled.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SettledLetter")]
struct Settled {
    letter: Hlc,
    action: LetterAction,
    /// How many are left.
    left: usize,
}

async fn settle(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((id, letter, action)): Path<(String, Hlc, Action)>,
) -> Result<Json<Settled>, ApiError> {
    let node = opened(&api, &caller, &id)?;
    let action = match action {
        Action::Replay => LetterAction::Replay,
        Action::Discard => LetterAction::Discard,
    };
    let command = Command::Letter { letter, action };
    let node = api
        .runtime
        .system()
        .ask(&caller.0, node.id, command, None)
        .await?
        .node()?;
    Ok(Json(Settled {
        letter,
        action,
        left: node.body.letters.len(),
    }))
}

fn opened(api: &Api, caller: &Caller, id: &str) -> Result<Node, Error> {
    caller.may_write()?;
    readable(api, caller, id)
}

fn one(api: &Api, node: &Node, letter: Hlc) -> Result<OneLetter, Error> {
    if !node.body.letters.contains(&letter) {
        let what = format!("`{}` keeps no dead letter {letter}", node.name);
        return Err(Error::new(Code::NotFound, what));
    }
    let (reason, original) = arrival::read(api.runtime.system(), node, letter)?;
    Ok(OneLetter {
        letter,
        reason,
        original,
    })
}
