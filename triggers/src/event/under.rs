//! A part of the tree, by the names of its Worknodes from the team down.

use std::fmt;

use crate::glob::{Glob, GlobError};

/// Most names of a path. The tree is no deeper.
const MAX_NAMES: usize = worknode_core::bounds::DEPTH + 1;

/// A Worknode and all below it: `webapp/backend`. A name may be a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Under(Box<[Glob]>);

impl Under {
    /// Checks a path.
    ///
    /// # Errors
    /// [`GlobError`] when a name in it is empty, too long, or has characters that no name has.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let names: Result<Vec<Glob>, GlobError> = text.split('/').map(Glob::parse).collect();
        let names = names?;
        if names.len() > MAX_NAMES {
            Err(GlobError::TooLong)
        } else {
            Ok(Self(names.into()))
        }
    }

    /// Is the Worknode with this path the one that is meant, or below it?
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        let mut names = path.split('/');
        self.0
            .iter()
            .all(|wanted| names.next().is_some_and(|name| wanted.matches(name)))
    }

    /// The path, when it has no patterns.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        let names: Option<Vec<&str>> = self.0.iter().map(Glob::literal).collect();
        names.map(|names| names.join("/"))
    }
}

impl fmt::Display for Under {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if at == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_itself_and_what_is_below() {
        let backend = Under::parse("webapp/back*").unwrap();
        assert!(backend.holds("webapp/backend"));
        assert!(backend.holds("webapp/backend/schema/sub"));
        assert!(!backend.holds("webapp/frontend"));
        assert!(!backend.holds("webapp"));
        // A star stands for one name, not for many.
        assert!(!Under::parse("*/schema").unwrap().holds("webapp/backend/schema"));
        assert!(Under::parse("webapp//x").is_err() && Under::parse("").is_err());
        assert_eq!(Under::parse("a/b").unwrap().literal().as_deref(), Some("a/b"));
        assert_eq!(backend.literal(), None);
    }
}
