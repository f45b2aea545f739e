//! What could let a value grow beyond what it comes from.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, MapExpr},
};

/// Written out in full: the same whatever the facts are.
pub(crate) fn is_constant(part: &IdedExpr) -> bool {
    match &part.expr {
        Expr::Literal(_) => true,
        Expr::List(list) => list.elements.iter().all(is_constant),
        Expr::Map(map) => entries(map).all(is_constant),
        Expr::Call(call) => call.func_name == "-_" && call.args.iter().all(is_constant),
        _ => false,
    }
}

/// The keys and values of a map that is written out.
pub(super) fn entries(map: &MapExpr) -> impl Iterator<Item = &IdedExpr> {
    map.entries
        .iter()
        .flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => [Some(&entry.key), Some(&entry.value)],
            EntryExpr::StructField(field) => [Some(&field.value), None],
        })
        .flatten()
}

/// The keys and values of a map that is written out.
pub(super) fn entries_mut(map: &mut MapExpr) -> impl Iterator<Item = &mut IdedExpr> {
    map.entries
        .iter_mut()
        .flat_map(|entry| match &mut entry.expr {
            EntryExpr::MapEntry(entry) => [Some(&mut entry.key), Some(&mut entry.value)],
            EntryExpr::StructField(field) => [Some(&mut field.value), None],
        })
        .flatten()
}

/// Gives a list or map that is made here, and not one of the facts.
pub(super) fn builds(part: &IdedExpr) -> bool {
    match &part.expr {
        Expr::List(_) | Expr::Map(_) => true,
        Expr::Comprehension(comprehension) => appends(comprehension).is_some(),
        Expr::Select(select) => builds(&select.operand),
        Expr::Call(call) => match call.func_name.as_str() {
            "_?_:_" | "_+_" => call.args.iter().any(builds),
            "_[_]" => call.args.first().is_some_and(builds),
            _ => false,
        },
        Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) | Expr::Unspecified => false,
    }
}

/// A sum that cannot be of texts or lists: one side is certainly a number or a length of time.
pub(super) fn is_number_sum(call: &CallExpr) -> bool {
    call.args.iter().any(is_number)
}

fn is_number(part: &IdedExpr) -> bool {
    match &part.expr {
        Expr::Literal(literal) => matches!(
            literal,
            LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)
        ),
        Expr::Call(call) => match call.func_name.as_str() {
            "size" | "int" | "uint" | "double" | "duration" | "timestamp" | "_-_" | "_*_" | "_/_" | "_%_"
            | "-_" => true,
            "_+_" => is_number_sum(call),
            _ => false,
        },
        _ => false,
    }
}

/// A loop that collects a list: `filter` and `map`.
pub(super) struct Appends<'e> {
    /// The condition under which an element is taken.
    pub(super) guard: Option<&'e IdedExpr>,
    /// What is taken.
    pub(super) taken: &'e IdedExpr,
}

pub(super) fn appends(comprehension: &ComprehensionExpr) -> Option<Appends<'_>> {
    if !matches!(comprehension.loop_cond.expr, Expr::Literal(_)) {
        return None;
    }
    let Expr::Call(step) = &comprehension.loop_step.expr else {
        return None;
    };
    match (step.func_name.as_str(), step.args.as_slice()) {
        ("_+_", [_, list]) => Some(Appends {
            guard: None,
            taken: only_element(list)?,
        }),
        ("_?_:_", [guard, sum, _]) => match &sum.expr {
            Expr::Call(sum) if sum.func_name == "_+_" => Some(Appends {
                guard: Some(guard),
                taken: only_element(sum.args.get(1)?)?,
            }),
            _ => None,
        },
        _ => None,
    }
}

fn only_element(list: &IdedExpr) -> Option<&IdedExpr> {
    match &list.expr {
        Expr::List(list) => list.elements.first().filter(|_| list.elements.len() == 1),
        _ => None,
    }
}

/// The part of a collecting loop that is evaluated first in each turn.
pub(super) fn first_evaluated(comprehension: &mut ComprehensionExpr) -> Option<&mut IdedExpr> {
    let Expr::Call(step) = &mut comprehension.loop_step.expr else {
        return None;
    };
    match step.func_name.as_str() {
        "_?_:_" => step.args.first_mut(),
        _ => match step.args.get_mut(1).map(|list| &mut list.expr) {
            Some(Expr::List(list)) => list.elements.first_mut(),
            _ => None,
        },
    }
}
