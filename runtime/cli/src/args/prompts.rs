//! `worknode prompts`.

use clap::{Args, Subcommand};

/// `prompts`
#[derive(Args, Debug)]
pub(crate) struct Prompts {
    /// What to do [default: list].
    #[command(subcommand)]
    pub(crate) command: Option<Prompt>,
}

/// `prompts …`
#[derive(Debug, Subcommand)]
pub(crate) enum Prompt {
    /// List what waits, each in full.
    List,
    /// Show one.
    Show {
        /// Its id, or as much of its beginning as only it has.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Allow it, once.
    Allow(Answer),
    /// Deny it; the agent is told why.
    Deny {
        /// Which.
        #[command(flatten)]
        answer: Answer,
        /// Why, as the agent is told.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
}

/// `prompts allow`
#[derive(Args, Debug)]
pub(crate) struct Answer {
    /// Its id, or as much of its beginning as only it has.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The digest of what you were shown: anything else is refused [default: it is shown now].
    #[arg(long, value_name = "DIGEST")]
    pub(crate) shown: Option<String>,
}
