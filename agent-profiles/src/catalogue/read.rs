//! Reading one file, with the line of every mistake.

use std::{ops::Range, path::Path};

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use super::ProfileProblem;

/// Most mistakes told of one file. Behind them there are rarely others worth reading.
const TOLD: usize = 50;

/// A file and its text.
#[derive(Clone, Debug)]
pub(super) struct Source {
    file: String,
    text: String,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        Self {
            file: path.display().to_string(),
            text: text.to_owned(),
        }
    }

    /// Reads the file as a `T`. Errors of syntax and keys that `T` does not have are all told;
    /// of the values, the first that is wrong.
    pub(super) fn read<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Vec<ProfileProblem>> {
        let (mut table, errors) = DeTable::parse_recoverable(&self.text);
        if !errors.is_empty() {
            let told = errors.iter().take(TOLD);
            return Err(told.map(|error| self.at(error.span(), error.message())).collect());
        }
        let mut problems = self.unknown_keys::<T>(table.get_mut());
        match T::deserialize(Deserializer::from(table)) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => {}
            Err(error) => problems.push(self.at(error.span(), error.message())),
        }
        Err(problems)
    }

    /// Takes the keys out of `table` that `T` does not have. Deserialising would name only the
    /// first of them.
    fn unknown_keys<T: JsonSchema>(&self, table: &mut DeTable<'_>) -> Vec<ProfileProblem> {
        let schema = SchemaGenerator::default().into_root_schema_for::<T>();
        let Some(properties) = schema
            .get("properties")
            .and_then(|properties| properties.as_object())
        else {
            return Vec::new();
        };
        // Whether the schema keeps an order of its own depends on how it was built.
        let known = || {
            let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
            names.sort_unstable();
            names.join(", ")
        };
        let mut problems = Vec::new();
        for (key, value) in std::mem::take(table) {
            let name = key.get_ref().as_ref();
            if properties.contains_key(name) {
                table.insert(key, value);
            } else if problems.len() < TOLD {
                let mut problem = self.at(Some(key.span()), &format!("there is no key `{name}`"));
                problem.hint = Some(format!("there are: {}", known()));
                problems.push(problem);
            }
        }
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    /// A mistake at the key that `path` leads to.
    pub(super) fn problem(&self, path: &[&str], message: &str) -> ProfileProblem {
        let (key, _) = self.find(path);
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("`{}`: ", path.join("."))
        };
        self.at(key, &format!("{prefix}{message}"))
    }

    /// A mistake in line `line` of the text that is the value of `key`.
    pub(super) fn problem_in_text(&self, key: &str, line: usize, message: &str) -> ProfileProblem {
        let (_, value) = self.find(&[key]);
        let mut problem = self.at(value.clone(), &format!("`{key}`: {message}"));
        // A text in three quotes whose first line is empty begins in the next one.
        let written = value.and_then(|value| self.text.get(value)).unwrap_or_default();
        let opening = written
            .get(..3)
            .filter(|quotes| matches!(*quotes, "\"\"\"" | "'''"));
        let in_block = opening.is_some();
        let begins_below = in_block && written[3..].trim_start_matches('\r').starts_with('\n');
        if in_block {
            let below = line - usize::from(line > 0) + usize::from(begins_below);
            problem.line = problem.line.map(|first| first + below);
        }
        problem
    }

    fn at(&self, span: Option<Range<usize>>, message: &str) -> ProfileProblem {
        let line = span.map(|span| {
            let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        });
        ProfileProblem {
            file: self.file.clone(),
            line,
            message: message.to_owned(),
            hint: None,
        }
    }

    /// Where the key that `path` leads to stands, and its value.
    fn find(&self, path: &[&str]) -> (Option<Range<usize>>, Option<Range<usize>>) {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let mut found = (None, None);
        let mut inside: Option<&DeTable<'_>> = Some(table.get_ref());
        for name in path {
            let entry = inside.and_then(|table| entry(table, name));
            let Some((key, value)) = entry else { break };
            found = (Some(key.span()), Some(value.span()));
            inside = match value.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            };
        }
        found
    }
}

type Entry<'t, 'i> = (&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>);

fn entry<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<Entry<'t, 'i>> {
    table.iter().find(|(key, _)| key.get_ref().as_ref() == name)
}
