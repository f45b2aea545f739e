//! From JSON to rules, with every mistake at once.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::{BYTES, Bound, DEPTH, PARTS, PATTERNS, Part, Rule, Schema, SchemaMistake, TOLD, Type};
use crate::names::nearest;

/// Bytes of one compiled pattern.
const PATTERN: usize = 256 * 1024;

/// Keywords that mean something here.
const KNOWN: [&str; 33] = [
    "type",
    "enum",
    "const",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "$ref",
    "$defs",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "required",
    "dependentRequired",
    "minProperties",
    "maxProperties",
    "items",
    "prefixItems",
    "contains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
];

/// Keywords that only describe, and the one that does not fit into the list above.
const DESCRIBING: [&str; 15] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentMediaType",
    "contentEncoding",
    "multipleOf",
];

pub(super) fn compile(schema: &Value) -> Result<Schema, Vec<SchemaMistake>> {
    let mut compiler = Compiler::default();
    if schema.to_string().len() > BYTES {
        compiler.say(format!("is larger than {BYTES} bytes"));
        return Err(compiler.mistakes);
    }
    let mut definitions = BTreeMap::new();
    if let Some(Value::Object(named)) = schema.get("$defs") {
        for (name, part) in named {
            let part = compiler.at(&["$defs", name], |inner| inner.part(part));
            definitions.insert(name.clone(), part);
        }
    }
    compiler.definitions = definitions.keys().cloned().collect();
    let root = compiler.part(schema);
    let unknown: Vec<(String, String)> = std::mem::take(&mut compiler.references)
        .into_iter()
        .filter(|(_, name)| !definitions.contains_key(name))
        .collect();
    for (path, name) in unknown {
        compiler.path = vec![path];
        compiler.say(format!("there is no definition `{name}`"));
    }
    if compiler.mistakes.is_empty() {
        Ok(Schema { root, definitions })
    } else {
        Err(compiler.mistakes)
    }
}

#[derive(Default)]
struct Compiler {
    path: Vec<String>,
    mistakes: Vec<SchemaMistake>,
    definitions: Vec<String>,
    /// Where each definition is named.
    references: Vec<(String, String)>,
    parts: usize,
    patterns: usize,
}

impl Compiler {
    fn say(&mut self, message: impl Into<String>) {
        if self.mistakes.len() < TOLD {
            self.mistakes.push(SchemaMistake {
                path: self.path.join("."),
                message: message.into(),
            });
        }
    }

    fn at<T>(&mut self, steps: &[&str], inner: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.path.len();
        self.path.extend(steps.iter().map(|step| (*step).to_owned()));
        let found = inner(self);
        self.path.truncate(before);
        found
    }

    fn part(&mut self, schema: &Value) -> Part {
        self.parts += 1;
        if self.parts == PARTS + 1 {
            self.say(format!("there are more than {PARTS} schemas in it"));
        }
        // A step of the path is one or two levels of schemas.
        if self.path.len() > 2 * DEPTH {
            self.say(format!("nests deeper than {DEPTH} schemas"));
        }
        if self.parts > PARTS || self.path.len() > 2 * DEPTH {
            return Part::Never;
        }
        match schema {
            Value::Bool(true) => Part::All(Vec::new()),
            Value::Bool(false) => Part::Never,
            Value::Object(keywords) => self.keywords(keywords),
            other => {
                self.say(format!("is {}, not a schema", super::check::kind_of(other)));
                Part::Never
            }
        }
    }

    fn keywords(&mut self, all: &Map<String, Value>) -> Part {
        let mut rules = Vec::new();
        for (keyword, value) in all {
            if let Some(rule) = self.at(&[keyword], |inner| inner.keyword(keyword, value)) {
                rules.push(rule);
            }
        }
        rules.extend(self.properties(all));
        rules.extend(self.items(all));
        rules.extend(self.choice(all));
        rules.extend(self.range(all, "minProperties", "maxProperties", Rule::Size));
        rules.extend(self.range(all, "minItems", "maxItems", Rule::Count));
        rules.extend(self.range(all, "minLength", "maxLength", Rule::Length));
        Part::All(rules)
    }

    /// The rule of a keyword that stands for itself. Those that belong together come later.
    fn keyword(&mut self, keyword: &str, value: &Value) -> Option<Rule> {
        Some(match keyword {
            "type" => Rule::Types(self.types(value)),
            "enum" => Rule::Among(self.list(value)?.clone()),
            "const" => Rule::Among(vec![value.clone()]),
            "allOf" => Rule::AllOf(self.parts_of(value)),
            "anyOf" => Rule::AnyOf(self.parts_of(value)),
            "oneOf" => Rule::OneOf(self.parts_of(value)),
            "not" => Rule::Not(Box::new(self.part(value))),
            "$ref" => return self.reference(value),
            "propertyNames" => Rule::PropertyNames(Box::new(self.part(value))),
            "required" => Rule::Required(self.texts(value)),
            "dependentRequired" => Rule::DependentRequired(self.dependent(value)),
            "contains" => Rule::Contains(Box::new(self.part(value))),
            "uniqueItems" => return self.flag(value).then_some(Rule::Unique),
            "pattern" => Rule::Pattern(self.pattern(value)?),
            "minimum" => Rule::Limit(Bound::Minimum, self.number(value)?),
            "maximum" => Rule::Limit(Bound::Maximum, self.number(value)?),
            "exclusiveMinimum" => Rule::Limit(Bound::ExclusiveMinimum, self.number(value)?),
            "exclusiveMaximum" => Rule::Limit(Bound::ExclusiveMaximum, self.number(value)?),
            "multipleOf" => Rule::MultipleOf(self.number(value).filter(|n| *n > 0.0).or_else(|| {
                self.say("must be above 0");
                None
            })?),
            known if KNOWN.contains(&known) || DESCRIBING.contains(&known) || known.starts_with("x-") => {
                return None;
            }
            unknown => {
                let near = nearest(unknown, KNOWN)
                    .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
                self.say(format!("this keyword is not understood{near}"));
                return None;
            }
        })
    }

    fn properties(&mut self, all: &Map<String, Value>) -> Option<Rule> {
        let keys = ["properties", "patternProperties", "additionalProperties"];
        if !keys.iter().any(|key| all.contains_key(*key)) {
            return None;
        }
        let mut named = BTreeMap::new();
        for (name, schema) in self.table(all, "properties") {
            let part = self.at(&["properties", name], |inner| inner.part(schema));
            named.insert(name.clone(), part);
        }
        let mut patterned = Vec::new();
        for (pattern, schema) in self.table(all, "patternProperties") {
            self.at(&["patternProperties", pattern], |inner| {
                let part = inner.part(schema);
                let pattern = inner.pattern(&Value::String(pattern.clone()));
                patterned.extend(pattern.map(|pattern| (pattern, part)));
            });
        }
        let others = all.get("additionalProperties");
        let others = others.map(|schema| self.at(&["additionalProperties"], |inner| inner.part(schema)));
        Some(Rule::Properties {
            named,
            patterned,
            others: others.map(Box::new),
        })
    }

    fn items(&mut self, all: &Map<String, Value>) -> Option<Rule> {
        let (first, rest) = (all.get("prefixItems"), all.get("items"));
        if first.is_none() && rest.is_none() {
            return None;
        }
        let first = first.map(|list| self.at(&["prefixItems"], |inner| inner.parts_of(list)));
        let rest = rest.map(|schema| self.at(&["items"], |inner| inner.part(schema)));
        Some(Rule::Items {
            first: first.unwrap_or_default(),
            rest: rest.map(Box::new),
        })
    }

    fn choice(&mut self, all: &Map<String, Value>) -> Option<Rule> {
        let condition = all.get("if")?;
        let condition = Box::new(self.at(&["if"], |inner| inner.part(condition)));
        let mut branch = |name: &str| {
            let schema = all.get(name)?;
            Some(Box::new(self.at(&[name], |inner| inner.part(schema))))
        };
        Some(Rule::If {
            condition,
            then: branch("then"),
            otherwise: branch("else"),
        })
    }

    fn range(
        &mut self,
        all: &Map<String, Value>,
        from: &str,
        to: &str,
        rule: fn(usize, usize) -> Rule,
    ) -> Option<Rule> {
        let mut count = |key: &str| {
            let value = all.get(key)?;
            let count = value.as_u64().and_then(|n| usize::try_from(n).ok());
            if count.is_none() {
                self.at(&[key], |inner| inner.say("must be a whole number from 0"));
            }
            count
        };
        let (from, to) = (count(from), count(to));
        (from.is_some() || to.is_some()).then(|| rule(from.unwrap_or(0), to.unwrap_or(usize::MAX)))
    }

    fn types(&mut self, value: &Value) -> Vec<Type> {
        let names = match value {
            Value::String(name) => vec![name.clone()],
            other => self.texts(other),
        };
        let mut types = Vec::new();
        for name in names {
            match Type::named(&name) {
                Some(known) => types.push(known),
                None => {
                    let all: Vec<&str> = Type::ALL.iter().map(|(name, _)| *name).collect();
                    self.say(format!("`{name}` is no type; there are {}", all.join(", ")));
                }
            }
        }
        types
    }

    fn reference(&mut self, value: &Value) -> Option<Rule> {
        let text = value.as_str().unwrap_or_default();
        if text == "#" {
            return Some(Rule::Reference(None));
        }
        let Some(name) = text.strip_prefix("#/$defs/").filter(|name| !name.contains('/')) else {
            self.say("names `#` or `#/$defs/NAME` of the same schema; nothing is fetched");
            return None;
        };
        self.references.push((self.path.join("."), name.to_owned()));
        Some(Rule::Reference(Some(name.to_owned())))
    }

    fn pattern(&mut self, value: &Value) -> Option<Regex> {
        self.patterns += 1;
        if self.patterns > PATTERNS {
            self.say(format!("there are more than {PATTERNS} patterns"));
            return None;
        }
        let Some(text) = value.as_str() else {
            self.say("must be text");
            return None;
        };
        match RegexBuilder::new(text).size_limit(PATTERN).build() {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let last = error.to_string();
                let why = last.lines().last().unwrap_or_default();
                self.say(format!("is no pattern that is understood: {}", why.trim()));
                None
            }
        }
    }

    fn table<'a>(&mut self, all: &'a Map<String, Value>, key: &str) -> Vec<(&'a String, &'a Value)> {
        match all.get(key) {
            None => Vec::new(),
            Some(Value::Object(table)) => table.iter().collect(),
            Some(_) => {
                self.at(&[key], |inner| inner.say("must be a table of schemas"));
                Vec::new()
            }
        }
    }

    fn dependent(&mut self, value: &Value) -> BTreeMap<String, Vec<String>> {
        let Some(table) = value.as_object() else {
            self.say("must be a table of lists of names");
            return BTreeMap::new();
        };
        let names = table.iter();
        names
            .map(|(name, list)| (name.clone(), self.texts(list)))
            .collect()
    }

    fn parts_of(&mut self, value: &Value) -> Vec<Part> {
        let Some(list) = self.list(value) else {
            return Vec::new();
        };
        let parts = list.iter().enumerate();
        parts
            .map(|(at, schema)| self.at(&[&at.to_string()], |inner| inner.part(schema)))
            .collect()
    }

    fn list<'a>(&mut self, value: &'a Value) -> Option<&'a Vec<Value>> {
        let list = value.as_array().filter(|list| !list.is_empty());
        if list.is_none() {
            self.say("must be a list with something in it");
        }
        list
    }

    fn texts(&mut self, value: &Value) -> Vec<String> {
        let texts = value.as_array().and_then(|list| {
            let texts = list.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        texts.unwrap_or_else(|| {
            self.say("must be a list of texts");
            Vec::new()
        })
    }

    fn number(&mut self, value: &Value) -> Option<f64> {
        let number = value.as_f64();
        if number.is_none() {
            self.say("must be a number");
        }
        number
    }

    fn flag(&mut self, value: &Value) -> bool {
        value.as_bool().unwrap_or_else(|| {
            self.say("must be true or false");
            false
        })
    }
}
