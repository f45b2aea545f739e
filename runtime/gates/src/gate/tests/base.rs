//! What ran, beside what ran on the base.
//!
//! Numbers decide, because a runner may name two tests alike, or none; names explain. A test that
//! has another name now is one less and one more.

use serde::{Deserialize, Serialize};

use super::{Case, Report, declared, list};
use crate::{
    change::ChangeSet,
    finding::{Finding, Severity},
};

/// What is known of the tests of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// They passed, and told this.
    Ran(Report),
    /// They could not be counted, and why.
    Not(String),
}

/// What is less than on the base. Of a base that was not counted only that is told.
pub(super) fn compare(change: &ChangeSet, now: &Report, base: &Counted) -> Vec<Finding> {
    match base {
        Counted::Ran(base) => fewer(&LetGo::by(change), now, base),
        Counted::Not(why) => vec![
            Finding::new(
                "tests.uncompared",
                format!("the tests of the base could not be counted, so nobody sees if fewer run: {why}"),
            )
            .as_warning(),
        ],
    }
}

/// Would what ran fail, beside this base?
#[must_use]
pub fn misses(change: &ChangeSet, now: &Report, base: &Counted) -> bool {
    let findings = compare(change, now, base);
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// What the plan lets go of tests.
struct LetGo<'c> {
    change: &'c ChangeSet,
    /// All files of the change may go: then nothing else takes a test away.
    all: bool,
}

impl<'c> LetGo<'c> {
    fn by(change: &'c ChangeSet) -> Self {
        let all = !change.files.is_empty() && change.let_go().count() == change.files.len();
        Self { change, all }
    }

    /// Does the test stand in a file that may go? Wherever a test is written, its name is there too.
    fn covers(&self, name: &str) -> bool {
        let last = declared::last(name);
        self.all
            || self.change.let_go().any(|file| {
                name.starts_with(file.path()) || file.before.text().is_some_and(|text| has_word(text, last))
            })
    }

    /// Are there tests in the files that may go?
    fn has_tests(&self) -> bool {
        self.all
            || self.change.let_go().any(|file| {
                let text = file.before.text().unwrap_or_default();
                !declared::tests(file.path(), text).is_empty()
            })
    }
}

/// Does `word` stand in the text by itself?
fn has_word(text: &str, word: &str) -> bool {
    let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + word.len()..]);
            !goes_on(before.chars().next_back()) && !goes_on(after.chars().next())
        })
}

fn fewer(let_go: &LetGo<'_>, now: &Report, base: &Report) -> Vec<Finding> {
    let ran_before = |name: &str| base.cases.get(name).is_some_and(|case| *case != Case::Skipped);
    let skipped: Vec<&str> = now.named(Case::Skipped).filter(|name| ran_before(name)).collect();
    let gone = base
        .cases
        .iter()
        .filter(|(name, case)| **case != Case::Skipped && !now.cases.contains_key(*name));
    let (let_go_of, gone): (Vec<&str>, Vec<&str>) = gone
        .map(|(name, _)| name.as_str())
        .partition(|name| let_go.covers(name));

    let accounted = skipped.len().saturating_add(let_go_of.len());
    let wanted = base
        .ran()
        .saturating_sub(u64::try_from(accounted).unwrap_or(u64::MAX));
    let mut findings = Vec::new();
    if now.ran() < wanted && !let_go.all {
        let finding = less(&gone, now.ran(), wanted);
        // Without names nobody can say whether it is those that may go.
        let unclear = base.cases.is_empty() && let_go.has_tests();
        findings.push(if unclear { finding.as_warning() } else { finding });
    }
    let skipped: Vec<&str> = skipped.into_iter().filter(|name| !let_go.covers(name)).collect();
    if !skipped.is_empty() {
        let message = format!("tests that ran on the base are skipped now: {}", list(&skipped));
        findings.push(Finding::new("tests.skipped", message));
    }
    findings
}

fn less(gone: &[&str], few: u64, many: u64) -> Finding {
    let mut message = format!("{few} tests ran, {many} on the base");
    if !gone.is_empty() {
        message.push_str(": these did not run any more: ");
        message.push_str(&list(gone));
    }
    Finding::new("tests.fewer", message)
        .measured(few, many)
        .hint("run them, or have the plan name the files of those that go in `may_delete`")
}

#[cfg(test)]
mod tests;
