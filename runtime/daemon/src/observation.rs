//! What others watch of a daemon: numbers always, traces when there is somewhere to send them.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

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

/// The numbers and the traces of a daemon.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) metrics: Metrics,
    queue: Option<Queue>,
    /// What is stopped at the end, once.
    working: Mutex<Working>,
}

/// The tasks behind it.
#[derive(Debug, Default)]
struct Working {
    export: Option<Export>,
    /// These end with the journal.
    followers: Vec<JoinHandle<()>>,
    tools: Option<ToolTracing>,
}

impl Observation {
    /// Begins, before anything of the team runs. Keepers get what is answered beside it.
    ///
    /// # Errors
    /// When traces can never be sent where they should go.
    pub(crate) fn start(loaded: &Loaded, journal: &Journal) -> Result<(Self, ToolCalls), Error> {
        let metrics = Metrics::new();
        let mut working = Working::default();
        working.followers.push(watch::count(journal, metrics.clone()));
        let mut tool_calls = ToolCalls::default();
        let mut queue = None;
        if let Some(target) = target(loaded) {
            let export = Export::start(&target)?;
            tracing::info!(collector = target.endpoint, "traces are sent");
            tool_calls = working.trace(journal, export.queue());
            queue = Some(export.queue().clone());
            working.export = Some(export);
        }
        let working = Mutex::new(working);
        let observation = Self {
            metrics,
            queue,
            working,
        };
        Ok((observation, tool_calls))
    }

    /// Spans that a collector took, and that were given up.
    pub(crate) fn spans(&self) -> (u64, u64) {
        self.queue.as_ref().map_or((0, 0), Queue::counts)
    }

    /// Sends what is left. The journal is closed by now.
    pub(crate) async fn stop(&self) {
        let working = {
            let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *working)
        };
        working.stop().await;
    }
}

impl Working {
    fn trace(&mut self, journal: &Journal, queue: &Queue) -> ToolCalls {
        self.followers.push(watch::trace(journal, queue.clone()));
        let (tool_calls, heard) = ToolCalls::watched();
        self.tools = Some(ToolTracing::start(journal, queue.clone(), heard));
        tool_calls
    }

    async fn stop(self) {
        for mut follower in self.followers {
            if tokio::time::timeout(LAST, &mut follower).await.is_err() {
                follower.abort();
            }
        }
        if let Some(tools) = self.tools {
            tools.stop(LAST).await;
        }
        if let Some(export) = self.export {
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
