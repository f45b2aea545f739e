//! Why a run could not be started, in words that say what to do.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use crate::wire::Failure;

/// A run that could not be started. Nothing of it is left behind but its empty output files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program.
    #[error("the program `{}` was not found{}", .program.display(), place(.searched.as_deref()))]
    ProgramNotFound {
        /// As it was asked for.
        program: PathBuf,
        /// The `PATH` that was searched; `None` for a program given with its path.
        searched: Option<String>,
    },
    /// The program is there and cannot be executed.
    #[error("`{}` cannot be executed: {reason}", .program.display())]
    NotExecutable {
        /// The file.
        program: PathBuf,
        /// What is wrong with it.
        reason: NotExecutable,
    },
    /// The working directory cannot be used.
    #[error("the working directory `{}` cannot be used: {reason}", .path.display())]
    WorkingDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// An output file could not be created.
    #[error("the output file `{}` cannot be created: {reason}", .path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Both streams were to go to the same file.
    #[error("standard output and standard error cannot both go to `{}`", .path.display())]
    SameOutput {
        /// The file.
        path: PathBuf,
    },
    /// There is no room on the disk for an output file.
    #[error("the disk that holds `{}` is full", .path.display())]
    DiskFull {
        /// The file that could not be created.
        path: PathBuf,
    },
    /// The machine, or this user, has no more of something.
    #[error("`{}` cannot be started: {what}", .program.display())]
    Exhausted {
        /// The program.
        program: PathBuf,
        /// What there is too little of.
        what: Scarce,
    },
    /// The arguments or the environment are not what the kernel takes.
    #[error("`{}` cannot be started: {why}", .program.display())]
    Unacceptable {
        /// The program.
        program: PathBuf,
        /// What is wrong with them.
        why: &'static str,
    },
    /// The box that it was to run in could not be closed around it.
    #[error("`{}` was not started: {reason}", .program.display())]
    Sandbox {
        /// The program.
        program: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A run was started in this directory before.
    #[error("a run was started in `{}` before; each start needs a directory of its own", .dir.display())]
    AlreadyStarted {
        /// The directory.
        dir: PathBuf,
    },
    /// The process that supervises it cannot do its work.
    #[error("`{}` was not started, because its supervisor `{}` {what}: {reason}", .program.display(), .shim.display())]
    Shim {
        /// The program.
        program: PathBuf,
        /// The program of the supervisor.
        shim: PathBuf,
        /// What it cannot do.
        what: String,
        /// What the system said.
        reason: io::Error,
    },
    /// Anything else.
    #[error("`{}` cannot be started: {reason}", .program.display())]
    Other {
        /// The program.
        program: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// Why a file cannot be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotExecutable {
    /// It is a directory.
    Directory,
    /// Its mode, or the mode of a directory above it, forbids it.
    Permission,
    /// It is not a program for this machine, nor a script that names its interpreter.
    Format,
    /// The interpreter or loader that it names does not exist.
    Interpreter,
    /// Somebody has it open for writing.
    Busy,
}

impl fmt::Display for NotExecutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "it is a directory",
            Self::Permission => "permission denied; check its mode (chmod +x) and its directories",
            Self::Format => "it is neither a program for this machine nor a script that begins with `#!`",
            Self::Interpreter => "the interpreter that it names does not exist",
            Self::Busy => "somebody is still writing it",
        })
    }
}

/// What the machine has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scarce {
    /// Processes (`ulimit -u`, or the limit of a cgroup).
    Processes,
    /// Open files (`ulimit -n`).
    Files,
    /// Memory.
    Memory,
}

impl fmt::Display for Scarce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Processes => "too many processes (see `ulimit -u` and the limit of the cgroup)",
            Self::Files => "too many open files (see `ulimit -n`)",
            Self::Memory => "out of memory",
        })
    }
}

fn place(searched: Option<&str>) -> String {
    searched.map_or_else(String::new, |path| format!(" in PATH ({path})"))
}

/// The scarcity behind an error, if it is one.
fn scarcity(error: &io::Error) -> Option<Scarce> {
    match Errno::from_io_error(error)? {
        Errno::AGAIN => Some(Scarce::Processes),
        Errno::MFILE | Errno::NFILE => Some(Scarce::Files),
        Errno::NOMEM => Some(Scarce::Memory),
        _ => None,
    }
}

impl SpawnError {
    /// From what the system said to starting `program`, whose file and working directory were
    /// there a moment ago.
    pub(crate) fn from_start(program: &Path, reason: io::Error) -> Self {
        let program = program.to_path_buf();
        if let Some(what) = scarcity(&reason) {
            return Self::Exhausted { program, what };
        }
        let not_executable = match Errno::from_io_error(&reason) {
            Some(Errno::ACCESS | Errno::PERM) => NotExecutable::Permission,
            Some(Errno::NOEXEC) => NotExecutable::Format,
            Some(Errno::NOENT) => NotExecutable::Interpreter,
            Some(Errno::TXTBSY) => NotExecutable::Busy,
            errno => return Self::from_arguments(program, errno, reason),
        };
        Self::NotExecutable {
            program,
            reason: not_executable,
        }
    }

    /// The program is not to blame: what it is given may be.
    fn from_arguments(program: PathBuf, errno: Option<Errno>, reason: io::Error) -> Self {
        let why = match errno {
            Some(Errno::TOOBIG) => "its arguments and environment are too long together",
            None if reason.kind() == io::ErrorKind::InvalidInput => {
                "an argument or a variable contains a NUL byte"
            }
            _ => return Self::Other { program, reason },
        };
        Self::Unacceptable { program, why }
    }

    /// From what the shim answered.
    pub(crate) fn from_failure(failure: Failure, program: &Path, shim: &Path, dir: &Path) -> Self {
        let program = program.to_path_buf();
        match failure {
            Failure::Exec(cause) => Self::from_start(&program, cause.into()),
            Failure::Output { path, cause } => Self::from_output(&path, cause.into()),
            Failure::Sandbox(reason) => Self::Sandbox { program, reason },
            Failure::Taken => Self::AlreadyStarted {
                dir: dir.to_path_buf(),
            },
            Failure::Shim { doing, cause } => {
                Self::from_shim(&program, shim, format!("cannot {doing}"), cause.into())
            }
        }
    }

    /// From what the system said to something that the shim needs.
    pub(crate) fn from_shim(program: &Path, shim: &Path, what: impl Into<String>, reason: io::Error) -> Self {
        let program = program.to_path_buf();
        match scarcity(&reason) {
            Some(what) => Self::Exhausted { program, what },
            None => Self::Shim {
                program,
                shim: shim.to_path_buf(),
                what: what.into(),
                reason,
            },
        }
    }

    /// From what the system said to creating an output file.
    pub(crate) fn from_output(path: &Path, reason: io::Error) -> Self {
        let path = path.to_path_buf();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Output { path, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_become_words_that_help() {
        let say = |errno: Errno| SpawnError::from_start(Path::new("/bin/agent"), errno.into()).to_string();
        assert!(say(Errno::AGAIN).contains("too many processes"));
        assert!(say(Errno::MFILE).contains("ulimit -n"));
        assert!(say(Errno::NOEXEC).contains("#!"));
        assert!(say(Errno::NOENT).contains("interpreter"));
        assert!(say(Errno::TOOBIG).contains("too long"));
        assert!(say(Errno::IO).contains("/bin/agent"));
        let full = SpawnError::from_output(Path::new("/runs/out"), Errno::NOSPC.into());
        assert_eq!(full.to_string(), "the disk that holds `/runs/out` is full");
    }
}
