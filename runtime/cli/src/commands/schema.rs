//! `worknode schema`: the JSON Schema of a file, or of what a command answers with `--json`, from the
//! code that reads or writes it.

use serde::Serialize;
use worknode_core::error::{Code, Error};
use worknode_daemon::config::{SchemaKind, schema as of_kind};

use crate::{
    answers,
    output::{self, Form},
};

/// Files that have a schema.
const FILES: [(&str, SchemaKind, &str); 4] = [
    ("config", SchemaKind::Config, "worknode.toml"),
    ("plan", SchemaKind::Plan, "plan.toml"),
    ("profile", SchemaKind::Profile, "agent-profiles/NAME.toml"),
    ("triggers", SchemaKind::Triggers, ".worknode/triggers/NAME.toml"),
];

/// What there is a schema of.
#[derive(Debug, Serialize)]
struct There {
    /// Files, by the word for them.
    files: Vec<&'static str>,
    /// Commands.
    commands: Vec<&'static str>,
}

pub(crate) fn schema(of: &[String], form: Form) -> Result<(), Error> {
    // `task list` may be one word to a shell.
    let name = of.join(" ");
    let name = name.strip_prefix("worknode ").unwrap_or(&name);
    if name.is_empty() {
        return list(form);
    }
    if let Some((_, kind, _)) = FILES.iter().find(|(word, ..)| *word == name) {
        return output::json(&of_kind(*kind));
    }
    let schema = answers::schema(name).ok_or_else(|| {
        Error::new(Code::Usage, format!("there is no schema of `{name}`"))
            .hint("`worknode schema` lists the files and commands that have one")
    })?;
    output::json(&schema)
}

fn list(form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(&There {
            files: FILES.iter().map(|(word, ..)| *word).collect(),
            commands: answers::commands().collect(),
        });
    }
    for (word, _, file) in FILES {
        output::line(format!("{word:<22} {file}"));
    }
    for command in answers::commands() {
        output::line(format!("{command:<22} worknode {command} --json"));
    }
    Ok(())
}
