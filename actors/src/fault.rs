//! Points at which a test lets the daemon die.
//!
//! Built only with the feature `faults`; without it a point is nothing at all. With it, the
//! variable `WORKNODE_FAULT` names the point and which of its occurrences counts, as in
//! `after:run_started:2`: there the process kills itself with SIGKILL, as a power cut would.
//! The points are the journal's own steps: `before:` and `after:` each type of event, where
//! `after` is before anything is done about it.

use worknode_core::event::Event;

/// Just before these events are stored.
pub(crate) fn before<'a>(events: impl IntoIterator<Item = &'a Event>) {
    imp::at("before", events);
}

/// They are stored; what follows from them has not begun.
pub(crate) fn after<'a>(events: impl IntoIterator<Item = &'a Event>) {
    imp::at("after", events);
}

#[cfg(not(feature = "faults"))]
mod imp {
    use worknode_core::event::Event;

    pub(super) fn at<'a>(_: &str, _: impl IntoIterator<Item = &'a Event>) {}
}

#[cfg(feature = "faults")]
mod imp {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    use worknode_core::event::Event;

    /// Where to die, and how often to pass by before.
    struct Fault {
        side: String,
        kind: String,
        left: AtomicU32,
    }

    fn fault() -> Option<&'static Fault> {
        static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
        FAULT
            .get_or_init(|| parse(&std::env::var("WORKNODE_FAULT").ok()?))
            .as_ref()
    }

    fn parse(text: &str) -> Option<Fault> {
        let mut parts = text.splitn(3, ':');
        let (side, kind) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let left = parts.next().map_or(Some(1), |nth| nth.parse().ok())?;
        Some(Fault {
            side,
            kind,
            left: AtomicU32::new(left),
        })
    }

    pub(super) fn at<'a>(side: &str, events: impl IntoIterator<Item = &'a Event>) {
        let Some(fault) = fault().filter(|fault| fault.side == side) else {
            return;
        };
        for event in events {
            if event.type_name() == fault.kind && fault.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                worknode_process::die_as_if_killed();
            }
        }
    }
}
