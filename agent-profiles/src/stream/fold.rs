//! One fold for each stream.

use serde_json::Value;

use super::{
    BRIEF, Opening, acp::Acp, claude::Claude, codex::Codex, codex_server::CodexServer, gemini::Gemini,
    opencode::Opencode, plain::Plain, progress::Progress,
};
use crate::driver::{Driver, Stream, Transport};

/// How one stream is read and answered.
pub(super) trait Fold {
    /// The first inputs.
    fn begin(&mut self, _: &mut Progress) {}

    /// One event on stdout.
    fn event(&mut self, event: &Value, progress: &mut Progress);

    /// One line on stdout.
    fn said(&mut self, line: &str, progress: &mut Progress) {
        match serde_json::from_str::<Value>(line) {
            Ok(event @ Value::Object(_)) => self.event(&event, progress),
            _ => progress.garbage(line),
        }
    }

    /// One line on stderr.
    fn complaint(&mut self, line: &str, progress: &mut Progress) {
        progress.complain(line);
    }

    /// The protocol's own way to break off the work.
    fn cancel(&mut self, _: &mut Progress) {}

    /// There is no more output.
    fn over(&mut self, progress: &mut Progress) {
        progress.end_pieces();
    }
}

/// The fold of one conversation.
#[derive(Clone, Debug)]
pub(super) enum Format {
    Plain(Plain),
    Claude(Claude),
    Codex(Codex),
    CodexServer(CodexServer),
    Gemini(Gemini),
    Opencode(Opencode),
    Acp(Box<Acp>),
}

impl Format {
    pub(super) fn new(driver: &Driver, opening: &Opening<'_>) -> Self {
        match (driver.stream, driver.transport) {
            (Stream::None, _) => Self::Plain(Plain),
            (Stream::ClaudeCode, transport) => {
                Self::Claude(Claude::new(opening, transport == Transport::TwoWay))
            }
            (Stream::Codex, Transport::Lines) => Self::Codex(Codex::new(opening)),
            (Stream::Codex, Transport::TwoWay) => Self::CodexServer(CodexServer::new(driver, opening)),
            (Stream::Gemini, _) => Self::Gemini(Gemini),
            (Stream::Opencode, _) => Self::Opencode(Opencode::default()),
            (Stream::Acp, _) => Self::Acp(Box::new(Acp::new(driver, opening))),
        }
    }

    pub(super) fn fold(&mut self) -> &mut dyn Fold {
        match self {
            Self::Plain(fold) => fold,
            Self::Claude(fold) => fold,
            Self::Codex(fold) => fold,
            Self::CodexServer(fold) => fold,
            Self::Gemini(fold) => fold,
            Self::Opencode(fold) => fold,
            Self::Acp(fold) => fold.as_mut(),
        }
    }
}

/// The brief as it is said in a message, or where it is.
pub(super) fn brief(opening: &Opening<'_>) -> String {
    if opening.brief.len() <= BRIEF {
        opening.brief.to_owned()
    } else {
        format!(
            "Read your brief in the file `{}` and do what it says.",
            opening.brief_file
        )
    }
}
