//! `worknode doctor`: what this machine offers, and what follows.

use serde::Serialize;
use worknode_core::error::{Code, Error};
use worknode_git::Git;

use crate::output::{self, Form};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    seen: String,
    /// Whether nothing works without it.
    required: bool,
}

pub(crate) async fn doctor(form: Form) -> Result<(), Error> {
    let findings = vec![git().await, proc_identity(), process_groups(), shell()];
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

fn process_groups() -> Finding {
    Finding {
        what: "stopping",
        ok: true,
        seen:
            "TERM, grace, KILL to the process group; what left the group is found by the run's mark in its \
               environment"
                .to_owned(),
        required: false,
    }
}

fn shell() -> Finding {
    let found = std::path::Path::new("/bin/sh").exists();
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
