//! Runs, from the outside: real shims, real children through `/bin/sh`, real files.
//!
//! Nothing here waits for a time to pass. A test waits for what a child wrote, for a child's
//! end, or for a named pipe to be opened. Where a limit is the subject, it is short and real.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its scene has failed"
)]

mod adoption;
mod bounds;
mod ends;
mod escapes;
mod freezing;
mod input;
mod limits;
mod loss;
mod marks;
mod output;
mod scene;
mod start;
mod stops;
