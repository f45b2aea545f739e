//! `worknode hook` answers the hooks of an agent's program, and `worknode hooks install` asks the gates
//! before each commit. Both are early warnings: what counts is judged when the work is handed in.

use std::{
    fs,
    io::Read,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use worknode_core::error::{Code, Error};
use worknode_daemon::view::plan::PlannedView;
use worknode_policies::hook::{About, Said, answer, decide};

use super::gate::{
    commit::before_commit,
    task::{planned, spec_of},
};
use crate::{
    answers::own::GitHookTold,
    args::plan::{GitHook, Hook},
    client::escaped,
    output::{self, Form},
    place::Place,
};

/// Bytes of an event that are read.
const EVENT: u64 = 4 * 1024 * 1024;
/// How long the daemon may take: the program waits for the answer.
const ANSWER: Duration = Duration::from_secs(5);
/// What an installed hook begins with, so that it is known again.
const MARK: &str = "# Asks Worknode before each commit. `worknode hooks remove` takes it away.";

pub(crate) async fn hook(place: &Place, hook: &Hook) -> Result<(), Error> {
    if hook.pre_commit {
        return before_commit(place).await;
    }
    let mut text = Vec::new();
    let read = std::io::stdin().take(EVENT).read_to_end(&mut text);
    // An event that is not understood is none of ours: the program goes on.
    let Some(event) = read
        .ok()
        .and_then(|_| serde_json::from_slice::<Value>(&text).ok())
    else {
        return Ok(());
    };
    let task = own_task(place).await;
    let spec = task.as_ref().map(spec_of);
    let brief_file = std::env::var("WORKNODE_BRIEF").unwrap_or_default();
    let brief = fs::read_to_string(&brief_file).ok();
    let root = root(&event);
    let about = About {
        task: spec.as_ref(),
        holds: task
            .as_ref()
            .is_some_and(|task| matches!(&*task.status, "claimed" | "in_progress")),
        root: &root,
        brief: brief.as_deref().map(|brief| (brief, brief_file.as_str())),
    };
    let said = decide(&event, &about, |path| root.join(path).symlink_metadata().is_ok());
    if let (Said::Edited(path), Some(task)) = (&said, &task) {
        note_edit(place, task, path).await;
    }
    match answer(&said) {
        Some(answer) => output::json(&answer),
        None => Ok(()),
    }
}

/// The clone: where the program says that its project is.
fn root(event: &Value) -> PathBuf {
    let named = std::env::var_os("CLAUDE_PROJECT_DIR").map(PathBuf::from);
    let said = || event["cwd"].as_str().map(PathBuf::from);
    named.or_else(said).unwrap_or_default()
}

/// The task of this run, as the plan has it now. Without a daemon nothing is known, and nothing said.
async fn own_task(place: &Place) -> Option<PlannedView> {
    let task = std::env::var("WORKNODE_TASK").ok()?;
    planned(place, &task).await
}

/// A word of progress; the last one wins, so a thousand edits are one.
async fn note_edit(place: &Place, task: &PlannedView, path: &str) {
    let epoch = std::env::var("WORKNODE_EPOCH").ok();
    let (Ok(client), Some(epoch)) = (place.client(), epoch.and_then(|text| text.parse::<u64>().ok())) else {
        return;
    };
    let body = json!({ "epoch": epoch, "message": format!("edited {path}") });
    let path = format!("/tasks/{}/progress", escaped(&task.key));
    let told = client.post::<Value>(&path, &body);
    // Progress that is not told is told by the next edit.
    let _ = tokio::time::timeout(ANSWER, told).await;
}

fn git(args: &[&str]) -> Result<String, Error> {
    let failed = |why: String| Error::new(Code::Failed, format!("git could not be asked: {why}"));
    let done = Command::new("git")
        .args(args)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !done.status.success() {
        return Err(failed(String::from_utf8_lossy(&done.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

pub(crate) fn hooks(hooks: &GitHook, form: Form) -> Result<(), Error> {
    let file = hook_file()?;
    let (done, said) = match hooks {
        GitHook::Install { force } => (install(&file, *force)?, "installed"),
        GitHook::Remove => (remove(&file)?, "removed"),
    };
    let is = |what: &str| (said == what).then_some(done);
    match form {
        Form::Json => output::json(&GitHookTold {
            installed: is("installed"),
            removed: is("removed"),
            file,
        }),
        Form::Text => {
            let what = if done { said } else { "nothing to do:" };
            output::line(format!("{what} {}", file.display()));
            Ok(())
        }
    }
}

fn hook_file() -> Result<PathBuf, Error> {
    let dir = git(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"])?;
    Ok(Path::new(dir.trim()).join("pre-commit"))
}

fn is_ours(file: &Path) -> Option<bool> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.contains(MARK))
}

fn install(file: &Path, force: bool) -> Result<bool, Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            Code::Failed,
            format!("cannot write `{}`: {error}", file.display()),
        )
    };
    if is_ours(file) == Some(false) && !force {
        let what = format!("there is another hook in `{}`", file.display());
        return Err(Error::new(Code::Refused, what)
            .hint("let it call `worknode hook --pre-commit`, or replace it with --force"));
    }
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    let script = format!("#!/bin/sh\n{MARK}\nexec worknode hook --pre-commit\n");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o755);
    let mut opened = options.open(file).map_err(failed)?;
    std::io::Write::write_all(&mut opened, script.as_bytes()).map_err(failed)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    Ok(true)
}

fn remove(file: &Path) -> Result<bool, Error> {
    if is_ours(file) != Some(true) {
        return Ok(false);
    }
    fs::remove_file(file).map_err(|error| {
        Error::new(
            Code::Failed,
            format!("cannot remove `{}`: {error}", file.display()),
        )
    })?;
    Ok(true)
}
