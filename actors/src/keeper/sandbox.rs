//! What the processes of one run may reach: its tier's permissions as rules for the kernel.
//!
//! | tier | writes |
//! |---|---|
//! | implementation | its private clone, its scratch directory, the caches that its profile names |
//! | executive, validation | its scratch directory |
//!
//! A run that is raised may connect to any port (`network`), or read the other workspaces
//! (`workspaces`), until that is over and it ends.
//!
//! Nobody reads or writes the journal, the keys, or what belongs to another run: the whole
//! `.worknode` directory is hidden, and only what the run needs of it is shown. What of the
//! repository may change is decided on the submitted tree, not here, unless the profile asks for
//! strict files.

use std::path::{Path, PathBuf};

use worknode_core::{
    agent::Tier,
    error::{Code, Error},
    node::Node,
    raise::Permission,
    run::RunSpec,
};
use worknode_policies::pattern::Patterns;
use worknode_process::sandbox::Sandbox;
use worknode_profiles::profile::SandboxMode;

use super::clone::Place;
use crate::{definition::AgentDefinition, outside::failed, system::System};

/// Files of a clone that are looked at for strict rules. A repository with more cannot have them.
const STRICT: usize = 100_000;

/// The directory in which a run may write whatever it likes; its `TMPDIR`.
pub(super) fn scratch(system: &System, spec: &RunSpec) -> PathBuf {
    system.context().paths.run(spec.id).join("scratch")
}

/// The sandbox of one run; `None` when its agent is to have none.
pub(super) async fn of_run(
    system: &System,
    agent: &AgentDefinition,
    spec: &RunSpec,
    place: &Place,
    task: Option<&Node>,
) -> Result<Option<Sandbox>, Error> {
    if agent.sandbox == SandboxMode::Off {
        return Ok(None);
    }
    let paths = &system.context().paths;
    // No rule goes through a link: whoever made it could have made it lead elsewhere.
    let real = |path: &Path| path.canonicalize().map_err(failed);
    let (state, files, clone) = (
        real(&paths.state)?,
        real(&paths.run(spec.id))?,
        real(&place.clone)?,
    );
    let mut sandbox = Sandbox {
        write: vec![files.join("scratch")],
        hide: vec![state.clone()],
        read: vec![
            state.join("bin"),
            state.join("repo.git"),
            files.join("brief.md"),
            files.join("token"),
            clone.clone(),
        ],
        connect: agent.ports.clone().filter(|_| !gives(spec, Permission::Network)),
        best_effort: agent.sandbox == SandboxMode::BestEffort,
        ..Sandbox::default()
    };
    sandbox.read.extend(existing(&agent.reads));
    // Its program keeps its own state somewhere, whatever the tier; on a machine that is new to it,
    // the place is not there yet, and it could not make it.
    for place in &agent.driver_writes {
        std::fs::create_dir_all(place).map_err(failed)?;
    }
    sandbox.write.extend(existing(&agent.driver_writes));
    if agent.spec.tier == Tier::Implementation {
        sandbox.write.extend(existing(&agent.writes));
        match task.and_then(Node::task).filter(|_| agent.strict_files) {
            None => sandbox.write.push(clone),
            Some(task) => {
                sandbox.write.push(clone.join(".git"));
                let files = task.spec.files.clone();
                // A walk through a large clone takes as long as the disk likes.
                let walk = tokio::task::spawn_blocking(move || strict(&clone, &files));
                sandbox.modify = walk.await.map_err(failed)??;
            }
        }
    }
    if agent.spec.tier != Tier::Implementation || gives(spec, Permission::Workspaces) {
        sandbox.read.push(state.join("workspaces"));
    }
    refuse_to_open(&sandbox, &state)?;
    Ok(Some(sandbox))
}

/// Is the run given this, beside what its agent may?
fn gives(spec: &RunSpec, permission: Permission) -> bool {
    spec.raised.iter().any(|raise| raise.gives(permission))
}

/// A rule can only be made for what is there.
pub(crate) fn existing(paths: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    paths.iter().filter_map(|path| path.canonicalize().ok())
}

/// What configuration adds must not open what is hidden.
fn refuse_to_open(sandbox: &Sandbox, state: &Path) -> Result<(), Error> {
    match sandbox.write.iter().find(|path| state.starts_with(path)) {
        None => Ok(()),
        Some(path) => Err(Error::new(
            Code::InvalidConfig,
            format!(
                "`writes` names `{}`, which holds the runtime's own files",
                path.display()
            ),
        )
        .hint("name directories that do not hold the team's directory")),
    }
}

/// The files of the clone that the task may change: the kernel refuses every other write, every
/// creation and every deletion. A file that the plan names without a pattern is made, empty, so
/// that the kernel has something to allow.
fn strict(clone: &Path, files: &[String]) -> Result<Vec<PathBuf>, Error> {
    let patterns = Patterns::parse(files).map_err(|mistakes| {
        let first = mistakes.first().map_or_else(String::new, ToString::to_string);
        Error::new(Code::InvalidConfig, first)
    })?;
    for literal in patterns.literals() {
        make_empty(clone, &clone.join(literal))?;
    }
    let mut allowed = Vec::new();
    let mut seen = 0;
    let mut open = vec![clone.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            seen += 1;
            if seen > STRICT {
                return Err(too_many_files());
            }
            let relative = path.strip_prefix(clone).unwrap_or(&path);
            let is_own = relative.to_str().is_some_and(|path| patterns.matches(path));
            if kind.is_file() && is_own {
                allowed.push(path);
            } else if is_of_the_project(kind, relative) {
                open.push(path);
            }
        }
    }
    Ok(allowed)
}

/// A folder other than git's own.
fn is_of_the_project(kind: std::fs::FileType, relative: &Path) -> bool {
    kind.is_dir() && relative != Path::new(".git")
}

fn make_empty(clone: &Path, path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(path.parent().unwrap_or(clone)).map_err(failed)?;
    std::fs::write(path, "").map_err(failed)
}

fn too_many_files() -> Error {
    Error::new(
        Code::InvalidConfig,
        format!("the repository has more than {STRICT} files: too many for `files = \"strict\"`"),
    )
    .hint("use `files = \"plan\"`: what lands is checked in any case")
}
