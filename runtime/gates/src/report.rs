//! What is said about findings: for people, for programs, for what shows them beside the code.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    finding::{Finding, Severity},
    judge::{Outcome, counts},
};

/// As one JSON value: `passed`, counts, the gates, and all findings.
#[must_use]
pub fn as_json(outcomes: &[Outcome]) -> Value {
    let counts = counts(outcomes);
    let gates: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            json!({
                "gate": outcome.gate,
                "passed": outcome.passed,
                "findings": outcome.findings.len() + outcome.more,
                "took_ms": outcome.took_ms,
            })
        })
        .collect();
    let findings: Vec<&Finding> = outcomes.iter().flat_map(|outcome| &outcome.findings).collect();
    json!({
        "passed": outcomes.iter().all(|outcome| outcome.passed),
        "errors": counts.get("errors"),
        "warnings": counts.get("warnings"),
        "waived": counts.get("waived"),
        "gates": gates,
        "findings": findings,
        "more_findings": outcomes.iter().map(|outcome| outcome.more).sum::<usize>(),
    })
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
