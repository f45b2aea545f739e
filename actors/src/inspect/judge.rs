//! Gates that run programs: what is run, and what its answers mean together.

use std::{collections::BTreeMap, future::Future, time::Duration};

use worknode_core::{
    error::{Code, Error},
    time::Span,
};
use worknode_gates::{
    change::ChangeSet,
    finding::{Finding, Severity},
    gate::{self, command::End},
    settings::{All, Answer as Form, CommandGate, Coverage},
};
use worknode_policies::pattern::Patterns;

use super::{Ran, tested::Tested};
use crate::definition::TestsDefinition;

/// How long a gate's program may take, where nobody says.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Changed files that a program is told of in its arguments; a system bounds their length.
const MOST_FILES: usize = 2_000;

/// A program that is to be run, and the files that it is to leave.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Program and arguments.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Reports that are wanted, relative to where it runs.
    pub reports: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it ended, and what it wrote.
    pub ran: Ran,
    /// The reports, by name; `None` for one that it did not write.
    pub reports: BTreeMap<String, Option<Vec<u8>>>,
    /// Where it ran.
    pub root: String,
}

/// Who runs programs: in a box on a clean checkout, or in a person's work tree.
pub trait Runner: Sync {
    /// Runs one to its end.
    ///
    /// # Errors
    /// When the place to run it in cannot be made.
    fn run(&self, asked: Asked) -> impl Future<Output = Result<Answer, Error>> + Send;
}

/// What the gate `name` finds, with its severity, when it is one that runs a program; else `None`.
/// `tested` is what the gates of one tree share.
///
/// # Errors
/// When nothing could be judged: a place could not be made, or the configuration lacks something.
pub async fn of_program(
    name: &str,
    told: &All,
    tests: Option<&TestsDefinition>,
    change: &ChangeSet,
    runner: &impl Runner,
    tested: &Tested,
) -> Result<Option<(Vec<Finding>, Severity)>, Error> {
    if let Some(command) = told.command.get(name) {
        let findings = of_command(name, command, change, runner).await?;
        return Ok(Some((findings, command.severity)));
    }
    match name {
        "tests" => {
            let tests = tests.ok_or_else(|| lacks("tests", "set `command` under [gate.tests]"))?;
            let ran = tested.ran(told, tests, runner).await?;
            Ok(Some((tested.judge(&ran, tests, change), Severity::Error)))
        }
        "coverage" => {
            let coverage = told
                .coverage
                .as_ref()
                .ok_or_else(|| lacks("coverage", "set `reports` under [gate.coverage]"))?;
            Ok(Some((
                of_coverage(coverage, told, tests, change, runner, tested).await?,
                coverage.severity,
            )))
        }
        _ => Ok(None),
    }
}

/// Does the gate `name` run a program? The others only read files.
#[must_use]
pub fn runs_program(name: &str, told: &All) -> bool {
    told.command.contains_key(name) || matches!(name, "tests" | "coverage")
}

/// The command of a gate that runs one, as it is told: of those that take what the run of the tests leaves,
/// that of the tests.
pub(crate) fn command_of<'a>(
    name: &str,
    told: &'a All,
    tests: Option<&'a TestsDefinition>,
) -> Option<&'a [String]> {
    let of_tests = || tests.map(|tests| &tests.command);
    let command = match name {
        "tests" => of_tests(),
        "coverage" => {
            let own = told.coverage.as_ref().and_then(|told| told.command.as_ref());
            own.or_else(of_tests)
        }
        other => told.command.get(other).map(|told| &told.command),
    };
    command.map(Vec::as_slice)
}

fn lacks(gate: &str, hint: &str) -> Error {
    Error::new(Code::InvalidConfig, format!("the gate `{gate}` has no command")).hint(hint)
}

async fn of_command(
    name: &str,
    told: &CommandGate,
    change: &ChangeSet,
    runner: &impl Runner,
) -> Result<Vec<Finding>, Error> {
    if !told.files.is_empty() && !touches(&told.files, change) {
        return Ok(Vec::new());
    }
    let asked = Asked {
        command: with_files(&told.command, change),
        timeout: told.timeout.map_or(TIMEOUT, |Span(timeout)| timeout),
        reports: told.report.iter().cloned().collect(),
    };
    let answer = runner.run(asked).await?;
    let written = match &told.report {
        Some(report) => answer.reports.get(report).cloned().flatten().unwrap_or_default(),
        None if told.answer == Form::Exit => Vec::new(),
        None => answer.ran.stdout.clone(),
    };
    Ok(gate::command::judge(
        name,
        told,
        &answer.ran.end,
        &written,
        &answer.ran.output(),
    ))
}

/// A glob that cannot be read fits everything: a gate is rather run once too often.
fn touches(globs: &[String], change: &ChangeSet) -> bool {
    Patterns::parse(globs).map_or(true, |globs| {
        change.everything || change.files.iter().any(|file| globs.matches(file.path()))
    })
}

/// `{files}` as the changed files that are there. A name that looks like an option is written so
/// that it is none.
fn with_files(command: &[String], change: &ChangeSet) -> Vec<String> {
    let files = || {
        let there = change
            .files
            .iter()
            .filter(|file| file.is_there())
            .take(MOST_FILES);
        there.map(|file| match file.path() {
            path if path.starts_with('-') => format!("./{path}"),
            path => path.to_owned(),
        })
    };
    let part = |part: &String| -> Vec<String> {
        if part == "{files}" {
            files().collect()
        } else {
            vec![part.clone()]
        }
    };
    command.iter().flat_map(part).collect()
}

/// With a command of its own the gate runs that; else it reads what the run of the tests leaves.
async fn of_coverage(
    told: &Coverage,
    all: &All,
    tests: Option<&TestsDefinition>,
    change: &ChangeSet,
    runner: &impl Runner,
    tested: &Tested,
) -> Result<Vec<Finding>, Error> {
    let (line, answer) = match (&told.command, tests) {
        (Some(command), _) => {
            let asked = Asked {
                command: command.clone(),
                timeout: told.timeout.map_or(TIMEOUT, |Span(timeout)| timeout),
                reports: told.reports.clone(),
            };
            (command.join(" "), runner.run(asked).await?)
        }
        (None, Some(tests)) => {
            let ran = tested.ran(all, tests, runner).await?;
            let mut answer = ran.answer().clone();
            answer.reports.retain(|name, _| told.reports.contains(name));
            (tests.command.join(" "), answer)
        }
        (None, None) => {
            return Err(lacks(
                "coverage",
                "add `command` to [gate.coverage], or [gate.tests]",
            ));
        }
    };
    let mut findings = gate::coverage::judge(change, told, &answer.reports, &answer.root);
    if answer.ran.end != End::Code(0) {
        findings.push(gate::command::ended_badly(
            "coverage",
            &line,
            &answer.ran.end,
            &answer.ran.output(),
        ));
    }
    Ok(findings)
}
