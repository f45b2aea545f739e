//! Paths inside a repository, which are bytes and not text.

use std::fmt;

/// The path of a file in a git tree, as git stores it.
///
/// It need not be UTF-8. A rule that judges paths must ask [`Self::as_str`] and refuse when there
/// is no answer: a lossy text could look like a path that is allowed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Vec<u8>);

impl RepoPath {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The exact bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as text, when it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

/// For people: as it is when that is safe to show, else quoted with escapes.
impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) if !text.contains(|c: char| c.is_control() || c == '"') => f.write_str(text),
            _ => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The parts of a listing that git ended with NUL each.
pub(crate) fn nul_separated(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_paths_are_escaped_and_non_utf8_ones_have_no_text() {
        assert_eq!(RepoPath::new("src/ä b.rs").to_string(), "src/ä b.rs");
        assert_eq!(RepoPath::new("a\n\"b\x1b").to_string(), "\"a\\n\\\"b\\x1b\"");
        let odd = RepoPath::new(&b"a\xff"[..]);
        assert_eq!((odd.as_str(), odd.to_string().as_str()), (None, "\"a\\xff\""));
    }
}
