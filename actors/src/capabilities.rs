//! With what capabilities are signed, and which of them count: what every door asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    node::Node,
    task::TaskSpec,
    time::Timestamp,
};
use worknode_policies::{
    authority::Authority,
    capability::{self, CannotIssue, Claims, Look, NamedFiles, Opened, Refusal, Revoked, Ring, Sight, Token},
    verdict::SigningKeys,
};

use crate::system::System;

/// The key, those before it, and what is revoked. It is changed while the daemon runs, as a whole.
#[derive(Debug)]
pub struct Capabilities {
    state: Mutex<State>,
    /// Held by whoever changes it, from the first look to the end.
    changing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    keys: Arc<SigningKeys>,
    sight: Sight,
    revoked: Arc<Revoked>,
}

impl Capabilities {
    /// Signs with `keys`; `ring` has them as the present ones.
    #[must_use]
    pub fn new(keys: SigningKeys, ring: Ring, revoked: Revoked) -> Self {
        let state = State {
            keys: Arc::new(keys),
            sight: Sight::new(ring),
            revoked: Arc::new(revoked),
        };
        Self {
            state: Mutex::new(state),
            changing: Mutex::new(()),
        }
    }

    /// Signs claims.
    ///
    /// # Errors
    /// [`CannotIssue`].
    pub fn issue(&self, claims: &Claims) -> Result<Token, CannotIssue> {
        let keys = Arc::clone(&self.state().keys);
        capability::issue(&keys, claims)
    }

    /// What a token allows where `here` is asked. `is_at_or_below(node, top)` tells of the tree, or
    /// nothing when it cannot be read: then what may be revoked is.
    ///
    /// # Errors
    /// Why it is worth nothing.
    pub fn check(
        &self,
        token: &str,
        now: Timestamp,
        here: &str,
        is_at_or_below: impl Fn(NodeId, NodeId) -> Option<bool>,
    ) -> Result<Arc<Opened>, Refusal> {
        // Nobody waits here while signatures are checked or the tree is asked.
        let (look, revoked) = {
            let state = self.state();
            (state.sight.look(token)?, Arc::clone(&state.revoked))
        };
        let opened = match look {
            Look::Known(opened) => opened,
            Look::New(unseen) => {
                let opened = unseen.open(token)?;
                self.state().sight.remember(unseen, &opened);
                opened
            }
        };
        opened.check(now, here, |node, top| is_at_or_below(node, top).unwrap_or(false))?;
        revoked.check(&opened, |node, top| is_at_or_below(node, top).unwrap_or(true))?;
        Ok(opened)
    }

    /// The keys that count.
    #[must_use]
    pub fn ring(&self) -> Ring {
        self.state().sight.ring().clone()
    }

    /// What is revoked.
    #[must_use]
    pub fn revoked(&self) -> Arc<Revoked> {
        Arc::clone(&self.state().revoked)
    }

    /// Changes it, as the only one that does. Whoever asks what counts is not held up.
    pub fn changing(&self) -> Changing<'_> {
        Changing {
            of: self,
            // Whoever panicked while it changed something has set nothing by halves.
            _alone: self.changing.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked in here had changed nothing by halves.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes what counts: nobody else does until this is dropped. So what is read from it, kept in a file
/// and set again loses nothing of another change.
#[derive(Debug)]
pub struct Changing<'a> {
    of: &'a Capabilities,
    _alone: MutexGuard<'a, ()>,
}

impl Changing<'_> {
    /// The keys that count.
    #[must_use]
    pub fn ring(&self) -> Ring {
        self.of.ring()
    }

    /// What is revoked.
    #[must_use]
    pub fn revoked(&self) -> Arc<Revoked> {
        self.of.revoked()
    }

    /// Signs with other keys from now on.
    pub fn turn(&self, keys: SigningKeys, ring: Ring) {
        let mut state = self.of.state();
        state.keys = Arc::new(keys);
        state.sight.turn(ring);
    }

    /// From now on this is revoked, and nothing else.
    pub fn revoke(&self, revoked: Revoked) {
        self.of.state().revoked = Arc::new(revoked);
    }
}

impl From<SigningKeys> for Capabilities {
    fn from(keys: SigningKeys) -> Self {
        let ring = keys.public().into();
        Self::new(keys, ring, Revoked::default())
    }
}

/// All patterns that say which files a task may touch.
fn patterns(task: &TaskSpec) -> impl Iterator<Item = &str> {
    let may_create = task.may_create.iter().flatten();
    let all = task.files.iter().chain(may_create).chain(&task.may_delete);
    all.map(String::as_str)
}

/// Does a capability that names these files allow to take this task on?
pub(crate) fn allow_task(files: &NamedFiles, node: &Node) -> Result<(), Error> {
    match node.task() {
        Some(task) if !files.are_all() => files.cover(patterns(&task.spec)),
        _ => Ok(()),
    }
}

/// Does the capability name all files of a task that somebody plans, for whomever? Else it would be
/// a way to what it does not reach itself.
///
/// # Errors
/// `forbidden`, naming the first pattern that may reach further.
pub(crate) fn allow_plan(authority: &Authority, task: &TaskSpec) -> Result<(), Error> {
    if authority.limits.files.is_empty() {
        return Ok(());
    }
    authority.limits.named_files().cover(patterns(task))
}

impl System {
    /// Does the capability name all files that this task may touch?
    ///
    /// # Errors
    /// `forbidden` when it may not; when the store cannot be read.
    pub(crate) fn check_files(&self, authority: &Authority, task: NodeId) -> Result<(), Error> {
        if authority.limits.files.is_empty() {
            return Ok(());
        }
        let node = self.reader().node(task)?;
        node.map_or(Ok(()), |node| allow_task(&authority.limits.named_files(), &node))
    }

    /// Is this Worknode in the part of the tree that the capability covers?
    ///
    /// # Errors
    /// `forbidden` when it is not; when the store cannot be read.
    pub(crate) fn check_place(&self, authority: &Authority, node: NodeId) -> Result<(), Error> {
        let top = authority.subtree;
        if top == NodeId::ROOT || self.boundaries().is_at_or_below(node, top)? {
            return Ok(());
        }
        let what = format!(
            "{} may not reach {node}: it is not below {top}",
            authority.principal
        );
        Err(Error::new(Code::Forbidden, what).hint("the capability covers another part of the tree"))
    }
}
