//! What membranes let in, and what is seen of a Worknode from outside. Pure.
//!
//! A membrane stands in front of a Worknode and of all below it. Its Worknode's [`Rules`] are those
//! of the membranes from the root down to it, one [`Layer`] each.
//!
//! **In** ([`Rules::arrive`]): `accept` and `filter` of every layer must agree, and the data must
//! fit. Of several layers that know the type, the nearest brings older versions up to its newest;
//! those above must know that version and agree. So a membrane further down can only narrow (P9).
//! How much comes in is the smallest `rate` and the smallest `capacity` of all layers; what is done
//! with more is what the nearest `overflow` says.
//!
//! **Out** ([`Rules::outward`]): an event leaves through the layers one after the other, the nearest
//! first, up to the Worknode that is looked at. In each its data loses what is in `redact`, then
//! `filter` decides on it, `translate` makes another event of it, and `emit` decides on its type as
//! it is then. What any of these layers redacts is gone before the first: no translation on the way
//! can carry it past under another name.
//!
//! | module | what it does |
//! |---|---|
//! | [`compile()`] | reads membranes, with every mistake at once |
//! | [`arrive`] | what comes in |
//! | [`outward`] | what goes out |
//! | [`translate`] | one form of data into another |
//! | [`versions`] | forms of foreign events, and how older ones become newer ones |
//! | [`bucket`] | how much in which time |

use std::sync::Arc;

use worknode_core::{
    ids::NodeId,
    membrane::{Overflow, Rate},
};

pub mod arrive;
pub mod bucket;
pub mod compile;
mod filter;
pub mod outward;
pub mod translate;
pub mod versions;

pub use self::{
    arrive::{Arrival, Incoming},
    bucket::Bucket,
    compile::{Mistake, compile, compile_chain},
    outward::{Outward, World},
};
use self::{filter::Filter, translate::Path, versions::Versions};

/// One membrane, checked and ready to be applied.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The Worknode that it stands in front of.
    node: NodeId,
    accept: Option<Vec<String>>,
    emit: Option<Vec<String>>,
    filter: Option<Filter>,
    translate: Vec<worknode_core::membrane::Translation>,
    versions: Versions,
    redact: Vec<Path>,
    rate: Option<Rate>,
    capacity: Option<usize>,
    overflow: Option<Overflow>,
}

/// What holds for one Worknode: the membranes from the root down to it.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The nearest last.
    layers: Vec<Arc<Layer>>,
}

/// Which rule of which membrane decided, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    /// The Worknode of the membrane.
    pub membrane: NodeId,
    /// The key that decided: `accept`, `schema`, `filter`, `translate`, `emit`.
    pub rule: &'static str,
    /// Why, in words.
    pub why: String,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} (rule `{}` of the membrane of {})",
            self.why, self.rule, self.membrane
        )
    }
}

impl Layer {
    /// The Worknode that it stands in front of.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// One that nothing passes.
    #[must_use]
    pub fn closed(node: NodeId) -> Self {
        Self {
            node,
            accept: Some(Vec::new()),
            emit: Some(Vec::new()),
            filter: None,
            translate: Vec::new(),
            versions: Versions::default(),
            redact: Vec::new(),
            rate: None,
            capacity: None,
            overflow: None,
        }
    }

    fn reason(&self, rule: &'static str, why: impl Into<String>) -> Reason {
        Reason {
            membrane: self.node,
            rule,
            why: why.into(),
        }
    }
}

impl Rules {
    /// The rules of these membranes, the root's first.
    #[must_use]
    pub const fn of(layers: Vec<Arc<Layer>>) -> Self {
        Self { layers }
    }

    /// The same with one more, further down.
    #[must_use]
    pub fn with(&self, layer: Arc<Layer>) -> Self {
        let layers = self.layers.iter().cloned().chain([layer]).collect();
        Self { layers }
    }

    /// The membranes, the root's first.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().map(AsRef::as_ref)
    }

    /// Is there no membrane at all?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The smallest rate of all.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        let all = self.layers.iter().filter_map(|layer| layer.rate);
        all.min_by(|one, other| bucket::slower(*one, *other))
    }

    /// The smallest capacity of all.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.layers.iter().filter_map(|layer| layer.capacity).min()
    }

    /// What is done with what is too much: as the nearest says that says it.
    #[must_use]
    pub fn overflow(&self) -> Overflow {
        let nearest_first = self.layers.iter().rev();
        nearest_first
            .filter_map(|layer| layer.overflow)
            .next()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
