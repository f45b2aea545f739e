//! The user's own repository.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use worknode_core::git::CommitId;

use crate::{
    blocking::off_thread,
    command::{Invocation, utf8},
    error::GitError,
    git::Git,
    import::LISTING,
    layout::Format,
    path::{RepoPath, nul_separated},
    refname::Branch,
    refs::{self, Looked},
    worktree::{self, WorkTree},
};

/// The repository cannot be used for a team's work.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The path leads nowhere.
    #[error("`{}` does not exist; name the folder of a git repository", .0.display())]
    Missing(PathBuf),
    /// The folder is in no repository.
    #[error("`{}` is not in a git repository; run `git init` there and commit something", .0.display())]
    NotARepository(PathBuf),
    /// The repository has no files of its own to work in.
    #[error("`{}` has no work tree (a bare repository, or the inside of `.git`); name a checkout of it", .0.display())]
    NoWorkTree(PathBuf),
    /// There is nothing to build on.
    #[error("the repository `{}` has no commits; commit something first", .0.display())]
    NoCommits(PathBuf),
    /// The repository lacks files that others would have to fetch.
    #[error("the repository `{}` is a partial clone, from which nobody can borrow; make it whole with `git fetch --refetch --no-filter`", .0.display())]
    Partial(PathBuf),
    /// The base branch is not there.
    #[error("the repository `{}` has no branch `{branch}`; create it, or name another base", repository.display())]
    NoSuchBranch {
        /// The repository.
        repository: PathBuf,
        /// The branch.
        branch: String,
    },
    /// git could not be asked.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The user's repository: where the work comes from and where approved work goes.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) git: Git,
    root: PathBuf,
    common: PathBuf,
    objects: PathBuf,
    pub(crate) format: Format,
}

impl Repository {
    /// Opens the repository that `path` is in. A linked worktree will do.
    ///
    /// # Errors
    /// When there is no usable repository; each case says what to do.
    pub async fn open(git: &Git, path: &Path) -> Result<Self, RepositoryError> {
        let path = match tokio::fs::canonicalize(path).await {
            Ok(path) if path.is_dir() => path,
            _ => return Err(RepositoryError::Missing(path.to_owned())),
        };
        if !is_in_work_tree(git, &path).await? {
            return Err(RepositoryError::NoWorkTree(path));
        }
        let root = place(git, &path, &["--show-toplevel"]).await?;
        let common = place(git, &root, &["--git-common-dir"]).await?;
        let objects = place(git, &root, &["--git-path", "objects"]).await?;
        let format = git
            .users(&root)
            .sub("rev-parse")
            .arg("--show-object-format")
            .text()
            .await?;
        let format = Format::named(&format).ok_or_else(|| GitError::Unexpected {
            what: "rev-parse".to_owned(),
            why: format!("unknown object format {format}"),
        })?;
        let repository = Self {
            git: git.clone(),
            root,
            common,
            objects,
            format,
        };
        repository.check().await?;
        Ok(repository)
    }

    /// The top of the work tree.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that all worktrees of the repository share.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        &self.common
    }

    /// The folder with the objects.
    #[must_use]
    pub fn object_dir(&self) -> &Path {
        &self.objects
    }

    /// The commit that `branch` is at.
    ///
    /// # Errors
    /// When there is no such branch.
    pub async fn base_tip(&self, branch: &str) -> Result<CommitId, RepositoryError> {
        self.tip(&Branch::new(branch)?)
            .await?
            .ok_or_else(|| RepositoryError::NoSuchBranch {
                repository: self.root.clone(),
                branch: branch.to_owned(),
            })
    }

    /// The files at the tip of `branch`, as far as their names are UTF-8.
    ///
    /// # Errors
    /// When there is no such branch, or the list is longer than 64 MiB.
    pub async fn files(&self, branch: &str) -> Result<Vec<String>, RepositoryError> {
        let tip = self.base_tip(branch).await?;
        let listed = self
            .users()
            .sub("ls-tree")
            .args(["-r", "-z", "--name-only", tip.as_str()])
            .at_most(LISTING)
            .run()
            .await?;
        let names = nul_separated(&listed.stdout);
        Ok(names
            .filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned))
            .collect())
    }

    /// The tracked files that are changed, but not committed, where `branch` is checked out.
    /// Files that git does not track do not count. Empty when it is checked out nowhere.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub async fn dirty(&self, branch: &str) -> Result<Vec<RepoPath>, RepositoryError> {
        let branch = Branch::new(branch)?;
        let Some(place) = self.checked_out(&branch).await? else {
            return Ok(Vec::new());
        };
        Ok(self.dirty_at(&place.path).await?)
    }

    /// Whether `commit` is on `branch`: at its tip or before it. After a crash between the
    /// decision to land and its outcome, this tells which it was.
    ///
    /// # Errors
    /// When there is no such branch, or git cannot be asked.
    pub async fn contains(&self, branch: &str, commit: &CommitId) -> Result<bool, RepositoryError> {
        let tip = self.base_tip(branch).await?;
        let known = self
            .users()
            .sub("cat-file")
            .arg("-e")
            .arg(format!("{commit}^{{commit}}"));
        if known.accept(&[0, 1, 128]).run().await?.code != 0 {
            return Ok(false);
        }
        let answer = self
            .users()
            .sub("merge-base")
            .arg("--is-ancestor")
            .args([commit.as_str(), tip.as_str()])
            .accept(&[0, 1])
            .run()
            .await?;
        Ok(answer.code == 0)
    }

    pub(crate) fn users(&self) -> Invocation {
        self.git.users(&self.root)
    }

    pub(crate) async fn tip(&self, branch: &Branch) -> Result<Option<CommitId>, GitError> {
        let (common, name, format) = (self.common.clone(), branch.full().to_owned(), self.format);
        let looked = off_thread(move || Ok::<_, GitError>(refs::look(&common, &name, format))).await?;
        if let Looked::At(commit) = looked {
            return Ok(Some(commit));
        }
        let answer = self
            .users()
            .sub("rev-parse")
            .args(["--verify", "--quiet"])
            .arg(format!("{}^{{commit}}", branch.full()))
            .accept(&[0, 1])
            .run()
            .await?;
        if answer.code == 1 {
            return Ok(None);
        }
        let name = utf8("rev-parse", answer.stdout)?;
        let parsed = name.trim_end().parse();
        parsed.map(Some).map_err(|why| GitError::Unexpected {
            what: "rev-parse".to_owned(),
            why: format!("{why}"),
        })
    }

    /// The tracked files that are changed in one work tree.
    pub(crate) async fn dirty_at(&self, work_tree: &Path) -> Result<Vec<RepoPath>, GitError> {
        let answer = self
            .git
            .users(work_tree)
            .sub("status")
            .args([
                "--porcelain=v1",
                "-z",
                "--untracked-files=no",
                "--no-renames",
                "--ignore-submodules=none",
            ])
            .at_most(LISTING)
            .run()
            .await?;
        // Each entry is two letters, a space and the path.
        let paths = nul_separated(&answer.stdout).filter_map(|entry| entry.get(3..));
        Ok(paths.map(RepoPath::new).collect())
    }

    /// The work tree in which `branch` is checked out, be it the main one or a linked one.
    pub(crate) async fn checked_out(&self, branch: &Branch) -> Result<Option<WorkTree>, GitError> {
        let all = worktree::list(&self.git, &self.root).await?;
        Ok(all.into_iter().find(|place| place.is_on(branch)))
    }

    /// The commits at which a shallow repository ends.
    pub(crate) async fn shallow(&self) -> Result<Option<Vec<u8>>, GitError> {
        let file = self.common.join("shallow");
        match tokio::fs::read(&file).await {
            Ok(points) if points.is_empty() => Ok(None),
            Ok(points) => Ok(Some(points)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(GitError::io("read", file)(why)),
        }
    }

    async fn check(&self) -> Result<(), RepositoryError> {
        let any = self
            .users()
            .sub("rev-list")
            .args(["--max-count=1", "--all"])
            .text()
            .await?;
        if any.is_empty() {
            return Err(RepositoryError::NoCommits(self.root.clone()));
        }
        let partial = r"^(extensions\.partialclone|remote\..*\.promisor)$";
        let partial = self.users().sub("config").args(["--get-regexp", partial]);
        if partial.accept(&[0, 1]).run().await?.code == 0 {
            return Err(RepositoryError::Partial(self.root.clone()));
        }
        Ok(())
    }
}

/// Whether `path` is below the top of a work tree.
async fn is_in_work_tree(git: &Git, path: &Path) -> Result<bool, RepositoryError> {
    let asked = git
        .users(path)
        .sub("rev-parse")
        .arg("--is-inside-work-tree")
        .text()
        .await;
    match asked {
        Ok(answer) => Ok(answer == "true"),
        Err(error)
            if error
                .stderr()
                .is_some_and(|text| text.contains("not a git repository")) =>
        {
            Err(RepositoryError::NotARepository(path.to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// A path that git names, made absolute. Only the final line break is git's.
async fn place(git: &Git, folder: &Path, which: &[&str]) -> Result<PathBuf, GitError> {
    let asked = git
        .users(folder)
        .sub("rev-parse")
        .arg("--path-format=absolute")
        .args(which);
    let mut bytes = asked.run().await?.stdout;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    let path = PathBuf::from(OsString::from_vec(bytes));
    tokio::fs::canonicalize(&path)
        .await
        .map_err(GitError::io("find", path))
}

#[cfg(test)]
mod tests;
