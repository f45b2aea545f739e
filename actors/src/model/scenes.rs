//! What may go wrong, scene by scene. All at once would be more states than anybody can wait for;
//! each scene combines what can plausibly hide behind each other.

use super::{state::Chances, words::OCCURRENCES};

/// A world with a measure of misfortune.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    /// What it is called in reports.
    pub(crate) name: &'static str,
    /// What may go wrong.
    pub(crate) chances: Chances,
    /// How often each task may be claimed before it fails.
    pub(crate) attempts: u32,
    /// How many tasks are to be done: the first wants a reviewer, the second only its gate.
    pub(crate) open: usize,
    /// Is what happens after the last misfortune told in one order only?
    pub(crate) hurried: bool,
    /// How many steps every run of the tests takes in it: seconds, without optimisation.
    pub(crate) steps: usize,
}

/// More than the smallest worlds have.
const ALL: usize = 400_000;
/// The beginning of one that has more.
const SOME: usize = 100_000;

/// Nothing goes wrong.
pub(crate) const NONE: Chances = Chances {
    crashes: 0,
    bad_ends: 0,
    losses: 0,
    doubles: 0,
    late_news: 0,
    lapses: 0,
    pushes: 0,
    failures: 0,
    rejections: 0,
    silences: 0,
    returns: 0,
    cancels: 0,
    retries: 0,
    kills: 0,
    firings: [false; OCCURRENCES],
};

/// One task, and no more misfortune than is said.
pub(crate) const fn small(name: &'static str, chances: Chances) -> Scene {
    Scene {
        name,
        chances,
        attempts: 2,
        open: 1,
        hurried: false,
        steps: ALL,
    }
}

/// The same, and only its beginning.
const fn larger(name: &'static str, chances: Chances) -> Scene {
    Scene {
        steps: SOME,
        ..small(name, chances)
    }
}

/// Two tasks at once. Once nothing can go wrong any more, what is left is told in one order.
const fn both(name: &'static str, chances: Chances) -> Scene {
    Scene {
        open: 2,
        hurried: true,
        ..larger(name, chances)
    }
}

/// Two tasks at once, in every order to the end.
const fn whole(name: &'static str, chances: Chances) -> Scene {
    Scene {
        hurried: false,
        ..both(name, chances)
    }
}

/// Explored by every run of the tests.
pub(crate) const DEFAULT: &[Scene] = &[
    small("one task; the daemon dies", Chances { crashes: 1, ..NONE }),
    small(
        "one task; its agent crashes, its lease runs out",
        Chances {
            bad_ends: 1,
            lapses: 1,
            ..NONE
        },
    ),
    small(
        "one task; messages are lost and come twice",
        Chances {
            losses: 1,
            doubles: 1,
            ..NONE
        },
    ),
    larger(
        "one task; others push, its gate fails",
        Chances {
            pushes: 1,
            failures: 1,
            ..NONE
        },
    ),
    larger(
        "one task; the operator cancels it and wants it again",
        Chances {
            cancels: 1,
            retries: 1,
            ..NONE
        },
    ),
    larger(
        "one task, two firings; the daemon dies",
        Chances {
            crashes: 1,
            firings: [true; OCCURRENCES],
            ..NONE
        },
    ),
    both("two tasks, one after the other", NONE),
    both(
        "two tasks; the daemon dies, leases run out",
        Chances {
            crashes: 1,
            lapses: 1,
            ..NONE
        },
    ),
    both(
        "two tasks; messages are lost and come twice, news is late",
        Chances {
            losses: 1,
            doubles: 1,
            late_news: 1,
            ..NONE
        },
    ),
    both(
        "two tasks; an agent crashes, another gives up, others push",
        Chances {
            bad_ends: 1,
            returns: 1,
            pushes: 1,
            ..NONE
        },
    ),
];

/// Explored when somebody has the time.
pub(crate) const DEEP: &[Scene] = &[
    whole("two tasks in every order", NONE),
    whole(
        "two tasks; the daemon dies, leases run out, messages are lost and come twice",
        Chances {
            crashes: 1,
            lapses: 1,
            losses: 1,
            doubles: 1,
            ..NONE
        },
    ),
    whole(
        "two tasks; the daemon dies, agents crash and give up, news is late",
        Chances {
            crashes: 1,
            bad_ends: 1,
            returns: 1,
            late_news: 1,
            ..NONE
        },
    ),
    whole(
        "two tasks; the daemon dies, others push, gates fail, reviewers reject and say nothing",
        Chances {
            crashes: 1,
            pushes: 1,
            failures: 1,
            rejections: 1,
            silences: 1,
            ..NONE
        },
    ),
    whole(
        "two tasks; the daemon dies, operators cancel, want it again and kill",
        Chances {
            crashes: 1,
            cancels: 1,
            retries: 1,
            kills: 1,
            ..NONE
        },
    ),
    whole(
        "two tasks, two firings; the daemon dies twice",
        Chances {
            crashes: 2,
            firings: [true; OCCURRENCES],
            ..NONE
        },
    ),
    larger(
        "one task; the daemon dies twice, and whatever messages and agents may do",
        Chances {
            crashes: 2,
            losses: 1,
            doubles: 1,
            lapses: 1,
            bad_ends: 1,
            ..NONE
        },
    ),
    larger(
        "one task; the daemon dies, others push, gates fail, reviewers reject and say nothing",
        Chances {
            crashes: 1,
            pushes: 1,
            failures: 1,
            rejections: 1,
            silences: 1,
            ..NONE
        },
    ),
    larger(
        "one task; the daemon dies, operators cancel, want it again and kill, news is late",
        Chances {
            crashes: 1,
            cancels: 1,
            retries: 1,
            kills: 1,
            late_news: 1,
            ..NONE
        },
    ),
];
