//! The git program: found once, its version checked once, and the two surroundings in which it
//! is ever started.

use std::{
    ffi::{OsStr, OsString},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{command::Invocation, error::GitError};

/// The first version with `git merge-tree --write-tree`, on which candidates rest.
const OLDEST: (u32, u32) = (2, 38);

/// Settings that hold for every command, whatever a configuration file says: no hooks, no file
/// watcher (which is a program of the repository's choice), no housekeeping in the background.
const ALWAYS: [&str; 6] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "protocol.file.allow=always",
];

/// Variables of the user's that git needs in the user's own repository: where the settings are,
/// and who commits. Everything else stays outside.
const USERS: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME"];

/// A git program that is new enough. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Git(Arc<Program>);

#[derive(Debug)]
struct Program {
    file: PathBuf,
    path: OsString,
    users: Vec<(&'static str, OsString)>,
    version: String,
}

impl Git {
    /// The `git` on `PATH`.
    ///
    /// # Errors
    /// When there is none, or it is older than 2.38.
    pub async fn find() -> Result<Self, GitError> {
        Self::at("git").await
    }

    /// A certain git program.
    ///
    /// # Errors
    /// When it cannot be started, or it is older than 2.38.
    pub async fn at(program: impl Into<PathBuf>) -> Result<Self, GitError> {
        // The environment is read here, once; nothing below looks at it again.
        let users = USERS
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let unchecked = Self(Arc::new(Program {
            file: resolved(program.into(), &path),
            path,
            users: users.collect(),
            version: String::new(),
        }));
        let answer = unchecked.bare_invocation().arg("version").text().await?;
        let version = check(&unchecked.0.file, &answer)?;
        Ok(Self(Arc::new(Program {
            file: unchecked.0.file.clone(),
            path: unchecked.0.path.clone(),
            users: unchecked.0.users.clone(),
            version,
        })))
    }

    /// What `git version` says, without the words before the number.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// A command in a repository that the runtime made itself. No configuration but the one that
    /// the runtime wrote is in force.
    pub(crate) fn ours(&self, gitdir: &Path) -> Invocation {
        self.sealed(gitdir, None)
    }

    /// As [`Self::ours`], with a work tree.
    pub(crate) fn ours_with_files(&self, gitdir: &Path, work_tree: &Path) -> Invocation {
        self.sealed(gitdir, Some(work_tree))
    }

    fn sealed(&self, gitdir: &Path, work_tree: Option<&Path>) -> Invocation {
        let mut invocation = self
            .bare_invocation()
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_ALLOW_PROTOCOL", "file")
            .env("GIT_AUTHOR_NAME", "Worknode")
            .env("GIT_AUTHOR_EMAIL", "worknode@localhost")
            .env("GIT_COMMITTER_NAME", "Worknode")
            .env("GIT_COMMITTER_EMAIL", "worknode@localhost")
            .option("--git-dir", gitdir);
        if let Some(folder) = work_tree {
            invocation = invocation.option("--work-tree", folder);
        }
        invocation.settings(&ALWAYS)
    }

    /// A command in the user's own repository: the user's identity and filters are in force,
    /// hooks are not.
    pub(crate) fn users(&self, folder: &Path) -> Invocation {
        let mut invocation = self.bare_invocation();
        for (name, value) in &self.0.users {
            invocation = invocation.env(name, value);
        }
        invocation.arg("-C").arg(folder).settings(&ALWAYS)
    }

    fn bare_invocation(&self) -> Invocation {
        Invocation::new(&self.0.file)
            .env("PATH", &self.0.path)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            // A replaced object would be judged as something other than what it is.
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_EDITOR", "false")
            .env("GIT_PAGER", "cat")
    }
}

/// The place of a program that is only named. Found once: a start by place is quicker, and it is
/// the same program each time. What is not found is left as it is; the start says so.
fn resolved(program: PathBuf, path: &OsStr) -> PathBuf {
    if program.components().count() > 1 || program.is_absolute() {
        return program;
    }
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&program))
        .find(|file| std::fs::metadata(file).is_ok_and(|seen| seen.is_file() && seen.mode() & 0o111 != 0))
        .unwrap_or(program)
}

/// The version in the answer of `git version`, when it is new enough.
fn check(program: &Path, answer: &str) -> Result<String, GitError> {
    let not_git = || GitError::NotGit {
        program: program.display().to_string(),
        answer: answer.chars().take(200).collect(),
    };
    let version = answer.trim().strip_prefix("git version ").ok_or_else(not_git)?;
    let mut numbers = version
        .split(['.', ' ', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
        return Err(not_git());
    };
    if (major, minor) < OLDEST {
        return Err(GitError::TooOld {
            found: version.to_owned(),
        });
    }
    Ok(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_vendors_write_them() {
        let program = Path::new("git");
        for new in [
            "git version 2.38.0",
            "git version 2.39.5 (Apple Git-154)\n",
            "git version 2.47.3.windows.1",
            "git version 3.0-rc1",
        ] {
            assert!(check(program, new).is_ok(), "{new}");
        }
        for old in ["git version 2.37.9", "git version 1.99.0"] {
            assert!(
                matches!(check(program, old), Err(GitError::TooOld { .. })),
                "{old}"
            );
        }
        for other in ["", "hello", "git version ", "git version two"] {
            assert!(
                matches!(check(program, other), Err(GitError::NotGit { .. })),
                "{other}"
            );
        }
    }

    #[tokio::test]
    async fn a_named_program_is_found_once() {
        let found = Git::find().await.unwrap();
        assert!(found.0.file.is_absolute(), "{}", found.0.file.display());
        let dir = tempfile::tempdir().unwrap();
        // Neither a folder, nor a file that cannot be run, nor a relative place.
        std::fs::create_dir_all(dir.path().join("a/git")).unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        std::fs::write(dir.path().join("b/git"), "").unwrap();
        let path = std::env::join_paths([dir.path().join("a"), dir.path().join("b"), "c".into()]).unwrap();
        assert_eq!(resolved("git".into(), &path), Path::new("git"));
        assert_eq!(resolved("./git".into(), &path), Path::new("./git"));
    }

    #[tokio::test]
    async fn a_missing_git_is_said_to_be_missing() {
        let error = Git::at("/nowhere/git").await.unwrap_err();
        assert!(matches!(error, GitError::Missing { .. }));
        assert!(error.to_string().contains("2.38"), "{error}");
    }
}
