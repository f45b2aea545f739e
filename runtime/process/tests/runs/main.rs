//! Runs, from the outside: real children through `/bin/sh`, real files.
//!
//! Nothing here waits for a time to pass. A test waits for what a child wrote, for a child's
//! end, or for a named pipe to be opened.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its scene has failed"
)]

mod bounds;
mod ends;
mod marks;
mod output;
mod scene;
mod start;
mod stops;
