//! One operation on its way into the document.

use std::collections::BTreeMap;

use schemars::{
    JsonSchema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Value, json};

/// The schemas of what clients send and of what they get. The two differ: what has a default need
/// not be sent, and is always there in an answer.
#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) taken: SchemaGenerator,
    pub(super) given: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let of = |contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.contract = contract;
                settings.meta_schema = None;
            });
            settings.into_generator()
        };
        Self {
            taken: of(Contract::Deserialize),
            given: of(Contract::Serialize),
        }
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// One parameter.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) required: bool,
    pub(super) schema: Value,
}

impl Parameter {
    /// As the document has it. What it says stands beside the schema, not in it.
    pub(super) fn read(mut self) -> Value {
        let said = self
            .schema
            .as_object_mut()
            .and_then(|schema| schema.remove("description"));
        let mut parameter = json!({
            "name": self.name, "in": self.place.name(), "required": self.required, "schema": self.schema,
        });
        if let Some(said) = said {
            parameter["description"] = said;
        }
        parameter
    }
}

/// What is taken as a body.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) required: bool,
    pub(super) schema: Value,
}

/// One operation, as far as it is described.
#[derive(Debug)]
pub(in crate::http) struct Draft<'a> {
    pub(super) schemas: &'a mut Schemas,
    /// Names of the parts of the path, in their order.
    pub(super) segments: Vec<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    /// By status: in words, and what comes as which media type.
    pub(super) answers: BTreeMap<u16, Answer>,
    /// Do they carry an `ETag`?
    pub(super) is_tagged: bool,
}

/// What comes back.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) says: String,
    /// By media type.
    pub(super) content: BTreeMap<String, Value>,
}

impl Draft<'_> {
    /// A body of type `T`.
    pub(super) fn takes<T: JsonSchema>(&mut self, required: bool) {
        let schema = self.schemas.taken.subschema_for::<T>().to_value();
        self.body = Some(Body { required, schema });
    }

    /// An answer of type `T`. Of several under one status and media type, any may come.
    pub(super) fn gives<T: JsonSchema>(&mut self, status: u16, media: &str, says: &str) {
        let schema = self.schemas.given.subschema_for::<T>().to_value();
        let answer = self.answers.entry(status).or_default();
        if answer.says.is_empty() {
            says.clone_into(&mut answer.says);
        }
        match answer.content.remove(media) {
            None => answer.content.insert(media.to_owned(), schema),
            Some(mut before) => {
                match before.get_mut("anyOf").and_then(Value::as_array_mut) {
                    Some(choice) => choice.push(schema),
                    None => before = json!({ "anyOf": [before, schema] }),
                }
                answer.content.insert(media.to_owned(), before)
            }
        };
    }

    /// An answer without a body.
    pub(super) fn gives_nothing(&mut self, status: u16, says: &str) {
        let answer = self.answers.entry(status).or_default();
        says.clone_into(&mut answer.says);
    }

    /// Parameters of the query, one for each field of `T`.
    pub(super) fn asks<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(&mut self.schemas.taken).to_value();
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            self.parameters.push(Parameter {
                required: required.contains(&name.as_str()),
                name: name.clone(),
                place: Place::Query,
                schema: without_null(field),
            });
        }
    }

    /// The next part of the path.
    pub(super) fn follows<T: JsonSchema>(&mut self) {
        let known = self
            .parameters
            .iter()
            .filter(|one| one.place == Place::Path)
            .count();
        let Some(name) = self.segments.get(known) else {
            return;
        };
        self.parameters.push(Parameter {
            name: name.clone(),
            place: Place::Path,
            required: true,
            schema: self.schemas.taken.subschema_for::<T>().to_value(),
        });
    }
}

/// A query has no null: what is not said is not there.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let Some(fields) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(Value::Array(kinds)) = fields.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choice)) = fields.get_mut("anyOf") {
        choice.retain(|one| one["type"] != "null");
        if let [only] = choice.as_slice() {
            let only = only.clone();
            fields.remove("anyOf");
            fields.extend(only.as_object().cloned().unwrap_or_default());
        }
    }
    if fields.get("default").is_some_and(Value::is_null) {
        fields.remove("default");
    }
    schema
}
