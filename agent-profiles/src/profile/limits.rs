//! The limits of each run, as a profile says them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    amount::{Bytes, Dollars},
    bounds,
    run::RunLimits,
    time::Span,
    usage::Usd,
};

/// Memory in which no agent can start. Who writes less has forgotten the unit.
const LEAST_MEMORY: Bytes = Bytes(1024 * 1024);

/// Limits of each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSpec {
    /// Wall time, without the time that the run is held still. At the limit it is stopped.
    /// Default: "30m".
    pub time: Span,
    /// Time without output, call or change of a file. At the limit the run is stopped.
    /// Default: "5m".
    pub silence: Span,
    /// Time between TERM and KILL when it is stopped. Default: "5s".
    pub grace: Span,
    /// Bytes kept of each output stream, as in "64MiB". Older output is rotated away and counted.
    /// Default: "64MiB".
    pub output: Bytes,
    /// Memory of all its processes together, as in "2GiB". At the limit the run is stopped.
    /// Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processes that live at the same time. At the limit the run is stopped. Default: 1024.
    pub processes: u32,
    /// Processor time of all its processes together. At the limit the run is stopped.
    /// Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Tokens, without those that a cache supplied. At the limit the run is stopped; it does not
    /// start where less is left. Default: a share of what the agent and the team have left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money in US dollars. At the limit the run is stopped; it does not start where less is
    /// left. Default: a share of what the agent and the team have left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Dollars>,
    /// How long it goes on when no daemon watches over it. Then it is stopped. Default: "10m".
    pub orphan_grace: Span,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        let limits = RunLimits::default();
        Self {
            time: Span(limits.time),
            silence: Span(limits.silence),
            grace: Span(limits.grace),
            output: Bytes(limits.output),
            memory: limits.memory.map(Bytes),
            processes: limits.processes.unwrap_or(bounds::PROCESSES),
            cpu: limits.cpu.map(Span),
            tokens: limits.tokens,
            usd: limits.usd.map(Dollars),
            orphan_grace: Span(limits.orphan_grace),
        }
    }
}

impl From<LimitsSpec> for RunLimits {
    fn from(spec: LimitsSpec) -> Self {
        Self {
            time: spec.time.0,
            silence: spec.silence.0,
            grace: spec.grace.0,
            output: spec.output.0,
            memory: spec.memory.map(|memory| memory.0),
            processes: Some(spec.processes),
            cpu: spec.cpu.map(|cpu| cpu.0),
            tokens: spec.tokens,
            usd: spec.usd.map(Usd::from),
            orphan_grace: spec.orphan_grace.0,
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
                self.output.0 == 0,
                "a run whose output is not kept cannot be explained",
            ),
            (
                "memory",
                self.memory.is_some_and(|memory| memory < LEAST_MEMORY),
                "no program starts in less than 1MiB; write the unit, as in \"2GiB\"",
            ),
            ("processes", self.processes == 0, "a run is at least one process"),
            (
                "cpu",
                self.cpu.is_some_and(|cpu| cpu.0.is_zero()),
                "a run without processor time does nothing",
            ),
            (
                "tokens",
                self.tokens == Some(0),
                "a run without tokens does nothing",
            ),
        ];
        checks
            .into_iter()
            .filter(|(_, wrong, _)| *wrong)
            .map(|(key, _, why)| (key, why))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(text: &str) -> LimitsSpec {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn p8_what_is_left_out_is_as_a_run_has_it() {
        assert_eq!(RunLimits::from(limits("")), RunLimits::default());
    }

    #[test]
    fn p8_limits_are_read_as_people_write_them() {
        let read = limits(
            "time = \"1h 30m\"\noutput = 1024\nmemory = \"2GiB\"\nprocesses = 64\ncpu = \"20m\"\n\
             tokens = 100_000\nusd = 2.5\norphan_grace = \"1m\"\nsilence = \"2m\"\ngrace = \"1s\"",
        );
        assert_eq!(read.mistakes(), []);
        let expected = RunLimits {
            time: Duration::from_secs(5_400),
            silence: Duration::from_secs(120),
            grace: Duration::from_secs(1),
            output: 1_024,
            memory: Some(2 << 30),
            processes: Some(64),
            cpu: Some(Duration::from_secs(1_200)),
            tokens: Some(100_000),
            usd: Usd::from_dollars(2.5),
            orphan_grace: Duration::from_secs(60),
        };
        assert_eq!(RunLimits::from(read), expected);
    }

    #[test]
    fn p8_limits_that_make_no_sense_are_all_told() {
        let read = limits(
            "time = \"0s\"\nsilence = \"0s\"\noutput = 0\nmemory = 2048\nprocesses = 0\ncpu = \"0s\"\ntokens = 0",
        );
        let keys: Vec<&str> = read.mistakes().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "time",
                "silence",
                "output",
                "memory",
                "processes",
                "cpu",
                "tokens"
            ]
        );
        for text in [
            "usd = 0",
            "usd = -1.5",
            "usd = nan",
            "memory = \"much\"",
            "memory = -1",
            "cores = 2",
        ] {
            assert!(toml::from_str::<LimitsSpec>(text).is_err(), "{text}");
        }
    }
}
