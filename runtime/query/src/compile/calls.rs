//! Functions, operators, and the constants that some of them are given.

use cel::{
    Context, IdedExpr, Value,
    common::ast::{CallExpr, Expr},
};
use worknode_core::bounds;

use super::{Checker, growth, text_constant};
use crate::{
    error::{QueryCode, QueryError},
    functions::{self, Function, Pattern},
    near::nearest,
    program::{Cost, pattern_name},
};

/// Texts or lists that one expression may put together: each copies all that were before it.
const MOST_JOINS: u32 = 16;

impl Checker<'_> {
    pub(super) fn call(&mut self, id: u64, call: &mut CallExpr, depth: usize) -> Result<Cost, QueryError> {
        let function = self.function(id, call)?;
        let mut cost = self.own_cost(id, function, call)?;
        if function.name == "matches" {
            self.read_pattern(id, call)?;
        }
        self.read_time(id, call)?;
        for part in call.target.as_deref_mut().into_iter().chain(&mut call.args) {
            cost = cost.plus(self.check(part, depth)?);
        }
        Ok(cost)
    }

    /// The function that is called, when it exists and is called as it should be.
    fn function(&self, id: u64, call: &CallExpr) -> Result<&'static Function, QueryError> {
        let name = call.func_name.as_str();
        let count = call.args.len();
        let fits = |range: Option<(usize, usize)>| {
            range.is_some_and(|(least, most)| (least..=most).contains(&count))
        };
        let Some(function) = functions::find(name) else {
            return Err(self.unknown_function(id, name));
        };
        let (asked, other) = match call.target {
            Some(_) => (function.behind, function.alone),
            None => (function.alone, function.behind),
        };
        if fits(asked) {
            return Ok(function);
        }
        let message = format!("`{name}` is not called like this");
        let error = self.refuse(id, QueryCode::UnknownFunction, message);
        Err(match (asked.is_none() && other.is_some(), function.behind) {
            (true, None) => error.hint(format!("write `{name}(x)`")),
            (_, Some((0, 0))) => error.hint(format!("write `x.{name}()`")),
            (_, Some(_)) => error.hint(format!("write `x.{name}(y)`")),
            (false, None) => error.hint(format!("write `{name}(x)`")),
        })
    }

    fn unknown_function(&self, id: u64, name: &str) -> QueryError {
        if functions::MACROS.contains(&name) {
            let message = format!("`{name}` is not called like this");
            let hint = match name {
                "has" => "write `has(x.y)`".to_owned(),
                name => format!("write `list.{name}(x, ..)`"),
            };
            return self.refuse(id, QueryCode::UnknownFunction, message).hint(hint);
        }
        let message = format!("there is no function `{name}`");
        let error = self.refuse(id, QueryCode::UnknownFunction, message);
        match nearest(name, functions::callable()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => {
                let all: Vec<&str> = functions::callable().collect();
                error.hint(format!("there are: {}", all.join(", ")))
            }
        }
    }

    /// What the function itself costs, its arguments not counted.
    fn own_cost(&mut self, id: u64, function: &Function, call: &CallExpr) -> Result<Cost, QueryError> {
        let with_constant = call.args.iter().any(|part| self.is_small(part));
        let operands = || call.target.as_deref().into_iter().chain(&call.args);
        let of_elements = operands()
            .filter(|part| !self.is_small(part))
            .all(|part| self.is_element(part));
        let plain = scanning(function, of_elements);
        Ok(match function.name {
            // Against a constant the reading ends with the constant at the latest.
            "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_" | "startsWith" | "endsWith"
                if with_constant =>
            {
                Cost::steps(1)
            }
            "@in" if call.args.get(1).is_some_and(growth::is_constant) => Cost::steps(2),
            "_+_" if growth::is_number_sum(call) => Cost::steps(1),
            "_+_" => {
                self.may_join(id)?;
                Cost {
                    copies: self.joins,
                    ..plain
                }
            }
            _ => plain,
        })
    }

    fn may_join(&mut self, id: u64) -> Result<(), QueryError> {
        self.joins = self.joins.saturating_add(1);
        let message = if self.loop_depth > 0 {
            "inside a loop nothing can be put together with `+`, except numbers that are written out"
        } else if self.joins > MOST_JOINS {
            "too much is put together with `+`"
        } else {
            return Ok(());
        };
        Err(self.refuse(id, QueryCode::TooComplex, message))
    }

    /// Reads the pattern once and for all.
    fn read_pattern(&mut self, id: u64, call: &mut CallExpr) -> Result<(), QueryError> {
        let Some(last) = call.args.pop() else {
            return Ok(());
        };
        let Some(text) = text_constant(&last) else {
            let message = "the pattern of `matches` must be written out";
            return Err(self.refuse(last.id, QueryCode::BadConstant, message));
        };
        if self.patterns.len() >= bounds::EXPRESSION_PATTERNS {
            let message = format!("at most {} patterns are allowed", bounds::EXPRESSION_PATTERNS);
            return Err(self.refuse(id, QueryCode::TooComplex, message));
        }
        let regex = regex::RegexBuilder::new(text)
            .size_limit(bounds::PATTERN)
            .dfa_size_limit(bounds::PATTERN)
            .build()
            .map_err(|error| self.bad_pattern(last.id, &error))?;
        let name = pattern_name(self.patterns.len());
        self.patterns.push(Pattern(regex));
        functions::MATCHES.clone_into(&mut call.func_name);
        call.args.extend(call.target.take().map(|text| *text));
        call.args.push(IdedExpr {
            id: last.id,
            expr: Expr::Ident(name),
        });
        Ok(())
    }

    fn bad_pattern(&self, id: u64, error: &regex::Error) -> QueryError {
        match error {
            regex::Error::CompiledTooBig(_) => {
                self.refuse(id, QueryCode::TooComplex, "the pattern is too large")
            }
            error => {
                // Its last line says what, the lines before it where.
                let text = error.to_string();
                let what = text.lines().last().unwrap_or_default();
                let what = what.strip_prefix("error: ").unwrap_or(what).to_owned();
                self.refuse(id, QueryCode::BadConstant, format!("this is no pattern: {what}"))
            }
        }
    }

    /// Refuses an instant or a length of time that is written out and wrong.
    fn read_time(&self, id: u64, call: &CallExpr) -> Result<(), QueryError> {
        let name = call.func_name.as_str();
        let ("timestamp" | "duration", [argument]) = (name, call.args.as_slice()) else {
            return Ok(());
        };
        let Some(text) = text_constant(argument) else {
            return Ok(());
        };
        let whole = IdedExpr {
            id,
            expr: Expr::Call(call.clone()),
        };
        let context = Context::with_env(functions::environment().clone());
        if Value::resolve_val(&whole, &context).is_ok() {
            return Ok(());
        }
        let (what, hint) = match name {
            "duration" => (
                "a length of time",
                "units are h, m, s and ms, as in `duration(\"1h30m\")`; a week is `168h`",
            ),
            _ => (
                "an instant",
                "with date, time and offset, as in `timestamp(\"2026-12-01T18:00:00+01:00\")`",
            ),
        };
        let message = format!("`{text}` is not {what}");
        Err(self
            .refuse(argument.id, QueryCode::BadConstant, message)
            .hint(hint))
    }
}

/// What a function costs that reads all of what it is given.
fn scanning(function: &Function, of_elements: bool) -> Cost {
    if of_elements {
        Cost {
            element_scans: function.scans,
            ..Cost::steps(1)
        }
    } else {
        Cost {
            scans: function.scans,
            ..Cost::steps(1)
        }
    }
}
