//! Room that several callers share, so that none of them takes all of it.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use worknode_core::error::Error;

/// So much for all, and so much for each `K`.
#[derive(Clone, Debug)]
pub(crate) struct Room<K: Copy + Eq + Hash>(Arc<Shared<K>>);

#[derive(Debug)]
struct Shared<K> {
    /// What there is room for, in words.
    what: &'static str,
    all: usize,
    each: usize,
    /// How many each has; nobody is in it who has none.
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    of: HashMap<K, usize>,
}

/// A place in a room, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<K: Copy + Eq + Hash> {
    room: Room<K>,
    of: K,
}

impl<K: Copy + Eq + Hash> Room<K> {
    pub(crate) fn new(what: &'static str, all: usize, each: usize) -> Self {
        Self(Arc::new(Shared {
            what,
            all,
            each,
            taken: Mutex::new(Taken {
                all: 0,
                of: HashMap::new(),
            }),
        }))
    }

    /// One place more for `of`.
    ///
    /// # Errors
    /// `backpressure` when it has enough, or all have.
    pub(crate) fn take(&self, of: K) -> Result<Slot<K>, Error> {
        let Shared { what, all, each, .. } = &*self.0;
        let mut taken = self.taken();
        if taken.all >= *all {
            return Err(Error::backpressure(what));
        }
        let own = taken.of.entry(of).or_default();
        // An entry that was just made has none.
        if *own >= *each {
            return Err(Error::backpressure(&format!("{what} of one caller")));
        }
        *own += 1;
        taken.all += 1;
        Ok(Slot {
            room: self.clone(),
            of,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Entry::Occupied(mut own) = taken.of.entry(self.of) {
            *own.get_mut() = own.get().saturating_sub(1);
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::ids::NodeId;

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
