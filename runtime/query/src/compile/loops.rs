//! Loops: `exists`, `all`, `exists_one`, `filter` and `map`.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue},
};
use worknode_core::bounds;

use super::{Checker, Local, growth};
use crate::{
    error::{QueryCode, QueryError},
    program::{Cost, loop_name},
};

impl Checker<'_> {
    /// Checks a loop, and has it ask for its budget before each turn.
    pub(super) fn comprehension(
        &mut self,
        id: u64,
        comprehension: &mut ComprehensionExpr,
        depth: usize,
    ) -> Result<Cost, QueryError> {
        let element = element_cost(&comprehension.iter_range, self.source.len());
        let entered = self.check(&mut comprehension.iter_range, depth)?;
        if self.loop_depth >= bounds::EXPRESSION_LOOPS {
            let message = format!(
                "at most {} loops may stand in each other",
                bounds::EXPRESSION_LOOPS
            );
            return Err(self.refuse(id, QueryCode::TooComplex, message));
        }
        self.locals.push(Local {
            name: comprehension.iter_var.clone(),
            is_element: element.copies == 0,
        });
        self.loop_depth = self.loop_depth.saturating_add(1);
        let turn = self.turn(comprehension, depth);
        self.loop_depth = self.loop_depth.saturating_sub(1);
        self.locals.pop();

        // The interpreter keeps names and compares types anew in each turn.
        const OVERHEAD: u32 = 3;
        let turn = turn?.plus(element).plus(Cost::steps(OVERHEAD));
        ask_before_each_turn(comprehension, &loop_name(self.loops.len()));
        self.loops.push(turn);
        Ok(entered.plus(Cost::steps(OVERHEAD)))
    }

    /// What one turn costs.
    fn turn(&mut self, comprehension: &mut ComprehensionExpr, depth: usize) -> Result<Cost, QueryError> {
        let Some(growth::Appends { guard, taken }) = growth::appends(comprehension) else {
            let condition = self.check(&mut comprehension.loop_cond, depth)?;
            let step = self.check(&mut comprehension.loop_step, depth)?;
            let result = self.check(&mut comprehension.result, depth)?;
            return Ok(condition.plus(step).plus(result));
        };
        if growth::builds(taken) {
            let message = "`map` cannot make a list or map of each element";
            return Err(self.refuse(taken.id, QueryCode::TooComplex, message));
        }
        // A list of what the loop was given is no larger than that; anything else may be.
        let same = matches!(&taken.expr, Expr::Ident(name) if *name == comprehension.iter_var);
        let copied = Cost {
            copies: u32::from(!same && !gives_a_scalar(taken)),
            ..Cost::default()
        };
        let guarded = guard.is_some();
        let mut cost = copied;
        if guarded && let Some(guard) = growth::first_evaluated(comprehension) {
            cost = cost.plus(self.check(guard, depth)?);
        }
        if let Some(taken) = taken_part(comprehension, guarded) {
            cost = cost.plus(self.check(taken, depth)?);
        }
        Ok(cost)
    }
}

/// What copying one element of `range` costs.
fn element_cost(range: &IdedExpr, source: usize) -> Cost {
    let copies = |copies| Cost {
        copies,
        ..Cost::default()
    };
    match &range.expr {
        Expr::Ident(_) | Expr::Select(_) => Cost {
            elements: 1,
            ..Cost::default()
        },
        Expr::List(_) | Expr::Map(_) if growth::is_constant(range) => {
            // No element is longer than the text that it is written in.
            Cost::steps(
                u32::try_from(source / 32)
                    .unwrap_or(u32::MAX)
                    .min(flat_cost(range)),
            )
        }
        Expr::Comprehension(inner) => kept_cost(inner, source),
        _ => copies(1),
    }
}

/// The same of what a loop that filters or maps gives.
fn kept_cost(inner: &ComprehensionExpr, source: usize) -> Cost {
    match growth::appends(inner) {
        Some(growth::Appends { taken, .. }) if matches!(&taken.expr, Expr::Ident(name) if *name == inner.iter_var) => {
            element_cost(&inner.iter_range, source)
        }
        Some(growth::Appends { taken, .. }) if gives_a_scalar(taken) => Cost::steps(1),
        _ => Cost {
            copies: 1,
            ..Cost::default()
        },
    }
}

/// One step for elements that are no lists or maps themselves.
fn flat_cost(range: &IdedExpr) -> u32 {
    let nested = |part: &IdedExpr| !matches!(part.expr, Expr::Literal(_));
    match &range.expr {
        Expr::List(list) if list.elements.iter().any(nested) => u32::MAX,
        _ => 1,
    }
}

/// Gives a number, a truth or an instant, whatever the facts are.
fn gives_a_scalar(part: &IdedExpr) -> bool {
    match &part.expr {
        Expr::Literal(literal) => !matches!(literal, LiteralValue::String(_) | LiteralValue::Bytes(_)),
        Expr::Call(call) => !matches!(call.func_name.as_str(), "_?_:_" | "_+_" | "_[_]" | "string"),
        Expr::Comprehension(comprehension) => growth::appends(comprehension).is_none(),
        _ => false,
    }
}

fn taken_part(comprehension: &mut ComprehensionExpr, guarded: bool) -> Option<&mut IdedExpr> {
    let Expr::Call(step) = &mut comprehension.loop_step.expr else {
        return None;
    };
    let sum = if guarded {
        match step.args.get_mut(1).map(|sum| &mut sum.expr) {
            Some(Expr::Call(sum)) => sum,
            _ => return None,
        }
    } else {
        step
    };
    match sum.args.get_mut(1).map(|list| &mut list.expr) {
        Some(Expr::List(list)) => list.elements.first_mut(),
        _ => None,
    }
}

/// Rewrites `part` to `@loop0 ? part : false`, where the loop evaluates it first in each turn.
fn ask_before_each_turn(comprehension: &mut ComprehensionExpr, name: &str) {
    let collects = growth::appends(comprehension).is_some();
    let part = if collects {
        growth::first_evaluated(comprehension)
    } else {
        Some(&mut comprehension.loop_cond)
    };
    let Some(part) = part else {
        return;
    };
    let id = part.id;
    let plain = |expr| IdedExpr { id, expr };
    let asked = std::mem::take(part);
    *part = plain(Expr::Call(CallExpr {
        func_name: "_?_:_".to_owned(),
        target: None,
        args: vec![
            plain(Expr::Ident(name.to_owned())),
            asked,
            plain(Expr::Literal(LiteralValue::Boolean(false.into()))),
        ],
    }));
}
