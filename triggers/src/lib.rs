//! What is due, and when. Pure: the caller brings the time, the tasks and the events.
//!
//! | module | what it answers |
//! |---|---|
//! | [`cron`] | when does a cron expression fire next, in its time zone |
//! | [`spec`] | what may a `[[trigger]]` in the configuration say |
//! | [`validate`] | which mistakes are in it, all of them |
//! | [`trigger`] | the checked form that the rules work on |
//! | [`firing`] | which occurrence is this: the identity that lets it act only once |
//! | [`mod@due`] | what a time trigger owes for a window of time; misfire and overlap rules |
//! | [`ladder`] | which steps of a deadline ladder are due |
//! | [`event`] | does this event fire that trigger: in a row, cooldown |
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
//! - **Windows** are `(last, now]` and contiguous: each instant belongs to exactly one, so an
//!   occurrence is neither lost between two looks nor seen by both.
//! - **Identity**: every occurrence has a name that depends only on the configuration and on
//!   what was scheduled. After a crash the same window yields the same names, and whoever
//!   records them acts once.
//! - **Late** is what is older than [`due::TOLERANCE`] when it is looked at. `misfire` decides
//!   about late occurrences only; what is skipped is reported, never dropped silently.

pub mod cron;
pub mod due;
pub mod event;
pub mod firing;
pub mod glob;
pub mod ladder;
pub mod spec;
pub mod trigger;
pub mod validate;

pub use cron::{CronError, CronSchedule};
pub use due::{Due, Firing, SkipReason, Window, due, next_due};
pub use firing::Occurrence;
pub use spec::TriggerSpec;
pub use trigger::{Trigger, compile};
pub use validate::Problem;
