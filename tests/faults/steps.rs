//! The steps at which something dies.

/// What somebody does in a scene, beside the team that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing but the event that makes a task.
    Watch,
    /// Freezes an agent at work and lets it go on.
    Freeze,
    /// Kills an agent at work, and lets it work again.
    Kill,
    /// Stops everything, and lifts that again.
    Panic,
    /// Has a file of their own where work wants to land, and takes it away when told.
    InTheWay,
    /// Fires a trigger that starts a run, and again while that runs.
    Fire,
    /// Lets an agent work for longer than a heartbeat.
    Patience,
}

/// Who dies, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The daemon, before or after it stores the event for the nth time.
    Daemon {
        side: &'static str,
        event: &'static str,
        nth: u32,
    },
    /// The shim of every run that the first daemon starts.
    Shim(&'static str),
}

/// One row of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) group: &'static str,
    pub(crate) act: Act,
    pub(crate) fault: Fault,
}

impl Case {
    pub(crate) fn name(&self) -> String {
        let group = self.group;
        match self.fault {
            Fault::Daemon { side, event, nth } => format!("{group} {side}:{event}:{nth}"),
            Fault::Shim(point) => format!("{group} shim:{point}"),
        }
    }

    /// The variable that brings the fault about.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        match self.fault {
            Fault::Daemon { side, event, nth } => ("WORKNODE_FAULT", format!("{side}:{event}:{nth}")),
            Fault::Shim(point) => ("WORKNODE_SHIM_FAULT", point.to_owned()),
        }
    }
}

/// Group, event, what somebody does, and which occurrences count.
type Step = (&'static str, &'static str, Act, &'static [u32]);

/// The steps of the daemon. Where a scene sees an event often, a later occurrence counts too:
/// there is more under way then.
const STEPS: &[Step] = &[
    // The longest first: the others fill the time beside it.
    ("claim", "claim_renewed", Act::Patience, &[1]),
    ("spawn", "run_queued", Act::Watch, &[1, 4]),
    ("spawn", "run_starting", Act::Watch, &[2]),
    ("spawn", "run_started", Act::Watch, &[1, 4]),
    ("run", "task_started", Act::Watch, &[1, 3]),
    ("run", "task_progressed", Act::Watch, &[1, 3]),
    ("stop", "run_stopping", Act::Kill, &[1]),
    ("stop", "run_exited", Act::Watch, &[1, 4]),
    ("stop", "agent_restarting", Act::Watch, &[1]),
    ("stop", "agent_ready", Act::Watch, &[1]),
    ("stop", "agent_stop_requested", Act::Kill, &[1]),
    ("stop", "agent_stopped", Act::Kill, &[1]),
    ("stop", "agent_resumed", Act::Kill, &[1]),
    ("stop", "run_frozen", Act::Freeze, &[1]),
    ("stop", "run_thawed", Act::Freeze, &[1]),
    ("stop", "panicked", Act::Panic, &[1]),
    ("stop", "panic_lifted", Act::Panic, &[1, 2]),
    ("claim", "task_ready", Act::Watch, &[1, 3]),
    ("claim", "task_claimed", Act::Watch, &[1, 4]),
    ("claim", "task_released", Act::Watch, &[1]),
    ("review", "task_submitted", Act::Watch, &[1, 3]),
    ("review", "verdict_recorded", Act::Watch, &[1, 4]),
    ("review", "review_requested", Act::Watch, &[1]),
    ("review", "task_approved", Act::Watch, &[1]),
    ("review", "task_rejected", Act::Watch, &[1]),
    ("landing", "landing_started", Act::Watch, &[1, 3]),
    ("landing", "task_completed", Act::Watch, &[1, 3]),
    ("landing", "landing_abandoned", Act::InTheWay, &[1]),
    ("firing", "trigger_fired", Act::Fire, &[1, 2]),
    ("firing", "trigger_acted", Act::Fire, &[1, 2]),
    ("firing", "node_created", Act::Fire, &[1, 2]),
    // New triggers note since when they watch.
    ("firing", "triggers_watched", Act::Fire, &[1]),
    ("firing", "trigger_skipped", Act::Fire, &[1]),
    ("firing", "trigger_ended", Act::Fire, &[1, 2]),
];

/// Where a shim may die of itself.
const SHIM_POINTS: [&str; 3] = ["before_start", "after_start", "before_exit_record"];

/// Every case, or those whose name has this word.
pub(crate) fn all(only: Option<&str>) -> Vec<Case> {
    let of_daemon = STEPS.iter().copied().flat_map(|(group, event, act, nths)| {
        nths.iter().flat_map(move |nth| {
            ["before", "after"].map(|side| Case {
                group,
                act,
                fault: Fault::Daemon {
                    side,
                    event,
                    nth: *nth,
                },
            })
        })
    });
    let of_shims = SHIM_POINTS.map(|point| Case {
        group: "shim",
        act: Act::Watch,
        fault: Fault::Shim(point),
    });
    of_daemon
        .chain(of_shims)
        .filter(|case| only.is_none_or(|word| case.name().contains(word)))
        .collect()
}
