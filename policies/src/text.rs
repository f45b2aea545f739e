//! Text from outside, made fit to be shown and stored.

use std::{iter::Peekable, str::Chars};

/// The last part of what a command wrote: at most `lines` lines and about `bytes` bytes, as
/// UTF-8 without control characters.
///
/// Only the end of the output is ever looked at, so the cost does not grow with its length.
#[must_use]
pub fn tail(output: &[u8], lines: usize, bytes: usize) -> String {
    // Escapes and broken UTF-8 shrink or grow the text; four times as much is enough to fill it.
    let from = output.len().saturating_sub(bytes.saturating_mul(4));
    let readable = readable(&String::from_utf8_lossy(&output[from..]));
    let mut kept: Vec<&str> = readable.trim_end().lines().rev().take(lines).collect();
    kept.reverse();
    last_bytes(&kept.join("\n"), bytes).to_owned()
}

/// At most `bytes` bytes from the front, cut between characters and marked as cut.
#[must_use]
pub fn clipped(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{}…", &text[..end])
}

/// `text` without terminal escapes and control characters. Of a line that was overwritten with
/// carriage returns, as progress bars do, the last state stays.
#[must_use]
pub fn readable(text: &str) -> String {
    let plain = without_escapes(&text.replace("\r\n", "\n"));
    let mut out = String::with_capacity(plain.len());
    for (i, line) in plain.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let shown = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or("");
        out.extend(shown.chars().filter(|c| *c == '\t' || !is_unseen(*c)));
    }
    out
}

/// The text with all that is not shown as it is, or not at all, written out: who decides on it decides on
/// what they saw. Line ends stay.
#[must_use]
pub fn visible(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut shown, c| {
            if (is_unseen(c) || is_blank(c)) && c != '\n' {
                shown.extend(c.escape_unicode());
            } else {
                shown.push(c);
            }
            shown
        })
}

/// Characters that take no room, or look like an empty place: those that Unicode lets programs ignore
/// (`Default_Ignorable_Code_Point`), its separators of lines, and the blank of Braille.
const fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Control characters, and those that reorder the text around them.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Drops escape sequences as ECMA-48 describes them: `ESC [ … final`, `ESC ] … BEL|ESC \`, and
/// two-character ones. A sequence without its end is dropped up to the end of its line.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            skip_sequence(&mut chars);
        } else {
            out.push(c);
        }
    }
    out
}

/// What follows ESC, up to the end of the sequence.
fn skip_sequence(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            let goes_on = |c: &char| !matches!(*c, '\n' | '\u{40}'..='\u{7e}');
            while chars.next_if(goes_on).is_some() {}
            chars.next_if(|c| *c != '\n');
        }
        Some(']') => {
            let goes_on = |c: &char| !matches!(*c, '\u{7}' | '\u{1b}' | '\n');
            while chars.next_if(goes_on).is_some() {}
            if chars.next_if_eq(&'\u{1b}').is_some() {
                chars.next_if_eq(&'\\');
            }
        }
        Some(c) if *c != '\n' => {
            chars.next();
        }
        _ => {}
    }
}

fn last_bytes(text: &str, bytes: usize) -> &str {
    let from = text.len().saturating_sub(bytes);
    &text[text.ceil_char_boundary(from)..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_allowed_is_what_was_seen() {
        assert_eq!(visible("rm -r x\n  ü \u{4e2d}"), "rm -r x\n  ü \u{4e2d}");
        assert_eq!(
            visible("a\u{1b}[2K\r\u{202e}b\u{9b}"),
            "a\\u{1b}[2K\\u{d}\\u{202e}b\\u{9b}"
        );
        assert_eq!(
            visible("x\u{e0041}\u{3164}\u{fe0f}\u{2028}"),
            "x\\u{e0041}\\u{3164}\\u{fe0f}\\u{2028}"
        );
    }

    #[test]
    fn the_tail_has_the_last_lines() {
        let output: String = (1..=100).map(|n| format!("line {n}\n")).collect();
        let tail = tail(output.as_bytes(), 3, 1000);
        assert_eq!(tail, "line 98\nline 99\nline 100");
    }

    #[test]
    fn terminal_escapes_and_overwritten_text_are_gone() {
        let text = "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y\n 1%\r 50%\r100%\r\nbell\u{7}\u{0}\u{202e}.";
        assert_eq!(readable(text), "red xy\n100%\nbell.");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(clipped("abc", 3), "abc");
        assert_eq!(clipped("aéé", 2), "a…");
    }

    proptest! {
        #[test]
        fn p8_any_output_is_bounded_and_clean(output in prop::collection::vec(any::<u8>(), 0..2000), lines in 0_usize..50, bytes in 0_usize..300) {
            let tail = tail(&output, lines, bytes);
            prop_assert!(tail.len() <= bytes);
            prop_assert!(tail.lines().count() <= lines);
            prop_assert!(tail.chars().all(|c| c == '\n' || c == '\t' || !is_unseen(c)));
        }

        #[test]
        fn clean_text_stays_as_it_is(text in "[a-z \t\n]{0,100}") {
            prop_assert_eq!(readable(&text), text);
        }
    }
}
