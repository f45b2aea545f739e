//! For the harness that kills daemon and shims at every step.
//!
//! Built only with the feature `faults`; without it a point is nothing at all, and no variable
//! is read or passed on.

pub(crate) use imp::at;
#[cfg(feature = "faults")]
pub use imp::die_as_if_killed;
#[cfg(feature = "faults")]
pub(crate) use imp::pass_on;

#[cfg(not(feature = "faults"))]
mod imp {
    /// A point at which the shim may be told to die.
    pub(crate) const fn at(_: &str) {}
}

#[cfg(feature = "faults")]
mod imp {
    use rustix::process::{Signal, getpid, kill_process};

    /// Names the point at which the shim of a run dies: `before_start`, `after_start` or
    /// `before_exit_record`.
    const SHIM_FAULT: &str = "WORKNODE_SHIM_FAULT";

    /// A point at which the shim may be told to die.
    pub(crate) fn at(point: &str) {
        if std::env::var(SHIM_FAULT).is_ok_and(|wanted| wanted == point) {
            die_as_if_killed();
        }
    }

    /// Lets a shim, which otherwise sees nothing of the daemon's environment, know of its point.
    pub(crate) fn pass_on(command: &mut tokio::process::Command) {
        if let Some(point) = std::env::var_os(SHIM_FAULT) {
            command.env(SHIM_FAULT, point);
        }
    }

    /// Ends this process at once, as SIGKILL or a power cut would: nothing is flushed, nothing
    /// is dropped.
    pub fn die_as_if_killed() -> ! {
        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            // The signal is on its way.
            std::thread::yield_now();
        }
    }
}
