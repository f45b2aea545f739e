//! Logs. Spans carry the ids of node, agent, task and run; where they go is chosen here.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Layer, fmt, prelude::*, registry::LookupSpan};

use crate::export;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Sends logs to standard error, as `RUST_LOG` says, or `level` when it says nothing. A second
/// call changes nothing.
pub fn init(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let registry = tracing_subscriber::registry()
        .with(export::layer())
        .with(lines(format).with_filter(filter));
    if registry.try_init().is_err() {
        tracing::debug!("logs were set up before");
    }
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let layer = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => layer.with_ansi(colours).with_target(false).boxed(),
        LogFormat::Json => layer.json().with_current_span(true).boxed(),
    }
}
