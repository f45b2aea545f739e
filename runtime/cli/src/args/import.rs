//! `import`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `import`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "What an agent is told there becomes the beginning of its brief here. Tools and permissions become a \
    tier: whoever may write works on tasks, everybody else reviews. Look at what is written, and change it."
)]
pub(crate) enum Import {
    /// Make a profile of each agent that Claude Code knows in a repository.
    ClaudeAgents {
        /// The directory with their definitions [default: .claude/agents of the team's directory].
        #[arg(value_name = "DIR")]
        from: Option<PathBuf>,
        #[command(flatten)]
        how: How,
    },
    /// Make a profile of one file of instructions, as AGENTS.md or CLAUDE.md.
    Instructions {
        /// The file.
        file: PathBuf,
        /// Name of the profile [default: that of the file].
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        how: How,
    },
}

/// How profiles are made.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// The driver that starts them.
    #[arg(long, value_name = "DRIVER", default_value = "claude-code")]
    pub(crate) driver: String,
    /// Replace profiles that are there.
    #[arg(long)]
    pub(crate) force: bool,
    /// Only say what would be written.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
