//! Capabilities for those whom the runtime does not run.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    time::{Span, Timestamp},
};
use worknode_policies::capability::{self, Claims, VERSION, most_of, usual_outside};

use super::{Api, auth::Caller, claims::any, error::ApiError, parts::Json};

/// How long a capability is good when nothing is said: a working day.
const USUAL: Duration = Duration::from_secs(8 * 60 * 60);
/// The longest that one can be asked for: archive its Worknode to end it earlier.
const LONGEST: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The kind of those who may be asked to review.
const PERSON: &str = "person";

/// For whom, and how far.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    node: String,
    /// Only for what is below this Worknode.
    below: Option<String>,
    #[serde(rename = "for")]
    time: Option<Span>,
    /// Whether it lets a person approve and reject.
    #[serde(default)]
    review: bool,
}

/// A capability; its token is a secret.
#[derive(Serialize, JsonSchema)]
pub(super) struct Issued {
    token: String,
    node: NodeId,
    subtree: NodeId,
    expires: Timestamp,
}

pub(super) async fn issue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Wanted>,
) -> Result<Json<Issued>, ApiError> {
    caller.is_operator()?;
    let node = any(&api, &body.node)?;
    if body.review && node.kind.name() != PERSON {
        let what = format!(
            "`{}` is a {}; only a person is asked for a word",
            node.name, node.kind
        );
        return Err(Error::new(Code::Usage, what)
            .hint("make a Worknode of a `[[kind]]` named `person` for whoever is to review")
            .into());
    }
    let subtree = match &body.below {
        Some(below) => any(&api, below)?.id,
        None => NodeId::ROOT,
    };
    let time = body.time.map_or(USUAL, |span| span.0);
    if time > LONGEST {
        return Err(Error::new(Code::Usage, "a capability is good for 90 days at most").into());
    }
    let system = api.runtime.system();
    let principal = Principal::Outside {
        node: node.id,
        name: node.name,
    };
    let claims = Claims {
        version: VERSION,
        operations: if body.review {
            most_of(&principal)
        } else {
            usual_outside()
        },
        principal,
        subtree,
        task: None,
        raised: Vec::new(),
        expires: system.now().plus(time),
    };
    let token = capability::issue(&system.context().keys, &claims)
        .map_err(|error| Error::new(Code::Usage, error.to_string()))?;
    Ok(Json(Issued {
        token: token.reveal().to_owned(),
        node: node.id,
        subtree,
        expires: claims.expires,
    }))
}
