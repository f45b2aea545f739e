//! `worknode doctor`: what this machine offers, and what follows.

use std::{collections::BTreeSet, fs, io, path::Path};

use serde::Serialize;
use worknode_core::error::{Code, Error};
use worknode_git::Git;
use worknode_process::{guarantees, sandbox::support};

use crate::output::{self, Form};

/// One thing that was looked at.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Finding {
    /// What was looked at.
    what: &'static str,
    /// It is as it should be.
    ok: bool,
    /// What was seen, in words.
    seen: String,
    /// Whether nothing works without it.
    required: bool,
}

pub(crate) async fn doctor(form: Form) -> Result<(), Error> {
    let mut findings = vec![git().await, proc_identity(), shell(), linked()];
    findings.extend(stopping());
    findings.extend(sandbox());
    let broken = findings
        .iter()
        .filter(|finding| finding.required && !finding.ok)
        .count();
    match form {
        Form::Json => output::json(&findings)?,
        Form::Text => {
            for finding in &findings {
                let mark = if finding.ok { "ok" } else { "--" };
                output::line(format!("{mark}  {:<18} {}", finding.what, finding.seen));
            }
        }
    }
    if broken == 0 {
        Ok(())
    } else {
        Err(Error::new(Code::Failed, format!("{broken} things are missing")))
    }
}

async fn git() -> Finding {
    let found = Git::find().await;
    Finding {
        what: "git",
        ok: found.is_ok(),
        seen: found.map_or_else(|error| error.to_string(), |git| format!("git {}", git.version())),
        required: true,
    }
}

/// Processes are known by pid, start time and boot id: all three come from /proc.
fn proc_identity() -> Finding {
    use worknode_process::Identify;
    let own = worknode_core::run::ProcessIdentity::of(std::process::id());
    Finding {
        what: "process identity",
        ok: own.is_ok(),
        seen: own.map_or_else(
            |error| format!("/proc does not say which process is which: {error}"),
            |own| format!("pid, start time and boot id ({}) from /proc", own.boot_id),
        ),
        required: true,
    }
}

/// How processes are found and stopped here, and what that does not reach.
fn stopping() -> Vec<Finding> {
    let here = guarantees();
    let sentences = here.sentences().into_iter();
    sentences
        .map(|seen| Finding {
            what: "stopping",
            ok: here.kill_at_once,
            seen,
            required: false,
        })
        .collect()
}

/// What the kernel enforces of a sandbox, what it lacks, and what none covers.
fn sandbox() -> Vec<Finding> {
    let here = support();
    let finding = |what, ok| {
        move |seen: String| Finding {
            what,
            ok,
            seen,
            required: false,
        }
    };
    let holds = here.holds.into_iter().map(finding("sandbox", true));
    let lacks = here.lacks.into_iter().map(finding("sandbox", false));
    let uncovered = here.uncovered.into_iter().map(finding("not in a sandbox", true));
    holds.chain(lacks).chain(uncovered).collect()
}

fn shell() -> Finding {
    let found = Path::new("/bin/sh").exists();
    Finding {
        what: "shell",
        ok: found,
        seen: if found {
            "/bin/sh (the demo's agents are scripts)"
        } else {
            "no /bin/sh: the demo will not run"
        }
        .to_owned(),
        required: false,
    }
}

/// Every run has this program over it: what it is linked to is what each of them has in memory.
fn linked() -> Finding {
    let found = shared_libraries();
    Finding {
        what: "memory of a shim",
        ok: found.as_ref().is_ok_and(BTreeSet::is_empty),
        seen: match found {
            Ok(none) if none.is_empty() => {
                "linked without shared libraries: under 4 MB resident, as measured \
                                            with a release build on x86-64"
                    .to_owned()
            }
            Ok(some) => format!(
                "linked to {}: about 5 MB resident; with the C library's static form (libc6-dev or \
                 glibc-static) where the program is built it is under 4 MB",
                some.into_iter().collect::<Vec<_>>().join(", ")
            ),
            Err(error) => format!("/proc does not say what the program is linked to: {error}"),
        },
        required: false,
    }
}

/// The names of the shared libraries in this process.
fn shared_libraries() -> io::Result<BTreeSet<String>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let files = maps
        .lines()
        .filter_map(|line| Path::new(line).file_name()?.to_str());
    Ok(files
        .filter(|name| name.contains(".so"))
        .map(str::to_owned)
        .collect())
}
