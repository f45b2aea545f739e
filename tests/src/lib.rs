//! What the end-to-end tests and the benchmarks stand on: scratch repositories, the real
//! program, and runtimes in this process with a clock that a test moves.
//!
//! A fixture that cannot be made is a failed test, so this crate panics where the product
//! would return an error.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its scene has failed"
)]

pub mod coordinator;
pub mod http;
pub mod made;
pub mod program;
pub mod running;
pub mod scene;
pub mod schema;
pub mod tmpfs;
pub mod wait;
pub mod within;
