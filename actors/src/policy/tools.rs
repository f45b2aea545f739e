//! What looked, for the verdict: names and versions of the tools of a gate.
//!
//! Of a program that a gate runs, the file is named with its digest. It is not asked for its version:
//! that would run it outside its box, with arguments that nobody chose, and what it answers is
//! whatever it likes. A program of the work itself is part of the tree that the verdict names.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
    time::SystemTime,
};

use worknode_policies::signing::digest_of;
use worknode_process::is_executable;

use crate::{inspect::command_of, system::System};

/// Programs larger than this are named by their size: reading them would take longer than they do.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Digests that are remembered. A team has a handful of programs.
const REMEMBERED: usize = 256;

/// Which file, as it was when it was read.
type File = (PathBuf, u64, Option<SystemTime>);

/// A program is read once, and again when it was replaced.
static DIGESTS: LazyLock<Mutex<HashMap<File, String>>> = LazyLock::new(Mutex::default);

/// The tools of one gate.
pub(super) async fn of_gate(system: &System, gate: &str) -> BTreeMap<String, String> {
    let mut tools = BTreeMap::from([
        ("worknode".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("gate".to_owned(), gate.to_owned()),
        ("git".to_owned(), system.context().store.git_version().to_owned()),
    ]);
    let team = system.team();
    let command = command_of(gate, &team.gates, team.tests.as_ref());
    if let Some(program) = command.and_then(<[String]>::first).cloned() {
        // A thread that is gone says nothing, and the verdict does without.
        if let Ok(told) = tokio::task::spawn_blocking(move || told(&program)).await {
            tools.insert("program".to_owned(), told);
        }
    }
    tools
}

fn told(program: &str) -> String {
    if program.contains('/') && !program.starts_with('/') {
        return format!("{program} of the tree");
    }
    let path = env::var_os("PATH").unwrap_or_default();
    match found(program, &path) {
        Ok(Some(file)) => format!("{} {}", file.display(), digest(&file)),
        Ok(None) => format!("{program}, which was not found"),
        Err(Elsewhere) => format!("{program} of a folder that PATH names from where it runs"),
    }
}

/// A folder of `PATH` that is not named in full comes first: what is in it, only whoever runs there sees.
#[derive(Debug, PartialEq, Eq)]
struct Elsewhere;

/// The file that is run: found as whoever runs it finds it.
fn found(program: &str, path: &OsStr) -> Result<Option<PathBuf>, Elsewhere> {
    for folder in env::split_paths(path) {
        if folder.is_relative() {
            return Err(Elsewhere);
        }
        let file = folder.join(program);
        if is_executable(&file) {
            return Ok(Some(fs::canonicalize(&file).unwrap_or(file)));
        }
    }
    Ok(None)
}

fn digest(file: &Path) -> String {
    let Ok(seen) = fs::metadata(file) else {
        return "unreadable".to_owned();
    };
    if seen.len() > MOST_BYTES {
        return format!("of {} bytes", seen.len());
    }
    let key = (file.to_owned(), seen.len(), seen.modified().ok());
    let mut known = DIGESTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(digest) = known.get(&key) {
        return digest.clone();
    }
    let Ok(bytes) = fs::read(file) else {
        return "unreadable".to_owned();
    };
    if known.len() >= REMEMBERED {
        known.clear();
    }
    let digest = digest_of(&bytes);
    known.insert(key, digest.clone());
    digest
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_named_by_what_it_is_and_never_run() {
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("tool");
        fs::write(&tool, "not a program at all").unwrap();
        let here = fs::canonicalize(&tool).unwrap();
        let path = dir.path().as_os_str();
        assert_eq!(found("tool", path), Ok(None), "it would not be run");
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(found("tool", path), Ok(Some(here.clone())));
        assert_eq!(found("other", path), Ok(None));
        let from_there = env::join_paths([Path::new("bin"), dir.path()]).unwrap();
        assert_eq!(found("tool", &from_there), Err(Elsewhere));
        let before = digest(&here);
        assert!(before.starts_with("sha256:"), "{before}");
        assert_eq!(digest(&here), before);
        fs::write(&tool, "another one, of another length").unwrap();
        assert_ne!(digest(&here), before);
        assert_eq!(told("./tests/run.sh"), "./tests/run.sh of the tree");
        assert_eq!(
            told("no-such-program-xyz"),
            "no-such-program-xyz, which was not found"
        );
    }
}
