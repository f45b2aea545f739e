//! The runtime's own repository, in which everything is judged.

use std::path::{Path, PathBuf};

use worknode_core::git::CommitId;

use crate::{
    blocking::off_thread,
    command::Invocation,
    error::GitError,
    git::Git,
    head::{self, HeadError},
    layout::{Format, Head, Layout},
    quarantine,
    refs::{self, Looked},
    repository::Repository,
};

/// A bare repository that only the runtime writes to. It borrows the user's objects, so that it
/// holds only what agents have made.
///
/// Nothing in it is ever thrown away by git: its housekeeping is off, because agents' clones
/// borrow from it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) git: Git,
    pub(crate) dir: PathBuf,
    pub(crate) format: Format,
    pub(crate) shallow: Option<Vec<u8>>,
    users_objects: PathBuf,
}

impl Store {
    /// The version of the git that it uses.
    #[must_use]
    pub fn git_version(&self) -> &str {
        self.git.version()
    }

    /// Opens the store at `dir`, creating it when it is not there. What it borrows from and its
    /// configuration are written anew each time: the user's repository may have moved.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn open(dir: &Path, repository: &Repository) -> Result<Self, GitError> {
        let dir = std::path::absolute(dir).map_err(GitError::io("find", dir))?;
        let layout = Layout {
            format: repository.format,
            head: Head::Nowhere,
            at: None,
            files: false,
            borrows: vec![repository.object_dir().to_owned()],
            shallow: repository.shallow().await?,
            identity: None,
        };
        let store = Self {
            git: repository.git.clone(),
            dir: dir.clone(),
            format: layout.format,
            shallow: layout.shallow.clone(),
            users_objects: repository.object_dir().to_owned(),
        };
        off_thread(move || {
            layout.write(&dir)?;
            quarantine::sweep(&dir);
            Ok::<_, GitError>(())
        })
        .await?;
        Ok(store)
    }

    /// Where the store is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The commit that an agent's clone stands on; `None` when its branch has no commit. The
    /// files are read by hand: git never runs in an agent's clone.
    ///
    /// # Errors
    /// When the clone is not as it was handed out.
    pub async fn head_of(&self, clone: &Path) -> Result<Option<CommitId>, HeadError> {
        let clone = clone.to_owned();
        off_thread(move || head::read(&clone)).await
    }

    /// The object folders that clones borrow from: the store's and the user's.
    pub(crate) fn lends(&self) -> Vec<PathBuf> {
        vec![self.dir.join("objects"), self.users_objects.clone()]
    }

    pub(crate) fn ours(&self) -> Invocation {
        self.git.ours(&self.dir)
    }

    /// Whether the store knows a ref.
    pub(crate) async fn has_ref(&self, name: &str) -> Result<bool, GitError> {
        match self.look(name).await? {
            Looked::At(_) => return Ok(true),
            Looked::Absent => return Ok(false),
            Looked::Unclear => {}
        }
        let asked = self.ours().sub("rev-parse").args(["--verify", "--quiet", name]);
        Ok(asked.accept(&[0, 1]).run().await?.code == 0)
    }

    async fn look(&self, name: &str) -> Result<Looked, GitError> {
        let (dir, name, format) = (self.dir.clone(), name.to_owned(), self.format);
        off_thread(move || Ok(refs::look(&dir, &name, format))).await
    }

    /// Names a commit that the store is known to have, so that it counts as wanted. The name
    /// ends with the commit's.
    pub(crate) async fn note(&self, name: String, commit: &CommitId) -> Result<(), GitError> {
        let (dir, commit) = (self.dir.clone(), commit.clone());
        off_thread(move || refs::write(&dir, &name, &commit)).await
    }

    /// As [`Self::note`], when the commit may not be there. That is an error then.
    pub(crate) async fn keep(&self, name: &str, commit: &CommitId) -> Result<(), GitError> {
        if self.look(name).await? == Looked::At(commit.clone()) {
            return Ok(());
        }
        let update = self.ours().sub("update-ref").args([name, commit.as_str()]);
        update.run().await.map(drop)
    }

    /// Takes a name away again.
    pub(crate) async fn forget(&self, name: &str) -> Result<(), GitError> {
        self.ours()
            .sub("update-ref")
            .args(["-d", name])
            .run()
            .await
            .map(drop)
    }
}
