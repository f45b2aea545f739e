//! What each command answers with `--json`, as a JSON Schema.
//!
//! A command that hands on what the daemon says has the schema of that operation; the others have
//! that of the type which they write. Both come from the same types as the answers themselves.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use worknode_actors::memory::Entry;
use worknode_core::event::Record;
use worknode_daemon::{
    answer_schema,
    view::{AgentView, LinkView, NodeView, ReportView, WhyView},
};

pub(crate) mod own;
mod table;

use self::table::TABLE;

/// The version of JSON Schema that is spoken.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// One form that an answer may have.
#[derive(Clone, Copy)]
enum Form {
    /// What an operation of the daemon answers.
    Http(&'static str, &'static str),
    /// A list of what an operation answers, once for each thing that was named.
    Each(&'static str, &'static str),
    /// A type of the program.
    Own(fn() -> Value),
}

/// What one command answers.
#[derive(Clone, Copy)]
struct Answer {
    /// One of these.
    forms: &'static [Form],
    /// There are several documents, one a line.
    is_lines: bool,
}

/// The JSON Schema of the answer of a command, as in `task list`; nothing when there is no such
/// command, or none that answers in JSON.
pub(crate) fn schema(command: &str) -> Option<Value> {
    let (_, answer) = TABLE.iter().find(|(name, _)| *name == command)?;
    let forms: Vec<Value> = answer.forms.iter().filter_map(|form| form.schema()).collect();
    let mut whole = one_of(forms);
    whole.insert("$schema".to_owned(), DIALECT.into());
    whole.insert("title".to_owned(), format!("worknode {command} --json").into());
    if answer.is_lines {
        whole.insert(
            "description".to_owned(),
            "One document a line: this is the schema of each.".into(),
        );
    }
    Some(Value::Object(whole))
}

/// The commands that have one.
pub(crate) fn commands() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

impl Form {
    fn schema(self) -> Option<Value> {
        match self {
            Self::Own(make) => Some(make()),
            Self::Http(verb, path) => answer_schema(verb, path),
            Self::Each(verb, path) => {
                let mut item = answer_schema(verb, path)?;
                let definitions = item.as_object_mut().and_then(|fields| fields.remove("$defs"));
                let mut list = json!({ "type": "array", "items": item });
                if let Some(definitions) = definitions {
                    list["$defs"] = definitions;
                }
                Some(list)
            }
        }
    }
}

/// One schema of all forms. Definitions of one name are of one type, and so the same.
fn one_of(mut forms: Vec<Value>) -> Map<String, Value> {
    let mut definitions = Map::new();
    for form in &mut forms {
        let own = form.as_object_mut().and_then(|fields| fields.remove("$defs"));
        if let Some(Value::Object(own)) = own {
            definitions.extend(own);
        }
    }
    let mut whole = match forms.pop() {
        Some(Value::Object(only)) if forms.is_empty() => only,
        Some(last) => {
            forms.push(last);
            Map::from_iter([("anyOf".to_owned(), forms.into())])
        }
        None => Map::new(),
    };
    if !definitions.is_empty() {
        whole.insert("$defs".to_owned(), definitions.into());
    }
    whole
}

/// The schema of what a type is written as.
fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("$schema");
        fields.remove("title");
    }
    schema
}

fn agents() -> Value {
    of::<Vec<AgentView>>()
}

fn nodes() -> Value {
    of::<Vec<NodeView>>()
}

fn links() -> Value {
    of::<Vec<LinkView>>()
}

fn entries() -> Value {
    of::<Vec<Entry>>()
}

fn record() -> Value {
    of::<Record>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Commands that answer in no JSON of ours: another protocol, or text alone.
    const NONE: &[&str] = &["completions", "demo", "hook", "mcp", "schema"];

    fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
        if !command.has_subcommands() {
            found.insert(path.to_owned());
        }
        for sub in command.get_subcommands() {
            leaves(sub, format!("{path} {}", sub.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_command_that_answers_in_json_has_a_schema_and_no_other() {
        let mut found = BTreeSet::new();
        let whole = crate::help::command().disable_help_subcommand(true);
        leaves(&whole, "", &mut found);
        for none in NONE {
            assert!(found.remove(*none), "{none} is no command any more");
        }
        let told: BTreeSet<String> = commands().map(str::to_owned).collect();
        assert_eq!(found, told);
        assert_eq!(told.len(), TABLE.len(), "one of them is there twice");
    }

    #[test]
    fn every_form_of_an_answer_is_known_and_describes_something() {
        for (name, answer) in TABLE {
            for form in answer.forms {
                let schema = form.schema();
                let what = match form {
                    Form::Http(verb, path) | Form::Each(verb, path) => format!("{verb} {path}"),
                    Form::Own(_) => "its own".to_owned(),
                };
                let schema = schema.unwrap_or_else(|| panic!("{name}: {what} has no answer"));
                let fields = schema.as_object().unwrap();
                assert!(
                    ["type", "$ref", "anyOf", "oneOf", "properties"]
                        .iter()
                        .any(|key| fields.contains_key(*key)),
                    "{name}: {what} says nothing: {schema}"
                );
            }
        }
    }
}
