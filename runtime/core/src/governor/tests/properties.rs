//! What a governor promises, on random histories.

use proptest::{collection::vec, option, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Input {
    Admit(usize),
    Adopt(usize),
    Quota(usize, Option<u64>),
    Overloaded(usize),
    Progressed(usize),
    Gone(usize),
    /// Seconds forward, or back.
    Clock(i64),
    /// To the moment that is due.
    Due,
}

fn input() -> impl Strategy<Value = Input> {
    let run = || 0usize..6;
    prop_oneof![
        3 => run().prop_map(Input::Admit),
        1 => run().prop_map(Input::Adopt),
        2 => (run(), option::of(0u64..200_000)).prop_map(|(run, reset)| Input::Quota(run, reset)),
        1 => run().prop_map(Input::Overloaded),
        2 => run().prop_map(Input::Progressed),
        2 => run().prop_map(Input::Gone),
        2 => (-50_000i64..50_000).prop_map(Input::Clock),
        3 => Just(Input::Due),
    ]
}

/// What the effects did to the world outside.
#[derive(Default)]
struct World {
    live: BTreeSet<RunId>,
    frozen: BTreeSet<RunId>,
}

impl World {
    fn perform(&mut self, effects: &[Effect]) -> Result<(), TestCaseError> {
        for effect in effects {
            match effect {
                Effect::Record(_) => {}
                Effect::Freeze(run) => prop_assert!(self.live.contains(run) && self.frozen.insert(*run)),
                Effect::Thaw(run) => prop_assert!(self.frozen.remove(run), "it was not frozen"),
            }
        }
        Ok(())
    }

    /// What the promises mean for the runs outside.
    fn check(&self, pool: &Governor, now: Timestamp) -> Result<(), TestCaseError> {
        let patience = Patience::default();
        let going = self.live.difference(&self.frozen).count();
        prop_assert_eq!(pool.held().collect::<BTreeSet<_>>(), self.frozen.clone());
        match pool.state() {
            PoolState::Open => prop_assert!(self.frozen.is_empty()),
            PoolState::Paused { .. } => prop_assert_eq!(going, 0),
            PoolState::Probing { run, .. } => {
                prop_assert_eq!(going, 1, "one probe");
                prop_assert!(self.live.contains(run) && !self.frozen.contains(run));
            }
        }
        if !self.frozen.is_empty() {
            let due = pool.due(now);
            prop_assert!(
                due.is_some_and(|due| due <= now.plus(patience.longest)),
                "{due:?}"
            );
        }
        Ok(())
    }
}

/// A run asks whether it may start.
fn admit(pool: &mut Governor, world: &mut World, run: RunId, now: Timestamp) {
    // A run that is held lives already, and asks for no start.
    let held = world.frozen.contains(&run);
    let probes =
        |pool: &Governor| matches!(pool.state(), PoolState::Probing { run: probe, .. } if *probe == run);
    if held || pool.admit(run, now) == Admission::Go || probes(pool) {
        world.live.insert(run);
    }
}

fn step(
    pool: &mut Governor,
    world: &mut World,
    now: &mut Timestamp,
    input: &Input,
) -> Result<Vec<Effect>, TestCaseError> {
    let effects = match input {
        Input::Admit(n) => {
            admit(pool, world, run(*n), *now);
            Vec::new()
        }
        Input::Adopt(n) => {
            world.live.insert(run(*n));
            pool.adopt(run(*n))
        }
        Input::Quota(n, reset) => pool.stuck(run(*n), &quota(*reset), *now, 7),
        Input::Overloaded(n) => pool.stuck(run(*n), &Stuck::Overloaded, *now, 7),
        Input::Progressed(n) => pool.progressed(run(*n)),
        Input::Gone(n) => {
            world.live.remove(&run(*n));
            world.frozen.remove(&run(*n));
            pool.gone(run(*n), *now)
        }
        Input::Clock(seconds) => {
            let by = Duration::from_secs(seconds.unsigned_abs());
            *now = if *seconds < 0 { now.minus(by) } else { now.plus(by) };
            pool.tick(*now)
        }
        Input::Due => {
            *now = pool.due(*now).unwrap_or(*now).max(*now);
            pool.tick(*now)
        }
    };
    world.perform(&effects)?;
    Ok(effects)
}

proptest! {
    #[test]
    fn p8_at_most_one_probes_and_nobody_is_held_for_ever(inputs in vec(input(), 0..80)) {
        let mut pool = Governor::new("claude", Patience::default());
        let (mut world, mut now) = (World::default(), at(1_000_000));
        let mut booted = pool.clone();
        for input in &inputs {
            let effects = step(&mut pool, &mut world, &mut now, input)?;
            world.check(&pool, now)?;
            for effect in &effects {
                if let Effect::Record(event) = effect {
                    booted.fold(event, now);
                }
            }
            prop_assert_eq!(*booted.state() == PoolState::Open, *pool.state() == PoolState::Open);
        }
        // From wherever this led: when no more is heard, all are free after three looks at the
        // clock at most.
        for _ in 0..3 {
            step(&mut pool, &mut world, &mut now, &Input::Due)?;
            world.check(&pool, now)?;
        }
        prop_assert!(world.frozen.is_empty());
    }

    #[test]
    fn p8_a_pause_is_never_longer_than_the_longest(
        pauses in 0u32..50, reset in option::of(any::<u64>()), now: u64, random: u64,
    ) {
        let mut pool = pool_of(2);
        pool.pauses = pauses;
        let now = Timestamp::from_millis(now);
        let reset_at = reset.map(Timestamp::from_millis);
        let effects = pool.stuck(run(0), &Stuck::QuotaPaused { reset_at }, now, random);
        prop_assert_eq!(effects.len(), 3);
        let until = pool.due(now).unwrap_or(now);
        prop_assert!(until >= now && until.since(now) <= Patience::default().longest);
    }
}
