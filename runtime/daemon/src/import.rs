//! Agents that other programs know, as profiles of this team: files in, files out.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use worknode_core::error::{Code, Error};
use worknode_profiles::import::{Imported, LENGTH, import, slug};

use crate::config::PROFILES_FOLDER;

/// Most definitions at once.
const FILES: usize = 1_000;

/// A profile that was made, or would be.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub tier: String,
    /// The file, from the team's directory.
    pub file: String,
    /// What it was made from.
    pub from: String,
    /// What was not taken over.
    pub notes: Vec<String>,
}

/// How profiles are made.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The name of the only one; each has its own when none is given.
    pub name: Option<&'a str>,
    /// The driver that starts them.
    pub driver: &'a str,
    /// Replace files that are there.
    pub force: bool,
    /// Write nothing.
    pub dry_run: bool,
}

/// The definitions in a directory, in the order of their names.
///
/// # Errors
/// `not_found` when there is none, or no such directory.
pub fn definitions(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error: std::io::Error| {
        Error::new(
            Code::NotFound,
            format!("cannot read the directory `{}`: {error}", dir.display()),
        )
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
        if found.len() > FILES {
            let message = format!("`{}` has more than {FILES} definitions", dir.display());
            return Err(Error::new(Code::LimitReached, message));
        }
    }
    if found.is_empty() {
        let message = format!("`{}` has no definitions: no file ends in `.md`", dir.display());
        return Err(Error::new(Code::NotFound, message));
    }
    found.sort();
    Ok(found)
}

/// Makes a profile of each file: all of them, or none. They are written beside their places first, so
/// that a full disk leaves none of them; who ends this between two of the last steps finds whole files,
/// and may ask again.
///
/// # Errors
/// Every mistake at once; `already_exists` for files that are there.
pub fn profiles(team: &Path, files: &[PathBuf], wanted: Wanted<'_>) -> Result<Vec<Made>, Error> {
    let mut made = BTreeMap::new();
    let mut mistakes = Vec::new();
    for file in files {
        let shown = file.strip_prefix(team).unwrap_or(file).display().to_string();
        match one(file, &shown, wanted) {
            Ok(imported) => {
                let name = imported.name.clone();
                if let Some((_, other)) = made.insert(name.clone(), (imported, shown.clone())) {
                    mistakes.push(format!("{shown}: `{name}` is the name of {other} too"));
                }
            }
            Err(why) => mistakes.push(format!("{shown}: {why}")),
        }
    }
    if !mistakes.is_empty() {
        return Err(Error::new(Code::Usage, mistakes.join("\n")).hint("nothing was written"));
    }
    let folder = team.join(PROFILES_FOLDER);
    let taken: Vec<_> = made
        .keys()
        .filter(|name| file_of(&folder, name).exists())
        .map(String::as_str)
        .collect();
    if !taken.is_empty() && !wanted.force {
        let message = format!("there are profiles already: {}", taken.join(", "));
        return Err(
            Error::new(Code::AlreadyExists, message).hint("--force replaces them; nothing was written")
        );
    }
    if !wanted.dry_run {
        write(&folder, made.values().map(|(imported, _)| imported))?;
    }
    let told = |(imported, from): (Imported, String)| Made {
        file: format!("{PROFILES_FOLDER}/{}.toml", imported.name),
        name: imported.name,
        tier: imported.tier.name().to_owned(),
        from,
        notes: imported.notes,
    };
    Ok(made.into_values().map(told).collect())
}

fn one(file: &Path, shown: &str, wanted: Wanted<'_>) -> Result<Imported, String> {
    let limit = u64::try_from(LENGTH).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let read = fs::File::open(file).and_then(|file| file.take(limit).read_to_string(&mut text));
    read.map_err(|error| error.to_string())?;
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy())
        .unwrap_or_default();
    let name = wanted.name.unwrap_or(&stem);
    let mut imported = import(name, &text, wanted.driver, shown).map_err(|error| error.to_string())?;
    if let Some(name) = wanted.name {
        // Whoever names it means that, whatever the file says.
        imported.name = slug(name).map_err(|error| error.to_string())?;
    }
    Ok(imported)
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.toml"))
}

fn write<'a>(folder: &Path, made: impl Iterator<Item = &'a Imported>) -> Result<(), Error> {
    let failed = |path: &Path, error: std::io::Error| {
        Error::new(
            Code::Failed,
            format!("cannot write `{}`: {error}", path.display()),
        )
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut halves = Halves(Vec::new());
    for imported in made {
        let path = file_of(folder, &imported.name);
        // No profile has a name that begins so, and none is read that ends so.
        let half = folder.join(format!(".{}.toml.new", imported.name));
        halves.0.push((half.clone(), path));
        written(&half, &imported.toml).map_err(|error| failed(&half, error))?;
    }
    while let Some((half, path)) = halves.0.last() {
        fs::rename(half, path).map_err(|error| failed(path, error))?;
        halves.0.pop();
    }
    Ok(())
}

fn written(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Files that are not in their places yet, and where those are. What never gets there is removed.
struct Halves(Vec<(PathBuf, PathBuf)>);

impl Drop for Halves {
    fn drop(&mut self) {
        for (half, _) in &self.0 {
            // One that could not be made is not there, and what is left over is no profile.
            let _ = fs::remove_file(half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted {
        name: None,
        driver: "claude-code",
        force: true,
        dry_run: false,
    };

    fn definition(team: &Path, name: &str) -> PathBuf {
        let path = team.join(format!("{name}.md"));
        let text = format!("---\nname: {name}\ndescription: Looks.\ntools: Read\n---\nLook at it.\n");
        fs::write(&path, text).unwrap();
        path
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn one_that_cannot_be_written_leaves_none() {
        let team = tempfile::tempdir().unwrap();
        let files = ["one", "two"].map(|name| definition(team.path(), name));
        let folder = team.path().join(PROFILES_FOLDER);
        // What is in the way of the second is found before the first is in its place.
        let in_the_way = folder.join(".two.toml.new");
        fs::create_dir_all(&in_the_way).unwrap();
        profiles(team.path(), &files, WANTED).unwrap_err();
        assert_eq!(names(&folder), [".two.toml.new"]);
        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(profiles(team.path(), &files, WANTED).unwrap().len(), 2);
        assert_eq!(names(&folder), ["one.toml", "two.toml"]);
    }
}
