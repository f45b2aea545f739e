//! Triggers in files of their own, beside those of `worknode.toml`: what is added while the daemon
//! runs. They come after the others, file by file in the order of their names.

use std::{collections::BTreeSet, path::Path as FilePath};

use worknode_core::bounds;

use super::{
    document::locate,
    leave_out::{LeaveOut, LeftOut},
    mistake::{Mistake, Mistakes, Place},
    model::{Config, TriggersFile},
    path::{Path, Step},
    schema::{Schema, SchemaKind, schema},
    sources::{self, CONFIG_FILE, Layers, Sources},
};

/// Where the files are, beside `worknode.toml`.
pub const TRIGGERS_FOLDER: &str = ".worknode/triggers";

/// The name of the file that a trigger of this name is added in.
#[must_use]
pub fn file_of(trigger: &str) -> String {
    format!("{TRIGGERS_FOLDER}/{trigger}.toml")
}

/// Is this file one of them?
pub(super) fn is_included(file: &str) -> bool {
    file.starts_with(TRIGGERS_FOLDER)
}

/// The files, and where their triggers are in the list of all.
#[derive(Debug, Default)]
pub(super) struct Included {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    layers: Layers,
    /// Where the first of its triggers is in the list of all.
    first: usize,
    count: usize,
}

impl Included {
    /// Reads the files, and those that are about to be there.
    pub(super) fn read(sources: &Sources, leave_out: &LeaveOut, mistakes: &mut Mistakes) -> Self {
        let form = schema(SchemaKind::Triggers);
        let form = Schema::root(&form);
        let mut parts = Vec::new();
        let mut take = |name: String, layers| {
            parts.push(Part {
                name,
                layers,
                first: 0,
                count: 0,
            });
        };
        for name in files(&sources.dir, mistakes) {
            if leave_out.has_file(&name) {
                let left_out = LeftOut {
                    file: name.clone(),
                    name: None,
                };
                let layers = Layers {
                    readable: true,
                    left_out: vec![left_out],
                    ..Layers::default()
                };
                take(name, layers);
                continue;
            }
            let layers = sources::read_file(&sources.dir.join(&name), &name, form, leave_out, mistakes);
            take(name, layers);
        }
        for pending in &sources.pending {
            let layers = sources::read_text(pending, form, leave_out, mistakes);
            take(pending.name.clone(), layers);
        }
        Self { parts }
    }

    /// Could all of them be taken apart?
    pub(super) fn readable(&self) -> bool {
        self.parts.iter().all(|part| part.layers.readable)
    }

    /// What was not read of them.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &LeftOut> {
        self.parts.iter().flat_map(|part| &part.layers.left_out)
    }

    /// Adds their triggers to those that are there already, and the keys that were mended in them to
    /// `mended`.
    pub(super) fn join(
        &mut self,
        config: &mut Config,
        mended: &mut BTreeSet<String>,
        mistakes: &mut Mistakes,
    ) {
        for part in &mut self.parts {
            part.first = config.trigger.len();
            for document in &part.layers.documents {
                match document.root.to_toml().try_into::<TriggersFile>() {
                    Ok(file) => config.trigger.extend(file.trigger),
                    // The check lets nothing through that cannot be read; if it ever does, this
                    // tells it.
                    Err(error) => mistakes.about_file(&part.name, error.to_string(), None),
                }
            }
            part.count = config.trigger.len() - part.first;
            let keys = part.layers.checker.mended.iter();
            mended.extend(keys.map(|key| moved(&Path::parse(key), |at| at + part.first).to_string()));
        }
    }

    /// A mistake at this place in the list of all, told as it stands in its file; nothing when it is
    /// not one of these.
    pub(super) fn placed(&self, path: &Path) -> Option<(Place, String)> {
        let [Step::Key(key), Step::Index(at), ..] = path.0.as_slice() else {
            return None;
        };
        let part = self.part(*at).filter(|_| key == "trigger")?;
        let own = moved(path, |at| at - part.first);
        let place = locate(&part.layers.documents, &own).unwrap_or_else(|| Place::file(part.name.as_str()));
        Some((place, own.to_string()))
    }

    /// What a trigger is called that stands at this place in the list of all.
    pub(super) fn called(&self, at: usize) -> String {
        match self.part(at) {
            Some(part) => format!("trigger[{}] of {}", at - part.first, part.name),
            None if self.parts.is_empty() => format!("trigger[{at}]"),
            None => format!("trigger[{at}] of {CONFIG_FILE}"),
        }
    }

    fn part(&self, at: usize) -> Option<&Part> {
        let holds = |part: &&Part| (part.first..part.first + part.count).contains(&at);
        self.parts.iter().find(holds)
    }
}

/// The same path with another place in the list of triggers.
fn moved(path: &Path, to: impl Fn(usize) -> usize) -> Path {
    let mut moved = path.clone();
    if let [Step::Key(key), Step::Index(at), ..] = moved.0.as_mut_slice()
        && key == "trigger"
    {
        *at = to(*at);
    }
    moved
}

/// Names of the files, relative to `dir`, in order.
fn files(dir: &FilePath, mistakes: &mut Mistakes) -> Vec<String> {
    let entries = match dir.join(TRIGGERS_FOLDER).read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            let message = format!("the folder cannot be read: {error}");
            mistakes.about_file(TRIGGERS_FOLDER, message, None);
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = match entry {
            Ok(entry) => entry.file_name().to_string_lossy().into_owned(),
            Err(error) => {
                let message = format!("the folder cannot be read: {error}");
                mistakes.about_file(TRIGGERS_FOLDER, message, None);
                break;
            }
        };
        if is_of_triggers(&name) {
            names.push(format!("{TRIGGERS_FOLDER}/{name}"));
        }
        if names.len() > bounds::TRIGGERS {
            let message = format!("more than {} files", bounds::TRIGGERS);
            mistakes.add(Mistake {
                place: Place::file(TRIGGERS_FOLDER),
                key: String::new(),
                message,
                hint: Some("put several triggers into one file".to_owned()),
            });
            break;
        }
    }
    names.sort();
    names
}

/// What editors put beside a file has another ending, or is hidden.
fn is_of_triggers(name: &str) -> bool {
    name.ends_with(".toml") && !name.starts_with('.')
}
