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

use sha2::{Digest as _, Sha256};

use crate::{definition::TeamDefinition, system::System};

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
    if let Some(program) = program(system.team(), gate) {
        let program = program.to_owned();
        // A thread that is gone says nothing, and the verdict does without.
        if let Ok(told) = tokio::task::spawn_blocking(move || told(&program)).await {
            tools.insert("program".to_owned(), told);
        }
    }
    tools
}

/// What a gate runs.
fn program<'a>(team: &'a TeamDefinition, gate: &str) -> Option<&'a str> {
    let tests = || team.tests.as_ref().map(|tests| &tests.command);
    let command = match gate {
        "tests" => tests(),
        "coverage" => {
            let own = team
                .gates
                .coverage
                .as_ref()
                .and_then(|told| told.command.as_ref());
            own.or_else(tests)
        }
        other => team.gates.command.get(other).map(|told| &told.command),
    };
    command?.first().map(String::as_str)
}

fn told(program: &str) -> String {
    if program.contains('/') && !program.starts_with('/') {
        return format!("{program} of the tree");
    }
    let path = env::var_os("PATH").unwrap_or_default();
    match found(program, &path) {
        Some(file) => format!("{} {}", file.display(), digest(&file)),
        None => format!("{program}, which was not found"),
    }
}

fn found(program: &str, path: &OsStr) -> Option<PathBuf> {
    let places = env::split_paths(path).map(|folder| folder.join(program));
    let file = places.into_iter().find(|file| file.is_file())?;
    Some(fs::canonicalize(&file).unwrap_or(file))
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
    let digest = Sha256::digest(&bytes);
    let digest = digest
        .iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    known.insert(key, digest.clone());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_by_what_it_is_and_never_run() {
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("tool");
        fs::write(&tool, "not a program at all").unwrap();
        let here = fs::canonicalize(&tool).unwrap();
        assert_eq!(found("tool", dir.path().as_os_str()), Some(here.clone()));
        assert_eq!(found("other", dir.path().as_os_str()), None);
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
