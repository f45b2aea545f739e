//! Directories that an agent, or the command of a gate, may write or read beside its own.
//!
//! No list of a configuration opens what the runtime keeps from agents: to nobody the directory
//! with the journal and the keys, and for writing not the repository either, in which only
//! approved work lands.

use std::path::{Path, PathBuf};

use worknode_profiles::profile::{Nowhere, Place, place_mistakes};

use super::{Problems, World};
use crate::config::path::shown;

/// Where the runtime keeps what it knows, beside `worknode.toml`.
const STATE: &str = ".worknode";

/// Fills in places, and tells which cannot be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    world: &'a World<'a>,
    repository: &'a Path,
}

/// What a place is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Whose word a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source<'p> {
    /// A profile's: it is for many teams on many machines, so what does not fit here is left out.
    Profile,
    /// The team's own, at this path.
    Team(&'p str),
}

impl<'a> Places<'a> {
    pub(super) const fn new(world: &'a World<'a>, repository: &'a Path) -> Self {
        Self { world, repository }
    }

    /// The places that the configuration names at `path`, where it does, else those of a profile.
    pub(super) fn of(
        &self,
        path: &str,
        access: Access,
        own: Option<&[Place]>,
        profile: &[Place],
        problems: &mut Problems,
    ) -> Vec<PathBuf> {
        let (places, source) = match own {
            Some(own) => (own, Source::Team(path)),
            None => (profile, Source::Profile),
        };
        let mut found: Vec<PathBuf> = Vec::new();
        let wrong = match source {
            Source::Team(path) => tell_mistakes(path, places, problems),
            Source::Profile => Vec::new(),
        };
        for (at, place) in places.iter().enumerate().filter(|(at, _)| !wrong.contains(at)) {
            match (self.place(place, access), source) {
                // What lies beneath another is open already.
                (Ok(place), _) if found.iter().any(|other| place.starts_with(other)) => {}
                (Ok(place), _) => {
                    found.retain(|other| !other.starts_with(&place));
                    found.push(place);
                }
                (Err(_), Source::Profile) => {}
                (Err(trouble), Source::Team(path)) => trouble.tell(&format!("{path}[{at}]"), problems),
            }
        }
        found
    }

    /// The places of a driver, which writes them whatever anybody says.
    pub(super) fn of_driver(&self, places: Vec<String>) -> Vec<PathBuf> {
        let place = |place: &String| self.place(&Place::from(place.as_str()), Access::Write).ok();
        places.iter().filter_map(place).collect()
    }

    /// The value of a variable, as the daemon has it.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.world.sources.variable(name).map(str::to_owned)
    }

    fn place(&self, place: &Place, access: Access) -> Result<PathBuf, Trouble> {
        // What a link leads to is what counts.
        let path = real(&place.expand(|name| self.variable(name))?);
        let touches = |kept: &Path| path.starts_with(kept) || kept.starts_with(&path);
        let repository = access == Access::Write && touches(self.repository);
        if repository || touches(&self.world.dir.join(STATE)) {
            return Err(Trouble::Kept {
                place: place.as_str().to_owned(),
            });
        }
        Ok(path)
    }
}

/// The path with the links in it followed, as far as it is there.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (above.canonicalize(), path.strip_prefix(above)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Nowhere(#[from] Nowhere),
    #[error("`{place}` would open the repository or the runtime's own directory to the agent")]
    Kept { place: String },
}

impl Trouble {
    fn tell(self, path: &str, problems: &mut Problems) {
        let message = self.to_string();
        match self {
            // On another machine it may be set.
            Self::Nowhere(Nowhere::Unset { .. }) => {
                problems.warn(
                    path,
                    message,
                    "it is left out; set the variable, or write the path",
                );
            }
            Self::Nowhere(Nowhere::NotAbsolute { .. } | Nowhere::TooWide { .. }) => {
                problems.say(path, message, None);
            }
            Self::Kept { .. } => {
                let hint = "an agent works in its own clone; name caches outside of both".to_owned();
                problems.say(path, message, Some(hint));
            }
        }
    }
}

/// Tells what is wrong with places as they are written. Answers which of them that is.
fn tell_mistakes(path: &str, places: &[Place], problems: &mut Problems) -> Vec<usize> {
    place_mistakes(places)
        .map(|(at, why)| {
            let written = places.get(at).map_or("", Place::as_str);
            problems.say(
                format!("{path}[{at}]"),
                format!("`{}`: {why}", shown(written)),
                None,
            );
            at
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, included::Included, mistake::Mistakes, profiles::Profiles};

    /// What becomes of `places` in a team whose home, repository and directory are below `home`.
    fn places(home: &Path, access: Access, own: bool, places: &[&str]) -> (Vec<PathBuf>, usize, usize) {
        let dir = home.join("team");
        let repository = dir.join("repo");
        for dir in [".cache", ".npm", "team/.worknode", "team/repo"] {
            std::fs::create_dir_all(home.join(dir)).unwrap();
        }
        let sources = Sources {
            env: vec![("HOME".to_owned(), home.display().to_string())],
            ..Sources::of_dir(&dir)
        };
        let profiles = Profiles::read(&dir, &mut Mistakes::default());
        let world = World {
            dir: &dir,
            search: "",
            sources: &sources,
            profiles: &profiles,
            included: &Included::default(),
        };
        let mut problems = Problems::default();
        let list: Vec<Place> = places.iter().map(|place| Place::from(*place)).collect();
        let (own, profile) = if own {
            (Some(&list[..]), &[][..])
        } else {
            (None, &list[..])
        };
        let found =
            Places::new(&world, &repository).of("agent[0].writes", access, own, profile, &mut problems);
        (found, problems.mistakes.len(), problems.warnings.len())
    }

    #[test]
    fn p9_no_list_opens_the_repository_or_the_runtime_s_directory() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let link = home.join(".npm/link");
        std::fs::create_dir_all(home.join(".npm")).unwrap();
        std::os::unix::fs::symlink(home.join("team/repo"), &link).unwrap();
        let bad = [
            "~/team",
            "~/team/repo",
            "~/team/repo/target",
            "~/team/.worknode/keys",
            "~/.npm/link",
            "~/.npm/link/not/there/yet",
            "~",
            "/",
            "cache",
        ];
        let (found, mistakes, warnings) = places(&home, Access::Write, true, &bad);
        assert_eq!((found, mistakes, warnings), (Vec::new(), bad.len(), 0));
        let (found, mistakes, _) = places(&home, Access::Write, false, &bad);
        assert_eq!(
            (found, mistakes),
            (Vec::new(), 0),
            "of a profile they are left out"
        );
    }

    #[test]
    fn what_is_named_is_filled_in_once() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let good = [
            "~/.cache/pip",
            "~/.cache",
            "$HOME/.cache/",
            "~/.cache/npm",
            "/opt/elsewhere",
            "$NOT_SET_HERE/x",
            "~/team/notes",
        ];
        let (found, mistakes, warnings) = places(&home, Access::Write, true, &good);
        let expected = [
            home.join(".cache"),
            "/opt/elsewhere".into(),
            home.join("team/notes"),
        ];
        assert_eq!((&found[..], mistakes, warnings), (&expected[..], 0, 1));
    }

    #[test]
    fn p9_the_repository_may_be_read_and_the_runtime_s_directory_not() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let asked = ["~/team/repo/docs", "~/team/.worknode/runs"];
        let (found, mistakes, _) = places(&home, Access::Read, true, &asked);
        assert_eq!((found, mistakes), (vec![home.join("team/repo/docs")], 1));
    }
}
