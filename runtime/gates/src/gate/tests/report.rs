//! What runners write of the tests they ran.

mod junit;
mod lines;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// It said yes.
    Passed,
    /// It said no.
    Failed,
    /// It was not run.
    Skipped,
}

/// Who wrote a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JUnit's XML, which many write.
    Junit,
    /// The Test Anything Protocol.
    Tap,
    /// `cargo test`.
    Cargo,
    /// `cargo nextest`.
    Nextest,
    /// pytest.
    Pytest,
    /// `go test`, plain, `-v` or `-json`.
    Go,
}

impl Format {
    /// Are tests of this file among those that it runs? JUnit and TAP may be about anything, and so
    /// nothing is concluded from a name that they do not have.
    pub(super) fn runs(self, path: &str) -> bool {
        match self {
            Self::Junit | Self::Tap => false,
            Self::Cargo | Self::Nextest => path.ends_with(".rs"),
            Self::Pytest => path.ends_with(".py"),
            Self::Go => path.ends_with("_test.go"),
        }
    }
}

/// What ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who wrote it.
    pub format: Format,
    /// Tests by name, where they are named.
    pub cases: BTreeMap<String, Case>,
    /// Tests that said yes, by the summary where there is one.
    pub passed: u64,
    /// Tests that said no.
    pub failed: u64,
    /// Tests that were not run.
    pub skipped: u64,
}

impl Report {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            cases: BTreeMap::new(),
            passed: 0,
            failed: 0,
            skipped: 0,
        }
    }

    /// Tests that ran, whatever they said.
    #[must_use]
    pub const fn ran(&self) -> u64 {
        self.passed.saturating_add(self.failed)
    }

    /// The same without names where there are more of them than `most`, or where they are long: what
    /// is kept for later is bounded.
    #[must_use]
    pub fn kept(mut self, most: usize) -> Self {
        let bytes: usize = self.cases.keys().map(String::len).sum();
        if self.cases.len() > most || bytes > most.saturating_mul(BYTES_OF_A_NAME) {
            self.cases.clear();
        }
        self
    }

    /// Names of the tests that ended so.
    pub fn named(&self, end: Case) -> impl Iterator<Item = &str> {
        self.cases
            .iter()
            .filter(move |(_, case)| **case == end)
            .map(|(name, _)| name.as_str())
    }

    pub(super) fn add(&mut self, name: impl Into<String>, case: Case) {
        if self.cases.len() < MOST_CASES {
            self.cases.insert(name.into(), case);
        }
    }

    /// Takes the numbers from the names.
    fn counted(mut self) -> Self {
        let count = |of: Case| {
            u64::try_from(self.cases.values().filter(|case| **case == of).count()).unwrap_or(u64::MAX)
        };
        (self.passed, self.failed, self.skipped) =
            (count(Case::Passed), count(Case::Failed), count(Case::Skipped));
        self
    }

    /// Two reports of one run as one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.cases.extend(other.cases);
        self
    }
}

/// Bytes of a name, of many on the mean, that are kept for later.
const BYTES_OF_A_NAME: usize = 200;
/// Names that are kept.
const MOST_CASES: usize = 500_000;

/// Reads what a runner wrote: to its streams, or as a file. `None` when no runner that is known
/// here wrote it.
#[must_use]
pub fn read(written: &[u8]) -> Option<Report> {
    let text = String::from_utf8_lossy(written);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('<') {
        return junit::read(start);
    }
    lines::read(&text)
}

#[cfg(test)]
mod tests;
