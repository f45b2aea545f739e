//! The instants of a trigger with a timetable: when each is scheduled, and when it is due.
//!
//! Without jitter both are the same. With it, an occurrence is due later by an amount that
//! follows from the trigger's name and the scheduled instant, and always before the next one is
//! scheduled: so occurrences keep their order, and whoever lists them sees what will fire.

use std::time::Duration;

use worknode_core::time::{Timestamp, millis};

use crate::trigger::{Period, Trigger, When};

/// One occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// When it is due. Never earlier than that of an earlier slot.
    pub due: Timestamp,
    /// When it is scheduled: its identity.
    pub scheduled: Timestamp,
}

impl Trigger {
    /// The first occurrence that is due strictly after `after`. `None` for triggers without a
    /// timetable, and when there is none.
    #[must_use]
    pub fn next_slot(&self, after: Timestamp) -> Option<Slot> {
        let jitter = self.terms().jitter;
        if jitter.is_zero() {
            let scheduled = self.next_scheduled(after)?;
            return Some(Slot {
                due: scheduled,
                scheduled,
            });
        }
        // Of those scheduled up to `after`, only the last can still be to come.
        let earliest = after.minus(jitter + Duration::from_millis(1));
        let pending = last_within(earliest, after, |from| self.next_scheduled(from));
        let pending = pending
            .map(|scheduled| self.slot(scheduled))
            .filter(|slot| slot.due > after);
        pending.or_else(|| self.next_scheduled(after).map(|scheduled| self.slot(scheduled)))
    }

    fn slot(&self, scheduled: Timestamp) -> Slot {
        let next = self.next_scheduled(scheduled).unwrap_or(Timestamp::MAX);
        let room = millis(self.terms().jitter)
            .saturating_add(1)
            .min(millis(next.since(scheduled)));
        let late = spread(&self.name, scheduled).checked_rem(room).unwrap_or(0);
        Slot {
            due: scheduled.plus(Duration::from_millis(late)),
            scheduled,
        }
    }

    /// The first scheduled instant strictly after `after`.
    fn next_scheduled(&self, after: Timestamp) -> Option<Timestamp> {
        let terms = self.terms();
        // One that is scheduled at the start itself is due.
        let after = if terms.start > after {
            terms.start.minus(Duration::from_millis(1))
        } else {
            after
        };
        let next = match &self.when {
            When::Cron(schedule) => schedule.next_after(after),
            When::Every(period) => next_multiple(*period, after),
            When::Event(_) | When::Deadline(_) => None,
        };
        next.filter(|at| *at <= terms.end)
    }
}

/// The last instant in `(after, until]` of a timetable that only knows how to go forward.
///
/// Whether there is one left in `(middle, until]` is one question, so halving the window finds
/// the last: forty questions for a century.
pub(crate) fn last_within(
    after: Timestamp,
    until: Timestamp,
    next: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let next_in = |after: Timestamp, until: Timestamp| next(after).filter(|at| *at <= until);
    let mut newest = next_in(after, until)?;
    // None lies after `until`, which moves down to meet the newest one known.
    let mut until = until;
    while newest < until {
        let half = until.since(newest).as_millis() / 2;
        let middle = newest.plus(Duration::from_millis(u64::try_from(half).unwrap_or(u64::MAX)));
        match next_in(middle, until) {
            Some(at) => newest = at,
            None => until = middle,
        }
    }
    Some(newest)
}

/// A number that looks random and is always the same for this occurrence (FNV-1a).
fn spread(name: &str, scheduled: Timestamp) -> u64 {
    let bytes = name.bytes().chain(scheduled.as_millis().to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of the last bytes are not mixed well.
    hash ^ (hash >> 32)
}

fn next_multiple(period: Period, after: Timestamp) -> Option<Timestamp> {
    let every = millis(period.every.0);
    // The first of these instants since 1970 is the remainder of any of them.
    let first = period.baseline.as_millis().checked_rem(every)?;
    let Some(passed) = after.as_millis().checked_sub(first) else {
        return Some(Timestamp::from_millis(first));
    };
    let next = (passed / every)
        .checked_add(1)?
        .checked_mul(every)?
        .checked_add(first)?;
    (next <= Timestamp::MAX.as_millis()).then(|| Timestamp::from_millis(next))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use worknode_core::time::Span;

    use super::*;
    use crate::{spec::TriggerSpec, trigger::compile};

    fn every(millis: u64, baseline: u64) -> Period {
        Period {
            every: Span(Duration::from_millis(millis)),
            baseline: Timestamp::from_millis(baseline),
        }
    }

    fn trigger(text: &str) -> Trigger {
        let text = format!("name = \"t\"\nnotify = \"operator\"\n{text}");
        compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap()
    }

    fn slots(trigger: &Trigger, from: &str, count: usize) -> Vec<Slot> {
        let first = trigger.next_slot(from.parse().unwrap());
        std::iter::successors(first, |slot| trigger.next_slot(slot.due))
            .take(count)
            .collect()
    }

    #[test]
    fn periods_are_counted_from_their_baseline() {
        let trigger = trigger("every = \"2h\"\nbaseline = \"2026-11-21T09:15:00+01:00\"");
        let due: Vec<String> = slots(&trigger, "2026-11-21T08:15:00Z", 2)
            .iter()
            .map(|slot| slot.due.to_string())
            .collect();
        assert_eq!(due, ["2026-11-21T10:15:00.000Z", "2026-11-21T12:15:00.000Z"]);
        let before = slots(&trigger, "2026-11-21T05:00:00Z", 1)[0].due.to_string();
        assert_eq!(before, "2026-11-21T06:15:00.000Z");
    }

    #[test]
    fn nothing_is_due_before_the_start_and_after_the_end() {
        let trigger =
            trigger("every = \"1h\"\nstart = \"2026-11-21T10:00:00Z\"\nend = \"2026-11-21T12:00:00Z\"");
        let due: Vec<String> = slots(&trigger, "2026-01-01T00:00:00Z", 9)
            .iter()
            .map(|slot| slot.due.to_string())
            .collect();
        assert_eq!(
            due,
            [
                "2026-11-21T10:00:00.000Z",
                "2026-11-21T11:00:00.000Z",
                "2026-11-21T12:00:00.000Z"
            ]
        );
    }

    #[test]
    fn jitter_differs_from_one_occurrence_to_the_next_and_never_changes() {
        let trigger = trigger("cron = \"0 * * * *\"\njitter = \"30m\"");
        let first = slots(&trigger, "2026-11-21T00:30:00Z", 50);
        assert_eq!(first, slots(&trigger, "2026-11-21T00:30:00Z", 50));
        let late: Vec<u64> = first
            .iter()
            .map(|slot| slot.due.since(slot.scheduled).as_secs())
            .collect();
        assert!(late.iter().all(|late| *late <= 1_800));
        assert!(
            late.iter().min() < Some(&600) && late.iter().max() > Some(&1_200),
            "{late:?}"
        );
    }

    proptest! {
        #[test]
        fn multiples_are_strictly_after_and_at_most_a_period_away(
            period in 1_u64..10_000_000,
            baseline in 0..=Timestamp::MAX.as_millis(),
            after in 0..=Timestamp::MAX.as_millis(),
        ) {
            let after = Timestamp::from_millis(after);
            if let Some(next) = next_multiple(every(period, baseline), after) {
                prop_assert!(next > after);
                prop_assert!(next.since(after) <= Duration::from_millis(period));
                prop_assert_eq!(next.as_millis() % period, baseline % period);
            }
        }

        /// Asked from anywhere, the next slot is the same; slots keep their order; each is late
        /// by no more than the jitter.
        #[test]
        fn p6_jitter_loses_and_doubles_nothing(
            jitter in 1_u64..10_000, from in 0_u64..100_000_000, ask in prop::collection::vec(0.0..1.0_f64, 8),
            schedule in prop::sample::select(vec!["every = \"97s\"", "cron = \"*/7 1-3 * * *\"", "cron = \"* * * * * *\""]),
        ) {
            let trigger = trigger(&format!("{schedule}\njitter = \"{jitter}s\""));
            let from = Timestamp::from_millis(1_795_000_000_000 + from);
            let mut after = from;
            for part in ask {
                let slot = trigger.next_slot(after).unwrap();
                prop_assert!(slot.due > after && slot.due >= slot.scheduled);
                prop_assert!(slot.due.since(slot.scheduled) <= Duration::from_secs(jitter));
                let middle = after.plus(slot.due.since(after).mul_f64(part));
                if middle < slot.due {
                    prop_assert_eq!(trigger.next_slot(middle), Some(slot));
                }
                let following = trigger.next_slot(slot.due).unwrap();
                prop_assert!(following.scheduled > slot.scheduled);
                prop_assert_eq!(trigger.next_scheduled(slot.scheduled), Some(following.scheduled));
                after = slot.due;
            }
        }
    }

    #[test]
    fn no_multiple_lies_beyond_the_end_of_time() {
        assert_eq!(next_multiple(every(1_000, 0), Timestamp::MAX), None);
        let endless = Period {
            every: Span(Duration::MAX),
            baseline: Timestamp::default(),
        };
        assert_eq!(next_multiple(endless, Timestamp::from_millis(1)), None);
    }
}
