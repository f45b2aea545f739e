//! Spans of what is over: a fold over the journal.
//!
//! | span | from | to | stands below |
//! |---|---|---|---|
//! | `firing TRIGGER` | the firing is recorded | it has acted | nothing |
//! | `task NAME` | the task is made | it is completed, failed or cancelled | the firing that made it |
//! | `create_agent AGENT` | the run is queued | its process is there | the run's task or firing |
//! | `invoke_agent AGENT` | its process is there | it is gone | the run's task or firing |
//! | `execute_tool TOOL` | the agent says that it calls it | it says that it is over | the run |
//! | `gate GATE` | the gate begins | its verdict is recorded | the task |
//! | `landing` | the landing begins | the branch has moved, or not | the task |
//!
//! Names and attributes that begin with `gen_ai.` are those of OpenTelemetry's semantic conventions for
//! generative AI; facts of our own begin with `worknode.`. `error.type` says why something failed.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use worknode_core::{
    event::{Event, Record},
    firing::Started,
    ids::{NodeId, RunId},
    node::Node,
    run::{Ending, Receipt, RunSpec},
    task::{Task, TaskStatus},
    time::Timestamp,
    trace::{ToolCall, TraceContext},
    verdict::{Outcome, Verdict},
};
use worknode_journal::Reader;

use crate::opened::Opened;

/// Who made the spans.
pub const SCOPE: &str = "worknode";

/// What is known of what has begun.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    fired: Opened<(String, String), (Timestamp, Timestamp)>,
    /// The spans of firings, by what they started.
    above: Opened<NodeId, [u8; 8]>,
    above_runs: Opened<RunId, [u8; 8]>,
    queued: Opened<RunId, Timestamp>,
    landings: Opened<NodeId, Timestamp>,
}

impl Spans {
    /// Notes what an event begins.
    fn begin(&mut self, record: &Record) {
        let at = record.at.wall;
        match &record.event {
            Event::TriggerFired {
                trigger,
                occurrence,
                due,
                ..
            } => {
                let firing = (trigger.clone(), occurrence.clone());
                self.fired.begin(firing, (*due, at));
            }
            Event::RunQueued { run } => self.queued.begin(run.id, at),
            Event::LandingStarted { .. } => self.landings.begin(record.node, at),
            _ => {}
        }
    }

    /// What an event ends: the end of a task may be that of a landing, too.
    pub(crate) fn take(&mut self, record: &Record, known: &Reader) -> impl Iterator<Item = SpanData> {
        self.begin(record);
        let ended = self.end(record, known);
        ended.into_iter().chain(self.task(record, known))
    }

    fn end(&mut self, record: &Record, known: &Reader) -> Option<SpanData> {
        match &record.event {
            Event::TriggerActed { .. } => self.firing(record, known),
            Event::RunStarted { run, .. } => self.created(*run, record, known),
            Event::RunExited { run, receipt } => self.invoked(*run, receipt, record, known),
            Event::VerdictRecorded { verdict } => Some(gate(verdict, record)),
            Event::LandingAbandoned { reason } => self.landing(record, Some(reason)),
            Event::TaskCompleted { .. } => self.landing(record, None),
            _ => None,
        }
    }

    /// The span of a task, when the event ended it.
    fn task(&mut self, record: &Record, known: &Reader) -> Option<SpanData> {
        let over = matches!(
            record.event,
            Event::TaskCompleted { .. } | Event::TaskFailed { .. } | Event::TaskCancelled { .. }
        );
        let node = over.then(|| known.node(record.node).ok().flatten()).flatten()?;
        let parent = self.above.end(&record.node);
        Some(task_span(&node, node.task()?, parent, record.at.wall))
    }

    fn firing(&mut self, record: &Record, known: &Reader) -> Option<SpanData> {
        let Event::TriggerActed {
            trigger,
            occurrence,
            outcome,
            failed,
            started,
        } = &record.event
        else {
            return None;
        };
        let (due, began) = self.fired.end(&(trigger.clone(), occurrence.clone()))?;
        let own = TraceContext::of_task(NodeId::derived(record.node, &format!("{trigger} {occurrence}")));
        let trace = started.as_ref().and_then(|started| trace_of(started, known));
        let context = TraceContext {
            trace: trace.unwrap_or(own.trace),
            ..own
        };
        match started {
            Some(Started::Run(run)) => self.above_runs.begin(*run, own.span),
            Some(Started::Task(task)) => self.above.begin(*task, own.span),
            _ => {}
        }
        let facts = vec![
            KeyValue::new("worknode.trigger.name", trigger.clone()),
            KeyValue::new("worknode.trigger.occurrence", occurrence.clone()),
            KeyValue::new("worknode.trigger.lateness_ms", whole(millis_between(due, began))),
            KeyValue::new("worknode.outcome", outcome.clone()),
        ];
        let error = failed.then_some(("action_failed", outcome.as_str()));
        let name = format!("firing {trigger}");
        Some(span(context, None, name, (began, record.at.wall), facts, error))
    }

    fn created(&mut self, run: RunId, record: &Record, known: &Reader) -> Option<SpanData> {
        let queued = self.queued.end(&run)?;
        let spec = known.run(run).ok().flatten()?.run.spec;
        let context = TraceContext::of_run(&spec);
        let agent = name_of(record.node, known);
        let facts = of_agent("create_agent", record.node, &agent, run);
        let own = context.derived(record.node, &format!("create {run}"));
        let name = format!("create_agent {agent}");
        let times = (queued, record.at.wall);
        Some(span(own, self.parent_of(&spec), name, times, facts, None))
    }

    fn invoked(
        &mut self,
        run: RunId,
        receipt: &Receipt,
        record: &Record,
        known: &Reader,
    ) -> Option<SpanData> {
        self.queued.end(&run);
        let spec = known.run(run).ok().flatten()?.run.spec;
        let parent = self.parent_of(&spec);
        self.above_runs.end(&run);
        let agent = name_of(record.node, known);
        let mut facts = of_agent("invoke_agent", record.node, &agent, run);
        facts.extend(of_usage(receipt));
        let ended = receipt.ended_at;
        let times = (receipt.started_at.unwrap_or(ended), ended);
        let (kind, words) = trouble(receipt).unzip();
        let error = kind.zip(words.as_deref());
        let name = format!("invoke_agent {agent}");
        Some(span(
            TraceContext::of_run(&spec),
            parent,
            name,
            times,
            facts,
            error,
        ))
    }

    fn parent_of(&self, spec: &RunSpec) -> Option<[u8; 8]> {
        match spec.purpose.task() {
            Some(task) => Some(TraceContext::of_task(task).span),
            None => self.above_runs.get(&spec.id).copied(),
        }
    }

    fn landing(&mut self, record: &Record, abandoned: Option<&str>) -> Option<SpanData> {
        let began = self.landings.end(&record.node)?;
        let task = TraceContext::of_task(record.node);
        let facts = vec![KeyValue::new("worknode.task.id", record.node.to_string())];
        let error = abandoned.map(|reason| ("abandoned", reason));
        let own = task.ended_at(record.node, record.at);
        let times = (began, record.at.wall);
        Some(span(
            own,
            Some(task.span),
            "landing".to_owned(),
            times,
            facts,
            error,
        ))
    }
}

/// The span of a tool's call.
pub(crate) fn tool(call: &ToolCall) -> SpanData {
    let run = TraceContext::of_run(&call.run);
    let id = NodeId::from(*call.run.id.as_uuid());
    let facts = vec![
        KeyValue::new("gen_ai.operation.name", "execute_tool"),
        KeyValue::new("gen_ai.tool.name", call.tool.clone()),
        KeyValue::new("gen_ai.agent.name", call.agent.clone()),
        KeyValue::new("worknode.run.id", call.run.id.to_string()),
    ];
    let error = (!call.ok).then_some(("tool_failed", "the program says that it failed"));
    span(
        run.derived(id, &format!("tool {}", call.number)),
        Some(run.span),
        format!("execute_tool {}", call.tool),
        (call.began, call.ended),
        facts,
        error,
    )
}

fn gate(verdict: &Verdict, record: &Record) -> SpanData {
    let task = TraceContext::of_task(record.node);
    let ended = record.at.wall;
    let facts = vec![
        KeyValue::new("worknode.task.id", record.node.to_string()),
        KeyValue::new("worknode.gate.name", verdict.gate.clone()),
        KeyValue::new("worknode.gate.tree", verdict.tree.to_string()),
        KeyValue::new("worknode.gate.findings", whole(verdict.findings.len() as u64)),
    ];
    let first = verdict.findings.first();
    let words = first.map_or("failed", |finding| finding.message.as_str());
    let error = (verdict.outcome == Outcome::Failed).then_some(("gate_failed", words));
    span(
        task.ended_at(record.node, record.at),
        Some(task.span),
        format!("gate {}", verdict.gate),
        (ended.minus(Duration::from_millis(verdict.took_ms)), ended),
        facts,
        error,
    )
}

fn task_span(node: &Node, task: &Task, parent: Option<[u8; 8]>, ended: Timestamp) -> SpanData {
    let facts = vec![
        KeyValue::new("worknode.task.id", node.id.to_string()),
        KeyValue::new("worknode.task.name", node.name.clone()),
        KeyValue::new("worknode.task.status", task.status.name()),
        KeyValue::new("worknode.task.attempts", i64::from(task.attempts)),
    ];
    let error = match &task.status {
        TaskStatus::Failed { reason } => Some(("task_failed", reason.as_str())),
        TaskStatus::Cancelled { reason } => Some(("task_cancelled", reason.as_str())),
        _ => None,
    };
    let name = format!("task {}", node.name);
    let times = (node.created.wall, ended);
    span(TraceContext::of_task(node.id), parent, name, times, facts, error)
}

fn trace_of(started: &Started, known: &Reader) -> Option<[u8; 16]> {
    let context = match started {
        Started::Run(run) => TraceContext::of_run(&known.run(*run).ok().flatten()?.run.spec),
        Started::Task(task) => TraceContext::of_task(*task),
        _ => return None,
    };
    Some(context.trace)
}

/// An agent's name, or its id when nobody knows it any more.
pub(crate) fn name_of(node: NodeId, known: &Reader) -> String {
    let name = known.node(node).ok().flatten().map(|node| node.name);
    name.unwrap_or_else(|| node.to_string())
}

fn of_agent(operation: &'static str, agent: NodeId, name: &str, run: RunId) -> Vec<KeyValue> {
    vec![
        KeyValue::new("gen_ai.operation.name", operation),
        KeyValue::new("gen_ai.agent.id", agent.to_string()),
        KeyValue::new("gen_ai.agent.name", name.to_owned()),
        KeyValue::new("worknode.run.id", run.to_string()),
    ]
}

fn of_usage(receipt: &Receipt) -> Vec<KeyValue> {
    let usage = &receipt.usage;
    vec![
        KeyValue::new("gen_ai.usage.input_tokens", whole(usage.input_tokens)),
        KeyValue::new("gen_ai.usage.output_tokens", whole(usage.output_tokens)),
        KeyValue::new(
            "gen_ai.usage.cache_read.input_tokens",
            whole(usage.cache_read_tokens),
        ),
        KeyValue::new(
            "gen_ai.usage.cache_creation.input_tokens",
            whole(usage.cache_write_tokens),
        ),
        KeyValue::new("worknode.usage.cost_micro_usd", whole(usage.cost.micros())),
        KeyValue::new("worknode.usage.tool_calls", whole(usage.tool_calls)),
        KeyValue::new(
            "worknode.run.processes_ended",
            whole(receipt.processes_ended as u64),
        ),
        KeyValue::new("worknode.run.survivors", whole(receipt.survivors as u64)),
    ]
}

/// A word and a sentence for why a run did not end well; nothing when it did.
fn trouble(receipt: &Receipt) -> Option<(&'static str, String)> {
    if let Some(cause) = &receipt.cause {
        return Some((cause.name(), cause.words()));
    }
    if let Some(failure) = &receipt.failure {
        return Some(("agent_failed", failure.clone()));
    }
    match &receipt.ending {
        Ending::Code { code: 0 } => None,
        Ending::Code { code } => Some(("exit_code", format!("exited with code {code}"))),
        Ending::Signal { signal } => Some(("signal", format!("died of signal {signal}"))),
        Ending::NotStarted { reason } => Some(("not_started", reason.clone())),
        Ending::Unseen => Some(("unseen", "nobody saw its end".to_owned())),
    }
}

fn span(
    context: TraceContext,
    parent: Option<[u8; 8]>,
    name: String,
    (began, ended): (Timestamp, Timestamp),
    mut attributes: Vec<KeyValue>,
    error: Option<(&'static str, &str)>,
) -> SpanData {
    let status = error.map_or(Status::Unset, |(kind, words)| {
        attributes.push(KeyValue::new("error.type", kind));
        Status::error(words.to_owned())
    });
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(context.trace),
            SpanId::from_bytes(context.span),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: instant(began.min(ended)),
        end_time: instant(ended),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: InstrumentationScope::builder(SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn instant(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millis())
}

pub(crate) fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    worknode_core::time::millis(to.since(from))
}

/// Attributes know signed numbers only.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A span of nothing.
#[cfg(test)]
pub(crate) fn sample() -> SpanData {
    let of = NodeId::from_parts(1, [1; 10]);
    let at = Timestamp::from_millis(1);
    span(
        TraceContext::of_task(of),
        None,
        "sample".to_owned(),
        (at, at),
        Vec::new(),
        None,
    )
}
