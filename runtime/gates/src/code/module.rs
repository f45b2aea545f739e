//! What was measured in one file.

use super::{calls::Call, items::Item, language::Language};

/// One source file, measured.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its language.
    pub language: Language,
    /// Its functions, in the order of their ends.
    pub functions: Vec<Function>,
    /// What in it can be public.
    pub items: Vec<Item>,
    /// Whether it begins with documentation of itself.
    pub documented: bool,
    /// Lines that do not follow the grammar, as first and last: nothing in them was measured.
    pub unread: Vec<(u32, u32)>,
}

impl Module {
    /// A file in which nothing was found.
    pub(super) const fn empty(language: Language) -> Self {
        Self {
            language,
            functions: Vec::new(),
            items: Vec::new(),
            documented: false,
            unread: Vec::new(),
        }
    }
}

/// One function, measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its own name; empty when it has none.
    pub name: String,
    /// The class, `impl` or namespace around it; empty when there is none.
    pub container: String,
    /// Its first line, from 1.
    pub line: u32,
    /// Its last line.
    pub end: u32,
    /// Where its text begins, in bytes.
    pub from: usize,
    /// Where its text ends, in bytes.
    pub to: usize,
    /// Ways through it: McCabe's cyclomatic complexity.
    pub complexity: u32,
    /// How deep its control structures are nested.
    pub nesting: u32,
    /// Its parameters, without the receiver.
    pub parameters: u32,
    /// What it calls, in order.
    pub calls: Vec<Call>,
    /// Lines of loops that have no bound in sight.
    pub endless: Vec<u32>,
    /// Lines of `goto`.
    pub gotos: Vec<u32>,
    /// Lines of `new` expressions.
    pub news: Vec<u32>,
    /// Assertions in it.
    pub assertions: u32,
    /// What was seen and is not a way through by our definition, though others count it.
    pub unmeasured: Unmeasured,
}

/// What is not counted as a way through a function, and is by others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unmeasured {
    /// Rust's `?`.
    pub tries: u32,
    /// `||` as the empty parameters of a closure.
    pub bars: u32,
    /// `finally`.
    pub finals: u32,
    /// `where` clauses.
    pub wheres: u32,
    /// Values of JavaScript for what is not given: `f(a = 1)`, `{ a = 1 }`.
    pub defaults: u32,
    /// `case _` of Python, which is its `default`.
    pub wildcards: u32,
}

impl Function {
    /// Lines from its first to its last.
    #[must_use]
    pub const fn length(&self) -> u32 {
        self.end.saturating_sub(self.line) + 1
    }

    /// Its name as people write it.
    #[must_use]
    pub fn path(&self) -> String {
        let name = if self.name.is_empty() {
            "(anonymous)"
        } else {
            &self.name
        };
        if self.container.is_empty() {
            name.to_owned()
        } else {
            format!("{}::{name}", self.container)
        }
    }
}
