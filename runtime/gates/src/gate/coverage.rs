//! The gate `coverage`: do the tests reach what a change touches?
//!
//! | rule | what is measured |
//! |---|---|
//! | `coverage.component` | lines covered of each component that the change touches |
//! | `coverage.changed` | changed lines covered, of those that can be run |
//! | `coverage.function` | a changed function of which no line is covered |
//! | `coverage.missing` | a changed source file that no report knows |
//! | `coverage.stale` | a report that has lines which the file does not have |
//! | `coverage.foreign` | a report about other files than those of the repository |
//! | `coverage.forged` | a report that stands in the repository instead of being made by the tests |
//! | `coverage.unread` | a report that is not there, or has no form that is known |

mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use read::{Covered, NotRead, read};
use worknode_policies::pattern::Patterns;

use crate::{
    change::{ChangeSet, File},
    finding::{Finding, Measure},
    settings::Coverage,
};

/// Lines that are told one by one in a message.
const SHOWN: usize = 12;

/// What the gate objects to. `reports` are the files that were asked for, by name, as the command
/// left them; `root` is where it ran.
#[must_use]
pub fn judge(
    change: &ChangeSet,
    told: &Coverage,
    reports: &BTreeMap<String, Option<Vec<u8>>>,
    root: &str,
) -> Vec<Finding> {
    let (covered, unread) = read_all(change, reports);
    if !unread.is_empty() || reports.is_empty() {
        return or_nothing_asked(unread, reports);
    }
    let (lines, known) = covered.below(root, &change.tree);
    if known == 0 {
        let message = "the reports are about other files than those of the repository";
        return vec![
            Finding::new("coverage.foreign", message).hint("make the reports in the checkout that is judged"),
        ];
    }
    let excluded = Patterns::parse(&told.exclude).ok();
    let counts = |path: &str| !excluded.as_ref().is_some_and(|excluded| excluded.matches(path));
    let mut findings = files(change, &lines, &counts);
    findings.extend(changed_lines(change, &lines, told.changed, &counts));
    findings.extend(components(change, &lines, told, &counts));
    findings
}

/// What all reports say together, and what is wrong with reports.
fn read_all(change: &ChangeSet, reports: &BTreeMap<String, Option<Vec<u8>>>) -> (Covered, Vec<Finding>) {
    let (mut covered, mut wrong) = (Covered::default(), Vec::new());
    for (name, bytes) in reports {
        match read_one(change, name, bytes.as_deref()) {
            Ok(read) => covered.add(read),
            Err(finding) => wrong.push(*finding),
        }
    }
    (covered, wrong)
}

fn read_one(change: &ChangeSet, name: &String, bytes: Option<&[u8]>) -> Result<Covered, Box<Finding>> {
    if change.tree.contains(name) {
        let message = "the report stands in the repository: nobody knows what it is about";
        let finding = Finding::new("coverage.forged", message).in_file(name);
        return Err(Box::new(
            finding.hint("take it out; the command of the gate makes it anew"),
        ));
    }
    let Some(bytes) = bytes else {
        let message = format!("the command did not write the report `{name}`");
        let finding = Finding::new("coverage.unread", message);
        return Err(Box::new(
            finding.hint("mend the command, or `reports` of [gate.coverage]"),
        ));
    };
    read(bytes).map_err(|why| {
        let message = format!("the report `{name}` cannot be read: {why}");
        Box::new(Finding::new("coverage.unread", message))
    })
}

/// Each changed file by itself.
fn files(change: &ChangeSet, lines: &BTreeMap<String, Lines>, counts: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let endings: BTreeSet<&str> = lines.keys().filter_map(|path| ending(path)).collect();
    let judged = change
        .files
        .iter()
        .filter(|file| file.is_there() && counts(file.path()));
    judged
        .flat_map(|file| match lines.get(file.path()) {
            Some(lines) => of_file(file, lines),
            None => missing(file, &endings).into_iter().collect(),
        })
        .collect()
}

fn or_nothing_asked(mut findings: Vec<Finding>, reports: &BTreeMap<String, Option<Vec<u8>>>) -> Vec<Finding> {
    if reports.is_empty() {
        let finding = Finding::new("coverage.unread", "no report is named");
        findings.push(
            finding.hint("name what the tests write: reports = [\"coverage.xml\"] under [gate.coverage]"),
        );
    }
    findings
}

fn ending(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, ending)| ending)
}

type Lines = BTreeMap<u32, u64>;

fn of_file(file: &File, lines: &Lines) -> Vec<Finding> {
    let has = file.after.text().map_or(0, |text| text.lines().count());
    let has = u32::try_from(has).unwrap_or(u32::MAX);
    if let Some(beyond) = lines.keys().next_back().filter(|last| **last > has) {
        let message =
            format!("the report has line {beyond}, the file ends at {has}: it was made of another state");
        return vec![
            Finding::new("coverage.stale", message)
                .in_file(file.path())
                .measured(*beyond, has)
                .hint("make the report anew, of exactly this tree"),
        ];
    }
    let Some(Ok(module)) = file.module() else {
        return Vec::new();
    };
    let added = &file.difference().added;
    let touched = module
        .functions
        .iter()
        .filter(|function| added.touch(function.line, function.end));
    touched
        .filter(|function| {
            let mut inside = lines.range(function.line..=function.end).peekable();
            inside.peek().is_some() && inside.all(|(_, hits)| *hits == 0)
        })
        .map(|function| {
            let name = function.path();
            Finding::new("coverage.function", format!("no test reaches `{name}`"))
                .in_file(file.path())
                .at_line(function.line)
                .of_function(name)
                .measured(Measure::Percent(0.0), Measure::Percent(100.0))
                .hint("add a test that calls it and checks what it does")
        })
        .collect()
}

/// A source file with code in it, of a sort that the report has, and that it does not have.
fn missing(file: &File, endings: &BTreeSet<&str>) -> Option<Finding> {
    let module = file.module()?.as_ref().ok()?;
    let of_the_sort = ending(file.path()).is_some_and(|ending| endings.contains(ending));
    let touched = module
        .functions
        .iter()
        .any(|function| file.difference().added.touch(function.line, function.end));
    (of_the_sort && touched).then(|| {
        Finding::new("coverage.missing", "the file was changed, and no report knows it")
            .in_file(file.path())
            .hint("have the tests load it, or exclude it under [gate.coverage]")
    })
}

fn changed_lines(
    change: &ChangeSet,
    lines: &BTreeMap<String, Lines>,
    limit: f64,
    counts: &dyn Fn(&str) -> bool,
) -> Vec<Finding> {
    if change.everything {
        return Vec::new();
    }
    let (mut all, mut missed) = (0_u32, 0_u32);
    let mut worst: Vec<(&str, Vec<u32>)> = Vec::new();
    for file in change.files.iter().filter(|file| counts(file.path())) {
        let Some(lines) = lines.get(file.path()) else {
            continue;
        };
        let added = &file.difference().added;
        let changed = || lines.iter().filter(|(line, _)| added.has(**line));
        let bare = changed().filter(|(_, hits)| **hits == 0);
        let bare: Vec<u32> = bare.map(|(line, _)| *line).collect();
        all = all.saturating_add(count(changed().count()));
        missed = missed.saturating_add(count(bare.len()));
        if !bare.is_empty() {
            worst.push((file.path(), bare));
        }
    }
    let share = percent(all - missed, all);
    if share >= limit {
        return Vec::new();
    }
    worst
        .into_iter()
        .map(|(path, bare)| {
            let shown: Vec<String> = bare.iter().take(SHOWN).map(u32::to_string).collect();
            let more = if bare.len() > SHOWN { " and more" } else { "" };
            let message = format!(
                "{share:.1} % of the changed lines are covered, at least {limit} % are wanted; not here: {}{more}",
                shown.join(", ")
            );
            let finding = Finding::new("coverage.changed", message).in_file(path);
            let finding = bare.first().map_or_else(|| finding.clone(), |line| finding.clone().at_line(*line));
            finding
                .measured(Measure::Percent(share), Measure::Percent(limit))
                .hint("add tests that reach these lines")
        })
        .collect()
}

fn percent(hit: u32, all: u32) -> f64 {
    if all == 0 {
        100.0
    } else {
        f64::from(hit) * 100.0 / f64::from(all)
    }
}

fn components(
    change: &ChangeSet,
    lines: &BTreeMap<String, Lines>,
    told: &Coverage,
    counts: &dyn Fn(&str) -> bool,
) -> Vec<Finding> {
    let everything = BTreeMap::from([("the repository".to_owned(), vec!["**".to_owned()])]);
    let named = if told.components.is_empty() {
        &everything
    } else {
        &told.components
    };
    named
        .iter()
        .filter_map(|(name, globs)| {
            let Ok(files) = Patterns::parse(globs) else {
                let message = format!("the globs of the component `{name}` cannot be read");
                return Some(Finding::new("coverage.component", message));
            };
            let touched = change.everything || change.files.iter().any(|file| files.matches(file.path()));
            let inside = |path: &str| files.matches(path) && counts(path);
            let share = touched.then(|| share(lines, &inside)).flatten()?;
            (share < told.component).then(|| too_little(name, share, told.component))
        })
        .collect()
}

/// How much of the files is covered, in percent; `None` where there is nothing to be covered.
fn share(lines: &BTreeMap<String, Lines>, inside: &dyn Fn(&str) -> bool) -> Option<f64> {
    let (mut all, mut hit) = (0_u32, 0_u32);
    for (_, lines) in lines.iter().filter(|(path, _)| inside(path)) {
        all = all.saturating_add(count(lines.len()));
        hit = hit.saturating_add(count(lines.values().filter(|hits| **hits > 0).count()));
    }
    (all > 0).then(|| percent(hit, all))
}

fn too_little(name: &str, share: f64, limit: f64) -> Finding {
    let message = format!("{share:.1} % of the lines of {name} are covered, at least {limit} % are wanted");
    Finding::new("coverage.component", message)
        .measured(Measure::Percent(share), Measure::Percent(limit))
        .hint("add tests for what they do not reach")
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Covered {
    /// Lines by path in the repository, and how many paths of the reports are in it.
    fn below(&self, root: &str, tree: &[String]) -> (BTreeMap<String, Lines>, usize) {
        let paths: BTreeSet<&str> = tree.iter().map(String::as_str).collect();
        let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
        for path in tree {
            by_name
                .entry(path.rsplit('/').next().unwrap_or(path))
                .or_default()
                .push(path);
        }
        let mut found: BTreeMap<String, Lines> = BTreeMap::new();
        let mut known = 0;
        for (path, lines) in &self.files {
            let Some(place) = place(path, root, &paths, &by_name) else {
                continue;
            };
            known += 1;
            let all = found.entry(place.to_owned()).or_default();
            for (line, hits) in lines {
                let sum = all.entry(*line).or_default();
                *sum = sum.saturating_add(*hits);
            }
        }
        (found, known)
    }
}

/// Which file of the repository a path of a report means: the one of that name, or the only one
/// that ends with it or with which it ends.
fn place<'a>(
    written: &str,
    root: &str,
    paths: &BTreeSet<&'a str>,
    by_name: &HashMap<&'a str, Vec<&'a str>>,
) -> Option<&'a str> {
    let plain = written.replace('\\', "/");
    let inside = plain
        .strip_prefix(root)
        .map_or(plain.as_str(), |rest| rest.trim_start_matches('/'));
    let inside = inside.trim_start_matches("./");
    if let Some(path) = paths.get(inside) {
        return Some(path);
    }
    let same_name = by_name.get(inside.rsplit('/').next()?)?;
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
    let mut fitting = same_name
        .iter()
        .filter(|path| ends(path, inside) || ends(inside, path));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}
