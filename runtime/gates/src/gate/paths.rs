//! What no change may do to paths, whatever its task. The gate `plan` adds this to what the plan
//! says.
//!
//! | rule | what breaks it |
//! |---|---|
//! | `plan.protected` | anything below `.git` or `.worknode` |
//! | `plan.encoding` | a path that is not UTF-8 |
//! | `plan.twin` | a new path that differs from another only in the case of its letters |
//! | `plan.link` | a symlink that leads out of the repository, or into `.git` or `.worknode` |

use std::collections::HashMap;

use worknode_policies::change::ChangeKind;

use crate::{
    change::{ChangeSet, Content, File},
    finding::Finding,
};

const PROTECTED: [&str; 2] = [".git", ".worknode"];

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet) -> Vec<Finding> {
    let mut findings: Vec<Finding> = change.files.iter().flat_map(of_file).collect();
    findings.extend(twins(change));
    findings
}

fn of_file(file: &File) -> Option<Finding> {
    let path = file.path();
    if !file.change.utf8 {
        let finding = Finding::new("plan.encoding", "the path is not UTF-8");
        return Some(finding.in_file(path).hint("give the file a name that is UTF-8"));
    }
    if path.split('/').any(is_protected) {
        let message = "`.git` and `.worknode` belong to git and to the runtime, not to a change";
        let finding = Finding::new("plan.protected", message);
        return Some(finding.in_file(path).hint("take it out of the change"));
    }
    let Content::Link(target) = &file.after else {
        return None;
    };
    leads_out(path, target).then(|| {
        Finding::new(
            "plan.link",
            "the symlink leads out of the repository, or where no change may go",
        )
        .in_file(path)
        .hint("link to a file of the repository, with a relative path")
    })
}

fn is_protected(part: &str) -> bool {
    PROTECTED.iter().any(|folder| part.eq_ignore_ascii_case(folder))
}

fn leads_out(path: &str, target: &str) -> bool {
    if target.starts_with('/') || target.contains('\0') || target.split('/').any(is_protected) {
        return true;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                let Some(up) = depth.checked_sub(1) else {
                    return true;
                };
                depth = up;
            }
            _ => depth += 1,
        }
    }
    false
}

/// New paths that a file system which ignores case takes for another. A folder counts, too.
fn twins(change: &ChangeSet) -> Vec<Finding> {
    let added = || {
        let is_new = |file: &&File| file.change.kind == ChangeKind::Added;
        change.files.iter().filter(is_new).map(File::path)
    };
    let mut wanted: HashMap<String, &str> = HashMap::new();
    let mut found: HashMap<String, (String, &str)> = HashMap::new();
    for path in added() {
        for part in beginnings(path) {
            wanted.entry(part.to_lowercase()).or_insert(part);
        }
    }
    let there = change.tree.iter().map(String::as_str).chain(added());
    for path in there {
        for part in beginnings(path) {
            let lower = part.to_lowercase();
            if let Some(spelt) = wanted.get(&lower)
                && *spelt != part
            {
                let file = added().find(|path| path.starts_with(spelt)).unwrap_or(path);
                found
                    .entry(file.to_owned())
                    .or_insert_with(|| (part.to_owned(), spelt));
            }
        }
    }
    let mut findings: Vec<Finding> = found
        .into_iter()
        .map(|(file, (other, _))| {
            let message = format!("`{other}` is there, and differs only in the case of its letters");
            Finding::new("plan.twin", message)
                .in_file(file)
                .hint("on many machines both are one file: choose another name")
        })
        .collect();
    findings.sort_by(|a, b| a.file.cmp(&b.file));
    findings
}

/// `a/b/c` begins with `a`, `a/b`, and itself.
fn beginnings(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .map(|(at, _)| &path[..at])
        .chain(std::iter::once(path))
}
