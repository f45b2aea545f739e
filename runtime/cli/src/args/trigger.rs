//! `trigger`: what can be asked of triggers, and done with them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use worknode_core::time::{Span, Timestamp};

/// `trigger`
#[derive(Debug, Subcommand)]
pub(crate) enum Trigger {
    /// List them: what is next, what came of the last, what was skipped and why, pause and alarms.
    List,
    /// Show one, with its words and its times.
    Show {
        /// Its name.
        name: String,
    },
    /// When they fire next. Needs no daemon.
    Next(Next),
    /// What one means, in words, with its zone and what the turns of the clock do to it. Needs no
    /// daemon.
    Explain(Explain),
    /// Fire one by hand, whatever its timetable says; that is recorded as such.
    Fire {
        /// Its name.
        name: String,
    },
    /// Let one not act until it is resumed, through every restart.
    Pause {
        /// Its name.
        name: String,
    },
    /// Let one act again, on what comes.
    Resume {
        /// Its name.
        name: String,
    },
    /// What became of the firings: the newest first.
    Runs {
        /// Only of this trigger.
        name: Option<String>,
        /// So many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        last: usize,
    },
    /// What would fire over a span of time, on the real rules. Needs no daemon; changes nothing.
    Simulate(Simulate),
    /// Add triggers while the daemon runs: checked as `check` does, kept in .worknode/triggers/.
    Add {
        /// A TOML file with `[[trigger]]`, as in worknode.toml; `-` reads standard input.
        file: PathBuf,
        /// Only check it.
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove a trigger that was added.
    Remove {
        /// Its name.
        name: String,
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which trigger, or which schedule.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// The trigger.
    #[arg(conflicts_with_all = ["cron", "timezone"])]
    pub(crate) name: Option<String>,
    /// A cron expression instead.
    #[arg(long, value_name = "EXPR")]
    pub(crate) cron: Option<String>,
    /// Its time zone, as in Europe/Berlin [default: UTC].
    #[arg(long, value_name = "TIMEZONE", requires = "cron")]
    pub(crate) timezone: Option<String>,
}

/// `trigger next`
#[derive(Args, Debug)]
pub(crate) struct Next {
    #[command(flatten)]
    pub(crate) which: Which,
    /// After this instant [default: now].
    #[arg(long, value_name = "RFC3339")]
    pub(crate) from: Option<Timestamp>,
    /// So many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) count: usize,
}

/// `trigger explain`
#[derive(Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) which: Which,
    /// As of this instant [default: now].
    #[arg(long, value_name = "RFC3339")]
    pub(crate) from: Option<Timestamp>,
}

/// `trigger simulate`
#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// Only these triggers.
    pub(crate) names: Vec<String>,
    /// After this instant [default: now].
    #[arg(long, value_name = "RFC3339")]
    pub(crate) from: Option<Timestamp>,
    /// Up to this instant [default: a week after the beginning].
    #[arg(long, value_name = "RFC3339")]
    pub(crate) to: Option<Timestamp>,
    /// How long each run takes that is started, as in 20m: shows what overlaps [default: no time].
    #[arg(long, value_name = "TIME")]
    pub(crate) run_time: Option<Span>,
    /// Occurrences that are listed; the others are counted [default: 40, as JSON 1000].
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) list: Option<usize>,
}
