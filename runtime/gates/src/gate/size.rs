//! The gate `size`: can a person still review the change?
//!
//! | rule | what is measured |
//! |---|---|
//! | `size.change` | lines added and removed |
//! | `size.file` | bytes of a file that was added or changed |
//! | `size.binary` | a file that is no text, added or changed, or text before |

use worknode_policies::change::ChangeKind;

use crate::{
    change::{ChangeSet, Content, File},
    finding::{Finding, Measure},
    settings,
};

/// Beginnings of files that are meant to be binary, with the endings that say so.
const MEANT: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "webp", "ico", "pdf", "woff", "woff2", "ttf", "otf", "zip", "gz", "xz",
    "zst", "wasm", "mp3", "mp4", "webm", "ogg", "bin", "dat", "db", "sqlite", "parquet", "jar", "class",
];

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet, told: &settings::Size) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !change.everything {
        let lines: u64 = change.files.iter().map(lines).sum();
        if lines > u64::from(told.lines) {
            let message = format!(
                "the change adds and removes {lines} lines, at most {} are allowed",
                told.lines
            );
            findings.push(
                Finding::new("size.change", message)
                    .measured(Measure::Count(lines), told.lines)
                    .hint("hand it in as several changes that each make sense alone"),
            );
        }
    }
    for file in change.files.iter().filter(|file| file.is_there()) {
        findings.extend(too_large(file, told.file_bytes));
        if !change.everything {
            findings.extend(binary(file));
        }
    }
    findings
}

fn lines(file: &File) -> u64 {
    let difference = file.difference();
    difference.added.count() + difference.removed.count()
}

fn too_large(file: &File, limit: u64) -> Option<Finding> {
    let bytes = match &file.after {
        Content::Text(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
        Content::Binary { bytes } | Content::TooLarge { bytes } => *bytes,
        Content::Nothing | Content::Link(_) | Content::Submodule => return None,
    };
    (bytes > limit).then(|| {
        let message = format!("the file has {bytes} bytes, at most {limit} are allowed");
        Finding::new("size.file", message)
            .in_file(file.path())
            .measured(Measure::Count(bytes), Measure::Count(limit))
            .hint("keep large files outside the repository")
    })
}

fn binary(file: &File) -> Option<Finding> {
    let Content::Binary { .. } = file.after else {
        return None;
    };
    let ending = file
        .path()
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    let meant = ending.is_some_and(|ending| MEANT.contains(&ending.as_str()));
    let was_text = file.before.text().is_some() && file.change.kind != ChangeKind::Added;
    (!meant || was_text).then(|| {
        Finding::new(
            "size.binary",
            "the file is no text, so that no rule can look into it",
        )
        .in_file(file.path())
        .hint("hand in text as UTF-8, and other data under a name that says what it is")
    })
}
