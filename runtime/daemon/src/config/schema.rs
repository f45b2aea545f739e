//! The JSON Schemas, generated from the types that read the files.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value as Json;
use worknode_policies::plan::Plan;
use worknode_profiles::Profile;

use super::model::{Config, TriggersFile};

/// Which files a schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// `worknode.toml`.
    Config,
    /// `plan.toml`.
    Plan,
    /// `agent-profiles/NAME.toml`.
    Profile,
    /// `.worknode/triggers/NAME.toml`.
    Triggers,
}

/// The JSON Schema of a file, for editors and for [`super::load`] itself.
#[must_use]
pub fn schema(which: SchemaKind) -> Json {
    match which {
        SchemaKind::Config => of::<Config>(),
        SchemaKind::Plan => of::<Plan>(),
        SchemaKind::Profile => of::<Profile>(),
        SchemaKind::Triggers => of::<TriggersFile>(),
    }
}

fn of<T: JsonSchema>() -> Json {
    SchemaGenerator::default().into_root_schema_for::<T>().into()
}

/// A schema and what its references point to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema<'a> {
    root: &'a Json,
    here: &'a Json,
}

impl<'a> Schema<'a> {
    pub(super) const fn root(root: &'a Json) -> Self {
        Self { root, here: root }
    }

    const fn at(self, here: &'a Json) -> Self {
        Self {
            root: self.root,
            here,
        }
    }

    pub(super) fn get(self, keyword: &str) -> Option<&'a Json> {
        self.here.get(keyword)
    }

    pub(super) fn text(self, keyword: &str) -> Option<&'a str> {
        self.get(keyword)?.as_str()
    }

    /// What the references lead to: `#/$defs/NAME`, as schemars writes them. A chain is short.
    fn resolved(self) -> Self {
        let mut schema = self;
        for _ in 0..8 {
            let target = schema
                .text("$ref")
                .and_then(|pointer| self.root.pointer(pointer.strip_prefix('#')?));
            match target {
                Some(target) => schema = self.at(target),
                None => break,
            }
        }
        schema
    }

    /// The forms that a value may have, null left out: a TOML file has no null.
    pub(super) fn forms(self) -> Vec<Self> {
        let schema = self.resolved();
        let choice = schema
            .get("anyOf")
            .or_else(|| schema.get("oneOf"))
            .and_then(Json::as_array);
        match choice {
            Some(choice) => choice.iter().flat_map(|form| schema.at(form).forms()).collect(),
            None if schema.text("type") == Some("null") => Vec::new(),
            None => vec![schema],
        }
    }

    /// Its type; `""` is any.
    pub(super) fn kind(self) -> &'a str {
        match self.get("type") {
            Some(Json::String(kind)) => kind,
            Some(Json::Array(kinds)) => kinds
                .iter()
                .filter_map(Json::as_str)
                .find(|kind| *kind != "null")
                .unwrap_or_default(),
            _ => "",
        }
    }

    /// The words that it allows, when it is a choice of words.
    pub(super) fn words(self) -> Vec<&'a str> {
        match (self.text("const"), self.get("enum").and_then(Json::as_array)) {
            (Some(word), _) => vec![word],
            (None, Some(words)) => words.iter().filter_map(Json::as_str).collect(),
            (None, None) => Vec::new(),
        }
    }

    pub(super) fn items(self) -> Option<Self> {
        self.get("items").map(|items| self.at(items))
    }

    pub(super) fn property(self, key: &str) -> Option<Self> {
        self.get("properties")?.get(key).map(|property| self.at(property))
    }

    /// The schema of keys that are not named, when there may be any.
    pub(super) fn additional(self) -> Option<Self> {
        let additional = self.get("additionalProperties");
        additional
            .filter(|schema| schema.is_object())
            .map(|schema| self.at(schema))
    }

    /// Does it refuse keys that are not named?
    pub(super) fn is_closed(self) -> bool {
        self.get("additionalProperties") == Some(&Json::Bool(false))
    }

    pub(super) fn properties(self) -> impl Iterator<Item = (&'a str, Self)> {
        let properties = self.get("properties").and_then(Json::as_object);
        properties
            .into_iter()
            .flatten()
            .map(move |(key, schema)| (key.as_str(), self.at(schema)))
    }

    pub(super) fn required(self) -> impl Iterator<Item = &'a str> {
        self.get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undescribed(schema: &Json, path: &str, found: &mut Vec<String>) {
        let Json::Object(entries) = schema else {
            if let Json::Array(items) = schema {
                items.iter().for_each(|item| undescribed(item, path, found));
            }
            return;
        };
        for (key, value) in entries {
            if key == "properties" {
                for (name, property) in value.as_object().into_iter().flatten() {
                    if property.get("description").is_none() {
                        found.push(format!("{path}.{name}"));
                    }
                }
            }
            undescribed(value, &format!("{path}.{key}"), found);
        }
    }

    #[test]
    fn every_key_is_described() {
        for which in [
            SchemaKind::Config,
            SchemaKind::Plan,
            SchemaKind::Profile,
            SchemaKind::Triggers,
        ] {
            let mut found = Vec::new();
            undescribed(&schema(which), "", &mut found);
            assert_eq!(found, Vec::<String>::new(), "{which:?}");
        }
    }
}
