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
use worknode_policies::{evidence::Material, pattern::Patterns};

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

impl Answer {
    /// How it ended and all that it left, for the evidence.
    #[must_use]
    pub fn material(&self) -> Material {
        let ran = Material::default()
            .with("end", format!("{:?}", self.ran.end).as_bytes())
            .with("stdout", &self.ran.stdout)
            .with("stderr", &self.ran.stderr);
        let written = self
            .reports
            .iter()
            .filter_map(|(name, bytes)| Some((name, bytes.as_ref()?)));
        written.fold(ran, |material, (name, bytes)| {
            material.with(format!("report {name}"), bytes)
        })
    }
}

/// What a gate says that ran a program.
#[derive(Clone, Debug)]
pub struct Said {
    /// What it found.
    pub findings: Vec<Finding>,
    /// What its findings weigh.
    pub severity: Severity,
    /// What it looked at beside the tree.
    pub material: Material,
}

/// Who runs programs: in a box on a clean checkout, or in a person's work tree.
pub trait Runner: Sync {
    /// Runs one to its end.
    ///
    /// # Errors
    /// When the place to run it in cannot be made.
    fn run(&self, asked: Asked) -> impl Future<Output = Result<Answer, Error>> + Send;
}

/// What the gate `name` says, when it is one that runs a program; else `None`.
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
) -> Result<Option<Said>, Error> {
    if let Some(command) = told.command.get(name) {
        return of_command(name, command, change, runner).await.map(Some);
    }
    match name {
        "tests" => {
            let tests = tests.ok_or_else(|| lacks("tests", "set `command` under [gate.tests]"))?;
            let ran = tested.ran(told, tests, runner).await?;
            Ok(Some(Said {
                findings: tested.judge(&ran, tests, change),
                severity: Severity::Error,
                material: tested.material(&ran),
            }))
        }
        "coverage" => {
            let coverage = told
                .coverage
                .as_ref()
                .ok_or_else(|| lacks("coverage", "set `reports` under [gate.coverage]"))?;
            let said = of_coverage(coverage, told, tests, change, runner, tested).await?;
            Ok(Some(said))
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
) -> Result<Said, Error> {
    if !told.files.is_empty() && !touches(&told.files, change) {
        return Ok(Said {
            findings: Vec::new(),
            severity: told.severity,
            material: Material::default(),
        });
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
    Ok(Said {
        findings: gate::command::judge(name, told, &answer.ran.end, &written, &answer.ran.output()),
        severity: told.severity,
        material: answer.material(),
    })
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
) -> Result<Said, Error> {
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
    Ok(Said {
        findings,
        severity: told.severity,
        material: answer.material(),
    })
}
