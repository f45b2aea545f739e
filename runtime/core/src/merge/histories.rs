//! Random histories of replicas that are cut off from each other, replay old copies and forget
//! deletions, against a model that keeps every operation and knows no better than to look at all
//! of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    hlc::{Hlc, HlcClock},
    time::Timestamp,
};

const DRIFT: Duration = Duration::from_secs(60);

/// What a replica can do to its own state.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Add(u8),
    Remove(u8),
    Set(u8, u8),
    Delete(u8),
    Write(u8),
}

#[derive(Clone, Debug)]
enum Act {
    Do(usize, Deed),
    /// Gets the events that it lacks.
    Pull(usize, usize),
    /// Gets the whole state instead.
    Merge(usize, usize),
    /// Keeps a copy of its state.
    Keep(usize),
    /// Gets an old copy of anybody's state.
    Replay(usize, usize),
    /// Gets an event again.
    Again(usize, usize),
    /// Forgets what all have seen.
    Collect(usize),
    /// Who is on which side.
    Cut(u8),
    /// A wall clock is set.
    Step(usize, u64),
}

/// An event as it travels.
#[derive(Clone, Debug)]
struct Event {
    at: Hlc,
    op: Op,
    /// For a removal: the additions that its maker knew of, by the model.
    observed: BTreeSet<Hlc>,
}

#[derive(Clone, Debug)]
enum Op {
    Set(OrSetOp<u8>),
    Map(LwwOp<u8, u8>),
    Register(u8),
    /// A removal of what was not there: an event all the same.
    Nothing,
}

#[derive(Clone, Debug, PartialEq)]
struct State {
    set: OrSet<u8>,
    map: LwwMap<u8, u8>,
    register: Lww<u8>,
    seen: Seen,
}

impl State {
    fn new(replicas: usize) -> Self {
        let mut seen = Seen::new();
        for replica in 0..replicas {
            seen.know(origin(replica));
        }
        Self {
            set: OrSet::new(),
            map: LwwMap::new(),
            register: Lww::new(0, Hlc::ZERO),
            seen,
        }
    }

    fn apply(&mut self, event: &Event) {
        match &event.op {
            Op::Set(op) => drop(self.set.apply(op, event.at)),
            Op::Map(op) => drop(self.map.apply(op, event.at)),
            Op::Register(value) => drop(self.register.apply(value, event.at)),
            Op::Nothing => {}
        }
        self.seen.note(event.at);
    }

    fn merge(&mut self, other: &Self) {
        self.set.merge(&other.set);
        self.map.merge(&other.map);
        self.register.merge(&other.register);
        self.seen.merge(&other.seen);
    }

    fn merged(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.merge(other);
        both
    }

    fn collect(&mut self, seen: &Seen) {
        self.set.collect(seen);
        self.map.collect(seen);
    }

    fn content(&self) -> Content {
        Content {
            set: self.set.iter().copied().collect(),
            map: self.map.iter().map(|(key, value)| (*key, *value)).collect(),
            register: *self.register.value(),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Content {
    set: BTreeSet<u8>,
    map: BTreeMap<u8, u8>,
    register: u8,
}

fn origin(replica: usize) -> u32 {
    u32::try_from(replica + 1).unwrap()
}

struct World {
    replicas: Vec<State>,
    clocks: Vec<(HlcClock, u64)>,
    /// Every event, in the order in which it was made.
    log: Vec<Event>,
    kept: Vec<State>,
    sides: u8,
}

impl World {
    fn new(replicas: usize) -> Self {
        let clock = |replica| {
            (
                HlcClock::resume(origin(replica), Hlc::ZERO, DRIFT),
                1_000 + 10 * replica as u64,
            )
        };
        Self {
            replicas: (0..replicas).map(|_| State::new(replicas)).collect(),
            clocks: (0..replicas).map(clock).collect(),
            log: Vec::new(),
            kept: Vec::new(),
            sides: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        let count = self.replicas.len();
        let who = |index: &usize| index % count;
        match act {
            Act::Do(at, deed) => self.deed(who(at), *deed),
            Act::Pull(to, from) => {
                if self.connected(who(to), who(from)) {
                    self.pull(who(to), who(from));
                }
            }
            Act::Merge(to, from) => {
                if self.connected(who(to), who(from)) {
                    let state = self.replicas[who(from)].clone();
                    self.take_state(who(to), &state);
                }
            }
            Act::Keep(of) => self.kept.push(self.replicas[who(of)].clone()),
            Act::Replay(to, which) => self.replay(who(to), *which),
            Act::Again(to, which) => self.tell_again(who(to), *which),
            Act::Collect(at) => {
                let all = self.seen_by_all();
                self.replicas[who(at)].collect(&all);
            }
            Act::Cut(sides) => self.sides = *sides,
            Act::Step(at, wall) => self.clocks[who(at)].1 = 1_000 + wall,
        }
    }

    /// A replica takes an old copy of one.
    fn replay(&mut self, to: usize, which: usize) {
        if !self.kept.is_empty() {
            let old = self.kept[which % self.kept.len()].clone();
            self.take_state(to, &old);
        }
    }

    /// A replica is told of an event once more.
    fn tell_again(&mut self, to: usize, which: usize) {
        if self.log.is_empty() {
            return;
        }
        let event = self.log[which % self.log.len()].clone();
        if self.replicas[to].seen.covers(event.at) {
            self.replicas[to].apply(&event);
        }
    }

    fn connected(&self, a: usize, b: usize) -> bool {
        let side = |replica: usize| self.sides >> replica & 1;
        side(a) == side(b)
    }

    fn seen_by_all(&self) -> Seen {
        let all = self.replicas.iter().map(|replica| replica.seen.clone());
        all.reduce(|met, seen| met.meet(&seen)).unwrap()
    }

    fn deed(&mut self, at: usize, deed: Deed) {
        let (clock, now) = &mut self.clocks[at];
        *now += 1;
        let stamp = clock.tick(Timestamp::from_millis(*now));
        let known = self.known_adds(&self.replicas[at].seen);
        let state = &mut self.replicas[at];
        let mut observed = BTreeSet::new();
        let op = match deed {
            Deed::Add(value) => Op::Set(state.set.add(value, stamp).unwrap()),
            Deed::Remove(value) => {
                observed = known.get(&value).cloned().unwrap_or_default();
                state.set.remove(&value).map_or(Op::Nothing, Op::Set)
            }
            Deed::Set(key, value) => Op::Map(state.map.set(key, value, stamp).unwrap()),
            Deed::Delete(key) => state.map.remove(&key, stamp).map_or(Op::Nothing, Op::Map),
            Deed::Write(value) => {
                state.register.write(value, stamp);
                Op::Register(value)
            }
        };
        state.seen.note(stamp);
        self.log.push(Event {
            at: stamp,
            op,
            observed,
        });
    }

    /// Events that somebody lacks, each origin's in its order.
    fn pull(&mut self, to: usize, from: usize) {
        for gap in self.replicas[from].seen.missing_from(&self.replicas[to].seen) {
            let missing = self.log.iter().filter(|event| {
                event.at.origin == gap.origin && gap.after < Some(event.at) && event.at <= gap.to
            });
            for event in missing {
                self.replicas[to].apply(event);
            }
        }
        self.observe(to);
    }

    fn take_state(&mut self, to: usize, state: &State) {
        self.replicas[to].merge(state);
        self.observe(to);
    }

    fn observe(&mut self, at: usize) {
        let (clock, now) = &mut self.clocks[at];
        for stamp in self.replicas[at].seen.iter() {
            clock.observe(stamp, Timestamp::from_millis(*now)).unwrap();
        }
    }

    /// The model's additions that are known and not removed, by value.
    fn known_adds(&self, seen: &Seen) -> BTreeMap<u8, BTreeSet<Hlc>> {
        let known = || self.log.iter().filter(|event| seen.covers(event.at));
        let removed: BTreeSet<Hlc> = known().flat_map(|event| event.observed.clone()).collect();
        let mut adds: BTreeMap<u8, BTreeSet<Hlc>> = BTreeMap::new();
        for event in known() {
            if let Op::Set(OrSetOp::Add { value, .. }) = &event.op
                && !removed.contains(&event.at)
            {
                adds.entry(*value).or_default().insert(event.at);
            }
        }
        adds
    }

    /// What a replica that has received these events should hold.
    fn model(&self, seen: &Seen) -> Content {
        let mut known: Vec<_> = self.log.iter().filter(|event| seen.covers(event.at)).collect();
        known.sort_by_key(|event| event.at);
        let (mut map, mut register) = (BTreeMap::new(), 0);
        for event in known {
            match &event.op {
                Op::Map(LwwOp { key, value }) => match value {
                    Some(value) => drop(map.insert(*key, *value)),
                    None => drop(map.remove(key)),
                },
                Op::Register(value) => register = *value,
                Op::Set(_) | Op::Nothing => {}
            }
        }
        Content {
            set: self.known_adds(seen).into_keys().collect(),
            map,
            register,
        }
    }

    /// Everybody gets everything.
    fn heal(&mut self) {
        self.sides = 0;
        for _ in 0..2 {
            for to in 0..self.replicas.len() {
                for from in 0..self.replicas.len() {
                    self.pull(to, from);
                }
            }
        }
    }
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0_u8..4).prop_map(Deed::Add),
        3 => (0_u8..4).prop_map(Deed::Remove),
        3 => (0_u8..4, any::<u8>()).prop_map(|(key, value)| Deed::Set(key, value)),
        2 => (0_u8..4).prop_map(Deed::Delete),
        1 => any::<u8>().prop_map(Deed::Write),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        10 => (0_usize..5, deeds()).prop_map(|(at, deed)| Act::Do(at, deed)),
        5 => (0_usize..5, 0_usize..5).prop_map(|(to, from)| Act::Pull(to, from)),
        2 => (0_usize..5, 0_usize..5).prop_map(|(to, from)| Act::Merge(to, from)),
        1 => (0_usize..5).prop_map(Act::Keep),
        2 => (0_usize..5, any::<usize>()).prop_map(|(to, which)| Act::Replay(to, which)),
        2 => (0_usize..5, any::<usize>()).prop_map(|(to, which)| Act::Again(to, which)),
        2 => (0_usize..5).prop_map(Act::Collect),
        1 => any::<u8>().prop_map(Act::Cut),
        1 => (0_usize..5, 0_u64..50_000).prop_map(|(at, wall)| Act::Step(at, wall)),
    ];
    prop::collection::vec(act, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn p10_replicas_hold_what_the_model_holds_at_every_moment(count in 1_usize..=5, acts in acts()) {
        let mut world = World::new(count);
        for act in &acts {
            world.act(act);
            for (at, state) in world.replicas.iter().enumerate() {
                prop_assert_eq!(state.content(), world.model(&state.seen), "replica {} after {:?}", at, act);
            }
        }
        world.heal();
        for state in &world.replicas {
            prop_assert_eq!(state.content(), world.model(&state.seen));
            prop_assert_eq!(state.content(), world.replicas[0].content());
        }
    }

    #[test]
    fn p10_merging_states_is_commutative_associative_and_idempotent(count in 2_usize..=5, acts in acts()) {
        let mut world = World::new(count);
        for act in &acts {
            world.act(act);
        }
        // Copies of any age are states as well.
        let mut states = world.replicas.clone();
        states.extend(world.kept.iter().rev().take(3).cloned());
        for a in &states {
            prop_assert_eq!(&a.merged(a), a);
            for b in &states {
                let both = a.merged(b);
                prop_assert_eq!(&b.merged(a), &both);
                prop_assert_eq!(&both.merged(b), &both);
                for c in &states {
                    prop_assert_eq!(both.merged(c), a.merged(&b.merged(c)));
                }
            }
        }
    }

    #[test]
    fn p10_what_was_collected_never_comes_back(count in 1_usize..=5, acts in acts()) {
        let mut world = World::new(count);
        for act in &acts {
            world.act(act);
        }
        world.heal();
        // Each says one word more, so that everybody is known to be past every deletion.
        for replica in 0..count {
            world.deed(replica, Deed::Write(0));
        }
        world.heal();
        let all = world.seen_by_all();
        for state in &mut world.replicas {
            state.collect(&all);
            prop_assert_eq!((state.set.tombstones(), state.map.tombstones()), (0, 0));
        }
        let (log, kept) = (world.log.clone(), world.kept.clone());
        for state in &mut world.replicas {
            let before = state.clone();
            for event in log.iter().rev() {
                state.apply(event);
            }
            for old in &kept {
                state.merge(old);
            }
            prop_assert_eq!(&*state, &before);
        }
    }

    #[test]
    fn operations_of_sets_and_registers_commute_in_any_order(acts in acts(), order in any::<u64>()) {
        let mut world = World::new(3);
        for act in &acts {
            world.act(act);
        }
        // Without a collection nothing is assumed of the order in which events come.
        let (mut forth, mut shuffled) = (State::new(3), State::new(3));
        let mut log = world.log.clone();
        log.iter().for_each(|event| forth.apply(event));
        log.sort_by_key(|event| {
            (u64::from(event.at.origin) ^ event.at.wall.as_millis().wrapping_mul(order | 1)).reverse_bits()
        });
        log.iter().chain(&world.log).for_each(|event| shuffled.apply(event));
        prop_assert_eq!(forth, shuffled);
    }

    #[test]
    fn json_of_any_state_round_trips(acts in acts()) {
        let mut world = World::new(3);
        for act in &acts {
            world.act(act);
        }
        for state in &world.replicas {
            let text = serde_json::to_string(&state.set).unwrap();
            prop_assert_eq!(&serde_json::from_str::<OrSet<u8>>(&text).unwrap(), &state.set);
            let text = serde_json::to_string(&state.map).unwrap();
            prop_assert_eq!(&serde_json::from_str::<LwwMap<u8, u8>>(&text).unwrap(), &state.map);
            let text = serde_json::to_string(&state.seen).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Seen>(&text).unwrap(), &state.seen);
        }
    }
}
