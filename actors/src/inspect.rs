//! What gates need of the world: contents of files, and what programs say. Used by the policy actor
//! and by the command line, so that both judge alike.

mod at_hand;
mod judge;
mod program;
mod tested;

use std::collections::BTreeSet;

use worknode_core::{
    error::{Code, Error},
    task::TaskSpec,
};
use worknode_gates::change::{ChangeSet, Content, File};
use worknode_git::{Contents, Survey, Surveyed};
use worknode_policies::pattern::Patterns;

pub(crate) use judge::command_of;
pub use judge::{Answer, Asked, Runner, Said, of_program, runs_program};
pub use program::{Program, Ran, random_run, random_secret, read_report, run};
pub use tested::{Tested, TestsRun};

/// A change as the gates see it, and what is known here beside it. `everything` says that it is all there
/// is, and not a change.
pub async fn change_set(survey: Survey, everything: bool) -> ChangeSet {
    at_hand::put_beside(seen(survey, everything)).await
}

fn seen(survey: Survey, everything: bool) -> ChangeSet {
    let path = |path: &worknode_git::RepoPath| path.as_str().map(str::to_owned);
    ChangeSet {
        tree: survey.tree.iter().filter_map(path).collect(),
        files: survey.files.into_iter().map(file).collect(),
        everything,
        ..ChangeSet::default()
    }
}

/// The files of a change that the plan of a task lets go.
#[must_use]
pub fn may_go(change: &ChangeSet, spec: &TaskSpec) -> BTreeSet<String> {
    // What cannot be read lets nothing go; the gate of the plan tells of it.
    let Ok(let_go) = Patterns::parse(&spec.may_delete) else {
        return BTreeSet::new();
    };
    let paths = change.files.iter().map(File::path);
    paths
        .filter(|path| let_go.matches(path))
        .map(str::to_owned)
        .collect()
}

fn file(seen: Surveyed) -> File {
    File::new(seen.change.into(), content(seen.before), content(seen.after))
}

fn content(contents: Contents) -> Content {
    match contents {
        Contents::Nothing => Content::Nothing,
        Contents::File(bytes) => Content::of_bytes(bytes),
        Contents::TooLarge(bytes) => Content::TooLarge { bytes },
        Contents::Link(target) => Content::Link(String::from_utf8_lossy(&target).into_owned()),
        Contents::Submodule => Content::Submodule,
    }
}

/// Checks the name of a gate.
///
/// # Errors
/// When there is none of this name, with advice.
pub fn check_name(name: &str, known: &[&str]) -> Result<(), Error> {
    worknode_policies::gate::check_name(name, known)
        .map_err(|unknown| Error::new(Code::Usage, unknown.to_string()).hint(unknown.hint))
}
