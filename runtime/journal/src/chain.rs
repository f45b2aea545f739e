//! What is stored of an event, and the hash that ties it to the one before.
//!
//! `hash(n) = SHA-256(hash(n-1) ‖ row id, 8 bytes big-endian ‖ origin, 4 bytes big-endian ‖ body)`,
//! with [`GENESIS`] before the first. The body is the JSON of the record without its stamp,
//! exactly as stored. Changing, removing, inserting or moving a row breaks the chain there;
//! whoever rewrites the whole rest of the chain changes its head, which is why the head is part
//! of every verification report and can be signed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use worknode_core::{
    event::{Draft, Event, Principal, Record, SCHEMA_VERSION},
    hlc::Hlc,
    ids::NodeId,
};

use crate::error::StoreError;

/// One link of the chain.
pub(crate) type Hash = [u8; 32];

/// What stands before the first event.
pub(crate) const GENESIS: Hash = *b"worknode journal, before event 1";

/// The hash of the row `key` that follows the row with hash `before`.
pub(crate) fn link(before: &Hash, key: i64, origin: u32, body: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(key.to_be_bytes());
    hasher.update(origin.to_be_bytes());
    hasher.update(body.as_bytes());
    hasher.finalize().into()
}

/// A hash as people compare it.
pub(crate) fn hex(hash: &Hash) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize)]
struct BodyRef<'a> {
    node: NodeId,
    by: &'a Principal,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Hlc>,
    version: u16,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Deserialize)]
struct Body {
    node: NodeId,
    by: Principal,
    #[serde(default)]
    cause: Option<Hlc>,
    version: u16,
    #[serde(flatten)]
    event: Event,
}

/// The stored text of `draft`.
pub(crate) fn encode(draft: &Draft) -> Result<String, serde_json::Error> {
    serde_json::to_string(&BodyRef {
        node: draft.node,
        by: &draft.by,
        cause: draft.cause,
        version: SCHEMA_VERSION,
        event: &draft.event,
    })
}

/// The record that `body` holds, which happened at `at`.
pub(crate) fn decode(at: Hlc, body: &str) -> Result<Record, StoreError> {
    let body: Body = serde_json::from_str(body)
        .map_err(|error| StoreError::corrupt(format!("event {at} cannot be read: {error}")))?;
    Ok(Record {
        at,
        node: body.node,
        by: body.by,
        cause: body.cause,
        version: body.version,
        event: body.event,
    })
}
