//! Operating-system processes: start a run, watch it, keep its output, stop it, and say what
//! was stopped.
//!
//! A run is one command and everything that it starts. It works in its own directory, sees only
//! the environment it is given, and writes to two files that never grow beyond a bound.
//!
//! # How a run is held
//!
//! [`spawn`] gives each run a *shim*: a small process of the same program ([`shim_main`]) that
//! starts the agent and lives exactly as long as the run. The world gets handles ([`Shim`],
//! [`Stopper`]) that can be dropped at any time. The daemon may die at any time, too: the shim
//! goes on, watches the limits, keeps the output, and the next daemon takes over ([`adopt`]).
//!
//! The shim is the subreaper of the run and owner of its cgroup. A process that loses its parent
//! comes back to the shim, whatever its group and session are, so a double fork and `setsid` lead
//! nowhere. When the leader exits or a stop has had its grace, the shim kills everything in the
//! cgroup at once, then whatever descends from it, then whatever carries the run's mark
//! ([`MARK`]) in its environment, until nothing is left; only then it writes the record of the
//! end.
//!
//! When the shim itself is killed, the kernel kills the agent's first process with it, and the
//! daemon ends the rest by cgroup and mark ([`Adopted::Lost`]).
//!
//! Nothing is signalled whose identity is in doubt: every signal goes through a pidfd that was
//! checked against pid and start time, or, in [`stop_identity`], to a group of which a member
//! was recognised.
//!
//! # Where things are
//!
//! | module | what it holds |
//! |---|---|
//! | `spec` | what to start: [`SpawnSpec`], [`clean_env`], the search in `PATH` |
//! | `run`, `bounded` | [`spawn`]; [`run_to_end`]: a command with a time limit |
//! | `handle`, `link` | [`Shim`], [`Stopper`], and the task that keeps the connection |
//! | `adopt`, `lost` | [`adopt`]: the runs of an earlier daemon, and those whose shim died |
//! | `supervise` | the shim itself |
//! | `wire`, `record`, `text` | what daemon and shim say to each other, and what is on disk |
//! | `tree`, `cgroup`, `resources` | the processes of a run: see, signal, freeze, kill, measure |
//! | `adopted`, `group`, `stop` | [`stop_identity`]: a process that is known by its identity only |
//! | `identity`, `marked`, `belongs` | which process is meant, what carries a mark, whose it is |
//! | `log`, `report` | bounded files; [`Exit`], [`StopReport`] |
//! | `guarantees`, `sandbox` | what this machine lets us promise; what a run may reach |
//! | `procfs`, `watch` | the kernel's answers: `/proc` and pidfds |
//! | `disk` | how much room there is |

mod adopt;
mod adopted;
mod belongs;
mod bounded;
mod cgroup;
mod disk;
mod error;
mod fault;
mod group;
mod guarantees;
mod handle;
mod identity;
mod link;
mod log;
mod lost;
mod marked;
mod procfs;
mod record;
mod report;
mod resources;
mod run;
pub mod sandbox;
mod secret;
mod spec;
mod stop;
mod supervise;
mod text;
mod tree;
mod watch;
mod wire;

pub use adopt::{AdoptError, Adopted, adopt};
pub use adopted::stop_identity;
pub use belongs::shim_of;
pub use bounded::{Finished, run_to_end};
pub use cgroup::remove_left_cgroups;
pub use disk::free_bytes;
pub use error::{NotExecutable, Scarce, SpawnError};
#[cfg(feature = "faults")]
pub use fault::die_as_if_killed;
pub use guarantees::{Guarantees, guarantees};
pub use handle::{CallError, Notices, Shim, Stopper};
pub use identity::{Identify, Liveness};
pub use marked::{MARK, find_marked};
pub use report::{Exit, ExitStatus, Means, OutputReport, Reached, StopReport, StopStep, StreamReport};
pub use resources::Resources;
pub use run::{RunRequest, spawn};
pub use secret::Secret;
pub use spec::{DEFAULT_ENV, Input, SpawnSpec, clean_env, is_executable};
pub use supervise::shim_main;
pub use wire::{Limits, Notice};
