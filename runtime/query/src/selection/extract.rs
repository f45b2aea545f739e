//! From a condition to what an index can answer of it.

use std::collections::BTreeSet;

use cel::{IdedExpr, common::ast::Expr};

use super::{
    Field, Sort, Term,
    constants::{self, Moment},
};
use crate::{compile::text_constant, scope::Scope};

/// What an index can answer, before it is known when.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    pub(super) terms: Vec<Condition>,
    pub(super) exact: bool,
}

/// A term, or a comparison with an instant that may hang on `now`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Fixed(Term),
    Compared {
        field: Field,
        how: Comparison,
        with: Moment,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "_==_" => Self::Equal,
            "_<_" => Self::Less,
            "_<=_" => Self::AtMost,
            "_>_" => Self::More,
            "_>=_" => Self::AtLeast,
            _ => return None,
        })
    }

    /// The same with the sides exchanged.
    const fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    /// The whole numbers for which it is so, when the number compared with lies between `floor`
    /// and `ceil`, the two next to it: they are the same when it is whole itself.
    fn range(self, field: Field, floor: i64, ceil: i64) -> Term {
        const NONE: (Option<i64>, Option<i64>) = (Some(i64::MAX), Some(i64::MIN));
        let (from, to) = match self {
            Self::Equal => (Some(ceil), Some(floor)),
            Self::Less => ceil.checked_sub(1).map_or(NONE, |to| (None, Some(to))),
            Self::AtMost => (None, Some(floor)),
            Self::More => floor.checked_add(1).map_or(NONE, |from| (Some(from), None)),
            Self::AtLeast => (Some(ceil), None),
        };
        Term::Between { field, from, to }
    }
}

impl Condition {
    /// The term at `now`, in milliseconds.
    pub(super) fn at(&self, now: i64) -> Term {
        const NANOS: i128 = 1_000_000;
        match self {
            Self::Fixed(term) => term.clone(),
            Self::Compared { field, how, with } => {
                let start = if with.from_now { i128::from(now) * NANOS } else { 0 };
                let nanos = start.saturating_add(with.nanos);
                let floor = nanos.div_euclid(NANOS);
                let ceil = floor.saturating_add(i128::from(nanos.rem_euclid(NANOS) != 0));
                let whole = |millis: i128| {
                    let end = if millis < 0 { i64::MIN } else { i64::MAX };
                    i64::try_from(millis).unwrap_or(end)
                };
                how.range(*field, whole(floor), whole(ceil))
            }
        }
    }
}

impl Conditions {
    /// What an index can answer of `condition`.
    pub(crate) fn of(condition: &IdedExpr, scope: &Scope) -> Self {
        let mut found = Self {
            terms: Vec::new(),
            exact: true,
        };
        found.take(condition, scope);
        found
    }

    fn take(&mut self, part: &IdedExpr, scope: &Scope) {
        if let Some((left, right)) = operands(part, "_&&_") {
            self.take(left, scope);
            self.take(right, scope);
        } else if constants::truth(part) == Some(true) {
            // Nothing to ask.
        } else if let Some(term) = condition(part, scope) {
            self.terms.push(term);
        } else {
            self.exact = false;
        }
    }
}

/// Both sides of a binary operator.
fn operands<'e>(part: &'e IdedExpr, operator: &str) -> Option<(&'e IdedExpr, &'e IdedExpr)> {
    match &part.expr {
        Expr::Call(call) if call.func_name == operator => match call.args.as_slice() {
            [left, right] => Some((left, right)),
            _ => None,
        },
        _ => None,
    }
}

fn condition(part: &IdedExpr, scope: &Scope) -> Option<Condition> {
    if let Some((left, right)) = operands(part, "_||_") {
        return either(condition(left, scope)?, condition(right, scope)?);
    }
    if let Some((left, right)) = operands(part, "@in") {
        return membership(left, right, scope);
    }
    match &part.expr {
        Expr::Ident(_) => is(part, true, scope),
        Expr::Call(call) => match (
            call.func_name.as_str(),
            call.target.as_deref(),
            call.args.as_slice(),
        ) {
            ("!_", None, [part]) => is(part, false, scope),
            ("startsWith", Some(text), [prefix]) => {
                let field = field(text, scope).filter(|field| field.sort() == Sort::Text)?;
                let prefix = text_constant(prefix)?.to_owned();
                Some(Condition::Fixed(Term::Prefix { field, prefix }))
            }
            (operator, None, [left, right]) => {
                let how = Comparison::of(operator)?;
                comparison(left, how, right, scope).or_else(|| comparison(right, how.turned(), left, scope))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The field that a name stands for.
fn field(part: &IdedExpr, scope: &Scope) -> Option<Field> {
    match &part.expr {
        Expr::Ident(name) => scope.get(name)?.field,
        _ => None,
    }
}

fn is(part: &IdedExpr, truth: bool, scope: &Scope) -> Option<Condition> {
    let field = field(part, scope).filter(|field| field.sort() == Sort::Truth)?;
    Some(Condition::Fixed(Term::Is { field, truth }))
}

fn one_of(field: Field, texts: impl IntoIterator<Item = String>) -> Condition {
    let texts = texts.into_iter().collect();
    Condition::Fixed(Term::OneOf { field, texts })
}

/// `kind in ["task", "issue"]`, `"urgent" in tags`.
fn membership(element: &IdedExpr, list: &IdedExpr, scope: &Scope) -> Option<Condition> {
    if let Some(field) = field(element, scope).filter(|field| field.sort() == Sort::Text) {
        let texts = constants::texts(list)?;
        return Some(one_of(field, texts.into_iter().map(str::to_owned)));
    }
    let field = field(list, scope).filter(|field| field.sort() == Sort::Texts)?;
    let texts = BTreeSet::from([text_constant(element)?.to_owned()]);
    Some(Condition::Fixed(Term::Contains { field, texts }))
}

/// A field compared with a constant.
fn comparison(left: &IdedExpr, how: Comparison, right: &IdedExpr, scope: &Scope) -> Option<Condition> {
    let field = field(left, scope)?;
    match field.sort() {
        Sort::Text if how == Comparison::Equal => Some(one_of(field, [text_constant(right)?.to_owned()])),
        Sort::Truth if how == Comparison::Equal => {
            let truth = constants::truth(right)?;
            Some(Condition::Fixed(Term::Is { field, truth }))
        }
        Sort::Number => {
            let number = constants::whole(right)?;
            Some(Condition::Fixed(how.range(field, number, number)))
        }
        Sort::Time => Some(Condition::Compared {
            field,
            how,
            with: constants::moment(right)?,
        }),
        Sort::Text | Sort::Truth | Sort::Texts => None,
    }
}

/// One or the other, when both ask the same field for texts.
fn either(left: Condition, right: Condition) -> Option<Condition> {
    let (Condition::Fixed(left), Condition::Fixed(right)) = (left, right) else {
        return None;
    };
    let joined = |mut texts: BTreeSet<String>, more: BTreeSet<String>| {
        texts.extend(more);
        texts
    };
    match (left, right) {
        (
            Term::OneOf { field, texts },
            Term::OneOf {
                field: other,
                texts: more,
            },
        ) if field == other => Some(one_of(field, joined(texts, more))),
        (
            Term::Contains { field, texts },
            Term::Contains {
                field: other,
                texts: more,
            },
        ) if field == other => {
            let texts = joined(texts, more);
            Some(Condition::Fixed(Term::Contains { field, texts }))
        }
        _ => None,
    }
}
