//! Tests that need more than one part of the crate.

mod bounds;
mod errors;
mod fuzz;
mod language;
mod samples;
mod selection;
mod things;
