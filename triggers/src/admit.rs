//! May an occurrence that is due act now?
//!
//! The rules in the order in which they are asked: a panic, how often it may act in all, the
//! provider's quota, what is still running.

use crate::{
    due::SkipReason,
    spec::{Hindered, Overlap},
    trigger::Trigger,
};

/// How things stand when an occurrence is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// How many firings of the trigger are still running.
    pub running: u32,
    /// One of them waits already.
    pub waiting: bool,
    /// How often the trigger has acted.
    pub fired: u64,
    /// A panic holds everything.
    pub panic: bool,
    /// The provider gives nothing more for now.
    pub quota: bool,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Act.
    Start,
    /// Stop what is running, and act when that is proved.
    ReplacePrevious,
    /// Ask again when what hinders it is over.
    Wait(Hindrance),
    /// Do not act; record it with this reason.
    Skip(SkipReason),
}

/// What an occurrence waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The end of what is running.
    Running,
    /// The end of a panic.
    Panic,
    /// The provider.
    Quota,
}

/// The rule.
#[must_use]
pub fn admit(trigger: &Trigger, situation: &Situation) -> Admission {
    let terms = trigger.terms();
    let hindered = |policy, hindrance, reason| hindered(policy, hindrance, reason, situation.waiting);
    if terms.max_firings.is_some_and(|most| situation.fired >= most) {
        return Admission::Skip(SkipReason::Spent);
    }
    if situation.panic {
        return hindered(terms.on_panic, Hindrance::Panic, SkipReason::Panic);
    }
    if situation.quota {
        return hindered(terms.on_quota, Hindrance::Quota, SkipReason::Quota);
    }
    beside_others(trigger, situation)
}

/// Nothing else hinders it: what those that still run say.
fn beside_others(trigger: &Trigger, situation: &Situation) -> Admission {
    let terms = trigger.terms();
    match overlap_decision(trigger.overlap, situation.running > 0) {
        OverlapDecision::Start if terms.max_concurrent.is_some_and(|most| situation.running >= most) => {
            Admission::Skip(SkipReason::TooMany)
        }
        OverlapDecision::Start => Admission::Start,
        OverlapDecision::Skip => Admission::Skip(SkipReason::StillRunning),
        OverlapDecision::ReplacePrevious => Admission::ReplacePrevious,
        OverlapDecision::Queue => hindered(
            Hindered::Wait,
            Hindrance::Running,
            SkipReason::OneWaits,
            situation.waiting,
        ),
    }
}

/// One firing may wait, a second one beside it not.
const fn hindered(policy: Hindered, hindrance: Hindrance, reason: SkipReason, waiting: bool) -> Admission {
    match policy {
        Hindered::Skip => Admission::Skip(reason),
        Hindered::Wait if waiting => Admission::Skip(SkipReason::OneWaits),
        Hindered::Wait => Admission::Wait(hindrance),
    }
}

/// What to do with an occurrence, given what the last one started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlapDecision {
    /// Act.
    Start,
    /// Do not act; record it as [`SkipReason::StillRunning`].
    Skip,
    /// Stop what is running, and act when that is proved.
    ReplacePrevious,
    /// Act when what is running is over, unless another one waits for that already.
    Queue,
}

/// The overlap rule.
#[must_use]
pub const fn overlap_decision(overlap: Overlap, previous_still_running: bool) -> OverlapDecision {
    match (overlap, previous_still_running) {
        (_, false) | (Overlap::Allow, true) => OverlapDecision::Start,
        (Overlap::Forbid, true) => OverlapDecision::Skip,
        (Overlap::Replace, true) => OverlapDecision::ReplacePrevious,
        (Overlap::Queue, true) => OverlapDecision::Queue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spec::TriggerSpec, trigger::compile};

    fn asked(extra: &str, situation: Situation) -> Admission {
        let text = format!("name = \"t\"\nevery = \"1h\"\nspawn = {{ agent = \"a\" }}\n{extra}");
        admit(
            &compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap(),
            &situation,
        )
    }

    const IDLE: Situation = Situation {
        running: 0,
        waiting: false,
        fired: 0,
        panic: false,
        quota: false,
    };

    #[test]
    fn what_still_runs_is_up_to_the_overlap() {
        let busy = Situation { running: 1, ..IDLE };
        let queue = "overlap = \"queue\"";
        assert_eq!(asked("", IDLE), Admission::Start);
        assert_eq!(asked("", busy), Admission::Skip(SkipReason::StillRunning));
        assert_eq!(asked("overlap = \"replace\"", busy), Admission::ReplacePrevious);
        assert_eq!(asked(queue, busy), Admission::Wait(Hindrance::Running));
        let waits = Situation {
            waiting: true,
            ..busy
        };
        assert_eq!(asked(queue, waits), Admission::Skip(SkipReason::OneWaits));
    }

    #[test]
    fn p8_no_more_run_beside_each_other_than_may() {
        let allow = "overlap = \"allow\"\nmax_concurrent = 3";
        let running = |running| Situation { running, ..IDLE };
        assert_eq!(asked(allow, running(2)), Admission::Start);
        assert_eq!(asked(allow, running(3)), Admission::Skip(SkipReason::TooMany));
        assert_eq!(asked("overlap = \"allow\"", running(u32::MAX)), Admission::Start);
    }

    #[test]
    fn p8_a_trigger_acts_no_more_often_than_it_may() {
        let fired = |fired| Situation { fired, ..IDLE };
        assert_eq!(asked("max_firings = 2", fired(1)), Admission::Start);
        assert_eq!(
            asked("max_firings = 2", fired(2)),
            Admission::Skip(SkipReason::Spent)
        );
    }

    #[test]
    fn a_panic_skips_and_a_quota_waits_unless_said_otherwise() {
        let panic = Situation { panic: true, ..IDLE };
        let quota = Situation { quota: true, ..IDLE };
        assert_eq!(asked("", panic), Admission::Skip(SkipReason::Panic));
        assert_eq!(
            asked("on_panic = \"wait\"", panic),
            Admission::Wait(Hindrance::Panic)
        );
        assert_eq!(asked("", quota), Admission::Wait(Hindrance::Quota));
        assert_eq!(
            asked(
                "",
                Situation {
                    waiting: true,
                    ..quota
                }
            ),
            Admission::Skip(SkipReason::OneWaits)
        );
        assert_eq!(
            asked("on_quota = \"skip\"", quota),
            Admission::Skip(SkipReason::Quota)
        );
    }
}
