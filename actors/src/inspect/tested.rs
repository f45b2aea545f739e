//! The tests of a tree, run once for all gates that ask what came of it.

use std::sync::{Arc, OnceLock};

use tokio::sync::Mutex;
use worknode_core::{error::Error, time::Span};
use worknode_gates::{
    change::ChangeSet,
    finding::{Finding, Severity},
    gate::{
        self,
        command::End,
        tests::{Counted, Report},
    },
    settings::All,
};
use worknode_policies::{evidence::Material, gate::tests_gate};

use super::judge::{Answer, Asked, Runner};
use crate::definition::TestsDefinition;

/// How often tests may be run again, whatever the configuration says.
const MOST_RERUNS: u32 = 5;
/// Tests of one tree whose names are kept for what comes after it.
const NAMES: usize = 20_000;

/// What the gates of one tree share: the run of its tests, and what ran on what it is put on.
#[derive(Debug, Default)]
pub struct Tested {
    base: OnceLock<Counted>,
    ran: Mutex<Option<Arc<TestsRun>>>,
}

/// A run of the tests, with those before it that failed.
#[derive(Debug)]
pub struct TestsRun {
    answer: Answer,
    tries: u32,
    failed_first: Vec<String>,
}

impl TestsRun {
    /// How it ended, and what it left.
    #[must_use]
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What later trees can be compared with.
    #[must_use]
    pub fn counted(&self, tests: &TestsDefinition) -> Counted {
        let line = tests.command.join(" ");
        let not = |why: String| Counted::Not(format!("`{line}` {why}"));
        match &self.answer.ran.end {
            End::Code(0) => match own_report(self, tests) {
                Some(report) if report.failed == 0 => Counted::Ran(report.kept(NAMES)),
                Some(_) => not("says yes, and its report tells of failed tests".to_owned()),
                None => not("does not tell which tests ran".to_owned()),
            },
            End::Code(code) => not(format!("exited with code {code}")),
            End::Signal(signal) => not(format!("was ended by signal {signal}")),
            End::TimedOut(limit) => not(format!("was stopped after {}", Span(*limit))),
            End::NotStarted(why) => not(format!("could not be started: {why}")),
        }
    }

    /// Would it end so again? What the machine did to it says nothing of the tree.
    #[must_use]
    pub const fn is_of_the_tree(&self) -> bool {
        matches!(self.answer.ran.end, End::Code(_) | End::TimedOut(_))
    }
}

impl Tested {
    /// From now on, what is judged is compared with this. The first word counts.
    pub fn compare_with(&self, base: Counted) {
        // Said before, it is the same base.
        let _ = self.base.set(base);
    }

    /// The run of the tests: the first who asks has them run, the others are told what came of it. It
    /// leaves the reports of all of them.
    ///
    /// # Errors
    /// When there is no place to run them in.
    pub async fn ran(
        &self,
        told: &All,
        tests: &TestsDefinition,
        runner: &impl Runner,
    ) -> Result<Arc<TestsRun>, Error> {
        let mut ran = self.ran.lock().await;
        if let Some(ran) = &*ran {
            return Ok(Arc::clone(ran));
        }
        let mut reports = tests.reports.clone();
        let coverage = told.coverage.iter().filter(|coverage| coverage.command.is_none());
        reports.extend(coverage.flat_map(|coverage| coverage.reports.clone()));
        reports.sort();
        reports.dedup();
        let asked = Asked {
            command: tests.command.clone(),
            timeout: tests.timeout,
            reports,
        };
        let done = Arc::new(to_the_end(asked, tests, runner).await?);
        *ran = Some(Arc::clone(&done));
        Ok(done)
    }

    /// Would a run that said yes fail beside this base?
    #[must_use]
    pub fn misses(ran: &TestsRun, tests: &TestsDefinition, change: &ChangeSet, base: &Counted) -> bool {
        let now = own_report(ran, tests).filter(|_| ran.answer.ran.end == End::Code(0));
        now.is_some_and(|now| gate::tests::misses(change, &now, base))
    }

    /// What the gate of tests decides on: the last run, and what it is compared with.
    #[must_use]
    pub fn material(&self, ran: &TestsRun) -> Material {
        let material = ran
            .answer
            .material()
            .with("tries", ran.tries.to_string().as_bytes())
            .with("failed first", ran.failed_first.join("\n").as_bytes());
        match self.base.get() {
            // As it is kept. It is plain data, and cannot fail to become JSON.
            Some(base) => material.with("base", &serde_json::to_vec(base).unwrap_or_default()),
            None => material,
        }
    }

    /// What the gate of tests says of a run.
    #[must_use]
    pub fn judge(&self, ran: &TestsRun, tests: &TestsDefinition, change: &ChangeSet) -> Vec<Finding> {
        let Answer { ran: ended, .. } = &ran.answer;
        let ended = tests_gate::judge(&tests.command.join(" "), &ended.end, &ended.output());
        if !ended.is_empty() {
            let mut findings: Vec<Finding> = ended.into_iter().map(Into::into).collect();
            findings.extend(gate::tests::of_source(change));
            return findings;
        }
        let mut findings = gate::tests::judge(change, own_report(ran, tests).as_ref(), self.base.get());
        let unread = findings
            .iter_mut()
            .filter(|finding| finding.rule == "tests.unread");
        if tests.counted {
            unread.for_each(|finding| finding.severity = Severity::Error);
        }
        if ran.tries > 1 {
            let failed: Vec<&str> = ran.failed_first.iter().map(String::as_str).collect();
            findings.push(gate::tests::flaky(ran.tries, &failed));
        }
        findings
    }
}

async fn to_the_end(asked: Asked, tests: &TestsDefinition, runner: &impl Runner) -> Result<TestsRun, Error> {
    let mut answer = runner.run(asked.clone()).await?;
    let mut tries = 1;
    let mut failed_first: Vec<String> = Vec::new();
    while matches!(answer.ran.end, End::Code(code) if code != 0) && tries <= tests.reruns.min(MOST_RERUNS) {
        if let Some(report) = report(&answer) {
            failed_first.extend(report.named(gate::tests::Case::Failed).map(str::to_owned));
        }
        answer = runner.run(asked.clone()).await?;
        tries += 1;
    }
    Ok(TestsRun {
        answer,
        tries,
        failed_first,
    })
}

/// What ran, by the reports that are named for the tests: those of coverage count no tests.
fn own_report(ran: &TestsRun, tests: &TestsDefinition) -> Option<Report> {
    let mut answer = ran.answer.clone();
    answer.reports.retain(|name, _| tests.reports.contains(name));
    report(&answer)
}

/// What ran: by the reports that were named, else by what was written.
fn report(answer: &Answer) -> Option<Report> {
    let written = answer.reports.values().flatten();
    let reports = written.filter_map(|bytes| gate::tests::read(bytes));
    reports.reduce(Report::and).or_else(|| {
        let streams = [&answer.ran.stdout, &answer.ran.stderr];
        let reports = streams.into_iter().filter_map(|bytes| gate::tests::read(bytes));
        reports.reduce(Report::and)
    })
}

#[cfg(test)]
mod tests {
    use worknode_core::{git::TreeId, verdict::Finding as Recorded};
    use worknode_policies::evidence::evidence_digest;

    use super::*;
    use crate::inspect::Ran;

    fn ran(stdout: &str, tries: u32) -> TestsRun {
        TestsRun {
            answer: Answer {
                ran: Ran {
                    end: End::Code(0),
                    stdout: stdout.into(),
                    stderr: Vec::new(),
                },
                reports: [
                    ("r.xml".to_owned(), Some(b"<x/>".to_vec())),
                    ("s.xml".to_owned(), None),
                ]
                .into(),
                root: String::new(),
            },
            tries,
            failed_first: Vec::new(),
        }
    }

    fn beside(base: Option<Counted>) -> Tested {
        let tested = Tested::default();
        if let Some(base) = base {
            tested.compare_with(base);
        }
        tested
    }

    #[test]
    fn p3_what_tests_are_compared_with_is_in_the_evidence() {
        let report = |text: &str| Counted::Ran(gate::tests::read(text.as_bytes()).unwrap());
        let (one, two) = (report("1..1\nok 1 - a\n"), report("1..2\nok 1 - a\nok 2 - b\n"));
        let tree: TreeId = "1".repeat(40).parse().unwrap();
        let of = |base: Option<Counted>, ran: &TestsRun| {
            let findings: [Recorded; 0] = [];
            evidence_digest(&findings, &tree, &beside(base).material(ran))
        };
        let digests = [
            of(None, &ran("1..2", 1)),
            of(Some(one.clone()), &ran("1..2", 1)),
            of(Some(two), &ran("1..2", 1)),
            of(Some(Counted::Not("why".into())), &ran("1..2", 1)),
            of(Some(one.clone()), &ran("1..3", 1)),
            of(Some(one.clone()), &ran("1..2", 2)),
        ];
        let different: std::collections::BTreeSet<&String> = digests.iter().collect();
        assert_eq!(different.len(), digests.len(), "{digests:?}");
        assert_eq!(digests[1], of(Some(one), &ran("1..2", 1)));
    }
}
