//! Commands that look at what goes on: once, again and again, or as it comes.

use clap::{Args, ValueEnum};
use worknode_core::{
    hlc::Hlc,
    time::{Span, Timestamp},
};

/// Whether it is shown once, or anew until somebody stops it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Again {
    /// Show it anew until you stop.
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// How long to wait in between.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = pause)]
    pub(crate) every: Span,
    /// Stop after so many times.
    #[arg(short = 'n', long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) times: Option<u64>,
}

/// `top`
#[derive(Args, Debug)]
#[command(
    after_help = "At a terminal it goes on until you stop. Elsewhere it is shown once, unless --watch is given."
)]
pub(crate) struct Top {
    /// Who stands above.
    #[arg(long, value_enum, default_value_t = By::Cpu, value_name = "WHAT")]
    pub(crate) by: By,
    #[command(flatten)]
    pub(crate) again: Again,
}

/// By what `top` orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// Processor time.
    Cpu,
    /// Memory.
    Memory,
    /// Tokens.
    Tokens,
    /// Money.
    Usd,
    /// How long the run has gone on.
    Time,
}

/// Nobody reads faster, and each look is a question to the daemon.
fn pause(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if span.0 < std::time::Duration::from_millis(100) {
        return Err("at least 100ms".to_owned());
    }
    Ok(span)
}

/// `logs`
#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// Agents or tasks: the last run of each. Or runs.
    #[arg(required_unless_present = "all", value_name = "OF")]
    pub(crate) of: Vec<String>,
    /// Every agent that has run.
    #[arg(long, conflicts_with = "of")]
    pub(crate) all: bool,
    /// Go on until the runs are over.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Standard error instead of standard output.
    #[arg(long)]
    pub(crate) stderr: bool,
}

/// `events`
#[derive(Args, Debug)]
pub(crate) struct Events {
    /// Go on with what comes.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only what came after this stamp or time.
    #[arg(long, value_name = "STAMP|RFC3339")]
    pub(crate) since: Option<Since>,
    /// Only of this task or agent.
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// Of this Worknode and all below it, as it is seen through their membranes.
    #[arg(long, value_name = "NODE")]
    pub(crate) under: Option<String>,
    /// With --under: not through membranes. For the operator only.
    #[arg(long, requires = "under")]
    pub(crate) raw: bool,
    /// Only of this type; may be given several times.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Only those of which this holds, in CEL over `event` (type, data, node, by, by_kind, at, cause),
    /// `node` and `agent`.
    #[arg(long = "where", value_name = "CEL")]
    pub(crate) condition: Option<String>,
    /// The last so many [default: all].
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) last: Option<usize>,
}

/// A point in the order of events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since(pub(crate) Hlc);

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(stamp) = text.parse::<Hlc>() {
            return Ok(Self(stamp));
        }
        let wall = text
            .parse::<Timestamp>()
            .map_err(|_| format!("`{text}` is neither a stamp nor a time, as in 2026-11-21T10:24:30Z"))?;
        Ok(Self(Hlc {
            wall,
            counter: 0,
            origin: 0,
        }))
    }
}
