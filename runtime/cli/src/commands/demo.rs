//! `worknode demo`: a scripted team builds a small web application.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use include_dir::{Dir, DirEntry, include_dir};
use worknode_core::error::{Code, Error};

use super::{now, run};
use crate::{
    args::{Demo, Overrides},
    output::{self, Form},
    place::Place,
};

static EXAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/webapp");

/// Stands in the plan for a deadline that is near whenever the demo is run.
const DEADLINE: &str = "@DEADLINE@";
const UNTIL_DEADLINE: Duration = Duration::from_secs(120);

pub(crate) async fn demo(named: Option<&Path>, args: &Demo, form: Form) -> Result<(), Error> {
    let dir = named.map_or_else(|| PathBuf::from("worknode-demo"), Path::to_path_buf);
    if dir.exists() {
        let message = format!("`{}` exists already", dir.display());
        return Err(Error::new(Code::AlreadyExists, message).hint(format!(
            "go on in it with `worknode run -C {}`, or name another with --dir",
            dir.display()
        )));
    }
    make(&dir)?;
    let place = Place::find(Some(&dir))?;
    if form == Form::Text {
        output::line(format!("The demo is in {}.", place.dir.display()));
        output::line(
            "Its agents are scripts (see agents/): no model is asked. One forgets its plan, one breaks a test,",
        );
        output::line("one crashes, one runs away, one idles: watch what becomes of them.\n");
    }
    if args.no_run {
        return Ok(());
    }
    run::run(&place, &Overrides::default(), form).await?;
    if form == Form::Text {
        epilogue(&place.dir);
    }
    Ok(())
}

fn epilogue(dir: &Path) {
    let shown = dir.display();
    output::line(format!(
        "\nWhat landed:      git -C {shown} log --oneline\n\
         What happened:    worknode events -C {shown}\n\
         Its tests:        sh {shown}/tests/run.sh\n\
         Try more:         worknode up -d -C {shown}, then status, task add, kill, down"
    ));
}

/// Writes the example, and makes it a repository with one commit.
fn make(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(|error| cannot(dir, &error))?;
    for name in ["worknode.toml", "plan.toml"] {
        copy_file(name, dir)?;
    }
    for (from, to) in [("seed", PathBuf::new()), ("agents", PathBuf::from("agents"))] {
        let Some(part) = EXAMPLE.get_dir(from) else {
            return Err(Error::new(Code::Failed, format!("the demo has no `{from}`")));
        };
        copy_dir(part, from, &dir.join(to))?;
    }
    git(dir, &["init", "--quiet", "--initial-branch=main"])?;
    git(dir, &["add", "--all"])?;
    let identity = [
        "-c",
        "user.name=Worknode demo",
        "-c",
        "user.email=demo@worknode.invalid",
    ];
    let commit = [
        "commit",
        "--quiet",
        "--no-gpg-sign",
        "--message=A small guestbook, to be built on",
    ];
    git(dir, &[identity.as_slice(), commit.as_slice()].concat())
}

fn copy_file(name: &str, dir: &Path) -> Result<(), Error> {
    let text = EXAMPLE
        .get_file(name)
        .and_then(|file| file.contents_utf8())
        .unwrap_or_default();
    let text = text.replace(DEADLINE, &now().plus(UNTIL_DEADLINE).to_string());
    let path = dir.join(name);
    std::fs::write(&path, text).map_err(|error| cannot(&path, &error))
}

fn copy_dir(part: &Dir<'_>, prefix: &str, to: &Path) -> Result<(), Error> {
    for entry in part.entries() {
        match entry {
            DirEntry::Dir(inner) => copy_dir(inner, prefix, to)?,
            DirEntry::File(file) => {
                let relative = file.path().strip_prefix(prefix).unwrap_or_else(|_| file.path());
                let path = to.join(relative);
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent).map_err(|error| cannot(parent, &error))?;
                }
                std::fs::write(&path, file.contents()).map_err(|error| cannot(&path, &error))?;
            }
        }
    }
    Ok(())
}

fn cannot(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Failed, format!("cannot make `{}`: {error}", path.display()))
}

/// git on the directory that was just made: no hook or template of the user's takes part.
fn git(dir: &Path, args: &[&str]) -> Result<(), Error> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .args(["-c", "core.hooksPath=/dev/null", "-c", "init.templateDir="])
        .args(args);
    let done = command.output().map_err(|error| {
        Error::new(Code::Failed, format!("git could not be started: {error}"))
            .hint("install git 2.38 or newer")
    })?;
    if done.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(Error::new(
        Code::Failed,
        format!("`git {}` failed: {why}", args.join(" ")),
    ))
}
