//! Names of branches and refs. What passes here is neither an option nor a path that leads out
//! of the folder where refs live.

use crate::error::GitError;

/// No ref that people use is longer; a file name ends at 255 bytes anyway.
const LONGEST: usize = 1024;

/// A branch name that is safe on a command line and as a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch(String);

impl Branch {
    pub(crate) fn new(name: &str) -> Result<Self, GitError> {
        let full = format!("refs/heads/{name}");
        if name.starts_with('-') || name == "HEAD" || !is_ref(&full) {
            return Err(GitError::BadBranch(name.chars().take(200).collect()));
        }
        Ok(Self(full))
    }

    /// With `refs/heads/` in front.
    pub(crate) fn full(&self) -> &str {
        &self.0
    }
}

/// Whether git would accept this as the full name of a ref.
pub(crate) fn is_ref(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    name.starts_with("refs/")
        && name.len() <= LONGEST
        && name.split('/').all(is_part)
        && !name.contains(forbidden)
        && !has(&["..", "@{"])
        && !name.ends_with('.')
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.len() <= 255 && !part.starts_with('.') && !part.ends_with(".lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for good in ["main", "worknode/schema", "feature/ü-1", "a.b"] {
            assert!(Branch::new(good).is_ok(), "{good}");
        }
        for bad in [
            "", "-f", "HEAD", "a..b", "../../x", "a//b", "/a", "a/", ".a", "a/.b", "a.lock", "a b", "a\nb",
            "a~1", "a@{1}", "a:b", "a.", "a\\b", "a\0",
        ] {
            assert!(Branch::new(bad).is_err(), "{bad:?}");
        }
        assert!(Branch::new(&"x".repeat(2000)).is_err());
    }
}
