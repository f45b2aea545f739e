//! Kinds of Worknodes that the user declares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use worknode_policies::kinds::Upcast;

/// A kind of Worknodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindEntry {
    /// Its name: lower case letters, digits and `_`, a letter first. One of the product's own kinds
    /// gets a schema for its attributes.
    pub name: String,
    /// Version of the schema. Raise it when old attributes need an upcast to be read. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub version: u32,
    /// JSON Schema of the attributes: a table, or the path of a JSON file relative to the directory
    /// of this file. Default: any attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaSource>,
    /// How attributes of older versions are read, one version after the other. Default: as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upcast: Vec<Upcast>,
}

/// Where a schema is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SchemaSource {
    /// In a file.
    File(String),
    /// Here.
    Here(Map<String, Value>),
}

const fn one() -> u32 {
    1
}
