//! `worknode gate`: the gates that work is judged by, on any repository and without a daemon.

mod base;
pub(crate) mod commit;
mod here;
mod judged;
pub(crate) mod task;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use worknode_actors::{definition::TestsDefinition, inspect};
use worknode_core::{
    error::{Code, Error},
    git::CommitId,
    task::TaskSpec,
};
use worknode_daemon::config::{self, CONFIG_FILE, Config, Sources};
use worknode_gates::{
    gate::GATES,
    judge::{Outcome, Profiles, default_names, names},
    report,
    settings::{All, Scope},
};
use worknode_git::{Against, Git};
use worknode_policies::gate::PLAN;

use self::{
    here::Here,
    judged::{Judged, Task},
};
use crate::{
    answers::own::{GateTold, Gates},
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

/// Which files are looked at.
struct Where {
    folder: PathBuf,
    against: Against,
}

/// What is judged, and the top of the work tree.
struct Looked {
    judged: Judged,
    root: PathBuf,
    base: Option<CommitId>,
    config: Config,
}

/// Reads the change, as the configuration says.
async fn look(config: Config, at: Where) -> Result<Looked, Error> {
    let told = Arc::new(config.all_gates());
    let profiles =
        Profiles::of(&told.gates).map_err(|_| Error::new(Code::InvalidConfig, "the gates have mistakes"))?;
    let git = Git::find().await.map_err(failed)?;
    let survey = worknode_git::survey(&git, &at.folder, &at.against)
        .await
        .map_err(failed)?;
    let root = survey.root.clone().unwrap_or(at.folder);
    let base = survey.base.clone();
    let change = Arc::new(inspect::change_set(survey, at.against == Against::Nothing).await);
    Ok(Looked {
        judged: Judged {
            told,
            profiles: Arc::new(profiles),
            change,
            task: None,
            tested: Arc::default(),
            now: super::now(),
        },
        root,
        base,
        config,
    })
}

/// With everything in question, the change of a task is none.
fn against(args: &GateRun, scope: Scope) -> Against {
    match (&args.diff, args.staged, scope) {
        (_, _, Scope::All) | (None, false, Scope::Change) => Against::Nothing,
        (None, true, Scope::Change) => Against::Staged,
        (Some(base), _, Scope::Change) => Against::Base(base.clone()),
    }
}

async fn run(named: Option<&Path>, place: &Place, args: GateRun, form: Form) -> Result<(), Error> {
    let config = told(place)?;
    let at = Where {
        folder: Place::here(named)?.dir,
        against: against(&args, config.all_gates().gates.scope),
    };
    let Looked {
        mut judged,
        root,
        base,
        config,
    } = look(config, at).await?;
    let tests = tests(&config);
    let mut wanted = wanted(&args, &judged.told, tests.is_some())?;
    if let Some(key) = &args.task {
        let spec = task::named(place, &config, key).await?;
        if args.gates.is_empty() && !spec.gates.is_empty() {
            wanted = of_task(&spec);
        }
        // Nobody else has it yet.
        if let Some(change) = Arc::get_mut(&mut judged.change) {
            change.may_go = inspect::may_go(change, &spec);
        }
        judged.task = Some(Arc::new(Task {
            spec,
            base: base.clone(),
            done: !args.staged,
        }));
    }
    let mut outcomes = judged.by_files(&wanted).await?;
    if let (true, Some(tests), Some(base)) = (args.base_tests, &tests, &base) {
        judged.tested = Arc::new(base::tested(&judged.told, tests, &root, base).await?);
    }
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

/// The gates of a task; its plan is always one.
fn of_task(spec: &TaskSpec) -> Vec<String> {
    let mut gates = spec.gates.clone();
    if !gates.iter().any(|gate| gate == PLAN) {
        gates.insert(0, PLAN.to_owned());
    }
    gates
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

fn print(outcomes: &[Outcome], asked: Option<GateForm>, form: Form) -> Result<(), Error> {
    let form = asked.unwrap_or(match form {
        Form::Text => GateForm::Text,
        Form::Json => GateForm::Json,
    });
    match form {
        GateForm::Text => output::line(report::as_text(outcomes)),
        GateForm::Json => output::json(&report::report(outcomes))?,
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
    )
    .hint("each finding names what to mend, and where"))
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
                .map(|(name, looks_for, cannot_see)| GateTold {
                    gate: name,
                    looks_for,
                    cannot_see,
                    on: on.contains(name),
                })
                .collect();
            output::json(&Gates { gates })
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
            output::rows(&rows, "no gates");
            Ok(())
        }
    }
}
