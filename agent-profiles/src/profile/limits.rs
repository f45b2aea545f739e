//! The limits of each run, as a profile says them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::Share,
    amount::{Bytes, Dollars},
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
    /// Wall time, without the time that the run is held still. At the limit it is stopped; it does
    /// not start where less is left. Default: "30m", or a share of what the agent and the team have
    /// left when that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Span>,
    /// Time without output, call or change of a file. At the limit the run is stopped.
    /// Default: "5m".
    pub silence: Span,
    /// Time from the decision to start until its process is there. At the limit the start has
    /// failed. Default: "30s".
    pub start: Span,
    /// Time between TERM and KILL when it is stopped. Default: "5s".
    pub grace: Span,
    /// Bytes kept of each output stream, as in "64MiB". Older output is rotated away and counted.
    /// Default: "64MiB".
    pub output: Bytes,
    /// Memory of all its processes together, as in "2GiB". At the limit the run is stopped; it
    /// does not start where less is left. Default: a share of what the agent and the team have
    /// left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processes that live at the same time. At the limit the run is stopped; it does not start
    /// where less is left. Default: 1024, or a share of what the agent and the team have left when
    /// that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Processor time of all its processes together. At the limit the run is stopped; it does not
    /// start where less is left. Default: a share of what the agent and the team have left.
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
            time: None,
            silence: Span(limits.silence),
            start: Span(limits.start),
            grace: Span(limits.grace),
            output: Bytes(limits.output),
            memory: None,
            processes: None,
            cpu: None,
            tokens: None,
            usd: None,
            orphan_grace: Span(limits.orphan_grace),
        }
    }
}

impl From<LimitsSpec> for RunLimits {
    fn from(spec: LimitsSpec) -> Self {
        let (asks, default) = (spec.asks(), Self::default());
        Self {
            time: asks.time.unwrap_or(default.time),
            memory: asks.memory.or(default.memory),
            processes: asks.processes.or(default.processes),
            cpu: asks.cpu.or(default.cpu),
            tokens: asks.tokens,
            usd: asks.usd,
            silence: spec.silence.0,
            start: spec.start.0,
            grace: spec.grace.0,
            output: spec.output.0,
            orphan_grace: spec.orphan_grace.0,
        }
    }
}

impl LimitsSpec {
    /// What it says of what runs share: so much each run is to have, or it does not start.
    #[must_use]
    pub fn asks(&self) -> Share {
        Share {
            time: self.time.map(|time| time.0),
            tokens: self.tokens,
            usd: self.usd.map(Usd::from),
            cpu: self.cpu.map(|cpu| cpu.0),
            memory: self.memory.map(|memory| memory.0),
            processes: self.processes,
        }
    }

    /// The keys whose values make no sense, each with the reason.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, &'static str)> {
        let own = inherited_mistakes(Some(self.silence), Some(self.start), Some(self.output));
        own.into_iter().chain(share_mistakes(&self.asks())).collect()
    }
}

/// What is wrong with limits that hold for each run alone: the keys, each with the reason.
#[must_use]
pub fn inherited_mistakes(
    silence: Option<Span>,
    start: Option<Span>,
    output: Option<Bytes>,
) -> Vec<(&'static str, &'static str)> {
    let none = |span: Option<Span>| span.is_some_and(|span| span.0.is_zero());
    only_wrong([
        ("silence", none(silence), "every run is silent at its start"),
        ("start", none(start), "nothing starts in no time"),
        (
            "output",
            output == Some(Bytes(0)),
            "a run whose output is not kept cannot be explained",
        ),
    ])
}

/// What is wrong with limits of what runs share: the keys, each with the reason.
#[must_use]
pub fn share_mistakes(share: &Share) -> Vec<(&'static str, &'static str)> {
    only_wrong([
        (
            "time",
            share.time.is_some_and(|time| time.is_zero()),
            "a run that lasts no time does nothing",
        ),
        (
            "memory",
            share.memory.is_some_and(|memory| Bytes(memory) < LEAST_MEMORY),
            "no program starts in less than 1MiB; write the unit, as in \"2GiB\"",
        ),
        (
            "processes",
            share.processes == Some(0),
            "a run is at least one process",
        ),
        (
            "cpu",
            share.cpu.is_some_and(|cpu| cpu.is_zero()),
            "a run without processor time does nothing",
        ),
        (
            "tokens",
            share.tokens == Some(0),
            "a run without tokens does nothing",
        ),
    ])
}

fn only_wrong<const N: usize>(
    checks: [(&'static str, bool, &'static str); N],
) -> Vec<(&'static str, &'static str)> {
    let wrong = checks.into_iter().filter(|(_, wrong, _)| *wrong);
    wrong.map(|(key, _, why)| (key, why)).collect()
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
        assert!(limits("").asks().is_nothing(), "a default is no wish");
    }

    #[test]
    fn p8_limits_are_read_as_people_write_them() {
        let read = limits(
            "time = \"1h 30m\"\nstart = \"45s\"\noutput = 1024\nmemory = \"2GiB\"\nprocesses = 64\ncpu = \"20m\"\n\
             tokens = 100_000\nusd = 2.5\norphan_grace = \"1m\"\nsilence = \"2m\"\ngrace = \"1s\"",
        );
        assert_eq!(read.mistakes(), []);
        let expected = RunLimits {
            time: Duration::from_secs(5_400),
            silence: Duration::from_secs(120),
            start: Duration::from_secs(45),
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
        let asks = read.asks();
        assert_eq!((asks.time, asks.processes), (Some(expected.time), Some(64)));
    }

    #[test]
    fn p8_limits_that_make_no_sense_are_all_told() {
        let read = limits(
            "time = \"0s\"\nsilence = \"0s\"\nstart = \"0s\"\noutput = 0\nmemory = 2048\nprocesses = 0\ncpu = \"0s\"\ntokens = 0",
        );
        let keys: Vec<&str> = read.mistakes().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "silence",
                "start",
                "output",
                "time",
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
