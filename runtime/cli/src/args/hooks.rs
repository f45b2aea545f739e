//! The hooks that Claude Flow calls, with their flags, for those who have them in their prompts.

use clap::{Args, Subcommand};

use super::plan::GitHook;

/// `hooks`
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  \
    worknode hooks install\n  \
    worknode hooks pre-task --description 'Design the schema'\n  \
    worknode hooks post-edit --file schema.sql --memory-key swarm/coder/schema")]
pub(crate) enum Hooks {
    #[command(flatten)]
    Git(GitHook),
    #[command(flatten)]
    Flow(Flow),
}

/// The hooks of Claude Flow.
#[derive(Debug, Subcommand)]
pub(crate) enum Flow {
    /// Before a task: say what begins, and learn what is known of it.
    PreTask(PreTask),
    /// Coming back: show where you stand and what the session remembers.
    SessionRestore(Session),
    /// After an edit: record the file, and remember it under a key.
    PostEdit(PostEdit),
    /// Tell the team something.
    Notify(Notify),
    /// After a task: hand it in, or record that it is done.
    PostTask(PostTask),
    /// At the end: report what was done, and keep it for the next session.
    SessionEnd(SessionEnd),
}

/// `hooks pre-task`
#[derive(Args, Debug)]
pub(crate) struct PreTask {
    /// What is to be done.
    #[arg(long)]
    pub(crate) description: String,
    /// Your own name for it.
    #[arg(long, value_name = "ID")]
    pub(crate) task_id: Option<String>,
    /// Taken, and without effect: agents are started by the team's configuration.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) auto_spawn_agents: Option<bool>,
}

/// `hooks session-restore`
#[derive(Args, Debug)]
pub(crate) struct Session {
    /// The session, as in swarm-123.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) session_id: String,
    /// Show what the session remembers, too.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = true, default_missing_value = "true")]
    pub(crate) load_memory: bool,
}

/// `hooks post-edit`
#[derive(Args, Debug)]
pub(crate) struct PostEdit {
    /// The file.
    #[arg(long)]
    pub(crate) file: String,
    /// The key under which it is remembered, as in swarm/coder/phase2.
    #[arg(long, value_name = "KEY")]
    pub(crate) memory_key: Option<String>,
}

/// `hooks notify`
#[derive(Args, Debug)]
pub(crate) struct Notify {
    /// What.
    #[arg(long)]
    pub(crate) message: String,
    /// info, warning, error or success.
    #[arg(long, default_value = "info")]
    pub(crate) level: String,
}

/// `hooks post-task`
#[derive(Args, Debug)]
pub(crate) struct PostTask {
    /// The task: yours is handed in; any other name is recorded as done.
    #[arg(long, value_name = "ID")]
    pub(crate) task_id: String,
    /// Say how long work took, too.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) analyze_performance: Option<bool>,
}

/// `hooks session-end`
#[derive(Args, Debug)]
pub(crate) struct SessionEnd {
    /// The session.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) session_id: String,
    /// Report numbers, too.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) export_metrics: Option<bool>,
    /// Taken: the summary is always there.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) generate_summary: Option<bool>,
}
