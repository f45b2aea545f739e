//! Files in which tools note what exactly they took, with everything that it needs in turn.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use toml::Value as Toml;

use super::Kind;

/// Such files are shorter.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// A package that was taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Locked {
    pub(super) name: String,
    pub(super) version: String,
    /// Where the file itself tells it.
    pub(super) licence: Option<String>,
}

/// Whose packages a file locks, by its name.
pub(super) fn kind(path: &str) -> Option<Kind> {
    match path.rsplit('/').next().unwrap_or(path) {
        "Cargo.lock" => Some(Kind::Cargo),
        "package-lock.json" | "npm-shrinkwrap.json" => Some(Kind::Npm),
        _ => None,
    }
}

/// What such a file locks. `None` when it cannot be read. One that is not there locks nothing.
pub(super) fn locked(kind: Kind, text: &str) -> Option<BTreeSet<Locked>> {
    if text.is_empty() {
        return Some(BTreeSet::new());
    }
    if text.len() > MOST_BYTES {
        return None;
    }
    match kind {
        Kind::Cargo => cargo(text),
        Kind::Npm => npm(text),
        Kind::Python | Kind::Go => None,
    }
}

/// One without a source is the project's own.
fn cargo(text: &str) -> Option<BTreeSet<Locked>> {
    let root = text.parse::<toml::Table>().ok()?;
    let packages = root.get("package").and_then(Toml::as_array).into_iter().flatten();
    let taken = packages.filter(|package| package.get("source").is_some());
    let text = |package: &Toml, key| package.get(key).and_then(Toml::as_str).map(str::to_owned);
    let one = |package: &Toml| {
        Some(Locked {
            name: text(package, "name")?,
            version: text(package, "version")?,
            licence: None,
        })
    };
    Some(taken.filter_map(one).collect())
}

/// Versions 2 and 3 have a flat list with licences. In version 1 packages stand inside each other, and
/// nothing tells their licences.
fn npm(text: &str) -> Option<BTreeSet<Locked>> {
    let root: Json = serde_json::from_str(text).ok()?;
    let mut locked = BTreeSet::new();
    match root.get("packages").and_then(Json::as_object) {
        Some(packages) => locked.extend(
            packages
                .iter()
                .filter_map(|(path, package)| npm_package(path, package)),
        ),
        None => npm_nested(&root, &mut locked),
    }
    Some(locked)
}

/// A path without `node_modules` is the project's own, and so is what a link leads to.
fn npm_package(path: &str, package: &Json) -> Option<Locked> {
    let (_, folder) = path.rsplit_once("node_modules/")?;
    if package.get("link").and_then(Json::as_bool) == Some(true) {
        return None;
    }
    let text = |key| package.get(key).and_then(Json::as_str);
    let licence = package.get("license");
    let told = licence.and_then(|told| told.as_str().or_else(|| told.get("type")?.as_str()));
    Some(Locked {
        name: text("name").unwrap_or(folder).to_owned(),
        version: text("version").unwrap_or_default().to_owned(),
        licence: told.map(str::to_owned),
    })
}

/// As deep as whoever reads JSON goes.
fn npm_nested(package: &Json, locked: &mut BTreeSet<Locked>) {
    let inside = package.get("dependencies").and_then(Json::as_object);
    for (name, package) in inside.into_iter().flatten() {
        let version = package.get("version").and_then(Json::as_str).unwrap_or_default();
        locked.insert(Locked {
            name: name.clone(),
            version: version.to_owned(),
            licence: None,
        });
        npm_nested(package, locked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: Kind, text: &str) -> Vec<String> {
        let each = |locked: Locked| {
            let licence = locked.licence.unwrap_or_else(|| "?".to_owned());
            format!("{} {} {licence}", locked.name, locked.version)
        };
        locked(kind, text).unwrap().into_iter().map(each).collect()
    }

    #[test]
    fn what_was_taken_is_read() {
        let cargo = include_str!("locks/Cargo.lock");
        assert_eq!(told(Kind::Cargo, cargo), ["itoa 1.0.15 ?", "ryu 1.0.20 ?"]);
        let third = include_str!("locks/package-lock-v3.json");
        assert_eq!(
            told(Kind::Npm, third),
            [
                "@scope/pad 2.1.0 ISC",
                "left-pad 1.3.0 WTFPL",
                "old-style 0.1.0 MIT",
                "untold 1.0.0 ?"
            ]
        );
        let first = include_str!("locks/package-lock-v1.json");
        assert_eq!(told(Kind::Npm, first), ["inner 2.0.0 ?", "left-pad 1.3.0 ?"]);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_empty() {
        for (kind, text) in [(Kind::Cargo, "[[package"), (Kind::Npm, "{"), (Kind::Go, "x")] {
            assert_eq!(locked(kind, text), None);
        }
        assert_eq!(locked(Kind::Npm, &" ".repeat(MOST_BYTES + 1)), None);
        let deep = format!("{}{}", "{\"dependencies\":{\"a\":".repeat(10_000), "{}");
        assert_eq!(locked(Kind::Npm, &deep), None);
        assert_eq!(locked(Kind::Cargo, ""), Some(BTreeSet::new()));
    }
}
