//! Spans on their way to a collector: OTLP over HTTP, in protobuf.
//!
//! A queue in front, a task behind it that sends batches. The queue is bounded: what does not fit is
//! dropped and counted, nobody who works waits for a collector.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState, TracerProvider},
};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, registry::LookupSpan};
use worknode_core::{
    error::{Code, Error},
    trace::TraceContext,
};

use crate::watch::end_within;

/// The target of spans of the crate `tracing` that are exported.
pub const TARGET: &str = "worknode::spans";
/// Spans that wait; a busy team makes some hundred a second.
const QUEUE: usize = 16_384;
/// Spans of one request, as the specification of OpenTelemetry has it for batches.
const BATCH: usize = 512;
/// How long a span waits for others at most.
const EVERY: Duration = Duration::from_secs(2);
/// How long a collector may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How often a batch is offered, and the wait in between.
const OFFERS: u32 = 3;
const REST: Duration = Duration::from_secs(1);
/// How long what waits at the end of the daemon may take to be sent.
const LAST: Duration = Duration::from_secs(3);
/// Complaints about a collector come no closer than this.
const COMPLAIN: Duration = Duration::from_secs(60);

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The collector's address, as in `http://127.0.0.1:4318`; `/v1/traces` is added.
    pub endpoint: String,
    /// Headers of each request, such as a key.
    pub headers: HashMap<String, String>,
    /// `service.name` of what is sent.
    pub service: String,
    /// Name of the team.
    pub team: String,
}

/// Where spans are put. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    sender: mpsc::Sender<SpanData>,
    counts: Arc<Counts>,
}

/// What became of spans.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

/// The queue that spans of the crate `tracing` are put into, once there is one.
static QUEUE_OF_LAYER: OnceLock<Queue> = OnceLock::new();

impl Queue {
    /// Puts a span into it, or counts it as dropped.
    pub fn put(&self, span: SpanData) {
        if self.sender.try_send(span).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many a collector took, and how many were given up.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let Counts { sent, dropped } = &*self.counts;
        (sent.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed))
    }
}

/// The task that sends.
#[derive(Debug)]
pub struct Export {
    queue: Queue,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Export {
    /// Begins to send to `target`. Whether anybody listens there is found out when something is sent.
    ///
    /// # Errors
    /// When the endpoint is no address that can be used.
    pub fn start(target: &Target) -> Result<Self, Error> {
        let exporter = exporter(target)?;
        let (sender, spans) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let queue = Queue {
            sender,
            counts: Arc::clone(&counts),
        };
        // A second daemon in one process, as in tests, leaves requests to the first.
        if QUEUE_OF_LAYER.set(queue.clone()).is_ok() {
            tracing::callsite::rebuild_interest_cache();
        }
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            Sending::new(exporter, counts).until(spans, stopped).await;
        });
        Ok(Self { queue, stop, task })
    }

    /// Where spans are put.
    #[must_use]
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Sends what waits, as far as there is time.
    pub async fn stop(self) {
        // A task that is over has nothing to send.
        let _ = self.stop.send(());
        end_within(LAST, self.task).await;
    }
}

/// Can traces be sent there? Nobody is asked.
///
/// # Errors
/// Why not: it is no address, or one that needs TLS.
pub fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let address: http::Uri = endpoint
        .parse()
        .map_err(|error| format!("`{endpoint}` is no address: {error}"))?;
    match (address.scheme_str(), address.host()) {
        (Some("http"), Some(host)) if !host.is_empty() => Ok(()),
        (Some("https"), _) => Err(format!(
            "`{endpoint}` needs TLS, which is not spoken here; send to a collector on this machine"
        )),
        _ => Err(format!("`{endpoint}` does not begin with http:// and a host")),
    }
}

fn exporter(target: &Target) -> Result<SpanExporter, Error> {
    let base = target.endpoint.trim_end_matches('/');
    let bad = |why: String| {
        Error::new(Code::InvalidConfig, format!("cannot send traces: {why}"))
            .hint("name a collector that takes OTLP over HTTP, as in http://127.0.0.1:4318")
    };
    check_endpoint(base).map_err(bad)?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(HyperClient::with_default_connector(ANSWER, None))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{base}/v1/traces"))
        .with_headers(target.headers.clone())
        .with_timeout(ANSWER)
        .build()
        .map_err(|error| bad(error.to_string()))?;
    let resource = Resource::builder()
        .with_service_name(target.service.clone())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("worknode.team", target.team.clone()),
        ])
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// Sends batches, and says seldom that it cannot.
struct Sending {
    exporter: SpanExporter,
    counts: Arc<Counts>,
    complained: Option<Instant>,
}

impl Sending {
    const fn new(exporter: SpanExporter, counts: Arc<Counts>) -> Self {
        Self {
            exporter,
            counts,
            complained: None,
        }
    }

    async fn until(mut self, mut spans: mpsc::Receiver<SpanData>, mut stopped: oneshot::Receiver<()>) {
        let mut batch = Vec::new();
        loop {
            // What is gathered stays when the stop comes in between.
            tokio::select! {
                more = gather(&mut spans, &mut batch) => if !more { break },
                _ = &mut stopped => break,
            }
            self.send(std::mem::take(&mut batch)).await;
        }
        spans.close();
        while spans.recv_many(&mut batch, BATCH).await > 0 {}
        for rest in batch.chunks(BATCH) {
            self.send(rest.to_vec()).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let many = batch.len() as u64;
        let mut failure = String::new();
        for offer in 0..OFFERS {
            if offer > 0 {
                tokio::time::sleep(REST).await;
            }
            match self.exporter.export(batch.clone()).await {
                Ok(()) => {
                    self.counts.sent.fetch_add(many, Ordering::Relaxed);
                    return;
                }
                Err(error) => failure = error.to_string(),
            }
        }
        self.counts.dropped.fetch_add(many, Ordering::Relaxed);
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            self.complained = Some(Instant::now());
            tracing::warn!(error = %failure, spans = many, "the collector takes no traces");
        }
    }
}

/// Waits until there are enough spans, or the first has waited long enough. False when there will be none.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) -> bool {
    if spans.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let until = Instant::now() + EVERY;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match tokio::time::timeout_at(until, spans.recv_many(batch, room)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    true
}

/// Exports spans of the crate `tracing` with the target [`TARGET`], while there is an [`Export`].
pub(crate) fn layer<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let provider = SdkTracerProvider::builder().with_span_processor(ToQueue).build();
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(crate::spans::SCOPE))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(dynamic_filter_fn(|metadata, _| {
            metadata.is_span() && metadata.target() == TARGET && QUEUE_OF_LAYER.get().is_some()
        }))
}

/// Are spans of the crate `tracing` exported? Where not, none need be made.
#[must_use]
pub fn is_on() -> bool {
    QUEUE_OF_LAYER.get().is_some()
}

/// Puts `span` below a span of somebody else, in whose trace it is from then on.
pub fn put_below(span: &tracing::Span, parent: TraceContext) {
    let parent = SpanContext::new(
        TraceId::from_bytes(parent.trace),
        SpanId::from_bytes(parent.span),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let context = Context::new().with_remote_span_context(parent);
    if let Err(error) = span.set_parent(context) {
        tracing::debug!(%error, "a request stays out of its trace");
    }
}

/// Hands what is over to the queue.
#[derive(Debug)]
struct ToQueue;

impl SpanProcessor for ToQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if let Some(queue) = QUEUE_OF_LAYER.get() {
            queue.put(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_gathered_when_the_stop_comes_is_not_lost() {
        let (sender, mut spans) = mpsc::channel(QUEUE);
        let mut batch = Vec::new();
        sender.send(crate::spans::sample()).await.unwrap();
        tokio::select! {
            biased;
            _ = gather(&mut spans, &mut batch) => panic!("it waits for more"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(batch.len(), 1);
    }

    fn target(endpoint: &str) -> Target {
        Target {
            endpoint: endpoint.to_owned(),
            headers: HashMap::new(),
            service: "worknode".to_owned(),
            team: "team".to_owned(),
        }
    }

    #[test]
    fn an_endpoint_that_cannot_be_one_is_refused_in_words() {
        for bad in ["", "collector", "https://collector:4318", "http://", "ftp://x"] {
            let Err(error) = exporter(&target(bad)) else {
                panic!("`{bad}` was taken");
            };
            assert_eq!(error.code, Code::InvalidConfig, "{bad}");
            assert!(error.hint.is_some(), "{bad}");
        }
        assert!(exporter(&target("http://127.0.0.1:4318/")).is_ok());
    }
}
