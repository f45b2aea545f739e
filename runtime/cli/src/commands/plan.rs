//! `worknode plan`: check it, look at it, change it while the team works, and see how far the work is
//! from it.

use serde_json::{Map, Value, json};
use worknode_core::{
    error::{Code, Error},
    node::{Detail, Kind},
};
use worknode_daemon::{
    config::{Loaded, PlanAdvice},
    view::{
        TaskView,
        plan::{DeviationView, PhaseView, PlanView, PlannedView, plan as stored_plan},
    },
};
use worknode_git::{Git, Repository};
use worknode_policies::plan::TaskLimits;

use super::{ask_or_read, dry, run::load, task::prompt};
use crate::{
    answers::own::{PlanChecked, Untouched},
    args::{
        Overrides,
        plan::{Change, Plan, Wanted},
    },
    client::escaped,
    output::{self, Form, bold, cell, dim, paint, state, table},
    place::Place,
};

pub(crate) async fn plan(place: &Place, plan: Plan, form: Form) -> Result<(), Error> {
    match plan {
        Plan::Check => check(place, form).await,
        Plan::Show => show(place, form).await,
        Plan::Deviation { of } => deviation(place, of.as_deref(), form).await,
        Plan::Add {
            title,
            key,
            phase,
            wanted,
        } => {
            let mut task = asked(*wanted.wanted)?;
            task.insert("title".to_owned(), title.into());
            if let Some(key) = key {
                task.insert("key".to_owned(), key.into());
            }
            let body = json!({ "task": task, "phase": phase, "reason": wanted.reason });
            let made: TaskView = place.client()?.post("/plan/tasks", &body).await?;
            said(&made, "is in the plan now", form)
        }
        Plan::Change(change) => {
            let Change {
                task,
                title,
                clear,
                wanted,
            } = change;
            let mut body = asked(*wanted.wanted)?;
            if let Some(title) = title {
                body.insert("title".to_owned(), title.into());
            }
            body.insert("clear".to_owned(), clear.into());
            body.insert("reason".to_owned(), wanted.reason.into());
            let path = format!("/plan/tasks/{}", escaped(&task));
            let changed: TaskView = place.client()?.put(&path, &body, None).await?;
            said(&changed, "has another plan now", form)
        }
        Plan::Cancel {
            task, dry_run: true, ..
        } => dry::task(place, "take out of the plan", &task, form).await,
        Plan::Cancel { task, reason, .. } => {
            let path = format!("/plan/tasks/{}/cancel", escaped(&task));
            let body = json!({ "reason": reason });
            let gone: TaskView = place.client()?.post(&path, &body).await?;
            said(&gone, "is not in the plan any more", form)
        }
    }
}

fn said(task: &TaskView, what: &str, form: Form) -> Result<(), Error> {
    match form {
        Form::Json => output::json(task),
        Form::Text => {
            output::line(format!("{} {what}; it is {}", task.key, task.status));
            Ok(())
        }
    }
}

/// What was asked for, without what was not named.
fn asked(wanted: Wanted) -> Result<Map<String, Value>, Error> {
    let approval = wanted.approval.map(|approval| json!(approval));
    let text = match wanted.prompt {
        Some(text) => Some(prompt(Some(text))?),
        None => None,
    };
    let list = |list: Vec<String>| (!list.is_empty()).then(|| json!(list));
    let may_create = if wanted.may_create_nothing {
        Some(json!([]))
    } else {
        list(wanted.may_create)
    };
    let limits = TaskLimits {
        tokens: wanted.tokens,
        usd: wanted.usd,
        memory: wanted.memory,
        processes: wanted.processes,
    };
    let limits = (limits != TaskLimits::default()).then(|| json!(limits));
    let fields = [
        ("prompt", text.map(Value::from)),
        ("files", list(wanted.files)),
        ("may_create", may_create),
        ("may_delete", list(wanted.may_delete)),
        ("deliverables", list(wanted.deliverables)),
        ("depends_on", list(wanted.depends_on)),
        ("gates", list(wanted.gates)),
        ("agent", wanted.agent.map(Value::from)),
        ("role", wanted.role.map(Value::from)),
        ("estimate", wanted.estimate.map(|span| json!(span))),
        ("deadline", wanted.deadline.map(|at| json!(at))),
        ("max_duration", wanted.max_duration.map(|span| json!(span))),
        ("limits", limits),
        ("approval", approval),
        ("max_attempts", wanted.attempts.map(Value::from)),
        ("priority", wanted.priority.map(Value::from)),
    ];
    let named = fields.into_iter();
    Ok(named
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect())
}

/// Every mistake is told by the loading; what is left is advice.
async fn check(place: &Place, form: Form) -> Result<(), Error> {
    let loaded = load(place, &Overrides::default())?;
    let files = files(&loaded).await?;
    let advice = loaded.plan_advice(&files, super::now());
    let tasks = planned(&loaded)
        .iter()
        .map(|phase| phase.tasks.len())
        .sum::<usize>();
    match form {
        Form::Json => output::json(&PlanChecked {
            ok: true,
            tasks,
            warnings: &advice.warnings,
            untouched: Untouched {
                count: advice.untouched,
                first: &advice.first_untouched,
            },
            incomplete: advice.incomplete,
        }),
        Form::Text => {
            print_advice(&advice, tasks, files.len());
            Ok(())
        }
    }
}

fn print_advice(advice: &PlanAdvice, tasks: usize, files: usize) {
    for warning in &advice.warnings {
        output::line(format!("warning: {warning}"));
    }
    if advice.untouched > 0 {
        let first = advice.first_untouched.join(", ");
        let count = advice.untouched;
        output::line(format!("no task may touch {count} of {files} files: {first}, …"));
    }
    if advice.incomplete {
        output::line("not all files were compared with all tasks: there are too many");
    }
    output::line(format!(
        "{tasks} tasks, {} warnings; no mistakes found",
        advice.warnings.len()
    ));
}

async fn files(loaded: &Loaded) -> Result<Vec<String>, Error> {
    let failed = |why: String| Error::new(Code::Failed, format!("the files cannot be listed: {why}"));
    let git = Git::find().await.map_err(|error| failed(error.to_string()))?;
    let team = &loaded.definition;
    let repository = Repository::open(&git, &team.repository)
        .await
        .map_err(|error| failed(error.to_string()))?;
    repository
        .files(&team.base)
        .await
        .map_err(|error| failed(error.to_string()))
}

async fn show(place: &Place, form: Form) -> Result<(), Error> {
    let stored = ask_or_read(place, async { place.client()?.get("/plan").await }, stored_plan).await;
    let plan: PlanView = match stored {
        // No team has run here yet: as it is written.
        Err(error) if error.code == Code::NotFound => PlanView {
            phases: planned(&load(place, &Overrides::default())?),
        },
        other => other?,
    };
    if form == Form::Json {
        return output::json(&plan);
    }
    for phase in &plan.phases {
        output::line(paint(&phase.name, bold()));
        let mut rows = table(&[
            "TASK", "STATUS", "FILES", "AFTER", "WHO", "ESTIMATE", "DEADLINE", "NOTE",
        ]);
        for task in &phase.tasks {
            rows.add_row([
                cell(&task.key),
                state(&task.status),
                cell(task.files.join(" ")),
                cell(task.depends_on.join(", ")),
                cell(
                    task.agent
                        .as_ref()
                        .or(task.role.as_ref())
                        .map_or("-", String::as_str),
                ),
                cell(
                    task.estimate
                        .map_or_else(|| "-".to_owned(), |span| span.to_string()),
                ),
                cell(task.deadline.map_or_else(|| "-".to_owned(), |at| at.to_string())),
                cell(if task.amended { "changed by hand" } else { "" }),
            ]);
        }
        output::rows(&rows, "no tasks");
    }
    Ok(())
}

/// The plan as the files say it.
fn planned(loaded: &Loaded) -> Vec<PhaseView> {
    let mut phases: Vec<PhaseView> = Vec::new();
    let key = |id| {
        let found = loaded.definition.plan.iter().find(|(other, _)| *other == id);
        found.map_or_else(String::new, |(_, spec)| spec.name.clone())
    };
    for (id, spec) in &loaded.definition.plan {
        match (&spec.detail, phases.last_mut()) {
            (Detail::Task(task), Some(phase)) => {
                let waits = task.depends_on.iter().map(|id| key(*id)).collect();
                phase.tasks.push(PlannedView::of(*id, task, "planned", waits));
            }
            _ if spec.kind == Kind::Phase => phases.push(PhaseView {
                id: *id,
                name: spec.name.clone(),
                tasks: Vec::new(),
            }),
            _ => {}
        }
    }
    phases
}

async fn deviation(place: &Place, of: Option<&str>, form: Form) -> Result<(), Error> {
    let path = match of {
        Some(of) => format!("/plan/deviation?of={}", escaped(of)),
        None => "/plan/deviation".to_owned(),
    };
    let found: DeviationView = place.client()?.get(&path).await?;
    if form == Form::Json {
        return output::json(&found);
    }
    output::line(format!(
        "{} {}: {:.1} % from the plan over {} tasks ({:.1} % may be)",
        found.kind, found.of, found.percent, found.tasks, found.threshold_percent
    ));
    for (name, part) in &found.parts {
        output::line(format!("  {} {part:.1} %", paint(&format!("{name:<10}"), dim())));
    }
    if found.stops_spawns {
        output::line("nobody starts until it is below again");
    }
    Ok(())
}
