//! Patterns for names: `*` stands for any text, `?` for one character, all else for itself.
//!
//! Written out here because a compiled regular expression costs kilobytes, and there may be a
//! hundred thousand triggers with a pattern each.

use std::fmt;

/// Longest pattern, in bytes.
pub const MAX_LENGTH: usize = 128;

/// The characters that stand for others.
const WILD: [char; 2] = ['*', '?'];

/// A checked pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

/// The text is no pattern for names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It would match nothing.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// It is longer than [`MAX_LENGTH`].
    #[error("a pattern has at most {MAX_LENGTH} characters")]
    TooLong,
    /// It has a character that no name has.
    #[error("`{0}` stands in no name; besides letters, digits, `-`, `_`, `.` and `/` there are `*` and `?`")]
    OddCharacter(char),
}

impl Glob {
    /// Checks a pattern.
    ///
    /// # Errors
    /// [`GlobError`] when it is empty, too long, or has characters that no name has.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(GlobError::TooLong);
        }
        let odd = |c: &char| !(c.is_alphanumeric() || "-_./*?".contains(*c));
        match text.chars().find(odd) {
            Some(c) => Err(GlobError::OddCharacter(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// True when all of `name` fits the pattern.
    ///
    /// Only the last star is ever tried again, so the work is at most length times length.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), name.chars());
        let mut retry = None;
        loop {
            let before = rest.clone();
            match (pattern.next(), rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    rest = before;
                    retry = Some((pattern.clone(), rest.clone()));
                    continue;
                }
                (Some('?'), Some(_)) => continue,
                (Some(wanted), Some(found)) if wanted == found => continue,
                _ => {}
            }
            // Let the last star take one character more.
            let Some((after_star, mut taken)) = retry.take() else {
                return false;
            };
            if taken.next().is_none() {
                return false;
            }
            (pattern, rest) = (after_star.clone(), taken.clone());
            retry = Some((after_star, taken));
        }
    }

    /// The only text that fits, when there is only one.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains(WILD)).then_some(&self.0)
    }

    /// What every text that fits begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.0.split(WILD).next().unwrap_or_default()
    }

    /// What every text that fits ends with.
    #[must_use]
    pub fn suffix(&self) -> &str {
        self.0.rsplit(WILD).next().unwrap_or_default()
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, yes, no) in [
            ("*", "anything", ""),
            ("coder-*", "coder-1", "coder"),
            ("*-api", "web-api", "web-api-2"),
            ("coder-?", "coder-7", "coder-17"),
            ("a*b*c", "a-b-bc", "a-b-b"),
            ("exact", "exact", "exactly"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(no.is_empty() || !matches(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn the_plain_ends_of_a_pattern_are_known() {
        let glob = |text| Glob::parse(text).unwrap();
        assert_eq!(glob("exact").literal(), Some("exact"));
        let pattern = glob("task_*ed?x");
        assert_eq!(
            (pattern.literal(), pattern.prefix(), pattern.suffix()),
            (None, "task_", "x")
        );
    }

    #[test]
    fn a_hostile_pattern_is_no_work() {
        let pattern = "a*".repeat(60) + "b";
        assert!(!matches(&pattern, &"a".repeat(10_000)));
    }

    #[test]
    fn what_no_name_has_is_refused() {
        assert_eq!(Glob::parse(""), Err(GlobError::Empty));
        assert_eq!(Glob::parse("a b"), Err(GlobError::OddCharacter(' ')));
        assert_eq!(Glob::parse("[ab]"), Err(GlobError::OddCharacter('[')));
        assert_eq!(Glob::parse(&"x".repeat(129)), Err(GlobError::TooLong));
    }

    /// The definition, as slow as it is short.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => (0..=name.len()).any(|taken| by_definition(rest, &name[taken..])),
            (Some(('?', pattern)), Some((_, name))) => by_definition(pattern, name),
            (Some((wanted, pattern)), Some((found, name))) => wanted == found && by_definition(pattern, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab*?]{1,7}", name in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), by_definition(&chars(&pattern), &chars(&name)));
        }
    }
}
