//! Lists of globs with `!` exclusions: which paths does a plan name?
//!
//! `*` and `?` stay within one folder, `**` crosses folders, `[ab]` and `{a,b}` choose. An
//! exclusion wins wherever it stands in the list: the order of a list is never a permission.
//! A pattern that is, character for character, the path names it too, so that
//! `app/[id]/page.tsx` means the file of that name.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Longest pattern, in bytes. Paths that people write by hand are shorter.
pub const LENGTH: usize = 512;
/// Most patterns in one list. A task that needs more is more than one task.
pub const COUNT: usize = 256;

/// Why a pattern, or a list of them, means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing between the quotes.
    #[error("an empty pattern names no file")]
    Empty,
    /// Longer than [`LENGTH`].
    #[error("the pattern `{start}…` is longer than {LENGTH} bytes")]
    TooLong {
        /// How it begins.
        start: String,
    },
    /// More than [`COUNT`].
    #[error("{count} patterns are too many; at most {COUNT} are read")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Not below the repository.
    #[error("`{pattern}` is an absolute path; patterns are relative to the repository")]
    Absolute {
        /// As written.
        pattern: String,
    },
    /// Has a part that no path in git has.
    #[error("`{pattern}` has a part `{part}` that no path in git has")]
    OddPart {
        /// As written.
        pattern: String,
        /// Which part.
        part: String,
    },
    /// A folder, where files are named.
    #[error("`{pattern}` ends in `/` and so names no file")]
    Folder {
        /// As written.
        pattern: String,
    },
    /// Not a glob.
    #[error("`{pattern}` cannot be read: {why}")]
    Unreadable {
        /// As written.
        pattern: String,
        /// Why.
        why: String,
    },
    /// Readable one by one, but too much together.
    #[error("the patterns cannot be combined: {why}")]
    TooComplex {
        /// Why.
        why: String,
    },
}

impl PatternError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Absolute { pattern } => Some(format!("write `{}`", pattern.trim_start_matches(['!', '/']))),
            Self::OddPart { part, .. } if part == ".." => {
                Some("a task cannot reach outside the repository".to_owned())
            }
            Self::OddPart { .. } => {
                Some("write `src/lib.rs`, not `./src/lib.rs` or `src//lib.rs`".to_owned())
            }
            Self::Folder { pattern } => Some(format!("write `{pattern}**` for everything below it")),
            Self::TooMany { .. } => Some("name folders with `**`, or split the task".to_owned()),
            Self::Empty | Self::TooLong { .. } | Self::Unreadable { .. } | Self::TooComplex { .. } => None,
        }
    }
}

/// A checked list of patterns.
#[derive(Clone, Debug)]
pub struct Patterns {
    included: Side,
    excluded: Side,
}

#[derive(Clone, Debug)]
struct Side {
    literal: BTreeSet<String>,
    globs: GlobSet,
}

impl Patterns {
    /// Reads a list.
    ///
    /// # Errors
    /// Every [`PatternError`] in it.
    pub fn parse(list: &[String]) -> Result<Self, Vec<PatternError>> {
        if list.len() > COUNT {
            return Err(vec![PatternError::TooMany { count: list.len() }]);
        }
        let errors: Vec<_> = list.iter().filter_map(|pattern| check(pattern).err()).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let (excluded, included): (Vec<_>, Vec<_>) =
            list.iter().map(String::as_str).partition(|p| p.starts_with('!'));
        let excluded: Vec<_> = excluded.iter().map(|p| p.trim_start_matches('!')).collect();
        Ok(Self {
            included: Side::new(&included).map_err(|error| vec![error])?,
            excluded: Side::new(&excluded).map_err(|error| vec![error])?,
        })
    }

    /// Does the list name this path?
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.included.matches(path) && !self.excludes(path)
    }

    /// Does an exclusion of the list name this path?
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        self.excluded.matches(path)
    }

    /// Does the list name exactly this path, character for character, and not exclude it?
    #[must_use]
    pub fn names_exactly(&self, path: &str) -> bool {
        self.included.literal.contains(path) && !self.excludes(path)
    }

    /// The patterns without a wildcard: paths of files, whether they are there or not.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        let plain = |path: &&String| !path.contains(['*', '?', '[', '{']) && self.matches(path);
        self.included.literal.iter().filter(plain).map(String::as_str)
    }

    /// True when no path can match: nothing is included.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.included.literal.is_empty()
    }
}

impl Side {
    fn new(patterns: &[&str]) -> Result<Self, PatternError> {
        let complex = |error: globset::Error| PatternError::TooComplex {
            why: error.kind().to_string(),
        };
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(glob(pattern).map_err(complex)?);
        }
        Ok(Self {
            literal: patterns.iter().map(|p| (*p).to_owned()).collect(),
            globs: builder.build().map_err(complex)?,
        })
    }

    fn matches(&self, path: &str) -> bool {
        self.literal.contains(path) || self.globs.is_match(path)
    }
}

fn glob(pattern: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
}

/// Checks one pattern by itself. The list is compiled as a whole later, with its errors caught:
/// a single glob's own matcher would panic where the regular expression grows too large.
fn check(written: &str) -> Result<(), PatternError> {
    let pattern = written.strip_prefix('!').unwrap_or(written);
    let owned = || written.to_owned();
    if pattern.is_empty() {
        return Err(PatternError::Empty);
    }
    if pattern.len() > LENGTH {
        let start = pattern.chars().take(32).collect();
        return Err(PatternError::TooLong { start });
    }
    if pattern.starts_with('/') {
        return Err(PatternError::Absolute { pattern: owned() });
    }
    if pattern.ends_with('/') {
        return Err(PatternError::Folder { pattern: owned() });
    }
    // A second `!` would be read as part of the name, which nobody means.
    if let Some(part) = pattern
        .split('/')
        .find(|part| matches!(*part, "" | "." | "..") || part.starts_with('!'))
    {
        return Err(PatternError::OddPart {
            pattern: owned(),
            part: part.to_owned(),
        });
    }
    match glob(pattern) {
        Ok(_) => Ok(()),
        Err(error) => Err(PatternError::Unreadable {
            pattern: owned(),
            why: error.kind().to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(list: &[&str]) -> Result<Patterns, Vec<PatternError>> {
        Patterns::parse(&list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn stars_stay_in_their_folder_and_double_stars_do_not() {
        for (list, yes, no) in [
            (&["src/*.rs"][..], "src/lib.rs", "src/a/lib.rs"),
            (&["src/**"], "src/a/b/c.rs", "srcs/a"),
            (&["**/*.md"], "docs/a/b.md", "docs/a/b.mdx"),
            (&["schema.sql"], "schema.sql", "db/schema.sql"),
            (&["src/{a,b}/mod.rs"], "src/b/mod.rs", "src/c/mod.rs"),
            (&["app/[id]/page.tsx"], "app/[id]/page.tsx", "app/[id]/other.tsx"),
        ] {
            let list = patterns(list).unwrap();
            assert!(list.matches(yes), "{yes}");
            assert!(!list.matches(no), "{no}");
        }
    }

    #[test]
    fn an_exclusion_wins_wherever_it_stands() {
        for list in [&["!src/secret.rs", "src/**"][..], &["src/**", "!src/secret.rs"]] {
            let list = patterns(list).unwrap();
            assert!(list.matches("src/open.rs"));
            assert!(!list.matches("src/secret.rs"));
        }
        let only = patterns(&["!src/**"]).unwrap();
        assert!(only.is_empty() && !only.matches("docs/a.md"));
    }

    #[test]
    fn exact_means_character_for_character() {
        let list = patterns(&["link", "links/*", "!links/no", "no", "!no"]).unwrap();
        assert!(list.names_exactly("link"));
        assert!(!list.names_exactly("links/a"));
        assert!(!list.names_exactly("no"));
    }

    #[test]
    fn every_mistake_is_told_with_advice() {
        let errors =
            patterns(&["", "/etc/passwd", "a/../b", "./a", "a//b", "src/", "a[", "!!a"]).unwrap_err();
        assert_eq!(errors.len(), 8, "{errors:?}");
        assert_eq!(errors[1].hint().as_deref(), Some("write `etc/passwd`"));
        assert_eq!(
            errors[5].hint().as_deref(),
            Some("write `src/**` for everything below it")
        );
    }

    #[test]
    fn p8_long_and_many_patterns_are_refused() {
        assert!(matches!(
            patterns(&["a".repeat(LENGTH + 1).as_str()]).unwrap_err()[..],
            [PatternError::TooLong { .. }]
        ));
        let many = vec!["a".to_owned(); COUNT + 1];
        assert!(matches!(
            Patterns::parse(&many).unwrap_err()[..],
            [PatternError::TooMany { .. }]
        ));
    }

    #[test]
    fn p8_a_hostile_list_is_refused_or_works() {
        let nested = "{a,".repeat(100) + "b" + &"}".repeat(100);
        let wide = vec!["{**/*[a-z]?*,**/?}".repeat(20); COUNT];
        for list in [vec![nested], wide] {
            if let Ok(list) = Patterns::parse(&list) {
                let _ = list.matches(&"a/".repeat(500));
            }
        }
    }

    proptest! {
        #[test]
        fn globs_never_panic(list in prop::collection::vec(r"[!a-c*?\[\]{},/\\.\-]{0,24}|.{0,16}", 0..8), path in ".{0,40}") {
            if let Ok(list) = Patterns::parse(&list) {
                let matched = list.matches(&path);
                prop_assert!(!(matched && list.excludes(&path)));
                prop_assert!(!list.names_exactly(&path) || matched);
            }
        }
    }
}
