//! A message to somebody; the one type with two spellings.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Send a message: `{ to = "operator", message = "…" }`, or only the recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotifySpec {
    /// `assignee`, `executive`, `operator`, or the name of an agent.
    pub to: String,
    /// What it says. Without it, the runtime says what is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Send a message.
// The long spelling. Apart from the short one, so that its mistakes are told at their place:
// an untagged enum would only say that nothing fits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// `assignee` (of the task that is due), `executive`, `operator`, or the name of an agent.
    to: String,
    /// What it says. Without it, the runtime says what is due.
    #[serde(default)]
    message: Option<String>,
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
            to: to.to_owned(),
            message: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NotifySpec, A::Error> {
        let Long { to, message } = Long::deserialize(MapAccessDeserializer::new(map))?;
        Ok(NotifySpec { to, message })
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
