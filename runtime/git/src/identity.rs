//! Who wrote a commit, and when.

use worknode_core::time::Timestamp;

use crate::error::GitError;

/// A name and an e-mail address that git takes as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    name: String,
    email: String,
}

impl Identity {
    /// Checks both parts. git would quietly drop or rewrite what it does not like; then the same
    /// inputs would not always give the same commit.
    ///
    /// # Errors
    /// When a part is empty or has characters that cannot stand in a commit.
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Result<Self, GitError> {
        Ok(Self {
            name: checked(name.into())?,
            email: checked(email.into())?,
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The e-mail address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }
}

fn checked(text: String) -> Result<String, GitError> {
    // git strips these from both ends.
    let crud = |c: char| c.is_ascii_whitespace() || matches!(c, '.' | ',' | ':' | ';' | '"' | '\\' | '\'');
    let bad = text.is_empty()
        || text.len() > 256
        || text.starts_with(crud)
        || text.ends_with(crud)
        || text.chars().any(|c| c.is_control() || matches!(c, '<' | '>'));
    if bad {
        Err(GitError::BadIdentity(text))
    } else {
        Ok(text)
    }
}

/// Author, committer and date of a commit that the runtime makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorship {
    /// Who did the work.
    pub author: Identity,
    /// Who puts it on the base branch.
    pub committer: Identity,
    /// When, for both; git keeps whole seconds. An argument and not "now", so that the same
    /// inputs make the same commit.
    pub at: Timestamp,
}

impl Authorship {
    /// The date as git reads it without guessing.
    pub(crate) fn date(&self) -> String {
        format!("@{} +0000", self.at.as_millis() / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_would_change_is_refused() {
        assert!(Identity::new("Agent coder-1", "coder-1@worknode").is_ok());
        assert!(Identity::new("Ana María", "ana@example.org").is_ok());
        for bad in ["", " x", "x ", "a\nb", "a<b", "a>b", "a\0b", "dot.", "\"q\""] {
            assert!(Identity::new(bad, "a@b").is_err(), "{bad:?}");
            assert!(Identity::new("a", bad).is_err(), "{bad:?}");
        }
    }
}
