//! Constants in conditions: texts, numbers, and instants that may hang on `now`.

use cel::{
    Context, IdedExpr, Value,
    common::{
        ast::{Expr, LiteralValue},
        types::{CelDuration, CelTimestamp},
    },
};

use crate::{compile::text_constant, functions};

/// An instant in nanoseconds, counted from the Unix epoch or from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) nanos: i128,
    pub(crate) from_now: bool,
}

/// The texts in a list that is written out; `None` when there is anything else in it.
pub(crate) fn texts(part: &IdedExpr) -> Option<Vec<&str>> {
    match &part.expr {
        Expr::List(list) => list.elements.iter().map(text_constant).collect(),
        _ => None,
    }
}

/// A whole number that is written out.
pub(crate) fn whole(part: &IdedExpr) -> Option<i64> {
    match &part.expr {
        Expr::Literal(LiteralValue::Int(whole)) => Some(*whole.inner()),
        Expr::Call(call) if call.func_name == "-_" => whole(call.args.first()?)?.checked_neg(),
        _ => None,
    }
}

/// True or false, written out.
pub(crate) fn truth(part: &IdedExpr) -> Option<bool> {
    match &part.expr {
        Expr::Literal(LiteralValue::Boolean(truth)) => Some(*truth.inner()),
        _ => None,
    }
}

/// `timestamp("…")`, `now`, and either moved by constant lengths of time.
pub(crate) fn moment(part: &IdedExpr) -> Option<Moment> {
    let moment = match &part.expr {
        Expr::Ident(name) if name == "now" => Moment {
            nanos: 0,
            from_now: true,
        },
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            ("timestamp", [_]) => Moment {
                nanos: instant(part)?,
                from_now: false,
            },
            ("_+_", [start, by]) => moved(moment(start)?, length(by)?),
            ("_-_", [start, by]) => moved(moment(start)?, length(by)?.checked_neg()?),
            _ => return None,
        },
        _ => return None,
    };
    // Within what the interpreter can represent, whatever the present instant is: an evaluation
    // that fails and an index that answers would differ.
    const CENTURY: i128 = 100 * 366 * 86_400 * 1_000_000_000;
    let sound = !moment.from_now || moment.nanos.abs() <= CENTURY;
    sound.then_some(moment)
}

fn moved(start: Moment, by: i128) -> Moment {
    Moment {
        nanos: start.nanos.saturating_add(by),
        ..start
    }
}

fn instant(part: &IdedExpr) -> Option<i128> {
    let context = Context::with_env(functions::environment().clone());
    constant_argument(part)?;
    let value = Value::resolve_val(part, &context).ok()?;
    let time = value.downcast_ref::<CelTimestamp>()?.inner();
    let whole = i128::from(time.timestamp()).checked_mul(1_000_000_000)?;
    whole.checked_add(i128::from(time.timestamp_subsec_nanos()))
}

fn length(part: &IdedExpr) -> Option<i128> {
    let context = Context::with_env(functions::environment().clone());
    constant_argument(part)?;
    let value = Value::resolve_val(part, &context).ok()?;
    let span = value.downcast_ref::<CelDuration>()?;
    span.inner().num_nanoseconds().map(i128::from)
}

/// Only `f("…")` is evaluated here: it needs nothing but itself.
fn constant_argument(part: &IdedExpr) -> Option<()> {
    match &part.expr {
        Expr::Call(call) if call.target.is_none() => match call.args.as_slice() {
            [argument] => text_constant(argument).map(|_| ()),
            _ => None,
        },
        _ => None,
    }
}
