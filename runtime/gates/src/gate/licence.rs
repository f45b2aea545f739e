//! The gate `licence`: may the dependencies that a change adds be used?
//!
//! | rule | what breaks it |
//! |---|---|
//! | `licence.refused` | a licence that is not allowed |
//! | `licence.unknown` | a dependency whose licence nothing in the change tells |
//!
//! Read are `Cargo.toml`, `package.json`, `requirements*.txt`, `pyproject.toml`, `go.mod`; the
//! licences from `package-lock.json`, where they stand.

mod expression;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use toml::Value as Toml;

use crate::{
    change::{ChangeSet, File},
    finding::Finding,
    settings::Licence,
};

/// Lists of dependencies are shorter.
const MOST_BYTES: usize = 1024 * 1024;

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet, told: &Licence) -> Vec<Finding> {
    if change.everything {
        return Vec::new();
    }
    let licences = known(change);
    let mut findings = Vec::new();
    for file in &change.files {
        let Some(after) = file.after.text() else { continue };
        let before = dependencies(file.path(), file.before.text().unwrap_or_default());
        let added = dependencies(file.path(), after);
        for name in added.difference(&before) {
            findings.extend(of_dependency(file, name, licences.get(name), told));
        }
    }
    findings
}

fn of_dependency(file: &File, name: &str, licence: Option<&String>, told: &Licence) -> Option<Finding> {
    let finding = match licence {
        Some(licence) if expression::allowed(licence, &told.allow) => return None,
        Some(licence) => Finding::new(
            "licence.refused",
            format!("the added dependency `{name}` is under {licence}, which is not allowed"),
        )
        .hint("use another, or let `allow` under [gate.licence] name it"),
        None => Finding::new(
            "licence.unknown",
            format!("nothing tells the licence of the added dependency `{name}`"),
        )
        .hint("look it up before the change counts"),
    };
    let text = file.after.text().unwrap_or_default();
    let line = text.lines().position(|line| line.contains(name));
    let finding = finding.in_file(file.path());
    Some(match line.and_then(|at| u32::try_from(at + 1).ok()) {
        Some(line) => finding.at_line(line),
        None => finding,
    })
}

/// Names of the dependencies that a file lists.
fn dependencies(path: &str, text: &str) -> BTreeSet<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if text.len() > MOST_BYTES {
        return BTreeSet::new();
    }
    match name {
        "Cargo.toml" => cargo(text),
        "package.json" => npm(text),
        "pyproject.toml" => pyproject(text),
        "go.mod" => go(text),
        _ if is_requirements(name) => text.lines().filter_map(python_name).collect(),
        _ => BTreeSet::new(),
    }
}

/// `requirements.txt`, `requirements-dev.txt` and so on.
fn is_requirements(name: &str) -> bool {
    name.starts_with("requirements") && name.ends_with(".txt")
}

fn cargo(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Ok(Toml::Table(root)) = text.parse::<toml::Table>().map(Toml::Table) else {
        return names;
    };
    let mut tables = vec![&root];
    let nested = ["workspace", "target"]
        .into_iter()
        .filter_map(|key| root.get(key)?.as_table());
    for table in nested {
        tables.push(table);
        tables.extend(table.values().filter_map(Toml::as_table));
    }
    for table in tables {
        for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(listed) = table.get(key).and_then(Toml::as_table) else {
                continue;
            };
            let ours = |of: &Toml| of.get("path").is_some() || of.get("workspace").is_some();
            names.extend(listed.iter().filter(|(_, of)| !ours(of)).map(|(name, of)| {
                let renamed = of.get("package").and_then(Toml::as_str);
                renamed.unwrap_or(name).to_owned()
            }));
        }
    }
    names
}

fn npm(text: &str) -> BTreeSet<String> {
    let value: Json = serde_json::from_str(text).unwrap_or_default();
    [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ]
    .into_iter()
    .filter_map(|key| value.get(key)?.as_object())
    .flat_map(|listed| listed.keys().cloned())
    .collect()
}

fn pyproject(text: &str) -> BTreeSet<String> {
    let value = text.parse::<toml::Table>().unwrap_or_default();
    let project = value.get("project").and_then(Toml::as_table);
    let listed = project
        .and_then(|project| project.get("dependencies")?.as_array())
        .into_iter()
        .flatten();
    let optional = project
        .and_then(|project| project.get("optional-dependencies")?.as_table())
        .into_iter()
        .flat_map(|groups| groups.values().filter_map(Toml::as_array).flatten());
    listed
        .chain(optional)
        .filter_map(|entry| python_name(entry.as_str()?))
        .collect()
}

/// `requests[socks] >= 2` is `requests`.
fn python_name(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let name = &line[..end.unwrap_or(line.len())];
    (!name.is_empty() && !line.starts_with('-')).then(|| name.to_ascii_lowercase())
}

fn go(text: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        if line.starts_with("require (") {
            inside = true;
        } else if line == ")" {
            inside = false;
        } else if let Some(one) = line.strip_prefix("require ") {
            names.extend(one.split_whitespace().next().map(str::to_owned));
        } else if inside {
            names.extend(line.split_whitespace().next().map(str::to_owned));
        }
    }
    names
}

/// Licences that the change itself tells.
fn known(change: &ChangeSet) -> BTreeMap<String, String> {
    let locks = change
        .files
        .iter()
        .filter(|file| file.path().ends_with("package-lock.json"))
        .filter_map(|file| file.after.text());
    let mut licences = BTreeMap::new();
    for text in locks {
        let value: Json = serde_json::from_str(text).unwrap_or_default();
        let packages = value
            .get("packages")
            .and_then(Json::as_object)
            .into_iter()
            .flatten();
        for (path, package) in packages {
            if let (Some((_, name)), Some(licence)) = (
                path.rsplit_once("node_modules/"),
                package.get("license").and_then(Json::as_str),
            ) {
                licences.insert(name.to_owned(), licence.to_owned());
            }
        }
    }
    licences
}
