//! The kinds that the configuration declares, and the schemas that they name.

use serde_json::Value;
use worknode_policies::kinds::{KindSpec, Kinds};

use super::{Problems, World};
use crate::config::{
    file,
    model::{Config, KindEntry, SchemaSource},
    path::shown,
};

/// Checks all kinds.
pub(super) fn declared(config: &Config, world: &World<'_>, problems: &mut Problems) -> Kinds {
    let specs: Vec<KindSpec> = config
        .kind
        .iter()
        .enumerate()
        .map(|(at, entry)| spec(at, entry, world, problems))
        .collect();
    Kinds::declare(&specs).unwrap_or_else(|mistakes| {
        for mistake in mistakes {
            let path = match mistake.key.as_str() {
                "" => "kind".to_owned(),
                key => format!("kind[{}].{key}", mistake.at),
            };
            problems.say(path, mistake.message, None);
        }
        Kinds::default()
    })
}

fn spec(at: usize, entry: &KindEntry, world: &World<'_>, problems: &mut Problems) -> KindSpec {
    let schema = match &entry.schema {
        None => None,
        Some(SchemaSource::Here(schema)) => Some(Value::Object(schema.clone())),
        Some(SchemaSource::File(path)) => match from_file(path, world) {
            Ok(schema) => Some(schema),
            Err(message) => {
                let hint = "the path is relative to the directory of worknode.toml".to_owned();
                problems.say(format!("kind[{at}].schema"), message, Some(hint));
                None
            }
        },
    };
    KindSpec {
        name: entry.name.clone(),
        version: entry.version,
        schema,
        upcast: entry.upcast.clone(),
    }
}

fn from_file(path: &str, world: &World<'_>) -> Result<Value, String> {
    let text = file::read(&world.dir.join(path)).map_err(|error| format!("`{}`: {error}", shown(path)))?;
    serde_json::from_str(&text).map_err(|error| format!("`{}` is not JSON: {error}", shown(path)))
}
