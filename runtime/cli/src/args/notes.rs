//! Commands about the memory of the work: decisions, issues, memory, messages, coming back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use worknode_core::{hlc::Hlc, ids::RunId, time::Span};

/// `continue`
#[derive(Args, Debug)]
#[command(
    after_help = "For people and, as Markdown, for an agent's prompt. Without a daemon it is read from the store.\n\n\
    Examples:\n  worknode continue coder\n  worknode continue --json | jq .next"
)]
pub(crate) struct Continue {
    /// Which agent [default: the one that asks; a person is told of the team].
    #[arg(env = "WORKNODE_AGENT")]
    pub(crate) agent: Option<String>,
}

/// `estimates`
#[derive(Args, Debug)]
#[command(
    after_help = "A task's estimate is in the plan, or its attribute `estimate`, as in 2h.\n\nExample:\n  \
    worknode node set schema estimate=2h && worknode estimates --under webapp/foundation"
)]
pub(crate) struct Estimates {
    /// Only of tasks at and below this Worknode.
    #[arg(long, value_name = "NODE")]
    pub(crate) under: Option<String>,
}

/// `report`
#[derive(Args, Debug)]
#[command(
    after_help = "Made of what is recorded, and of nothing else. What you think of it, record as a decision before.\n\n\
    Examples:\n  worknode report > report.md\n  worknode report --under foundation --json | jq .trouble"
)]
pub(crate) struct Report {
    /// Only of tasks at and below this Worknode [default: the team].
    #[arg(long, value_name = "NODE")]
    pub(crate) under: Option<String>,
}

/// `decision`
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  \
    worknode decision add 'Which store?' 'SQLite' --because 'nothing to install' --instead 'Postgres: needs a server' --confidence 0.8\n  \
    worknode decision search store")]
pub(crate) enum Decision {
    /// Record a decision.
    Add(AddDecision),
    /// List the newest decisions.
    List(ListNotes),
    /// Show a decision, and what replaced it.
    Show {
        /// Its id or a beginning of it, or its name.
        decision: String,
    },
    /// Find decisions by their words.
    Search(SearchNotes),
}

/// `decision add`
#[derive(Args, Debug)]
pub(crate) struct AddDecision {
    /// What was asked.
    pub(crate) question: String,
    /// What was decided.
    pub(crate) decision: String,
    /// Why.
    #[arg(long, alias = "rationale", default_value = "", value_name = "TEXT")]
    pub(crate) because: String,
    /// What was not chosen, and why not: `OPTION: REASON`; may be given several times.
    #[arg(long = "instead", alias = "alternative", value_name = "OPTION: REASON")]
    pub(crate) alternatives: Vec<String>,
    /// How sure, from 0 to 1.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) confidence: Option<f64>,
    /// The decision that it replaces.
    #[arg(long, value_name = "DECISION")]
    pub(crate) supersedes: Option<String>,
    /// What it is about [default: the task of this run, else the team].
    #[arg(long, value_name = "NODE")]
    pub(crate) on: Option<String>,
}

/// Which notes.
#[derive(Args, Debug)]
pub(crate) struct ListNotes {
    /// Only those about this task, or directly below this Worknode.
    #[arg(long, value_name = "NODE")]
    pub(crate) on: Option<String>,
    /// At most so many, the newest.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
}

/// What to look for.
#[derive(Args, Debug)]
pub(crate) struct SearchNotes {
    /// Words; those in which more of them are come first.
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// At most so many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
}

/// `issue`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Errors that differ only in numbers, times, addresses and directories are one issue.\n\nExample:\n  \
    cargo test 2>&1 | worknode issue search -\n  \
    worknode issue add \"$(cat error.txt)\" --file src/store.rs\n  \
    worknode issue resolve 0199a --cause 'two writers' --fix 'one connection that writes'"
)]
pub(crate) enum Issue {
    /// Report an error; one that was seen before is found.
    Add(AddIssue),
    /// List the newest issues.
    List {
        #[command(flatten)]
        which: ListNotes,
        /// Only those that are not solved.
        #[arg(long)]
        open: bool,
    },
    /// Show an issue.
    Show {
        /// Its id or a beginning of it, or its name.
        issue: String,
    },
    /// Find the issues that an error may be: the same error first.
    Search {
        /// The error's text; `-` reads standard input.
        error: String,
        /// At most so many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
        limit: usize,
    },
    /// Say how an issue is solved.
    Resolve {
        /// Which.
        issue: String,
        #[command(flatten)]
        solution: Solution,
    },
    /// Say that an issue's solution helped once more.
    Helped {
        /// Which.
        issue: String,
    },
}

/// `issue add`
#[derive(Args, Debug)]
pub(crate) struct AddIssue {
    /// The error's text; `-` reads standard input.
    pub(crate) error: String,
    /// Where it came up.
    #[arg(long, default_value = "", value_name = "FILE")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) solution: Solution,
    /// The task where it came up [default: the task of this run, else the team].
    #[arg(long, value_name = "NODE")]
    pub(crate) on: Option<String>,
}

/// What is known of an issue.
#[derive(Args, Debug)]
pub(crate) struct Solution {
    /// The root cause.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) cause: String,
    /// What mends it.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) fix: String,
    /// The same as a patch: a file, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) patch: Option<PathBuf>,
}

/// `memory`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "A key is a namespace and a name, as in swarm/coder/phase2. An agent writes below its own name, as in \
    coder/… and swarm/coder/…; all can be read.\n\nExample:\n  \
    worknode memory set swarm/coder/phase2 '{\"done\": 3}' --ttl 7d\n  \
    worknode memory watch swarm/coder"
)]
pub(crate) enum Memory {
    /// Remember a value.
    Set {
        /// The key.
        key: String,
        /// The value: JSON where it reads as such, else text; `-` reads standard input.
        value: String,
        /// For how long, as in 30m or 7d [default: for ever].
        #[arg(long, value_name = "TIME")]
        ttl: Option<Span>,
        /// Only if this is its version now; 0: only if there is nothing.
        #[arg(long, value_name = "N")]
        if_version: Option<u64>,
    },
    /// Show what is remembered under a key.
    Get {
        /// The key.
        key: String,
    },
    /// List the keys of a namespace, or the namespaces.
    List {
        /// The namespace; with a `/` at its end, the namespaces that begin so [default: all
        /// namespaces].
        namespace: Option<String>,
        /// At most so many keys.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Go on after this name.
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// Forget what is under a key.
    Delete {
        /// The key.
        key: String,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show what happens in a namespace, until you stop.
    Watch {
        /// The namespace.
        namespace: String,
    },
}

/// `message`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "What waits is in the agent's next brief. A message for a run or an epoch never reaches the next one.\n\n\
    Example:\n  \
    worknode message send coder 'The schema has changed: read docs/schema.md'\n  \
    worknode message send webapp 'Stop at noon' --broadcast\n  \
    worknode message list coder"
)]
pub(crate) enum Message {
    /// Say something to an agent, to whoever works on a task, or to all agents below a Worknode.
    Send {
        /// An agent, a task, or another Worknode.
        to: String,
        /// What; `-` reads standard input.
        text: String,
        /// To all agents at and below it.
        #[arg(long)]
        broadcast: bool,
        /// The message that it answers.
        #[arg(long, value_name = "STAMP")]
        thread: Option<Hlc>,
        /// Only for this run of the agent.
        #[arg(long, value_name = "RUN")]
        run: Option<RunId>,
        /// Only for whoever holds the task at this epoch.
        #[arg(long, value_name = "N")]
        epoch: Option<u64>,
        /// Your own name for it: the same one is taken once.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// List the messages that wait.
    List {
        /// Of which agent or task [default: your own].
        #[arg(env = "WORKNODE_AGENT")]
        of: Option<String>,
        /// With those that were acknowledged.
        #[arg(long)]
        all: bool,
    },
    /// Say that messages were heard.
    Ack {
        /// Their stamps, as `message list` shows them.
        #[arg(required = true, value_name = "STAMP")]
        messages: Vec<Hlc>,
    },
}
