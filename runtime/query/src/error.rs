//! What is wrong with an expression, and what went wrong with its evaluation.

use std::fmt;

use serde::{Deserialize, Serialize};
use worknode_core::error::{Code, Error};

/// Why an expression is refused, as programs see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryCode {
    /// It is no expression.
    Syntax,
    /// It is larger, deeper or costlier than allowed.
    TooComplex,
    /// It uses a name that does not exist here.
    UnknownName,
    /// It calls a function that does not exist, or calls one in the wrong way.
    UnknownFunction,
    /// A constant in it cannot be read: a pattern, an instant, a duration.
    BadConstant,
    /// It is no condition: it gives something else than true or false.
    NotACondition,
    /// An aggregate that does not exist, or that is written in the wrong way.
    BadAggregate,
    /// A cursor that was not made here, or that continues another query.
    BadCursor,
}

/// A place in an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are meant; at least 1.
    pub width: usize,
    /// The text of that line.
    pub text: String,
}

impl Place {
    /// The bytes `from..to` of `source`.
    pub(crate) fn of_bytes(source: &str, from: usize, to: usize) -> Self {
        let upto = |end: usize| source.get(..end).unwrap_or(source);
        let before = upto(from);
        let line = before.matches('\n').count();
        let column = before.chars().rev().take_while(|c| *c != '\n').count();
        let width = upto(to).chars().count().saturating_sub(before.chars().count());
        Self::of_line(source, line, column, width)
    }

    /// All of `source`.
    pub(crate) fn whole(source: &str) -> Self {
        Self::of_bytes(source, 0, source.len())
    }

    /// Line and column from 0, cut to what is there.
    pub(crate) fn of_line(source: &str, line: usize, column: usize, width: usize) -> Self {
        let text = source.split('\n').nth(line).unwrap_or_default();
        let left = text.chars().count().saturating_sub(column);
        Self {
            line: line.saturating_add(1),
            column: column.saturating_add(1),
            width: width.clamp(1, left.max(1)),
            text: text.to_owned(),
        }
    }
}

/// Why an expression is refused, for people: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryError {
    /// The stable word for it.
    pub code: QueryCode,
    /// What is wrong.
    pub message: String,
    /// Where, when one place is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to write instead, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl QueryError {
    pub(crate) fn new(code: QueryCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            hint: None,
        }
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The line that is wrong with a mark under what is wrong in it, when there is one place.
    #[must_use]
    pub fn caret(&self) -> Option<String> {
        let place = self.place.as_ref()?;
        let indent = " ".repeat(place.column.saturating_sub(1));
        Some(format!("{}\n{indent}{}", place.text, "^".repeat(place.width)))
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, " (line {}, column {})", place.line, place.column)?;
        }
        if let Some(caret) = self.caret() {
            for line in caret.lines() {
                write!(f, "\n  {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for QueryError {}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        let plain = Self::new(Code::Usage, error.to_string());
        match error.hint {
            Some(hint) => plain.hint(hint),
            None => plain,
        }
    }
}

/// Why an expression that is right in itself has no value on these facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum EvalError {
    /// It asks for what this Worknode or event does not have.
    #[error("there is no such thing here: {what}")]
    Absent {
        /// What is not there.
        what: String,
    },
    /// It would cost more than an evaluation may.
    #[error("the expression would cost more than {limit} steps on these facts; make its loops smaller")]
    TooCostly {
        /// What it may cost.
        limit: u32,
    },
    /// It is no condition on these facts.
    #[error("the expression gives {got} here, not true or false")]
    NotACondition {
        /// The type of its value.
        got: String,
    },
    /// An operation does not fit the values.
    #[error("{message}")]
    Mistake {
        /// Which, and why.
        message: String,
    },
}

impl From<EvalError> for Error {
    fn from(error: EvalError) -> Self {
        Self::new(Code::Failed, error.to_string())
    }
}
