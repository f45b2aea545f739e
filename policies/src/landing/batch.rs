//! Many submissions for one base, judged together.
//!
//! What waits to land is put on top of each other, and gates judge the top: one judgement for all of
//! them. When it fails, the first half is judged alone, and so on down to the one that is at fault.
//! Nothing lands that was not judged, and nothing is refused that was not judged alone on top of
//! what landed before it.
//!
//! Where a fault stays a fault whatever comes on top, exactly those land, in the same order, that
//! would have landed one by one. Where something later mends what is broken earlier, both land
//! together: their common tree passed.

use worknode_core::task::Landing;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Put these on top of what has landed, and judge the top.
    Judge(Vec<usize>),
    /// Refuse this one. The very tree that it makes on top of what has landed was judged before, as
    /// that of a group of which it was the last.
    Refuse(usize),
}

/// What to do about a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Land these, in this order: their common tree passed.
    Land(Vec<usize>),
    /// Refuse this one: alone on top of what has landed, it failed.
    Refuse(usize),
    /// One of these is at fault; the next judgement is about fewer.
    Split,
}

/// What is known of a group that has not been judged by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    /// Its tree is the one that failed, if all of the group before it lands.
    FailsAfter,
    /// Its tree is one that failed.
    Fails,
}

/// The queue of one base. Members are known by their place in it.
#[derive(Clone, Debug)]
pub struct Batches {
    /// The next group is the last.
    groups: Vec<(Vec<usize>, Known)>,
    /// Not yet in a group, the next one last.
    waiting: Vec<usize>,
    size: usize,
    most: usize,
}

impl Batches {
    /// A queue of `members`, of which at most `most` are judged together.
    #[must_use]
    pub fn new(members: usize, most: usize) -> Self {
        let most = most.max(1);
        Self {
            groups: Vec::new(),
            waiting: (0..members).rev().collect(),
            size: most,
            most,
        }
    }

    /// What comes next; `None` when all are settled. A judgement is told with [`Self::judged`].
    pub fn next_step(&mut self) -> Option<Next> {
        if self.groups.is_empty() && !self.waiting.is_empty() {
            let from = self.waiting.len().saturating_sub(self.size);
            let mut group = self.waiting.split_off(from);
            group.reverse();
            self.groups.push((group, Known::Nothing));
        }
        while let Some((group, Known::Fails)) = self.groups.last() {
            if let [one] = group[..] {
                self.groups.pop();
                self.fault();
                return Some(Next::Refuse(one));
            }
            self.split();
        }
        self.groups.last().map(|(group, _)| Next::Judge(group.clone()))
    }

    /// The group of [`Next::Judge`] was judged. After a fault the next ones are smaller: where many
    /// are at fault, splitting costs more than it saves.
    pub fn judged(&mut self, passed: bool) -> Option<Told> {
        if !passed {
            return if let [one] = self.groups.last()?.0[..] {
                self.groups.pop();
                self.fault();
                Some(Told::Refuse(one))
            } else {
                self.split();
                Some(Told::Split)
            };
        }
        let (group, _) = self.groups.pop()?;
        match self.groups.last_mut() {
            Some((_, known)) if *known == Known::FailsAfter => *known = Known::Fails,
            Some(_) => {}
            None => self.size = self.size.saturating_mul(2).min(self.most),
        }
        Some(Told::Land(group))
    }

    /// Something of the group before will not land, so the next one makes another tree.
    fn fault(&mut self) {
        self.size = (self.size / 2).max(1);
        self.forget();
    }

    fn forget(&mut self) {
        if let Some((_, known)) = self.groups.last_mut() {
            *known = Known::Nothing;
        }
    }

    /// The group at hand fails: first its first half. If all of that lands, the tree of the second
    /// is the one that failed.
    fn split(&mut self) {
        let Some((mut group, _)) = self.groups.pop() else {
            return;
        };
        self.forget();
        let second = group.split_off(group.len() / 2);
        self.groups.push((second, Known::FailsAfter));
        self.groups.push((group, Known::Nothing));
    }
}

/// Landings that were begun, those that go on top of each other as the one step that they are: from
/// the base of the first to the last.
#[must_use]
pub fn joined(begun: &[Landing]) -> Vec<Landing> {
    let is_bottom = |one: &&Landing| !begun.iter().any(|other| other.commit == one.base);
    let joined = begun.iter().filter(is_bottom).map(|bottom| {
        let (mut top, mut steps) = (bottom, 0);
        // Each goes on top of another; a circle, which cannot be, would end here, too.
        while let Some(above) = begun.iter().find(|other| other.base == top.commit)
            && steps < begun.len()
        {
            (top, steps) = (above, steps + 1);
        }
        Landing {
            base: bottom.base.clone(),
            ..top.clone()
        }
    });
    joined.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{commit, tree};

    #[test]
    fn p5_what_lands_in_one_step_is_taken_back_in_one() {
        let landing = |base, own| Landing {
            tree: tree(9),
            commit: commit(own),
            base: commit(base),
        };
        let begun = [landing(2, 3), landing(1, 2), landing(7, 8), landing(3, 4)];
        assert_eq!(joined(&begun), [landing(1, 4), landing(7, 8)]);
        assert!(joined(&[]).is_empty());
    }

    /// Works a queue off. `passes` says what gates would say of these, on top of each other.
    fn work_off(members: usize, most: usize, passes: impl Fn(&[usize]) -> bool) -> (Vec<usize>, usize) {
        let mut queue = Batches::new(members, most);
        let (mut landed, mut judgements) = (Vec::new(), 0);
        let mut failed: Vec<Vec<usize>> = Vec::new();
        while let Some(next) = queue.next_step() {
            let on_top = |group: &[usize]| landed.iter().chain(group).copied().collect::<Vec<_>>();
            let group = match next {
                Next::Judge(group) => group,
                Next::Refuse(one) => {
                    assert!(failed.contains(&on_top(&[one])), "this very tree was judged");
                    continue;
                }
            };
            let stack = on_top(&group);
            judgements += 1;
            assert!(judgements <= 4 * members, "it comes to an end");
            let passed = passes(&stack);
            if !passed {
                failed.push(stack);
            }
            if let Told::Land(group) = queue.judged(passed).unwrap() {
                landed.extend(group);
            }
        }
        (landed, judgements)
    }

    #[test]
    fn ten_in_a_hundred_cost_little_more_than_half_the_judgements() {
        let (landed, judgements) = work_off(100, 16, |stack| stack.iter().all(|n| n % 10 != 3));
        assert_eq!(landed.len(), 90);
        assert!(judgements < 60, "{judgements}");
        let (_, alone) = work_off(100, 1, |stack| stack.iter().all(|n| n % 10 != 3));
        assert_eq!(alone, 100);
        assert_eq!(work_off(100, 16, |_| true).1, 7);
    }

    proptest! {
        /// Faults by themselves, and faults of two together.
        #[test]
        fn p3_as_many_land_as_would_one_by_one(
            members in 0_usize..40,
            most in 0_usize..20,
            bad in prop::collection::btree_set(0_usize..40, 0..8),
            quarrels in prop::collection::vec((0_usize..40, 0_usize..40), 0..8),
        ) {
            let passes = |stack: &[usize]| {
                let has = |n: &usize| stack.contains(n);
                !bad.iter().any(has) && !quarrels.iter().any(|(a, b)| a != b && has(a) && has(b))
            };
            let (batched, _) = work_off(members, most, passes);
            let (alone, judgements) = work_off(members, 1, passes);
            prop_assert_eq!(batched, alone);
            prop_assert_eq!(judgements, members);
        }

        /// Whatever gates say: every member is settled once, and only what passed lands.
        #[test]
        fn p3_whatever_gates_say_only_what_passed_lands(
            members in 0_usize..30,
            most in 1_usize..10,
            answers in prop::collection::vec(any::<bool>(), 200),
        ) {
            let mut queue = Batches::new(members, most);
            let mut settled = Vec::new();
            for answer in answers {
                match queue.next_step() {
                    None => break,
                    Some(Next::Refuse(one)) => {
                        settled.push(one);
                        continue;
                    }
                    Some(Next::Judge(_)) => {}
                }
                match queue.judged(answer).unwrap() {
                    Told::Land(group) => {
                        prop_assert!(answer);
                        settled.extend(group);
                    }
                    Told::Refuse(one) => {
                        prop_assert!(!answer);
                        settled.push(one);
                    }
                    Told::Split => prop_assert!(!answer),
                }
            }
            prop_assert!(queue.next_step().is_none());
            prop_assert_eq!(settled, (0..members).collect::<Vec<_>>());
        }
    }
}
