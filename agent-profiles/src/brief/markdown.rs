//! Text of others inside our Markdown: it must not end its place and go on as ours.

use std::fmt::Write as _;

/// Longest run of backticks in `text`.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// `text` as inline code, in one line.
pub(super) fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    let ticks = "`".repeat(longest_run(&text) + 1);
    if ticks.len() == 1 && !text.is_empty() {
        format!("`{text}`")
    } else {
        format!("{ticks} {text} {ticks}")
    }
}

/// `text` as a block of its own, indented by `indent` spaces.
pub(super) fn block(text: &str, indent: usize) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let margin = " ".repeat(indent);
    let mut out = format!("{margin}{fence}text\n");
    for line in text.lines() {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{margin}{line}");
    }
    out.push_str(&margin);
    out.push_str(&fence);
    out
}

/// One line of text, without what would make it more than that.
pub(super) fn line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|w| !w.is_empty())
        .collect();
    words.join(" ")
}

/// A list of names as inline code, at most `most` of them; the rest is counted.
pub(super) fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let mut lines: Vec<String> = names.take(most).map(|name| format!("- {}", code(name))).collect();
    if more > 0 {
        lines.push(format!("- and {more} more"));
    }
    lines.join("\n")
}

/// A section with its heading; nothing when there is nothing to say.
pub(super) fn section(heading: &str, text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() {
        String::new()
    } else {
        format!("## {heading}\n\n{text}")
    }
}
