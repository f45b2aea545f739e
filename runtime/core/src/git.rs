//! Names of git objects. Only complete hexadecimal object names exist here: an abbreviation,
//! a branch or an option that looks like a name cannot reach a git command line.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The text is not a complete git object name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a complete git object name (40 or 64 lower-case hexadecimal digits)")]
pub struct NotAnObject(pub String);

macro_rules! object_name {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as git prints it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first ten digits, for people.
            #[must_use]
            pub fn short(&self) -> &str {
                &self.0[..10]
            }
        }

        impl FromStr for $name {
            type Err = NotAnObject;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if hex && matches!(text.len(), 40 | 64) { Ok(Self(text.to_owned())) } else { Err(NotAnObject(text.to_owned())) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$",
                    "description": concat!($($doc),*)
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

object_name! {
    /// Name of a commit.
    CommitId
}

object_name! {
    /// Name of a tree: the digest of exactly the files that were judged.
    TreeId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_names_are_names() {
        assert!(
            "0123456789012345678901234567890123456789"
                .parse::<CommitId>()
                .is_ok()
        );
        for bad in [
            "",
            "HEAD",
            "--upload-pack=x",
            "0123456789",
            "012345678901234567890123456789012345678G",
            "ÀÀÀÀÀÀÀÀÀÀÀÀÀÀÀÀÀÀÀÀ",
        ] {
            assert!(bad.parse::<CommitId>().is_err(), "{bad}");
        }
    }
}
