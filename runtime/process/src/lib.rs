//! Operating-system processes: start a run, watch it, keep its output, stop it, and say what
//! was stopped.
//!
//! A run is one command. It leads a process group of its own, works in its own directory, sees
//! only the environment it is given, reads nothing from standard input, and writes to two files
//! that never grow beyond a bound.
//!
//! # How a run is held
//!
//! [`spawn`] gives each run one *keeper*: a task that owns the child process. The world gets
//! handles ([`Process`], [`Stopper`], [`Activity`]) that can be dropped at any time. The keeper
//! learns of the exit from the kernel (a pidfd becomes readable); nothing here polls.
//!
//! The keeper does not reap the leader until the rest of its group is gone. An exited leader
//! that nobody has waited for still holds its number, so the group's number cannot come to mean
//! anything else while signals are being sent to it.
//!
//! A process that this daemon did not start ([`stop_identity`]) is not held that way. There
//! every signal is preceded by a check of pid, start time and boot id, and when the check leaves
//! a doubt nothing is sent.
//!
//! # What a group does not hold
//!
//! A descendant that called `setsid` or `setpgid` has left the group, and neither the keeper nor
//! [`stop_identity`] sees it. [`find_marked`] does, as long as it kept the run's mark in its
//! environment. To prove that nothing of a run is left, stop the run, then stop what
//! [`find_marked`] returns until it returns nothing.
//!
//! # Where things are
//!
//! | module | what it holds |
//! |---|---|
//! | `spec` | what to start: [`SpawnSpec`], [`clean_env`], the search in `PATH` |
//! | `run` | [`spawn`], [`Process`], [`Stopper`] |
//! | `bounded` | [`run_to_end`]: a command with a time limit |
//! | `keeper` | the task that owns a child from its start to its report |
//! | `group` | the members of a process group: when they may be signalled, and why |
//! | `stop` | bringing a group down |
//! | `adopted` | [`stop_identity`]: what an earlier daemon started |
//! | `identity` | [`Identify`]: which process is meant |
//! | `marked` | [`find_marked`]: what carries a run's mark |
//! | `output`, `log` | pipes into bounded files, [`Activity`] |
//! | `report` | [`Exit`], [`StopReport`] |
//! | `procfs`, `watch` | the kernel's answers: `/proc` and pidfds |
//!
//! The public interface speaks of runs, not of how they are held. Callers will not change when
//! a run gets a shim, a cgroup or a sandbox beneath it.

mod adopted;
mod bounded;
mod error;
mod group;
mod identity;
mod keeper;
mod log;
mod marked;
mod output;
mod procfs;
mod report;
mod run;
mod spec;
mod stop;
mod watch;

pub use adopted::stop_identity;
pub use bounded::{Finished, run_to_end};
pub use error::{NotExecutable, Scarce, SpawnError};
pub use identity::{Identify, Liveness};
pub use marked::find_marked;
pub use output::Activity;
pub use report::{Exit, ExitStatus, OutputReport, StopReport, StopStep, StreamReport};
pub use run::{Process, Stopper, spawn};
pub use spec::{DEFAULT_ENV, SpawnSpec, clean_env};
