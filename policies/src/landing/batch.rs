//! Many submissions for one base, judged together.
//!
//! What waits to land is put on top of each other, and gates judge the top: one judgement for all of
//! them. When it fails, the first half is judged alone, and so on down to the one that is at fault.
//! Nothing lands that was not judged, and nothing is refused that was not judged alone on top of
//! what landed before it. Where gates name who is at fault, nobody has to look for them: the others are
//! judged together, and then each of those alone.
//!
//! Where a fault stays a fault whatever comes on top, exactly those land, in the same order, that
//! would have landed one by one. Where something later mends what is broken earlier, both land
//! together: their common tree passed.

use std::collections::BTreeSet;

use worknode_core::task::Landing;

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
    most: usize,
    /// How many have landed or were refused, and how many of them were refused.
    settled: usize,
    faults: usize,
}

impl Batches {
    /// A queue of `members`, of which at most `most` are judged together.
    #[must_use]
    pub fn new(members: usize, most: usize) -> Self {
        let most = most.max(1);
        Self {
            groups: Vec::new(),
            waiting: (0..members).rev().collect(),
            most,
            settled: 0,
            faults: 0,
        }
    }

    /// How many are judged together next: so many that they pass about every second time, as far as
    /// what was settled so far tells. Each judgement then says the most. Where many are at fault,
    /// splitting costs more than it saves.
    fn size(&self) -> usize {
        // A share of faults p fails every second group of ln 2 / p. Before anything is known, p is
        // taken for 4 in 100.
        let size = self.settled.saturating_add(10).saturating_mul(7)
            / self.faults.saturating_mul(10).saturating_add(4);
        size.clamp(1, self.most)
    }

    /// Put these on top of what has landed, and judge the top. `None` when all are settled. A
    /// judgement is told with [`Self::judged`] or [`Self::blamed`].
    pub fn next_group(&mut self) -> Option<Vec<usize>> {
        if self.groups.is_empty() && !self.waiting.is_empty() {
            let from = self.waiting.len().saturating_sub(self.size());
            let mut group = self.waiting.split_off(from);
            group.reverse();
            self.groups.push((group, Known::Nothing));
        }
        // What failed as a whole is not judged again as a whole. One alone is: what gates said of the
        // tree was said of others, too, and it is to hear what is wrong with its own work.
        while self
            .groups
            .last()
            .is_some_and(|(group, known)| *known == Known::Fails && group.len() > 1)
        {
            self.split();
        }
        self.groups.last().map(|(group, _)| group.clone())
    }

    /// The group at hand failed, and gates say whose fault that is: the others are judged together,
    /// without them, and then each of them alone. Who is blamed wrongly lands all the same.
    pub fn blamed(&mut self, at_fault: &BTreeSet<usize>) -> Option<Told> {
        let (group, _) = self.groups.last()?;
        let (guilty, others): (Vec<usize>, Vec<usize>) = group.iter().partition(|one| at_fault.contains(one));
        if guilty.is_empty() || others.is_empty() {
            return self.judged(false);
        }
        self.groups.pop();
        self.forget();
        let alone = guilty.into_iter().rev().map(|one| (vec![one], Known::Nothing));
        self.groups.extend(alone);
        self.groups.push((others, Known::Nothing));
        Some(Told::Split)
    }

    /// The group of [`Self::next_group`] was judged.
    pub fn judged(&mut self, passed: bool) -> Option<Told> {
        let (group, _) = self.groups.last()?;
        match (passed, &group[..]) {
            (true, _) => self.land(),
            (false, &[one]) => {
                self.groups.pop();
                self.settled += 1;
                self.faults += 1;
                self.forget();
                Some(Told::Refuse(one))
            }
            (false, _) => {
                self.split();
                Some(Told::Split)
            }
        }
    }

    fn land(&mut self) -> Option<Told> {
        let (group, _) = self.groups.pop()?;
        self.settled += group.len();
        if let Some((_, known)) = self.groups.last_mut()
            && *known == Known::FailsAfter
        {
            *known = Known::Fails;
        }
        Some(Told::Land(group))
    }

    /// Something of the group at hand will not land, so the tree of the one after it will be another,
    /// and nothing is known of that. It waits again, to be judged with others.
    fn forget(&mut self) {
        if let Some((group, _)) = self.groups.pop_if(|(_, known)| *known == Known::FailsAfter) {
            self.waiting.extend(group.into_iter().rev());
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
        while let Some(group) = queue.next_group() {
            let stack: Vec<usize> = landed.iter().chain(&group).copied().collect();
            judgements += 1;
            assert!(judgements <= 4 * members, "it comes to an end");
            if let Told::Land(group) = queue.judged(passes(&stack)).unwrap() {
                landed.extend(group);
            }
        }
        (landed, judgements)
    }

    #[test]
    fn ten_in_a_hundred_cost_little_more_than_half_the_judgements() {
        let (landed, judgements) = work_off(100, 16, |stack| stack.iter().all(|n| n % 10 != 3));
        assert_eq!(landed.len(), 90);
        // No way of asking groups needs fewer than 47: so much is unknown of ten in a hundred.
        assert!(judgements < 58, "{judgements}");
        let (_, alone) = work_off(100, 1, |stack| stack.iter().all(|n| n % 10 != 3));
        assert_eq!(alone, 100);
        let (_, many) = work_off(100, 16, |stack| stack.iter().all(|n| n % 2 != 1));
        assert!(many < 130, "where half fails, little is lost: {many}");
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

        /// Gates that name somebody, rightly or not: the same land as one by one, nobody is refused who
        /// was not judged alone, and it comes to an end.
        #[test]
        fn p3_whoever_is_blamed_is_judged_alone_before_anything_is_final(
            members in 1_usize..30,
            most in 2_usize..20,
            bad in prop::collection::btree_set(0_usize..30, 0..6),
            blame in prop::collection::vec(prop::collection::btree_set(0_usize..30, 0..4), 1..8),
        ) {
            let mut queue = Batches::new(members, most);
            let (mut landed, mut refused) = (BTreeSet::new(), BTreeSet::new());
            let mut blame = blame.iter().cycle();
            let mut judgements = 0;
            while let Some(group) = queue.next_group() {
                judgements += 1;
                prop_assert!(judgements <= 6 * members);
                let passed = !group.iter().any(|one| bad.contains(one));
                let told = if passed {
                    queue.judged(true)
                } else {
                    queue.blamed(blame.next().unwrap())
                };
                match told.unwrap() {
                    Told::Land(these) => {
                        prop_assert!(passed);
                        prop_assert_eq!(&these, &group);
                        landed.extend(these);
                    }
                    Told::Refuse(one) => {
                        prop_assert_eq!(group, vec![one]);
                        prop_assert!(refused.insert(one));
                    }
                    Told::Split => prop_assert!(group.len() > 1),
                }
            }
            let faults: BTreeSet<usize> = bad.into_iter().filter(|one| *one < members).collect();
            prop_assert_eq!(&refused, &faults);
            prop_assert_eq!(landed.len() + refused.len(), members);
            prop_assert!(landed.is_disjoint(&refused));
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
                if queue.next_group().is_none() {
                    break;
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
            prop_assert!(queue.next_group().is_none());
            prop_assert_eq!(settled, (0..members).collect::<Vec<_>>());
        }
    }
}
