//! The gate `secrets`: does a change add keys, tokens or passwords?
//!
//! | rule | what is looked for |
//! |---|---|
//! | `secrets.key` | private keys |
//! | `secrets.token` | tokens with a known form |
//! | `secrets.password` | values of variables with telling names that look drawn at random |
//!
//! What was found is never repeated: the finding says where, and shows the first characters.

use std::sync::LazyLock;

use regex::Regex;

use crate::{change::ChangeSet, finding::Finding};

/// Longest line that is looked at as a whole; the rest of longer ones is looked at, too, in parts.
const LINE: usize = 4096;
/// Findings in one file: a file of keys need not be told key by key.
const MOST: usize = 20;
/// Bits a character has at least in something that was drawn at random.
const ENTROPY: f64 = 3.2;

/// Known forms. Each begins with letters that hardly stand anywhere else.
static TOKENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(",
        r"(?:AKIA|ASIA)[0-9A-Z]{16}",
        r"|gh[pousr]_[A-Za-z0-9]{36,}",
        r"|github_pat_[A-Za-z0-9_]{40,}",
        r"|glpat-[A-Za-z0-9_-]{20,}",
        r"|xox[abeprs]-[A-Za-z0-9-]{20,}",
        r"|sk-ant-[A-Za-z0-9_-]{20,}",
        r"|sk-(?:proj-)?[A-Za-z0-9_-]{32,}",
        r"|sk_live_[A-Za-z0-9]{20,}",
        r"|AIza[0-9A-Za-z_-]{35}",
        r"|npm_[A-Za-z0-9]{36}",
        r"|pypi-AgEI[A-Za-z0-9_-]{50,}",
        r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        r")"
    ))
    .ok()
});

/// A telling name, and what is given to it.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(?:password|passwd|secret|api_?key|access_?key|auth_?token|private_?key|client_?secret)[A-Za-z0-9_]*["']?\s*(?:=|:|=>|:=)\s*["']([^"'\s]{8,200})["']"#,
    )
    .ok()
});

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &change.files {
        let Some(text) = file.after.text() else { continue };
        let added = &file.difference().added;
        let lines = (1_u32..).zip(text.lines()).filter(|(at, _)| added.has(*at));
        let found = lines.filter_map(|(at, line)| {
            let (rule, what, start) = in_line(line)?;
            let message = format!("the line adds {what} that begins with `{start}`");
            let finding = Finding::new(rule, message).in_file(file.path()).at_line(at);
            Some(finding.hint("take it out of every commit, call it in, and read it from the environment"))
        });
        findings.extend(found.take(MOST));
    }
    findings
}

fn in_line(line: &str) -> Option<(&'static str, &'static str, String)> {
    let mut rest = line;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(LINE).max(1).min(rest.len()));
        if let Some(found) = in_part(part) {
            return Some(found);
        }
        rest = after;
    }
    None
}

fn in_part(part: &str) -> Option<(&'static str, &'static str, String)> {
    if part.contains("-----BEGIN ") && part.contains("PRIVATE KEY-----") {
        return Some(("secrets.key", "a private key", "-----BEGIN".to_owned()));
    }
    let start = |text: &str| text.chars().take(4).collect();
    if let Some(found) = TOKENS.as_ref().and_then(|tokens| tokens.find(part)) {
        return Some(("secrets.token", "a token", start(found.as_str())));
    }
    let value = NAMED
        .as_ref()
        .and_then(|named| named.captures(part))?
        .get(1)?
        .as_str();
    (is_random(value)).then(|| ("secrets.password", "what looks like a password", start(value)))
}

/// Does a value look drawn at random, and not like a placeholder or a reference?
fn is_random(value: &str) -> bool {
    let placeholder = [
        "${", "{{", "<", "$(", "env", "xxx", "***", "example", "changeme", "your",
    ];
    let lower = value.to_ascii_lowercase();
    let mixed = value.chars().any(|c| c.is_ascii_digit()) && value.chars().any(char::is_alphabetic);
    mixed
        && !placeholder.iter().any(|part| lower.contains(part))
        && entropy(value) > ENTROPY.min(limit(value))
}

/// A short value cannot have more entropy than its length allows.
fn limit(value: &str) -> f64 {
    let length = u32::try_from(value.chars().count()).unwrap_or(u32::MAX);
    f64::from(length).log2() * 0.9
}

/// Bits a character, by Shannon.
fn entropy(value: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::<char, u32>::new();
    for c in value.chars() {
        *counts.entry(c).or_default() += 1;
    }
    let all: u32 = counts.values().sum();
    counts
        .values()
        .map(|count| {
            let share = f64::from(*count) / f64::from(all.max(1));
            -share * share.log2()
        })
        .sum()
}
