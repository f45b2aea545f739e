//! A message to somebody; the one type with two spellings.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use worknode_core::time::Span;

/// Send a message: `{ to = "operator", message = "…" }`, or only the recipient.
///
/// Exactly one of `to`, `webhook` and `command` says where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotifySpec {
    /// `assignee`, `executive`, `operator`, or the name of an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSpec>,
    /// A program with its arguments, which reads the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// What it says. Without it, the runtime says what is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A server that is sent the message as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    /// Where: `https://…`, or `http://…` on this machine.
    pub url: String,
    /// Name of the key in `.worknode/keys` that signs the body (HMAC-SHA256, in the header
    /// `Worknode-Signature`). Without it the body is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With `https`: a file of certificates in PEM, relative to the directory of `worknode.toml`. The
    /// server's must be from one of these authorities. Default: those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// How long one attempt may take. Default: 10 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// Send a message.
// The long spelling. Apart from the short one, so that its mistakes are told at their place:
// an untagged enum would only say that nothing fits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// `assignee` (of the task that is due), `executive`, `operator`, or the name of an agent.
    /// This, `webhook` or `command`.
    #[serde(default)]
    to: Option<String>,
    /// A server that is sent the message as JSON.
    #[serde(default)]
    webhook: Option<WebhookSpec>,
    /// A program with its arguments. It finds the message as JSON in the file that
    /// `WORKNODE_MESSAGE` names. No shell reads it.
    #[serde(default)]
    command: Option<Vec<String>>,
    /// What it says. Without it, the runtime says what is due.
    #[serde(default)]
    message: Option<String>,
}

impl From<Long> for NotifySpec {
    fn from(long: Long) -> Self {
        Self {
            to: long.to,
            webhook: long.webhook,
            command: long.command,
            message: long.message,
        }
    }
}

impl<'de> Deserialize<'de> for NotifySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TwoSpellings)
    }
}

struct TwoSpellings;

impl<'de> Visitor<'de> for TwoSpellings {
    type Value = NotifySpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a recipient, or a table with `to` and `message`")
    }

    fn visit_str<E: Error>(self, to: &str) -> Result<NotifySpec, E> {
        Ok(NotifySpec {
            to: Some(to.to_owned()),
            ..NotifySpec::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NotifySpec, A::Error> {
        Long::deserialize(MapAccessDeserializer::new(map)).map(NotifySpec::from)
    }
}

impl JsonSchema for NotifySpec {
    fn schema_name() -> Cow<'static, str> {
        "NotifySpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        json_schema!({
            "description": "Send a message: `{ to = \"operator\", message = \"…\" }`, or only the recipient.",
            "anyOf": [
                {
                    "type": "string",
                    "description": "`assignee` (of the task that is due), `executive`, `operator`, or the name of an agent."
                },
                long
            ]
        })
    }
}
