//! Programs whose output is for people. Their exit code is all that is known of their success.

use serde_json::Value;

use super::{fold::Fold, progress::Progress};

/// Reads nothing, and remembers the last line.
#[derive(Clone, Debug)]
pub(super) struct Plain;

impl Fold for Plain {
    fn event(&mut self, _: &Value, _: &mut Progress) {}

    fn said(&mut self, line: &str, progress: &mut Progress) {
        progress.note_words(line);
    }
}
