//! What others watch of a daemon: numbers always, traces when there is somewhere to send them.

use std::time::Duration;

use tokio::task::JoinHandle;
use worknode_actors::tool_calls::ToolCalls;
use worknode_core::error::Error;
use worknode_journal::Journal;
use worknode_telemetry::{
    export::{Export, Queue, Target},
    metrics::Metrics,
    watch::{self, ToolTracing},
};

use crate::config::Loaded;

/// `service.name`, when nobody says otherwise.
const SERVICE: &str = "worknode";
/// The variable that other programs with traces heed, too.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How long what was stored last may take to be looked at, once the journal is closed.
const LAST: Duration = Duration::from_secs(1);

/// The numbers and the traces of a daemon, as those see them who answer requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub(crate) metrics: Metrics,
    queue: Option<Queue>,
}

/// The tasks behind it.
#[derive(Debug)]
pub(crate) struct Observing {
    /// Ends with the journal.
    follower: JoinHandle<()>,
    traces: Option<(ToolTracing, Export)>,
}

impl Observation {
    /// Begins, before anything of the team runs. Keepers get what is answered last.
    ///
    /// # Errors
    /// When traces can never be sent where they should go.
    pub(crate) fn start(loaded: &Loaded, journal: &Journal) -> Result<(Self, Observing, ToolCalls), Error> {
        let export = match target(loaded) {
            Some(target) => {
                let export = Export::start(&target)?;
                tracing::info!(collector = target.endpoint, "traces are sent");
                Some(export)
            }
            None => None,
        };
        let observation = Self {
            metrics: Metrics::new(),
            queue: export.as_ref().map(|export| export.queue().clone()),
        };
        let follower = watch::follow(journal, observation.metrics.clone(), observation.queue.clone());
        let (tool_calls, traces) = match export {
            Some(export) => {
                let (tool_calls, heard) = ToolCalls::watched();
                let tools = ToolTracing::start(export.queue().clone(), heard);
                (tool_calls, Some((tools, export)))
            }
            None => (ToolCalls::default(), None),
        };
        Ok((observation, Observing { follower, traces }, tool_calls))
    }

    /// Spans that a collector took, and that were given up.
    pub(crate) fn spans(&self) -> (u64, u64) {
        self.queue.as_ref().map_or((0, 0), Queue::counts)
    }
}

impl Observing {
    /// Sends what is left. The journal is closed by now.
    pub(crate) async fn stop(self) {
        watch::end_within(LAST, self.follower).await;
        if let Some((tools, export)) = self.traces {
            tools.stop(LAST).await;
            export.stop().await;
        }
    }
}

fn target(loaded: &Loaded) -> Option<Target> {
    let section = &loaded.config.telemetry;
    let given = || {
        loaded
            .sources
            .variable(ENDPOINT)
            .filter(|value| !value.is_empty())
    };
    let endpoint = section.otlp.as_deref().or_else(given)?;
    Some(Target {
        endpoint: endpoint.to_owned(),
        headers: section.headers.clone().into_iter().collect(),
        service: section.service.clone().unwrap_or_else(|| SERVICE.to_owned()),
        team: loaded.definition.name.clone(),
    })
}
