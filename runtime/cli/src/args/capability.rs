//! `capability`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use worknode_core::{
    amount::Dollars,
    command::Operation,
    time::{Span, Timestamp},
};

/// `capability`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "A capability is a secret: whoever has it may do what it says. It is read from a file or from standard \
    input, never from the command line, where others could see it.\n\nExamples:\n  \
    worknode capability new ada --below webapp --for 2h > ada.token\n  \
    worknode capability attenuate ada.token --only read --for 10m > reader.token\n  \
    worknode capability verify reader.token\n  \
    worknode capability revoke --token ada.token --reason 'the laptop is lost'"
)]
pub(crate) enum Capability {
    /// Print a capability for somebody whom the runtime does not run.
    #[command(visible_alias = "issue")]
    New(New),
    /// Show what a capability says. Needs no daemon and no key; it may be forged.
    Show(Which),
    /// Print a narrower capability made of one. Needs no daemon: nobody is asked.
    Attenuate(Attenuate),
    /// Check a capability: its signatures, its time, and whether it was revoked. Needs no daemon.
    Verify(Verify),
    /// Take capabilities back: one with all that was made from it, those of a claim, or those for a part
    /// of the tree.
    Revoke(Revoke),
    /// Replace the key that signs capabilities. What was signed so far counts for a while.
    Rotate {
        /// For how long [default: 90d, longer than any lives].
        #[arg(long, value_name = "TIME")]
        grace: Option<Span>,
    },
}

/// Which capability.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// The file that it is in; `-` reads standard input [default: the one of this run].
    #[arg(env = "WORKNODE_TOKEN_FILE")]
    pub(crate) file: PathBuf,
}

/// How far a capability goes.
#[derive(Args, Debug, Default)]
pub(crate) struct Limits {
    /// Only for this Worknode and what is below it.
    #[arg(long, value_name = "NODE")]
    pub(crate) below: Option<String>,
    /// Only this operation: read, work, claim, review, note, write, spawn or kill; may be given several
    /// times.
    #[arg(long = "only", value_name = "OPERATION", value_parser = operation)]
    pub(crate) operations: Vec<Operation>,
    /// Only tasks that touch no files but those of this glob; may be given several times.
    #[arg(long = "file", value_name = "GLOB")]
    pub(crate) files: Vec<String>,
    /// Each agent that it spawns may take so much money at most, in US dollars.
    #[arg(long, value_name = "USD", value_parser = super::dollars)]
    pub(crate) usd: Option<Dollars>,
    /// Each agent that it spawns may take so many tokens at most.
    #[arg(long, value_name = "N")]
    pub(crate) tokens: Option<u64>,
    /// How many agents may stand below each other by its spawning.
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// How many agents that it spawned may live at once.
    #[arg(long, value_name = "N")]
    pub(crate) fan_out: Option<usize>,
    /// Only this team takes it, by its name; may be given several times.
    #[arg(long = "audience", value_name = "TEAM")]
    pub(crate) audience: Vec<String>,
    /// How long it is good, as in 2h.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) time: Option<Span>,
}

/// `capability new`
#[derive(Args, Debug)]
pub(crate) struct New {
    /// In whose name: a Worknode, by name or id.
    pub(crate) node: String,
    /// Let them approve and reject, too: only a Worknode of kind `person`. Their word counts in a
    /// quorum, once, and never for their own work.
    #[arg(long, conflicts_with = "operations")]
    pub(crate) review: bool,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// `capability attenuate`
#[derive(Args, Debug)]
pub(crate) struct Attenuate {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// For whom or what, for the record.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) note: String,
    /// Nobody can narrow it further.
    #[arg(long)]
    pub(crate) seal: bool,
}

/// `capability verify`
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The runtime's public key [default: the keys of the team here].
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// As of this instant [default: now].
    #[arg(long, value_name = "RFC3339")]
    pub(crate) at: Option<Timestamp>,
}

/// `capability revoke`
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["id", "token", "task", "below"])))]
pub(crate) struct Revoke {
    /// One, by its id, as `capability show` tells it.
    pub(crate) id: Option<String>,
    /// One, by the file that it is in.
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,
    /// Those for claims of this task up to --epoch.
    #[arg(long, value_name = "TASK", requires = "epoch")]
    pub(crate) task: Option<String>,
    /// The last claim that is meant.
    #[arg(long, value_name = "N", requires = "task")]
    pub(crate) epoch: Option<u64>,
    /// Those for this Worknode and what is below it, as far as they are issued by now.
    #[arg(long, value_name = "NODE")]
    pub(crate) below: Option<String>,
    /// Why, for the record.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) reason: String,
    /// Only say what would be revoked.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

fn operation(text: &str) -> Result<Operation, String> {
    let read = serde_json::from_value(text.into());
    read.map_err(|_| "an operation is read, work, claim, review, note, write, spawn or kill".to_owned())
}
