//! From text to a checked program.
//!
//! What is checked, and refused with its place: length; names; functions and how they are
//! called; constants (patterns, instants, lengths of time); how large, how deep and how deeply
//! looped the expression is; and what could let values grow: nothing may be joined or put
//! together inside a loop, so that no value is larger than the facts and the expression that it
//! comes from. What each loop costs is handed to the program, which counts.

use std::{borrow::Cow, collections::BTreeSet};

use cel::{
    IdedExpr, ParseErrors,
    common::ast::{Expr, LiteralValue, SourceInfo},
};
use worknode_core::bounds;

use crate::{
    error::{Place, QueryCode, QueryError},
    functions::{self, Pattern},
    program::{Cost, Inner, Program},
    scope::Scope,
    signs::outside_text,
};

mod calls;
mod growth;
mod loops;
mod names;

/// A checked program, and its expression as it was written.
pub(crate) struct Compiled {
    pub(crate) program: Program,
    pub(crate) written: IdedExpr,
}

pub(crate) fn compile(source: &str, scope: &Scope) -> Result<Compiled, QueryError> {
    let (written, info) = parse(source)?;
    let mut checker = Checker {
        source,
        info,
        scope,
        locals: Vec::new(),
        parts: 0,
        joins: 0,
        loops: Vec::new(),
        loop_depth: 0,
        patterns: Vec::new(),
        used: BTreeSet::new(),
    };
    let mut expression = written.clone();
    let base = checker.check(&mut expression, 0)?;
    let Checker {
        loops,
        patterns,
        used,
        ..
    } = checker;
    let program = Program::new(Inner {
        source: source.into(),
        expression,
        base,
        loops,
        patterns,
        used,
    });
    Ok(Compiled { program, written })
}

fn parse(source: &str) -> Result<(IdedExpr, SourceInfo), QueryError> {
    if source.len() > bounds::EXPRESSION {
        let message = format!(
            "the expression has {} bytes; at most {} are allowed",
            source.len(),
            bounds::EXPRESSION
        );
        return Err(QueryError::new(QueryCode::TooComplex, message));
    }
    if source.trim().is_empty() {
        return Err(QueryError::new(QueryCode::Syntax, "the expression is empty"));
    }
    let read = || functions::environment().parser().parse_with_source_info(source);
    let parsed = if brackets(source)? <= FEW_BRACKETS {
        read()
    } else {
        on_a_stack_of_its_own(read)?
    };
    parsed.map_err(|errors| syntax_error(source, &errors))
}

/// So many brackets in each other are read on the caller's stack.
const FEW_BRACKETS: usize = 2;
/// The parser takes up to 200 KiB for each bracket within brackets, unoptimised. What is not
/// touched costs nothing.
const STACK: usize = 16 * 1024 * 1024;

/// Does `work` where no depth that is allowed exhausts the stack, whoever asks.
fn on_a_stack_of_its_own<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, QueryError> {
    let failed = |why: String| {
        let message = format!("the expression cannot be read: {why}");
        QueryError::new(QueryCode::TooComplex, message).hint("use fewer brackets within brackets")
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| failed(error.to_string()))?;
        thread.join().map_err(|_| failed("the parser gave up".to_owned()))
    })
}

/// How deep brackets nest. Refuses what nests so deeply, or is a chain so long, that the parser
/// would need more of the stack than there is: it goes some levels down for every bracket, and
/// one for every other sign counted here.
fn brackets(source: &str) -> Result<usize, QueryError> {
    let mut depth = 0_usize;
    let mut deepest = 0_usize;
    let mut run = 0_usize;
    for (at, c) in outside_text(source) {
        match c {
            '(' | '[' | '{' => depth = depth.saturating_add(1),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '.' | '?' => run = run.saturating_add(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        let message = if depth > bounds::EXPRESSION_BRACKETS {
            format!(
                "brackets nest too deeply; at most {} levels are allowed",
                bounds::EXPRESSION_BRACKETS
            )
        } else if run > bounds::EXPRESSION_PARTS {
            "the expression has too many parts".to_owned()
        } else {
            continue;
        };
        let place = Place::of_bytes(source, at, at.saturating_add(1));
        return Err(QueryError::new(QueryCode::TooComplex, message).at(Some(place)));
    }
    Ok(deepest)
}

fn too_deeply_nested() -> QueryError {
    let message = format!(
        "the expression nests too deeply; at most {} levels are allowed",
        bounds::EXPRESSION_DEPTH
    );
    QueryError::new(QueryCode::TooComplex, message)
}

fn syntax_error(source: &str, errors: &ParseErrors) -> QueryError {
    let Some(first) = errors.errors.first() else {
        return QueryError::new(QueryCode::Syntax, "this is no expression");
    };
    let text = first.msg.lines().next().unwrap_or_default();
    let text = text.strip_prefix("Syntax error: ").unwrap_or(text);
    let from_one = |number: isize| usize::try_from(number).unwrap_or(0).saturating_sub(1);
    let (line, column) = (from_one(first.pos.0), from_one(first.pos.1));
    let error = QueryError::new(QueryCode::Syntax, format!("this is no expression: {text}"))
        .at(Some(Place::of_line(source, line, column, 1)));
    let assigned = source
        .split('\n')
        .nth(line)
        .and_then(|text| text.chars().nth(column));
    if assigned == Some('=') {
        error.hint("`==` compares")
    } else {
        error
    }
}

/// The name that a loop gives to its elements.
struct Local {
    name: String,
    /// They are elements of a list of the facts, and not values that may be as large as all facts.
    is_element: bool,
}

/// The walk over the expression.
struct Checker<'a> {
    source: &'a str,
    info: SourceInfo,
    scope: &'a Scope,
    /// The names that the loops around here give to their elements, the innermost last.
    locals: Vec<Local>,
    parts: usize,
    /// Texts or lists that are put together by `+`.
    joins: u32,
    loops: Vec<Cost>,
    loop_depth: usize,
    patterns: Vec<Pattern>,
    /// The names of the scope that are used.
    used: BTreeSet<String>,
}

impl Checker<'_> {
    /// Checks and rewrites one part, and says what evaluating it once costs, the turns of loops
    /// in it not counted.
    fn check(&mut self, part: &mut IdedExpr, depth: usize) -> Result<Cost, QueryError> {
        self.count(part, depth)?;
        let (id, inner) = (part.id, depth.saturating_add(1));
        match &mut part.expr {
            Expr::Literal(_) => Ok(Cost::steps(1)),
            Expr::Ident(_) | Expr::Select(_) => self.path(part, inner),
            Expr::Call(call) => self.call(id, call, inner),
            Expr::Comprehension(comprehension) => self.comprehension(id, comprehension, inner),
            Expr::List(list) => {
                let constant = list.elements.iter().all(growth::is_constant);
                self.literal_may_stand_here(id, constant)?;
                self.elements(list.elements.iter_mut(), inner)
            }
            Expr::Map(map) => {
                let constant = growth::entries(map).all(growth::is_constant);
                self.literal_may_stand_here(id, constant)?;
                self.elements(growth::entries_mut(map), inner)
            }
            Expr::Struct(_) | Expr::Unspecified => {
                Err(self.refuse(id, QueryCode::Syntax, "there are no types to make a value of"))
            }
        }
    }

    fn elements<'e>(
        &mut self,
        parts: impl Iterator<Item = &'e mut IdedExpr>,
        depth: usize,
    ) -> Result<Cost, QueryError> {
        let mut cost = Cost::steps(1);
        for part in parts {
            cost = cost.plus(self.element(part, depth)?);
        }
        Ok(cost)
    }

    fn count(&mut self, part: &IdedExpr, depth: usize) -> Result<(), QueryError> {
        self.parts = self.parts.saturating_add(1);
        if self.parts > bounds::EXPRESSION_PARTS {
            let message = format!(
                "the expression has too many parts; at most {} are allowed",
                bounds::EXPRESSION_PARTS
            );
            return Err(QueryError::new(QueryCode::TooComplex, message)
                .hint("use `x in [..]` for a choice of constants, or split it"));
        }
        if depth > bounds::EXPRESSION_DEPTH {
            return Err(too_deeply_nested().at(self.place(part.id)));
        }
        Ok(())
    }

    /// An element of a list or map that is written out.
    fn element(&mut self, element: &mut IdedExpr, depth: usize) -> Result<Cost, QueryError> {
        if !growth::is_constant(element) && growth::builds(element) {
            let message = "a list or map in a list or map may hold constants only";
            return Err(self.refuse(element.id, QueryCode::TooComplex, message));
        }
        let copied = Cost {
            copies: u32::from(!growth::is_constant(element)),
            ..Cost::default()
        };
        Ok(self.check(element, depth)?.plus(copied))
    }

    /// Inside a loop a list or map that is written out could grow with every turn.
    fn literal_may_stand_here(&self, id: u64, constant: bool) -> Result<(), QueryError> {
        if constant || self.loop_depth == 0 {
            return Ok(());
        }
        let message = "inside a loop a list or map may hold constants only";
        Err(self.refuse(id, QueryCode::TooComplex, message))
    }

    fn refuse(&self, id: u64, code: QueryCode, message: impl Into<Cow<'static, str>>) -> QueryError {
        QueryError::new(code, message.into()).at(self.place(id))
    }

    fn place(&self, id: u64) -> Option<Place> {
        let (start, stop) = self.info.offset_for(id)?;
        let from = usize::try_from(start).ok()?;
        let to = usize::try_from(stop).ok()?.saturating_add(1);
        let (from, to) = self.word(from, to.max(from));
        Some(Place::of_bytes(self.source, from, to))
    }

    /// The parser knows a call by its bracket and a selection by its dot; what is meant is the
    /// word before the one and behind the other.
    fn word(&self, from: usize, to: usize) -> (usize, usize) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let Some((before, at)) = self.source.split_at_checked(from) else {
            return (from, to);
        };
        if at.starts_with('(') {
            let start = before.trim_end_matches(is_word).len();
            return if start < from { (start, from) } else { (from, to) };
        }
        match at.strip_prefix('.') {
            Some(field) => {
                let length = field.len() - field.trim_start_matches(is_word).len();
                (from + 1, from + 1 + length)
            }
            None => (from, to),
        }
    }
}

/// The text of a constant.
pub(crate) fn text_constant(part: &IdedExpr) -> Option<&str> {
    match &part.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
