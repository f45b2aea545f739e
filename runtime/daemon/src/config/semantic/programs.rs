//! Does the program of a command exist?

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::config::path::shown;

/// Why a program cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// Nothing between the quotes.
    #[error("the program has no name")]
    Nameless,
    /// No such file.
    #[error("there is no program `{0}`")]
    NoFile(String),
    /// On no part of `PATH`.
    #[error("there is no program `{0}` on PATH")]
    NotOnPath(String),
    /// A directory.
    #[error("`{0}` is not a file")]
    NotAFile(String),
    /// Nobody may execute it.
    #[error("`{0}` is not executable")]
    NotExecutable(String),
}

impl Trouble {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Nameless | Self::NotAFile(_) => None,
            Self::NoFile(_) => Some("the path is relative to the repository".to_owned()),
            Self::NotOnPath(name) if name.contains(char::is_whitespace) => {
                Some("a command is a list: each argument is a string of its own".to_owned())
            }
            Self::NotOnPath(_) => Some("install it, or write its path".to_owned()),
            Self::NotExecutable(name) => Some(format!("chmod +x {name}")),
        }
    }
}

/// Looks for programs, for each name once.
#[derive(Debug)]
pub(super) struct Programs<'a> {
    repository: &'a Path,
    search: Vec<PathBuf>,
    known: BTreeMap<String, Result<(), Trouble>>,
}

impl<'a> Programs<'a> {
    pub(super) fn new(repository: &'a Path, search: &str) -> Self {
        Self {
            repository,
            // A relative folder would be another one for each agent.
            search: std::env::split_paths(search)
                .filter(|folder| folder.is_absolute())
                .collect(),
            known: BTreeMap::new(),
        }
    }

    /// # Errors
    /// [`Trouble`] when it could not be started.
    pub(super) fn find(&mut self, program: &str) -> Result<(), Trouble> {
        if let Some(known) = self.known.get(program) {
            return known.clone();
        }
        let found = self.look(program);
        self.known.insert(program.to_owned(), found.clone());
        found
    }

    fn look(&self, program: &str) -> Result<(), Trouble> {
        let name = shown(program);
        if program.trim().is_empty() {
            return Err(Trouble::Nameless);
        }
        if program.contains('/') {
            return executable(&self.repository.join(program), name);
        }
        let mut trouble = Trouble::NotOnPath(name.clone());
        for folder in &self.search {
            match executable(&folder.join(program), name.clone()) {
                Ok(()) => return Ok(()),
                Err(found @ Trouble::NotExecutable(_)) => trouble = found,
                Err(_) => {}
            }
        }
        Err(trouble)
    }
}

fn executable(path: &Path, name: String) -> Result<(), Trouble> {
    match path.metadata() {
        Err(_) => Err(Trouble::NoFile(name)),
        Ok(metadata) if !metadata.is_file() => Err(Trouble::NotAFile(name)),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Err(Trouble::NotExecutable(name)),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_where_they_would_be_started() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, mode: u32| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        put("plain", 0o644);
        let absolute = put("tool", 0o755);
        let search = format!("relative:{}", dir.path().display());
        let mut programs = Programs::new(dir.path(), &search);
        for good in ["tool", "./tool", absolute.as_str()] {
            assert_eq!(programs.find(good), Ok(()), "{good}");
        }
        for (bad, trouble) in [
            ("", Trouble::Nameless),
            ("tool -v", Trouble::NotOnPath("tool -v".into())),
            ("./other", Trouble::NoFile("./other".into())),
            ("plain", Trouble::NotExecutable("plain".into())),
            ("./plain", Trouble::NotExecutable("./plain".into())),
            ("./.", Trouble::NotAFile("./.".into())),
        ] {
            assert_eq!(programs.find(bad), Err(trouble.clone()), "{bad}");
            assert_eq!(programs.find(bad), Err(trouble), "{bad}");
        }
    }
}
