//! Are the verdicts in the journal the runtime's own? Checked with its key, offline.

use std::path::Path;

use worknode_core::{error::Error, event::Event, hlc::Hlc};
use worknode_journal::{EventFilter, Reader};
use worknode_policies::verdict::{PublicKey, verify};

use crate::keys;

/// Problems that are told one by one.
const TOLD: usize = 100;

/// What a look at all verdicts found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerdictReport {
    /// How many there are.
    pub verdicts: u64,
    /// How many of them are bound to a task, a claim and a configuration.
    pub bound: u64,
    /// What is wrong.
    pub problems: Vec<String>,
    /// How much more is wrong.
    pub more_problems: u64,
}

impl VerdictReport {
    fn problem(&mut self, at: Hlc, what: &str) {
        if self.problems.len() < TOLD {
            self.problems.push(format!("{at}: {what}"));
        } else {
            self.more_problems = self.more_problems.saturating_add(1);
        }
    }
}

/// Checks every verdict in the journal with the key in the directory `state`; `None` when there is no
/// key, so that nothing can be said.
///
/// # Errors
/// When journal or key cannot be read.
pub fn check(reader: &Reader, state: &Path) -> Result<Option<VerdictReport>, Error> {
    keys::public(&state.join("keys"))?
        .map(|key| check_with(reader, &key))
        .transpose()
}

fn check_with(reader: &Reader, key: &PublicKey) -> Result<VerdictReport, Error> {
    let mut report = VerdictReport::default();
    let mut filter = EventFilter {
        types: vec!["verdict_recorded".to_owned()],
        ..EventFilter::default()
    };
    loop {
        let page = reader.events(&filter)?;
        let Some(last) = page.last() else {
            return Ok(report);
        };
        filter.after = last.at;
        for record in &page {
            let Event::VerdictRecorded { verdict } = &record.event else {
                continue;
            };
            report.verdicts += 1;
            if let Err(error) = verify(verdict, key) {
                report.problem(record.at, &error.to_string());
            }
            let Some(bound) = &verdict.bound else { continue };
            report.bound += 1;
            if bound.task != record.node {
                report.problem(
                    record.at,
                    "the verdict is about another task than the one that has it",
                );
            }
        }
    }
}
