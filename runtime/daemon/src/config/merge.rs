//! The layers, one over the other.

use std::path::Path as FilePath;

use figment::{Figment, providers::Serialized};
use serde_json::Value as Json;

use super::{
    check::{Checker, PLACEHOLDER},
    document::{Document, locate},
    mistake::{Mistake, Mistakes, Place},
    model::Config,
    path::Path,
    schema::{Schema, SchemaKind, schema},
    sources::{CONFIG_FILE, Layers},
};

/// The name of a team whose directory has none that can be shown.
const NAMELESS: &str = "team";

/// Merges the layers over the built-in defaults: tables are joined, everything else of a higher
/// layer takes the place of the lower.
pub(super) fn merge(layers: &mut Layers, dir: &FilePath, mistakes: &mut Mistakes) -> Option<Config> {
    let mut figment = Figment::from(Serialized::defaults(defaults(dir)));
    for document in &layers.documents {
        figment = figment.merge(Serialized::defaults(document.root.clone().into_toml()));
    }
    let figment = required(figment, layers, mistakes);
    match figment.extract::<Config>() {
        Ok(config) => Some(config),
        // The check lets nothing through that cannot be read; if it ever does, this tells it.
        Err(errors) => {
            for error in errors {
                let key = error.path.join(".");
                let place = place(&layers.documents, &Path::parse(&key));
                let (message, hint) = (error.kind.to_string(), None);
                mistakes.add(Mistake {
                    place,
                    key,
                    message,
                    hint,
                });
            }
            None
        }
    }
}

fn defaults(dir: &FilePath) -> Config {
    let mut config = Config::default();
    let name = dir
        .file_name()
        .map(|name| name.to_string_lossy().trim().to_owned());
    let name = name.filter(|name| super::semantic::bad_team_name(name).is_none());
    config.team.name = Some(name.unwrap_or_else(|| NAMELESS.to_owned()));
    config
}

/// Notes required keys that no layer has. Those in lists were seen already: a list comes from
/// one layer.
fn required(figment: Figment, layers: &mut Layers, mistakes: &mut Mistakes) -> Figment {
    let root = schema(SchemaKind::Config);
    let Ok(merged) = figment.extract::<Json>() else {
        return figment;
    };
    let mut missing = Vec::new();
    walk(&merged, Schema::root(&root), &mut Path::default(), &mut missing);
    let mut figment = figment;
    for (path, is_list) in missing {
        let key = path.to_string();
        let filler = if is_list {
            Json::Array(Vec::new())
        } else {
            PLACEHOLDER.into()
        };
        figment = figment.join(Serialized::default(&key, filler));
        note(&mut layers.checker, &layers.documents, path, mistakes);
    }
    figment
}

fn note(checker: &mut Checker, documents: &[Document], path: Path, mistakes: &mut Mistakes) {
    let key = path.to_string();
    checker.mended.insert(key.clone());
    let name = key.rsplit('.').next().unwrap_or_default();
    mistakes.add(Mistake {
        place: place(documents, &path),
        message: format!("`{name}` is missing"),
        hint: None,
        key,
    });
}

fn walk(value: &Json, schema: Schema<'_>, path: &mut Path, missing: &mut Vec<(Path, bool)>) {
    let (Some(entries), Some(form)) = (value.as_object(), schema.forms().first().copied()) else {
        return;
    };
    for key in form.required().filter(|key| !entries.contains_key(*key)) {
        let is_list = form
            .property(key)
            .is_some_and(|property| property.kind() == "array");
        path.push_key(key);
        missing.push((path.clone(), is_list));
        path.pop();
    }
    for (key, schema) in form.properties() {
        if let Some(value) = entries.get(key) {
            path.push_key(key);
            walk(value, schema, path, missing);
            path.pop();
        }
    }
}

/// Where `path` stands; what stands nowhere belongs into the team's file.
pub(super) fn place(documents: &[Document], path: &Path) -> Place {
    locate(documents, path).unwrap_or_else(|| Place::file(CONFIG_FILE))
}
