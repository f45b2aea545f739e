//! The last events that were committed, in memory: who keeps up with the journal need not read and
//! decode again what was written a moment ago.
//!
//! Only a copy: whoever is further behind reads the database, so nothing can be lost here.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use worknode_core::{event::Record, hlc::Hlc};

use crate::limits;

/// The end of the journal, shared by the writer and those who follow it.
#[derive(Clone, Debug)]
pub(crate) struct Tail(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// All that came after `floor`, in order, each with its size.
    records: VecDeque<(Arc<Record>, usize)>,
    floor: Hlc,
    bytes: usize,
}

impl Tail {
    /// Nothing yet, after `last`.
    pub(crate) fn after(last: Hlc) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            records: VecDeque::new(),
            floor: last,
            bytes: 0,
        })))
    }

    /// Takes in what was just committed, in order, and forgets what is too much.
    pub(crate) fn extend(&self, records: Vec<(Arc<Record>, usize)>) {
        let mut inner = self.lock();
        for (record, size) in records {
            inner.bytes = inner.bytes.saturating_add(size);
            inner.records.push_back((record, size));
        }
        while inner.records.len() > limits::TAIL || inner.bytes > limits::TAIL_BYTES {
            let Some((record, size)) = inner.records.pop_front() else {
                return;
            };
            inner.bytes = inner.bytes.saturating_sub(size);
            inner.floor = record.at;
        }
    }

    /// At most `max` events after `after`, in order; `None` when that is too long ago.
    pub(crate) fn read(&self, after: Hlc, max: usize) -> Option<Vec<Arc<Record>>> {
        let inner = self.lock();
        if after < inner.floor {
            return None;
        }
        let first = inner.records.partition_point(|(record, _)| record.at <= after);
        let wanted = inner.records.range(first..).take(max);
        Some(wanted.map(|(record, _)| Arc::clone(record)).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is whole before the lock is given back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::{
        event::{Event, Principal, SCHEMA_VERSION},
        ids::NodeId,
        time::Timestamp,
    };

    use super::*;

    fn stamp(millis: u64) -> Hlc {
        Hlc {
            wall: Timestamp::from_millis(millis),
            counter: 0,
            origin: 1,
        }
    }

    fn record(millis: u64, size: usize) -> (Arc<Record>, usize) {
        let record = Record {
            at: stamp(millis),
            node: NodeId::ROOT,
            by: Principal::Runtime,
            cause: None,
            version: SCHEMA_VERSION,
            event: Event::TaskReady,
        };
        (Arc::new(record), size)
    }

    fn read(tail: &Tail, after: u64, max: usize) -> Option<Vec<u64>> {
        let records = tail.read(stamp(after), max)?;
        Some(records.iter().map(|record| record.at.wall.as_millis()).collect())
    }

    #[test]
    fn it_gives_what_came_after_and_nothing_twice() {
        let tail = Tail::after(stamp(5));
        tail.extend((6..=9).map(|at| record(at, 1)).collect());
        assert_eq!(read(&tail, 5, 2), Some(vec![6, 7]));
        assert_eq!(read(&tail, 7, 9), Some(vec![8, 9]));
        assert_eq!(read(&tail, 9, 9), Some(vec![]));
        assert_eq!(read(&tail, 4, 9), None, "what was before it, it does not know");
    }

    #[test]
    fn p8_it_forgets_what_is_too_much_and_says_so() {
        let tail = Tail::after(stamp(0));
        tail.extend(vec![record(1, 1), record(2, limits::TAIL_BYTES)]);
        assert_eq!(read(&tail, 0, 9), None);
        assert_eq!(read(&tail, 1, 9), Some(vec![2]));
        let many = u64::try_from(limits::TAIL).unwrap() + 10;
        tail.extend((3..=many).map(|at| record(at, 0)).collect());
        assert_eq!(read(&tail, 1, 9), None);
        assert_eq!(read(&tail, many - 1, 9), Some(vec![many]));
    }
}
