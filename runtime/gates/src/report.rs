//! What is said about findings: for people, for programs, for what shows them beside the code.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    finding::{Finding, Severity},
    judge::{Outcome, counts},
};

/// What the gates came to, for programs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report<'a> {
    /// Nothing that counts was found.
    pub passed: bool,
    /// Findings that fail a gate.
    pub errors: usize,
    /// Findings that are only shown.
    pub warnings: usize,
    /// Findings that do not count.
    pub waived: usize,
    /// The gates.
    pub gates: Vec<Gate<'a>>,
    /// All findings that are told.
    pub findings: Vec<&'a Finding>,
    /// Findings beyond those.
    pub more_findings: usize,
}

/// What one gate came to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Gate<'a> {
    /// Its name.
    pub gate: &'a str,
    /// Nothing that counts was found.
    pub passed: bool,
    /// How many findings there are.
    pub findings: usize,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// As one value: `passed`, counts, the gates, and all findings.
#[must_use]
pub fn report(outcomes: &[Outcome]) -> Report<'_> {
    let counts = counts(outcomes);
    let count = |kind| counts.get(kind).copied().unwrap_or_default();
    let gates = outcomes.iter().map(|outcome| Gate {
        gate: &outcome.gate,
        passed: outcome.passed,
        findings: outcome.findings.len() + outcome.more,
        took_ms: outcome.took_ms,
    });
    Report {
        passed: outcomes.iter().all(|outcome| outcome.passed),
        errors: count("errors"),
        warnings: count("warnings"),
        waived: count("waived"),
        gates: gates.collect(),
        findings: outcomes.iter().flat_map(|outcome| &outcome.findings).collect(),
        more_findings: outcomes.iter().map(|outcome| outcome.more).sum(),
    }
}

/// As SARIF 2.1.0.
#[must_use]
pub fn as_sarif(outcomes: &[Outcome], version: &str) -> Value {
    let findings = || outcomes.iter().flat_map(|outcome| &outcome.findings);
    let mut rules: Vec<&str> = findings().map(|finding| finding.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<Value> = rules.into_iter().map(|id| json!({ "id": id })).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "worknode", "version": version, "rules": rules } },
            "results": findings().map(sarif_result).collect::<Vec<_>>(),
        }],
    })
}

fn sarif_result(finding: &Finding) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "level": finding.severity.name(),
        "message": { "text": with_hint(finding) },
    });
    if let Some(file) = &finding.file {
        let mut place = json!({ "physicalLocation": { "artifactLocation": { "uri": file } } });
        if let Some(line) = finding.line {
            place["physicalLocation"]["region"] = json!({ "startLine": line });
        }
        if let Some(function) = &finding.function {
            place["logicalLocations"] = json!([{ "fullyQualifiedName": function }]);
        }
        result["locations"] = json!([place]);
    }
    if let Some(waived) = &finding.waived {
        let why = format!("{} (until {}): {}", waived.by, waived.until, waived.reason);
        result["suppressions"] = json!([{ "kind": "external", "justification": why }]);
    }
    result
}

fn with_hint(finding: &Finding) -> String {
    match &finding.hint {
        Some(hint) => format!("{}; {hint}", finding.message),
        None => finding.message.clone(),
    }
}

/// As the workflow commands with which annotations are made.
#[must_use]
pub fn as_github(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for finding in outcomes.iter().flat_map(|outcome| &outcome.findings) {
        let kind = match (&finding.waived, finding.severity) {
            (Some(_), _) => "notice",
            (None, severity) => severity.name(),
        };
        let mut place = Vec::new();
        if let Some(file) = &finding.file {
            place.push(format!("file={}", property(file)));
        }
        if let Some(line) = finding.line {
            place.push(format!("line={line}"));
        }
        place.push(format!("title={}", property(&finding.rule)));
        let _ = writeln!(out, "::{kind} {}::{}", place.join(","), data(&with_hint(finding)));
    }
    out
}

/// What stands after the command, on one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// For people: findings by file, then each gate, then the sum.
#[must_use]
pub fn as_text(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for finding in outcomes.iter().flat_map(|outcome| &outcome.findings) {
        write_finding(&mut out, finding);
    }
    for outcome in outcomes {
        let end = if outcome.passed { "passed" } else { "failed" };
        let more = if outcome.more > 0 {
            format!(" ({} more findings)", outcome.more)
        } else {
            String::new()
        };
        let _ = writeln!(out, "{end} {} in {} ms{more}", outcome.gate, outcome.took_ms);
    }
    let counts = counts(outcomes);
    let count = |kind| counts.get(kind).copied().unwrap_or(0);
    let _ = write!(
        out,
        "{} gates: {} errors, {} warnings, {} waived",
        outcomes.len(),
        count("errors"),
        count("warnings"),
        count("waived")
    );
    out
}

fn write_finding(out: &mut String, finding: &Finding) {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    let kind = match (&finding.waived, finding.severity) {
        (Some(_), _) => "waived",
        (None, severity) => severity.name(),
    };
    let _ = writeln!(out, "{place}{kind}: {} [{}]", finding.message, finding.rule);
    if let Some(waived) = &finding.waived {
        let _ = writeln!(
            out,
            "  waived by {} until {}: {}",
            waived.by, waived.until, waived.reason
        );
    } else if let (Some(hint), Severity::Error) = (&finding.hint, finding.severity) {
        let _ = writeln!(out, "  hint: {hint}");
    }
}
