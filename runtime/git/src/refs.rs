//! Reading and writing a ref as the file that it is. A git process for one line of text would
//! take longer than all else that is done with it.
//!
//! Only where git itself would look first, and only what is plain: whatever is stored otherwise
//! (another ref, another way of storing them) is git's to say. For repositories that agents
//! cannot write to; a clone's HEAD is read by [`crate::head`].

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use worknode_core::git::CommitId;

use crate::{error::GitError, layout::Format};

/// A ref that is a file is one short line.
const ONE_LINE: u64 = 2048;

/// Beyond this git, which searches the sorted file, is quicker than reading all of it.
const PACKED_REFS: u64 = 1024 * 1024;

/// What the files say of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    At(CommitId),
    /// No file has it.
    Absent,
    /// Only git can tell.
    Unclear,
}

/// Looks up the full name of a ref, which must be one that git accepts.
pub(crate) fn look(common: &Path, name: &str, format: Format) -> Looked {
    // In this order: git moves refs from the one to the other.
    match text(&common.join(name), ONE_LINE) {
        Ok(line) => plain(line.trim_ascii_end(), format),
        Err(why) if why.kind() == io::ErrorKind::NotFound => packed(common, name, format),
        // A folder of this name may stand there, left empty by git.
        Err(why) if why.kind() == io::ErrorKind::IsADirectory => packed(common, name, format),
        Err(_) => Looked::Unclear,
    }
}

fn packed(common: &Path, name: &str, format: Format) -> Looked {
    let bytes = match text(&common.join("packed-refs"), PACKED_REFS) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Looked::Absent,
        Err(_) => return Looked::Unclear,
    };
    let entry = bytes.split(|byte| *byte == b'\n').find_map(|line| {
        let id = line.strip_suffix(name.as_bytes())?;
        id.strip_suffix(b" ")
    });
    entry.map_or(Looked::Absent, |id| plain(id, format))
}

/// A whole name of an object, and nothing else.
fn plain(id: &[u8], format: Format) -> Looked {
    let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    id.filter(|id: &CommitId| id.as_str().len() == format.digits())
        .map_or(Looked::Unclear, Looked::At)
}

fn text(file: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(file)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::FileTooLarge.into())
    }
}

/// Writes a ref into a repository of our own. Nobody else may be about to write the same one: in
/// the store its name is made from the commit's. The commit must be there.
pub(crate) fn write(gitdir: &Path, name: &str, commit: &CommitId) -> Result<(), GitError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let file = gitdir.join(name);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(GitError::io("create", folder))?;
    }
    // Beside the folder of refs: below it, git would take what a crash leaves for a ref.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = gitdir.join(format!("ref-{}-{number}.new", std::process::id()));
    fs::write(&beside, format!("{commit}\n")).map_err(GitError::io("write", &beside))?;
    fs::rename(&beside, &file).map_err(GitError::io("write", file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, git};

    #[tokio::test]
    async fn loose_packed_and_moved_branches_are_read() {
        let world = World::new().await;
        let common = world.repository.common_dir();
        let first = world.base().await;
        let at = |name: &str| look(common, &format!("refs/heads/{name}"), Format::Sha1);
        assert_eq!(at("main"), Looked::At(first.clone()));
        git(&world.user(), ["branch", "deep/er"]);
        git(&world.user(), ["tag", "-a", "-m", "x", "tag"]);
        git(&world.user(), ["pack-refs", "--all"]);
        assert_eq!(at("main"), Looked::At(first.clone()));
        assert_eq!(at("deep/er"), Looked::At(first.clone()));
        for absent in ["deep", "er", "ain"] {
            assert_eq!(at(absent), Looked::Absent, "{absent}");
        }
        crate::testing::write(&world.user(), "new", "");
        let second = crate::testing::commit(&world.user(), "second");
        assert_eq!(at("main"), Looked::At(second));
    }

    #[tokio::test]
    async fn what_is_not_plain_is_left_to_git() {
        let world = World::new().await;
        let base = world.base().await;
        git(
            &world.user(),
            ["symbolic-ref", "refs/heads/alias", "refs/heads/main"],
        );
        let common = world.repository.common_dir();
        let at = |name: &str| look(common, &format!("refs/heads/{name}"), Format::Sha1);
        assert_eq!(at("alias"), Looked::Unclear);
        assert_eq!(world.repository.base_tip("alias").await.unwrap(), base);
        // Names of another length are none in this repository.
        fs::write(common.join("refs/heads/long"), "0".repeat(64)).unwrap();
        assert_eq!(at("long"), Looked::Unclear);
        // More packed refs than are read.
        git(&world.user(), ["pack-refs", "--all"]);
        let mut all = fs::read(common.join("packed-refs")).unwrap();
        for number in 0..20_000 {
            all.extend(format!("{base} refs/tags/{number:08}\n").bytes());
        }
        fs::write(common.join("packed-refs"), all).unwrap();
        assert_eq!(at("main"), Looked::Unclear);
        assert_eq!(world.base().await, base);
    }

    #[tokio::test]
    async fn a_repository_that_keeps_its_refs_in_tables_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        if !crate::testing::try_git(dir.path(), ["init", "-q", "--ref-format=reftable"]).0 {
            return;
        }
        let world = World::with(&["init", "-q", "-b", "main", "--ref-format=reftable"]).await;
        let base = world.base().await;
        assert_eq!(base.as_str(), git(&world.user(), ["rev-parse", "main"]));
        let clone = world.clone("agent").await;
        assert_eq!(git(&clone, ["rev-parse", "HEAD"]), base.as_str());
        let candidate = world.writing("new", "x").await;
        assert_eq!(candidate.base(), &base);
    }

    #[tokio::test]
    async fn a_ref_that_we_write_is_one_to_git() {
        let world = World::new().await;
        let base = world.base().await;
        let name = format!("refs/worknode/kept/{base}");
        for _ in 0..2 {
            write(world.store.dir(), &name, &base).unwrap();
            assert_eq!(git(world.store.dir(), ["rev-parse", &name]), base.as_str());
        }
        assert_eq!(look(world.store.dir(), &name, Format::Sha1), Looked::At(base));
        assert_eq!(
            git(world.store.dir(), ["for-each-ref", "--format=%(refname)"]),
            name
        );
    }
}
