//! `gate`

use clap::{Args, Subcommand, ValueEnum};

/// `gate`
#[derive(Debug, Subcommand)]
pub(crate) enum Gate {
    /// Check files here, on any repository, with or without a worknode.toml.
    Run(GateRun),
    /// List the gates: what each looks for, and what it cannot see.
    List,
}

/// `gate run`
#[derive(Args, Debug)]
#[command(
    after_help = "Without --staged and --diff everything is checked as if it were new.\n\
    Exit codes: 0 all gates passed, 6 a gate failed, 2 there is no such gate.\n\n\
    Examples:\n    worknode gate run --diff main\n    worknode gate run --staged --gate complexity --gate secrets\n    \
    worknode gate run --diff main --task schema\n    \
    worknode gate run --diff origin/main --format sarif > findings.sarif"
)]
pub(crate) struct GateRun {
    /// A gate; may be given several times [default: those that need nothing, and those of the
    /// worknode.toml].
    #[arg(long = "gate", value_name = "GATE")]
    pub(crate) gates: Vec<String>,
    /// Check what is staged.
    #[arg(long, conflicts_with = "diff")]
    pub(crate) staged: bool,
    /// Check what the files are beyond this branch or commit.
    #[arg(long, value_name = "BASE")]
    pub(crate) diff: Option<String>,
    /// Run the tests on the base, too, on a checkout of it: then fewer of them, and those that are
    /// skipped only now, are findings.
    #[arg(long, requires = "diff")]
    pub(crate) base_tests: bool,
    /// Judge the change as the work of this task: by its plan and, unless --gate names others, by its
    /// gates.
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// How the answer is written.
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    pub(crate) format: Option<GateForm>,
}

/// How the answer of `gate run` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GateForm {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations of a workflow.
    Github,
}
