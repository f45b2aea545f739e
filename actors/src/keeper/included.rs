//! What a workspace gets beside what is committed: files that git ignores and `.worktreeinclude` names.

use std::{
    fs, io,
    path::{Component, Path},
};

use worknode_core::error::Error;

use crate::{outside::failed, system::System};

/// Files that are copied.
const FILES: usize = 1_000;
/// Bytes of all of them.
const BYTES: u64 = 64 * 1024 * 1024;

/// Copies them into a clone that was just made. What is too much, or cannot be copied, is told and
/// left out: a run without it may still do its work.
pub(super) async fn copy(system: &System, clone: &Path) -> Result<(), Error> {
    let repository = &system.context().repository;
    let names = match repository.included().await {
        Ok(names) => names,
        Err(error) => {
            let message = format!("no files of .worktreeinclude were copied into a workspace: {error}");
            system.notify("operator", message).await;
            return Ok(());
        }
    };
    if names.is_empty() {
        return Ok(());
    }
    let (from, to) = (repository.root().to_owned(), clone.to_owned());
    let state = system.context().paths.state.clone();
    let copying = tokio::task::spawn_blocking(move || copy_all(&from, &to, &state, &names));
    let left_out = copying.await.map_err(failed)?;
    if !left_out.is_empty() {
        let shown: Vec<_> = left_out.iter().take(5).map(String::as_str).collect();
        let message = format!(
            "{} files of .worktreeinclude were not copied into a workspace: {}",
            left_out.len(),
            shown.join("; ")
        );
        system.notify("operator", message).await;
    }
    Ok(())
}

/// What was not copied, each with why.
fn copy_all(from: &Path, to: &Path, state: &Path, names: &[String]) -> Vec<String> {
    let (mut left_out, mut bytes) = (Vec::new(), 0_u64);
    for (at, name) in names.iter().enumerate() {
        if from.join(name).starts_with(state) {
            continue;
        }
        let size = fs::symlink_metadata(from.join(name)).map_or(0, |found| found.len());
        if at >= FILES || bytes.saturating_add(size) > BYTES {
            left_out.push(format!("{name} (more than {FILES} files or {} MiB)", BYTES >> 20));
            continue;
        }
        match copy_one(from, to, Path::new(name)) {
            Ok(()) => bytes = bytes.saturating_add(size),
            Err(error) => left_out.push(format!("{name} ({error})")),
        }
    }
    left_out
}

/// Copies a regular file. The commit that is checked out may hold links; nothing is written through
/// one, which could lead anywhere.
fn copy_one(from: &Path, to: &Path, name: &Path) -> io::Result<()> {
    if !name.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(io::Error::other("it is not below the repository"));
    }
    if !fs::symlink_metadata(from.join(name))?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    make_way(to, name)?;
    let target = to.join(name);
    if what_is_at(&target)?.is_some() {
        return Err(io::Error::other("the commit has a file of that name"));
    }
    fs::copy(from.join(name), target).map(drop)
}

/// Makes the directories above it.
fn make_way(to: &Path, name: &Path) -> io::Result<()> {
    let mut dir = to.to_owned();
    for part in name.parent().into_iter().flat_map(Path::components) {
        dir.push(part);
        match what_is_at(&dir)? {
            None => fs::create_dir(&dir)?,
            Some(found) if found.is_dir() => {}
            Some(_) => return Err(io::Error::other("something else than a directory is above it")),
        }
    }
    Ok(())
}

/// What is there, a link as a link; nothing when nothing is.
fn what_is_at(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn p9_nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to, outside) = (
            dir.path().join("from"),
            dir.path().join("to"),
            dir.path().join("outside"),
        );
        for place in [&from.join("config"), &from.join("deep/er"), &to, &outside] {
            fs::create_dir_all(place).unwrap();
        }
        for name in ["config/a.env", "deep/er/b.env", ".env", "c.env"] {
            fs::write(from.join(name), name).unwrap();
        }
        symlink(&outside, to.join("config")).unwrap();
        symlink(outside.join("c"), to.join("c.env")).unwrap();
        symlink("/etc/hostname", from.join("link")).unwrap();
        let names = ["config/a.env", "deep/er/b.env", ".env", "c.env", "link", "../x"].map(str::to_owned);
        let left_out = copy_all(&from, &to, Path::new("/nowhere"), &names);
        assert_eq!(left_out.len(), 4, "{left_out:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(
            fs::read_to_string(to.join("deep/er/b.env")).unwrap(),
            "deep/er/b.env"
        );
        assert!(to.join(".env").is_file());
    }

    #[test]
    fn p8_too_much_is_left_out_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..=FILES).map(|n| format!("f{n}")).collect();
        fs::create_dir(dir.path().join("to")).unwrap();
        for name in &names {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let left_out = copy_all(dir.path(), &dir.path().join("to"), Path::new("/nowhere"), &names);
        assert_eq!(left_out.len(), 1, "{left_out:?}");
    }
}
