//! What a change holds: every changed path with its contents before and after, for gates to read.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use worknode_core::git::{CommitId, TreeId};

use crate::{
    blocking::off_thread,
    changes::{Change, ChangeKind, FileMode, parse},
    command::Invocation,
    error::GitError,
    git::Git,
    import::LISTING,
    path::{RepoPath, nul_separated},
    store::Store,
};

/// The largest file whose contents are read. What people write is smaller.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Contents that are read of one change, together. Files beyond are told as too large.
const ALL_BYTES: u64 = 1024 * 1024 * 1024;

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nothing: it is not there.
    Nothing,
    /// A file.
    File(Vec<u8>),
    /// A file that is larger than what is read.
    TooLarge(u64),
    /// A symbolic link, and where it leads.
    Link(Vec<u8>),
    /// A commit of another repository.
    Submodule,
}

/// A changed path with its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// What changed.
    pub change: Change,
    /// What it held.
    pub before: Contents,
    /// What it holds.
    pub after: Contents,
}

/// A change as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The top of the work tree, when there is one.
    pub root: Option<PathBuf>,
    /// The commit with which it is compared, when there is one.
    pub base: Option<CommitId>,
    /// The changed paths, in git's order.
    pub files: Vec<Surveyed>,
    /// Every path after the change.
    pub tree: Vec<RepoPath>,
}

/// What a work tree is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// Nothing: everything in it counts as new.
    Nothing,
    /// What is staged, with the last commit.
    Staged,
    /// What is in this index, with the last commit: while it commits, git has one of its own.
    Index(PathBuf),
    /// The files as they are, with where this commit and the last one part.
    Base(String),
}

/// A change before its contents are known.
struct Listed {
    change: Change,
    old: String,
    new: String,
}

/// Looks at the work tree that `folder` is in.
///
/// # Errors
/// When it is in none, when there is no such base, or when git cannot be asked.
pub async fn survey(git: &Git, folder: &Path, against: &Against) -> Result<Survey, GitError> {
    let mut top = git
        .users(folder)
        .sub("rev-parse")
        .arg("--show-toplevel")
        .run()
        .await?
        .stdout;
    if top.last() == Some(&b'\n') {
        top.pop();
    }
    let root = PathBuf::from(OsStr::from_bytes(&top));
    let users = || match against {
        // Git names it from where it runs itself, which is the top.
        Against::Index(index) => git.users(&root).env("GIT_INDEX_FILE", root.join(index)),
        _ => git.users(&root),
    };
    let mut compared = None;
    let (listed, tree) = match against {
        Against::Nothing => {
            let tree = work_tree(&users).await?;
            (tree.iter().map(as_new).collect(), tree)
        }
        Against::Staged | Against::Index(_) => {
            let head = head(&users).await?;
            compared.clone_from(&head);
            let base = match head {
                Some(head) => head,
                None => nothing(&users).await?,
            };
            let asked = diff(users().sub("diff-index").arg("--cached"), &base);
            (
                read(&asked.run().await?.stdout)?,
                paths(users().sub("ls-files").arg("--cached")).await?,
            )
        }
        Against::Base(named) => {
            let base = fork(&users, named).await?;
            compared = Some(base.clone());
            let mut listed = read(&diff(users().sub("diff"), &base).run().await?.stdout)?;
            let others = paths(users().sub("ls-files").args(["--others", "--exclude-standard"])).await?;
            listed.extend(others.iter().map(as_new));
            (listed, work_tree(&users).await?)
        }
    };
    let files = filled(&users, Some(root.clone()), listed).await?;
    Ok(Survey {
        root: Some(root),
        base: compared.and_then(|base| base.parse().ok()),
        files,
        tree,
    })
}

impl Store {
    /// What `tree` changes on `base`, with contents. `base` of `None` stands for nothing at all, so
    /// that everything counts as new.
    ///
    /// # Errors
    /// When one of the two is not in the store.
    pub async fn survey(&self, base: Option<&CommitId>, tree: &TreeId) -> Result<Survey, GitError> {
        let ours = || self.ours();
        let compared = base.cloned();
        let base = match base {
            Some(base) => base.as_str().to_owned(),
            None => nothing(&ours).await?,
        };
        let asked = diff(ours().sub("diff-tree").arg("-r"), &base).arg(tree.as_str());
        let listed = read(&asked.run().await?.stdout)?;
        let tree = ours()
            .sub("ls-tree")
            .args(["-r", "--name-only"])
            .arg("-z")
            .arg(tree.as_str());
        let answer = tree.at_most(LISTING).run().await?;
        Ok(Survey {
            root: None,
            base: compared,
            files: filled(&ours, None, listed).await?,
            tree: nul_separated(&answer.stdout).map(RepoPath::new).collect(),
        })
    }
}

fn diff(asked: Invocation, base: &str) -> Invocation {
    asked
        .args(["--raw", "-z", "--no-abbrev", "--no-renames"])
        .args(["--no-ext-diff", "--no-textconv", "--ignore-submodules=none"])
        .arg(base)
        .at_most(LISTING)
}

async fn paths(asked: Invocation) -> Result<Vec<RepoPath>, GitError> {
    let answer = asked.arg("-z").at_most(LISTING).run().await?;
    Ok(nul_separated(&answer.stdout).map(RepoPath::new).collect())
}

async fn work_tree(users: &impl Fn() -> Invocation) -> Result<Vec<RepoPath>, GitError> {
    let asked = users()
        .sub("ls-files")
        .args(["--cached", "--others", "--exclude-standard", "--deduplicate"]);
    paths(asked).await
}

/// A path of the work tree as if it were new. What is not there is found out later.
fn as_new(path: &RepoPath) -> Listed {
    Listed {
        change: Change {
            path: path.clone(),
            kind: ChangeKind::Added,
            old_mode: None,
            new_mode: Some(FileMode::Regular),
        },
        old: String::new(),
        new: String::new(),
    }
}

/// The empty tree, which git knows without having it.
async fn nothing(make: &impl Fn() -> Invocation) -> Result<String, GitError> {
    make()
        .sub("hash-object")
        .args(["-t", "tree", "--stdin"])
        .text()
        .await
}

/// The last commit, when there is one.
async fn head(users: &impl Fn() -> Invocation) -> Result<Option<String>, GitError> {
    let head = users()
        .sub("rev-parse")
        .args(["--verify", "--quiet", "HEAD^{commit}"]);
    let answer = head.accept(&[0, 1]).run().await?;
    let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    Ok((answer.code == 0).then_some(text))
}

/// Where the history of HEAD and that of the base part: what came to the base since is not ours.
async fn fork(users: &impl Fn() -> Invocation, named: &str) -> Result<String, GitError> {
    let asked = users()
        .sub("rev-parse")
        .args(["--verify", "--end-of-options"])
        .arg(format!("{named}^{{commit}}"));
    let base = asked.text().await?;
    let asked = users().sub("merge-base").args([base.as_str(), "HEAD"]);
    let answer = asked.accept(&[0, 1, 128]).run().await?;
    match answer.code {
        0 => Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned()),
        _ => Ok(base),
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Listed>, GitError> {
    let mut fields = nul_separated(bytes);
    let mut listed = Vec::new();
    while let (Some(facts), Some(path)) = (fields.next(), fields.next()) {
        let change = parse(facts, path)?;
        let text = String::from_utf8_lossy(facts);
        let mut parts = text.split(' ').skip(2);
        let id = |part: Option<&str>| {
            part.filter(|id| !id.bytes().all(|b| b == b'0'))
                .unwrap_or_default()
                .to_owned()
        };
        let (old, new) = (id(parts.next()), id(parts.next()));
        listed.push(Listed { change, old, new });
    }
    Ok(listed)
}

/// Fetches the contents: from git where it has them, else from the work tree.
async fn filled(
    make: &impl Fn() -> Invocation,
    root: Option<PathBuf>,
    listed: Vec<Listed>,
) -> Result<Vec<Surveyed>, GitError> {
    let wanted: HashSet<&str> = listed
        .iter()
        .flat_map(|one| [(&one.old, one.change.old_mode), (&one.new, one.change.new_mode)])
        .filter(|(id, mode)| !id.is_empty() && *mode != Some(FileMode::Submodule))
        .map(|(id, _)| id.as_str())
        .collect();
    let blobs = blobs(make, wanted.into_iter().map(str::to_owned).collect()).await?;
    off_thread(move || {
        let mut room = ALL_BYTES;
        let files = listed.into_iter().filter_map(|one| {
            let before = in_git(&blobs, &one.old, one.change.old_mode);
            let mut change = one.change;
            let after = match (&root, one.new.is_empty() && change.new_mode.is_some()) {
                (Some(root), true) => on_disk(root, &mut change, &mut room)?,
                _ => in_git(&blobs, &one.new, change.new_mode),
            };
            let differs = before != after || change.old_mode != change.new_mode;
            differs.then_some(Surveyed {
                change,
                before,
                after,
            })
        });
        Ok(files.collect())
    })
    .await
}

fn in_git(blobs: &HashMap<String, Contents>, id: &str, mode: Option<FileMode>) -> Contents {
    match (mode, blobs.get(id)) {
        (Some(FileMode::Submodule), _) => Contents::Submodule,
        (Some(FileMode::Symlink), Some(Contents::File(bytes))) => Contents::Link(bytes.clone()),
        (Some(_), Some(contents)) => contents.clone(),
        (Some(_) | None, _) => Contents::Nothing,
    }
}

/// Reads a file of the work tree, following no link. `None` when there is nothing to look at.
fn on_disk(root: &Path, change: &mut Change, room: &mut u64) -> Option<Contents> {
    use std::os::unix::fs::MetadataExt;
    let path = root.join(OsStr::from_bytes(change.path.as_bytes()));
    let seen = std::fs::symlink_metadata(&path).ok()?;
    if seen.is_symlink() {
        change.new_mode = Some(FileMode::Symlink);
        let target = std::fs::read_link(&path).ok()?;
        return Some(Contents::Link(target.as_os_str().as_bytes().to_vec()));
    }
    if seen.is_dir() {
        change.new_mode = Some(FileMode::Submodule);
        return Some(Contents::Submodule);
    }
    if !seen.is_file() {
        return None;
    }
    let executable = seen.mode() & 0o111 != 0;
    change.new_mode = Some(if executable {
        FileMode::Executable
    } else {
        FileMode::Regular
    });
    if seen.len() > MOST_BYTES.min(*room) {
        return Some(Contents::TooLarge(seen.len()));
    }
    let bytes = std::fs::read(&path).ok()?;
    *room = room.saturating_sub(seen.len());
    Some(Contents::File(bytes))
}

/// Contents of objects by their names: first their sizes, then those that are not too large.
async fn blobs(
    make: &impl Fn() -> Invocation,
    ids: Vec<String>,
) -> Result<HashMap<String, Contents>, GitError> {
    let mut found = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let asked = make().sub("cat-file").arg("--batch-check").input(lines(&ids));
    let sizes = asked.at_most(LISTING).run().await?.stdout;
    let (mut wanted, mut all) = (Vec::new(), 0_u64);
    for line in String::from_utf8_lossy(&sizes).lines() {
        let mut parts = line.split(' ');
        let (Some(id), Some("blob"), Some(size)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let size: u64 = size.parse().unwrap_or(u64::MAX);
        if size > MOST_BYTES || all.saturating_add(size) > ALL_BYTES {
            found.insert(id.to_owned(), Contents::TooLarge(size));
        } else {
            all += size;
            wanted.push(id.to_owned());
        }
    }
    if wanted.is_empty() {
        return Ok(found);
    }
    let room = usize::try_from(all)
        .unwrap_or(usize::MAX)
        .saturating_add(wanted.len() * 256);
    let asked = make().sub("cat-file").arg("--batch").input(lines(&wanted));
    let answer = asked.at_most(room).run().await?.stdout;
    split(&answer, &mut found);
    Ok(found)
}

fn lines(ids: &[String]) -> Vec<u8> {
    let mut text = ids.join("\n");
    text.push('\n');
    text.into_bytes()
}

/// Takes apart `ID TYPE SIZE`, a line end, the bytes, a line end; and so on.
fn split(mut answer: &[u8], found: &mut HashMap<String, Contents>) {
    while let Some(end) = answer.iter().position(|byte| *byte == b'\n') {
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut parts = head.split(' ');
        let (id, size) = (parts.next().unwrap_or_default(), parts.nth(1));
        let Some(size) = size.and_then(|size| size.parse::<usize>().ok()) else {
            return;
        };
        let Some(bytes) = answer.get(end + 1..end + 1 + size) else {
            return;
        };
        found.insert(id.to_owned(), Contents::File(bytes.to_vec()));
        answer = answer.get(end + 2 + size..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
