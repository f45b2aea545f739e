//! Triggers that are added and removed while the daemon runs: each in a file of its own.

use std::{fs, io::ErrorKind, io::Write as _, path::Path};

use serde::{Deserialize, Serialize};
use worknode_core::error::{Code, Error};

use super::{shown_place, unknown};
use crate::config::{
    self, ConfigErrors, LeftOut, Loaded, Pending, Place, Sources, TRIGGERS_FOLDER,
    model::{Config, TriggersFile},
    triggers_file_of,
};

/// Triggers that were added, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AddedView {
    /// Their names.
    pub added: Vec<String>,
    /// The files that hold them.
    pub files: Vec<String>,
    /// Whether nothing was written, because nobody wanted it.
    #[serde(default)]
    pub dry_run: bool,
    /// What is allowed and probably not meant.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A trigger that was removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RemovedView {
    /// Its name.
    pub removed: String,
    /// The file that held it.
    pub file: String,
    /// Whether nothing was removed, because nobody wanted it.
    #[serde(default)]
    pub dry_run: bool,
}

/// Adds the triggers that `text` holds, when they and the whole configuration with them have no
/// mistake. Mistakes are told under `name`.
///
/// # Errors
/// `invalid_config` with every mistake; `usage` for a text without a trigger.
pub fn add(sources: &Sources, name: &str, text: &str, dry_run: bool) -> Result<AddedView, Error> {
    let before = config::load(sources).map_err(before_it)?;
    let mut sources = sources.clone();
    sources.pending.push(Pending {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let loaded = config::load(&sources).map_err(not_added)?;
    let triggers = loaded.config.trigger.get(before.config.trigger.len()..);
    let triggers = triggers.unwrap_or_default();
    if triggers.is_empty() {
        return Err(Error::new(Code::Usage, format!("{name} holds no trigger"))
            .hint("begin it with `[[trigger]]` and give it a name, a schedule and an action"));
    }
    let mut view = AddedView {
        added: triggers.iter().map(|trigger| trigger.name.clone()).collect(),
        files: triggers
            .iter()
            .map(|trigger| triggers_file_of(&trigger.name))
            .collect(),
        dry_run,
        warnings: of_file(&loaded, name),
    };
    if !dry_run {
        let mut written = Vec::new();
        for (trigger, file) in triggers.iter().zip(&view.files) {
            let text = match triggers {
                // As it was written, with what its author says about it.
                [_] => text.to_owned(),
                _ => alone(trigger.clone())?,
            };
            if let Err(error) = write(&sources.dir, file, &text) {
                take_back(&sources.dir, &written);
                return Err(error);
            }
            written.push(file.clone());
        }
    }
    view.warnings.dedup();
    Ok(view)
}

/// Mistakes in what was to be added.
fn not_added(errors: ConfigErrors) -> Error {
    let mut error = Error::from(errors);
    error.message = error.message.replace("nothing was started", "nothing was added");
    error
}

/// Mistakes that were there before: what is to be added cannot be judged with them.
fn before_it(errors: ConfigErrors) -> Error {
    Error::from(errors).hint("the configuration has mistakes without the new trigger; mend them first")
}

fn of_file(loaded: &Loaded, name: &str) -> Vec<String> {
    let is_there = |place: &Place| matches!(place, Place::File { file, .. } if file == name);
    let warnings = loaded.warnings.iter().filter(|warning| is_there(&warning.place));
    warnings.map(ToString::to_string).collect()
}

/// The text of a file with this trigger alone.
fn alone(trigger: worknode_triggers::TriggerSpec) -> Result<String, Error> {
    let file = TriggersFile {
        trigger: vec![trigger],
    };
    toml::to_string(&file)
        .map_err(|error| Error::new(Code::Failed, format!("the trigger cannot be written: {error}")))
}

/// Writes a new file: whole, or not at all.
fn write(dir: &Path, file: &str, text: &str) -> Result<(), Error> {
    let path = dir.join(file);
    let cannot = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Error::new(Code::AlreadyExists, format!("there is a file `{file}` already"))
                .hint("edit that file, or give the trigger another name")
        }
        ErrorKind::StorageFull => Error::new(Code::DiskFull, format!("cannot write `{file}`: {error}")),
        _ => Error::new(Code::Failed, format!("cannot write `{file}`: {error}")),
    };
    fs::create_dir_all(dir.join(TRIGGERS_FOLDER)).map_err(cannot)?;
    if path.exists() {
        return Err(cannot(ErrorKind::AlreadyExists.into()));
    }
    // Whoever watches the folder sees the file when all of it is there.
    let unfinished = path.with_extension("toml.new");
    let mut new = fs::File::create(&unfinished).map_err(cannot)?;
    new.write_all(text.as_bytes())
        .and_then(|()| new.sync_all())
        .and_then(|()| fs::rename(&unfinished, &path))
        .map_err(cannot)
}

fn take_back(dir: &Path, files: &[String]) {
    for file in files {
        if let Err(error) = fs::remove_file(dir.join(file)) {
            tracing::warn!(%error, file, "a trigger that was half added could not be taken back");
        }
    }
}

/// Removes the trigger of this name, when it stands in a file of its own.
///
/// # Errors
/// `not_found`, `refused` when the file holds more than it, and whatever the disk says.
pub fn remove(sources: &Sources, name: &str, dry_run: bool) -> Result<RemovedView, Error> {
    let reread = config::reread(sources);
    let Some(loaded) = reread.loaded else {
        let errors = ConfigErrors {
            mistakes: reread.mistakes,
            left_out: reread.more,
        };
        return Err(before_it(errors));
    };
    let config = &loaded.config;
    let left_out = reread
        .left_out
        .iter()
        .find(|left| left.name.as_deref() == Some(name));
    let file = match (place_of(&loaded, name), left_out) {
        (Some(Place::File { file, .. }), _) => file.clone(),
        (None, Some(left_out)) => left_out.file.clone(),
        (Some(place), _) => return Err(elsewhere(name, place)),
        (None, None) => {
            return Err(unknown(
                name,
                config.trigger.iter().map(|trigger| trigger.name.as_str()),
            ));
        }
    };
    if !file.starts_with(TRIGGERS_FOLDER) {
        let place = place_of(&loaded, name).cloned();
        return Err(elsewhere(
            name,
            &place.unwrap_or(Place::File {
                file,
                line: None,
                column: None,
            }),
        ));
    }
    let others =
        beside(config, &loaded.trigger_places, &file, name) + left_out_beside(&reread.left_out, &file, name);
    if others > 0 {
        let message = format!("`{file}` holds other triggers beside `{name}`");
        return Err(Error::new(Code::Refused, message).hint(format!("take `{name}` out of that file")));
    }
    if !dry_run {
        fs::remove_file(sources.dir.join(&file))
            .map_err(|error| Error::new(Code::Failed, format!("cannot remove `{file}`: {error}")))?;
    }
    Ok(RemovedView {
        removed: name.to_owned(),
        file,
        dry_run,
    })
}

fn elsewhere(name: &str, place: &Place) -> Error {
    let place = shown_place(place);
    Error::new(Code::Refused, format!("trigger `{name}` stands in {place}"))
        .hint("take it out there, or write `enabled = false`; a daemon that runs takes that up")
}

fn place_of<'a>(loaded: &'a Loaded, name: &str) -> Option<&'a Place> {
    let at = loaded
        .config
        .trigger
        .iter()
        .position(|trigger| trigger.name == name)?;
    loaded.trigger_places.get(at)
}

/// How many other triggers stand in this file that were left out because of mistakes.
fn left_out_beside(left_out: &[LeftOut], file: &str, name: &str) -> usize {
    left_out
        .iter()
        .filter(|left| left.file == file && left.name.as_deref() != Some(name))
        .count()
}

/// How many other triggers stand in this file.
fn beside(config: &Config, places: &[Place], file: &str, name: &str) -> usize {
    let pairs = config.trigger.iter().zip(places);
    let others = pairs.filter(|(trigger, place)| {
        trigger.name != name && matches!(place, Place::File { file: other, .. } if other == file)
    });
    others.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: &str = "[[trigger]]\nname = \"own\"\nevery = \"1h\"\nnotify = \"operator\"\n";
    const NEW: &str =
        "# Why: somebody asked.\n[[trigger]]\nname = \"new\"\nevery = \"2h\"\nnotify = \"operator\"\n";

    fn team() -> (tempfile::TempDir, Sources) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("worknode.toml"), TEAM).unwrap();
        let sources = Sources {
            dir: dir.path().to_owned(),
            ..Sources::default()
        };
        (dir, sources)
    }

    #[test]
    fn what_is_added_is_there_as_it_was_written_until_it_is_removed() {
        let (dir, sources) = team();
        assert!(add(&sources, "-", NEW, true).unwrap().dry_run);
        assert!(!dir.path().join(TRIGGERS_FOLDER).exists());
        let added = add(&sources, "-", NEW, false).unwrap();
        assert_eq!(added.added, ["new"]);
        let file = dir.path().join(&added.files[0]);
        assert_eq!(fs::read_to_string(&file).unwrap(), NEW);
        let loaded = config::load(&sources).unwrap();
        assert_eq!(
            shown_place(&loaded.trigger_places[1]),
            ".worknode/triggers/new.toml:2"
        );
        assert_eq!(
            add(&sources, "-", NEW, false).unwrap_err().code,
            Code::InvalidConfig
        );
        remove(&sources, "new", true).unwrap();
        assert!(file.exists());
        remove(&sources, "new", false).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn what_stands_elsewhere_is_not_touched() {
        let (dir, sources) = team();
        let refused = remove(&sources, "own", false).unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (Code::Refused, "trigger `own` stands in worknode.toml:1")
        );
        assert_eq!(remove(&sources, "onw", false).unwrap_err().code, Code::NotFound);
        let two = format!("{NEW}{}", NEW.replace("\"new\"", "\"other\""));
        let added = add(&sources, "two.toml", &two, false).unwrap();
        assert_eq!(added.files.len(), 2, "each for itself");
        fs::write(
            dir.path().join(TRIGGERS_FOLDER).join("both.toml"),
            two.replace("\"new\"", "\"a\"").replace("\"other\"", "\"b\""),
        )
        .unwrap();
        assert_eq!(remove(&sources, "a", false).unwrap_err().code, Code::Refused);
    }

    #[test]
    fn one_with_a_mistake_can_be_removed_too() {
        let (dir, sources) = team();
        let folder = dir.path().join(TRIGGERS_FOLDER);
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("bad.toml"),
            NEW.replace("2h", "2 hours ago").replace("new", "bad"),
        )
        .unwrap();
        assert_eq!(remove(&sources, "bad", false).unwrap().removed, "bad");
        assert!(config::load(&sources).is_ok());
    }

    #[test]
    fn every_mistake_is_told_and_nothing_is_written() {
        let (dir, sources) = team();
        for (text, wanted) in [
            ("", "holds no trigger"),
            (
                "[[trigger]]\nname = \"own\"\nevery = \"1h\"\nnotify = \"operator\"\n",
                "there is another trigger `own`",
            ),
            (
                "[[trigger]]\nname = \"x\"\ncron = \"0 0 30 2 *\"\nnotify = \"nobody\"\n",
                "x.toml:3:1: trigger[0].cron",
            ),
            ("[team]\nname = \"x\"\n", "there is no key `team`"),
            ("[[trigger", "x.toml:1"),
        ] {
            let error = add(&sources, "x.toml", text, false).unwrap_err();
            assert!(error.message.contains(wanted), "{text}: {error:?}");
        }
        assert!(!dir.path().join(TRIGGERS_FOLDER).exists());
    }
}
