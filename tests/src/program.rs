//! The real program, started as a user would.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

use crate::schema::check_answer;

/// The `worknode` program, which cargo builds beside the tests and benchmarks of its package.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // This is `target/PROFILE/deps/e2e-HASH`; the program is `target/PROFILE/worknode`.
        let own = std::env::current_exe().unwrap();
        let binary = own.parent().and_then(Path::parent).unwrap().join("worknode");
        assert!(binary.is_file(), "{} was not built", binary.display());
        binary
    })
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Done {
    /// Its standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Asserts that it succeeded, and hands it on.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Asserts that it failed with this exit code, and hands it on.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts that it said all of this, wherever.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stdout.contains(word) || self.stderr.contains(word),
                "no `{word}` in {self:#?}"
            );
        }
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The program on a directory, not yet started. Nothing of the caller's configuration or of an
/// agent around it reaches it.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("-C").arg(dir).stdin(Stdio::null()).current_dir(dir);
    command
        .env("XDG_CONFIG_HOME", dir.join(".no-config"))
        .env("RUST_LOG", "warn")
        .env("NO_COLOR", "1");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WORKNODE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program to its end. What it answers in JSON must be what its schema says.
#[track_caller]
pub fn worknode<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Done {
    let args: Vec<String> = args
        .into_iter()
        .map(|arg| arg.as_ref().to_string_lossy().into_owned())
        .collect();
    let done: Done = command(dir).args(&args).output().unwrap().into();
    if done.code == Some(0) && args.iter().any(|arg| arg == "--json") {
        check_answer(dir, &args, &done.stdout);
    }
    done
}
