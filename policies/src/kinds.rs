//! What a Worknode of some kind may carry: the kinds that the configuration declares, each with a
//! schema for its attributes and a version of that schema.
//!
//! Attributes are checked when they are written, in the version that is current. What was written
//! in an older one is read through the upcasts, one version after the other, and stays as it is
//! until somebody changes it; then all of it is written in the current version. What a newer
//! version wrote is shown as it is and not changed.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use worknode_core::{
    error::{Code, Error},
    kind::Kind,
    membrane::{Convert, Translation},
    node::Node,
};

use crate::{
    names,
    schema::{Schema, in_words},
};

mod engine;
#[cfg(test)]
mod tests;

/// Kinds that a configuration declares at the most.
pub const KINDS: usize = 256;
/// Upcasts of one kind at the most.
pub const UPCASTS: usize = 64;

/// The attributes of a Worknode.
pub type Attributes = BTreeMap<String, Value>;

/// A kind of Worknodes, as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct KindSpec {
    /// Its name: lower case letters, digits and `_`. One of the product's own gets a schema.
    pub name: String,
    /// Version of the schema, from 1.
    pub version: u32,
    /// JSON Schema of the attributes; anything goes without one.
    pub schema: Option<Value>,
    /// How attributes of older versions are read.
    pub upcast: Vec<Upcast>,
}

/// How attributes of one version become those of the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Upcast {
    /// The version that it reads; what comes out is of the next one.
    #[schemars(range(min = 1))]
    pub from: u32,
    /// New path of each path. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Only these paths stay. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Vec<String>>,
    /// These paths go. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Values at a path that become others: path, then old value as text, then new value.
    /// Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, BTreeMap<String, Value>>,
    /// Paths that get a value of their own. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub constant: BTreeMap<String, Value>,
    /// Paths whose values get another type. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub convert: BTreeMap<String, Convert>,
}

impl Upcast {
    fn translation(&self) -> Translation {
        Translation {
            rename: self.rename.clone(),
            keep: self.keep.clone(),
            drop: self.drop.clone(),
            map: self.map.clone(),
            constant: self.constant.clone(),
            convert: self.convert.clone(),
            ..Translation::default()
        }
    }
}

/// Something wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindMistake {
    /// Which declaration, from 0.
    pub at: usize,
    /// Where in it, as in `upcast[0].from`.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

/// The kinds that are declared.
#[derive(Clone, Debug, Default)]
pub struct Kinds(BTreeMap<Kind, Declared>);

#[derive(Clone, Debug)]
struct Declared {
    version: u32,
    schema: Option<Schema>,
    upcasts: BTreeMap<u32, Translation>,
}

impl Kinds {
    /// Takes the declarations, and finds all that is wrong with them.
    ///
    /// # Errors
    /// Every mistake.
    pub fn declare(specs: &[KindSpec]) -> Result<Self, Vec<KindMistake>> {
        let (mut kinds, mut mistakes) = (Self::default(), Vec::new());
        for (at, spec) in specs.iter().enumerate() {
            let mut wrong = |key: &str, message: String| {
                mistakes.push(KindMistake {
                    at,
                    key: key.to_owned(),
                    message,
                });
            };
            if at >= KINDS {
                wrong("", format!("more than {KINDS} kinds are declared"));
                break;
            }
            let declared = Declared::new(spec, &mut wrong);
            match spec.name.parse::<Kind>() {
                Err(error) => wrong("name", error.to_string()),
                Ok(kind) if kinds.0.contains_key(&kind) => {
                    wrong("name", format!("the kind `{kind}` is declared twice"));
                }
                Ok(kind) => _ = kinds.0.insert(kind, declared),
            }
        }
        if mistakes.is_empty() {
            Ok(kinds)
        } else {
            Err(mistakes)
        }
    }

    /// The kinds of the user's own that are declared, by name.
    pub fn own(&self) -> impl Iterator<Item = &Kind> {
        self.0.keys().filter(|kind| matches!(kind, Kind::Other(_)))
    }

    /// The version in which attributes of this kind are written; 0 where nothing is declared.
    #[must_use]
    pub fn version(&self, kind: &Kind) -> u32 {
        self.0.get(kind).map_or(0, |declared| declared.version)
    }

    /// Is this a kind of which there can be Worknodes?
    ///
    /// # Errors
    /// `usage`, naming the kind that was probably meant.
    pub fn check_known(&self, kind: &Kind) -> Result<(), Error> {
        if !matches!(kind, Kind::Other(_)) || self.0.contains_key(kind) {
            return Ok(());
        }
        let known: Vec<&str> = Kind::OWN.iter().chain(self.own()).map(Kind::name).collect();
        let hint = match names::nearest(kind.name(), known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "there are: {}; `[[kind]]` in worknode.toml declares others",
                known.join(", ")
            ),
        };
        Err(Error::new(Code::Usage, format!("there is no kind `{kind}`")).hint(hint))
    }

    /// Checks the attributes of a Worknode that is to be made, and says of which version they are.
    ///
    /// # Errors
    /// `usage`, with all that its schema does not allow.
    pub fn check_new(&self, kind: &Kind, attributes: &Attributes) -> Result<u32, Error> {
        self.check_known(kind)?;
        let Some(declared) = self.0.get(kind) else {
            return Ok(0);
        };
        declared.check(kind, attributes)?;
        Ok(declared.version)
    }

    /// The attributes of `node`, as its kind means them now, and of which version they then are.
    ///
    /// # Errors
    /// `failed` when an upcast does not fit what is stored.
    pub fn read(&self, node: &Node) -> Result<(Attributes, u32), Error> {
        let stored = stored(node);
        let (kind, version) = (&node.kind, node.body.version);
        let Some(declared) = self.0.get(kind).filter(|declared| version < declared.version) else {
            return Ok((stored, version));
        };
        let mut value = Value::Object(stored.into_iter().collect());
        for (from, upcast) in declared.upcasts.range(version..declared.version) {
            value = engine::apply(upcast, value).map_err(|why| {
                let message = format!(
                    "the attributes of `{}` cannot be read: from version {from} of `{kind}` to the next: {why}",
                    node.name
                );
                Error::new(Code::Failed, message).hint("mend `kind.upcast` in worknode.toml")
            })?;
        }
        match value {
            Value::Object(attributes) => Ok((attributes.into_iter().collect(), declared.version)),
            _ => Err(Error::new(
                Code::Failed,
                format!("an upcast of `{kind}` leaves no attributes"),
            )),
        }
    }

    /// What is to be written so that `node` has `changes`: beside them, all that the current
    /// version says otherwise than the stored one. Says of which version it is.
    ///
    /// # Errors
    /// `usage`, with all that the schema would not allow of the outcome.
    pub fn change(&self, node: &Node, changes: &Attributes) -> Result<(Attributes, u32), Error> {
        let version = self.version(&node.kind);
        if version < node.body.version {
            // Who decides refuses it: a newer version wrote it.
            return Ok((changes.clone(), version));
        }
        let (mut wanted, _) = self.read(node)?;
        for (name, value) in changes {
            if value.is_null() {
                wanted.remove(name);
            } else {
                wanted.insert(name.clone(), value.clone());
            }
        }
        if let Some(declared) = self.0.get(&node.kind) {
            declared.check(&node.kind, &wanted)?;
        }
        let stored = stored(node);
        let names: BTreeSet<&String> = stored.keys().chain(wanted.keys()).collect();
        let differing = names
            .into_iter()
            .filter(|name| stored.get(*name) != wanted.get(*name));
        let written = differing.map(|name| {
            let value = wanted.get(name).cloned().unwrap_or(Value::Null);
            (name.clone(), value)
        });
        Ok((written.collect(), version))
    }
}

fn stored(node: &Node) -> Attributes {
    let attributes = node.body.attributes.iter();
    attributes
        .map(|(name, value)| (name.clone(), value.0.clone()))
        .collect()
}

/// How attributes of older versions become newer ones, by the version they come from.
fn upcasts(spec: &KindSpec, wrong: &mut impl FnMut(&str, String)) -> BTreeMap<u32, Translation> {
    if spec.upcast.len() > UPCASTS {
        wrong("upcast", format!("more than {UPCASTS} upcasts"));
    }
    let mut upcasts = BTreeMap::new();
    for (at, upcast) in spec.upcast.iter().take(UPCASTS).enumerate() {
        let key = format!("upcast[{at}].from");
        if upcast.from == 0 || upcast.from >= spec.version {
            let message = format!("version {} is not before version {}", upcast.from, spec.version);
            wrong(&key, message);
        }
        if upcasts.insert(upcast.from, upcast.translation()).is_some() {
            wrong(
                &key,
                format!("there is another upcast from version {}", upcast.from),
            );
        }
    }
    upcasts
}

impl Declared {
    fn new(spec: &KindSpec, wrong: &mut impl FnMut(&str, String)) -> Self {
        if spec.version == 0 {
            wrong("version", "versions begin with 1".to_owned());
        }
        let upcasts = upcasts(spec, wrong);
        let schema = spec.schema.as_ref().map(Schema::compile).transpose();
        let schema = schema.unwrap_or_else(|mistakes| {
            for mistake in mistakes {
                let key = match mistake.path.as_str() {
                    "" => "schema".to_owned(),
                    path => format!("schema.{path}"),
                };
                wrong(&key, mistake.message);
            }
            None
        });
        Self {
            version: spec.version,
            schema,
            upcasts,
        }
    }

    fn check(&self, kind: &Kind, attributes: &Attributes) -> Result<(), Error> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let there = attributes.iter().filter(|(_, value)| !value.is_null());
        let value = Value::Object(there.map(|(name, value)| (name.clone(), value.clone())).collect());
        schema.check(&value).map_err(|violations| {
            let message = format!("these are no attributes of a `{kind}`: {}", in_words(&violations));
            Error::new(Code::Usage, message).hint(format!(
                "its schema (version {}) is in worknode.toml",
                self.version
            ))
        })
    }
}
