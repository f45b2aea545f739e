//! `worknode gate`: the gates that work is judged by, on any repository and without a daemon.

mod here;

use std::{path::Path, sync::Arc, time::Instant};

use worknode_actors::{
    definition::TestsDefinition,
    inspect::{self, of_program},
};
use worknode_core::{
    error::{Code, Error},
    time::{Timestamp, millis},
};
use worknode_daemon::config::{self, CONFIG_FILE, Config, Sources};
use worknode_gates::{
    change::ChangeSet,
    gate::GATES,
    judge::{Outcome, Profiles, default_names, names, of_files, settle},
    report,
    settings::{All, Scope},
};
use worknode_git::{Against, Git};

use self::here::Here;
use crate::{
    args::gate::{Gate, GateForm, GateRun},
    output::{self, Form, cell, table},
    place::Place,
};

pub(crate) async fn gate(
    named: Option<&Path>,
    place: &Place,
    command: Gate,
    form: Form,
) -> Result<(), Error> {
    match command {
        Gate::Run(args) => run(named, place, args, form).await,
        Gate::List => list(place, form),
    }
}

/// What the worknode.toml of the directory says about gates; the defaults where there is none.
fn told(place: &Place) -> Result<Config, Error> {
    if place.dir.join(CONFIG_FILE).is_file() {
        Ok(config::load_for_gates(&Sources::of_dir(&place.dir))?)
    } else {
        Ok(Config::default())
    }
}

fn tests(config: &Config) -> Option<TestsDefinition> {
    config.gate.tests.as_ref().map(|tests| TestsDefinition {
        command: tests.command.clone(),
        timeout: tests.timeout.0,
        sandbox: tests.sandbox,
        writes: Vec::new(),
        reports: tests.reports.clone(),
        reruns: tests.reruns,
        counted: tests.counted,
    })
}

async fn run(named: Option<&Path>, place: &Place, args: GateRun, form: Form) -> Result<(), Error> {
    let config = told(place)?;
    let told = Arc::new(config.all_gates());
    let tests = tests(&config);
    let wanted = wanted(&args, &told, tests.is_some())?;
    let profiles =
        Profiles::of(&told.gates).map_err(|_| Error::new(Code::InvalidConfig, "the gates have mistakes"))?;
    let folder = Place::here(named)?.dir;
    let against = match (&args.diff, args.staged, told.gates.scope) {
        (_, _, Scope::All) | (None, false, Scope::Change) => Against::Nothing,
        (None, true, Scope::Change) => Against::Staged,
        (Some(base), _, Scope::Change) => Against::Base(base.clone()),
    };
    let git = Git::find().await.map_err(failed)?;
    let survey = worknode_git::survey(&git, &folder, &against)
        .await
        .map_err(failed)?;
    let root = survey.root.clone().unwrap_or(folder);
    let change = Arc::new(inspect::change_set(survey, against == Against::Nothing));
    let judged = Judged {
        told,
        profiles: Arc::new(profiles),
        change,
        now: super::now(),
    };
    let mut outcomes = judged.by_files(&wanted).await?;
    let here = Here::new(root)?;
    for name in &wanted {
        if let Some(outcome) = judged.by_program(name, tests.as_ref(), &here).await? {
            outcomes.push(outcome);
        }
    }
    outcomes.sort_by_key(|outcome| wanted.iter().position(|name| *name == outcome.gate));
    print(&outcomes, args.format, form)?;
    verdict(&outcomes)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Failed, error.to_string())
}

/// The gates that are asked for, each once.
fn wanted(args: &GateRun, told: &All, has_tests: bool) -> Result<Vec<String>, Error> {
    if args.gates.is_empty() {
        return Ok(default_names(told, has_tests));
    }
    let known = names(told);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut wanted: Vec<String> = Vec::new();
    for name in &args.gates {
        inspect::check_name(name, &known)?;
        if !wanted.contains(name) {
            wanted.push(name.clone());
        }
    }
    Ok(wanted)
}

/// What all gates of one run share.
struct Judged {
    told: Arc<All>,
    profiles: Arc<Profiles>,
    change: Arc<ChangeSet>,
    now: Timestamp,
}

impl Judged {
    /// The gates that only read files, each on a thread of its own.
    async fn by_files(&self, wanted: &[String]) -> Result<Vec<Outcome>, Error> {
        let mut running = tokio::task::JoinSet::new();
        for name in wanted {
            let name = name.clone();
            let (told, profiles, change, now) = (
                Arc::clone(&self.told),
                Arc::clone(&self.profiles),
                Arc::clone(&self.change),
                self.now,
            );
            running.spawn_blocking(move || {
                let begun = Instant::now();
                let mut outcome = of_files(&name, &change, &told, &profiles, now)?;
                outcome.took_ms = millis(begun.elapsed());
                Some(outcome)
            });
        }
        let mut outcomes = Vec::new();
        while let Some(judged) = running.join_next().await {
            outcomes.extend(judged.map_err(failed)?);
        }
        Ok(outcomes)
    }

    /// A gate that runs a program. They share the work tree, and so run one after the other.
    async fn by_program(
        &self,
        name: &str,
        tests: Option<&TestsDefinition>,
        here: &Here,
    ) -> Result<Option<Outcome>, Error> {
        let begun = Instant::now();
        let found = of_program(name, &self.told, tests, &self.change, here).await?;
        Ok(found.map(|(findings, severity)| {
            let mut outcome = settle(name, findings, severity, &self.profiles, self.now);
            outcome.took_ms = millis(begun.elapsed());
            outcome
        }))
    }
}

fn print(outcomes: &[Outcome], asked: Option<GateForm>, form: Form) -> Result<(), Error> {
    let form = asked.unwrap_or(match form {
        Form::Text => GateForm::Text,
        Form::Json => GateForm::Json,
    });
    match form {
        GateForm::Text => output::line(report::as_text(outcomes)),
        GateForm::Json => output::json(&report::as_json(outcomes))?,
        GateForm::Sarif => output::json(&report::as_sarif(outcomes, env!("CARGO_PKG_VERSION")))?,
        GateForm::Github => output::line(report::as_github(outcomes).trim_end()),
    }
    Ok(())
}

fn verdict(outcomes: &[Outcome]) -> Result<(), Error> {
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| !outcome.passed)
        .map(|outcome| outcome.gate.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::GateFailed,
        format!("these gates failed: {}", failed.join(", ")),
    ))
}

fn list(place: &Place, form: Form) -> Result<(), Error> {
    let config = told(place)?;
    let told = config.all_gates();
    let on = default_names(&told, config.gate.tests.is_some());
    let own = GATES.map(|about| {
        (
            about.name.to_owned(),
            about.looks_for.to_owned(),
            about.cannot_see,
        )
    });
    let commands = told.command.iter().map(|(name, command)| {
        let line = format!("what `{}` says", command.command.join(" "));
        (name.clone(), line, "what the program does not look for")
    });
    let rules = told.rule.iter().map(|(name, rule)| {
        let line = format!("whether `{}` holds", rule.require);
        (name.clone(), line, "anything but the facts of the change")
    });
    let all: Vec<_> = own.into_iter().chain(commands).chain(rules).collect();
    match form {
        Form::Json => {
            let gates: Vec<_> = all
                .iter()
                .map(|(name, looks_for, cannot_see)| {
                    serde_json::json!({
                        "gate": name, "looks_for": looks_for, "cannot_see": cannot_see, "on": on.contains(name),
                    })
                })
                .collect();
            output::json(&serde_json::json!({ "gates": gates }))
        }
        Form::Text => {
            let mut rows = table(&["GATE", "RUNS", "LOOKS FOR", "CANNOT SEE"]);
            for (name, looks_for, cannot_see) in &all {
                let runs = if on.contains(name) {
                    "by default"
                } else {
                    "when named"
                };
                rows.add_row([cell(name), cell(runs), cell(looks_for), cell(*cannot_see)]);
            }
            output::line(rows);
            Ok(())
        }
    }
}
