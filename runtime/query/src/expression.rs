//! Conditions and expressions: what others hold and evaluate.

use std::fmt;

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue},
};
use worknode_core::time::Timestamp;

use crate::{
    compile::{self, Compiled},
    error::{EvalError, QueryCode, QueryError},
    fact::{Fact, fact_of_val},
    facts::Facts,
    functions::{self, Gives},
    program::Program,
    scope::{Scope, Shape},
    selection::{Conditions, Selection},
};

/// A condition on facts. Cheap to clone, and can be evaluated by many threads at once.
#[derive(Clone)]
pub struct Predicate {
    program: Program,
    conditions: Conditions,
}

impl Predicate {
    /// Reads and checks a condition.
    ///
    /// # Errors
    /// [`QueryError`] says what is wrong, where, and what was probably meant.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, QueryError> {
        let Compiled { program, written } = compile::compile(source, scope)?;
        if let Some(gives) = not_a_truth(&written, scope) {
            let message = format!("this is {gives}, not a condition");
            let place = crate::error::Place::whole(source);
            return Err(QueryError::new(QueryCode::NotACondition, message)
                .at(Some(place))
                .hint("compare it with something, as in `kind == \"task\"`"));
        }
        Ok(Self {
            program,
            conditions: Conditions::of(&written, scope),
        })
    }

    /// Does it hold on `facts`?
    ///
    /// What asks for something that is not there does not hold, and nor does its opposite:
    /// `completed_at > now - duration("1h")` and `!(completed_at > now - duration("1h"))` are
    /// both false for what was never completed, as with `NULL` in SQL. Ask for `x == null` or
    /// `has(x.y)` to find it.
    ///
    /// # Errors
    /// [`EvalError`] when it costs too much on these facts, or when an operation does not fit
    /// the values; never [`EvalError::Absent`].
    pub fn matches(&self, facts: &Facts) -> Result<bool, EvalError> {
        match self.matches_strictly(facts) {
            Err(EvalError::Absent { .. }) => Ok(false),
            other => other,
        }
    }

    /// Does it hold on `facts`, where all that it asks for must be there?
    ///
    /// # Errors
    /// [`EvalError`], also when it asks for something that is not there.
    pub fn matches_strictly(&self, facts: &Facts) -> Result<bool, EvalError> {
        self.program.truth(facts)
    }

    /// What an index can answer of it, at `now`: the same instant as in the facts.
    #[must_use]
    pub fn selection(&self, now: Timestamp) -> Selection {
        self.conditions.at(now)
    }

    /// Does it use that name of its scope?
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        self.program.uses(name)
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        self.program.source()
    }
}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Predicate").field(&self.source()).finish()
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source())
    }
}

/// Two are equal when they say the same; in which scope is the holder's matter.
impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

/// An expression of any type. Cheap to clone.
#[derive(Clone)]
pub struct Expression {
    program: Program,
}

impl Expression {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// [`QueryError`] says what is wrong, where, and what was probably meant.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, QueryError> {
        let Compiled { program, .. } = compile::compile(source, scope)?;
        Ok(Self { program })
    }

    /// Its value on `facts`.
    ///
    /// # Errors
    /// [`EvalError`] when it has none.
    pub fn evaluate(&self, facts: &Facts) -> Result<Fact, EvalError> {
        self.program.evaluate(facts, |value| Ok(fact_of_val(value)))
    }

    /// Does it use that name of its scope?
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        self.program.uses(name)
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        self.program.source()
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source()).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

/// In words what the expression gives, when that is certainly not true or false.
fn not_a_truth(part: &IdedExpr, scope: &Scope) -> Option<&'static str> {
    match &part.expr {
        Expr::Literal(literal) => not_a_true_literal(literal),
        Expr::List(_) => Some("a list"),
        Expr::Map(_) => Some("a map"),
        Expr::Ident(name) => match &scope.get(name)?.shape {
            Shape::Truth | Shape::Open => None,
            other => Some(other.words()),
        },
        Expr::Call(call) => match functions::find(&call.func_name)?.gives {
            Gives::Truth | Gives::Unknown => None,
            other => Some(other.words()),
        },
        _ => None,
    }
}

const fn not_a_true_literal(literal: &LiteralValue) -> Option<&'static str> {
    match literal {
        LiteralValue::Boolean(_) => None,
        LiteralValue::String(_) => Some("text"),
        LiteralValue::Null => Some("nothing"),
        _ => Some("a number"),
    }
}
