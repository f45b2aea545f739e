//! What a process may reach: files, ports, other processes.
//!
//! A box is closed from inside, in the moment before an exec, and nothing that runs in it can
//! open it again. Four things of the kernel make it:
//!
//! | what | says | where |
//! |---|---|---|
//! | `no_new_privs` | no program gives more rights than its caller had | here |
//! | Landlock | which files, TCP ports, processes, abstract sockets | `rules`, `places` |
//! | capabilities | what root may do | `powers` |
//! | seccomp | what Landlock has no words for: UDP, namespaces, `io_uring` | `calls` |
//!
//! [`support`] says which of them this machine has, and what even all of them do not cover.
//!
//! There is no mount namespace. It would cover one thing more, the metadata of files outside
//! (mode, times, attributes), but a bind mount divides places between which git and cargo make
//! hard links, and an ordinary user gets one only with a user namespace, in which files belong
//! to nobody.

mod calls;
mod places;
mod powers;
mod rules;
mod support;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use support::{Support, support};

/// What a process, and everything it starts, may reach.
///
/// Reading and executing are allowed everywhere except beneath [`Self::hide`]; changing nowhere
/// except where [`Self::write`] and [`Self::modify`] say so. The usual devices (`/dev/null`,
/// terminals, and so on) are always open, every other device is hidden: a disk can be read past
/// all rules about its files.
///
/// `write`, `modify` and `read` name real places, absolute and without a symbolic link on the way:
/// a link that an earlier process in a box left behind would otherwise open what it points to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Beneath these it may do everything to files, except make device nodes.
    pub write: Vec<PathBuf>,
    /// These files it may change in place; not create, rename or delete.
    pub modify: Vec<PathBuf>,
    /// Beneath these it may read no file, except what `read`, `write` and `modify` name. What is
    /// not there yet is hidden too.
    ///
    /// The kernel only knows what is allowed. So each entry beside the way to a hidden place is
    /// allowed by itself when the process starts, which has three consequences: a file created
    /// later beside that way (in `/home/x`, when `/home/x/keys` is hidden) cannot be read; in a
    /// directory on the way that cannot be listed nothing beside it can be read; and a
    /// directory on the way with very many entries is an error. Names, sizes and times stay
    /// visible everywhere, and so does a hidden file that has another name in a place that is
    /// not hidden (a hard link, a bind mount).
    pub hide: Vec<PathBuf>,
    /// Beneath these it may read although they are hidden. What is not there is left out.
    pub read: Vec<PathBuf>,
    /// TCP ports that it may connect to, on any host.
    ///
    /// The network is limited when this or [`Self::bind`] is given; then the other one, when it
    /// is `None`, allows nothing. A limited network is TCP to and on the ports that are named:
    /// no UDP, so no names are looked up by DNS, no raw packets, no other protocols.
    pub connect: Option<Vec<u16>>,
    /// TCP ports that it may bind; `0` stands for those that the kernel picks when none is asked
    /// for. A limited process can still listen at a port of the kernel's choice without binding.
    #[serde(default)]
    pub bind: Option<Vec<u16>>,
    /// Refuse Unix sockets, except pairs of them. Whoever can reach a service manager or a
    /// container engine by its socket can have processes started outside of the box, and rules
    /// about files do not cover that.
    #[serde(default)]
    pub no_unix_sockets: bool,
    /// Start although the kernel cannot enforce all of it.
    pub best_effort: bool,
}

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforced {
    /// Version of the kernel's Landlock interface; zero when there is none.
    pub landlock: u32,
    /// Whether system calls are filtered.
    #[serde(default)]
    pub filtered: bool,
    /// What was asked and is not in force, in words.
    pub missing: Vec<String>,
}

/// Why a process was not boxed. It may be boxed in part: it must not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The kernel cannot.
    #[error("the kernel cannot enforce the sandbox: {missing}")]
    Unsupported {
        /// What.
        missing: String,
    },
    /// A place that the sandbox names cannot be used.
    #[error("the sandbox cannot use `{}`: {why}", .path.display())]
    Place {
        /// As it was named, or found on the way.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What is to be hidden lies where everything is allowed.
    #[error("`{}` cannot be hidden, because all beneath `{}` is writable; write to a narrower place", .hidden.display(), .writable.display())]
    Contradiction {
        /// To be hidden.
        hidden: PathBuf,
        /// To be writable.
        writable: PathBuf,
    },
    /// Too many files beside what is to be hidden.
    #[error("more than {limit} entries have to be opened to hide something beneath `{}`; hide that directory, and allow what may be read of it", .path.display())]
    Crowded {
        /// The directory at which it was too much.
        path: PathBuf,
        /// How many are allowed.
        limit: usize,
    },
    /// The kernel has it and refused.
    #[error("the kernel refused {what}: {reason}")]
    Refused {
        /// The step.
        what: &'static str,
        /// What it said.
        reason: String,
    },
}

impl SandboxError {
    fn refused(what: &'static str, reason: impl ToString) -> Self {
        Self::Refused {
            what,
            reason: reason.to_string(),
        }
    }
}

impl Sandbox {
    /// Puts the calling thread, and whatever it starts from now on, into the box. For a process
    /// with one thread, in the moment before an exec: there is no way out.
    ///
    /// # Errors
    /// When not all of it can be enforced and best effort was not asked for; when a place that
    /// it names cannot be used; when the kernel refuses. The process must then not go on: it may
    /// be boxed in part.
    pub fn enforce(&self) -> Result<Enforced, SandboxError> {
        let landlock = support::landlock();
        let mut filtered = support::filter();
        let mut missing = support::missing(self, landlock, filtered);
        if !missing.is_empty() && !self.best_effort {
            return Err(SandboxError::Unsupported {
                missing: missing.join("; "),
            });
        }
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| SandboxError::refused("to keep programs from gaining rights", error))?;
        if landlock > 0 {
            rules::enforce(self)?;
        }
        powers::drop_most()?;
        if filtered {
            filtered = match calls::enforce(self) {
                Ok(()) => true,
                Err(error) if self.best_effort => {
                    missing.push(error.to_string());
                    false
                }
                Err(error) => return Err(error),
            };
        }
        Ok(Enforced {
            landlock,
            filtered,
            missing,
        })
    }

    /// Whether its use of the network is limited.
    fn network_is_limited(&self) -> bool {
        self.connect.is_some() || self.bind.is_some()
    }
}
