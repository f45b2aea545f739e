//! What gates measure, and what they object to.
//!
//! Everything here is pure: contents of files before and after, reports of tools as bytes, and
//! settings go in; findings come out. Whoever reads the files and runs the programs is somewhere
//! else. Every input is bounded, and none makes a panic.
//!
//! | module | what it is about |
//! |---|---|
//! | [`code`] | source code, measured by its syntax |
//! | [`change`] | a change: files before and after, changed lines, changed functions |
//! | [`settings`] | what each gate is told, with the defaults |
//! | [`gate`] | the gates themselves, one module each, and the list of them |
//! | [`judge`] | severities, profiles of paths, waivers; what all gates together say |
//! | [`finding`] | one objection |
//! | [`report`] | what is said about them: text, JSON, SARIF, annotations |
//!
//! A comment in the code never silences a rule: whoever writes the code does not write the rules.
//! A waiver stands in the configuration, with a name, a reason and a last day, and is shown with
//! what it waives for as long as it stands.

pub mod change;
pub mod code;
pub mod finding;
pub mod gate;
pub mod judge;
pub mod lines;
pub mod report;
pub mod settings;
#[cfg(test)]
mod testing;
