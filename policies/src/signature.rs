//! What two texts of one error have in common: its signature.
//!
//! Numbers, times, addresses, hexadecimal names and the directories of paths differ from one run to
//! the next and from machine to machine; what is left when they are taken away is the error. The
//! signature of a signature is itself, so that one can be searched for, too.

use sha2::{Digest, Sha256};

/// Bytes of a text that are looked at: its beginning.
pub const LOOKED_AT: usize = 16 * 1024;
/// Bytes of a signature at the most.
pub const LENGTH: usize = 1024;
/// Lines of an error that make its signature: below them is how it came about.
const LINES: usize = 12;
/// What stands for a number, a time, an address.
const MARK: char = '#';
/// Hexadecimal digits from which on a word with a digit in it is a name that some machine gave.
const HEX: usize = 6;
/// Words of an error that a search looks for.
const WORDS: usize = 24;
/// Letters that make a word worth looking for.
const WORD: usize = 3;

/// The signature of an error's text. Pure; empty for a text that says nothing.
#[must_use]
pub fn signature(text: &str) -> String {
    let text = plain(&text[..text.floor_char_boundary(LOOKED_AT)]);
    let lines = text.lines().map(line).filter(|line| !line.is_empty());
    let mut all = String::new();
    for line in lines.take(LINES) {
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(&line);
        if all.len() >= LENGTH {
            break;
        }
    }
    all.truncate(all.floor_char_boundary(LENGTH));
    all.truncate(all.trim_end().len());
    all
}

/// A short name of a signature, for an index.
#[must_use]
pub fn digest(signature: &str) -> String {
    let hash = Sha256::digest(signature.as_bytes());
    hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// The words of an error by which it is looked for: each once, in their order.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let signature = signature(text);
    let mut words: Vec<String> = Vec::new();
    for word in signature.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let word = word.trim_matches('_').to_lowercase();
        if word.chars().count() >= WORD && !words.contains(&word) {
            words.push(word);
        }
        if words.len() == WORDS {
            break;
        }
    }
    words
}

/// Without the colours of a terminal and other signs that nobody sees.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            if rest.next_if_eq(&'[').is_some() {
                // Up to the letter that says what it is about.
                while rest.next_if(|c| !c.is_ascii_alphabetic() && *c != '\n').is_some() {}
                rest.next_if(char::is_ascii_alphabetic);
            }
        } else if c == '\n' || !c.is_control() {
            out.push(c);
        } else {
            out.push(' ');
        }
    }
    out
}

fn line(line: &str) -> String {
    let words = line
        .split_whitespace()
        .map(|word| marked(&without_directories(word)));
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    // What stood between two numbers that are gone may be a blank: 12:30 and 12 : 30.
    joined(&words.join(" "))
}

const fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '\\' | '.' | '_' | '-' | '~' | '@' | '+' | '%')
}

/// Of each path only the name at its end.
fn without_directories(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(begin) = rest.find(is_of_path) {
        out.push_str(&rest[..begin]);
        let after = &rest[begin..];
        let end = after.find(|c| !is_of_path(c)).unwrap_or(after.len());
        let path = after[..end].trim_end_matches(is_slash);
        rest = &after[end..];
        if let Some(directory) = rest.strip_prefix(':').filter(|rest| rest.starts_with(is_slash))
            && path.len() == 1
        {
            // The letter of a drive: the path comes behind it.
            rest = directory;
            continue;
        }
        out.push_str(path.rsplit(is_slash).next().unwrap_or_default());
    }
    out.push_str(rest);
    out
}

/// With a mark for each number and each name that some machine gave.
fn marked(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        out.push_str(&rest[..begin]);
        let after = &rest[begin..];
        let in_it = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let end = after.find(|c| !in_it(c)).unwrap_or(after.len());
        let part = after[..end].trim_end_matches('-');
        if is_given_name(part) {
            out.push(MARK);
        } else {
            let pieces = part.split('-').map(|piece| {
                if is_given_name(piece) {
                    MARK.to_string()
                } else {
                    without_digits(piece)
                }
            });
            out.push_str(&pieces.collect::<Vec<_>>().join("-"));
        }
        rest = &after[part.len().max(1)..];
    }
    out.push_str(rest);
    joined(&out)
}

/// Hexadecimal, long, and with a digit in it: no word of any language.
fn is_given_name(part: &str) -> bool {
    if let Some(digits) = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
        return digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let digits = part.bytes().filter(|b| *b != b'-').count();
    digits >= HEX
        && part.bytes().any(|b| b.is_ascii_digit())
        && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn without_digits(piece: &str) -> String {
    let mut out = String::with_capacity(piece.len());
    for c in piece.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with(MARK) {
            out.push(MARK);
        }
    }
    out
}

/// Marks with nothing but a separator between them are one: a time, a version, an address.
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == MARK {
            let kept = out
                .strip_suffix(|c: char| matches!(c, ':' | '.' | ',' | '-' | '+' | 'T' | '_'))
                .unwrap_or(&out);
            if kept.ends_with(MARK) {
                out.truncate(kept.len());
                continue;
            }
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_gone() {
        let same = [
            [
                "thread 'main' panicked at /home/a/src/lib.rs:12:5: index 7 out of range for 3",
                "thread 'main' panicked at C:\\build\\src\\lib.rs:140:17:  index 12 out of range for 9",
            ],
            [
                "2026-11-21T19:54:08.123Z ERROR connection to 10.0.0.1:5432 refused",
                "2027-01-02T01:02:03.4Z ERROR connection to 192.168.7.20:15432 refused",
            ],
            [
                "SIGSEGV at 0x7ffd1234abcd in worker-17",
                "SIGSEGV at 0xdeadbeef in worker-3",
            ],
            [
                "object 550e8400-e29b-41d4-a716-446655440000 is missing",
                "object 16fd2706-8baf-433b-82eb-8c7fada847da is missing",
            ],
            [
                "\u{1b}[31merror\u{1b}[0m: could not find commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
                "error: could not find commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
            ],
        ];
        for [one, other] in same {
            assert_eq!(signature(one), signature(other));
        }
        assert_eq!(
            signature(same[0][0]),
            "thread 'main' panicked at lib.rs:#: index # out of range for #"
        );
    }

    #[test]
    fn what_is_another_error_stays_another() {
        let different = [
            "cannot find value `x` in this scope",
            "cannot find type `X` in this scope",
            "error[E0308]: mismatched types",
            "TypeError: undefined is not a function",
            "connection refused",
            "deadbeef", // no digit: may be a word
            "",
        ];
        let mut all: Vec<String> = different.iter().map(|text| signature(text)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), different.len());
    }

    #[test]
    fn the_words_to_look_for_are_each_there_once() {
        let words = words("error: cannot open /tmp/x1/data.db: cannot lock DATA.db (os error 11)");
        assert_eq!(words, ["error", "cannot", "open", "data", "lock"]);
    }

    proptest! {
        #[test]
        fn p8_whatever_comes_in_a_short_text_without_digits_comes_out(text in "\\PC{0,400}|(?s).{0,400}") {
            let signature = signature(&text);
            prop_assert!(signature.len() <= LENGTH);
            prop_assert!(!signature.contains(|c: char| c.is_ascii_digit()), "{}", signature);
            prop_assert_eq!(super::signature(&signature), signature.clone(), "of itself");
            let _ = words(&text);
        }

        #[test]
        fn numbers_make_no_difference(a in 0_u64.., b in 0_u64.., word in "[a-z ]{1,20}") {
            let with = |n: u64| signature(&format!("{word} {n}: failed after {n} ms at {n}"));
            prop_assert_eq!(with(a), with(b));
        }

        #[test]
        fn directories_make_no_difference(a in "(/[a-zA-Z0-9_.-]{1,8}){0,4}", b in "(/[a-zA-Z0-9_.-]{1,8}){0,4}") {
            let under = |dir: &str| signature(&format!("cannot open '{dir}/main.rs' for reading"));
            prop_assert_eq!(under(&a), under(&b));
        }

        #[test]
        fn times_and_addresses_make_no_difference(
            (h, m, s) in (0..24_u8, 0..60_u8, 0..60_u8), at in 0x1000_u64.., ip in any::<[u8; 4]>(),
        ) {
            let with = |h, m, s, at, ip: [u8; 4]| signature(&format!(
                "[{h:02}:{m:02}:{s:02}] fault at 0x{at:x} from {}.{}.{}.{}", ip[0], ip[1], ip[2], ip[3]
            ));
            prop_assert_eq!(with(h, m, s, at, ip), with(1, 2, 3, 0xabc_def0, [127, 0, 0, 1]));
        }
    }
}
