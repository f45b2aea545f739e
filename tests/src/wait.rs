//! Waiting for what happens elsewhere. Nothing here takes a set time: a condition is looked at
//! until it holds, and a limit that no healthy machine reaches turns a hang into a failure.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::scene::Scene;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until it is so.
#[track_caller]
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    until(what, || if is_so() { Ok(()) } else { Err(()) });
}

/// Looks until there is an answer, and returns it. What was seen instead is told at the limit.
#[track_caller]
pub fn until<T, S: Debug>(what: &str, mut look: impl FnMut() -> Result<T, S>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                Instant::now() < end,
                "{what}: not within {LIMIT:?}; last seen: {seen:#?}"
            ),
        }
        std::thread::park_timeout(LOOK);
    }
}

impl Scene {
    /// Waits for an event that fits, the first of them.
    #[track_caller]
    pub fn wait_for_event(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        until(what, || {
            // Of a daemon that has only just been started there may be nothing to read yet.
            let done = self.worknode(&["events", "--json"]);
            let events = done
                .stdout
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            let found = events.filter(|_| done.code == Some(0)).find(|event| fits(event));
            found.ok_or(done)
        })
    }

    /// Waits until a daemon answers. Without one, the program answers from what is stored.
    #[track_caller]
    pub fn wait_for_daemon(&self) {
        until("a daemon", || {
            let done = self.worknode(&["status", "--json"]);
            let status: Value = serde_json::from_str(&done.stdout).unwrap_or_default();
            if status["daemon"].is_object() {
                Ok(())
            } else {
                Err(done)
            }
        });
    }

    /// Waits until the task stands there, and returns what `task show` says.
    #[track_caller]
    pub fn wait_for_task(&self, task: &str, status: &str) -> Value {
        until(task, || {
            let seen = self.worknode(&["task", "show", task, "--json"]).ok().json();
            if seen["status"] == status {
                Ok(seen)
            } else {
                Err(seen)
            }
        })
    }

    /// Waits until a file is there with all of its text (which ends in a line break).
    #[track_caller]
    pub fn wait_for_file(&self, name: &str) -> String {
        until(name, || match std::fs::read_to_string(self.file(name)) {
            Ok(text) if text.ends_with('\n') => Ok(text),
            other => Err(other),
        })
    }
}
