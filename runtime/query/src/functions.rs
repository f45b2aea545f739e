//! The functions and operators that there are, and what each costs.
//!
//! The interpreter knows more. What is not listed here is refused when an expression is
//! compiled: either nobody needs it, or nobody can say what it costs.

use std::sync::{Arc, LazyLock};

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelString, CelTimestamp, STRING_TYPE, TIMESTAMP_TYPE, Type},
        value::{CowVal, StaticVal, Val},
    },
};

/// What a function gives, as far as that is known without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    Truth,
    Number,
    Text,
    Moment,
    /// A number, an instant, text or a list, and certainly not a truth.
    Sum,
    Unknown,
}

impl Gives {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Moment => "an instant or a length of time",
            Self::Sum => "a sum or a difference",
            Self::Unknown => "any value",
        }
    }
}

/// A function or an operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// How many arguments it has behind a dot, `x.f(…)`; `None`: it is not called so.
    pub(crate) behind: Option<(usize, usize)>,
    /// How many it has alone, `f(x, …)`.
    pub(crate) alone: Option<(usize, usize)>,
    pub(crate) gives: Gives,
    /// How often it reads a whole text or list.
    pub(crate) scans: u32,
}

const fn operator(name: &'static str, arguments: usize, gives: Gives, scans: u32) -> Function {
    Function {
        name,
        behind: None,
        alone: Some((arguments, arguments)),
        gives,
        scans,
    }
}

const fn method(name: &'static str, least: usize, most: usize, gives: Gives, scans: u32) -> Function {
    Function {
        name,
        behind: Some((least, most)),
        alone: None,
        gives,
        scans,
    }
}

const fn function(name: &'static str, gives: Gives, scans: u32) -> Function {
    operator(name, 1, gives, scans)
}

const FUNCTIONS: &[Function] = &[
    operator("_&&_", 2, Gives::Truth, 0),
    operator("_||_", 2, Gives::Truth, 0),
    operator("!_", 1, Gives::Truth, 0),
    operator("@not_strictly_false", 1, Gives::Truth, 0),
    operator("_==_", 2, Gives::Truth, 1),
    operator("_!=_", 2, Gives::Truth, 1),
    operator("_<_", 2, Gives::Truth, 1),
    operator("_<=_", 2, Gives::Truth, 1),
    operator("_>_", 2, Gives::Truth, 1),
    operator("_>=_", 2, Gives::Truth, 1),
    operator("@in", 2, Gives::Truth, 2),
    operator("_+_", 2, Gives::Sum, 4),
    operator("_-_", 2, Gives::Sum, 0),
    operator("_*_", 2, Gives::Number, 0),
    operator("_/_", 2, Gives::Number, 0),
    operator("_%_", 2, Gives::Number, 0),
    operator("-_", 1, Gives::Number, 0),
    operator("_[_]", 2, Gives::Unknown, 1),
    operator("_?_:_", 3, Gives::Unknown, 0),
    Function {
        name: "size",
        behind: Some((0, 0)),
        alone: Some((1, 1)),
        gives: Gives::Number,
        scans: 1,
    },
    method("contains", 1, 1, Gives::Truth, 8),
    method("startsWith", 1, 1, Gives::Truth, 1),
    method("endsWith", 1, 1, Gives::Truth, 1),
    Function {
        name: "matches",
        behind: Some((1, 1)),
        alone: Some((2, 2)),
        gives: Gives::Truth,
        scans: 64,
    },
    function("string", Gives::Text, 1),
    function("int", Gives::Number, 1),
    function("uint", Gives::Number, 1),
    function("double", Gives::Number, 1),
    function("bool", Gives::Truth, 1),
    function("timestamp", Gives::Moment, 1),
    function("duration", Gives::Moment, 1),
    function("day", Gives::Text, 1),
    method("getFullYear", 0, 1, Gives::Number, 1),
    method("getMonth", 0, 1, Gives::Number, 1),
    method("getDate", 0, 1, Gives::Number, 1),
    method("getDayOfMonth", 0, 1, Gives::Number, 1),
    method("getDayOfWeek", 0, 1, Gives::Number, 1),
    method("getDayOfYear", 0, 1, Gives::Number, 1),
    method("getHours", 0, 1, Gives::Number, 1),
    method("getMinutes", 0, 1, Gives::Number, 1),
    method("getSeconds", 0, 1, Gives::Number, 1),
    method("getMilliseconds", 0, 1, Gives::Number, 1),
];

/// What the parser turns into something else before anybody sees it as a call.
pub(crate) const MACROS: &[&str] = &["has", "all", "exists", "exists_one", "existsOne", "map", "filter"];

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The names that can be written as a call.
pub(crate) fn callable() -> impl Iterator<Item = &'static str> {
    let plain = |name: &&str| name.starts_with(|c: char| c.is_ascii_alphabetic());
    FUNCTIONS
        .iter()
        .map(|function| function.name)
        .filter(plain)
        .chain(MACROS.iter().copied())
}

/// A pattern that was read when its expression was compiled: the interpreter on its own would
/// read it again at each evaluation.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) regex::Regex);

static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// The name under which `matches` is called once its pattern is read.
pub(crate) const MATCHES: &str = "@matches";

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = args.first().and_then(|text| text.downcast_ref::<CelString<'_>>());
    let pattern = args.get(1).and_then(|pattern| pattern.downcast_ref::<Pattern>());
    match (text, pattern) {
        (Some(text), Some(pattern)) => Ok(CowVal::owned(CelBool::from(pattern.0.is_match(text.inner())))),
        _ => Err(ExecutionError::missing_argument_or_target()),
    }
}

/// The day of an instant in UTC, as in `2026-11-21`: what statistics are grouped by.
fn day<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let time = args.first().and_then(|time| time.downcast_ref::<CelTimestamp>());
    let time = time.ok_or_else(ExecutionError::missing_argument_or_target)?;
    let day = time.inner().with_timezone(&chrono::Utc).date_naive();
    Ok(CowVal::owned(CelString::from(day.to_string())))
}

/// The interpreter with the functions above.
pub(crate) fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib().with_optional_support(false);
        // Neither name is taken; were one, its calls would fail, and a test would notice.
        let _ = env.add_overload(
            MATCHES,
            "matches_pattern",
            vec![STRING_TYPE, PATTERN_TYPE.to_owned()],
            matches,
        );
        let _ = env.add_overload("day", "day_timestamp", vec![TIMESTAMP_TYPE], day);
        Arc::new(env)
    });
    &ENVIRONMENT
}
