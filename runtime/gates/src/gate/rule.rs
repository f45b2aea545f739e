//! Gates that are a condition on the facts of the change.

use std::collections::BTreeSet;

use serde_json::json;
use worknode_policies::change::ChangeKind;
use worknode_query::{Fact, Facts, Predicate, QueryError, Scope, Shape};

use crate::{change::ChangeSet, finding::Finding, settings::RuleGate};

/// Paths that a condition sees, of each kind. A change of more is told by its numbers.
const PATHS: usize = 1_000;

/// Names that a condition may use.
#[must_use]
pub fn scope() -> Scope {
    let change = Scope::empty()
        .with("files", Shape::List, "paths that are not as before")
        .with("added", Shape::List, "paths that are new")
        .with("deleted", Shape::List, "paths that are gone")
        .with("languages", Shape::List, "languages of the files")
        .with("files_changed", Shape::Number, "how many paths are not as before")
        .with("lines_added", Shape::Number, "lines that are new")
        .with("lines_removed", Shape::Number, "lines that are gone")
        .with(
            "functions_changed",
            Shape::Number,
            "functions that are new or not as before",
        )
        .with("complexity_max", Shape::Number, "ways through the worst of them")
        .with("length_max", Shape::Number, "lines of the longest of them")
        .with("binaries", Shape::Number, "files that are no text");
    Scope::empty().with("change", Shape::Record(change), "the change")
}

/// Checks a condition.
///
/// # Errors
/// What is wrong with it.
pub fn compile(require: &str) -> Result<Predicate, QueryError> {
    Predicate::compile(require, &scope())
}

/// What the gate objects to. A condition that cannot be decided does not hold.
#[must_use]
pub fn judge(name: &str, told: &RuleGate, change: &ChangeSet) -> Vec<Finding> {
    let said = || {
        told.message
            .clone()
            .unwrap_or_else(|| format!("`{}` does not hold", told.require))
    };
    let message = match decide(&told.require, change) {
        Ok(true) => return Vec::new(),
        Ok(false) => said(),
        Err(why) => format!("`{}` cannot be decided: {why}", told.require),
    };
    let finding = Finding::new(format!("{name}.rule"), message);
    vec![match &told.hint {
        Some(hint) => finding.hint(hint.clone()),
        None => finding,
    }]
}

fn decide(require: &str, change: &ChangeSet) -> Result<bool, String> {
    let condition = compile(require).map_err(|error| error.to_string())?;
    let facts = facts(change).map_err(|error| error.to_string())?;
    condition
        .matches_strictly(&facts)
        .map_err(|error| error.to_string())
}

fn facts(change: &ChangeSet) -> Result<Facts, worknode_query::TooDeep> {
    let of = |kind: Option<ChangeKind>| -> Vec<&str> {
        let fits = change
            .files
            .iter()
            .filter(|file| kind.is_none_or(|kind| file.change.kind == kind));
        fits.take(PATHS).map(|file| file.path()).collect()
    };
    let languages: BTreeSet<&str> = change
        .files
        .iter()
        .filter_map(|file| file.language())
        .map(crate::code::Language::name)
        .collect();
    let functions = change.functions();
    let most =
        |of: fn(&crate::code::Function) -> u32| functions.iter().map(|(_, f)| of(f)).max().unwrap_or(0);
    let added: u64 = change
        .files
        .iter()
        .map(|file| file.difference().added.count())
        .sum();
    let removed: u64 = change
        .files
        .iter()
        .map(|file| file.difference().removed.count())
        .sum();
    let binaries = change
        .files
        .iter()
        .filter(|file| matches!(file.after, crate::change::Content::Binary { .. }))
        .count();
    let value = json!({
        "files": of(None),
        "added": of(Some(ChangeKind::Added)),
        "deleted": of(Some(ChangeKind::Deleted)),
        "languages": languages,
        "files_changed": change.files.len(),
        "lines_added": added,
        "lines_removed": removed,
        "functions_changed": functions.len(),
        "complexity_max": most(|function| function.complexity),
        "length_max": most(crate::code::Function::length),
        "binaries": binaries,
    });
    Ok(Facts::new().with("change", Fact::json(&value)?))
}
