//! `plan` and `escalation`.

use clap::{Args, Subcommand};
use worknode_core::{
    amount::{Bytes, Dollars},
    task::Approval,
    time::{Span, Timestamp},
};

/// `plan`
#[derive(Debug, Subcommand)]
pub(crate) enum Plan {
    /// Check it: mistakes, tasks that may get in each other's way, deadlines that cannot be met.
    Check,
    /// Show it as it stands.
    Show,
    /// Add a task while the team works.
    Add {
        /// One line that says what is to be done.
        title: String,
        /// Its name [default: made from the title].
        #[arg(long)]
        key: Option<String>,
        /// The phase that it goes into [default: none; it stands beside them].
        #[arg(long, value_name = "PHASE")]
        phase: Option<String>,
        #[command(flatten)]
        wanted: Because,
    },
    /// Change what is asked of a task while the team works. What is not named stays.
    Change(Change),
    /// Take a task out.
    Cancel {
        /// The task.
        task: String,
        /// Why, for the record.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// How far the work is from the plan, and what that is made of.
    Deviation {
        /// A task, a phase or an agent [default: the team].
        of: Option<String>,
    },
}

/// `plan change`
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// The task.
    pub(crate) task: String,
    /// One line that says what is to be done.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Leave this out from now on: may_create, agent, role, estimate, deadline, max_duration, tokens,
    /// usd, memory or processes; may be given several times.
    #[arg(long, value_name = "KEY")]
    pub(crate) clear: Vec<String>,
    #[command(flatten)]
    pub(crate) wanted: Because,
}

/// What is asked of a task, and why.
#[derive(Args, Debug)]
pub(crate) struct Because {
    #[command(flatten)]
    pub(crate) wanted: Box<Wanted>,
    /// Why, for the record.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) reason: String,
}

/// What is asked of a task.
#[derive(Args, Debug)]
pub(crate) struct Wanted {
    /// What the agent is told; `-` reads standard input.
    #[arg(long)]
    pub(crate) prompt: Option<String>,
    /// A glob of files that may change; may be given several times.
    #[arg(long = "file", value_name = "GLOB", allow_hyphen_values = true)]
    pub(crate) files: Vec<String>,
    /// A glob of files that may be made; may be given several times [default: those of --file].
    #[arg(long = "may-create", value_name = "GLOB")]
    pub(crate) may_create: Vec<String>,
    /// No file may be made.
    #[arg(long, conflicts_with = "may_create")]
    pub(crate) may_create_nothing: bool,
    /// A glob of files that may be deleted; may be given several times.
    #[arg(long = "may-delete", value_name = "GLOB")]
    pub(crate) may_delete: Vec<String>,
    /// A path that must be there when it is done; may be given several times.
    #[arg(long = "deliverable", value_name = "PATH")]
    pub(crate) deliverables: Vec<String>,
    /// A task that must be completed first; may be given several times.
    #[arg(long = "depends-on", value_name = "TASK")]
    pub(crate) depends_on: Vec<String>,
    /// Name or glob of the agents that may take it.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Profile of the agents that may take it.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) role: Option<String>,
    /// How long it should take, as in 45m.
    #[arg(long, value_name = "TIME")]
    pub(crate) estimate: Option<Span>,
    /// When it should be completed.
    #[arg(long, value_name = "RFC3339")]
    pub(crate) deadline: Option<Timestamp>,
    /// A gate; may be given several times.
    #[arg(long = "gate", value_name = "GATE")]
    pub(crate) gates: Vec<String>,
    /// Who must agree: none, validation, operator, or a number for a quorum.
    #[arg(long, value_parser = approval, value_name = "WHO")]
    pub(crate) approval: Option<Approval>,
    /// How often it is tried.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempts: Option<u32>,
    /// Higher goes first.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) priority: Option<i32>,
    /// A time limit for each run, as in 10m.
    #[arg(long, value_name = "TIME")]
    pub(crate) max_duration: Option<Span>,
    /// How many tokens each run may take at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tokens: Option<u64>,
    /// How much money each run may take at most, in US dollars, as in 1.5.
    #[arg(long, value_name = "USD", value_parser = super::dollars)]
    pub(crate) usd: Option<Dollars>,
    /// How much memory each run may hold at most, as in 2GiB.
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory: Option<Bytes>,
    /// How many processes each run may have at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) processes: Option<u32>,
}

fn approval(text: &str) -> Result<Approval, String> {
    match text {
        "none" => Ok(Approval::None),
        "validation" => Ok(Approval::Validation),
        "operator" => Ok(Approval::Operator),
        number => match number.parse() {
            Ok(wanted @ 2..=9) => Ok(Approval::Quorum(wanted)),
            _ => Err("write `none`, `validation`, `operator`, or a number from 2 to 9".to_owned()),
        },
    }
}

/// `escalation`
#[derive(Debug, Subcommand)]
pub(crate) enum Escalation {
    /// What nobody has settled yet, and who is asked.
    List,
    /// Say that something is settled.
    Settle {
        /// Its topic, as `escalation list` shows it.
        topic: String,
        /// How, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `hook`
#[derive(Args, Debug)]
pub(crate) struct Hook {
    /// Judge the staged change instead, as git asks before a commit.
    #[arg(long)]
    pub(crate) pre_commit: bool,
}

/// `hooks` of git
#[derive(Debug, Subcommand)]
pub(crate) enum GitHook {
    /// Ask before each commit in this repository.
    Install {
        /// Replace a hook that is there.
        #[arg(long)]
        force: bool,
    },
    /// Do not ask any more.
    Remove,
}
