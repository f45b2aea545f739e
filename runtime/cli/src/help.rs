//! What the program says about itself: the commands as they are declared, with examples.

mod examples;
#[cfg(test)]
mod tests;

use clap::{Command, CommandFactory};

use crate::args::Cli;

/// All commands, each with its examples.
pub(crate) fn command() -> Command {
    with_examples(Cli::command(), "")
}

/// The same command with the examples of its path, and those below it with theirs.
fn with_examples(command: Command, path: &str) -> Command {
    let said = command
        .get_after_help()
        .map_or_else(String::new, ToString::to_string);
    let command = match examples::of(path) {
        [] => command,
        lines => command.after_help(joined(&said, lines)),
    };
    command.mut_subcommands(|sub| {
        let below = format!("{path} {}", sub.get_name());
        with_examples(sub, below.trim_start())
    })
}

/// What is said already, then the examples.
fn joined(said: &str, lines: &[&str]) -> String {
    let word = if lines.len() == 1 { "Example:" } else { "Examples:" };
    let gap = if said.is_empty() { "" } else { "\n\n" };
    let lines: String = lines.iter().map(|line| format!("\n  {line}")).collect();
    format!("{said}{gap}{word}{lines}")
}
