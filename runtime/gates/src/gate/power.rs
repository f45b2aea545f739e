//! The gate `power-of-ten`: the rules for code on which lives depend, as far as syntax tells.
//!
//! | rule | what breaks it | what it cannot see |
//! |---|---|---|
//! | `power-of-ten.flow` | `goto`, `setjmp`, `longjmp` | jumps inside macros |
//! | `power-of-ten.recursion` | a function that reaches itself by calls with a name | calls through pointers, values, traits, interfaces; in a change, callers that were not changed |
//! | `power-of-ten.loops` | a loop over nothing countable: `loop`, `while (true)`, a condition without a comparison of order | bounds that depend on values |
//! | `power-of-ten.allocation` | C, C++: memory allocated outside initialisation | allocation inside library calls |
//! | `power-of-ten.length` | a function longer than the limit | |
//! | `power-of-ten.assertions` | a function of some length with too few assertions | checks that are ordinary `if`s |
//! | `power-of-ten.results` | a result that is thrown away | whether a function declared elsewhere has a result |

mod cycles;
mod results;

use worknode_policies::pattern::Patterns;

use crate::{
    change::{ChangeSet, File},
    code::Function,
    finding::Finding,
    settings::{PowerOfTen, PowerRule},
};

/// Calls that jump out of functions.
const JUMPS: [&str; 6] = [
    "setjmp",
    "longjmp",
    "_setjmp",
    "_longjmp",
    "sigsetjmp",
    "siglongjmp",
];
/// Calls that allocate.
const ALLOCATES: [&str; 9] = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "aligned_alloc",
    "posix_memalign",
    "strdup",
    "strndup",
    "alloca",
];

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet, told: &PowerOfTen) -> Vec<Finding> {
    let initialisers = Patterns::parse(&told.initialisers).ok();
    let initialises = |name: &str| {
        initialisers
            .as_ref()
            .is_some_and(|names| names.matches(&name.to_lowercase()))
    };
    let mut findings = Vec::new();
    for (file, function) in change.functions() {
        findings.extend(of_function(told, file, function, initialises(&function.name)));
    }
    let recursion = cycles::of(change).into_iter();
    findings.extend(
        recursion
            .filter(|(file, _)| is_on(told, file, PowerRule::Recursion))
            .map(|(_, found)| found),
    );
    findings
}

fn of_function(told: &PowerOfTen, file: &File, function: &Function, initialises: bool) -> Vec<Finding> {
    let on = |rule| is_on(told, file, rule);
    let mut findings = Vec::new();
    if on(PowerRule::Flow) {
        findings.extend(flow(file, function));
    }
    if on(PowerRule::Loops) {
        findings.extend(loops(file, function));
    }
    if on(PowerRule::Length) {
        findings.extend(length(file, function, told.length));
    }
    if on(PowerRule::Assertions) {
        findings.extend(assertions(file, function, told));
    }
    if on(PowerRule::Allocation) && !initialises {
        findings.extend(allocation(file, function));
    }
    if on(PowerRule::Results) {
        findings.extend(results::of(file, function));
    }
    findings
}

fn is_on(told: &PowerOfTen, file: &File, rule: PowerRule) -> bool {
    let off = file
        .language()
        .and_then(|language| told.off.get(&language))
        .is_some_and(|off| off.contains(&rule));
    told.rules.contains(&rule) && !off
}

/// A finding of this gate about a function.
fn about(rule: &str, file: &File, function: &Function, line: u32, message: String) -> Finding {
    Finding::new(format!("power-of-ten.{rule}"), message)
        .in_file(file.path())
        .at_line(line)
        .of_function(function.path())
}

fn flow(file: &File, function: &Function) -> Vec<Finding> {
    let jumps = function
        .calls
        .iter()
        .filter(|call| JUMPS.contains(&call.name.as_str()));
    let jumps = jumps.map(|call| {
        (
            call.line,
            format!(
                "`{}` leaves the function in a way that cannot be followed",
                call.name
            ),
        )
    });
    let gotos = function.gotos.iter().map(|line| {
        (
            *line,
            "`goto` leads somewhere that cannot be seen from here".to_owned(),
        )
    });
    gotos
        .chain(jumps)
        .map(|(line, message)| {
            about("flow", file, function, line, message).hint("return, break, or call a function")
        })
        .collect()
}

fn loops(file: &File, function: &Function) -> Vec<Finding> {
    let found = |line: &u32| {
        let message = "the loop has no bound in sight".to_owned();
        about("loops", file, function, *line, message).hint("count, and stop at a limit that stands here")
    };
    function.endless.iter().map(found).collect()
}

fn length(file: &File, function: &Function, limit: u32) -> Option<Finding> {
    let lines = function.length();
    (lines > limit).then(|| {
        let message = format!(
            "`{}` has {lines} lines, at most {limit} are allowed",
            function.path()
        );
        about("length", file, function, function.line, message).measured(lines, limit)
    })
}

fn assertions(file: &File, function: &Function, told: &PowerOfTen) -> Option<Finding> {
    let short = function.length() < told.assertions_from;
    (!short && function.assertions < told.assertions).then(|| {
        let (has, wants) = (function.assertions, told.assertions);
        let message = format!(
            "`{}` has {has} assertions, at least {wants} are wanted",
            function.path()
        );
        about("assertions", file, function, function.line, message)
            .measured(has, wants)
            .hint("check what must hold at its beginning, and what it gives back")
    })
}

fn allocation(file: &File, function: &Function) -> Vec<Finding> {
    if !file.language().is_some_and(crate::code::Language::is_c_family) {
        return Vec::new();
    }
    let calls = function
        .calls
        .iter()
        .filter(|call| ALLOCATES.contains(&call.name.as_str()));
    let calls = calls.map(|call| (call.line, call.name.as_str()));
    let news = function.news.iter().map(|line| (*line, "new"));
    calls
        .chain(news)
        .map(|(line, what)| {
            let message = format!("`{what}` allocates memory outside initialisation");
            about("allocation", file, function, line, message)
                .hint("allocate once, at the beginning, and hand it on")
        })
        .collect()
}
