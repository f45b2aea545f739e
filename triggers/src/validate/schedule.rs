//! The one schedule of a trigger, and keys that belong to another one.

use std::time::Duration;

use worknode_core::time::{Span, Timestamp};

use super::{Problems, event, ladder, words::exactly_one};
use crate::{
    cron::{CronSchedule, DEFAULT_ZONE, split_zone},
    spec::{Misfire, TriggerSpec},
    trigger::{Period, When},
};

/// Shortest period of `every`. As fine as cron gets; what needs more is an event.
pub const MIN_PERIOD: Duration = Duration::from_secs(1);

/// The one schedule that is set.
pub(super) fn schedule(spec: &TriggerSpec, problems: &mut Problems) -> Option<When> {
    let set = [
        ("cron", spec.cron.is_some()),
        ("every", spec.every.is_some()),
        ("event", spec.event.is_some()),
        ("deadline", spec.deadline.is_some()),
    ];
    exactly_one(&set, "", "schedule", problems);
    // All that are set are checked, so that the author of two sees the mistakes of both.
    let cron = spec
        .cron
        .as_deref()
        .and_then(|cron| timetable(spec, cron, problems));
    let every = spec.every.map(|every| periodic(spec, every, "every", problems));
    let event = spec
        .event
        .as_deref()
        .and_then(|types| event::rule(spec, types, problems));
    let deadline = spec
        .deadline
        .as_ref()
        .and_then(|deadline| ladder::ladder(deadline, problems));
    cron.or(every).or(event).or(deadline)
}

/// `cron`, where `@every 2h` is a period.
fn timetable(spec: &TriggerSpec, cron: &str, problems: &mut Problems) -> Option<When> {
    let (own_zone, fields) = split_zone(cron);
    if let Some(every) = fields.trim().strip_prefix("@every ") {
        if own_zone.is_some() || spec.timezone.is_some() {
            problems.add(
                "cron",
                "a period goes by elapsed time, which is the same in all zones",
                None,
            );
        }
        return match every.trim().parse::<Span>() {
            Ok(every) => Some(periodic(spec, every, "cron", problems)),
            Err(error) => {
                problems.add("cron", error.to_string(), None);
                None
            }
        };
    }
    if let (Some(own), Some(zone)) = (own_zone, &spec.timezone)
        && own != zone
    {
        let hint = "keep one of them".to_owned();
        problems.add(
            "timezone",
            "the expression brings another zone with it",
            Some(hint),
        );
    }
    cron_schedule(cron, spec.timezone.as_deref().unwrap_or(DEFAULT_ZONE), problems)
}

fn periodic(spec: &TriggerSpec, every: Span, key: &str, problems: &mut Problems) -> When {
    problems.require(every.0 >= MIN_PERIOD, key, "a period is one second or more");
    When::Every(Period {
        every,
        baseline: spec.baseline.unwrap_or(Timestamp::from_millis(0)),
    })
}

fn cron_schedule(cron: &str, zone: &str, problems: &mut Problems) -> Option<When> {
    match CronSchedule::parse(cron, zone) {
        Ok(schedule) => Some(When::Cron(Box::new(schedule))),
        Err(error) => {
            let (own_zone, fields) = split_zone(cron);
            let about_zone = error.is_about_zone();
            let key = if about_zone && own_zone.is_none() {
                "timezone"
            } else {
                "cron"
            };
            problems.add(key, error.to_string(), error.hint());
            // A wrong zone must not hide a wrong expression.
            if about_zone && let Err(error) = CronSchedule::parse(fields, DEFAULT_ZONE) {
                problems.add("cron", error.to_string(), error.hint());
            }
            None
        }
    }
}

/// Keys that are set and would do nothing: their author expects something of them.
pub(super) fn useless_keys(spec: &TriggerSpec, problems: &mut Problems) {
    let event = spec.event.is_some();
    for (key, is_set, needed, is_there) in companions(spec) {
        if is_set && !is_there {
            problems.add(key, format!("`{key}` has a meaning only beside `{needed}`"), None);
        }
    }
    if event && spec.misfire != Misfire::default() {
        let hint = "events are read from the journal, so none is missed: leave it out";
        problems.add(
            "misfire",
            "`misfire` has no meaning beside `event`",
            Some(hint.to_owned()),
        );
    }
    if spec.deadline.is_some() && spec.condition.is_some() {
        let hint = "write it into `deadline`, beside `of`".to_owned();
        problems.add("where", "which tasks a ladder is for is said there", Some(hint));
    }
}

/// Keys that mean something only beside others: the key, whether it is set, the others, whether one
/// of them is there.
fn companions(spec: &TriggerSpec) -> [(&'static str, bool, &'static str, bool); 14] {
    let every = spec.every.is_some() || spec.cron.as_ref().is_some_and(|cron| cron.contains("@every"));
    let timetable = spec.cron.is_some() || every;
    let event = spec.event.is_some();
    let counts = spec.count.is_some() || spec.consecutive.is_some();
    let condition = spec.condition.is_some() && spec.deadline.is_none();
    let in_vain = spec.consecutive.is_some() || spec.absent_for.is_some();
    let all = spec.misfire == Misfire::All;
    [
        ("timezone", spec.timezone.is_some(), "cron", spec.cron.is_some()),
        ("baseline", spec.baseline.is_some(), "every", every),
        ("jitter", spec.jitter.is_some(), "cron` or `every", timetable),
        ("where", condition, "event`, `cron` or `every", event || timetable),
        ("under", spec.under.is_some(), "event", event),
        ("consecutive", spec.consecutive.is_some(), "event", event),
        ("count", spec.count.is_some(), "event", event),
        ("within", spec.within.is_some(), "count` or `consecutive", counts),
        ("count_by", spec.count_by.is_some(), "event", event),
        (
            "reset_by",
            spec.reset_by.is_some(),
            "consecutive` or `absent_for",
            in_vain,
        ),
        ("debounce", spec.debounce.is_some(), "event", event),
        ("absent_for", spec.absent_for.is_some(), "event", event),
        ("cooldown", spec.cooldown.is_some(), "event", event),
        ("catch_up", spec.catch_up.is_some(), "misfire = \"all\"", all),
    ]
}
