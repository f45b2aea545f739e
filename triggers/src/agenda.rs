//! When to look at what next: a timer for each of a great many.
//!
//! Each has a number, from 0, and at most one instant at which it is to be looked at. A new instant
//! replaces the last one. What was replaced stays in the heap until it comes to the top, or until
//! half of the heap is of that kind: then it is made anew, so that a timer that is moved without end
//! takes no more room than one that stays.

use std::{cmp::Reverse, collections::BinaryHeap};

use worknode_core::time::Timestamp;

/// Below so many entries, it is not worth looking whether they count.
const SMALL: usize = 1_024;

/// The instants, by number.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    /// The instant that counts.
    planned: Vec<Option<Timestamp>>,
    /// All that were planned and have not come to the top, those that count among them.
    heap: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

impl Agenda {
    /// One for `count`, of which none is planned.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self {
            planned: vec![None; count],
            heap: BinaryHeap::new(),
        }
    }

    /// From now on `number` is to be looked at then, or not at all. One that there is not is
    /// planned for nothing.
    pub fn plan(&mut self, number: usize, at: Option<Timestamp>) {
        let Some(planned) = self.planned.get_mut(number) else {
            return;
        };
        if *planned == at {
            return;
        }
        *planned = at;
        self.heap.extend(at.map(|at| Reverse((at, number))));
        if self.heap.len() > SMALL && self.heap.len() / 2 > self.planned.len() {
            self.heap = counting(&self.planned).collect();
        }
    }

    /// The next instant at which something is to be looked at.
    #[must_use]
    pub fn first(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((at, number))) = self.heap.peek().copied() {
            if self.counts(at, number) {
                return Some(at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes out what is to be looked at by then, the earliest first.
    #[must_use]
    pub fn due(&mut self, now: Timestamp) -> Vec<usize> {
        let mut due = Vec::new();
        while self.first().is_some_and(|at| at <= now) {
            let Some(Reverse((_, number))) = self.heap.pop() else {
                break;
            };
            if let Some(planned) = self.planned.get_mut(number) {
                *planned = None;
                due.push(number);
            }
        }
        due
    }

    fn counts(&self, at: Timestamp, number: usize) -> bool {
        self.planned.get(number) == Some(&Some(at))
    }
}

fn counting(planned: &[Option<Timestamp>]) -> impl Iterator<Item = Reverse<(Timestamp, usize)>> + '_ {
    let all = planned.iter().enumerate();
    all.filter_map(|(number, at)| Some(Reverse(((*at)?, number))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn it_tells_who_is_due_and_no_one_else() {
        let mut agenda = Agenda::new(3);
        for (number, millis) in [(0, 3_600), (1, 10), (2, 10)] {
            agenda.plan(number, Some(at(millis)));
        }
        assert_eq!(agenda.first(), Some(at(10)));
        assert_eq!(agenda.due(at(15)), [1, 2]);
        assert_eq!(agenda.first(), Some(at(3_600)));
        // What is planned anew counts; what was planned before does not.
        agenda.plan(0, Some(at(9_000)));
        agenda.plan(0, Some(at(5_000)));
        assert_eq!(agenda.due(at(4_000)), [0; 0]);
        assert_eq!(agenda.due(at(10_000)), [0]);
        assert_eq!(agenda.first(), None);
        agenda.plan(3, Some(at(1)));
        assert_eq!(agenda.first(), None, "there is no such number");
    }

    #[test]
    fn p8_a_timer_that_is_moved_without_end_takes_no_more_room() {
        let mut agenda = Agenda::new(10);
        for millis in 0..100_000 {
            agenda.plan(
                usize::try_from(millis % 10).unwrap(),
                Some(at(1_000_000 + millis)),
            );
            assert!(agenda.heap.len() <= SMALL + 1);
        }
        assert_eq!(agenda.due(at(2_000_000)).len(), 10);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set(
            steps in prop::collection::vec((0_usize..40, prop::option::of(0_u64..200), any::<bool>()), 0..400),
        ) {
            let mut agenda = Agenda::new(40);
            let mut plain = BTreeSet::new();
            let mut now = 0;
            for (number, millis, looks) in steps {
                if looks {
                    now += millis.unwrap_or_default() / 8;
                    let due: Vec<usize> = plain.iter().filter(|(when, _)| *when <= at(now)).map(|(_, n)| *n).collect();
                    plain.retain(|(when, _)| *when > at(now));
                    prop_assert_eq!(agenda.due(at(now)), due);
                } else {
                    plain.retain(|(_, other)| *other != number);
                    plain.extend(millis.map(|millis| (at(millis), number)));
                    agenda.plan(number, millis.map(at));
                }
                prop_assert_eq!(agenda.first(), plain.first().map(|(when, _)| *when));
            }
        }
    }
}
