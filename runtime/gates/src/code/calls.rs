//! Calls, as far as syntax tells whom they reach.

use tree_sitter::Node;

use super::{language::Language, names::text, walk::Above};

/// Through what a function is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// By its name alone.
    None,
    /// Through the own object or type: `self.f()`, `this.f()`, `Self::f()`.
    Own,
    /// Through something named.
    Named(String),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Name of what is called.
    pub name: String,
    /// Through what.
    pub receiver: Receiver,
    /// The line, from 1.
    pub line: u32,
    /// Whether the result is thrown away: the call is a statement of its own.
    pub alone: bool,
    /// Whether a result is thrown away on purpose, by a name that says so: `_ = f()`.
    pub discarded: bool,
    /// Whether it is waited for.
    pub awaited: bool,
}

/// Reads a call. `None` when what is called has no name.
pub(super) fn call(language: Language, node: Node<'_>, source: &str, above: &[Above<'_>]) -> Option<Call> {
    let (name, receiver) = if language == Language::Java {
        let name = text(node.child_by_field_name("name")?, source);
        let receiver = node
            .child_by_field_name("object")
            .map_or(Receiver::None, |object| through(text(object, source)));
        (name, receiver)
    } else {
        let called = node
            .child_by_field_name("function")
            .or_else(|| node.child_by_field_name("macro"))?;
        split(text(called, source))?
    };
    let (alone, discarded) = use_of(above, source);
    let awaited = above
        .last()
        .is_some_and(|above| matches!(above.node.kind(), "await_expression" | "await"));
    Some(Call {
        name: name.to_owned(),
        receiver,
        line: u32::try_from(node.start_position().row).map_or(u32::MAX, |row| row.saturating_add(1)),
        alone,
        discarded,
        awaited,
    })
}

/// `a.b::<T>` is `b` through `a`.
fn split(called: &str) -> Option<(&str, Receiver)> {
    // An expression that is longer is not a name.
    if called.len() > 200 {
        return None;
    }
    let plain = called.split("::<").next().unwrap_or(called);
    let (before, name) = at_last_mark(plain).unwrap_or(("", plain));
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    if name.is_empty() || !name.chars().all(word) {
        return None;
    }
    Some((name, through(before)))
}

/// `a.b`, `a::b` and `a->b` in two: before the mark, and after it.
fn at_last_mark(called: &str) -> Option<(&str, &str)> {
    let at = called.rfind(['.', ':', '>'])?;
    let (before, after) = (called.get(..at)?, called.get(at + 1..)?);
    // A `>` alone is no arrow.
    let is_arrow = before.ends_with('-');
    if called.as_bytes().get(at) == Some(&b'>') && !is_arrow {
        return None;
    }
    Some((before.trim_end_matches([':', '.', '-', '?']), after))
}

fn through(before: &str) -> Receiver {
    match before.trim() {
        "" if before.is_empty() => Receiver::None,
        "self" | "this" | "cls" | "Self" => Receiver::Own,
        other => {
            let last = other.rsplit(['.', ':']).next().unwrap_or(other);
            Receiver::Named(last.to_owned())
        }
    }
}

/// Is the call a statement of its own, or is its result given to a name that means nothing?
fn use_of(above: &[Above<'_>], source: &str) -> (bool, bool) {
    // `await f()` and `(f())` are still only that.
    let mut around = above.iter().rev().map(|above| above.node).skip_while(|node| {
        matches!(
            node.kind(),
            "await_expression" | "await" | "parenthesized_expression"
        )
    });
    let Some(parent) = around.next() else {
        return (false, false);
    };
    match parent.kind() {
        "expression_statement" => (parent.named_child_count() == 1, false),
        "let_declaration" => {
            let wild = parent
                .child_by_field_name("pattern")
                .is_some_and(|pattern| pattern.kind() == "_");
            (false, wild)
        }
        "expression_list" => {
            let blank = around
                .next()
                .and_then(|assign| assign.child_by_field_name("left"));
            (false, blank.is_some_and(|left| has_blank(left, source)))
        }
        _ => (false, false),
    }
}

/// Go: the last name on the left is `_`, where errors are returned.
fn has_blank(left: Node<'_>, source: &str) -> bool {
    let names = text(left, source);
    names.rsplit(',').next().is_some_and(|last| last.trim() == "_")
}
