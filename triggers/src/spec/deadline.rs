//! Steps around the deadlines of tasks.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use worknode_core::time::Span;

use super::{EmitSpec, EscalateSpec, GateSpec, NotifySpec, RunSpec, SpawnSpec, TerminateSpec};

/// Steps around the deadlines of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadlineSpec {
    /// Whose deadlines: `task:` and a name or pattern, as in `task:*` or `task:api-?`.
    pub of: String,
    /// Of these, only tasks for which this condition holds, as in `priority > 2`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What to do when.
    pub steps: Vec<StepSpec>,
}

/// One step of a deadline ladder: a time and one action. The time is one of `at`, `after` and
/// `elapsed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// How long before the deadline; `"0s"` is at the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// How long after the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Span>,
    /// When that much of the time has passed between getting the deadline and the deadline, as
    /// in `"80%"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed: Option<Percent>,
    /// Only when less than that much of the task is done by then, as in `"50%"`. A task that
    /// says nothing has done nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_below: Option<Percent>,
    /// Action: start an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn: Option<SpawnSpec>,
    /// Action: stop agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate: Option<TerminateSpec>,
    /// Action: send a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifySpec>,
    /// Action: give agents or the task more, for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<EscalateSpec>,
    /// Action: run gates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
    /// Action: record an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<EmitSpec>,
    /// Action: run a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunSpec>,
}

/// A part of a hundred, written `"80%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// So many, if that is at most all.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        if percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// The text is no part of a hundred.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a percentage from 0% to 100%, as in \"80%\"")]
pub struct NotAPercentage(String);

impl FromStr for Percent {
    type Err = NotAPercentage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().strip_suffix('%').map(str::trim_end);
        let plain = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let percent = plain.and_then(|number| number.parse().ok()).and_then(Self::new);
        percent.ok_or_else(|| NotAPercentage(text.chars().take(16).collect()))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "percent",
            "pattern": "^ *[0-9]{1,3} *% *$",
            "description": "A percentage from 0% to 100%, as in \"80%\"."
        })
    }
}
