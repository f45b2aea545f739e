//! The layers, one over the other.

use std::path::Path as FilePath;

use figment::{Figment, providers::Serialized};

use super::{
    check::placeholder,
    document::{Document, Node, Value, locate},
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
        figment = figment.merge(Serialized::defaults(document.root.to_toml()));
    }
    let figment = required(figment, layers, mistakes);
    match figment.extract::<Config>() {
        Ok(config) => Some(config),
        // The check lets nothing through that cannot be read; if it ever does, this tells it.
        Err(errors) => {
            for error in errors {
                let key = written(&error.path);
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

/// A path as it is told: a number is a place in a list.
fn written(path: &[String]) -> String {
    let mut written = String::new();
    for step in path {
        match step.parse::<usize>() {
            Ok(index) => written.push_str(&format!("[{index}]")),
            Err(_) if written.is_empty() => written.push_str(step),
            Err(_) => {
                written.push('.');
                written.push_str(step);
            }
        }
    }
    written
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

/// Notes required keys that no layer has, and fills them. Those in lists were seen already: a
/// list comes from one layer.
fn required(mut figment: Figment, layers: &mut Layers, mistakes: &mut Mistakes) -> Figment {
    let root = schema(SchemaKind::Config);
    let mut missing = Vec::new();
    let tables: Vec<&Node> = layers.documents.iter().map(|document| &document.root).collect();
    walk(&tables, Schema::root(&root), &mut Path::default(), &mut missing);
    for (path, filler) in missing {
        let key = path.to_string();
        figment = figment.join(Serialized::default(&key, Node { at: 0, value: filler }.to_toml()));
        layers.checker.mended.insert(key.clone());
        let name = key.rsplit('.').next().unwrap_or_default();
        mistakes.add(Mistake {
            place: place(&layers.documents, &path),
            message: format!("`{name}` is missing"),
            hint: None,
            key,
        });
    }
    figment
}

/// Looks at the tables that stand at `path` in the layers, as if they were one.
fn walk(tables: &[&Node], schema: Schema<'_>, path: &mut Path, missing: &mut Vec<(Path, Value)>) {
    let Some(form) = schema.forms().first().copied() else {
        return;
    };
    let inside = |key: &str| -> Vec<&Node> { tables.iter().filter_map(|table| table.get(key)).collect() };
    for key in form.required().filter(|key| inside(key).is_empty()) {
        path.push_key(key);
        missing.push((
            path.clone(),
            form.property(key).map_or(Value::Boolean(true), placeholder),
        ));
        path.pop();
    }
    for (key, schema) in form.properties() {
        let found = inside(key);
        if found.iter().any(|node| matches!(node.value, Value::Table(_))) {
            path.push_key(key);
            walk(&found, schema, path, missing);
            path.pop();
        }
    }
}

/// Where `path` stands; what stands nowhere belongs into the team's file.
pub(super) fn place(documents: &[Document], path: &Path) -> Place {
    locate(documents, path).unwrap_or_else(|| Place::file(CONFIG_FILE))
}
