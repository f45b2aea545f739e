//! Where something is in a trace, as the W3C recommendation "Trace Context" has it.
//!
//! Nothing is kept for this: every context follows from the ids of what it is about. So an agent can
//! be told its context before anything is exported, a daemon that takes a run over goes on in the same
//! trace, and exporting twice gives the same spans.
//!
//! One task is one trace, with all its attempts: the task is the root, its runs, gates and landings are
//! below it. A run without a task is a trace of its own. A firing stands above what it started.

use std::{fmt, str::FromStr};

use crate::{
    hlc::Hlc,
    ids::{NodeId, RunId},
    run::RunSpec,
    time::Timestamp,
};

/// A call of a tool that is over, as the agent's program tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Name of the agent that made it.
    pub agent: String,
    /// In which run.
    pub run: RunSpec,
    /// The how-manieth call of that run, from 1.
    pub number: u64,
    /// Which tool.
    pub tool: String,
    /// When it began.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// Did it succeed, as far as the program says?
    pub ok: bool,
}

/// A span of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Which trace.
    pub trace: [u8; 16],
    /// Which span of it.
    pub span: [u8; 8],
}

impl TraceContext {
    /// Of a task, from its first readiness to its end.
    #[must_use]
    pub fn of_task(task: NodeId) -> Self {
        Self::root(task.as_uuid().as_bytes())
    }

    /// Of a run: below its task, when it has one.
    #[must_use]
    pub fn of_run(run: &RunSpec) -> Self {
        let own = Self::root(run.id.as_uuid().as_bytes());
        match run.purpose.task() {
            Some(task) => Self {
                trace: Self::of_task(task).trace,
                ..own
            },
            None => own,
        }
    }

    /// Of a run that is known by its id alone, and has no task.
    #[must_use]
    pub fn of_lone_run(run: RunId) -> Self {
        Self::root(run.as_uuid().as_bytes())
    }

    /// Of something in the same trace: `name` says what, `of` whose it is.
    #[must_use]
    pub fn derived(self, of: NodeId, name: &str) -> Self {
        Self {
            span: span_of(NodeId::derived(of, name).as_uuid().as_bytes()),
            ..self
        }
    }

    /// Of what ended with the event `at` of `of`, in the same trace.
    #[must_use]
    pub fn ended_at(self, of: NodeId, at: Hlc) -> Self {
        self.derived(of, &at.to_string())
    }

    fn root(id: &[u8; 16]) -> Self {
        Self {
            trace: *id,
            span: span_of(id),
        }
    }
}

/// As others write it, in the only version that there is.
impl FromStr for TraceContext {
    type Err = NoTraceContext;

    fn from_str(text: &str) -> Result<Self, NoTraceContext> {
        let mut parts = text.split('-');
        let version = parts.next().and_then(bytes::<1>).ok_or(NoTraceContext)?;
        let trace = parts.next().and_then(bytes::<16>).ok_or(NoTraceContext)?;
        let span = parts.next().and_then(bytes::<8>).ok_or(NoTraceContext)?;
        let flags = parts.next().and_then(bytes::<1>);
        // Later versions may add parts; version 255 is none.
        let whole = flags.is_some() && version != [0xff] && (version != [0] || parts.next().is_none());
        let named = trace != [0; 16] && span != [0; 8];
        (whole && named)
            .then_some(Self { trace, span })
            .ok_or(NoTraceContext)
    }
}

/// This is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a trace context: 00, 32 and 16 lower-case hexadecimal digits and two more, joined by `-`")]
pub struct NoTraceContext;

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if hex.len() != 2 * N || !hex.as_bytes().iter().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..hex.len()).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The second half of an id: the random one of a UUIDv7.
fn span_of(id: &[u8; 16]) -> [u8; 8] {
    let mut span = [0; 8];
    span.copy_from_slice(&id[8..]);
    span
}

/// The value of `traceparent`; the trace is sampled.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-01")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Purpose, RunLimits};

    fn run(purpose: Purpose) -> RunSpec {
        RunSpec {
            id: RunId::from_parts(2, [7; 10]),
            purpose,
            limits: RunLimits::default(),
            raised: Vec::new(),
        }
    }

    #[test]
    fn the_attempts_of_a_task_are_one_trace_and_spans_of_their_own() {
        let task = NodeId::from_parts(1, [3; 10]);
        let run = TraceContext::of_run(&run(Purpose::Work { task, epoch: 1 }));
        let task = TraceContext::of_task(task);
        assert_eq!(run.trace, task.trace);
        assert_ne!(run.span, task.span);
    }

    #[test]
    fn a_run_without_a_task_is_a_trace_of_its_own() {
        let spec = run(Purpose::Standing);
        assert_eq!(TraceContext::of_run(&spec), TraceContext::of_lone_run(spec.id));
    }

    #[test]
    fn it_is_written_as_the_recommendation_has_it() {
        let context = TraceContext {
            trace: [0xab; 16],
            span: [1; 8],
        };
        let written = context.to_string();
        assert_eq!(written, "00-abababababababababababababababab-0101010101010101-01");
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let context = TraceContext::of_task(NodeId::from_parts(1, [3; 10]));
        assert_eq!(context.to_string().parse(), Ok(context));
        let trace = "ab".repeat(16);
        for bad in [
            "",
            "00",
            "00-zz-01-01",
            &format!("00-{}-{}-01", "0".repeat(32), "1".repeat(16)),
            &format!("00-{trace}-{}-01", "0".repeat(16)),
            &format!("00-{trace}-{}-01-00", "1".repeat(16)),
            &format!("ff-{trace}-{}-01", "1".repeat(16)),
            &format!("00-{}-{}-01", trace.to_uppercase(), "1".repeat(16)),
            &format!("00-é{}-{}-01", &trace[2..], "1".repeat(16)),
        ] {
            assert_eq!(bad.parse::<TraceContext>(), Err(NoTraceContext), "{bad}");
        }
        let later = format!("01-{trace}-{}-01-00", "1".repeat(16));
        assert!(later.parse::<TraceContext>().is_ok());
    }

    #[test]
    fn what_is_derived_is_the_same_each_time_and_differs_by_name() {
        let of = NodeId::from_parts(1, [3; 10]);
        let task = TraceContext::of_task(of);
        assert_eq!(task.derived(of, "a"), task.derived(of, "a"));
        assert_ne!(task.derived(of, "a"), task.derived(of, "b"));
        assert_eq!(task.derived(of, "a").trace, task.trace);
    }
}
