//! `worknode task`: look at tasks, add them, and report on them.

use std::io::Read;

use serde_json::{Value, json};
use worknode_core::{
    error::{Code, Error},
    git::CommitId,
    node::Kind,
    verdict::Outcome,
};
use worknode_daemon::view::{self, TaskView};

use super::{ask_or_read, claims, dry};
use crate::{
    args::{Add, Task},
    client::escaped,
    output::{self, Form, bold, cell, dim, paint, state, table},
    place::Place,
};

pub(crate) async fn task(place: &Place, task: Task, form: Form) -> Result<(), Error> {
    let (path, body) = match task {
        Task::List => return list(place, form).await,
        Task::Show { task } => return show(place, &task, form).await,
        Task::Add(args) => ("/tasks".to_owned(), new_task(args)?),
        Task::Progress {
            task,
            epoch,
            percent,
            message,
        } => {
            let said = json!({ "epoch": epoch, "percent": percent, "message": message });
            return claims::progress(place, &task, said, form).await;
        }
        Task::Claim { .. } | Task::Next(_) | Task::Renew { .. } | Task::HandOver { .. } => {
            return claims::hold(place, task, form).await;
        }
        Task::Fail { task, epoch, reason } => (
            path_of(&task, "fail"),
            json!({ "epoch": epoch, "reason": reason }),
        ),
        Task::Submit { task, epoch, commit } => {
            let commit = commit.map_or_else(head_here, Ok)?;
            (
                path_of(&task, "submit"),
                json!({ "epoch": epoch, "commit": commit }),
            )
        }
        Task::Block { task, epoch, reason } => (
            path_of(&task, "block"),
            json!({ "epoch": epoch, "reason": reason }),
        ),
        Task::Release { task, epoch, reason } => (
            path_of(&task, "release"),
            json!({ "epoch": epoch, "reason": reason }),
        ),
        Task::Cancel {
            task, dry_run: true, ..
        } => return dry::task(place, "cancel", &task, form).await,
        Task::Undo {
            task, dry_run: true, ..
        } => return dry::task(place, "take back", &task, form).await,
        Task::Cancel { task, reason, .. } => (path_of(&task, "cancel"), json!({ "reason": reason })),
        Task::Undo { task, reason, .. } => (path_of(&task, "undo"), json!({ "reason": reason })),
        Task::Retry { task } => (path_of(&task, "retry"), json!({})),
    };
    let answer: TaskView = place.client()?.post(&path, &body).await?;
    match form {
        Form::Json => output::json(&answer),
        Form::Text => {
            output::line(format!("{} is {}", answer.key, answer.status));
            Ok(())
        }
    }
}

pub(super) fn path_of(task: &str, verb: &str) -> String {
    format!("/tasks/{}/{verb}", escaped(task))
}

/// What this process has checked out: git runs here as the agent's own, in its own clone.
pub(super) fn head_here() -> Result<CommitId, Error> {
    let failed = |why: String| {
        Error::new(Code::Usage, format!("there is no commit to submit here: {why}"))
            .hint("commit your work first, or name the commit")
    };
    let asked = std::process::Command::new("git")
        .args(["rev-parse", "--verify", "HEAD"])
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !asked.status.success() {
        return Err(failed(String::from_utf8_lossy(&asked.stderr).trim().to_owned()));
    }
    String::from_utf8_lossy(&asked.stdout)
        .trim()
        .parse()
        .map_err(|error| failed(format!("{error}")))
}

fn new_task(args: Add) -> Result<Value, Error> {
    let prompt = prompt(args.prompt)?;
    Ok(json!({
        "title": args.title,
        "key": args.key,
        "prompt": prompt,
        "files": args.files,
        "may_delete": args.may_delete,
        "depends_on": args.depends_on,
        "agent": args.agent,
        "deadline": args.deadline,
        "gates": if args.gates.is_empty() { None } else { Some(args.gates) },
        "priority": args.priority,
    }))
}

/// What is to be told to an agent, as the option has it.
pub(super) fn prompt(option: Option<String>) -> Result<String, Error> {
    match option.as_deref() {
        Some("-") => prompt_from_input(),
        _ => Ok(option.unwrap_or_default()),
    }
}

/// All of standard input; what is too long is refused, never cut.
fn prompt_from_input() -> Result<String, Error> {
    const LIMIT: usize = worknode_core::bounds::PROMPT;
    let mut text = String::new();
    let read = std::io::stdin().take(LIMIT as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| Error::new(Code::Usage, format!("cannot read the prompt: {error}")))?;
    if text.len() > LIMIT {
        return Err(
            Error::new(Code::Usage, format!("the prompt has more than {LIMIT} bytes"))
                .hint("put what is long into a file of the repository, and name that file"),
        );
    }
    Ok(text)
}

async fn list(place: &Place, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let tasks: Vec<TaskView> = ask_or_read(place, client.get("/tasks"), view::tasks).await?;
    if form == Form::Json {
        return output::json(&tasks);
    }
    let mut table = table(&["TASK", "PHASE", "STATUS", "AGENT", "TRY", "WAITS FOR", "NOTE"]);
    for task in &tasks {
        let waits = if task.status == "pending" {
            task.depends_on.join(", ")
        } else {
            String::new()
        };
        table.add_row([
            cell(&task.key),
            cell(&task.phase),
            state(&task.status),
            cell(task.agent.as_deref().unwrap_or("-")),
            cell(format!("{}/{}", task.attempts, task.max_attempts)),
            cell(waits),
            cell(note(task)),
        ]);
    }
    output::rows(
        &table,
        "no tasks; `worknode task add` makes one, `[[phase.task]]` plans one",
    );
    Ok(())
}

fn note(task: &TaskView) -> String {
    let short = |commit: &String| commit.chars().take(10).collect::<String>();
    let said = task
        .progress
        .as_ref()
        .filter(|_| task.status == "in_progress")
        .map(|progress| {
            let percent = progress
                .percent
                .map_or_else(String::new, |percent| format!("{percent} % "));
            format!("{percent}{}", progress.message)
        });
    said.or_else(|| task.reason.clone())
        .or_else(|| task.commit.as_ref().map(short))
        .unwrap_or_default()
}

async fn show(place: &Place, name: &str, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let path = format!("/tasks/{}", escaped(name));
    let task: TaskView = ask_or_read(place, client.get(&path), |reader| {
        let node = view::find(reader, Kind::Task, name)?;
        view::task(reader, node.id)
    })
    .await?;
    match form {
        Form::Json => output::json(&task),
        Form::Text => {
            print(&task);
            Ok(())
        }
    }
}

fn print(task: &TaskView) {
    output::line(format!("{}  {}", paint(&task.key, bold()), task.title));
    let field = |name: &str, value: String| {
        if !value.is_empty() {
            output::line(format!("  {} {value}", paint(&format!("{name:<10}"), dim())));
        }
    };
    field("status", format!("{} since {}", task.status, task.since));
    field("why", task.reason.clone().unwrap_or_default());
    field("phase", task.phase.clone());
    field("agent", task.agent.clone().unwrap_or_default());
    field(
        "attempts",
        format!(
            "{} of {} (epoch {})",
            task.attempts, task.max_attempts, task.epoch
        ),
    );
    field("after", task.depends_on.join(", "));
    field(
        "deadline",
        task.deadline.map_or_else(String::new, |at| at.to_string()),
    );
    for raised in &task.raised {
        let tier = raised.tier.map(|tier| format!("tier {}", tier.name()));
        let permissions = raised.permissions.iter().map(|one| one.name().to_owned());
        let what: Vec<String> = tier.into_iter().chain(permissions).collect();
        field(
            "raised",
            format!("{} until {} by {}", what.join(", "), raised.until, raised.by),
        );
    }
    field("commit", task.commit.clone().unwrap_or_default());
    field("shown", task.shown.clone().unwrap_or_default());
    for verdict in &task.verdicts {
        let outcome = if verdict.outcome == Outcome::Passed {
            "passed"
        } else {
            "failed"
        };
        let tree: String = verdict.tree.chars().take(10).collect();
        field(
            "gate",
            format!(
                "{} {outcome} on tree {tree} in {} ms",
                verdict.gate, verdict.took_ms
            ),
        );
    }
    let told = task.verdicts.iter().flat_map(|verdict| &verdict.findings);
    for finding in task.findings.iter().chain(told) {
        let file = finding
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!(" {file}"));
        field("finding", format!("{}{file}: {}", finding.rule, finding.message));
    }
    field("id", task.id.to_string());
}
