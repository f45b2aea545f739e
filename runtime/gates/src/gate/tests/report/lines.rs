//! What runners write line by line.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;
use worknode_policies::text::readable;

use super::{Case, Format, Report};

/// The line with which each runner sums up, and the lines that name its tests.
pub(super) fn read(text: &str) -> Option<Report> {
    let text = readable(text);
    let readers: [fn(&str) -> Option<Report>; 5] = [nextest, cargo, pytest, go, tap];
    // A run may start several runners; what they say adds up.
    readers
        .into_iter()
        .filter_map(|read| read(&text))
        .reduce(Report::and)
}

fn number(pattern: &LazyLock<Option<Regex>>, line: &str) -> u64 {
    let found = pattern.as_ref().and_then(|pattern| pattern.captures(line));
    found
        .and_then(|found| found.get(1)?.as_str().parse().ok())
        .unwrap_or(0)
}

static PASSED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+) passed").ok());
static FAILED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+) (?:failed|timed out)").ok());
static IGNORED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+) (?:ignored|skipped)").ok());
static ERRORS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+) errors?\b").ok());

/// Adds what a line that sums up says.
fn sum(report: &mut Report, line: &str) {
    report.passed += number(&PASSED, line);
    report.failed += number(&FAILED, line);
    report.skipped += number(&IGNORED, line);
}

fn cargo(text: &str) -> Option<Report> {
    let mut report = Report::new(Format::Cargo);
    let mut known = false;
    for line in text.lines() {
        if line.starts_with("test result: ") {
            known = true;
            sum(&mut report, line);
        } else if let Some((name, end)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        {
            let name = name.split(" - should panic").next().unwrap_or(name);
            match end.split(&[',', ' ', '<'][..]).next() {
                Some("ok") => report.add(name, Case::Passed),
                Some("FAILED") => report.add(name, Case::Failed),
                Some("ignored") => report.add(name, Case::Skipped),
                _ => {}
            }
        }
    }
    known.then_some(report)
}

fn nextest(text: &str) -> Option<Report> {
    let mut report = Report::new(Format::Nextest);
    let mut known = false;
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with("Summary [") {
            known = true;
            sum(&mut report, line);
            continue;
        }
        let Some((word, rest)) = line.split_once(" [") else {
            continue;
        };
        let case = match word.trim() {
            "PASS" | "LEAK" | "FLAKY" => Case::Passed,
            "FAIL" | "TIMEOUT" | "SIGNAL" | "ABORT" | "SIGSEGV" | "SIGABRT" => Case::Failed,
            "SKIP" => Case::Skipped,
            _ => continue,
        };
        if let Some((_, name)) = rest.split_once("] ") {
            let name = name.split_whitespace().last().unwrap_or(name);
            report.add(name, case);
        }
    }
    known.then_some(report)
}

static PYTEST_END: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:=+ )?(?:\d+ \w+,? ?)+(?: in |in )[\d.]+s|no tests ran in").ok());

fn pytest(text: &str) -> Option<Report> {
    let mut report = Report::new(Format::Pytest);
    let mut known = false;
    for line in text.lines() {
        if PYTEST_END.as_ref().is_some_and(|end| end.is_match(line)) {
            known = true;
            sum(&mut report, line);
            report.failed += number(&ERRORS, line);
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            continue;
        };
        if first.contains("::")
            && let Some(case) = pytest_case(second)
        {
            report.add(first, case);
        }
    }
    known.then_some(report)
}

fn pytest_case(word: &str) -> Option<Case> {
    match word {
        "PASSED" | "XPASS" => Some(Case::Passed),
        "FAILED" | "ERROR" => Some(Case::Failed),
        "SKIPPED" | "XFAIL" => Some(Case::Skipped),
        _ => None,
    }
}

fn go(text: &str) -> Option<Report> {
    let mut report = Report::new(Format::Go);
    let mut packages = false;
    for line in text.lines() {
        if line.starts_with('{') {
            packages |= go_json(line, &mut report);
            continue;
        }
        if let Some((rest, case)) = go_case(line.trim_start()) {
            report.add(rest.split(" (").next().unwrap_or(rest), case);
        }
        packages |= is_go_package(line);
    }
    if !packages && report.cases.is_empty() {
        return None;
    }
    let mut report = report.counted();
    // Without `-v` only packages are told. Each that has tests and is well has one at least.
    if report.cases.is_empty() {
        let well = |line: &&str| line.starts_with("ok  \t") && !line.contains("[no tests to run]");
        report.passed = u64::try_from(text.lines().filter(well).count()).unwrap_or(u64::MAX);
        report.failed =
            u64::try_from(text.lines().filter(|line| line.starts_with("FAIL\t")).count()).unwrap_or(u64::MAX);
    }
    Some(report)
}

/// `--- PASS: TestName (0.00s)`: the name and what follows, and how it ended.
fn go_case(line: &str) -> Option<(&str, Case)> {
    let (end, rest) = line.strip_prefix("--- ")?.split_once(": ")?;
    let case = match end {
        "PASS" => Case::Passed,
        "FAIL" => Case::Failed,
        "SKIP" => Case::Skipped,
        _ => return None,
    };
    Some((rest, case))
}

/// A line that sums a package up.
fn is_go_package(line: &str) -> bool {
    let begins = ["ok  \t", "FAIL\t", "?   \t"]
        .iter()
        .any(|mark| line.starts_with(mark));
    begins && line.matches('\t').count() >= 2
}

/// One line of `go test -json`; whether it is one.
fn go_json(line: &str, report: &mut Report) -> bool {
    let Ok(event) = serde_json::from_str::<Json>(line) else {
        return false;
    };
    let of = |key: &str| event.get(key).and_then(Json::as_str);
    let (Some(action), Some(package)) = (of("Action"), of("Package")) else {
        return false;
    };
    let case = match action {
        "pass" => Case::Passed,
        "fail" => Case::Failed,
        "skip" => Case::Skipped,
        _ => return true,
    };
    if let Some(test) = of("Test") {
        report.add(format!("{package}::{test}"), case);
    }
    true
}

fn tap(text: &str) -> Option<Report> {
    let mut report = Report::new(Format::Tap);
    let mut planned = None;
    for (at, line) in text.lines().enumerate() {
        if let Some(count) = line.strip_prefix("1..") {
            planned = count
                .split_whitespace()
                .next()
                .and_then(|count| count.parse::<usize>().ok())
                .or(planned);
        }
        if let Some((rest, case)) = tap_case(line) {
            report.add(tap_name(rest, at), case);
        }
    }
    // The plan makes it TAP; tests that were planned and are not there have failed.
    let planned = planned?;
    let mut report = report.counted();
    let told = report.cases.len();
    report.failed += u64::try_from(planned.saturating_sub(told)).unwrap_or(u64::MAX);
    Some(report)
}

/// What follows `ok` or `not ok`, and how the test ended; what is still to be done may fail.
fn tap_case(line: &str) -> Option<(&str, Case)> {
    let (rest, passed) = match line.strip_prefix("ok ") {
        Some(rest) => (rest, true),
        None => (line.strip_prefix("not ok ")?, false),
    };
    let lower = rest.to_ascii_lowercase();
    let case = match passed {
        _ if lower.contains("# skip") => Case::Skipped,
        true => Case::Passed,
        false if lower.contains("# todo") => Case::Skipped,
        false => Case::Failed,
    };
    Some((rest, case))
}

/// The name without its number; a test without a name is called after its line.
fn tap_name(rest: &str, at: usize) -> String {
    let name = rest.split(" # ").next().unwrap_or(rest);
    let name = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ' || c == '-');
    if name.is_empty() {
        format!("line {}", at + 1)
    } else {
        name.to_owned()
    }
}
