//! What others may watch: logs, traces, and numbers.
//!
//! | module | what it holds |
//! |---|---|
//! | [`logs`] | lines on standard error |
//! | [`metrics`] | numbers for Prometheus, in the text format of OpenMetrics 1.0 |
//! | [`spans`] | spans of what is over: a fold over the journal |
//! | [`export`] | spans on their way to a collector, over OTLP |
//! | [`watch`] | the task that follows the journal for both |
//!
//! Numbers and spans are read off the journal, by one follower, and not told by those whom they are
//! about: nothing can be forgotten there, and what is off costs nothing. Only what the journal does not
//! hold comes another way: calls of tools, which keepers tell, and requests,
//! which are spans of the crate `tracing`.

pub mod export;
pub mod logs;
pub mod metrics;
mod opened;
pub mod spans;
pub mod watch;
