//! Rules for names, texts and choices that all parts of a trigger share.

use super::Problems;
use crate::{
    glob::Glob,
    template::{self, About},
};

/// Bytes of a name. A longer one is an error.
pub const MAX_NAME: usize = 64;
/// Bytes of a title, a reason or a message. A longer one is an error.
pub const MAX_TEXT: usize = 4 * 1024;

/// Notes a problem unless exactly one of the keys is set.
pub(super) fn exactly_one(keys: &[(&str, bool)], key: &str, what: &str, problems: &mut Problems) {
    let list = |keys: &[&str], last: &str| format!("`{}`", keys.join(&format!("`{last}`")));
    let all: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    let set: Vec<&str> = keys
        .iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(name, _)| *name)
        .collect();
    match set[..] {
        [_] => {}
        [] => problems.add(
            key,
            format!("no {what}"),
            Some(format!("set one of {}", list(&all, ", "))),
        ),
        [_, second, ..] => {
            let message = format!("more than one {what}: {}", list(&set, " and "));
            problems.add(within(key, second), message, Some("keep one of them".to_owned()));
        }
    }
}

/// A name that other things can be called by.
pub(super) fn name(text: &str, key: &str, problems: &mut Problems) {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    if text.is_empty() {
        problems.add(key, "a name has at least one character", None);
    } else if text.len() > MAX_NAME {
        problems.add(key, format!("a name has at most {MAX_NAME} characters"), None);
    } else if let Some(c) = text.chars().find(|c| odd(*c)) {
        let message =
            format!("`{c}` is not allowed in `{text}`; names have letters, digits, `-`, `_` and `.`");
        let better = text.replace(odd, "-");
        problems.add(key, message, Some(format!("write `{better}`")));
    }
}

/// A line or two for people, perhaps with values in them.
pub(super) fn text(text: &str, key: &str, about: About, problems: &mut Problems) {
    problems.require(!text.trim().is_empty(), key, "this needs some words");
    templated(text, MAX_TEXT, key, about, problems);
}

/// A text that may be empty, and may have values in it.
pub(super) fn templated(text: &str, most: usize, key: &str, about: About, problems: &mut Problems) {
    if text.len() > most {
        problems.add(
            key,
            format!("this is too long; it has at most {most} bytes"),
            None,
        );
    } else if text.contains("{{")
        && let Err(error) = template::check(text, about.scope())
    {
        problems.add(key, error.message, error.hint);
    }
}

pub(super) fn glob(pattern: &str, key: &str, problems: &mut Problems) -> Option<Glob> {
    let parsed = Glob::parse(pattern).map_err(|error| error.to_string());
    parsed.map_err(|message| problems.add(key, message, None)).ok()
}

pub(super) fn within(outer: &str, key: &str) -> String {
    if outer.is_empty() {
        key.to_owned()
    } else {
        format!("{outer}.{key}")
    }
}

/// Enough of a text to recognise it.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}
