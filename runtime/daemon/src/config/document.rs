//! One layer, taken apart: its values, and where each stands.

use std::sync::OnceLock;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    mistake::Place,
    path::{Path, Step},
};

/// Levels of tables and lists. The configuration itself has nine; deeper ones mean nothing, and
/// would cost stack.
const DEPTH: usize = 32;
/// Bytes up to which all errors of syntax are told. Every character of a file may be one, and
/// each costs a hundred bytes; of larger files the first is told.
const RECOVERED: usize = 256 * 1024;
/// Errors of syntax told of one file. One often brings others with it.
const TOLD: usize = 20;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    /// Date and time as written.
    Date(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

/// A value and where to point when it is wrong: its key where it has one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub at: usize,
    pub value: Value,
}

impl Node {
    pub(super) const fn table() -> Self {
        Self {
            at: 0,
            value: Value::Table(Vec::new()),
        }
    }

    /// What stands at `key` in this table.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Table(entries) = &self.value else {
            return None;
        };
        entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    fn step(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (_, Step::Key(key)) => self.get(key),
            (Value::List(items), Step::Index(index)) => items.get(*index),
            _ => None,
        }
    }

    /// As the merging of layers wants it. Fit after the check alone: dates are texts there.
    pub(super) fn to_toml(&self) -> toml::Value {
        match &self.value {
            Value::Text(text) | Value::Date(text) => text.as_str().into(),
            Value::Integer(number) => i64::try_from(*number).unwrap_or(i64::MAX).into(),
            Value::Float(number) => (*number).into(),
            Value::Boolean(yes) => (*yes).into(),
            Value::List(items) => toml::Value::Array(items.iter().map(Self::to_toml).collect()),
            Value::Table(entries) => {
                let entries = entries.iter().map(|(key, node)| (key.clone(), node.to_toml()));
                toml::Value::Table(entries.collect())
            }
        }
    }
}

/// What a layer is, and how a position in it becomes a place.
#[derive(Debug)]
pub(super) enum Origin {
    /// Positions are bytes.
    File {
        name: String,
        text: String,
        lines: OnceLock<Vec<usize>>,
    },
    /// Positions are those in this list.
    Variables(Vec<String>),
    /// Positions are those in this list.
    Flags(Vec<&'static str>),
}

impl Origin {
    pub(super) fn file(name: &str, text: String) -> Self {
        Self::File {
            name: name.to_owned(),
            text,
            lines: OnceLock::new(),
        }
    }

    pub(super) fn place(&self, at: usize) -> Place {
        match self {
            Self::File { name, text, lines } => {
                let starts = lines.get_or_init(|| line_starts(text));
                let line = starts.partition_point(|start| *start <= at).max(1);
                let start = starts.get(line - 1).copied().unwrap_or(0);
                let before = text.get(start..at).unwrap_or_default();
                Place::File {
                    file: name.clone(),
                    line: Some(line),
                    column: Some(before.chars().count() + 1),
                }
            }
            Self::Variables(names) => Place::Variable {
                variable: names.get(at).cloned().unwrap_or_default(),
            },
            Self::Flags(names) => Place::Flag {
                flag: names.get(at).copied().unwrap_or_default().to_owned(),
            },
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(after_breaks.map(|(at, _)| at + 1))
        .collect()
}

/// One layer.
#[derive(Debug)]
pub(super) struct Document {
    pub origin: Origin,
    pub root: Node,
}

/// Something in a text that is not TOML: where, and why.
pub(super) type SyntaxError = (usize, String);

/// Takes a text apart.
pub(super) fn parse(text: &str) -> Result<Node, Vec<SyntaxError>> {
    let (table, errors) = if text.len() <= RECOVERED {
        DeTable::parse_recoverable(text)
    } else {
        match DeTable::parse(text) {
            Ok(table) => (table, Vec::new()),
            Err(error) => return Err(vec![syntax_error(&error)]),
        }
    };
    if !errors.is_empty() {
        return Err(errors.iter().take(TOLD).map(syntax_error).collect());
    }
    let mut converter = Converter::default();
    let root = converter.table(table.get_ref(), 0, 0);
    if converter.too_deep.is_empty() {
        Ok(root)
    } else {
        let message = format!("nested deeper than {DEPTH} levels");
        Err(converter
            .too_deep
            .into_iter()
            .take(TOLD)
            .map(|at| (at, message.clone()))
            .collect())
    }
}

/// Takes a value apart that stands alone, as in a variable. All of it is at position `at`.
pub(super) fn parse_value(text: &str, at: usize) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let mut converter = Converter {
        fixed: Some(at),
        too_deep: Vec::new(),
    };
    let node = converter.value(&value, at, 0);
    converter.too_deep.is_empty().then_some(node)
}

fn syntax_error(error: &toml::de::Error) -> SyntaxError {
    (
        error.span().map_or(0, |span| span.start),
        error.message().to_owned(),
    )
}

#[derive(Default)]
struct Converter {
    /// The position of everything, where it is not each value's own.
    fixed: Option<usize>,
    too_deep: Vec<usize>,
}

impl Converter {
    fn table(&mut self, table: &DeTable<'_>, at: usize, depth: usize) -> Node {
        let entries = table.iter().map(|(key, value)| {
            let at = self.fixed.unwrap_or(key.span().start);
            (key.get_ref().to_string(), self.value(value, at, depth))
        });
        Node {
            at,
            value: Value::Table(entries.collect()),
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, at: usize, depth: usize) -> Node {
        if depth >= DEPTH {
            self.too_deep.push(at);
            return Node::table();
        }
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            // What does not fit is beyond every limit.
            DeValue::Integer(number) => {
                Value::Integer(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX))
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(yes) => Value::Boolean(*yes),
            DeValue::Datetime(date) => Value::Date(date.to_string()),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| self.value(item, self.fixed.unwrap_or(item.span().start), depth + 1))
                    .collect(),
            ),
            DeValue::Table(table) => return self.table(table, at, depth + 1),
        };
        Node { at, value }
    }
}

/// Where `path` stands: in the layer that has it, and of several in the last, which wins. The
/// longest part that is there counts. Of a list, the last layer that has it is meant, because
/// lists are not joined.
pub(super) fn locate(documents: &[Document], path: &Path) -> Option<Place> {
    let mut found: Vec<(&Origin, &Node)> = documents
        .iter()
        .map(|document| (&document.origin, &document.root))
        .collect();
    let mut place = None;
    for step in &path.0 {
        if matches!(step, Step::Index(_)) {
            found = found.pop().into_iter().collect();
        }
        let next: Vec<_> = found
            .iter()
            .filter_map(|(origin, node)| Some((*origin, node.step(step)?)))
            .collect();
        let Some((origin, node)) = next.last() else { break };
        place = Some(origin.place(node.at));
        found = next;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, text: &str) -> Document {
        Document {
            origin: Origin::file(name, text.to_owned()),
            root: parse(text).unwrap(),
        }
    }

    fn at(documents: &[Document], path: &str) -> String {
        locate(documents, &Path::parse(path)).map_or_else(String::new, |place| place.to_string())
    }

    #[test]
    fn places_are_lines_and_columns_of_keys() {
        let text = "a = 1\nb = { \"ü\" = [1, 2], d = 3 }\n\n[[list]]\nx = 1\n[[list]]\n  x = 2\n";
        let documents = [document("f", text)];
        assert_eq!(at(&documents, "a"), "f:1:1");
        assert_eq!(at(&documents, "b.ü[1]"), "f:2:17");
        assert_eq!(at(&documents, "b.d"), "f:2:21");
        assert_eq!(at(&documents, "list[1]"), "f:6:1");
        assert_eq!(at(&documents, "list[1].x"), "f:7:3");
        assert_eq!(at(&documents, "list[1].missing"), "f:6:1");
        assert_eq!(at(&documents, "missing"), "");
    }

    #[test]
    fn the_last_layer_that_has_it_counts() {
        let documents = [
            document("user", "[t]\na = 1\nb = 2\n[[l]]\nx = 1\ny = 1\n"),
            document("team", "[t]\nb = 3\n[[l]]\nx = 2\n"),
        ];
        assert_eq!(at(&documents, "t.a"), "user:2:1");
        assert_eq!(at(&documents, "t.b"), "team:2:1");
        assert_eq!(at(&documents, "l[0].y"), "team:3:1");
    }

    #[test]
    fn p8_nesting_is_bounded() {
        let deep = format!("a = {}1{}", "[".repeat(40), "]".repeat(40));
        assert!(parse(&deep).unwrap_err()[0].1.contains("deeper"));
    }
}
