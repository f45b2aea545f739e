//! What is due, and when. Pure: the caller brings the time, the tasks and the events.
//!
//! | module | what it answers |
//! |---|---|
//! | [`cron`] | when does a cron expression fire next, in its time zone |
//! | [`spec`] | what may a `[[trigger]]` in the configuration say |
//! | [`validate`] | which mistakes are in it, all of them |
//! | [`trigger`] | the checked form that the rules work on |
//! | [`terms`] | bounds, retries and the like, which most triggers leave at their defaults |
//! | [`firing`] | which occurrence is this: the identity that lets it act only once |
//! | [`timetable`] | when is each occurrence of a timetable scheduled, and when due; jitter |
//! | [`mod@due`] | what a time trigger owes for a window of time; misfire rules |
//! | [`agenda`] | which of a great many is to be looked at next, and when |
//! | [`ladder`] | which steps of a deadline ladder are due |
//! | [`event`] | does this event fire that trigger: in a row, within, debounce, absence; the index |
//! | [`mod@admit`] | may what is due act now: overlap, bounds, quota, panic |
//! | [`health`] | overdue triggers, and ones that keep failing |
//! | [`condition`], [`template`] | conditions in CEL, and texts with values in them |
//! | [`mod@explain`] | a trigger in words |
//! | [`mod@simulate`] | what would fire over a span of time |
//! | [`glob`] | `*` and `?` in names |
//!
//! # The rules, and where each comes from
//!
//! - **Fields** are those of POSIX `crontab`: minute, hour, day of month, month, weekday, with
//!   0 and 7 for Sunday. Names, steps and `@daily` come from Vixie cron. A sixth field in
//!   front is the second.
//! - **Days** combine as POSIX says: when both day fields are restricted, either suffices. What
//!   counts as restricted is Vixie's star rule: a field that starts with `*` is not, so
//!   `0 9 */2 * MON` means Mondays with an odd date.
//! - **Daylight saving** follows Debian's cron. An expression without `*` in its second, minute
//!   and hour names fixed times: skipped by the clock, such a time is caught up at the first
//!   instant after the gap; shown twice, it fires the first time only. Every other expression
//!   is an interval: it matches the clock as it runs, so nothing fires in a gap, and a repeated
//!   hour is worked through twice, in order.
//! - **Marks** of the day fields are those of Quartz and cronsim: `L`, `L-3`, `LW`, `15W`, `FRI#2`,
//!   `FRIL`. They restrict their field. `31W` is no day in a month of thirty.
//! - **Jitter** moves an occurrence, not its identity, and never past the next one.
//! - **Windows** are `(last, now]` and contiguous: each instant belongs to exactly one, so an
//!   occurrence is neither lost between two looks nor seen by both.
//! - **Identity**: every occurrence has a name that depends only on the configuration and on
//!   what was scheduled. After a crash the same window yields the same names, and whoever
//!   records them acts once.
//! - **Late** is what is older than [`due::TOLERANCE`] when it is looked at. `misfire` decides
//!   about late occurrences only; what is skipped is reported, never dropped silently.

pub mod admit;
pub mod agenda;
pub mod condition;
pub mod cron;
pub mod due;
pub mod event;
pub mod explain;
pub mod firing;
pub mod glob;
pub mod health;
pub mod ladder;
pub mod simulate;
pub mod spec;
pub mod template;
pub mod terms;
pub mod timetable;
pub mod trigger;
pub mod validate;

pub use admit::{Admission, Situation, admit};
pub use agenda::Agenda;
pub use cron::{CronError, CronSchedule};
pub use due::{Due, SkipReason, Window, due, next_due, upcoming};
pub use explain::explain;
pub use firing::{Firing, Occurrence};
pub use health::{Alarm, failing, overdue};
pub use simulate::{Simulated, World, simulate};
pub use spec::TriggerSpec;
pub use trigger::{Trigger, compile};
pub use validate::{Problem, cycles};
