//! The forms that foreign events may have, and how older ones become newer ones: what keeps the
//! words of another system out of this one.
//!
//! A type has versions. What comes in an older version is checked as that, and then brought up one
//! version after the other, each with its `upcast` and checked again. An upcast speaks of the
//! version before, which need not be described itself. Without an upcast the data must fit the
//! newer version as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use worknode_core::{bounds::MEMBRANE_PARTS, membrane::EventSchema, membrane::Translation};

use super::{
    compile::Sayer,
    translate::{self, bad_type},
};
use crate::schema::{Schema, in_words};

/// The versions of all types that a membrane knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Versions {
    types: BTreeMap<String, BTreeMap<u32, Version>>,
}

#[derive(Clone, Debug)]
struct Version {
    schema: Schema,
    upcast: Option<Translation>,
}

/// What is wrong with a schema beside its form.
fn check(key: &str, described: &EventSchema, say: &mut Sayer<'_>) {
    if let Some(what) = bad_type(&described.of) {
        say.wrong(format!("{key}.type"), what, None);
    }
    if described.version == 0 {
        say.wrong(format!("{key}.version"), "versions begin at 1", None);
    }
    let upcast = described.upcast.iter();
    for (inner, what) in upcast.flat_map(|upcast| translate::mistakes(upcast, false)) {
        say.wrong(format!("{key}.upcast.{inner}"), what, None);
    }
    if described.version == 1 && described.upcast.is_some() {
        let hint = "nothing is older than version 1".to_owned();
        say.wrong(
            format!("{key}.upcast"),
            "there is nothing to bring up",
            Some(hint),
        );
    }
}

impl Versions {
    pub(super) fn compile(schemas: &[EventSchema], say: &mut Sayer<'_>) -> Self {
        if schemas.len() > MEMBRANE_PARTS {
            say.wrong("schema", format!("at most {MEMBRANE_PARTS} schemas"), None);
        }
        let mut types: BTreeMap<String, BTreeMap<u32, Version>> = BTreeMap::new();
        for (at, described) in schemas.iter().take(MEMBRANE_PARTS).enumerate() {
            let key = format!("schema[{at}]");
            check(&key, described, say);
            let schema = match Schema::compile(&described.schema) {
                Ok(schema) => schema,
                Err(mistakes) => {
                    for mistake in mistakes {
                        say.wrong(format!("{key}.schema"), mistake.to_string(), None);
                    }
                    continue;
                }
            };
            let version = Version {
                schema,
                upcast: described.upcast.clone(),
            };
            let versions = types.entry(described.of.clone()).or_default();
            if versions.insert(described.version, version).is_some() {
                let what = format!(
                    "version {} of `{}` is there twice",
                    described.version, described.of
                );
                say.wrong(format!("{key}.version"), what, None);
            }
        }
        Self { types }
    }

    /// Is anything said about this type?
    pub(super) fn knows(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    /// Checks data of a type, and brings it to the newest version.
    pub(super) fn bring_up(
        &self,
        name: &str,
        version: u32,
        data: Map<String, Value>,
    ) -> Result<(u32, Map<String, Value>), String> {
        let Some(versions) = self.types.get(name) else {
            return Ok((version, data));
        };
        let (mut at, mut data) = (version, Value::Object(data));
        match versions.get(&version) {
            Some(known) => fits(known, name, at, &data)?,
            None => self.can_begin(name, version)?,
        }
        for (next, known) in versions.range(version.saturating_add(1)..) {
            if let Some(upcast) = &known.upcast {
                data = translate::apply(upcast, data)
                    .map_err(|why| format!("`{name}` {at} cannot become version {next}: {why}"))?;
            }
            at = *next;
            fits(known, name, at, &data)?;
        }
        match data {
            Value::Object(data) => Ok((at, data)),
            _ => Err(format!("the data of `{name}` is not a table")),
        }
    }

    /// Checks data of a version that a membrane further in has settled on.
    pub(super) fn agree(&self, name: &str, version: u32, data: &Map<String, Value>) -> Result<(), String> {
        let Some(versions) = self.types.get(name) else {
            return Ok(());
        };
        let Some(known) = versions.get(&version) else {
            return Err(format!("version {version} of `{name}` is not known here"));
        };
        fits(known, name, version, &Value::Object(data.clone()))
    }

    /// A version that is not described can come in when the next one says how it becomes that.
    fn can_begin(&self, name: &str, version: u32) -> Result<(), String> {
        let versions = self.types.get(name).into_iter().flatten();
        let known: Vec<String> = versions.clone().map(|(number, _)| number.to_string()).collect();
        let next = version.saturating_add(1);
        let upcast = versions
            .filter(|(number, _)| **number == next)
            .any(|(_, known)| known.upcast.is_some());
        if version > 0 && upcast {
            return Ok(());
        }
        Err(format!(
            "version {version} of `{name}` is not known; there is {}",
            known.join(", ")
        ))
    }
}

fn fits(known: &Version, name: &str, version: u32, data: &Value) -> Result<(), String> {
    known
        .schema
        .check(data)
        .map_err(|violations| format!("`{name}` is not of version {version}: {}", in_words(&violations)))
}
