//! Changes as tests need them.

use worknode_policies::change::{Change, ChangeKind};

use crate::change::{ChangeSet, Content, File};

const FILE: u32 = 0o100_644;

/// A change of files, each with what it held and holds; empty means: not there.
pub(crate) fn change(files: &[(&str, &str, &str)]) -> ChangeSet {
    let content = |text: &str| {
        if text.is_empty() {
            Content::Nothing
        } else {
            Content::Text(text.to_owned())
        }
    };
    let file = |(path, before, after): &(&str, &str, &str)| {
        let kind = match (before.is_empty(), after.is_empty()) {
            (true, _) => ChangeKind::Added,
            (false, true) => ChangeKind::Deleted,
            (false, false) => ChangeKind::Modified,
        };
        File::new(of_kind(path, kind), content(before), content(after))
    };
    ChangeSet {
        files: files.iter().map(file).collect(),
        tree: files
            .iter()
            .filter(|(_, _, after)| !after.is_empty())
            .map(|(path, _, _)| (*path).to_owned())
            .collect(),
        ..ChangeSet::default()
    }
}

/// What git says of a path.
pub(crate) fn of_kind(path: &str, kind: ChangeKind) -> Change {
    Change {
        path: path.to_owned(),
        utf8: true,
        kind,
        old_mode: if kind == ChangeKind::Added { 0 } else { FILE },
        new_mode: if kind == ChangeKind::Deleted { 0 } else { FILE },
    }
}
