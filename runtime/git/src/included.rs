//! Files that git ignores and that workspaces need all the same, as `.env`: `.worktreeinclude` names
//! them, in the language of `.gitignore`.

use crate::{error::GitError, path::nul_separated, repository::Repository};

/// Where they are named.
const FILE: &str = ".worktreeinclude";
/// Bytes of the list of them.
const LISTING: usize = 1024 * 1024;

impl Repository {
    /// The files in the work tree that git ignores and that `.worktreeinclude` names, relative to its
    /// top, as far as their names are UTF-8. What git does not ignore is not among them: it would
    /// look like work of the agent.
    ///
    /// # Errors
    /// When git cannot be asked, or the list is longer than 1 MiB.
    pub async fn included(&self) -> Result<Vec<String>, GitError> {
        let names = self.root().join(FILE);
        if !names.is_file() {
            return Ok(Vec::new());
        }
        let named = self
            .users()
            .sub("ls-files")
            .args(["--others", "--ignored", "-z"])
            .arg(format!("--exclude-from={}", names.display()))
            .at_most(LISTING)
            .run()
            .await?
            .stdout;
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let ignored = self
            .users()
            .sub("check-ignore")
            .args(["--stdin", "-z"])
            .at_most(LISTING)
            .input(named)
            // None of them is ignored.
            .accept(&[0, 1])
            .run()
            .await?
            .stdout;
        let names = nul_separated(&ignored).filter_map(|name| std::str::from_utf8(name).ok());
        Ok(names.map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{World, write};

    #[tokio::test]
    async fn what_is_ignored_and_named_is_included() {
        let world = World::new().await;
        let repository = &world.repository;
        assert_eq!(repository.included().await.unwrap(), [""; 0]);
        let here = world.user();
        write(&here, ".gitignore", ".env*\n/cache/\n");
        write(
            &here,
            ".worktreeinclude",
            ".env*\n!.env.secret\nnotes.txt\nconfig/*.local\n",
        );
        for name in [
            ".env",
            ".env.secret",
            "app/.env.test",
            "cache/big",
            "notes.txt",
            "config/a.local",
        ] {
            write(&here, name, "x");
        }
        let mut found = repository.included().await.unwrap();
        found.sort();
        assert_eq!(found, [".env", "app/.env.test"], "not what git would show as new");
    }
}
