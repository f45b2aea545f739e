//! What to start, and with which environment.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use crate::{
    error::{NotExecutable, SpawnError},
    sandbox::Sandbox,
    text,
};

/// A command to run.
#[derive(Clone, Serialize, Deserialize)]
pub struct SpawnSpec {
    /// The program: a path, or a name that is searched in the `PATH` of [`Self::env`]. A
    /// relative path is relative to [`Self::cwd`].
    #[serde(with = "text")]
    pub program: PathBuf,
    /// Its arguments, without its name.
    #[serde(with = "text::list")]
    pub args: Vec<OsString>,
    /// The complete environment, but for the run's mark ([`MARK`](crate::MARK)), which is
    /// added. Nothing is inherited.
    #[serde(with = "text::map")]
    pub env: BTreeMap<OsString, OsString>,
    /// Its working directory.
    #[serde(with = "text")]
    pub cwd: PathBuf,
    /// Where its standard input comes from.
    pub stdin: Input,
    /// The file that gets standard output. An existing one is replaced.
    #[serde(with = "text")]
    pub stdout: PathBuf,
    /// The file that gets standard error. Not the same as [`Self::stdout`].
    #[serde(with = "text")]
    pub stderr: PathBuf,
    /// Bytes kept on disk of each stream. At half of it the file is renamed to end in `.1` and
    /// a new one begins, so the last half is always there; what is older is dropped and counted.
    pub output_limit: u64,
    /// What it may reach; `None` for everything that this user may.
    pub sandbox: Option<Sandbox>,
}

/// Where standard input comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// It is at its end from the beginning.
    #[default]
    Closed,
    /// A pipe that the shim holds open; see [`Shim::input`](crate::Shim::input).
    Held,
}

/// Values of variables and arguments may be secret; their names are not.
impl fmt::Debug for SpawnSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnSpec")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.keys())
            .field("cwd", &self.cwd)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("stdin", &self.stdin)
            .field("output_limit", &self.output_limit)
            .field("sandbox", &self.sandbox)
            .finish()
    }
}

/// What a run may know of the environment of the daemon: who and where it is, how to speak, and
/// how to reach and trust the network. A trailing `*` stands for any ending.
pub const DEFAULT_ENV: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TERM",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_DIRS",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
];

/// Never copied, whatever a list allows. They tell a client that it runs inside another one, or
/// name the run that started this daemon; an agent that believes them behaves differently.
const NEVER: &[&str] = &[
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SSE_PORT",
    "CODEX_SANDBOX*",
    "GEMINI_CLI",
    "OPENCODE",
    "WORKNODE_*",
];

/// The variables of this process that `allow` names, as far as they exist. A name that ends in
/// `*` allows every variable that begins with what is before it. Start from [`DEFAULT_ENV`].
#[must_use]
pub fn clean_env(allow: &[&str]) -> BTreeMap<OsString, OsString> {
    select(env::vars_os(), allow)
}

fn select(
    variables: impl Iterator<Item = (OsString, OsString)>,
    allow: &[&str],
) -> BTreeMap<OsString, OsString> {
    variables
        .filter(|(name, _)| named(name, allow) && !named(name, NEVER))
        .collect()
}

fn named(name: &OsStr, list: &[&str]) -> bool {
    let name = name.as_encoded_bytes();
    list.iter().any(|entry| match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning.as_bytes()),
        None => name == entry.as_bytes(),
    })
}

impl SpawnSpec {
    /// The file to execute.
    ///
    /// Searched here and not by the standard library: that would search the daemon's `PATH`, or
    /// fork, which is slow in a large process.
    pub(crate) fn executable(&self) -> Result<PathBuf, SpawnError> {
        if self.program.as_os_str().is_empty() {
            return Err(self.not_found(None));
        }
        if self.program.as_os_str().as_encoded_bytes().contains(&b'/') {
            let path = self.cwd.join(&self.program);
            return match check_executable(&path) {
                Ok(()) => Ok(absolute(path)),
                Err(Unusable::Missing) => Err(self.not_found(None)),
                Err(Unusable::Present(reason)) => Err(SpawnError::NotExecutable {
                    program: path,
                    reason,
                }),
            };
        }
        self.search()
    }

    /// The first executable file of that name in `PATH`. A file that is there and cannot be
    /// executed is passed over, as shells do, and named when nothing better is found.
    fn search(&self) -> Result<PathBuf, SpawnError> {
        let searched = self.env.get(OsStr::new("PATH"));
        let mut refused = None;
        for directory in searched.iter().flat_map(env::split_paths) {
            let candidate = self.cwd.join(directory).join(&self.program);
            match check_executable(&candidate) {
                Ok(()) => return Ok(absolute(candidate)),
                Err(Unusable::Missing) => {}
                Err(Unusable::Present(reason)) => {
                    refused.get_or_insert(SpawnError::NotExecutable {
                        program: candidate,
                        reason,
                    });
                }
            }
        }
        let path = searched.map_or_else(
            || "no PATH was given".to_owned(),
            |path| path.display().to_string(),
        );
        Err(refused.unwrap_or_else(|| self.not_found(Some(path))))
    }

    fn not_found(&self, searched: Option<String>) -> SpawnError {
        SpawnError::ProgramNotFound {
            program: self.program.clone(),
            searched,
        }
    }

    /// What can be said to be wrong before anything is started.
    pub(crate) fn check(&self) -> Result<(), SpawnError> {
        self.check_cwd()?;
        if self.stdout == self.stderr {
            return Err(SpawnError::SameOutput {
                path: self.stdout.clone(),
            });
        }
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        let has_nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
        if self.args.iter().chain(variables).any(has_nul) {
            return Err(SpawnError::Unacceptable {
                program: self.program.clone(),
                why: "an argument or a variable contains a NUL byte",
            });
        }
        Ok(())
    }

    /// Says what is wrong with the working directory, before the kernel's "no such file" could
    /// be taken for a missing program.
    fn check_cwd(&self) -> Result<(), SpawnError> {
        let reason = match fs::metadata(&self.cwd) {
            Ok(found) if found.is_dir() => match access(&self.cwd, Access::EXEC_OK) {
                Ok(()) => return Ok(()),
                Err(error) => error.into(),
            },
            Ok(_) => io::Error::from(io::ErrorKind::NotADirectory),
            Err(error) => error,
        };
        Err(SpawnError::WorkingDirectory {
            path: self.cwd.clone(),
            reason,
        })
    }
}

/// The child changes its directory before it executes: a relative path would lead elsewhere.
pub(crate) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

enum Unusable {
    Missing,
    Present(NotExecutable),
}

/// Would a program of this name be run, where it is searched for? It is a file, and may be executed.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    check_executable(path).is_ok()
}

fn check_executable(path: &Path) -> Result<(), Unusable> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Unusable::Present(NotExecutable::Directory)),
        Ok(_) => access(path, Access::EXEC_OK).map_err(|_| Unusable::Present(NotExecutable::Permission)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Unusable::Present(NotExecutable::Permission))
        }
        Err(_) => Err(Unusable::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(variables: &[&str], allow: &[&str]) -> Vec<String> {
        let given = variables
            .iter()
            .map(|name| (OsString::from(name), OsString::from("x")));
        select(given, allow)
            .into_keys()
            .map(|name| name.into_string().unwrap())
            .collect()
    }

    #[test]
    fn only_allowed_variables_are_copied() {
        let given = [
            "PATH",
            "PATHX",
            "LC_ALL",
            "LC_",
            "AWS_SECRET_ACCESS_KEY",
            "CLAUDECODE",
        ];
        assert_eq!(names(&given, DEFAULT_ENV), ["LC_", "LC_ALL", "PATH"]);
        assert!(names(&given, &[]).is_empty());
    }

    #[test]
    fn marks_of_an_outer_session_are_never_copied() {
        let given = [
            "CLAUDECODE",
            "WORKNODE_RUN",
            "CODEX_SANDBOX_NETWORK_DISABLED",
            "CLAUDE_CONFIG_DIR",
        ];
        assert_eq!(names(&given, &["*"]), ["CLAUDE_CONFIG_DIR"]);
        assert!(names(&["CLAUDECODE"], &["CLAUDECODE"]).is_empty());
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        let spec = SpawnSpec {
            program: "agent".into(),
            args: vec!["--token=hunter2".into()],
            env: BTreeMap::from([("KEY".into(), "hunter2".into())]),
            cwd: "/".into(),
            stdout: "out".into(),
            stderr: "err".into(),
            stdin: Input::Closed,
            output_limit: 0,
            sandbox: None,
        };
        let shown = format!("{spec:?}");
        assert!(shown.contains("KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
