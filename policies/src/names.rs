//! Names: does one fit a pattern, and which one was probably meant?

/// True when all of `name` fits `pattern`: `*` stands for any text, `?` for one character.
///
/// Written out here because a compiled regular expression costs kilobytes, and each of ten
/// thousand tasks may have a pattern. Only the last star is ever tried again, so the work is
/// at most length times length.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars().peekable();
    let mut rest = name.chars();
    let mut retry = None;
    loop {
        match (pattern.peek(), rest.clone().next()) {
            (Some('*'), _) => {
                pattern.next();
                retry = Some((pattern.clone(), rest.clone()));
            }
            (Some(wanted), Some(found)) if *wanted == '?' || *wanted == found => {
                pattern.next();
                rest.next();
            }
            (None, None) => return true,
            (_, _) => {
                let Some((after_star, taken)) = &mut retry else {
                    return false;
                };
                if taken.next().is_none() {
                    return false;
                }
                pattern = after_star.clone();
                rest = taken.clone();
            }
        }
    }
}

/// How many suggestions one check makes. Each looks at every known name, so without a bound a
/// file full of mistakes would cost its length squared.
const SUGGESTIONS: usize = 20;

/// Longest name that is compared. Real names are shorter.
const COMPARED: usize = 64;

/// Finds the name that was probably meant, for the first mistakes of a check.
#[derive(Debug)]
pub struct Suggestions {
    left: usize,
}

impl Default for Suggestions {
    fn default() -> Self {
        Self { left: SUGGESTIONS }
    }
}

impl Suggestions {
    /// "did you mean" the known name that is nearest to `written`, when one is near.
    pub fn did_you_mean<'a>(
        &mut self,
        written: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        nearest(written, known).map(|name| format!("did you mean `{name}`?"))
    }
}

/// The known name that is nearest to `written`: a third of its characters may be wrong.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: Vec<char> = written.chars().take(COMPARED + 1).collect();
    if written.is_empty() || written.len() > COMPARED {
        return None;
    }
    let allowed = (written.len() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(&written, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's edit distance: insertions, deletions and replacements.
fn distance(written: &[char], name: &str) -> usize {
    let name: Vec<char> = name.chars().take(COMPARED + 1).collect();
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in written.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in name.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[name.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, as slow as it is short.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', rest @ ..], name) => (0..=name.len()).any(|taken| by_definition(rest, &name[taken..])),
            (['?', pattern @ ..], [_, name @ ..]) => by_definition(pattern, name),
            ([wanted, pattern @ ..], [found, name @ ..]) => wanted == found && by_definition(pattern, name),
            _ => false,
        }
    }

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, yes, no) in [
            ("coder", "coder", "coder-1"),
            ("coder-*", "coder-1", "coder"),
            ("coder-?", "coder-7", "coder-17"),
            ("*", "anyone", "anyone"),
        ] {
            assert!(fits(pattern, yes), "{pattern}");
            assert!(pattern == "*" || !fits(pattern, no), "{pattern}");
        }
    }

    #[test]
    fn the_nearest_name_is_suggested_when_it_is_near() {
        let known = ["schema", "api", "frontend"];
        assert_eq!(nearest("shema", known), Some("schema"));
        assert_eq!(nearest("apii", known), Some("api"));
        assert_eq!(nearest("database", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }

    #[test]
    fn p8_suggestions_come_to_an_end() {
        let mut suggestions = Suggestions::default();
        let made = (0..100)
            .filter_map(|_| suggestions.did_you_mean("shema", ["schema"]))
            .count();
        assert_eq!(made, SUGGESTIONS);
    }

    proptest! {
        #[test]
        fn fitting_agrees_with_the_definition(pattern in "[ab*?]{0,7}", name in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &name), by_definition(&chars(&pattern), &chars(&name)));
        }

        #[test]
        fn a_name_is_nearest_to_itself(name in "[a-z]{1,12}", other in "[a-z]{1,12}") {
            prop_assert_eq!(nearest(&name, [other.as_str(), name.as_str()]), Some(name.as_str()));
        }
    }
}
