//! The gate `tests`: did the project's own tests run, and did they say yes?
//!
//! | rule | what breaks it |
//! |---|---|
//! | `tests.failed`, `tests.timeout`, `tests.not_started` | how the command ended |
//! | `tests.none` | a report that counts no test at all |
//! | `tests.contradicted` | the command says yes, its own report names tests that failed |
//! | `tests.not_run` | a test that the change adds or changes, which the report does not name |
//! | `tests.removed` | the change has fewer tests than before; those that are gone are named |
//! | `tests.skipped` | a test that ran before is skipped now |
//! | `tests.fewer` | fewer tests ran than on the base; those that are gone are named |
//! | `tests.uncompared` | the tests of the base could not be counted: a warning |
//! | `tests.unread` | nothing that the command wrote tells which tests ran: a warning |
//! | `tests.flaky` | the command failed, and did not when it was run again: a warning |
//!
//! Tests may go with the files that the plan lets go, and be skipped in them.

mod base;
mod declared;
mod report;

use std::collections::{BTreeMap, BTreeSet};

pub use base::{Counted, misses};
pub use report::{Case, Format, Report, read};

use crate::{change::ChangeSet, finding::Finding};

/// Names that are told of, at most.
const SHOWN: usize = 20;

/// What the reports say, beside how the command ended. `now` is what ran on the candidate, `base`
/// on what it is put on, where somebody has looked.
#[must_use]
pub fn judge(change: &ChangeSet, now: Option<&Report>, base: Option<&Counted>) -> Vec<Finding> {
    let mut findings = of_source(change);
    let Some(now) = now else {
        findings.push(
            Finding::new("tests.unread", "nothing that the command wrote tells which tests ran")
                .hint("let it write JUnit, TAP, or what cargo, nextest, pytest or go write, so that tests can be counted")
                .as_warning(),
        );
        return findings;
    };
    if now.ran() == 0 {
        findings.push(
            Finding::new("tests.none", "the command said yes and ran no test")
                .measured(0_u32, 1_u32)
                .hint("run the tests themselves; a command that only says yes proves nothing"),
        );
    }
    let failed: Vec<&str> = now.named(Case::Failed).collect();
    if !failed.is_empty() || now.failed > 0 {
        let message = format!(
            "the command ended with 0, and its report tells of failed tests: {}",
            list(&failed)
        );
        findings.push(Finding::new("tests.contradicted", message));
    }
    findings.extend(not_run(change, now));
    findings.extend(
        base.map(|base| base::compare(change, now, base))
            .into_iter()
            .flatten(),
    );
    findings
}

/// What the text of the tests says, before any is run.
#[must_use]
pub fn of_source(change: &ChangeSet) -> Vec<Finding> {
    if change.everything {
        return Vec::new();
    }
    let (before, after) = (declared_in(change, false), declared_in(change, true));
    let mut findings: Vec<Finding> = removed(&before, &after, &change.may_go).into_iter().collect();
    for (name, (skipped, file, line)) in &after {
        let ran_before = before.get(name).is_some_and(|(skipped, _, _)| !skipped);
        if *skipped && ran_before && !change.may_go.contains(*file) {
            findings.push(
                Finding::new("tests.skipped", format!("the test `{name}` is skipped now"))
                    .in_file(*file)
                    .at_line(*line)
                    .of_function(name.clone())
                    .hint("mend it, or what it tests"),
            );
        }
    }
    findings
}

/// Tests by name: whether each is skipped, its file, its line.
type DeclaredTests<'c> = BTreeMap<String, (bool, &'c str, u32)>;

fn declared_in(change: &ChangeSet, after: bool) -> DeclaredTests<'_> {
    let mut all = DeclaredTests::new();
    for file in &change.files {
        let content = if after { &file.after } else { &file.before };
        for test in declared::tests(file.path(), content.text().unwrap_or_default()) {
            all.insert(test.name, (test.skipped, file.path(), test.line));
        }
    }
    all
}

fn removed(
    before: &DeclaredTests<'_>,
    after: &DeclaredTests<'_>,
    may_go: &BTreeSet<String>,
) -> Option<Finding> {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let (let_go, gone): (Vec<_>, Vec<_>) = gone.partition(|(_, (_, file, _))| may_go.contains(*file));
    let gone: Vec<&str> = gone.into_iter().map(|(name, _)| name.as_str()).collect();
    let kept = before.len().saturating_sub(let_go.len());
    let fewer = kept.checked_sub(after.len()).filter(|fewer| *fewer > 0)?;
    let file = gone
        .first()
        .and_then(|name| before.get(*name))
        .map_or("", |(_, file, _)| file);
    let message = format!("{fewer} tests are gone: {}", list(&gone));
    let finding = Finding::new("tests.removed", message)
        .in_file(file)
        .measured(after.len(), kept);
    Some(finding.hint("keep them, or have the plan name their file in `may_delete`"))
}

/// Tests that the change touches and the report does not know.
fn not_run(change: &ChangeSet, now: &Report) -> Vec<Finding> {
    if now.cases.is_empty() || change.everything {
        return Vec::new();
    }
    let ran: BTreeSet<&str> = now.cases.keys().map(|name| declared::last(name)).collect();
    let mut findings = Vec::new();
    for file in &change.files {
        let Some(text) = file.after.text() else { continue };
        if !now.format.runs(file.path()) {
            continue;
        }
        let tests = declared::tests(file.path(), text).into_iter();
        let touched =
            tests.filter(|test| file.difference().added.touch(test.line, test.end) && !test.skipped);
        findings.extend(
            touched
                .filter(|test| !ran.contains(test.name.as_str()))
                .map(|test| {
                    Finding::new(
                        "tests.not_run",
                        format!("the test `{}` was changed and did not run", test.name),
                    )
                    .in_file(file.path())
                    .at_line(test.line)
                    .of_function(test.name)
                    .hint("let the command of the gate run it")
                }),
        );
    }
    findings
}

/// The command failed, and did not when it was run again.
#[must_use]
pub fn flaky(tries: u32, failed: &[&str]) -> Finding {
    let what = if failed.is_empty() {
        String::new()
    } else {
        format!(": {}", list(failed))
    };
    Finding::new(
        "tests.flaky",
        format!("the tests passed only at try {tries}{what}"),
    )
    .hint("a test that sometimes fails tells nothing: mend it")
    .as_warning()
}

fn list(names: &[&str]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let shown = shown.join(", ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}
