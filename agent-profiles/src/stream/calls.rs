//! The calls of tools that are not over.

use std::collections::{BTreeMap, VecDeque};

/// Most calls that are remembered as open, and most as over.
const CALLS: usize = 256;
/// Longest id of a call or a session that is kept. Real ones have a few dozen bytes.
pub(super) const ID: usize = 200;

#[derive(Clone, Debug)]
struct Call {
    name: String,
    background: bool,
}

/// The calls of one run, the newest of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    open: BTreeMap<String, Call>,
    over: VecDeque<String>,
}

impl Calls {
    /// A call begins. False when it is known already: programs tell of one call several times.
    pub(super) fn begin(&mut self, id: &str, name: &str) -> bool {
        if self.open.contains_key(id) || self.over.iter().any(|over| over == id) {
            return false;
        }
        if id.len() <= ID {
            if self.open.len() >= CALLS {
                self.open.pop_first();
            }
            let call = Call {
                name: name.to_owned(),
                background: false,
            };
            self.open.insert(id.to_owned(), call);
        }
        true
    }

    /// A call is over: its name. `None` for one that never began.
    pub(super) fn end(&mut self, id: &str) -> Option<String> {
        let call = self.open.remove(id)?;
        self.over.push_back(id.to_owned());
        if self.over.len() > CALLS {
            self.over.pop_front();
        }
        Some(call.name)
    }

    /// A call goes on behind the agent's back.
    pub(super) fn in_background(&mut self, id: &str) {
        if let Some(call) = self.open.get_mut(id) {
            call.background = true;
        }
    }

    /// The name of one that is waited for.
    pub(super) fn waited_for(&self) -> Option<&str> {
        let mut open = self.open.values();
        open.find(|call| !call.background).map(|call| call.name.as_str())
    }

    /// The name of the call with this id, while it is not over.
    pub(super) fn name_of(&self, id: &str) -> Option<&str> {
        self.open.get(id).map(|call| call.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_calls_that_never_end_are_forgotten() {
        let mut calls = Calls::default();
        for n in 0..10_000 {
            assert!(calls.begin(&format!("{n}"), "Bash"));
        }
        assert!(calls.begin(&"x".repeat(ID + 1), "Bash"));
        assert_eq!((calls.open.len(), calls.over.len()), (CALLS, 0));
        for n in 0..10_000 {
            let _ = calls.end(&format!("{n}"));
        }
        assert_eq!((calls.open.len(), calls.over.len()), (0, CALLS));
    }

    #[test]
    fn a_call_begins_once_and_ends_once() {
        let mut calls = Calls::default();
        assert!(calls.begin("1", "Bash"));
        assert!(!calls.begin("1", "Bash"));
        assert_eq!(calls.end("1").as_deref(), Some("Bash"));
        assert_eq!(calls.end("1"), None);
        assert!(!calls.begin("1", "Bash"));
    }
}
