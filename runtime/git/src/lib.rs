//! The repository's side of the work.
//!
//! ```text
//! user's repository ──borrow──▶ store ──clone──▶ agent's clone
//!        ▲                        ▲                   │ commits
//!        │ land                   └──────import───────┘
//!        │                        │
//!        └──────candidate◀────────┘──checkout──▶ gates
//! ```
//!
//! 1. [`Store::clone_for_agent`] hands out a private clone. The agent may do to it what it likes.
//! 2. [`Store::head_of`] reads, by hand, which commit the agent submits, and [`Store::import`]
//!    brings it into the store, every object checked.
//! 3. [`Store::candidate`] merges it onto the tip of the base branch, as one commit whose only
//!    parent is that tip. [`Store::changes`] says which files it touches.
//! 4. [`Store::checkout`] makes a clean copy of the candidate, in which gates run.
//! 5. [`Repository::land`] puts exactly that commit on the base branch. It needs a permit for
//!    exactly that tree.
//! 6. [`Store::leftovers`] keeps what a run that ended has neither handed in nor committed.
//!
//! Why so:
//!
//! - **git never runs in an agent's clone.** A repository's configuration can name programs for
//!   git to run (hooks, filters, a file watcher), and an agent can write the configuration of its
//!   clone. So its HEAD is read as a file, its objects are copied as files, and all else happens
//!   in repositories that the runtime wrote itself.
//! - **What was judged is what lands.** Gates judge a tree by its name, in a checkout of that
//!   tree; the commit that lands has that tree and no parent but the base. The agent's
//!   intermediate commits, which nobody judged, never come onto the base branch. When the base
//!   moves meanwhile, nothing lands: there is a new candidate, with a new tree, to be judged.
//! - **The user's repository is only touched to land**, under a lock of git's own, with hooks
//!   off. Uncommitted changes are never overwritten, and a branch is never moved halfway.
//! - **Every git process is bounded** in time and output, gets an environment of our making and
//!   no input, and is ended with its whole group.
//!
//! Needs git 2.38 or newer; [`Git::find`] says so.

mod blocking;
mod candidate;
mod changes;
mod clone;
mod command;
mod error;
mod follow;
mod git;
mod group;
mod head;
mod identity;
mod import;
mod included;
mod land;
mod layout;
mod leftovers;
mod past;
mod path;
mod plain;
mod quarantine;
mod reflock;
mod refname;
mod refs;
mod remove;
mod repository;
mod store;
mod survey;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod timing;
mod undo;
mod worktree;

pub use candidate::{Candidate, Merged, StartPoint};
pub use changes::{Change, ChangeKind, FileMode};
pub use error::GitError;
pub use git::Git;
pub use head::HeadError;
pub use identity::{Authorship, Identity};
pub use import::{ImportError, ImportLimits};
pub use land::{LandError, Landed};
pub use leftovers::{LeftOut, Leftovers, LeftoversError, Omission, Omitted, Uncommitted, Unmerged};
pub use path::RepoPath;
pub use plain::PlainError;
pub use remove::{RemoveError, remove_clone};
pub use repository::{Repository, RepositoryError};
pub use store::Store;
pub use survey::{Against, Contents, Survey, Surveyed, survey};
