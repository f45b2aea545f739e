//! The gates, one module each, and the list of them.

pub mod command;
pub mod complexity;
pub mod coverage;
pub mod docs;
pub mod licence;
pub mod paths;
pub mod power;
pub mod rule;
pub mod secrets;
pub mod size;
pub mod tests;

/// What a gate is, for people who choose among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// What it looks for.
    pub looks_for: &'static str,
    /// What it cannot see.
    pub cannot_see: &'static str,
    /// Whether it runs where nothing is configured.
    pub by_default: bool,
}

/// The gates that come with the program.
pub const GATES: [About; 9] = [
    About {
        name: "plan",
        looks_for: "paths that a change may not touch; for a task, files outside the plan",
        cannot_see: "whether a change within its files does what the task asks",
        by_default: true,
    },
    About {
        name: "tests",
        looks_for: "the project's tests: failed, none at all, fewer than before, newly skipped",
        cannot_see: "whether a test checks anything",
        by_default: false,
    },
    About {
        name: "complexity",
        looks_for: "changed functions with too many ways, lines, levels, parameters",
        cannot_see: "what macros and the preprocessor make of the text; types of expressions",
        by_default: true,
    },
    About {
        name: "coverage",
        looks_for: "changed lines, functions and components that tests do not reach",
        cannot_see: "whether what is reached is also checked",
        by_default: false,
    },
    About {
        name: "docs",
        looks_for: "changed public functions, types and modules without documentation",
        cannot_see: "whether the documentation is true; in C, what a header elsewhere says",
        by_default: true,
    },
    About {
        name: "power-of-ten",
        looks_for: "recursion, endless loops, late allocation, goto, length, few assertions, lost results",
        cannot_see: "calls through pointers, values, traits; bounds that depend on values; results whose type is declared elsewhere",
        by_default: false,
    },
    About {
        name: "secrets",
        looks_for: "keys, tokens and passwords in added lines",
        cannot_see: "secrets without a known form",
        by_default: true,
    },
    About {
        name: "size",
        looks_for: "changes too large to review, files too large, binaries",
        cannot_see: "which lines were generated",
        by_default: true,
    },
    About {
        name: "licence",
        looks_for: "added dependencies, also those that lock files add, whose licence is not allowed or not known",
        cannot_see: "licences that only a registry knows: package-lock.json tells those of npm, sources that are at hand those of crates; those of Python and Go are not looked up, nor is there a look into other lock files",
        by_default: true,
    },
];

#[cfg(test)]
mod tests_of_gates;
