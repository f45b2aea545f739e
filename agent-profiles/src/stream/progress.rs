//! What is known of a run so far, and the reports that follow from it. Every stream's fold writes
//! here, so that what is reported, bounded and guarded is the same for all.

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;
use worknode_core::{
    time::{Timestamp, millis},
    usage::{Stuck, Usage},
};

use super::{
    Action, Cause, Opening, Phase, Report, TEXT,
    ask::Waiting,
    calls::{Calls, ID},
    guard::Guard,
    json::{clip, summary},
    trouble::{self, Trouble},
};
use crate::driver::Driver;

/// How the program says that it ended.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) success: bool,
    pub(super) text: String,
    pub(super) cause: Cause,
}

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// When the newest output was read.
    pub(super) at: Timestamp,
    pub(super) session: Option<String>,
    /// The newest error, and what it is: why a run without a result ended.
    pub(super) trouble: Option<(Cause, String)>,
    /// The newest line on stderr that is no routine.
    pub(super) complaint: String,
    /// The newest permission that the program refused by itself.
    pub(super) denied: Option<String>,
    pub(super) ending: Option<Ending>,
    pub(super) finished: bool,
    /// A line was too long to be read: what was in it is not known.
    pub(super) lost: bool,
    actions: Vec<Action>,
    usage: Usage,
    told: Usage,
    session_total: Usage,
    calls: Calls,
    guard: Guard,
    stuck: Option<Stuck>,
    chunks: String,
    words: String,
    garbage: u64,
    heard: bool,
    named: bool,
    cancelled: bool,
    refuse: Vec<String>,
    allow: Vec<String>,
    /// Whether a person is asked for what policy leaves open.
    pub(super) asks: bool,
    /// What waits for a person's word, the oldest first.
    pub(super) waiting: VecDeque<Waiting>,
}

impl Progress {
    pub(super) fn new(driver: &Driver, opening: &Opening<'_>) -> Self {
        let session = opening.resume.map(|resume| resume.session).or(opening.session);
        Self {
            session: session.map(|id| clip(id, ID)),
            session_total: opening.resume.map(|resume| resume.total).unwrap_or_default(),
            refuse: driver.refuse.clone(),
            allow: driver.allow.clone(),
            asks: opening.asks,
            ..Self::default()
        }
    }

    /// The actions since the last time.
    pub(super) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn report(&mut self, report: Report) {
        self.act(Action::Report(report));
    }

    pub(super) fn input(&mut self, id: impl Into<String>, message: &Value) {
        let mut bytes = message.to_string().into_bytes();
        bytes.push(b'\n');
        let id = id.into();
        self.actions.push(Action::Input { id, bytes });
    }

    /// The conversation is over: nothing more is said, and nothing more is expected.
    pub(super) fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            self.all_withdrawn();
            self.actions.push(Action::CloseInput);
            self.actions.push(Action::Finished);
        }
    }

    /// True the first time, and while there is something to break off.
    pub(super) fn begin_cancel(&mut self) -> bool {
        !std::mem::replace(&mut self.cancelled, true) && !self.finished
    }

    /// The program names its session.
    pub(super) fn session_is(&mut self, id: &str) {
        self.heard = true;
        // Each turn, with some programs each line, names it again.
        let told = self.named && self.session.as_deref() == Some(id);
        if !told && !id.is_empty() && id.len() <= ID {
            self.named = true;
            self.session = Some(id.to_owned());
            self.report(Report::Session { id: id.to_owned() });
        }
    }

    // What was used.

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Tokens and money of this run, in all.
    pub(super) fn used(&mut self, used: Usage) {
        let (turns, tool_calls) = (self.usage.turns, self.usage.tool_calls);
        self.usage = Usage {
            turns,
            tool_calls,
            ..used
        };
    }

    /// What the session has used, by the program's own count.
    pub(super) fn session_used(&mut self, total: Usage) {
        self.session_total = total;
    }

    pub(super) fn session_total(&self) -> Usage {
        self.session_total
    }

    /// The model answered.
    pub(super) fn turn(&mut self) {
        self.usage.turns = self.usage.turns.saturating_add(1);
    }

    /// Reports the usage when it has changed.
    pub(super) fn tell_usage(&mut self) {
        if self.usage != self.told {
            self.told = self.usage;
            self.report(Report::Usage(self.usage));
        }
    }

    // What it does.

    /// A tool was called. An id that is known already is the same call.
    pub(super) fn call(&mut self, id: &str, name: &str, input: &Value) {
        self.call_shown(id, name, input, &summary(input));
    }

    /// The same, for programs that word the summary themselves.
    pub(super) fn call_shown(&mut self, id: &str, name: &str, input: &Value, summary: &str) {
        let name = clip(name, ID);
        if !self.calls.begin(id, &name) {
            return;
        }
        self.usage.tool_calls = self.usage.tool_calls.saturating_add(1);
        self.moved();
        self.guard.call(&name, input);
        let summary = clip(summary, TEXT);
        self.report(Report::Tool { name, summary });
        self.look_for_circles();
    }

    /// A call is over. One that was never begun is none.
    pub(super) fn call_over(&mut self, id: &str, ok: bool) {
        if let Some(name) = self.calls.end(id) {
            self.report(Report::ToolEnded { name, ok });
        }
    }

    /// A call was sent to the background: its end is not waited for.
    pub(super) fn in_background(&mut self, id: &str) {
        self.calls.in_background(id);
    }

    /// The name of a call in the foreground that is not over.
    pub(super) fn open_call(&self) -> Option<&str> {
        self.calls.waited_for()
    }

    /// The name of the call with this id, while it is not over.
    pub(super) fn name_of(&self, id: &str) -> Option<&str> {
        self.calls.name_of(id)
    }

    /// The model answered nothing at all.
    pub(super) fn empty_answer(&mut self) {
        self.guard.empty();
        self.look_for_circles();
    }

    /// The agent said something.
    pub(super) fn say(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.moved();
        let text = clip(text.trim(), TEXT);
        self.words.clone_from(&text);
        self.report(Report::Said { text });
    }

    /// A piece of what the agent says. It is told when something else follows.
    pub(super) fn say_piece(&mut self, piece: &str) {
        self.moved();
        if self.chunks.len() <= TEXT {
            self.chunks.push_str(&clip(piece, TEXT));
        }
    }

    /// What was said in pieces is complete.
    pub(super) fn end_pieces(&mut self) {
        let text = std::mem::take(&mut self.chunks);
        self.say(&text);
    }

    /// The last words without a report of their own, for programs that nobody reads.
    pub(super) fn note_words(&mut self, text: &str) {
        self.heard = true;
        self.words = clip(text, TEXT);
    }

    pub(super) fn last_words(&self) -> &str {
        if self.chunks.trim().is_empty() {
            &self.words
        } else {
            &self.chunks
        }
    }

    /// It gets somewhere: an error that was on the way there is over.
    pub(super) fn moved(&mut self) {
        self.heard = true;
        self.trouble = None;
        self.guard.full();
        if !matches!(self.stuck, Some(Stuck::Looping { .. })) && self.waiting.is_empty() {
            self.unstick();
        }
    }

    fn look_for_circles(&mut self) {
        match self.guard.circle() {
            Some(what) => self.stick(Stuck::Looping { what }),
            None if matches!(self.stuck, Some(Stuck::Looping { .. })) => self.unstick(),
            None => {}
        }
    }

    // Where it gets nowhere.

    pub(super) fn stuck(&self) -> Option<&Stuck> {
        self.stuck.as_ref()
    }

    pub(super) fn stick(&mut self, stuck: Stuck) {
        if self.stuck.as_ref() != Some(&stuck) {
            self.stuck = Some(stuck.clone());
            self.report(Report::Stuck(stuck));
        }
    }

    pub(super) fn unstick(&mut self) {
        if self.stuck.take().is_some() {
            self.report(Report::Unstuck);
        }
    }

    /// A request failed and is made again. A pipe may be read late: what has finished tries
    /// nothing any more, and must not be held still for it.
    pub(super) fn retrying(&mut self, attempt: u64, trouble: Trouble<'_>) {
        if self.finished {
            return;
        }
        self.report(Report::Retrying {
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            status: trouble.status,
            wait_ms: trouble.wait.map(millis),
        });
        self.troubled(trouble);
    }

    /// Something went wrong; whether it is the end is not known.
    pub(super) fn troubled(&mut self, trouble: Trouble<'_>) {
        let cause = trouble.cause(self.at);
        self.trouble = Some((cause, clip(trouble.text, TEXT)));
        if let Some(stuck) = trouble::stuck(cause, trouble.text) {
            self.stick(stuck);
        }
    }

    pub(super) fn refuses(&self, tool: &str) -> bool {
        self.refuse.iter().any(|refused| refused == tool)
    }

    /// Is the tool granted whoever would be asked? A server's name stands for all its tools.
    pub(super) fn allows(&self, tool: &str) -> bool {
        self.allow.iter().any(|allowed| {
            let rest = tool.strip_prefix(allowed.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
        })
    }

    pub(super) fn denied(&mut self, what: &str) {
        let what = clip(what, TEXT);
        self.denied = Some(what.clone());
        self.report(Report::PermissionDenied { what });
    }

    // How it ends.

    /// It says that it is done.
    pub(super) fn succeed(&mut self, text: &str) {
        self.end_pieces();
        self.unstick();
        self.ended(true, text, Cause::NoResult);
    }

    /// It says that it failed.
    pub(super) fn fail(&mut self, text: &str, cause: Cause) {
        self.end_pieces();
        if let Some(stuck) = trouble::stuck(cause, text) {
            self.stick(stuck);
        }
        self.ended(false, text, cause);
    }

    /// The same, with a cause that is to be found out.
    pub(super) fn fail_with(&mut self, trouble: Trouble<'_>) {
        let cause = trouble.cause(self.at);
        self.fail(trouble.text, cause);
    }

    fn ended(&mut self, success: bool, text: &str, cause: Cause) {
        self.heard = true;
        // Whoever acts on the result finds all that was used.
        self.tell_usage();
        let text = clip(text.trim(), TEXT);
        self.report(Report::Result {
            success,
            text: text.clone(),
        });
        self.ending = Some(Ending { success, text, cause });
    }

    /// It goes on after all.
    pub(super) fn go_on(&mut self) {
        self.heard = true;
        self.ending = None;
    }

    pub(super) fn phase(&self) -> Phase {
        match &self.ending {
            Some(ending) => Phase::Ended {
                success: ending.success,
            },
            None if self.heard => Phase::Working,
            None => Phase::Opening,
        }
    }

    // What cannot be read.

    pub(super) fn garbage(&mut self, start: &str) {
        const START: usize = 120;
        self.garbage = self.garbage.saturating_add(1);
        if self.garbage.is_power_of_two() {
            let (lines, start) = (self.garbage, clip(start, START));
            self.report(Report::Garbage { lines, start });
        }
    }

    pub(super) fn lost_line(&mut self) {
        self.lost = true;
        self.garbage("(a line that is too long)");
    }

    pub(super) fn complain(&mut self, line: &str) {
        self.complaint = clip(line, TEXT);
    }
}

/// Seconds as a header has them.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}
