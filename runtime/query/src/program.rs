//! An expression that has passed all checks, and how it is evaluated within its bounds.
//!
//! The interpreter has no budget, so that the expression itself is made to ask for one: each
//! loop is rewritten to read a name (`@loop0`) before each of its turns, and whoever resolves
//! that name counts. When the budget is used up the name is not there, which ends the loop, and
//! whatever came out is thrown away. What is outside of loops is paid for at the beginning.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use cel::{
    Context, ExecutionError, IdedExpr, Value,
    common::{
        types::{CelBool, CelNull},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};
use worknode_core::bounds;

use crate::{
    error::EvalError,
    fact::Size,
    facts::Facts,
    functions::{self, Pattern},
};

/// What something costs, before it is known on which facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Operations.
    pub(crate) steps: u32,
    /// Texts and lists that are read from end to end.
    pub(crate) scans: u32,
    /// Elements of lists that are read from end to end.
    pub(crate) element_scans: u32,
    /// Elements of lists that are copied.
    pub(crate) elements: u32,
    /// Values of any size that are copied.
    pub(crate) copies: u32,
}

impl Cost {
    pub(crate) const fn steps(steps: u32) -> Self {
        Self {
            steps,
            scans: 0,
            element_scans: 0,
            elements: 0,
            copies: 0,
        }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(other.steps),
            scans: self.scans.saturating_add(other.scans),
            element_scans: self.element_scans.saturating_add(other.element_scans),
            elements: self.elements.saturating_add(other.elements),
            copies: self.copies.saturating_add(other.copies),
        }
    }

    /// In steps, on facts of that size. Reading is fast, and copying is an allocation for every
    /// value: hence the two divisors, measured against the time of one step.
    fn on(self, size: Size) -> i64 {
        let units = |count: u32, bytes: usize, per_step: usize| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            count.saturating_mul(bytes).div_ceil(per_step)
        };
        let steps = units(self.steps, 1, 1)
            .saturating_add(units(self.scans, size.bytes, 256))
            .saturating_add(units(self.element_scans, size.element, 256))
            .saturating_add(units(self.elements, size.element, 32))
            .saturating_add(units(self.copies, size.bytes, 32));
        i64::try_from(steps).unwrap_or(i64::MAX)
    }
}

/// A checked expression.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    inner: Arc<Inner>,
}

/// What a program consists of.
#[derive(Debug)]
pub(crate) struct Inner {
    /// The text that it comes from.
    pub(crate) source: Box<str>,
    /// The checked and rewritten expression.
    pub(crate) expression: IdedExpr,
    /// What is outside of loops costs.
    pub(crate) base: Cost,
    /// What one turn of each loop costs.
    pub(crate) loops: Vec<Cost>,
    /// The patterns in it.
    pub(crate) patterns: Vec<Pattern>,
    /// The names of the scope that it uses.
    pub(crate) used: BTreeSet<String>,
}

/// The name that the loop of that number reads before each turn.
pub(crate) fn loop_name(number: usize) -> String {
    format!("{LOOP}{number}")
}

/// The name of the pattern of that number.
pub(crate) fn pattern_name(number: usize) -> String {
    format!("{PATTERN}{number}")
}

// No name that can be written begins with this sign.
const LOOP: &str = "@loop";
const PATTERN: &str = "@pattern";

impl Program {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn uses(&self, name: &str) -> bool {
        self.inner.used.contains(name)
    }

    pub(crate) fn source(&self) -> &str {
        &self.inner.source
    }

    /// Evaluates on `facts` and hands the value to `read`.
    pub(crate) fn evaluate<T>(
        &self,
        facts: &Facts,
        read: impl FnOnce(&dyn Val) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let size = facts.size();
        let budget = i64::from(bounds::EXPRESSION_STEPS).saturating_sub(self.inner.base.on(size));
        let too_costly = EvalError::TooCostly {
            limit: bounds::EXPRESSION_STEPS,
        };
        if budget < 0 {
            return Err(too_costly);
        }
        let meter = Meter {
            program: &self.inner,
            facts,
            size,
            left: AtomicI64::new(budget),
        };
        let mut context = Context::with_env(functions::environment().clone());
        context.set_variable_resolver(&meter);
        let value = Value::resolve_val(&self.inner.expression, &context);
        if meter.is_empty() {
            return Err(too_costly);
        }
        match value {
            Ok(value) => read(&*value),
            Err(error) => Err(eval_error(&error)),
        }
    }

    pub(crate) fn truth(&self, facts: &Facts) -> Result<bool, EvalError> {
        self.evaluate(facts, |value| match value.downcast_ref::<CelBool>() {
            Some(truth) => Ok(*truth.inner()),
            None if is_null(value) => Err(absent("a condition that is `null`")),
            None => Err(EvalError::NotACondition {
                got: value.get_type().name().to_owned(),
            }),
        })
    }
}

/// Resolves the names of one evaluation, and counts what it costs.
#[derive(Debug)]
struct Meter<'a> {
    program: &'a Inner,
    facts: &'a Facts,
    size: Size,
    // Counted by one thread alone; the interpreter asks for a type that could be shared.
    left: AtomicI64,
}

impl Meter<'_> {
    fn is_empty(&self) -> bool {
        self.left.load(Ordering::Relaxed) < 0
    }

    /// One turn of the loop of that number.
    fn turn(&self, number: usize) -> Option<bool> {
        let cost = self.program.loops.get(number)?.on(self.size);
        let left = self.left.load(Ordering::Relaxed).saturating_sub(cost);
        self.left.store(left, Ordering::Relaxed);
        (left >= 0).then_some(true)
    }
}

static TRUE: CelBool = CelBool::TRUE;
static NULL: CelNull = CelNull;

impl VariableResolver for Meter<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(fact) = self.facts.get(name) {
            return Some(CowVal::Borrowed(fact.as_val()));
        }
        if let Some(number) = name.strip_prefix(LOOP) {
            return self
                .turn(number.parse().ok()?)
                .map(|_| CowVal::Borrowed(&TRUE as &dyn Val));
        }
        if let Some(number) = name.strip_prefix(PATTERN) {
            let pattern = self.program.patterns.get(number.parse::<usize>().ok()?)?;
            return Some(CowVal::Borrowed(pattern));
        }
        // The name was checked, so that its value is not there. With dots in it, it is not a
        // name but a path, which the interpreter tries in one piece first.
        (!name.contains('.')).then(|| CowVal::Borrowed(&NULL as &dyn Val))
    }
}

fn is_null(value: &dyn Val) -> bool {
    value.downcast_ref::<CelNull>().is_some()
}

fn absent(what: &str) -> EvalError {
    EvalError::Absent {
        what: what.to_owned(),
    }
}

/// The name of the type of what is not there.
const NULL_TYPE: &str = "null_type";

fn eval_error(error: &ExecutionError) -> EvalError {
    use ExecutionError as E;
    if let Some(asked) = asked_of_null(error) {
        return absent(&asked);
    }
    match error {
        E::NoSuchKey(name) | E::UndeclaredReference(name) => absent(&format!("`{}`", shortened(name))),
        E::IndexOutOfBounds(_) => absent("an element at that place of the list"),
        E::UnsupportedBinaryOperator(operator, left, right) => EvalError::Mistake {
            message: format!(
                "`{operator}` does not work on {} and {}",
                left.type_of(),
                right.type_of()
            ),
        },
        other => EvalError::Mistake {
            message: shortened(&other.to_string()).to_owned(),
        },
    }
}

/// What was asked of nothing, when the error is that: the fact is absent, the expression is right.
fn asked_of_null(error: &ExecutionError) -> Option<String> {
    use ExecutionError as E;
    let is_null = |value: &Value| matches!(value, Value::Null);
    match error {
        E::NoSuchOverload(overload) if overload.argument_types().iter().any(|t| t == NULL_TYPE) => {
            Some(format!("`{}` was asked of `null`", overload.function()))
        }
        E::UnexpectedType { got, .. } if got == NULL_TYPE => {
            Some("a list or record that is `null`".to_owned())
        }
        E::UnsupportedBinaryOperator(operator, left, right) if is_null(left) || is_null(right) => {
            Some(format!("`{operator}` was asked of `null`"))
        }
        _ => None,
    }
}

/// The interpreter's messages may show whole values.
fn shortened(text: &str) -> &str {
    const LONGEST: usize = 200;
    text.char_indices()
        .nth(LONGEST)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}
