//! Numbers for Prometheus, counted from the daemon's start.
//!
//! Labels have few values: neither tasks nor triggers nor runs are labels, because there may be a
//! hundred thousand of them.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use worknode_core::{
    event::{Event, Record},
    ids::{NodeId, RunId},
    run::{Ending, Receipt},
    time::Timestamp,
    usage::Usage,
    verdict::{Outcome, Verdict},
};
use worknode_journal::Reader;

use crate::{opened::Opened, spans::millis_between, spans::name_of};

/// `Content-Type` of what [`Metrics::encode`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Agents and gates that have a label of their own; the rest are one, `other`.
const LABELS: usize = 1_000;
/// A firing that began so long after it was due was late.
const LATE: Duration = Duration::from_secs(1);

type Labels<const N: usize> = Family<[(&'static str, String); N], Counter>;
type Floats<const N: usize> = Family<[(&'static str, String); N], Counter<f64, AtomicU64>>;
type Durations<const N: usize> = Family<[(&'static str, String); N], Histogram, Buckets>;

/// From ten milliseconds to three hours: what a gate takes, and what an agent takes.
#[derive(Clone, Copy, Debug)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.01, 4.0, 11))
    }
}

/// What is asked for when somebody looks, and not counted.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// Worknodes by kind and status.
    pub nodes: Vec<(String, String, u64)>,
    /// Worknodes whose actor is there.
    pub awake: u64,
    /// Commands that wait in mailboxes.
    pub waiting: u64,
    /// Commands that wait in the fullest mailbox.
    pub fullest: u64,
    /// Spans that a collector took, and that were given up.
    pub spans: (u64, u64),
}

/// The numbers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Mutex<Counted>>);

#[derive(Debug)]
struct Counted {
    registry: Registry,
    events: Family<[(&'static str, &'static str); 1], Counter>,
    claims: Counter,
    released: Labels<1>,
    waits: Durations<0>,
    tasks: Durations<1>,
    runs: Durations<1>,
    stops: Labels<1>,
    stop_times: Durations<0>,
    orphans: Counter,
    survivors: Counter,
    gates: Durations<2>,
    firings: Labels<1>,
    lateness: Durations<0>,
    late: Counter,
    missed: Counter,
    tokens: Labels<2>,
    cost: Floats<1>,
    paused_for: Floats<1>,
    paused: Family<[(&'static str, String); 1], Gauge>,
    ready: Opened<NodeId, Timestamp>,
    stopping: Opened<RunId, Timestamp>,
    used: Opened<RunId, Usage>,
    pools: Opened<String, Timestamp>,
    names: HashSet<String>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Counted::new())))
    }

    /// Counts what happened.
    pub(crate) fn take(&self, records: &[Arc<Record>], known: &Reader) {
        let mut counted = self.lock();
        for record in records {
            counted.take(record, known);
        }
    }

    /// All numbers as text.
    ///
    /// # Errors
    /// None that was seen: writing into a text does not fail.
    pub fn encode(&self, now: &Now) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.lock().registry)?;
        let mut present = Registry::with_prefix("worknode");
        register_now(&mut present, now);
        encode_registry(&mut text, &present)?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// A panic while counting leaves numbers that are a little wrong, and nothing worse.
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn register_now(registry: &mut Registry, now: &Now) {
    let nodes: Family<[(&'static str, String); 2], Gauge> = Family::default();
    registry.register("nodes", "Worknodes by kind and status", nodes.clone());
    for (kind, status, many) in &now.nodes {
        let labels = [("kind", kind.clone()), ("status", status.clone())];
        nodes.get_or_create(&labels).set(whole(*many));
    }
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(whole(value));
        registry.register(name, help, gauge);
    };
    gauge("awake", "Worknodes whose actor is there", now.awake);
    gauge("mailbox_waiting", "Commands that wait in mailboxes", now.waiting);
    gauge(
        "mailbox_fullest",
        "Commands that wait in the fullest mailbox",
        now.fullest,
    );
    let spans: Labels<1> = Family::default();
    registry.register("spans", "Spans that were sent, or given up", spans.clone());
    let (sent, dropped) = now.spans;
    for (outcome, many) in [("sent", sent), ("dropped", dropped)] {
        let labels = [("outcome", outcome.to_owned())];
        spans.get_or_create(&labels).inc_by(many);
    }
}

impl Counted {
    fn new() -> Self {
        let durations = || Durations::<1>::new_with_constructor(Buckets);
        let lone = || Durations::<0>::new_with_constructor(Buckets);
        let mut counted = Self {
            registry: Registry::with_prefix("worknode"),
            events: Family::default(),
            claims: Counter::default(),
            released: Family::default(),
            waits: lone(),
            tasks: durations(),
            runs: durations(),
            stops: Family::default(),
            stop_times: lone(),
            orphans: Counter::default(),
            survivors: Counter::default(),
            gates: Durations::new_with_constructor(Buckets),
            firings: Family::default(),
            lateness: lone(),
            late: Counter::default(),
            missed: Counter::default(),
            tokens: Family::default(),
            cost: Family::default(),
            paused_for: Family::default(),
            paused: Family::default(),
            ready: Opened::default(),
            stopping: Opened::default(),
            used: Opened::default(),
            pools: Opened::default(),
            names: HashSet::new(),
        };
        counted.register_counts();
        counted.register_durations();
        counted
    }

    fn register_counts(&mut self) {
        let to = &mut self.registry;
        to.register("events", "Events by type", self.events.clone());
        to.register("claims", "Tasks that were claimed", self.claims.clone());
        to.register(
            "claims_released",
            "Claims that ended without a submission that counts; `lapsed` are lapses",
            self.released.clone(),
        );
        to.register(
            "runs_stopped",
            "Runs that were stopped, by cause",
            self.stops.clone(),
        );
        to.register(
            "orphans",
            "Processes beside the agent itself that a run left and that were ended",
            self.orphans.clone(),
        );
        to.register(
            "survivors",
            "Processes of runs that could not be ended",
            self.survivors.clone(),
        );
        to.register("firings", "Firings of triggers, by outcome", self.firings.clone());
        to.register(
            "firings_late",
            "Firings that began more than a second after they were due",
            self.late.clone(),
        );
        to.register(
            "firings_missed",
            "Occurrences that were skipped, with their reasons in the journal",
            self.missed.clone(),
        );
        to.register("tokens", "Tokens by agent and sort", self.tokens.clone());
        to.register("cost_usd", "Money by agent, in US dollars", self.cost.clone());
        to.register(
            "quota_paused",
            "Whether agents on these credentials are paused",
            self.paused.clone(),
        );
    }

    fn register_durations(&mut self) {
        let to = &mut self.registry;
        let mut seconds = |name: &str, help: &str, metric: Durations<1>| {
            to.register_with_unit(name, help, Unit::Seconds, metric);
        };
        seconds("task", "From the making of a task to its end", self.tasks.clone());
        seconds("run", "How long runs lived, by how they ended", self.runs.clone());
        let mut lone = |name: &str, help: &str, metric: Durations<0>| {
            to.register_with_unit(name, help, Unit::Seconds, metric);
        };
        lone("task_wait", "From ready to claimed", self.waits.clone());
        lone(
            "stop",
            "From the order to stop to the end of a run",
            self.stop_times.clone(),
        );
        lone("firing_lateness", "From due to recorded", self.lateness.clone());
        to.register_with_unit("gate", "How long gates took", Unit::Seconds, self.gates.clone());
        to.register_with_unit(
            "quota_paused",
            "How long agents on these credentials were paused",
            Unit::Seconds,
            self.paused_for.clone(),
        );
    }

    fn take(&mut self, record: &Record, known: &Reader) {
        let labels = [("type", record.event.type_name())];
        self.events.get_or_create(&labels).inc();
        self.take_task(record, known);
        self.take_run(record, known);
        self.take_firing(record);
    }

    fn take_task(&mut self, record: &Record, known: &Reader) {
        match &record.event {
            Event::TaskReady => self.ready.begin(record.node, record.at.wall),
            Event::TaskClaimed { .. } => self.claimed(record),
            Event::TaskReleased { cause, .. } => {
                let labels = [("cause", cause.name().to_owned())];
                self.released.get_or_create(&labels).inc();
            }
            Event::VerdictRecorded { verdict } => self.judged(verdict),
            Event::TaskCompleted { .. } => self.finished("completed", record, known),
            Event::TaskFailed { .. } => self.finished("failed", record, known),
            Event::TaskCancelled { .. } => self.finished("cancelled", record, known),
            _ => {}
        }
    }

    /// Read off the events alone: there may be ten thousand claims a second.
    fn claimed(&mut self, record: &Record) {
        self.claims.inc();
        if let Some(since) = self.ready.end(&record.node) {
            let waited = seconds(since, record.at.wall);
            self.waits.get_or_create(&[]).observe(waited);
        }
    }

    fn finished(&self, outcome: &str, record: &Record, known: &Reader) {
        if let Some(node) = known.node(record.node).ok().flatten() {
            let took = seconds(node.created.wall, record.at.wall);
            let labels = [("outcome", outcome.to_owned())];
            self.tasks.get_or_create(&labels).observe(took);
        }
    }

    fn judged(&mut self, verdict: &Verdict) {
        let outcome = match verdict.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
        };
        let gate = self.label(&verdict.gate);
        let labels = [("gate", gate), ("outcome", outcome.to_owned())];
        let took = Duration::from_millis(verdict.took_ms).as_secs_f64();
        self.gates.get_or_create(&labels).observe(took);
    }

    fn take_run(&mut self, record: &Record, known: &Reader) {
        match &record.event {
            Event::RunUsed { run, usage } => self.use_up(*run, record.node, usage, known),
            Event::RunStopping { run, cause } => {
                let labels = [("cause", cause.name().to_owned())];
                self.stops.get_or_create(&labels).inc();
                self.stopping.begin(*run, record.at.wall);
            }
            Event::RunExited { run, receipt } => {
                self.use_up(*run, record.node, &receipt.usage, known);
                self.used.end(run);
                if let Some(since) = self.stopping.end(run) {
                    let took = seconds(since, receipt.ended_at);
                    self.stop_times.get_or_create(&[]).observe(took);
                }
                self.exited(receipt);
            }
            Event::PoolPaused { pool, .. } => {
                self.pools.begin(pool.clone(), record.at.wall);
                self.paused.get_or_create(&[("pool", pool.clone())]).set(1);
            }
            Event::PoolResumed { pool } => self.resumed(pool, record.at.wall),
            _ => {}
        }
    }

    fn resumed(&mut self, pool: &str, at: Timestamp) {
        let labels = [("pool", pool.to_owned())];
        self.paused.get_or_create(&labels).set(0);
        if let Some(since) = self.pools.end(&pool.to_owned()) {
            let paused = seconds(since, at);
            self.paused_for.get_or_create(&labels).inc_by(paused);
        }
    }

    fn exited(&self, receipt: &Receipt) {
        let ending = match &receipt.ending {
            Ending::Code { code: 0 } if receipt.failure.is_none() => "ok",
            Ending::Code { .. } => "failed",
            Ending::Signal { .. } => "signal",
            Ending::NotStarted { .. } => "not_started",
            Ending::Unseen => "unseen",
        };
        let began = receipt.started_at.unwrap_or(receipt.ended_at);
        let labels = [("ending", ending.to_owned())];
        let lived = seconds(began, receipt.ended_at);
        self.runs.get_or_create(&labels).observe(lived);
        // Who was stopped is one of them; who ended alone left the rest.
        let own = usize::from(receipt.cause.is_some());
        let orphans = receipt.processes_ended.saturating_sub(own);
        self.orphans.inc_by(orphans as u64);
        self.survivors.inc_by(receipt.survivors as u64);
    }

    /// What a run has used is told in all, so that what is new is the difference.
    fn use_up(&mut self, run: RunId, agent: NodeId, usage: &Usage, known: &Reader) {
        let before = self.used.get(&run).copied().unwrap_or_default();
        if *usage == before {
            return;
        }
        let agent = self.label(&name_of(agent, known));
        let sorts = [
            ("input", before.input_tokens, usage.input_tokens),
            ("output", before.output_tokens, usage.output_tokens),
            ("cache_read", before.cache_read_tokens, usage.cache_read_tokens),
            ("cache_write", before.cache_write_tokens, usage.cache_write_tokens),
        ];
        for (sort, before, now) in sorts {
            let labels = [("agent", agent.clone()), ("sort", sort.to_owned())];
            self.tokens
                .get_or_create(&labels)
                .inc_by(now.saturating_sub(before));
        }
        let micros = usage.cost.minus(before.cost).micros();
        let labels = [("agent", agent)];
        self.cost.get_or_create(&labels).inc_by(dollars(micros));
        self.used.begin(run, *usage);
    }

    fn take_firing(&mut self, record: &Record) {
        let outcome = match &record.event {
            Event::TriggerFired { due, by, .. } => {
                if by.is_none() {
                    self.fired(*due, record.at.wall);
                }
                return;
            }
            Event::TriggerActed { failed: false, .. } => "acted",
            Event::TriggerActed { failed: true, .. } => "failed",
            Event::TriggerSkipped { .. } => {
                self.missed.inc();
                "skipped"
            }
            Event::TriggerPassed { count, .. } => {
                self.missed.inc_by(*count);
                return;
            }
            _ => return,
        };
        let labels = [("outcome", outcome.to_owned())];
        self.firings.get_or_create(&labels).inc();
    }

    fn fired(&self, due: Timestamp, at: Timestamp) {
        self.lateness.get_or_create(&[]).observe(seconds(due, at));
        if at.since(due) > LATE {
            self.late.inc();
        }
    }

    /// A name as a label, while there are not too many.
    fn label(&mut self, name: &str) -> String {
        if !self.names.contains(name) {
            if self.names.len() >= LABELS {
                return "other".to_owned();
            }
            self.names.insert(name.to_owned());
        }
        name.to_owned()
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    Duration::from_millis(millis_between(from, to)).as_secs_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "beyond nine billion dollars the cents do not matter"
)]
fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_one_end_and_every_number_its_help() {
        let metrics = Metrics::new();
        let now = Now {
            nodes: vec![("task".to_owned(), "ready".to_owned(), 3)],
            ..Now::default()
        };
        let text = metrics.encode(&now).unwrap();
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.ends_with("# EOF\n"));
        assert!(
            text.contains("worknode_nodes{kind=\"task\",status=\"ready\"} 3"),
            "{text}"
        );
        assert!(text.contains("# HELP worknode_claims "), "{text}");
    }

    #[test]
    fn p8_labels_are_bounded() {
        let mut counted = Counted::new();
        for n in 0..2 * LABELS {
            counted.label(&format!("agent-{n}"));
        }
        assert_eq!(counted.names.len(), LABELS);
        assert_eq!(counted.label("one more"), "other");
        assert_eq!(counted.label("agent-1"), "agent-1");
    }
}
