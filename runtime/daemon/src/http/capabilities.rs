//! Capabilities for those whom the runtime does not run; what is taken back; other keys.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worknode_core::{
    amount::Dollars,
    command::{Command, Operation},
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    time::{Span, Timestamp},
    usage::Usd,
};
use worknode_policies::{
    capability::{
        Claims, Limits, TaskHold, VERSION, chain, most_of,
        revoked::{Entry, What},
        usual_outside,
    },
    pattern::Patterns,
};

use super::{Api, auth::Caller, claims, error::ApiError, parts::Json};
use crate::keys;

/// How long a capability is good when nothing is said: a working day.
const USUAL: Duration = Duration::from_secs(8 * 60 * 60);
/// The longest that one can be asked for: revoke it to end it earlier.
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
    /// Only this, of what somebody outside may do.
    operations: Option<BTreeSet<Operation>>,
    /// Only tasks that touch no other files.
    #[serde(default)]
    files: Vec<String>,
    usd: Option<Dollars>,
    tokens: Option<u64>,
    depth: Option<usize>,
    fan_out: Option<usize>,
    /// Teams that take it; any with the key when none is named.
    audience: Option<BTreeSet<String>>,
}

/// A capability; its token is a secret.
#[derive(Serialize, JsonSchema)]
pub(super) struct Issued {
    token: String,
    id: String,
    node: NodeId,
    subtree: NodeId,
    operations: BTreeSet<Operation>,
    expires: Timestamp,
}

pub(super) async fn issue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Wanted>,
) -> Result<Json<Issued>, ApiError> {
    caller.is_operator()?;
    let node = claims::any(&api, &body.node)?;
    let reviews = body.review
        || body
            .operations
            .iter()
            .flatten()
            .any(|one| *one == Operation::Review);
    if reviews && node.kind.name() != PERSON {
        let what = format!(
            "`{}` is a {}; only a person is asked for a word",
            node.name, node.kind
        );
        return Err(Error::new(Code::Usage, what)
            .hint("make a Worknode of a `[[kind]]` named `person` for whoever is to review")
            .into());
    }
    let principal = Principal::Outside {
        node: node.id,
        name: node.name,
    };
    let claims = claims_of(&api, &body, principal)?;
    let system = api.runtime.system();
    let refused = |error: &dyn std::fmt::Display| Error::new(Code::Usage, error.to_string());
    let token = system
        .context()
        .capabilities
        .issue(&claims)
        .map_err(|error| refused(&error))?;
    let opened = chain::peek(token.reveal()).map_err(|error| refused(&error))?;
    let id = opened.ids().last().cloned().unwrap_or_default();
    let told = json!({
        "id": id, "node": node.id, "subtree": claims.subtree, "operations": claims.operations,
        "expires": claims.expires, "limits": claims.limits,
    });
    // Recorded before anybody has it.
    record(&api, &caller, "capability_issued", told).await?;
    Ok(Json(Issued {
        token: token.reveal().to_owned(),
        id,
        node: node.id,
        subtree: claims.subtree,
        operations: claims.operations,
        expires: claims.expires,
    }))
}

fn claims_of(api: &Api, wanted: &Wanted, principal: Principal) -> Result<Claims, Error> {
    let usage = |what: String| Error::new(Code::Usage, what);
    let subtree = match &wanted.below {
        Some(below) => claims::any(api, below)?.id,
        None => NodeId::ROOT,
    };
    let time = wanted.time.map_or(USUAL, |span| span.0);
    if time > LONGEST {
        return Err(usage("a capability is good for 90 days at most".to_owned()));
    }
    let most = most_of(&principal);
    let usual = || {
        if wanted.review {
            most.clone()
        } else {
            usual_outside()
        }
    };
    let operations = wanted.operations.clone().unwrap_or_else(usual);
    if let Some(beyond) = operations.difference(&most).next() {
        let named = serde_json::to_value(beyond).unwrap_or_default();
        let may: Vec<_> = most
            .iter()
            .filter_map(|one| serde_json::to_value(one).ok())
            .collect();
        let may = Value::Array(may);
        return Err(usage(format!("somebody outside may not {named}")).hint(format!("choose among {may}")));
    }
    if let Err(errors) = Patterns::parse(&wanted.files) {
        let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
        return Err(usage(words.join("; ")));
    }
    let now = api.runtime.system().now();
    Ok(Claims {
        version: VERSION,
        principal,
        operations,
        subtree,
        task: None,
        raised: Vec::new(),
        expires: now.plus(time),
        issued: now,
        limits: Limits {
            files: (!wanted.files.is_empty())
                .then(|| wanted.files.clone())
                .into_iter()
                .collect(),
            usd: wanted.usd.map(Usd::from),
            tokens: wanted.tokens,
            depth: wanted.depth,
            fan_out: wanted.fan_out,
            audience: wanted.audience.clone(),
        },
        from: Vec::new(),
    })
}

/// What is taken back: one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TakenBack {
    /// A token's id, which ends all that was made from it too.
    id: Option<String>,
    /// Those for claims of this task, up to `epoch`.
    task: Option<String>,
    epoch: Option<u64>,
    /// Those that are for this Worknode or what is below it.
    below: Option<String>,
    #[serde(default)]
    reason: String,
}

/// What was taken back is worth nothing from now on.
#[derive(Serialize, JsonSchema)]
pub(super) struct Revocation {
    at: Timestamp,
    reason: String,
}

pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<TakenBack>,
) -> Result<Json<Revocation>, ApiError> {
    caller.is_operator()?;
    let system = api.runtime.system();
    let entry = Entry {
        what: what(&api, &body)?,
        at: system.now(),
        reason: body.reason,
    };
    let context = system.context();
    keys::revoke(
        &context.paths.state.join("keys"),
        &context.capabilities,
        entry.clone(),
    )?;
    let told = serde_json::to_value(&entry).unwrap_or_default();
    record(&api, &caller, "capability_revoked", told).await?;
    Ok(Json(Revocation {
        at: entry.at,
        reason: entry.reason,
    }))
}

fn what(api: &Api, body: &TakenBack) -> Result<What, Error> {
    match (&body.id, &body.task, body.epoch, &body.below) {
        (Some(id), None, None, None) if is_id(id) => Ok(What::Token { id: id.clone() }),
        (Some(_), None, None, None) => Err(Error::new(Code::Usage, "this is no id of a capability")
            .hint("`worknode capability show` tells it: 32 digits")),
        (None, Some(task), Some(epoch), None) => Ok(What::Claims {
            hold: TaskHold {
                node: claims::task(api, task)?,
                epoch,
            },
        }),
        (None, None, None, Some(below)) => Ok(What::Below {
            node: claims::any(api, below)?.id,
        }),
        _ => Err(Error::new(Code::Usage, "it is not said what is to be revoked")
            .hint("give one of `id`, `task` with `epoch`, or `below`")),
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Another key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Turned {
    /// How long what the last one signed still counts.
    grace: Option<Span>,
}

/// The keys that count.
#[derive(Serialize, JsonSchema)]
pub(super) struct Keys {
    present: String,
    /// Until when what the last one signed counts.
    last_until: Timestamp,
}

pub(super) async fn rotate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Turned>,
) -> Result<Json<Keys>, ApiError> {
    caller.is_operator()?;
    let system = api.runtime.system();
    let grace = body.grace.map_or(LONGEST, |span| span.0).min(LONGEST);
    let now = system.now();
    let until = now.plus(grace);
    let context = system.context();
    let ring = keys::rotate(
        &context.paths.state.join("keys"),
        &context.capabilities,
        now,
        until,
    )?;
    let present = ring.present.to_string();
    let told = json!({ "key": present, "last_until": until });
    record(&api, &caller, "capability_key_replaced", told).await?;
    Ok(Json(Keys {
        present,
        last_until: until,
    }))
}

/// What happened, for whoever asks later.
async fn record(api: &Api, caller: &Caller, name: &str, data: Value) -> Result<(), Error> {
    let system = api.runtime.system();
    let emit = Command::Emit {
        name: name.to_owned(),
        version: 1,
        data: data.as_object().cloned().unwrap_or_default(),
    };
    system.ask(&caller.0, system.team().node(), emit, None).await?;
    Ok(())
}
