//! Calls of tools, told to whoever watches. The journal does not hold them: an agent makes thousands.

use tokio::sync::mpsc;
use worknode_core::trace::ToolCall;

/// Calls that wait to be looked at.
const WAITING: usize = 4_096;

/// Where calls are told. Cheap to clone; the default is that nobody watches.
#[derive(Clone, Debug, Default)]
pub struct ToolCalls(Option<mpsc::Sender<ToolCall>>);

impl ToolCalls {
    /// Somebody watches: what is told comes out at the other end.
    #[must_use]
    pub fn watched() -> (Self, mpsc::Receiver<ToolCall>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(Some(sender)), receiver)
    }

    /// Does somebody watch?
    pub(crate) const fn are_watched(&self) -> bool {
        self.0.is_some()
    }

    /// Tells one. Nobody waits for those who watch: what finds no room is not told.
    pub(crate) fn tell(&self, call: ToolCall) {
        if let Some(sender) = &self.0
            && sender.try_send(call).is_err()
        {
            tracing::debug!("a call of a tool is not told: too many at once");
        }
    }
}
