//! Gates that run a program: what its answer means.
//!
//! | rule | when |
//! |---|---|
//! | `NAME.failed` | it ended with another code than 0 and told no finding that fails |
//! | `NAME.timeout`, `NAME.not_started` | it did not come to an end, or to a beginning |
//! | `NAME.answer` | it answered, but not in the form that was agreed |
//! | `NAME.…` | what it tells itself |

use serde_json::Value;
use worknode_core::time::Span;
pub use worknode_policies::gate::tests_gate::CommandEnd as End;
use worknode_policies::text;

use crate::{
    finding::{Finding, Measure, Severity},
    settings::{Answer, CommandGate},
};

/// Findings that are taken from one answer.
const MOST: usize = 10_000;
/// Bytes of one text of an answer.
const TEXT: usize = 2_000;
const TAIL_LINES: usize = 30;
const TAIL_BYTES: usize = 4_000;

/// What the gate objects to. `answer` is what the program wrote where it was told to, `output` all
/// that it wrote to its streams.
#[must_use]
pub fn judge(name: &str, told: &CommandGate, end: &End, answer: &[u8], output: &[u8]) -> Vec<Finding> {
    let line = told.command.join(" ");
    let mut findings = match end {
        End::Code(_) => match read(name, told.answer, answer) {
            Ok(findings) => findings,
            Err(why) => vec![not_as_agreed(name, &line, &why, end, output)],
        },
        End::Signal(_) | End::TimedOut(_) | End::NotStarted(_) => Vec::new(),
    };
    let fails = findings.iter().any(|finding| finding.severity == Severity::Error);
    if *end != End::Code(0) && !fails {
        findings.push(ended_badly(name, &line, end, output));
    }
    for finding in &mut findings {
        if finding.hint.is_none() {
            finding.hint.clone_from(&told.hint);
        }
    }
    findings
}

/// How it ended, in words, as a finding.
#[must_use]
pub fn ended_badly(name: &str, line: &str, end: &End, output: &[u8]) -> Finding {
    let (rule, what) = match end {
        End::Code(code) => ("failed", format!("`{line}` exited with code {code}")),
        End::Signal(signal) => ("failed", format!("`{line}` was ended by signal {signal}")),
        End::TimedOut(limit) => ("timeout", format!("`{line}` was stopped after {}", Span(*limit))),
        End::NotStarted(why) => (
            "not_started",
            format!(
                "`{line}` could not be started: {}",
                text::clipped(&text::readable(why), 500)
            ),
        ),
    };
    let tail = text::tail(output, TAIL_LINES, TAIL_BYTES);
    let message = if tail.is_empty() {
        what
    } else {
        format!("{what}; its output ended with:\n{tail}")
    };
    Finding::new(format!("{name}.{rule}"), message)
}

fn not_as_agreed(name: &str, line: &str, why: &str, end: &End, output: &[u8]) -> Finding {
    if *end != End::Code(0) {
        return ended_badly(name, line, end, output);
    }
    Finding::new(
        format!("{name}.answer"),
        format!("`{line}` did not answer as agreed: {why}"),
    )
}

fn read(name: &str, form: Answer, answer: &[u8]) -> Result<Vec<Finding>, String> {
    if form == Answer::Exit {
        return Ok(Vec::new());
    }
    let value: Value = serde_json::from_slice(answer).map_err(|error| format!("not JSON: {error}"))?;
    if form == Answer::Sarif {
        sarif(name, &value)
    } else {
        json(name, &value)
    }
}

/// A list of findings, or a map with the key `findings`.
fn json(name: &str, value: &Value) -> Result<Vec<Finding>, String> {
    let list = value.get("findings").unwrap_or(value);
    let list = list
        .as_array()
        .ok_or("neither a list nor a map with the key `findings`")?;
    Ok(list.iter().take(MOST).map(|entry| of_json(name, entry)).collect())
}

fn of_json(name: &str, entry: &Value) -> Finding {
    let words = |key: &str| entry.get(key).and_then(Value::as_str).map(clean);
    let number = |key: &str| entry.get(key).and_then(measure);
    let severity = match entry.get("severity").and_then(Value::as_str) {
        Some("warning" | "note" | "info" | "information" | "hint") => Severity::Warning,
        _ => Severity::Error,
    };
    Finding {
        severity,
        file: words("file").or_else(|| words("path")),
        line: line(entry.get("line")),
        function: words("function"),
        measured: number("measured"),
        limit: number("limit"),
        hint: words("hint"),
        ..Finding::new(
            ruled(name, words("rule").as_deref()),
            words("message").unwrap_or_else(|| "no message was given".to_owned()),
        )
    }
}

fn measure(value: &Value) -> Option<Measure> {
    value
        .as_u64()
        .map(Measure::Count)
        .or_else(|| value.as_f64().map(Measure::Percent))
}

fn line(value: Option<&Value>) -> Option<u32> {
    u32::try_from(value?.as_u64()?).ok().filter(|line| *line > 0)
}

/// The rule below the name of the gate.
fn ruled(name: &str, rule: Option<&str>) -> String {
    match rule {
        Some(rule) if !rule.is_empty() => {
            let own = rule.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
            format!("{name}.{}", own.unwrap_or(rule))
        }
        _ => format!("{name}.finding"),
    }
}

fn clean(words: &str) -> String {
    text::clipped(&text::readable(words), TEXT)
}

/// SARIF 2.1: results of all runs.
fn sarif(name: &str, value: &Value) -> Result<Vec<Finding>, String> {
    let runs = value
        .get("runs")
        .and_then(Value::as_array)
        .ok_or("no `runs`: this is not SARIF")?;
    let results = runs
        .iter()
        .filter_map(|run| run.get("results").and_then(Value::as_array))
        .flatten();
    Ok(results.take(MOST).map(|result| of_sarif(name, result)).collect())
}

fn of_sarif(name: &str, result: &Value) -> Finding {
    let words = |value: Option<&Value>| value.and_then(Value::as_str).map(clean);
    let place = result.pointer("/locations/0/physicalLocation");
    let at = |pointer: &str| place.and_then(|place| place.pointer(pointer));
    let severity = match result.get("level").and_then(Value::as_str) {
        Some("note" | "none" | "warning") => Severity::Warning,
        // What a tool says nothing more of, it means.
        _ => Severity::Error,
    };
    let rule = words(result.get("ruleId")).or_else(|| words(result.pointer("/rule/id")));
    let message = words(result.pointer("/message/text")).unwrap_or_else(|| "no message was given".to_owned());
    Finding {
        severity,
        file: words(at("/artifactLocation/uri")).map(|uri| uri.trim_start_matches("file://").to_owned()),
        line: line(at("/region/startLine")),
        function: words(result.pointer("/locations/0/logicalLocations/0/fullyQualifiedName")),
        ..Finding::new(ruled(name, rule.as_deref()), message)
    }
}
