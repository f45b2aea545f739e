//! The end of a run: ask, wait, kill, sweep, drain.
//!
//! ```text
//! alive → asked → killing → draining → over
//! ```
//!
//! Each step is short; in between the shim goes on reading the agent's output and answering its
//! daemon. Killing goes round until nothing is left: the cgroup at once, then what descends from
//! the shim, then what carries the run's mark.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use worknode_core::{run::ProcessIdentity, time::millis};

use super::sweep::Sweep;
use crate::{
    procfs::Stat,
    report::{Means, StopReport, StopStep},
    tree::{Member, Tree, signal},
};

/// How long killed processes may take to disappear. More is a process that hangs in the kernel,
/// which is reported and not waited for.
const SETTLE: Duration = Duration::from_secs(5);
/// How long the output may go on after everything is gone. The pipes hold little.
const DRAIN: Duration = Duration::from_millis(500);
/// Between two looks while asked processes may be ending. The end of the last one is told by the
/// kernel; this is for what else there might be.
const ASKED_PAUSE: Duration = Duration::from_millis(100);
/// Between two rounds of killing, at first and at most.
const KILL_PAUSE: Duration = Duration::from_millis(2);
const KILL_PAUSE_MAX: Duration = Duration::from_millis(50);
/// Processes remembered for the report.
const REMEMBERED: usize = 65_536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Alive,
    /// TERM was sent; KILL follows, if ever, at the deadline.
    Asked {
        deadline: Option<Instant>,
    },
    Killing {
        until: Instant,
        pause: Duration,
    },
    Draining {
        until: Instant,
    },
    Over,
}

/// What the loop knows that matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    /// The leader has been reaped.
    pub(super) leader_gone: bool,
    /// The shim has no child any more.
    pub(super) childless: bool,
    /// Both streams are at their ends.
    pub(super) drained: bool,
}

#[derive(Debug)]
pub(super) struct Ending {
    sweep: Sweep,
    phase: Phase,
    next: Option<Instant>,
    begun: Option<Instant>,
    report: StopReport,
    /// Whether the end was asked for, and did not come by itself.
    asked: bool,
    /// Those who asked for it have been told how it went.
    told: bool,
    seen: HashSet<(u32, u64)>,
    leftovers: usize,
}

impl Ending {
    pub(super) fn new(run: String) -> Self {
        Self {
            // The shim works in the run's directory; the other runs' are beside it.
            sweep: Sweep::new(run, Path::new("..")),
            phase: Phase::Alive,
            next: None,
            begun: None,
            report: StopReport::default(),
            asked: false,
            told: false,
            seen: HashSet::new(),
            leftovers: 0,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.phase == Phase::Alive
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether nothing is left to stop, and the report stands.
    pub(super) const fn is_concluded(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. } | Phase::Over)
    }

    /// What the stop did; `None` when the run ended without one.
    pub(super) fn stop_report(&self) -> Option<StopReport> {
        self.asked.then(|| self.report.clone())
    }

    /// What a stop is told once the end is there: the report, if it brought the end about;
    /// that there was nothing left to stop, if it came later or the run was ending by itself.
    pub(super) fn answer(&self) -> StopReport {
        if self.asked && !self.told {
            return self.report.clone();
        }
        StopReport {
            survivors: self.report.survivors,
            ..StopReport::nothing_to_stop()
        }
    }

    /// Whoever asks from now on comes too late.
    pub(super) fn answered(&mut self) {
        self.told = true;
    }

    pub(super) const fn leftovers(&self) -> usize {
        self.leftovers
    }

    pub(super) const fn survivors(&self) -> usize {
        self.report.survivors
    }

    /// When to be called again at the latest.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Something has ended: look soon.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Some(next) = &mut self.next {
            *next = (*next).min(now + KILL_PAUSE);
        }
    }

    /// Begins a stop, or shortens the grace of the one that is under way. The run must not be
    /// frozen.
    pub(super) fn stop(&mut self, grace: Duration, tree: &Tree, now: Instant) {
        let until = now.checked_add(grace);
        match &mut self.phase {
            Phase::Alive => {}
            Phase::Asked { deadline } => {
                *deadline = [*deadline, until].into_iter().flatten().min();
                self.next = Some(now);
                return;
            }
            Phase::Killing { .. } | Phase::Draining { .. } | Phase::Over => return,
        }
        let members = self.begin(tree, now);
        if members.is_empty() {
            // It has just ended by itself; its end is about to be noticed.
            return self.start_killing(now);
        }
        self.asked = true;
        self.report.was_running = true;
        if grace.is_zero() {
            self.start_killing(now);
        } else {
            // TERM is followed by CONT: a stopped process acts on TERM only when it continues.
            tree.signal(&members, Signal::TERM);
            tree.signal(&members, Signal::CONT);
            self.report.term_sent = true;
            self.step("term", now);
            self.phase = Phase::Asked { deadline: until };
            self.next = Some(now + ASKED_PAUSE);
        }
    }

    /// The leader has exited. What it left behind has no business any more, except when the run
    /// was asked to end and has time left.
    pub(super) fn leader_exited(&mut self, tree: &Tree, now: Instant) {
        if self.phase == Phase::Alive {
            self.begin(tree, now);
            self.start_killing(now);
        }
    }

    fn begin(&mut self, tree: &Tree, now: Instant) -> Vec<Member> {
        self.begun = Some(now);
        let members = tree.members();
        self.remember(members.iter().map(|member| &member.stat));
        members
    }

    fn start_killing(&mut self, now: Instant) {
        self.phase = Phase::Killing {
            until: now + SETTLE,
            pause: KILL_PAUSE,
        };
        self.next = Some(now);
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, tree: &Tree, world: World) {
        let now = world.now;
        if let Phase::Draining { until } = self.phase {
            if world.drained || until <= now {
                self.phase = Phase::Over;
            }
            return;
        }
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        match self.phase {
            Phase::Asked { deadline } => self.asked_round(tree, deadline, world),
            Phase::Killing { until, pause } => self.kill_round(tree, until, pause, world),
            Phase::Alive | Phase::Draining { .. } | Phase::Over => {}
        }
    }

    fn asked_round(&mut self, tree: &Tree, deadline: Option<Instant>, world: World) {
        let members = tree.members();
        self.remember(members.iter().map(|member| &member.stat));
        let over = deadline.is_some_and(|deadline| deadline <= world.now);
        if over || (members.is_empty() && world.childless) {
            self.start_killing(world.now);
            self.advance(tree, world);
        } else {
            let look = world.now + ASKED_PAUSE;
            self.next = Some(deadline.map_or(look, |deadline| look.min(deadline)));
        }
    }

    /// One round: kill what is there, or find that nothing is.
    fn kill_round(&mut self, tree: &Tree, until: Instant, pause: Duration, world: World) {
        let members = tree.members();
        self.remember(members.iter().map(|member| &member.stat));
        let left = if members.is_empty() && world.childless {
            match self.sweep.look(world.now) {
                Some(marked) => self.kill_marked(&marked, world),
                // Nothing else is left; whether this is, is not known yet.
                None => return self.again(until, pause, world.now),
            }
        } else {
            self.sweep.restart();
            self.kill(tree, &members, world);
            members.len()
        };
        if left == 0 && world.childless {
            return self.conclude(0, world);
        }
        if until <= world.now {
            return self.conclude(left, world);
        }
        self.again(until, pause, world.now);
    }

    fn again(&mut self, until: Instant, pause: Duration, now: Instant) {
        self.next = Some(now + pause);
        self.phase = Phase::Killing {
            until,
            pause: (pause * 2).min(KILL_PAUSE_MAX),
        };
    }

    fn kill(&mut self, tree: &Tree, members: &[Member], world: World) {
        if members.is_empty() {
            return;
        }
        self.first_kill(members.len(), world);
        let grouped = tree.kill_group();
        if grouped && members.iter().any(|member| member.grouped) {
            self.report.used(Means::Cgroup);
        }
        if tree.kill_descendants(!grouped) > 0 {
            self.report.used(Means::Subreaper);
        }
    }

    /// Kills what carries the mark of the run and does not descend from the shim: somebody else
    /// started it with the run's environment. How many there were.
    fn kill_marked(&mut self, marked: &[ProcessIdentity], world: World) -> usize {
        let seen: Vec<Stat> = marked.iter().filter_map(|id| Stat::read(id.pid).ok()).collect();
        self.remember(seen.iter());
        if !marked.is_empty() {
            self.first_kill(marked.len(), world);
            self.report.used(Means::Mark);
        }
        for (id, stat) in marked.iter().zip(&seen) {
            if id.start_time == stat.start_time {
                signal(stat, Signal::KILL);
            }
        }
        marked.len()
    }

    fn first_kill(&mut self, count: usize, world: World) {
        if !self.report.kill_sent {
            self.report.kill_sent = true;
            self.step("kill", world.now);
            if world.leader_gone {
                self.leftovers = count;
            }
        }
    }

    fn conclude(&mut self, survivors: usize, world: World) {
        let now = world.now;
        self.report.survivors = survivors;
        self.report.ended = self.seen.len().saturating_sub(survivors);
        if self.report.gone() {
            self.step("gone", now);
        }
        if world.drained {
            // Nothing more will happen that could wake the shim.
            self.phase = Phase::Over;
            return;
        }
        let until = now + DRAIN;
        self.phase = Phase::Draining { until };
        self.next = Some(until);
    }

    fn remember<'a>(&mut self, seen: impl Iterator<Item = &'a Stat>) {
        let room = REMEMBERED.saturating_sub(self.seen.len());
        self.seen
            .extend(seen.take(room).map(|stat| (stat.pid, stat.start_time)));
    }

    fn step(&mut self, step: &str, now: Instant) {
        let begun = self.begun.unwrap_or(now);
        self.report.steps.push(StopStep {
            step: step.to_owned(),
            after_ms: millis(now.saturating_duration_since(begun)),
        });
    }
}
