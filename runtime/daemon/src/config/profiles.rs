//! Profiles and drivers: those that ship, and the team's own over them.

use std::{collections::BTreeSet, path::Path};

use worknode_profiles::{
    Catalogue, Driver, Profile, ProfileProblem,
    catalogue::{FILE_BYTES, FILES},
};

use super::{
    file,
    mistake::{Mistake, Mistakes, Place},
};

/// The folder of the team's own profiles, beside `worknode.toml`.
pub const FOLDER: &str = "agent-profiles";
/// Where files are looked for in it.
const FOLDERS: [&str; 3] = ["", "profiles", "drivers"];

/// Profiles and drivers by name.
#[derive(Debug)]
pub(super) struct Profiles {
    catalogue: Catalogue,
    /// Names of files with mistakes. What they say is not known, only that they are there.
    unread: BTreeSet<String>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a, T> {
    Known(&'a T),
    /// Its file has mistakes, which were told.
    Unread,
    Unknown,
}

impl Profiles {
    /// Reads the team's own files below `dir`.
    pub(super) fn read(dir: &Path, mistakes: &mut Mistakes) -> Self {
        let mut files = Vec::new();
        for folder in FOLDERS {
            list(dir, &Path::new(FOLDER).join(folder), &mut files, mistakes);
        }
        files.sort();
        let mut unread = BTreeSet::new();
        let mut texts = Vec::new();
        for name in files {
            match read_one(&dir.join(&name)) {
                Ok(text) => texts.push((name, text)),
                Err(message) => {
                    unread.extend(stem(&name));
                    mistakes.about_file(&name, message, None);
                }
            }
        }
        let names: Vec<String> = texts.iter().filter_map(|(name, _)| stem(name)).collect();
        let catalogue = Catalogue::with_overrides(texts).unwrap_or_else(|problems| {
            problems
                .into_iter()
                .for_each(|problem| mistakes.add(mistake(problem)));
            unread.extend(names);
            Catalogue::shipped()
        });
        Self { catalogue, unread }
    }

    pub(super) fn profile(&self, name: &str) -> Named<'_, Profile> {
        self.named(name, self.catalogue.profile(name))
    }

    pub(super) fn driver(&self, name: &str) -> Named<'_, Driver> {
        self.named(name, self.catalogue.driver(name))
    }

    pub(super) fn profile_names(&self) -> Vec<&str> {
        self.catalogue
            .profiles()
            .map(|profile| profile.name.as_str())
            .collect()
    }

    pub(super) fn driver_names(&self) -> Vec<&str> {
        self.catalogue
            .drivers()
            .map(|driver| driver.name.as_str())
            .collect()
    }

    fn named<'a, T>(&self, name: &str, found: Option<&'a T>) -> Named<'a, T> {
        match found {
            _ if self.unread.contains(name) => Named::Unread,
            Some(found) => Named::Known(found),
            None => Named::Unknown,
        }
    }
}

fn mistake(problem: ProfileProblem) -> Mistake {
    Mistake {
        place: Place::File {
            file: problem.file,
            line: problem.line,
            column: None,
        },
        key: String::new(),
        message: problem.message,
        hint: problem.hint,
    }
}

fn stem(name: &str) -> Option<String> {
    Path::new(name).file_stem()?.to_str().map(str::to_owned)
}

/// The TOML files in a folder. A folder that is not there has none.
fn list(dir: &Path, folder: &Path, files: &mut Vec<String>, mistakes: &mut Mistakes) {
    let entries = match dir.join(folder).read_dir() {
        Ok(entries) => entries,
        Err(error) => {
            let absent = matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            );
            if !absent {
                let message = format!("the folder cannot be read: {error}");
                mistakes.about_file(&folder.display().to_string(), message, None);
            }
            return;
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        // A Rust package may live in a folder of this name; its manifest is no profile.
        let is_profile = Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "toml")
            && name != "Cargo.toml";
        // One more than are read, so that the catalogue says that there are too many.
        if is_profile && files.len() <= FILES {
            files.push(folder.join(name).display().to_string());
        }
    }
}

fn read_one(path: &Path) -> Result<String, String> {
    let size = path.metadata().map_or(0, |metadata| metadata.len());
    if size > u64::try_from(FILE_BYTES).unwrap_or(u64::MAX) {
        return Err(format!("the file has {size} bytes; at most {FILE_BYTES}"));
    }
    file::read(path).map_err(|error| error.to_string())
}
