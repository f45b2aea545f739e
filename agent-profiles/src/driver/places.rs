//! Paths that a driver names: where its program proper is, and where it must write.

use super::{Driver, fits};

impl Driver {
    /// The paths at which the program proper may be, most likely first. `launcher` is the
    /// directory of the file that `command` names, with all links followed; `machine` the
    /// architecture as the kernel names it. Nobody looks here whether they exist.
    #[must_use]
    pub fn native_candidates(&self, launcher: &str, machine: &str) -> Vec<String> {
        let npm = match machine {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        let filled = |path: &String| {
            path.replace("{machine}", machine)
                .replace("{npm}", npm)
                .replace("{launcher}", launcher)
        };
        self.native.iter().map(filled).collect()
    }

    /// The directories that the program must write for its own sake, absolute. `variable` gives
    /// the values of environment variables as the program will have them.
    #[must_use]
    pub fn writes(&self, variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let home = variable("HOME").map(|home| home.trim_end_matches('/').to_owned());
        let mut places: Vec<String> = Vec::new();
        for place in &self.sandbox.write {
            let Some(path) = expand(place, &variable) else {
                continue;
            };
            let path = path.trim_end_matches('/').to_owned();
            // The root, and a whole home, are a slip and not a place of the program's own.
            let whole = path.is_empty() || home.as_ref() == Some(&path);
            if path.starts_with('/') && !whole && !places.contains(&path) {
                places.push(path);
            }
        }
        places
    }
}

fn expand(place: &str, variable: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let (name, rest) = match split_variable(place) {
        Some(split) => split,
        None if place == "~" || place.starts_with("~/") => ("HOME", &place[1..]),
        None => return Some(place.to_owned()),
    };
    let value = variable(name).filter(|value| !value.is_empty())?;
    Some(format!("{}{rest}", value.trim_end_matches('/')))
}

/// The variable with which the place begins, and what is after it.
fn split_variable(place: &str) -> Option<(&str, &str)> {
    let after = place.strip_prefix('$')?;
    let end = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    Some(after.split_at(end))
}

/// Is it written as a place is?
pub(super) fn is_place(place: &str) -> bool {
    let rooted = match split_variable(place) {
        Some((name, rest)) => super::variable(name).is_ok() && (rest.is_empty() || rest.starts_with('/')),
        None => place.starts_with("~/") || place.starts_with('/'),
    };
    rooted && fits(place) && !place.split('/').any(|part| part == "..")
}
