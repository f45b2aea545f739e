//! The gate `complexity`: are the functions that a change touches small enough to be understood?
//!
//! | rule | what is measured |
//! |---|---|
//! | `complexity.cyclomatic` | ways through a function: 1, and 1 for each `if`, loop with a condition, `case`, further match arm, guard, `catch`, `?:`, `&&`, `||`, `??` and `let … else` |
//! | `complexity.length` | lines from the first to the last |
//! | `complexity.nesting` | control structures inside each other; `else if` is not inside |
//! | `complexity.parameters` | parameters, without the receiver |
//! | `complexity.unread` | lines that do not follow the grammar, so that nothing in them is measured |
//!
//! A function counts as touched when no function of the same text was there before: a new name
//! makes it touched, another file does not. Functions inside others are measured on their own,
//! except closures of Rust, lambdas of Python, C++ and Java, which belong to what is around them.
//! Functions in the bodies and definitions of Rust's macros are measured, and those of C between
//! macros that do not follow its grammar; of `#if`, every branch counts and the condition does not.

use crate::{
    change::{ChangeSet, File},
    code::Function,
    finding::{Finding, Measure},
    judge::Profiles,
    settings,
};

/// Lines without grammar up to this are an odd macro, more are something to hide behind.
const UNREAD: u32 = 10;

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet, told: &settings::Complexity, profiles: &Profiles) -> Vec<Finding> {
    let mut findings: Vec<Finding> = change
        .functions()
        .into_iter()
        .flat_map(|(file, function)| of_function(file, function, &profiles.limits(file.path(), told)))
        .collect();
    findings.extend(change.files.iter().filter_map(not_measured));
    findings.extend(change.files.iter().flat_map(unread));
    findings
}

fn of_function(file: &File, function: &Function, told: &settings::Complexity) -> Vec<Finding> {
    let rules = [
        (
            "cyclomatic",
            "ways through it",
            function.complexity,
            told.cyclomatic,
            "take decisions out into functions of their own, or into data",
        ),
        (
            "length",
            "lines",
            function.length(),
            told.length,
            "take parts that have a name out into functions of their own",
        ),
        (
            "nesting",
            "levels inside each other",
            function.nesting,
            told.nesting,
            "return early, or take the inner part out",
        ),
        (
            "parameters",
            "parameters",
            function.parameters,
            told.parameters,
            "put what belongs together into one type",
        ),
    ];
    rules
        .into_iter()
        .filter(|(_, _, measured, limit, _)| measured > limit)
        .map(|(rule, what, measured, limit, hint)| {
            let name = function.path();
            let message = format!("`{name}` has {measured} {what}, at most {limit} are allowed");
            Finding::new(format!("complexity.{rule}"), message)
                .in_file(file.path())
                .at_line(function.line)
                .of_function(name)
                .measured(measured, limit)
                .hint(hint)
        })
        .collect()
}

/// A file that could not be measured at all is not small enough to be understood.
fn not_measured(file: &File) -> Option<Finding> {
    let why = file.module()?.as_ref().err()?;
    let finding = Finding::new("complexity.unread", format!("not measured: {why}")).in_file(file.path());
    Some(finding.hint("split the file; generated code belongs into a profile that skips it"))
}

/// Changed lines that the grammar does not reach. They are warnings: macros do that, too.
fn unread(file: &File) -> Vec<Finding> {
    let Some(Ok(module)) = file.module() else {
        return Vec::new();
    };
    let long = |(from, to): &&(u32, u32)| to - from + 1 > UNREAD;
    module
        .unread
        .iter()
        .filter(long)
        .filter(|(from, to)| file.difference().added.touch(*from, *to))
        .map(|(from, to)| {
            let message = format!("lines {from} to {to} do not follow the grammar and were not measured");
            Finding::new("complexity.unread", message)
                .in_file(file.path())
                .at_line(*from)
                .measured(to - from + 1, Measure::from(UNREAD))
                .hint("look at them yourself: nothing in them was judged")
                .as_warning()
        })
        .collect()
}
