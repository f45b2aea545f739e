//! What sort of thing a Worknode is.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest name of a kind, in bytes.
pub const LENGTH: usize = 64;

/// What sort of thing a Worknode is: one of the product's own, or one that the configuration
/// declares. In JSON and on screen it is its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the words of the product")]
pub enum Kind {
    Organisation,
    Team,
    Project,
    Phase,
    Task,
    Agent,
    Document,
    Decision,
    Issue,
    Memory,
    /// A kind of the user's own.
    Other(KindName),
}

/// The name of a kind of the user's own: lower case letters, digits and `_`, beginning with a
/// letter, and none of the product's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindName(Arc<str>);

impl KindName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a kind: use up to {LENGTH} lower case letters, digits and `_`, a letter first")]
pub struct NotAKind(pub String);

impl Kind {
    /// The kinds that need no declaration.
    pub const OWN: [Self; 10] = [
        Self::Organisation,
        Self::Team,
        Self::Project,
        Self::Phase,
        Self::Task,
        Self::Agent,
        Self::Document,
        Self::Decision,
        Self::Issue,
        Self::Memory,
    ];

    /// The kind's name, as in JSON and on screen.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Organisation => "organisation",
            Self::Team => "team",
            Self::Project => "project",
            Self::Phase => "phase",
            Self::Task => "task",
            Self::Agent => "agent",
            Self::Document => "document",
            Self::Decision => "decision",
            Self::Issue => "issue",
            Self::Memory => "memory",
            Self::Other(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Kind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        if let Some(own) = Self::OWN.iter().find(|kind| kind.name() == text) {
            return Ok(own.clone());
        }
        let fits = text.len() <= LENGTH
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if fits {
            Ok(Self::Other(KindName(text.into())))
        } else {
            Err(NotAKind(text.to_owned()))
        }
    }
}

impl schemars::JsonSchema for Kind {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Kind".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let own: Vec<_> = Self::OWN.iter().map(Self::name).collect();
        schemars::json_schema!({
            "type": "string",
            "pattern": format!("^[a-z][a-z0-9_]{{0,{}}}$", LENGTH - 1),
            "examples": own,
            "description": "A kind of Worknode: one of ours, or one of the team's own."
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn own_kinds_round_trip() {
        for kind in Kind::OWN {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.name()));
            assert_eq!(serde_json::from_str::<Kind>(&json).unwrap(), kind);
        }
    }

    #[test]
    fn a_kind_of_the_users_own_is_its_name() {
        let lead: Kind = "sales_lead2".parse().unwrap();
        assert!(matches!(&lead, Kind::Other(_)));
        assert_eq!(lead.to_string(), "sales_lead2");
        for wrong in ["", "Task", "2nd", "a b", "über", &"x".repeat(65)] {
            assert_eq!(wrong.parse::<Kind>(), Err(NotAKind(wrong.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in ".{0,80}") {
            if let Ok(kind) = text.parse::<Kind>() {
                prop_assert_eq!(kind.name(), text);
            }
        }
    }
}
