//! Directories that a profile names: the home of whoever runs the daemon differs.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most characters of a place: more than any path that the kernel takes.
const LENGTH: usize = 4_096;

/// A directory: an absolute path, `~/…`, or one that begins with `$VARIABLE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Place(String);

/// Why a place is nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nowhere {
    /// The variable that it begins with has no value.
    #[error("`{place}` is nowhere: the variable `{variable}` is not set")]
    Unset {
        /// As written.
        place: String,
        /// Which variable.
        variable: String,
    },
    /// What its variable says is no absolute path.
    #[error("`{place}` is `{path}`, which is not an absolute path without `..`")]
    NotAbsolute {
        /// As written.
        place: String,
        /// What it comes to.
        path: String,
    },
    /// It is the root, or all that somebody has.
    #[error(
        "`{place}` is `{path}`: with all of it nothing would be kept from the agent; name directories in it"
    )]
    TooWide {
        /// As written.
        place: String,
        /// What it comes to.
        path: String,
    },
}

impl Place {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is wrong with how it is written.
    #[must_use]
    pub fn mistake(&self) -> Option<&'static str> {
        let text = self.0.as_str();
        let begins_well = match split(text) {
            Some((variable, rest)) => is_variable(variable) && (rest.is_empty() || rest.starts_with('/')),
            None => text.starts_with('/'),
        };
        if !begins_well {
            Some("a directory is an absolute path, `~/…`, or begins with `$VARIABLE`")
        } else if text.split('/').any(|part| part == "..") {
            Some("the path has `..`; write where it leads")
        } else if text.len() > LENGTH || text.contains('\0') {
            Some("the path is too long, or has a zero byte")
        } else {
            None
        }
    }

    /// Where it is. `variable` gives the values of environment variables.
    ///
    /// # Errors
    /// [`Nowhere`], when it is not a directory of which an agent may have all.
    pub fn expand(&self, variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf, Nowhere> {
        let place = || self.0.clone();
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        let written = match split(&self.0) {
            None => self.0.clone(),
            Some((name, rest)) => match value(name) {
                Some(value) => format!("{value}{rest}"),
                None => {
                    let variable = name.to_owned();
                    return Err(Nowhere::Unset {
                        place: place(),
                        variable,
                    });
                }
            },
        };
        let plain = !written.contains('\0')
            && Path::new(&written)
                .components()
                .all(|part| part != Component::ParentDir);
        if !written.starts_with('/') || !plain {
            return Err(Nowhere::NotAbsolute {
                place: place(),
                path: written,
            });
        }
        // Without doubled and trailing slashes, so that places can be compared.
        let path: PathBuf = Path::new(&written).components().collect();
        let home = value("HOME").map(PathBuf::from);
        if home.is_some_and(|home| home.starts_with(&path)) || path == Path::new("/") {
            return Err(Nowhere::TooWide {
                place: place(),
                path: written,
            });
        }
        Ok(path)
    }
}

impl From<&str> for Place {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// The variable with which the text begins, and what is after it. `~` is the variable `HOME`.
fn split(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('~') {
        return Some(("HOME", rest));
    }
    let after = text.strip_prefix('$')?;
    let end = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    Some(after.split_at(end))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variable(name: &str) -> Option<String> {
        let value = match name {
            "HOME" => "/home/me",
            "CACHE" => "/var/cache//tool/",
            "ODD" => "relative",
            "EMPTY" => "",
            "UP" => "/home/me/..",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn homes_and_variables_are_filled_in() {
        for (place, path) in [
            ("~/.cache", "/home/me/.cache"),
            ("$HOME/.npm/", "/home/me/.npm"),
            ("$CACHE", "/var/cache/tool"),
            ("$CACHE/x", "/var/cache/tool/x"),
            ("/opt/cache", "/opt/cache"),
        ] {
            assert_eq!(Place::from(place).mistake(), None, "{place}");
            assert_eq!(Place::from(place).expand(variable), Ok(path.into()), "{place}");
        }
    }

    #[test]
    fn p9_nobody_gets_everything() {
        for place in ["/", "~", "~/", "/home", "/home/me", "$HOME", "//", "/home/me/."] {
            let nowhere = Place::from(place).expand(variable);
            assert!(
                matches!(nowhere, Err(Nowhere::TooWide { .. })),
                "{place}: {nowhere:?}"
            );
        }
        for place in ["$ODD/x", "$UP", "$UP/x"] {
            let nowhere = Place::from(place).expand(variable);
            assert!(matches!(nowhere, Err(Nowhere::NotAbsolute { .. })), "{place}");
        }
        for place in ["$NONE/x", "$EMPTY/x"] {
            let nowhere = Place::from(place).expand(variable);
            assert!(matches!(nowhere, Err(Nowhere::Unset { .. })), "{place}");
        }
    }

    #[test]
    fn odd_places_are_mistakes() {
        for place in [
            "", "cache", "./cache", "~me/x", "$/x", "$1/x", "$A-b", "/a/../b", "~/..", "/a\0",
        ] {
            assert!(Place::from(place).mistake().is_some(), "{place}");
        }
    }

    proptest! {
        #[test]
        fn p9_a_place_is_absolute_or_nowhere(text in "[~$/.a-cA-Z_ ]{0,12}", value in "[/.a-c]{0,6}") {
            let place = Place::from(text.as_str());
            let _ = place.mistake();
            if let Ok(path) = place.expand(|_| Some(value.clone())) {
                prop_assert!(path.is_absolute() && path != Path::new("/"));
                prop_assert!(!path.components().any(|part| part == Component::ParentDir));
            }
        }
    }
}
