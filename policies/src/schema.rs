//! JSON Schema for what people declare themselves: kinds of Worknodes, and foreign events.
//!
//! Written out here, because the libraries bring thirty crates for the corners of a standard whose
//! middle is small. What is understood, of draft 2020-12:
//!
//! | on | keywords |
//! |---|---|
//! | anything | `type`, `enum`, `const`, `allOf`, `anyOf`, `oneOf`, `not`, `if`/`then`/`else`, `$ref` |
//! | objects | `properties`, `patternProperties`, `additionalProperties`, `propertyNames`, `required`, `dependentRequired`, `minProperties`, `maxProperties` |
//! | lists | `items`, `prefixItems`, `contains`, `minItems`, `maxItems`, `uniqueItems` |
//! | texts | `minLength`, `maxLength`, `pattern` |
//! | numbers | `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf` |
//! | nothing | `title`, `description`, `default`, `examples`, `format` and the like only describe |
//!
//! `$ref` names `#` or `#/$defs/NAME` of the same schema; nothing is ever fetched or read from a
//! file. A keyword that is not in the table is a mistake, not ignored: a check that silently does
//! not happen is worse than none. Patterns are those of the crate `regex`, which takes time in
//! proportion to the text; they have no look-around and no back-references.
//!
//! Everything is bounded: a schema in bytes, parts, depth and patterns, a check in steps. A value
//! that takes more steps is refused.

use std::{collections::BTreeMap, fmt};

use regex::Regex;
use serde_json::Value;

mod check;
mod compile;

/// Bytes of a schema, written as JSON.
pub const BYTES: usize = 64 * 1024;
/// Schemas within a schema, itself included.
pub const PARTS: usize = 2_048;
/// How deep they nest.
pub const DEPTH: usize = 32;
/// Patterns in a schema.
pub const PATTERNS: usize = 64;
/// What checking one value may cost, in comparisons.
pub const STEPS: usize = 200_000;
/// Violations that are told of one value, and mistakes of one schema.
pub const TOLD: usize = 20;

/// A schema, checked and ready to check values. Build it once, where the schema comes from.
#[derive(Clone, Debug)]
pub struct Schema {
    root: Part,
    definitions: BTreeMap<String, Part>,
}

/// Something in a value that its schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where, as in `user.tags[3]`; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}` {}", self.path, self.message)
        }
    }
}

/// Something in a schema that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaMistake {
    /// Where, as in `properties.name.minLength`; empty for the schema itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SchemaMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.path, self.message)
        }
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// Every mistake in it, at most [`TOLD`].
    pub fn compile(schema: &Value) -> Result<Self, Vec<SchemaMistake>> {
        compile::compile(schema)
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What it violates, at most [`TOLD`], in the order of the schema.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Violation>> {
        check::check(self, value)
    }
}

/// Checks one value against one schema. Who checks many keeps a [`Schema`].
///
/// # Errors
/// What the value violates; when the schema itself is wrong, that.
pub fn validate(schema: &Value, value: &Value) -> Result<(), Vec<Violation>> {
    let schema = Schema::compile(schema).map_err(|mistakes| {
        let told = |mistake: SchemaMistake| Violation {
            path: String::new(),
            message: format!("cannot be checked: the schema is wrong: {mistake}"),
        };
        mistakes.into_iter().map(told).collect::<Vec<_>>()
    })?;
    schema.check(value)
}

/// Violations as one sentence.
#[must_use]
pub fn in_words(violations: &[Violation]) -> String {
    let all: Vec<String> = violations.iter().map(Violation::to_string).collect();
    all.join("; ")
}

/// A schema within a schema: all of its rules must hold. None at all is what allows anything.
#[derive(Clone, Debug)]
enum Part {
    Never,
    All(Vec<Rule>),
}

/// The types that JSON Schema tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Type {
    const ALL: [(&str, Self); 7] = [
        ("null", Self::Null),
        ("boolean", Self::Boolean),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("string", Self::String),
        ("array", Self::Array),
        ("object", Self::Object),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, it)| *it)
    }

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, it)| *it == self)
            .map_or("", |(name, _)| *name)
    }
}

/// A bound of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

impl Bound {
    /// Does the value keep to the limit, and what is the bound called in words?
    fn judge(self, value: f64, limit: f64) -> (bool, &'static str) {
        match self {
            Self::Minimum => (value >= limit, "at least"),
            Self::Maximum => (value <= limit, "at most"),
            Self::ExclusiveMinimum => (value > limit, "above"),
            Self::ExclusiveMaximum => (value < limit, "below"),
        }
    }
}

/// One rule. Each is about one type of value and holds for all others.
#[derive(Clone, Debug)]
enum Rule {
    Types(Vec<Type>),
    Among(Vec<Value>),
    AllOf(Vec<Part>),
    AnyOf(Vec<Part>),
    OneOf(Vec<Part>),
    Not(Box<Part>),
    If {
        condition: Box<Part>,
        then: Option<Box<Part>>,
        otherwise: Option<Box<Part>>,
    },
    /// A definition of the same schema; `None` is the schema itself.
    Reference(Option<String>),
    Properties {
        named: BTreeMap<String, Part>,
        patterned: Vec<(Regex, Part)>,
        others: Option<Box<Part>>,
    },
    PropertyNames(Box<Part>),
    Required(Vec<String>),
    DependentRequired(BTreeMap<String, Vec<String>>),
    /// How many entries an object has, from and to.
    Size(usize, usize),
    Items {
        first: Vec<Part>,
        rest: Option<Box<Part>>,
    },
    Contains(Box<Part>),
    /// How many items a list has, from and to.
    Count(usize, usize),
    Unique,
    /// How many characters a text has, from and to.
    Length(usize, usize),
    Pattern(Regex),
    Limit(Bound, f64),
    MultipleOf(f64),
}

#[cfg(test)]
mod tests;
