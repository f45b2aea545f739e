//! What a capability can be narrowed to. Narrowing is a function from what was allowed to what is
//! allowed then; it refuses whatever would be more.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use worknode_core::{
    command::Operation,
    error::{Code, Error},
    ids::NodeId,
    time::Timestamp,
    usage::Usd,
};

use super::Claims;
use crate::pattern::Patterns;

/// Characters of the note in a narrowing.
const NOTE: usize = 200;

/// What a capability is limited to, beside operations, part of the tree and time. What is not named
/// is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Lists of globs: a file must be named by each of them. Narrowing adds a list, so that nobody
    /// has to compare one glob with another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Vec<String>>,
    /// Money that what it spawns may take at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// Tokens that what it spawns may take at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// How many agents may stand below each other by its spawning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// How many agents that it spawned may live at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<usize>,
    /// By whom it may be taken: names of teams. None: by any that has the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<BTreeSet<String>>,
}

impl Limits {
    /// Is nothing limited?
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The files that may be touched, ready to be asked often.
    #[must_use]
    pub fn named_files(&self) -> NamedFiles {
        NamedFiles(self.files.iter().cloned().map(List::of).collect())
    }
}

/// Files that a capability names: those that each of its lists names.
#[derive(Clone, Debug)]
pub struct NamedFiles(Vec<List>);

#[derive(Clone, Debug)]
struct List {
    entries: Vec<String>,
    /// None of a list that cannot be read: it names nothing.
    patterns: Option<Patterns>,
    /// It has entries that take away.
    excludes: bool,
}

impl NamedFiles {
    /// Is nothing limited?
    #[must_use]
    pub const fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Is a file named by each list?
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.0.iter().all(|list| list.has(path))
    }

    /// Do these patterns of a task name only such files? Globs are compared by what they begin with:
    /// `src/api/**` is within `src/**`. What cannot be told is refused.
    ///
    /// # Errors
    /// `forbidden`, naming the first pattern that may reach further.
    pub fn cover<'a>(&self, patterns: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
        let beyond = |pattern: &&str| !self.0.iter().all(|list| list.covers(pattern));
        match patterns.into_iter().find(beyond) {
            None => Ok(()),
            Some(pattern) => {
                let message = format!("`{pattern}` reaches beyond the files that the capability names");
                let named: Vec<_> = self.0.iter().map(|list| list.entries.join(", ")).collect();
                Err(Error::new(Code::Forbidden, message)
                    .hint(format!("it names {}", named.join(", and of these "))))
            }
        }
    }
}

impl List {
    fn of(entries: Vec<String>) -> Self {
        Self {
            patterns: Patterns::parse(&entries).ok(),
            excludes: entries.iter().any(|entry| entry.starts_with('!')),
            entries,
        }
    }

    fn has(&self, path: &str) -> bool {
        self.patterns.as_ref().is_some_and(|list| list.matches(path))
    }

    /// Is all that `pattern` names within the list, for certain?
    fn covers(&self, pattern: &str) -> bool {
        // An exclusion takes away; a plain path is asked as such.
        if pattern.starts_with('!') || is_plain(pattern) {
            return pattern.starts_with('!') || self.has(pattern);
        }
        // What is excluded from the list might be what the glob names.
        !self.excludes && self.entries.iter().any(|entry| is_within(pattern, entry))
    }
}

/// Does it name the one path that it says? A backslash makes of `secre\\t` another name for `secret`.
fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '[', '{', '\\'])
}

/// `src/api/**` is within `src/**`, within itself, and within `**`.
fn is_within(pattern: &str, entry: &str) -> bool {
    let below = entry
        .strip_suffix("**")
        .filter(|head| head.is_empty() || head.ends_with('/'));
    let below = below.filter(|head| is_plain(head));
    pattern == entry || below.is_some_and(|head| pattern.starts_with(head))
}

/// Less than what was allowed: what is named replaces it, the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Narrowing {
    /// Only these operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<BTreeSet<Operation>>,
    /// Only this Worknode and all below it, which must be below what was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtree: Option<NodeId>,
    /// Only files that these globs name as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
    /// At most so much money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// At most so many tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// At most so deep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// At most so wide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<usize>,
    /// Not as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Only by these teams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<BTreeSet<String>>,
    /// For whom or what, for the record.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Narrowing {
    /// Narrows `claims`.
    ///
    /// # Errors
    /// The name of what would be more than it was.
    pub(super) fn narrow(&self, claims: &mut Claims) -> Result<(), &'static str> {
        let limits = &mut claims.limits;
        if let Some(operations) = &self.operations {
            subset(operations, Some(&claims.operations), "operations")?;
            claims.operations.clone_from(operations);
            // What is raised for a time is for its holder, and is not handed on beside these.
            claims.raised.clear();
        }
        if let Some(expires) = self.expires {
            at_most(expires, Some(claims.expires), "expiry")?;
            claims.expires = expires;
        }
        if let Some(audience) = &self.audience {
            subset(audience, limits.audience.as_ref(), "audience")?;
            limits.audience = Some(audience.clone());
        }
        lower(self.usd, &mut limits.usd, "money")?;
        lower(self.tokens, &mut limits.tokens, "tokens")?;
        lower(self.depth, &mut limits.depth, "spawn depth")?;
        lower(self.fan_out, &mut limits.fan_out, "spawn fan-out")?;
        if let Some(subtree) = self.subtree {
            // Whether it is below what was allowed, only the tree can tell: see `Opened::subtrees`.
            claims.subtree = subtree;
        }
        limits.files.extend(self.files()?);
        if self.note.chars().count() > NOTE {
            return Err("a note too long");
        }
        Ok(())
    }

    /// The files that it adds to those that must be named.
    fn files(&self) -> Result<Option<Vec<String>>, &'static str> {
        let bad = |files: &Vec<String>| files.is_empty() || Patterns::parse(files).is_err();
        if self.files.as_ref().is_some_and(bad) {
            return Err("files");
        }
        Ok(self.files.clone())
    }
}

fn subset<T: Ord>(
    wanted: &BTreeSet<T>,
    allowed: Option<&BTreeSet<T>>,
    what: &'static str,
) -> Result<(), &'static str> {
    let fits = allowed.is_none_or(|allowed| wanted.is_subset(allowed));
    if fits { Ok(()) } else { Err(what) }
}

fn at_most<T: Ord>(wanted: T, allowed: Option<T>, what: &'static str) -> Result<(), &'static str> {
    let fits = allowed.is_none_or(|allowed| wanted <= allowed);
    if fits { Ok(()) } else { Err(what) }
}

fn lower<T: Ord + Copy>(
    wanted: Option<T>,
    allowed: &mut Option<T>,
    what: &'static str,
) -> Result<(), &'static str> {
    if let Some(wanted) = wanted {
        at_most(wanted, *allowed, what)?;
        *allowed = Some(wanted);
    }
    Ok(())
}
