//! Files in which people list what their project needs.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use toml::Value as Toml;

use super::Kind;

/// Lists of dependencies are shorter.
const MOST_BYTES: usize = 1024 * 1024;

/// Whose dependencies a file lists, by its name.
pub(super) fn kind(path: &str) -> Option<Kind> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "Cargo.toml" => Some(Kind::Cargo),
        "package.json" => Some(Kind::Npm),
        "go.mod" => Some(Kind::Go),
        "pyproject.toml" => Some(Kind::Python),
        _ => is_requirements(name).then_some(Kind::Python),
    }
}

/// Names of the dependencies that such a file lists.
pub(super) fn dependencies(path: &str, kind: Kind, text: &str) -> BTreeSet<String> {
    if text.len() > MOST_BYTES {
        return BTreeSet::new();
    }
    match kind {
        Kind::Cargo => cargo(text),
        Kind::Npm => npm(text),
        Kind::Go => go(text),
        Kind::Python if path.ends_with(".toml") => pyproject(text),
        Kind::Python => text.lines().filter_map(python_name).collect(),
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
