//! From what people write to what is applied, with every mistake at once.

use std::sync::Arc;

use worknode_core::{
    bounds::{MAILBOX, MEMBRANE_PARTS},
    error::{Code, Error},
    ids::NodeId,
    membrane::MembraneSpec,
};

use super::{
    Layer, Rules,
    filter::Filter,
    translate::{self, Path, bad_path, bad_type},
    versions::Versions,
};

/// Bytes of a pattern for types.
const PATTERN: usize = 128;

/// Something in a membrane that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where in it, as in `schema[0].version`.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Collects mistakes.
pub(super) struct Sayer<'a>(&'a mut Vec<Mistake>);

impl Sayer<'_> {
    pub(super) fn wrong(&mut self, key: impl Into<String>, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Mistake {
            key: key.into().trim_end_matches('.').to_owned(),
            message: message.into(),
            hint,
        });
    }
}

/// Reads the membrane of one Worknode.
///
/// # Errors
/// Every mistake in it.
pub fn compile(node: NodeId, spec: &MembraneSpec) -> Result<Layer, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut say = Sayer(&mut mistakes);
    types("accept", spec.accept.as_deref(), &mut say);
    types("emit", spec.emit.as_deref(), &mut say);
    let filter = filter(spec, &mut say);
    translations(spec, &mut say);
    let versions = Versions::compile(&spec.schema, &mut say);
    let redact = redacted(spec, &mut say);
    limits(spec, &mut say);
    if mistakes.is_empty() {
        Ok(Layer {
            node,
            accept: spec.accept.clone(),
            emit: spec.emit.clone(),
            filter,
            translate: spec.translate.clone(),
            versions,
            redact,
            rate: spec.rate,
            capacity: spec.capacity,
            overflow: spec.overflow,
        })
    } else {
        Err(mistakes)
    }
}

/// Reads the membranes from the root down to a Worknode.
///
/// # Errors
/// Every mistake in all of them, each with the Worknode of its membrane.
pub fn compile_chain(chain: &[(NodeId, &MembraneSpec)]) -> Result<Rules, Vec<(NodeId, Mistake)>> {
    let (mut layers, mut wrong) = (Vec::new(), Vec::new());
    for (node, spec) in chain {
        match compile(*node, spec) {
            Ok(layer) => layers.push(Arc::new(layer)),
            Err(mistakes) => wrong.extend(mistakes.into_iter().map(|mistake| (*node, mistake))),
        }
    }
    if wrong.is_empty() {
        Ok(Rules::of(layers))
    } else {
        Err(wrong)
    }
}

/// Mistakes as one error, for who sets a membrane by hand.
#[must_use]
pub fn refusal(mistakes: &[Mistake]) -> Error {
    let told: Vec<String> = mistakes
        .iter()
        .map(|mistake| {
            let hint = mistake.hint.as_ref();
            let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
            format!("`{}`: {}{hint}", mistake.key, mistake.message)
        })
        .collect();
    Error::new(Code::Usage, format!("this is no membrane: {}", told.join("; ")))
        .hint("`worknode schema config` shows what a membrane may say")
}

fn types(key: &str, globs: Option<&[String]>, say: &mut Sayer<'_>) {
    let globs = globs.unwrap_or_default();
    if globs.len() > MEMBRANE_PARTS {
        say.wrong(key, format!("at most {MEMBRANE_PARTS} types"), None);
    }
    for (at, glob) in globs.iter().enumerate() {
        let plain = glob.replace(['*', '?'], "x");
        if let Some(what) = bad_type(&plain).filter(|_| glob.len() <= PATTERN) {
            say.wrong(format!("{key}[{at}]"), what, None);
        } else if glob.len() > PATTERN {
            say.wrong(format!("{key}[{at}]"), format!("at most {PATTERN} bytes"), None);
        }
    }
}

fn filter(spec: &MembraneSpec, say: &mut Sayer<'_>) -> Option<Filter> {
    match Filter::compile(spec.filter.as_deref()?) {
        Ok(filter) => Some(filter),
        Err(error) => {
            say.wrong("filter", error.to_string(), error.hint.clone());
            None
        }
    }
}

fn translations(spec: &MembraneSpec, say: &mut Sayer<'_>) {
    if spec.translate.len() > MEMBRANE_PARTS {
        say.wrong(
            "translate",
            format!("at most {MEMBRANE_PARTS} translations"),
            None,
        );
    }
    for (at, translation) in spec.translate.iter().take(MEMBRANE_PARTS).enumerate() {
        for (key, what) in translate::mistakes(translation, true) {
            say.wrong(format!("translate[{at}].{key}"), what, None);
        }
        let earlier = spec.translate.iter().take(at);
        if earlier.filter(|other| other.from == translation.from).count() == 1 {
            let what = format!("there is another translation of `{}`", translation.from);
            let hint = "the first is used; make one of them".to_owned();
            say.wrong(format!("translate[{at}].from"), what, Some(hint));
        }
    }
}

fn redacted(spec: &MembraneSpec, say: &mut Sayer<'_>) -> Vec<Path> {
    if spec.redact.len() > MEMBRANE_PARTS {
        say.wrong("redact", format!("at most {MEMBRANE_PARTS} paths"), None);
    }
    let mut paths = Vec::new();
    for (at, path) in spec.redact.iter().take(MEMBRANE_PARTS).enumerate() {
        match bad_path(path) {
            Some(what) => say.wrong(format!("redact[{at}]"), what, None),
            None => paths.push(Path::new(path)),
        }
    }
    paths
}

fn limits(spec: &MembraneSpec, say: &mut Sayer<'_>) {
    if let Some(rate) = spec.rate {
        if rate.events == 0 {
            let hint = "write accept = [] to let nothing in".to_owned();
            say.wrong("rate.events", "must be at least 1", Some(hint));
        }
        if rate.per.0.is_zero() {
            say.wrong("rate.per", "must be longer than nothing", None);
        }
    }
    match spec.capacity {
        Some(0) => say.wrong("capacity", "must be at least 1", None),
        Some(more) if more > MAILBOX => {
            say.wrong(
                "capacity",
                format!("a mailbox has room for {MAILBOX} at the most"),
                None,
            );
        }
        _ => {}
    }
}
