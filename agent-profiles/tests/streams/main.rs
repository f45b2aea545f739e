//! What real programs wrote, and what is made of it.
//!
//! Each thing that a supervisor must not believe of these programs is a test here: exit codes that
//! lie, results that are not the end, errors that never end, silence that is not death, counts that
//! are of more than the run. The recordings are in `tests/transcripts`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its scene has failed"
)]

mod acp;
mod all;
mod any;
mod asked;
mod claude;
mod codex;
mod gemini;
mod opencode;
mod scene;
mod spoken;
