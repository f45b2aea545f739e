//! Room that several callers share, so that none of them takes all of it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use worknode_core::{error::Error, ids::NodeId};

/// So much for all, and so much for each.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What there is room for, in words.
    what: &'static str,
    all: usize,
    each: usize,
    /// How many each has; nobody is in it who has none.
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<NodeId, usize>,
}

/// A place in a room, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    room: Room,
    node: NodeId,
}

impl Room {
    pub(super) fn new(what: &'static str, all: usize, each: usize) -> Self {
        Self(Arc::new(Shared {
            what,
            all,
            each,
            taken: Mutex::default(),
        }))
    }

    /// One place more for `node`.
    ///
    /// # Errors
    /// `backpressure` when it has enough, or all have.
    pub(super) fn take(&self, node: NodeId) -> Result<Slot, Error> {
        let Shared { what, all, each, .. } = &*self.0;
        let mut taken = self.taken();
        if taken.all >= *all {
            return Err(Error::backpressure(what));
        }
        let own = taken.of.entry(node).or_default();
        // An entry that was just made has none.
        if *own >= *each {
            return Err(Error::backpressure(&format!("{what} of one caller")));
        }
        *own += 1;
        taken.all += 1;
        Ok(Slot {
            room: self.clone(),
            node,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Entry::Occupied(mut own) = taken.of.entry(self.node) {
            *own.get_mut() = own.get().saturating_sub(1);
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_nobody_takes_all_of_it_and_what_is_dropped_is_free_again() {
        let node = |n| NodeId::from_parts(n, [0; 10]);
        let room = Room::new("the number of guests", 3, 2);
        let first = room.take(node(1)).unwrap();
        let _second = room.take(node(1)).unwrap();
        let refused = room.take(node(1)).unwrap_err();
        assert!(refused.message.contains("of one caller"), "{refused}");
        let third = room.take(node(2)).unwrap();
        assert!(room.take(node(2)).is_err(), "it is full");
        drop(first);
        let _fourth = room.take(node(1)).unwrap();
        drop(third);
        assert_eq!(room.taken().of.len(), 1, "who has none is forgotten");
    }
}
