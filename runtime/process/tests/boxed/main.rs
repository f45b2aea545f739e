//! What a box holds, and what works inside it.
//!
//! Every way out is tried twice: without the box it leads out, in the box it is refused and
//! leaves everything as it was. So no test passes because an attempt is broken.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its scene has failed"
)]

mod inside;
mod limits;
mod network;
mod outside_files;
mod outside_processes;
mod scene;
