//! What holds in front of a Worknode, where each rule comes from, and what it would make of an
//! event.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use worknode_core::{
    error::Error,
    event::{Event, Record},
    ids::NodeId,
    membrane::{MembraneSpec, Overflow, Rate},
    node::Node,
};
use worknode_policies::membrane::{Arrival, Incoming, Outward, World};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    events::Emit,
    nodes::readable,
    parts::{Json, Path},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/nodes/{id}/membrane",
            show,
            "The rules in front of a Worknode, and where each comes from",
        )
        .post(
            "/nodes/{id}/membrane/test",
            test,
            "What the membranes would make of an event; stores nothing",
        )
        .example(r#"{"name": "deployed", "data": {"where": "staging"}}"#)
}

/// The rules of one Worknode.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Membranes")]
struct Shown {
    node: NodeId,
    name: String,
    /// The smallest of all.
    rate: Option<Rate>,
    /// The smallest of all.
    capacity: Option<usize>,
    /// The nearest.
    overflow: Overflow,
    /// The membranes that hold, the root's first.
    membranes: Vec<OneMembrane>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Membrane")]
struct OneMembrane {
    /// Whose it is.
    node: NodeId,
    name: String,
    kind: String,
    says: MembraneSpec,
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Shown>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    let standing = api.runtime.system().boundaries().of(node.id)?;
    let rules = standing.rules();
    let mut membranes = Vec::new();
    for layer in rules.layers() {
        let whose = api.reader().node(layer.node())?;
        membranes.extend(whose.and_then(|whose| {
            Some(OneMembrane {
                node: whose.id,
                kind: whose.kind.name().to_owned(),
                says: *whose.body.membrane?,
                name: whose.name,
            })
        }));
    }
    Ok(Json(Shown {
        rate: rules.rate(),
        capacity: rules.capacity(),
        overflow: rules.overflow(),
        node: node.id,
        name: node.name,
        membranes,
    }))
}

/// What would become of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MembraneTrial")]
struct Tried {
    /// When it came in from outside, as from the caller.
    arrives: Verdict,
    /// How it would look from outside of each Worknode from its own up to the root, when it came in.
    leaves: Vec<Left>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeenFrom")]
struct Left {
    /// Of which Worknode from outside.
    from: String,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MembraneVerdict")]
struct Verdict {
    /// `admit`, `refuse`, `dead_letter`; outwards `pass` or `inside`.
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Seen>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeenEvent")]
struct Seen {
    name: String,
    version: u32,
    data: Map<String, Value>,
}

impl Verdict {
    const fn no(decision: &'static str, reason: String) -> Self {
        Self {
            decision,
            reason: Some(reason),
            event: None,
        }
    }

    const fn yes(decision: &'static str, event: Seen) -> Self {
        Self {
            decision,
            reason: None,
            event: Some(event),
        }
    }
}

/// Stores nothing.
async fn test(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Emit>,
) -> Result<Json<Tried>, ApiError> {
    body.check()?;
    let node = readable(&api, &caller, &id)?;
    let system = api.runtime.system();
    let event = Incoming {
        node: node.id,
        by: caller.0.principal.clone(),
        name: body.name,
        version: body.version,
        data: body.data,
    };
    let standing = system.boundaries().of(node.id)?;
    let (arrives, inside) = match standing
        .rules()
        .arrive(event.clone(), &Stored(&api), system.now())
    {
        Arrival::Admit(event) => {
            let record = event.as_if_stored(system.now());
            (Verdict::yes("admit", seen(&record)), record)
        }
        Arrival::Refuse(reason) => {
            let record = event.as_if_stored(system.now());
            (Verdict::no("refuse", reason.to_string()), record)
        }
        Arrival::DeadLetter(reason) => {
            let record = event.as_if_stored(system.now());
            (Verdict::no("dead_letter", reason.to_string()), record)
        }
    };
    let leaves = leaves(&api, &node, &inside)?;
    Ok(Json(Tried { arrives, leaves }))
}

fn leaves(api: &Api, node: &Node, record: &Record) -> Result<Vec<Left>, Error> {
    let system = api.runtime.system();
    let standing = system.boundaries().of(node.id)?;
    let mut leaves = Vec::new();
    for top in [vec![node.id], api.reader().ancestors(node.id)?].concat() {
        let name = api.reader().node(top)?.map_or_else(String::new, |top| top.name);
        let verdict = match standing.outward(record, top, &Stored(api), system.now()) {
            Outward::Pass(record) => Verdict::yes("pass", seen(&record)),
            Outward::Inside(reason) => Verdict::no("inside", reason.to_string()),
        };
        leaves.push(Left { from: name, verdict });
    }
    Ok(leaves)
}

fn seen(record: &Record) -> Seen {
    match &record.event {
        Event::Emitted { name, version, data } => Seen {
            name: name.clone(),
            version: *version,
            data: data.clone(),
        },
        other => Seen {
            name: other.topic().to_owned(),
            version: 1,
            data: Map::new(),
        },
    }
}

struct Stored<'a>(&'a Api);

impl World for Stored<'_> {
    fn node(&self, id: NodeId) -> Option<Arc<Node>> {
        self.0.reader().node(id).ok().flatten().map(Arc::new)
    }
}
