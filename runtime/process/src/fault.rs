//! For the harness that kills the daemon at every step.

use rustix::process::{Signal, getpid, kill_process};

/// Ends this process at once, as SIGKILL or a power cut would: nothing is flushed, nothing is
/// dropped.
pub fn die_as_if_killed() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        // The signal is on its way.
        std::thread::yield_now();
    }
}
