//! The gate `licence`: may the dependencies that a change adds be used?
//!
//! | rule | what breaks it |
//! |---|---|
//! | `licence.refused` | a licence that is not allowed |
//! | `licence.unknown` | a dependency whose licence nothing at hand tells |
//! | `licence.unread` | a lock file that cannot be read: nobody sees what it adds |
//!
//! What a change adds is what people list (`Cargo.toml`, `package.json`, `requirements*.txt`,
//! `pyproject.toml`, `go.mod`), and what tools took for it, with everything that it needs in turn
//! (`Cargo.lock`, `package-lock.json`, `npm-shrinkwrap.json`). Another version of a package may have
//! another licence, so that is looked at, too; of an unknown one only new names are told.
//!
//! A licence is known from the lock file of npm, from the manifest of a crate that the change brings
//! along, and from the sources of crates that this machine has taken before (see [`crates_added`]).
//! Nothing is asked of a registry.

mod expression;
mod locks;
mod manifests;

use std::collections::{BTreeMap, BTreeSet};

use self::locks::Locked;
use crate::{
    change::{ChangeSet, File},
    finding::Finding,
    settings::Licence,
};

/// Names that one finding tells of, at most.
const SHOWN: usize = 20;
/// Packages of one lock file that are refused one by one; the rest is counted.
const ONE_BY_ONE: usize = 50;

/// Where packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Cargo,
    Npm,
    Python,
    Go,
}

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet, told: &Licence) -> Vec<Finding> {
    if change.everything {
        return Vec::new();
    }
    let known = Known::of(change);
    let mut findings = Vec::new();
    let mut listed = BTreeSet::new();
    for (file, kind) in of_kinds(change, manifests::kind) {
        let Some(after) = file.after.text() else { continue };
        let before = manifests::dependencies(file.path(), kind, file.before.text().unwrap_or_default());
        for name in manifests::dependencies(file.path(), kind, after).difference(&before) {
            let verdict = known.of_name(kind, name, told);
            findings.extend(verdict.finding(name).map(|finding| in_line(finding, file, name)));
            listed.insert((kind, name.clone()));
        }
    }
    for (file, kind) in of_kinds(change, locks::kind) {
        // Who is listed is told of where it is listed.
        let is_listed = |locked: &Locked| listed.contains(&(kind, locked.name.clone()));
        findings.extend(of_lock(file, kind, &known, told, is_listed));
    }
    findings
}

/// Crates that the change adds to a `Cargo.lock`, as name and version. Whoever has their sources puts the
/// manifest of each beside the change, by [`crate_manifest`].
#[must_use]
pub fn crates_added(change: &ChangeSet) -> Vec<(String, String)> {
    let locks = of_kinds(change, locks::kind).filter(|(_, kind)| *kind == Kind::Cargo);
    let added = locks.filter_map(|(file, kind)| added(file, kind)).flatten();
    let plain = |text: &str| {
        !text.contains("..")
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
    };
    added
        .map(|locked| (locked.name, locked.version))
        .filter(|(name, version)| plain(name) && plain(version))
        .collect()
}

/// The name of a crate's manifest beside a change, and in the folder where Cargo keeps sources.
#[must_use]
pub fn crate_manifest(name: &str, version: &str) -> String {
    format!("{name}-{version}/Cargo.toml")
}

fn of_kinds(change: &ChangeSet, kind: fn(&str) -> Option<Kind>) -> impl Iterator<Item = (&File, Kind)> {
    let files = change.files.iter();
    files.filter_map(move |file| Some((file, kind(file.path())?)))
}

/// What a lock file has that it had not before; `None` when that cannot be said.
fn added(file: &File, kind: Kind) -> Option<BTreeSet<Locked>> {
    if !file.is_there() {
        return Some(BTreeSet::new());
    }
    let after = locks::locked(kind, file.after.text()?)?;
    // What it was before and cannot be read hides nothing that is there now.
    let before = locks::locked(kind, file.before.text().unwrap_or_default()).unwrap_or_default();
    Some(after.difference(&before).cloned().collect())
}

fn of_lock(
    file: &File,
    kind: Kind,
    known: &Known,
    told: &Licence,
    is_listed: impl Fn(&Locked) -> bool,
) -> Vec<Finding> {
    let Some(added) = added(file, kind) else {
        let finding = Finding::new(
            "licence.unread",
            "this cannot be read, so nobody sees what it adds",
        );
        return vec![finding.in_file(file.path()).hint("let its tool write it anew")];
    };
    let before = locks::locked(kind, file.before.text().unwrap_or_default()).unwrap_or_default();
    let names: BTreeSet<&str> = before.iter().map(|locked| locked.name.as_str()).collect();
    let mut judged = Judged::default();
    for locked in added.iter().filter(|locked| !is_listed(locked)) {
        let is_new = !names.contains(locked.name.as_str());
        judged.take(known.of_version(kind, locked, told), locked, is_new, file);
    }
    judged.findings(file)
}

/// What comes of the packages that a lock file adds.
#[derive(Default)]
struct Judged {
    refused: Vec<Finding>,
    /// Refused, and not told one by one.
    beyond: usize,
    unknown: Vec<String>,
}

impl Judged {
    fn take(&mut self, verdict: Verdict, locked: &Locked, is_new: bool, file: &File) {
        let shown = format!("{} {}", locked.name, locked.version);
        match verdict {
            Verdict::Unknown if is_new => self.unknown.push(shown),
            Verdict::Allowed | Verdict::Unknown => {}
            // To find its line takes as long as the file is.
            Verdict::Refused(_) if self.refused.len() >= ONE_BY_ONE => self.beyond += 1,
            verdict @ Verdict::Refused(_) => {
                let finding = verdict.finding(&shown);
                self.refused
                    .extend(finding.map(|finding| in_line(finding, file, &locked.name)));
            }
        }
    }

    fn findings(self, file: &File) -> Vec<Finding> {
        let mut findings = self.refused;
        if self.beyond > 0 {
            let message = format!(
                "{} more added packages are under licences that are not allowed",
                self.beyond
            );
            findings.push(Finding::new("licence.refused", message).in_file(file.path()));
        }
        findings.extend((!self.unknown.is_empty()).then(|| untold(&self.unknown).in_file(file.path())));
        findings
    }
}

/// One finding for all of them: an update may bring hundreds.
fn untold(names: &[String]) -> Finding {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "nothing at hand tells the licences of added packages: {}{more}",
        shown.join(", ")
    );
    Finding::new("licence.unknown", message).hint(LOOK_IT_UP)
}

const LOOK_IT_UP: &str = "look it up before the change counts";

/// Where the name stands first: by itself, or else within others.
fn in_line(finding: Finding, file: &File, name: &str) -> Finding {
    let finding = finding.in_file(file.path());
    let text = file.after.text().unwrap_or_default();
    let quoted = [format!("\"{name}\""), format!("/{name}\"")];
    let by_itself = |line: &str| quoted.iter().any(|quoted| line.contains(quoted));
    let line = text
        .lines()
        .position(by_itself)
        .or_else(|| text.lines().position(|line| line.contains(name)));
    match line.and_then(|at| u32::try_from(at + 1).ok()) {
        Some(line) => finding.at_line(line),
        None => finding,
    }
}

/// May it be used?
enum Verdict {
    Allowed,
    /// Its licence.
    Refused(String),
    Unknown,
}

impl Verdict {
    fn of(licence: &str, told: &Licence) -> Self {
        if expression::allowed(licence, &told.allow) {
            Self::Allowed
        } else {
            Self::Refused(licence.to_owned())
        }
    }

    fn finding(&self, name: &str) -> Option<Finding> {
        match self {
            Self::Allowed => None,
            Self::Refused(licence) => {
                let message =
                    format!("the added dependency `{name}` is under {licence}, which is not allowed");
                let hint = "use another, or let `allow` under [gate.licence] name it";
                Some(Finding::new("licence.refused", message).hint(hint))
            }
            Self::Unknown => {
                let message = format!("nothing at hand tells the licence of the added dependency `{name}`");
                Some(Finding::new("licence.unknown", message).hint(LOOK_IT_UP))
            }
        }
    }
}

/// The licences of all versions that lock files name, where they are known.
struct Known(BTreeMap<(Kind, String), BTreeMap<String, Option<String>>>);

impl Known {
    fn of(change: &ChangeSet) -> Self {
        let mut known = Self(BTreeMap::new());
        let crates = crates_at_hand(change);
        for (file, kind) in of_kinds(change, locks::kind) {
            let locked = file.after.text().and_then(|text| locks::locked(kind, text));
            for one in locked.into_iter().flatten() {
                let at_hand = || crates.get(&crate_manifest(&one.name, &one.version)).cloned();
                let licence = one.licence.or_else(|| (kind == Kind::Cargo).then(at_hand)?);
                let versions = known.0.entry((kind, one.name)).or_default();
                versions.insert(one.version, licence);
            }
        }
        known
    }

    /// Of several versions the worst: refused, then unknown.
    fn of_name(&self, kind: Kind, name: &str, told: &Licence) -> Verdict {
        let Some(versions) = self.0.get(&(kind, name.to_owned())) else {
            return Verdict::Unknown;
        };
        let mut worst = Verdict::Allowed;
        for licence in versions.values() {
            match licence.as_deref().map(|licence| Verdict::of(licence, told)) {
                Some(Verdict::Allowed) => {}
                Some(refused) => return refused,
                None => worst = Verdict::Unknown,
            }
        }
        worst
    }

    fn of_version(&self, kind: Kind, locked: &Locked, told: &Licence) -> Verdict {
        let versions = self.0.get(&(kind, locked.name.clone()));
        let licence = versions.and_then(|versions| versions.get(&locked.version)?.as_deref());
        licence.map_or(Verdict::Unknown, |licence| Verdict::of(licence, told))
    }
}

/// Licences of crates whose manifests the change brings along, or somebody put beside it.
fn crates_at_hand(change: &ChangeSet) -> BTreeMap<String, String> {
    let brought = change
        .files
        .iter()
        .filter(|file| file.path().ends_with("/Cargo.toml"));
    let texts = brought.filter_map(|file| file.after.text());
    let beside = change.beside.values().map(String::as_str);
    let licence = |text: &str| {
        let root = text.parse::<toml::Table>().ok()?;
        let package = root.get("package")?;
        let of = |key| package.get(key)?.as_str();
        Some((
            crate_manifest(of("name")?, of("version")?),
            of("license")?.to_owned(),
        ))
    };
    texts.chain(beside).filter_map(licence).collect()
}

#[cfg(test)]
mod tests;
