//! What an agent is, as a profile says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::{StartWhen, Tier},
    bounds,
    restart::RestartPolicy,
    run::RunLimits,
    time::Span,
};

use crate::brief::DEFAULT_TEMPLATE;

/// What an agent is: `agent-profiles/NAME.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name: that of its file.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the agent may do at all.
    pub tier: Tier,
    /// Name of the driver that starts it, unless the agent names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Model, for drivers that take one, unless the agent names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When its process is started. An executive starts with the team, the others for each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartWhen>,
    /// When it is started again after its process ended.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// Limits of each run.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Names of variables that it gets from the daemon's environment, beside those of its
    /// driver. A `*` at the end stands for any ending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Template of its brief, in Markdown, where the one that ships will not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brief: Option<String>,
}

/// Limits of each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSpec {
    /// Wall time. At the limit the run is stopped.
    pub time: Span,
    /// Time without output. At the limit the run is stopped.
    pub silence: Span,
    /// Time between TERM and KILL when it is stopped.
    pub grace: Span,
    /// Bytes kept of each output stream. Older output is rotated away and counted.
    pub output: u64,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        Self {
            time: Span(bounds::RUN_TIME),
            silence: Span(bounds::SILENCE),
            grace: Span(bounds::STOP_GRACE),
            output: bounds::OUTPUT,
        }
    }
}

impl From<LimitsSpec> for RunLimits {
    fn from(spec: LimitsSpec) -> Self {
        Self {
            time: spec.time.0,
            silence: spec.silence.0,
            grace: spec.grace.0,
            output: spec.output,
        }
    }
}

impl LimitsSpec {
    /// The keys whose values make no sense, each with the reason.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, &'static str)> {
        let checks = [
            (
                "time",
                self.time.0.is_zero(),
                "a run that lasts no time does nothing",
            ),
            (
                "silence",
                self.silence.0.is_zero(),
                "every run is silent at its start",
            ),
            (
                "output",
                self.output == 0,
                "a run whose output is not kept cannot be explained",
            ),
        ];
        checks
            .into_iter()
            .filter(|(_, wrong, _)| *wrong)
            .map(|(key, _, why)| (key, why))
            .collect()
    }
}

impl Profile {
    /// When its process is started.
    #[must_use]
    pub const fn start_when(&self) -> StartWhen {
        match (self.start, self.tier) {
            (Some(start), _) => start,
            (None, Tier::Executive) => StartWhen::Launch,
            (None, Tier::Implementation | Tier::Validation) => StartWhen::Task,
        }
    }

    /// The text of its brief's template.
    #[must_use]
    pub fn template(&self) -> &str {
        self.brief.as_deref().unwrap_or(DEFAULT_TEMPLATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> Result<Profile, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_tier_is_enough() {
        let profile = profile("tier = \"implementation\"").unwrap();
        assert_eq!(RunLimits::from(profile.limits), RunLimits::default());
        assert_eq!(profile.restart, RestartPolicy::default());
        assert_eq!(profile.template(), DEFAULT_TEMPLATE);
    }

    #[test]
    fn the_start_follows_the_tier_unless_it_is_said() {
        let start = |text| profile(text).unwrap().start_when();
        assert_eq!(start("tier = \"executive\""), StartWhen::Launch);
        assert_eq!(start("tier = \"implementation\""), StartWhen::Task);
        assert_eq!(start("tier = \"validation\""), StartWhen::Task);
        assert_eq!(
            start("tier = \"executive\"\nstart = \"trigger\""),
            StartWhen::Trigger
        );
    }

    #[test]
    fn limits_are_read_as_people_write_them() {
        let limits = profile("tier = \"validation\"\n[limits]\ntime = \"1h 30m\"\noutput = 1024")
            .unwrap()
            .limits;
        assert_eq!(limits.time, Span::secs(5400));
        assert_eq!(limits.silence, Span(bounds::SILENCE));
        assert_eq!(limits.output, 1024);
        let none = LimitsSpec {
            time: Span::default(),
            silence: Span::default(),
            grace: Span::default(),
            output: 0,
        };
        assert_eq!(none.mistakes().len(), 3);
    }

    #[test]
    fn unknown_keys_are_errors() {
        for text in [
            "tier = \"executive\"\nmodle = \"x\"",
            "tier = \"executive\"\n[limits]\nmemory = 1",
            "tier = \"executive\"\n[restart]\nhow = 1",
            "tier = \"boss\"",
            "",
        ] {
            assert!(profile(text).is_err(), "{text}");
        }
    }
}
