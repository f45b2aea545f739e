//! What was counted of the tests of trees, for those that are put on top of them.
//!
//! A tree that landed was judged, so what ran on it is known. It is kept in a file for each tree and
//! command, under the runtime's signature; whichever is lost, or was not made by this runtime, is
//! counted again. Those that were not asked for longest make room.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    fs,
    io::AsyncReadExt as _,
    sync::{Mutex, MutexGuard},
};
use worknode_core::{git::TreeId, ids::RunId};
use worknode_gates::gate::tests::Counted;
use worknode_policies::seal;

use crate::{definition::TestsDefinition, system::System};

/// Trees that are remembered. Work is put on the last one that landed; the others are for those whose
/// candidates did not land, and for what was moved by hand.
const REMEMBERED: usize = 32;
/// The largest file that is read. What is kept is smaller: names are bounded.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What was counted.
#[derive(Debug)]
pub(crate) struct Counts {
    folder: PathBuf,
    /// Held by who counts: nobody counts the same tree at the same time.
    counting: Mutex<()>,
}

impl Counts {
    /// Those that are kept in the runtime's folder.
    pub(crate) fn at(state: &Path) -> Self {
        Self {
            folder: state.join("counted"),
            counting: Mutex::default(),
        }
    }

    /// Waits for whoever counts. Tests have a time limit, and so has this.
    pub(super) async fn counting(&self) -> MutexGuard<'_, ()> {
        self.counting.lock().await
    }

    /// What is known of a tree.
    pub(super) async fn of(
        &self,
        system: &System,
        tree: &TreeId,
        tests: &TestsDefinition,
    ) -> Option<Counted> {
        let name = name(tree, tests);
        let file = self.folder.join(&name);
        let text = read(&file).await.ok()?;
        let (signature, counted) = text.split_once('\n')?;
        let key = system.context().keys.public();
        if !seal::holds(&key, &name, counted.as_bytes(), signature) {
            tracing::warn!(file = %file.display(), "not signed by this runtime; the tests are counted again");
            return None;
        }
        touch(file, system).await;
        serde_json::from_str(counted).ok()
    }

    /// Keeps what was counted. When that fails it is counted again.
    pub(super) async fn keep(
        &self,
        system: &System,
        tree: &TreeId,
        tests: &TestsDefinition,
        counted: &Counted,
    ) {
        let name = name(tree, tests);
        let Ok(text) = serde_json::to_string(counted) else {
            return;
        };
        let signature = seal::seal(&system.context().keys, &name, text.as_bytes());
        let written = self.write(&name, format!("{signature}\n{text}"), system.new_run());
        if let Err(error) = written.await {
            tracing::warn!(%error, "what was counted of tests could not be kept");
        }
    }

    async fn write(&self, name: &str, text: String, nonce: RunId) -> io::Result<()> {
        fs::create_dir_all(&self.folder).await?;
        let beside = self.folder.join(format!("{nonce}.new"));
        fs::write(&beside, text).await?;
        fs::rename(&beside, self.folder.join(name)).await?;
        self.make_room().await
    }

    /// Forgets those that were not asked for longest, and what a crash left half written.
    async fn make_room(&self) -> io::Result<()> {
        let mut all: Vec<(SystemTime, PathBuf)> = Vec::new();
        let mut entries = fs::read_dir(&self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            // One that is gone meanwhile takes no room.
            if let Ok(seen) = entry.metadata().await {
                all.push((seen.modified()?, entry.path()));
            }
        }
        all.sort();
        let beyond = all.len().saturating_sub(REMEMBERED);
        for (_, file) in all.into_iter().take(beyond) {
            match fs::remove_file(file).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

async fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(file).await?;
    file.take(MOST_BYTES).read_to_string(&mut text).await?;
    Ok(text)
}

/// It was asked for now. Where that cannot be noted it is only forgotten earlier.
async fn touch(file: PathBuf, system: &System) {
    let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(system.now().as_millis());
    let noted = tokio::task::spawn_blocking(move || {
        std::fs::File::options()
            .append(true)
            .open(&file)?
            .set_modified(now)
    });
    if let Ok(Err(error)) = noted.await {
        tracing::debug!(%error, "that a count was asked for could not be noted");
    }
}

/// The tree, and what was run on it.
fn name(tree: &TreeId, tests: &TestsDefinition) -> String {
    let mut digest = Sha256::new();
    for list in [&tests.command, &tests.reports] {
        for text in list {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
        digest.update([0]);
    }
    let digest = digest.finalize();
    let what = digest
        .iter()
        .take(8)
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("{}-{what}.json", tree.as_str())
}

#[cfg(test)]
mod tests {
    use worknode_profiles::profile::SandboxMode;

    use super::*;

    fn told(command: &[&str], reports: &[&str]) -> TestsDefinition {
        let list = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        TestsDefinition {
            command: list(command),
            timeout: std::time::Duration::from_secs(1),
            sandbox: SandboxMode::default(),
            writes: Vec::new(),
            reports: list(reports),
            reruns: 0,
            counted: false,
        }
    }

    #[tokio::test]
    async fn p8_those_that_were_not_asked_for_longest_make_room() {
        let state = tempfile::tempdir().unwrap();
        let counts = Counts::at(state.path());
        let nonce = |nth: u8| RunId::from_parts(0, [nth; 10]);
        let file = |nth: u8| state.path().join("counted").join(nth.to_string());
        for nth in 0..40 {
            counts
                .write(&nth.to_string(), "x".to_owned(), nonce(nth))
                .await
                .unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(nth));
            let written = std::fs::File::options().append(true).open(file(nth)).unwrap();
            written.set_modified(at).unwrap();
        }
        counts.write("last", "x".to_owned(), nonce(40)).await.unwrap();
        let kept = std::fs::read_dir(state.path().join("counted")).unwrap().count();
        assert_eq!(kept, REMEMBERED);
        assert!(!file(8).exists() && file(9).exists() && file(39).exists());
    }

    #[test]
    fn another_command_is_another_question() {
        let tree: TreeId = "1".repeat(40).parse().unwrap();
        let names = [
            name(&tree, &told(&["sh", "run.sh"], &[])),
            name(&tree, &told(&["sh run.sh"], &[])),
            name(&tree, &told(&["sh"], &["run.sh"])),
            name(&"2".repeat(40).parse().unwrap(), &told(&["sh", "run.sh"], &[])),
        ];
        assert_eq!(
            names.iter().collect::<std::collections::BTreeSet<_>>().len(),
            4,
            "{names:?}"
        );
        assert_eq!(names[0], name(&tree, &told(&["sh", "run.sh"], &[])));
    }
}
