//! Typed identities.
//!
//! All are UUIDv7 (RFC 9562): they sort by the millisecond in which they were made, so
//! listings by id are listings by age, and indexes grow at their end.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_id {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an id from a wall-clock instant (milliseconds since the Unix epoch) and
            /// ten random bytes. The caller owns the clock and the randomness.
            #[must_use]
            pub fn from_parts(unix_millis: u64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
            }

            /// Makes an id that is a function of `name` within `scope`: asking twice for the
            /// same thing gives the same id, which is how a repeated act has one effect.
            #[must_use]
            pub fn derived(scope: NodeId, name: &str) -> Self {
                Self(Uuid::new_v5(&scope.0, name.as_bytes()))
            }

            /// The identity as a plain UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "format": "uuid",
                    "description": concat!($($doc),*)
                })
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

typed_id! {
    /// Identity of a Worknode.
    NodeId
}

typed_id! {
    /// Identity of a run: one life of one agent process.
    RunId
}

impl NodeId {
    /// The root of every tree: the organisation above all teams of this store.
    pub const ROOT: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let older = RunId::from_parts(1_000, [0xff; 10]);
        let newer = RunId::from_parts(1_001, [0; 10]);
        assert!(older < newer);
        assert!(older.to_string() < newer.to_string());
    }

    #[test]
    fn text_round_trips_and_rubbish_is_an_error() {
        let id = NodeId::from_parts(42, [7; 10]);
        assert_eq!(id.to_string().parse::<NodeId>().unwrap(), id);
        assert!("not-an-id".parse::<NodeId>().is_err());
    }

    #[test]
    fn derived_ids_repeat() {
        let one = NodeId::derived(NodeId::ROOT, "task:schema");
        assert_eq!(one, NodeId::derived(NodeId::ROOT, "task:schema"));
        assert_ne!(one, NodeId::derived(NodeId::ROOT, "task:other"));
    }
}
