//! A Worknode as people and programs see it, whatever its kind.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use worknode_actors::query::{Failed, Found};
use worknode_core::{
    body::Link,
    hlc::Hlc,
    ids::NodeId,
    membrane::MembraneSpec,
    node::{Kind, Node},
    task::Progress,
};
use worknode_policies::kinds::Kinds;
use worknode_query::Outcome;

/// One Worknode of the tree.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodeView {
    /// Its identity.
    pub id: NodeId,
    /// The Worknode above.
    pub parent: Option<NodeId>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where it stands; empty for kinds that have no state.
    pub status: String,
    /// Levels below the root, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Is it put away?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Version of the schema in which its attributes are shown; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Its attributes, in the current version of its kind where they can be read so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
    /// Why its attributes are shown as they are stored, in an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Who is to see to it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub assignees: BTreeSet<NodeId>,
    /// What it has to do with others; of a task, also what its plan says.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub links: BTreeSet<Link>,
    /// Its own membrane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membrane: Option<Box<MembraneSpec>>,
    /// Of a task: one line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Of a task: what its holder last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The event that created it.
    pub created: Hlc,
    /// The event that made it what it is now: what `If-Match` asks for.
    pub updated: Hlc,
}

impl NodeView {
    /// With its attributes as `kinds` reads them.
    #[must_use]
    pub fn read(node: &Node, kinds: &Kinds) -> Self {
        let mut view = Self::from(node);
        match kinds.read(node) {
            Ok((attributes, version)) => {
                view.attributes = attributes;
                view.version = (version > 0).then_some(version);
            }
            Err(error) => view.unreadable = Some(error.message),
        }
        view
    }

    /// The same, `depth` levels below the root.
    #[must_use]
    pub const fn at(mut self, depth: usize) -> Self {
        self.depth = Some(depth);
        self
    }
}

/// As it is stored.
impl From<&Node> for NodeView {
    fn from(node: &Node) -> Self {
        let body = &node.body;
        let planned = node.dependencies().map(|to| Link {
            relation: worknode_core::body::Relation::DependsOn,
            to,
        });
        let attributes = body.attributes.iter();
        Self {
            id: node.id,
            parent: node.parent,
            kind: node.kind.clone(),
            name: node.name.clone(),
            status: node.status().to_owned(),
            depth: None,
            archived: body.is_archived(),
            version: (body.version > 0).then_some(body.version),
            attributes: attributes
                .map(|(name, value)| (name.clone(), value.0.clone()))
                .collect(),
            unreadable: None,
            tags: body.tags.iter().cloned().collect(),
            assignees: body.assignees.iter().copied().collect(),
            links: body.links.iter().copied().chain(planned).collect(),
            membrane: body.membrane.clone(),
            title: node.task().map(|task| task.spec.title.clone()),
            progress: node.task().and_then(|task| task.progress.clone()),
            created: node.created,
            updated: node.updated,
        }
    }
}

/// One page of Worknodes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodePage {
    /// The Worknodes, the oldest first.
    pub nodes: Vec<NodeView>,
    /// Pass it as `cursor` for the next page; absent on the last one. A page may be empty and not
    /// the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Worknodes on which the condition has no value, and why the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedView>,
}

/// Worknodes on which a condition has no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FailedView {
    /// How many.
    pub nodes: usize,
    /// Why the first.
    pub reason: String,
}

impl FailedView {
    /// Nothing when there were none.
    #[must_use]
    pub fn of(failed: Failed) -> Option<Self> {
        Some(Self {
            nodes: failed.nodes,
            reason: failed.reason?,
        })
    }
}

impl NodePage {
    /// What a query found.
    #[must_use]
    pub fn of(found: Found, kinds: &Kinds) -> Self {
        let view = |(node, depth): &(Node, usize)| NodeView::read(node, kinds).at(*depth);
        Self {
            nodes: found.nodes.iter().map(view).collect(),
            next: found.next,
            failed: FailedView::of(found.failed),
        }
    }
}

/// What aggregates came to.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AggregateView {
    /// Each in the order in which it was asked for.
    pub aggregates: Vec<Outcome>,
    /// What the Worknodes are called whose ids are keys of groups.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Worknodes on which the condition has no value, and why the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedView>,
}

/// What one Worknode has to do with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LinkView {
    /// What, read from the Worknode that was asked for: `depends_on`, `blocks`, …
    pub relation: String,
    /// The other one.
    pub node: NodeId,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: String,
}
