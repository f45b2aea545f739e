//! The keys with which capabilities are signed: the present one, and those before it, which count
//! for a while after they were replaced.

use serde::{Deserialize, Serialize};
use worknode_core::time::Timestamp;

use super::{Place, Refusal};
use crate::signing::{Message, PublicKey};

/// Keys that are remembered beside the present one.
pub const OLDER: usize = 8;

/// A key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// The half of it that may be shown.
    #[serde(with = "text")]
    pub key: PublicKey,
    /// Until when what it signed counts.
    pub until: Timestamp,
}

/// The keys that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The present one.
    pub present: PublicKey,
    /// Those before it, the newest first.
    pub older: Vec<Replaced>,
}

impl From<PublicKey> for Ring {
    fn from(present: PublicKey) -> Self {
        Self {
            present,
            older: Vec::new(),
        }
    }
}

impl Ring {
    /// The ring after `next` has replaced the present key. Its tokens count until `until`, and those of
    /// keys before it no longer either: who wants all to end by then must not have to wait for older
    /// ones. The oldest key is forgotten where there would be too many.
    #[must_use]
    pub fn replaced_by(&self, next: PublicKey, until: Timestamp) -> Self {
        let last = Replaced {
            key: self.present,
            until,
        };
        let before = self.older.iter().map(|older| Replaced {
            key: older.key,
            until: older.until.min(until),
        });
        let older = std::iter::once(last).chain(before);
        Self {
            present: next,
            older: older.take(OLDER).collect(),
        }
    }

    /// The ring of which only the present key counts, at any time.
    #[must_use]
    pub fn without_grace(mut self) -> Self {
        for older in &mut self.older {
            older.until = Timestamp::default();
        }
        self
    }

    /// Until when what carries this signature counts as far as its key goes.
    pub(super) fn verify(&self, message: &Message, signature: &[u8]) -> Result<Timestamp, Refusal> {
        if self.present.verifies(message, signature) {
            return Ok(Timestamp::MAX);
        }
        let by = self
            .older
            .iter()
            .find(|older| older.key.verifies(message, signature));
        by.map(|older| older.until)
            .ok_or(Refusal::BadSignature { place: Place(0) })
    }
}

/// A public key as text.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::signing::PublicKey;

    pub(super) fn serialize<S: Serializer>(key: &PublicKey, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(key)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PublicKey, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
