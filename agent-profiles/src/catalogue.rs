//! All profiles and drivers: the files that ship, and the user's own over them.
//!
//! A user's files have the layout of the ones that ship: `NAME.toml` or `profiles/NAME.toml` is
//! a profile, `drivers/NAME.toml` a driver. A file replaces the whole shipped one of its name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Component, Path},
};

use include_dir::{Dir, include_dir};

mod read;
#[cfg(test)]
mod tests;

use crate::{brief::Template, driver::Driver, profile::Profile};
use read::Source;

static PROFILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/profiles");
static DRIVERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/drivers");

/// Most files of a user's own.
pub const FILES: usize = 1_000;
/// Bytes of one file.
pub const FILE_BYTES: usize = 512 * 1024;

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileProblem {
    /// Which file.
    pub file: String,
    /// Where, from 1; `None` when it is about the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for ProfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// All profiles and drivers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    profiles: BTreeMap<String, Profile>,
    drivers: BTreeMap<String, Driver>,
}

impl Catalogue {
    /// The files that ship. A test reads every one of them.
    #[must_use]
    pub fn shipped() -> Self {
        let mut loader = Loader::default();
        for (folder, files) in [("drivers", &DRIVERS), ("profiles", &PROFILES)] {
            for file in files.files() {
                let name = Path::new(folder).join(file.path());
                loader.file(&name, file.contents_utf8().unwrap_or_default());
            }
        }
        loader.catalogue
    }

    /// The files that ship, with the user's own `files` over them: names and texts.
    ///
    /// # Errors
    /// Every [`ProfileProblem`] in all files.
    pub fn with_overrides<N: AsRef<Path>, T: AsRef<str>>(
        files: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, Vec<ProfileProblem>> {
        let mut loader = Loader {
            catalogue: Self::shipped(),
            ..Loader::default()
        };
        for (at, (name, text)) in files.into_iter().enumerate() {
            if at == FILES {
                loader.problem(
                    name.as_ref(),
                    &format!("more than {FILES} files are not read"),
                    None,
                );
                break;
            }
            loader.file(name.as_ref(), text.as_ref());
        }
        loader.cross_check();
        if loader.problems.is_empty() {
            Ok(loader.catalogue)
        } else {
            Err(loader.problems)
        }
    }

    /// A profile by its name.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// A driver by its name.
    #[must_use]
    pub fn driver(&self, name: &str) -> Option<&Driver> {
        self.drivers.get(name)
    }

    /// All profiles, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// All drivers, by name.
    pub fn drivers(&self) -> impl Iterator<Item = &Driver> {
        self.drivers.values()
    }
}

/// What a file is, by its place.
enum Sort {
    Profile,
    Driver,
}

#[derive(Default)]
struct Loader {
    catalogue: Catalogue,
    /// What was read here, so that no name comes twice.
    seen: BTreeSet<(bool, String)>,
    /// Where the drivers of profiles are named.
    named: Vec<(String, Source)>,
    problems: Vec<ProfileProblem>,
}

impl Loader {
    fn problem(&mut self, file: &Path, message: &str, hint: Option<&str>) {
        self.problems.push(ProfileProblem {
            file: file.display().to_string(),
            line: None,
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
        });
    }

    fn file(&mut self, path: &Path, text: &str) {
        let Some((sort, name)) = sort_and_name(path) else {
            let hint = "profiles are `NAME.toml`, drivers `drivers/NAME.toml`; names have lower-case letters, digits, `-` and `_`";
            self.problem(path, "this is neither a profile nor a driver", Some(hint));
            return;
        };
        if text.len() > FILE_BYTES {
            self.problem(
                path,
                &format!("the file has {} bytes; at most {FILE_BYTES}", text.len()),
                None,
            );
            return;
        }
        let is_driver = matches!(sort, Sort::Driver);
        if !self.seen.insert((is_driver, name.clone())) {
            self.problem(
                path,
                &format!("`{name}` is there twice"),
                Some("keep one of the files"),
            );
            return;
        }
        let source = Source::new(path, text);
        let problems = match sort {
            Sort::Profile => self.profile(name, &source),
            Sort::Driver => self.driver(name, &source),
        };
        self.problems.extend(problems);
    }

    fn profile(&mut self, name: String, source: &Source) -> Vec<ProfileProblem> {
        let mut profile: Profile = match source.read() {
            Ok(profile) => profile,
            Err(problems) => return problems,
        };
        profile.name.clone_from(&name);
        let mut problems: Vec<_> = profile
            .mistakes()
            .into_iter()
            .map(|(path, why)| source.problem(&path, &why))
            .collect();
        if let Err(errors) = Template::parse(profile.template()) {
            problems.extend(
                errors
                    .iter()
                    .map(|error| source.problem_in_text("brief", error.line, &error.message)),
            );
        }
        self.named.push((name.clone(), source.clone()));
        self.catalogue.profiles.insert(name, profile);
        problems
    }

    fn driver(&mut self, name: String, source: &Source) -> Vec<ProfileProblem> {
        let mut driver: Driver = match source.read() {
            Ok(driver) => driver,
            Err(problems) => return problems,
        };
        driver.name.clone_from(&name);
        let problems = driver
            .mistakes()
            .iter()
            .map(|mistake| source.problem(&[], &mistake.to_string()))
            .collect();
        self.catalogue.drivers.insert(name, driver);
        problems
    }

    /// What can be said only when all files are read.
    fn cross_check(&mut self) {
        for (name, source) in std::mem::take(&mut self.named) {
            let Some(profile) = self.catalogue.profiles.get(&name) else {
                continue;
            };
            let none = Driver::default();
            let driver = match &profile.driver {
                None => &none,
                Some(driver) => match self.catalogue.drivers.get(driver) {
                    Some(driver) => driver,
                    None => {
                        let known: Vec<&str> = self.catalogue.drivers.keys().map(String::as_str).collect();
                        let mut problem =
                            source.problem(&["driver"], &format!("there is no driver `{driver}`"));
                        problem.hint = Some(format!("there are: {}", known.join(", ")));
                        self.problems.push(problem);
                        &none
                    }
                },
            };
            let mistakes = driver.mistakes_in_env(&profile.env);
            self.problems.extend(
                mistakes
                    .iter()
                    .map(|mistake| source.problem(&["env"], &mistake.to_string())),
            );
        }
    }
}

/// Only the last folder counts: where the user keeps the files is their own affair.
fn sort_and_name(path: &Path) -> Option<(Sort, String)> {
    let name = path.file_stem()?.to_str()?;
    if path.extension()? != "toml" || !is_name(name) {
        return None;
    }
    let folder = path.parent().and_then(|parent| parent.components().next_back());
    let sort = match folder {
        Some(Component::Normal(folder)) if folder == "drivers" => Sort::Driver,
        _ => Sort::Profile,
    };
    Some((sort, name.to_owned()))
}

fn is_name(name: &str) -> bool {
    let begins = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let plain = |c: char| begins(c) || matches!(c, '-' | '_');
    name.len() <= 64 && name.starts_with(begins) && name.chars().all(plain)
}
