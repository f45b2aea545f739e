//! What each gate is told. Every key has a default, so that nothing need be written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{code::Language, finding::Severity};

/// Ways through a function, at most.
const CYCLOMATIC: u32 = 8;
/// Lines of a function, at most: one sheet of paper.
const LENGTH: u32 = 60;
/// Control structures inside each other, at most.
const NESTING: u32 = 4;
/// Parameters of a function, at most.
const PARAMETERS: u32 = 7;
/// Lines that one change adds and removes, at most: what a person can still review.
const CHANGED_LINES: u32 = 800;
/// Bytes of a new file, at most.
const FILE_BYTES: u64 = 1024 * 1024;

/// What all gates are told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What is looked at: "change" or "all". Default: "change".
    pub scope: Scope,
    /// Findings that do not count, each with a name, a reason and a last day. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiver: Vec<Waiver>,
    /// Other limits for some paths; the last that fits holds. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<PathProfile>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// What the change touches.
    #[default]
    Change,
    /// Everything there is.
    All,
}

/// A finding that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The rule, as "complexity.length", or all of a gate, as "complexity.*".
    pub rule: String,
    /// A glob of files. Default: findings about no file, and about any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The function. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Who decided it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, as "2026-12-31".
    pub until: String,
}

/// Other limits for some paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PathProfile {
    /// Globs of the files that it is about, with `!` exclusions.
    pub files: Vec<String>,
    /// Gates and rules that do not look at them, as "docs" or "complexity.length".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// Gates and rules that only warn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warn: Vec<String>,
    /// Limits of the gate `complexity` for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complexity: Option<Limits>,
}

/// Limits of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Ways through it. Default: as everywhere else.
    pub cyclomatic: Option<u32>,
    /// Lines. Default: as everywhere else.
    pub length: Option<u32>,
    /// Control structures inside each other. Default: as everywhere else.
    pub nesting: Option<u32>,
    /// Parameters. Default: as everywhere else.
    pub parameters: Option<u32>,
}

/// The gate `complexity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Complexity {
    /// Ways through a function, at most (McCabe's cyclomatic complexity). Default: 8.
    #[schemars(range(min = 1))]
    pub cyclomatic: u32,
    /// Lines of a function, at most. Default: 60.
    #[schemars(range(min = 1))]
    pub length: u32,
    /// Control structures inside each other, at most. Default: 4.
    #[schemars(range(min = 1))]
    pub nesting: u32,
    /// Parameters of a function, at most. Default: 7.
    pub parameters: u32,
    /// How grave its findings are: "error" or "warning". Default: "error".
    pub severity: Severity,
}

impl Default for Complexity {
    fn default() -> Self {
        Self {
            cyclomatic: CYCLOMATIC,
            length: LENGTH,
            nesting: NESTING,
            parameters: PARAMETERS,
            severity: Severity::Error,
        }
    }
}

/// The gate `docs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Docs {
    /// How grave its findings are: "error" or "warning". Default: "error".
    pub severity: Severity,
}

/// The gate `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Size {
    /// Lines that a change adds and removes, at most. Default: 800.
    pub lines: u32,
    /// Bytes of a file that a change adds or changes, at most. Default: 1 MiB.
    pub file_bytes: u64,
    /// How grave its findings are: "error" or "warning". Default: "warning".
    #[serde(default = "warning")]
    pub severity: Severity,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            lines: CHANGED_LINES,
            file_bytes: FILE_BYTES,
            severity: Severity::Warning,
        }
    }
}

/// The gate `secrets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// How grave its findings are: "error" or "warning". Default: "warning".
    #[serde(default = "warning")]
    pub severity: Severity,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            severity: Severity::Warning,
        }
    }
}

/// The gate `licence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Licence {
    /// Licences that a dependency may have, as SPDX names. Default: the common permissive ones.
    pub allow: Vec<String>,
    /// How grave its findings are: "error" or "warning". Default: "warning".
    #[serde(default = "warning")]
    pub severity: Severity,
}

impl Default for Licence {
    fn default() -> Self {
        const PERMISSIVE: [&str; 12] = [
            "MIT",
            "MIT-0",
            "Apache-2.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "0BSD",
            "ISC",
            "Zlib",
            "Unlicense",
            "Unicode-3.0",
            "CC0-1.0",
            "BSL-1.0",
        ];
        Self {
            allow: PERMISSIVE.map(str::to_owned).to_vec(),
            severity: Severity::Warning,
        }
    }
}

/// The gate `coverage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Coverage {
    /// Reports that the command writes, relative to the repository: lcov, Cobertura, JaCoCo,
    /// coverage.py JSON, llvm-cov JSON or Go profiles, told apart by what is in them.
    pub reports: Vec<String>,
    /// Program and arguments that make the reports, run in a clean checkout. Default: those of the
    /// gate `tests`, which then runs first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// How long the command may take. Default: "10m".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<worknode_core::time::Span>,
    /// Lines covered of each component that the change touches, at least, in percent. Default: 95.
    #[schemars(range(min = 0, max = 100))]
    pub component: f64,
    /// Changed lines covered, at least, in percent. Default: 95.
    #[schemars(range(min = 0, max = 100))]
    pub changed: f64,
    /// Components: names, and globs of their files. Default: one, of all files that the report has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Vec<String>>,
    /// Globs of source files that no report need have, as tests. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// How grave its findings are: "error" or "warning". Default: "error".
    pub severity: Severity,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            reports: Vec::new(),
            command: None,
            timeout: None,
            component: 95.0,
            changed: 95.0,
            components: BTreeMap::new(),
            exclude: Vec::new(),
            severity: Severity::Error,
        }
    }
}

/// The gate `power-of-ten`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PowerOfTen {
    /// Rules that are looked at. Default: all of them.
    pub rules: Vec<PowerRule>,
    /// Rules that are not looked at in a language. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub off: BTreeMap<Language, Vec<PowerRule>>,
    /// Lines of a function, at most. Default: 60.
    #[schemars(range(min = 1))]
    pub length: u32,
    /// Assertions of a function, at least. Default: 2.
    pub assertions: u32,
    /// Functions shorter than this need no assertions. Default: 10 lines.
    pub assertions_from: u32,
    /// Names of C functions in which memory may be allocated: the beginning of the program.
    /// Default: "main", and names with "init", "setup", "create", "new" or "alloc" in them.
    pub initialisers: Vec<String>,
    /// How grave its findings are: "error" or "warning". Default: "error".
    pub severity: Severity,
}

impl Default for PowerOfTen {
    fn default() -> Self {
        Self {
            rules: PowerRule::ALL.to_vec(),
            off: BTreeMap::new(),
            length: LENGTH,
            assertions: 2,
            assertions_from: 10,
            initialisers: ["main", "*init*", "*setup*", "*create*", "*new*", "*alloc*"]
                .map(str::to_owned)
                .to_vec(),
            severity: Severity::Error,
        }
    }
}

/// A rule of the gate `power-of-ten`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerRule {
    /// `goto`, `setjmp`, `longjmp`.
    Flow,
    /// Functions that call themselves, directly or through others.
    Recursion,
    /// Loops without a bound in sight.
    Loops,
    /// Memory allocated after the beginning, in C and C++.
    Allocation,
    /// Functions that are too long.
    Length,
    /// Functions with too few assertions.
    Assertions,
    /// Results that nobody looks at.
    Results,
}

impl PowerRule {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Flow,
        Self::Recursion,
        Self::Loops,
        Self::Allocation,
        Self::Length,
        Self::Assertions,
        Self::Results,
    ];
}

/// A gate that runs a program of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandGate {
    /// Program and arguments, run in a clean checkout. `{files}` as an argument of its own stands
    /// for the changed files that are there.
    pub command: Vec<String>,
    /// What it answers with: "exit" (0 passes), "json" (findings) or "sarif". Default: "exit".
    #[serde(default)]
    pub answer: Answer,
    /// Where the answer is: a file relative to the checkout. Default: standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Globs of files without a change to which it is not run. Default: it is always run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// How long it may take. Default: "10m".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<worknode_core::time::Span>,
    /// How grave its findings are: "error" or "warning". Default: "error".
    #[serde(default)]
    pub severity: Severity,
    /// What to do when it fails. Default: nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a program answers with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Its exit code alone: 0 passes.
    #[default]
    Exit,
    /// Its exit code, and findings as JSON: a list, or a map with the key `findings`.
    Json,
    /// Its exit code, and findings as SARIF 2.1.
    Sarif,
}

/// A gate that is a condition in CEL on the facts of the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleGate {
    /// What must hold, as `change.lines_added < 500`.
    pub require: String,
    /// What is said when it does not. Default: the condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How grave that is: "error" or "warning". Default: "error".
    #[serde(default)]
    pub severity: Severity,
    /// What to do then. Default: nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// All that the gates which read files are told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct All {
    /// What is looked at, waivers, profiles.
    pub gates: Settings,
    /// `complexity`.
    pub complexity: Complexity,
    /// `docs`.
    pub docs: Docs,
    /// `size`.
    pub size: Size,
    /// `secrets`.
    pub secrets: Secrets,
    /// `licence`.
    pub licence: Licence,
    /// `coverage`, when the team has it.
    pub coverage: Option<Coverage>,
    /// `power-of-ten`.
    pub power_of_ten: PowerOfTen,
    /// Programs of the user's, by the name of the gate.
    pub command: BTreeMap<String, CommandGate>,
    /// Conditions, by the name of the gate.
    pub rule: BTreeMap<String, RuleGate>,
}

const fn warning() -> Severity {
    Severity::Warning
}
