//! The file in which uncommitted changes are kept.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use worknode_core::git::CommitId;

use super::{
    Omitted, Uncommitted,
    compare::{Compared, Comparison, place},
    survey::{HEADING, Tracked},
};
use crate::{blocking::off_thread, changes::Change, error::GitError};

/// The name of the patch in the run's folder.
const NAME: &str = "workspace.patch";

/// How much longer than the contents themselves a patch can be. Of a file that is new or gone:
/// a sign in front of each line, or five characters for four bytes.
const WHOLE: u64 = 2;

/// Of a changed file: its lines can be so short that those that say where they belong are
/// longer.
const PARTS: u64 = 8;

/// Compares, and writes a patch when there is a difference.
pub(super) async fn write(
    asked: &Comparison<'_>,
    into: &Path,
    limit: u64,
) -> Result<Option<Uncommitted>, GitError> {
    let mut compared = asked.compare(limit).await?;
    if compared.changes.is_empty() && compared.left_out.total == 0 {
        return Ok(None);
    }
    let mut patch = None;
    if !compared.changes.is_empty() {
        match attempt(asked, into, limit).await {
            Ok(file) => patch = Some(file),
            Err(GitError::TooMuchOutput { .. }) => {
                shorten(asked, &mut compared, limit).await?;
                if !compared.changes.is_empty() {
                    patch = Some(attempt(asked, into, limit).await?);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(Uncommitted {
        against: asked.against.clone(),
        files: compared.changes.len(),
        patch,
        left_out: compared.left_out,
    }))
}

async fn attempt(asked: &Comparison<'_>, into: &Path, limit: u64) -> Result<PathBuf, GitError> {
    let beside = into.join(format!("{NAME}.new"));
    let file = into.join(NAME);
    let place = beside.clone();
    let opened = off_thread(move || create(&place)).await?;
    let written = asked.patch(opened.into(), limit).await;
    off_thread(move || {
        let outcome = written.and_then(|()| {
            // The agent may have put a link there. It is replaced, not followed.
            fs::rename(&beside, &file).map_err(GitError::io("write", &file))
        });
        if outcome.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&beside);
        }
        outcome.map(|()| file)
    })
    .await
}

/// A file that was not there before: agents may write in this folder too.
fn create(file: &Path) -> Result<File, GitError> {
    match fs::remove_file(file) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            return Err(GitError::io("remove", file)(why));
        }
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(GitError::io("write", file))
}

/// Leaves out what might not fit, at the worst that a patch can look like.
async fn shorten(asked: &Comparison<'_>, compared: &mut Compared, limit: u64) -> Result<(), GitError> {
    let tracked: HashMap<_, _> = compared
        .tracked
        .iter()
        .map(|entry| (entry.path.as_slice(), entry))
        .collect();
    let mut back = Vec::new();
    let mut left = limit;
    for change in &compared.changes {
        let old = tracked.get(change.path.as_bytes()).copied();
        match left.checked_sub(worst(change, old, asked.clone)) {
            Some(rest) => left = rest,
            None => back.extend(old.map_or_else(|| gone(change, asked.against), Tracked::entry)),
        }
    }
    asked.put_back(back).await?;
    // What is put back may push out what has taken its place: a folder where a file was.
    let kept = asked.changes().await?;
    let paths: HashSet<_> = kept.iter().map(|change| &change.path).collect();
    for change in std::mem::take(&mut compared.changes) {
        if !paths.contains(&change.path) {
            compared.left_out.add(change.path, Omitted::TooLarge);
        }
    }
    compared.changes = kept;
    Ok(())
}

/// How long the patch of one file can be.
fn worst(change: &Change, old: Option<&Tracked>, clone: &Path) -> u64 {
    let path = change.path.as_bytes();
    let was = old.and_then(|entry| entry.size).unwrap_or(0);
    let is = fs::symlink_metadata(place(clone, path)).map_or(0, |seen| seen.len());
    let both = change.old_mode.is_some() && change.new_mode.is_some();
    let factor = if both { PARTS } else { WHOLE };
    // The name stands there up to six times, each byte as four characters.
    let name = u64::try_from(path.len()).unwrap_or(u64::MAX).saturating_mul(24);
    was.saturating_add(is)
        .saturating_mul(factor)
        .saturating_add(HEADING)
        .saturating_add(name)
}

/// The entry that takes a new file out again.
fn gone(change: &Change, commit: &CommitId) -> Vec<u8> {
    let digits = commit.as_str().len();
    let mut entry = format!("0 {:0digits$}\t", 0).into_bytes();
    entry.extend_from_slice(change.path.as_bytes());
    entry.push(0);
    entry
}
