//! What git's hook asks before a commit: the quick gates on the staged change. An early word and no
//! more: whoever goes round it hears the same when the work is handed in.

use std::{env, path::PathBuf, sync::Arc};

use worknode_core::{
    error::{Code, Error},
    task::TaskSpec,
};
use worknode_gates::{finding::Finding, judge::Outcome};
use worknode_git::Against;

use super::{Looked, Where, judged::Task, look, task};
use crate::place::Place;

/// The gates that only read the staged files, and so answer at once.
const QUICK: [&str; 5] = ["plan", "complexity", "docs", "secrets", "size"];
/// Findings that are told. The rest is counted.
const TOLD: usize = 20;

/// Says what quick gates say of the staged change.
///
/// # Errors
/// What they object to. For a task only its own gates do; the others' findings are not worth a word
/// here.
pub(crate) async fn before_commit(place: &Place) -> Result<(), Error> {
    let task = match env::var("WORKNODE_TASK") {
        Ok(key) => task::planned(place, &key).await.map(|task| task::spec_of(&task)),
        Err(_) => None,
    };
    // While it commits, git may have an index of its own for what goes in.
    let index = env::var_os("GIT_INDEX_FILE").map(PathBuf::from);
    let place_of_it = Where {
        folder: Place::here(None)?.dir,
        against: index.map_or(Against::Staged, Against::Index),
    };
    let Looked { mut judged, base, .. } = look(super::told(place)?, place_of_it).await?;
    if judged.change.files.is_empty() {
        return Ok(());
    }
    let wanted = gates(task.as_ref());
    judged.task = task.map(|spec| {
        Arc::new(Task {
            spec,
            base,
            done: false,
        })
    });
    objections(&judged.by_files(&wanted).await?)
}

fn gates(task: Option<&TaskSpec>) -> Vec<String> {
    let is_asked =
        |gate: &str| task.is_none_or(|task| gate == "plan" || task.gates.iter().any(|own| own == gate));
    let asked = QUICK.into_iter().filter(|gate| is_asked(gate));
    asked.map(str::to_owned).collect()
}

fn objections(outcomes: &[Outcome]) -> Result<(), Error> {
    let found = outcomes.iter().flat_map(|outcome| &outcome.findings);
    let failing: Vec<&Finding> = found.filter(|finding| finding.fails()).collect();
    if failing.is_empty() {
        return Ok(());
    }
    let mut told: String = failing.iter().take(TOLD).map(|finding| line(finding)).collect();
    if failing.len() > TOLD {
        told.push_str(&format!("\n  and {} more", failing.len() - TOLD));
    }
    let message = format!("the gates would refuse what is staged:{told}");
    Err(Error::new(Code::GateFailed, message).hint(
        "mend it; or `git commit --no-verify` commits it all the same, and the gates say it again when it is \
         handed in",
    ))
}

fn line(finding: &Finding) -> String {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    let hint = finding.hint.as_ref().map(|hint| format!("; {hint}"));
    format!(
        "\n  {place}{} ({}){}",
        finding.message,
        finding.rule,
        hint.unwrap_or_default()
    )
}
