//! The explorations.

use std::{
    collections::HashSet,
    fmt::Write as _,
    time::{Duration, Instant},
};

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    Explored, broken, promises,
    rules::{Rules, SHIPPED},
    scenes::{self, Scene},
};

/// What an exploration came to.
struct Outcome {
    /// The name of the promise that broke, and how, step by step.
    broken: Option<(&'static str, Vec<String>)>,
    /// What was found to be possible.
    possible: HashSet<&'static str>,
    /// Different states.
    states: usize,
    /// Steps between them.
    steps: usize,
    /// The longest history without a detour.
    depth: usize,
    took: Duration,
}

/// How far an exploration goes.
#[derive(Clone, Copy)]
struct Bounds {
    steps: usize,
    depth: usize,
    threads: usize,
}

/// Goes everywhere within the bounds, or until a promise breaks.
fn explore(rules: Rules, scene: &Scene, bounds: Bounds) -> Outcome {
    let begun = Instant::now();
    let checker = Explored::new(rules, scene)
        .checker()
        .threads(bounds.threads)
        .target_state_count(bounds.steps)
        .target_max_depth(bounds.depth)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let (possible, broken): (Vec<_>, Vec<_>) = checker
        .discoveries()
        .into_iter()
        .partition(|(name, _)| promises::POSSIBLE.contains(name));
    let told = |(promise, path): (_, stateright::Path<_, super::action::Action>)| {
        let actions = path.into_actions();
        (promise, actions.iter().map(ToString::to_string).collect())
    };
    Outcome {
        broken: broken.into_iter().next().map(told),
        possible: possible.into_iter().map(|(name, _)| name).collect(),
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        took: begun.elapsed(),
    }
}

/// The shortest history in which a promise breaks. What the exploration finds first need not be
/// it, so it is asked again for a shorter one until there is none.
fn shortest(rules: Rules, scene: &Scene) -> Option<(&'static str, Vec<String>)> {
    let mut found = None;
    let mut bounds = Bounds {
        steps: usize::MAX,
        depth: usize::MAX,
        threads: 1,
    };
    while let Some(broken) = explore(rules, scene, bounds).broken {
        // The state before anything has happened is at depth one.
        bounds.depth = broken.1.len() + 1;
        found = Some(broken);
    }
    found
}

fn told(history: &[String]) -> String {
    (1..)
        .zip(history)
        .fold(String::new(), |mut text, (number, step)| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {number:>2}. {step}");
            text
        })
}

/// Explores each scene, in as many steps as are given or its own.
fn holds(scenes: &[Scene], steps: Option<usize>, threads: usize) {
    let mut possible = HashSet::new();
    for scene in scenes {
        let bounds = Bounds {
            steps: steps.unwrap_or(scene.steps),
            depth: usize::MAX,
            threads,
        };
        let outcome = explore(SHIPPED, scene, bounds);
        let (whole, seconds) = (outcome.steps < bounds.steps, outcome.took.as_secs_f64());
        println!(
            "{:>10} states, {:>10} steps, depth {:>3}, {seconds:>6.1} s, {}: {}",
            outcome.states,
            outcome.steps,
            outcome.depth,
            if whole { "all there are" } else { "the first" },
            scene.name
        );
        if let Some((promise, history)) = &outcome.broken {
            panic!("{promise} breaks when {}:\n{}", scene.name, told(history));
        }
        possible.extend(outcome.possible);
    }
    for name in promises::POSSIBLE {
        assert!(possible.contains(name), "the world is too small: nowhere {name}");
    }
}

#[test]
fn p1_p2_p3_p6_hold_in_every_history() {
    holds(scenes::DEFAULT, None, 2);
}

/// `just model`: many more steps of each scene, as `MODEL_STEPS` says.
#[test]
#[ignore = "takes minutes and gigabytes"]
fn p1_p2_p3_p6_hold_as_far_as_anybody_waits() {
    let steps = std::env::var("MODEL_STEPS")
        .ok()
        .and_then(|steps| steps.parse().ok());
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let all = [scenes::DEFAULT, scenes::DEEP].concat();
    holds(&all, Some(steps.unwrap_or(5_000_000)), threads);
}

#[test]
fn every_broken_rule_is_found() {
    for defect in broken::all() {
        let Some((promise, history)) = shortest(defect.rules, &defect.scene) else {
            panic!("nobody noticed that {}", defect.name);
        };
        println!("{promise} breaks when {}:\n{}", defect.name, told(&history));
        assert_eq!(promise, defect.promise, "{}", defect.name);
        let sound = explore(
            SHIPPED,
            &defect.scene,
            Bounds {
                steps: usize::MAX,
                depth: history.len() + 2,
                threads: 1,
            },
        );
        assert_eq!(sound.broken, None, "the rule that ships does not break it");
    }
}
