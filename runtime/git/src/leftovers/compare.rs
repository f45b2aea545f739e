//! Holding a work tree against a commit, with an index and an object folder of our own.
//!
//! The index is built from nothing: every file that is there is put in by name. So no command
//! ever looks into a repository below the workspace, as `git add` and `git status` would; they
//! run git in it, under its own configuration.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use worknode_core::git::CommitId;

use super::{
    LeftOut, Omitted,
    survey::{Survey, Tracked, tracked},
};
use crate::{
    blocking::off_thread,
    changes::{self, Change},
    command::{Invocation, Sink, TIME},
    error::GitError,
    git::Git,
    import::LISTING,
    path::{RepoPath, nul_separated},
};

/// Attributes by which git changes contents between its objects and the files, all off.
const AS_THEY_ARE: &str = "* -text -ident -filter !eol !working-tree-encoding\n";

/// Names the tree with the attributes under which the files were written. Those of the work tree
/// may be anything, also a pipe. git before 2.41 does not know it, and reads them.
const ATTRIBUTES: &str = "GIT_ATTR_SOURCE";

/// One work tree and the commit that it is held against.
pub(super) struct Comparison<'a> {
    pub(super) git: &'a Git,
    /// The scratch repository.
    pub(super) gitdir: &'a Path,
    pub(super) clone: &'a Path,
    pub(super) against: &'a CommitId,
}

/// What came of it. The index says the rest.
pub(super) struct Compared {
    pub(super) tracked: Vec<Tracked>,
    pub(super) changes: Vec<Change>,
    pub(super) left_out: LeftOut,
}

impl Comparison<'_> {
    /// Fills the index with what is there, as far as `limit` has room for it.
    pub(super) async fn compare(&self, limit: u64) -> Result<Compared, GitError> {
        match self.attempt(limit).await {
            // A file changed while it was read, or is not in the encoding that an attribute
            // claims. Once more, and each file as it is.
            Err(GitError::Failed { .. }) => {
                let gitdir = self.gitdir.to_owned();
                off_thread(move || start_again(&gitdir)).await?;
                self.attempt(limit).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(&self, limit: u64) -> Result<Compared, GitError> {
        let listing = self
            .repository()
            .sub("ls-tree")
            .args(["-r", "-l", "-z", "--full-tree", self.against.as_str()])
            .at_most(LISTING);
        let (listing, (present, left_out)) = tokio::try_join!(listing.run(), self.present())?;
        let tracked = tracked(&listing.stdout)?;
        let clone = self.clone.to_owned();
        let (tracked, mut survey) = off_thread(move || {
            let survey = Survey::of(&clone, &tracked, &present, left_out, limit);
            Ok::<_, GitError>((tracked, survey))
        })
        .await?;
        self.put_back(survey.as_was.clone()).await?;
        let hash = self
            .files()
            .sub("update-index")
            .args(["--add", "--remove", "--replace", "-z", "--stdin"]);
        hash.input(survey.list()).within(TIME * 5).run().await?;
        let changes = self.changes().await?;
        survey.refused(&changes);
        Ok(Compared {
            tracked,
            changes,
            left_out: survey.left_out,
        })
    }

    /// Every file that is not ignored. A folder with a repository of its own is one entry, which
    /// ends with a slash.
    async fn present(&self) -> Result<(Vec<Vec<u8>>, LeftOut), GitError> {
        let mut left_out = LeftOut::default();
        let listing = self
            .files()
            .sub("ls-files")
            .args(["--others", "--exclude-standard", "-z"])
            .at_most(LISTING);
        let answer = match listing.run().await {
            Ok(answer) => answer,
            // A pipe that is called `.gitignore` makes git wait.
            Err(GitError::TooMuchOutput { .. } | GitError::TimedOut { .. }) => {
                left_out.add(RepoPath::new("./"), Omitted::Unlisted);
                return Ok((Vec::new(), left_out));
            }
            Err(error) => return Err(error),
        };
        for line in answer.stderr.split(|byte| *byte == b'\n') {
            if let Some(rest) = line.strip_prefix(b"warning: could not open directory '") {
                let end = rest.iter().rposition(|byte| *byte == b'\'');
                let path = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
                left_out.add(RepoPath::new(path), Omitted::Unreadable);
            }
        }
        let present = nul_separated(&answer.stdout).map(<[u8]>::to_vec);
        Ok((present.collect(), left_out))
    }

    /// In what the index differs from the commit.
    pub(super) async fn changes(&self) -> Result<Vec<Change>, GitError> {
        let listing = self.differences().args(["--raw", "-z", "--no-abbrev"]);
        let listing = listing.arg(self.against.as_str()).at_most(LISTING);
        changes::listed(&listing.run().await?.stdout)
    }

    /// Writes the same as a patch.
    pub(super) async fn patch(&self, file: tokio::fs::File, limit: u64) -> Result<(), GitError> {
        self.differences()
            .args(["--patch", "--binary", "--full-index", "--no-color"])
            .args(["--no-ext-diff", "--no-textconv"])
            .arg(self.against.as_str())
            .at_most(usize::try_from(limit).unwrap_or(usize::MAX))
            .within(TIME * 5)
            .run_into(Sink::File(file))
            .await
            .map(drop)
    }

    /// Makes the index say of these paths what the commit says.
    pub(super) async fn put_back(&self, entries: Vec<u8>) -> Result<(), GitError> {
        if entries.is_empty() {
            return Ok(());
        }
        let order = self
            .repository()
            .sub("update-index")
            .args(["--replace", "-z", "--index-info"]);
        order.input(entries).run().await.map(drop)
    }

    fn differences(&self) -> Invocation {
        self.repository()
            .sub("diff-index")
            .args(["--cached", "--no-renames", "--ignore-submodules=all"])
    }

    /// Without the work tree: for all that only index and objects are needed for.
    fn repository(&self) -> Invocation {
        let git = self.git.ours(self.gitdir);
        git.env(ATTRIBUTES, self.against.as_str())
    }

    fn files(&self) -> Invocation {
        let git = self.git.ours_with_files(self.gitdir, self.clone);
        git.env(ATTRIBUTES, self.against.as_str())
    }
}

fn start_again(gitdir: &Path) -> Result<(), GitError> {
    for file in ["index", "index.lock"] {
        let file = gitdir.join(file);
        match fs::remove_file(&file) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::io("remove", file)(why));
            }
            _ => {}
        }
    }
    let file = gitdir.join("info/attributes");
    fs::write(&file, AS_THEY_ARE).map_err(GitError::io("write", &file))
}

/// The path of a file of the workspace.
pub(super) fn place(clone: &Path, path: &[u8]) -> PathBuf {
    clone.join(OsStr::from_bytes(path))
}
