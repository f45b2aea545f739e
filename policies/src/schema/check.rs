//! Does a value keep the rules?

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Number, Value};

use super::{Part, Rule, STEPS, Schema, TOLD, Type, Violation};

/// Levels of a value and its schema together; what a reference to itself could reach on values
/// that are as deep as JSON may be.
const LEVELS: usize = 256;

pub(super) fn check(schema: &Schema, value: &Value) -> Result<(), Vec<Violation>> {
    let mut checker = Checker {
        schema,
        left: STEPS,
        levels: LEVELS,
        path: String::new(),
        found: Vec::new(),
    };
    checker.part(&schema.root, value);
    if checker.left == 0 || checker.levels == 0 {
        checker.found = vec![Violation {
            path: String::new(),
            message: "takes too long to check: it is too large or too deep for its schema".to_owned(),
        }];
    }
    if checker.found.is_empty() {
        Ok(())
    } else {
        Err(checker.found)
    }
}

struct Checker<'a> {
    schema: &'a Schema,
    /// Steps that are left. At 0 everything ends at once.
    left: usize,
    /// Levels that are left; stays at 0 once that is reached.
    levels: usize,
    path: String,
    found: Vec<Violation>,
}

impl Checker<'_> {
    fn say(&mut self, message: impl Into<String>) {
        if self.found.len() < TOLD {
            self.found.push(Violation {
                path: self.path.clone(),
                message: message.into(),
            });
        }
    }

    /// Pays for some work. False when nothing is left: then nothing more is done.
    fn pay(&mut self, steps: usize) -> bool {
        self.left = self.left.saturating_sub(steps);
        self.left > 0 && self.levels > 0
    }

    fn part(&mut self, part: &Part, value: &Value) {
        if !self.pay(1) {
            return;
        }
        self.levels -= 1;
        match part {
            Part::Never => self.say("is not allowed here"),
            Part::All(rules) => {
                for rule in rules {
                    self.rule(rule, value);
                }
            }
        }
        if self.levels > 0 {
            self.levels += 1;
        }
    }

    /// Does `part` hold? What it would say is not told.
    fn holds(&mut self, part: &Part, value: &Value) -> bool {
        let before = std::mem::take(&mut self.found);
        self.part(part, value);
        let held = self.found.is_empty();
        self.found = before;
        held
    }

    fn rule(&mut self, rule: &Rule, value: &Value) {
        if !self.pay(1) {
            return;
        }
        match rule {
            Rule::Types(types) => self.types(types, value),
            Rule::Among(allowed) => self.among(allowed, value),
            Rule::Reference(name) => self.reference(name.as_deref(), value),
            Rule::AllOf(_) | Rule::AnyOf(_) | Rule::OneOf(_) | Rule::Not(_) | Rule::If { .. } => {
                self.joined(rule, value);
            }
            _ => self.of_type(rule, value),
        }
    }

    /// Rules that are made of others.
    fn joined(&mut self, rule: &Rule, value: &Value) {
        match rule {
            Rule::AllOf(parts) => parts.iter().for_each(|part| self.part(part, value)),
            Rule::AnyOf(parts) => self.any_of(parts, value),
            Rule::OneOf(parts) => self.one_of(parts, value),
            Rule::Not(part) => self.not(part, value),
            Rule::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = self.holds(condition, value);
                if let Some(part) = if holds { then } else { otherwise } {
                    self.part(part, value);
                }
            }
            _ => {}
        }
    }

    /// Rules that say something of values of one type only.
    fn of_type(&mut self, rule: &Rule, value: &Value) {
        match (rule, value) {
            (Rule::Size(from, to), Value::Object(object)) => self.count("entries", object.len(), *from, *to),
            (rule, Value::Object(object)) => self.object(rule, object),
            (Rule::Count(from, to), Value::Array(list)) => self.count("items", list.len(), *from, *to),
            (rule, Value::Array(list)) => self.list(rule, list),
            (rule, Value::String(text)) => self.text(rule, text),
            (rule, Value::Number(number)) => self.number(rule, number),
            _ => {}
        }
    }

    fn fits(&mut self, pattern: &Regex, text: &str) -> bool {
        // A byte of text costs a pattern some nanoseconds; a step is worth about a hundred.
        self.pay(1 + text.len() / 16) && pattern.is_match(text)
    }

    fn types(&mut self, types: &[Type], value: &Value) {
        if !types.iter().any(|wanted| is(*wanted, value)) {
            let names: Vec<&str> = types.iter().map(|wanted| wanted.name()).collect();
            self.say(format!("is {}, not {}", kind_of(value), names.join(" or ")));
        }
    }

    fn among(&mut self, allowed: &[Value], value: &Value) {
        if allowed.iter().any(|one| self.pay(1) && same(one, value)) {
            return;
        }
        let shown: Vec<String> = allowed.iter().take(10).map(Value::to_string).collect();
        let more = if allowed.len() > shown.len() { ", …" } else { "" };
        self.say(format!("is none of {}{more}", shown.join(", ")));
    }

    fn text(&mut self, rule: &Rule, text: &str) {
        match rule {
            Rule::Length(from, to) => {
                let characters = text.chars().count();
                self.count("characters", characters, *from, *to);
            }
            Rule::Pattern(pattern) if !self.fits(pattern, text) => {
                self.say(format!("does not fit the pattern {}", pattern.as_str()));
            }
            _ => {}
        }
    }

    fn any_of(&mut self, parts: &[Part], value: &Value) {
        if !parts.iter().any(|part| self.holds(part, value)) {
            self.say("fits none of the forms that it may have");
        }
    }

    fn not(&mut self, part: &Part, value: &Value) {
        if self.holds(part, value) {
            self.say("has a form that it may not have");
        }
    }

    fn one_of(&mut self, parts: &[Part], value: &Value) {
        let fitting = parts.iter().filter(|part| self.holds(part, value)).count();
        match fitting {
            1 => {}
            0 => self.say("fits none of the forms that it may have"),
            more => self.say(format!("fits {more} forms, and may fit one only")),
        }
    }

    fn reference(&mut self, name: Option<&str>, value: &Value) {
        let schema = self.schema;
        let part = match name {
            None => Some(&schema.root),
            Some(name) => schema.definitions.get(name),
        };
        if let Some(part) = part {
            self.part(part, value);
        }
    }

    fn count(&mut self, of: &str, count: usize, from: usize, to: usize) {
        if count < from {
            self.say(format!("has {count} {of}; at least {from} are needed"));
        } else if count > to {
            self.say(format!("has {count} {of}; at most {to} are allowed"));
        }
    }

    fn object(&mut self, rule: &Rule, object: &Map<String, Value>) {
        match rule {
            Rule::Properties {
                named,
                patterned,
                others,
            } => self.properties(object, named, patterned, others.as_deref()),
            Rule::PropertyNames(part) => self.property_names(part, object),
            Rule::Required(names) => {
                for name in names.iter().filter(|name| !object.contains_key(*name)) {
                    self.say(format!("lacks `{name}`"));
                }
            }
            Rule::DependentRequired(of) => {
                let present = of.iter().filter(|(name, _)| object.contains_key(*name));
                for (name, needed) in present {
                    for needed in needed.iter().filter(|needed| !object.contains_key(*needed)) {
                        self.say(format!("lacks `{needed}`, which belongs to `{name}`"));
                    }
                }
            }
            _ => {}
        }
    }

    fn property_names(&mut self, part: &Part, object: &Map<String, Value>) {
        for name in object.keys() {
            if !self.holds(part, &Value::String(name.clone())) {
                self.say(format!("has a key that may not be there: `{}`", short(name)));
            }
        }
    }

    fn properties(
        &mut self,
        object: &Map<String, Value>,
        named: &BTreeMap<String, Part>,
        patterned: &[(Regex, Part)],
        others: Option<&Part>,
    ) {
        for (name, value) in object {
            let known = named.get(name);
            if let Some(part) = known {
                self.inside(name, |inner| inner.part(part, value));
            }
            let mut fitted = known.is_some();
            for (pattern, part) in patterned {
                if self.fits(pattern, name) {
                    fitted = true;
                    self.inside(name, |inner| inner.part(part, value));
                }
            }
            match others.filter(|_| !fitted) {
                Some(Part::Never) => self.say(format!("has a key that may not be there: `{}`", short(name))),
                Some(part) => self.inside(name, |inner| inner.part(part, value)),
                None => {}
            }
        }
    }

    fn list(&mut self, rule: &Rule, list: &[Value]) {
        match rule {
            Rule::Items { first, rest } => self.items(list, first, rest.as_deref()),
            Rule::Contains(part) if !list.iter().any(|value| self.holds(part, value)) => {
                self.say("has no item of the form that one must have");
            }
            Rule::Unique => {
                let mut seen = BTreeSet::new();
                let twice = |value: &Value| !seen.insert(plain(value).to_string());
                if self.pay(list.len()) && list.iter().any(twice) {
                    self.say("has an item twice");
                }
            }
            _ => {}
        }
    }

    fn items(&mut self, list: &[Value], first: &[Part], rest: Option<&Part>) {
        for (at, value) in list.iter().enumerate() {
            if let Some(part) = first.get(at).or(rest) {
                self.inside(&format!("[{at}]"), |inner| inner.part(part, value));
            }
        }
    }

    fn number(&mut self, rule: &Rule, number: &Number) {
        let Some(value) = number.as_f64() else { return };
        match rule {
            Rule::Limit(bound, limit) => {
                let (kept, words) = bound.judge(value, *limit);
                if !kept {
                    self.say(format!("is {number}; it must be {words} {limit}"));
                }
            }
            Rule::MultipleOf(of) => {
                let times = value / of;
                // Decimal fractions are not exact: 0.3 is three times 0.1 for everybody but a float.
                if (times - times.round()).abs() > 1e-9 * times.abs().max(1.0) {
                    self.say(format!("is {number}; it must be a multiple of {of}"));
                }
            }
            _ => {}
        }
    }

    fn inside(&mut self, step: &str, inner: impl FnOnce(&mut Self)) {
        let before = self.path.len();
        if before > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(&short(step));
        inner(self);
        self.path.truncate(before);
    }
}

/// A name as it is shown: names from outside may be of any length.
fn short(name: &str) -> String {
    let mut shown: String = name.chars().take(64).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

fn is(wanted: Type, value: &Value) -> bool {
    match (wanted, value) {
        (Type::Null, Value::Null)
        | (Type::Boolean, Value::Bool(_))
        | (Type::Number, Value::Number(_))
        | (Type::String, Value::String(_))
        | (Type::Array, Value::Array(_))
        | (Type::Object, Value::Object(_)) => true,
        (Type::Integer, Value::Number(number)) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|real| real.fract() == 0.0)
        }
        _ => false,
    }
}

/// In words what a value is.
pub(super) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// Equal as JSON Schema has it: 1 and 1.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    one == other || plain(one) == plain(other)
}

/// The value with whole numbers written in one way.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        Value::Object(object) => {
            let entries = object.iter().map(|(key, value)| (key.clone(), plain(value)));
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

/// The whole number that a float is, where floats have all whole numbers.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let real = number.as_f64().filter(|_| number.is_f64())?;
    if real.fract() != 0.0 || real.abs() > EXACT {
        return None;
    }
    format!("{real:.0}").parse().ok()
}
