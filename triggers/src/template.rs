//! Texts with values in them: `The build of {{event.data.branch}} broke`.
//!
//! Between the braces stands an expression in CEL, so that a name that does not exist is found
//! when the configuration is checked. `{{{{` stands for two braces.
//!
//! What is put in was said by somebody else, perhaps by an agent: it is shortened, has no
//! control characters, and is never read again as a template.

use std::sync::LazyLock;

use worknode_core::{bounds, time::Timestamp};
use worknode_query::{Expression, Fact, Facts, Scope, Shape};

use crate::{condition, firing::Firing};

/// Bytes of one value that is put in. A longer one is cut, and says so.
pub const MAX_VALUE: usize = 4 * 1024;
/// Values in one text. More are a mistake.
pub const MAX_VALUES: usize = 64;

/// What an action is about, and so which names its texts may use. All know `trigger` (with
/// `name`, `occurrence` and `due`) and `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A time: nothing else.
    Time,
    /// An event: `event`, `node` and `agent`.
    Event,
    /// The deadline of a task: `task`.
    Task,
}

impl About {
    /// The names.
    #[must_use]
    pub fn scope(self) -> &'static Scope {
        static TIME: LazyLock<Scope> = LazyLock::new(|| with_trigger(Scope::empty()));
        static EVENT: LazyLock<Scope> = LazyLock::new(|| with_trigger(Scope::event()));
        static TASK: LazyLock<Scope> = LazyLock::new(|| {
            let task = Shape::Record(condition::task_scope().clone());
            with_trigger(Scope::empty().with("task", task, "the task whose deadline it is"))
        });
        match self {
            Self::Time => &TIME,
            Self::Event => &EVENT,
            Self::Task => &TASK,
        }
    }
}

fn with_trigger(scope: Scope) -> Scope {
    let trigger = Scope::empty()
        .with("name", Shape::Text, "its name")
        .with("occurrence", Shape::Text, "which firing of it")
        .with("due", Shape::Time, "when it was due");
    scope
        .with("trigger", Shape::Record(trigger), "the trigger that fires")
        .with("now", Shape::Time, "the present instant")
}

/// The facts that every text may use, added to those that a firing is about.
#[must_use]
pub fn with_firing(facts: Facts, firing: &Firing, now: Timestamp) -> Facts {
    let trigger = Facts::new()
        .with("name", firing.occurrence.trigger.as_str())
        .with("occurrence", firing.occurrence.key.as_str())
        .with("due", firing.scheduled_at);
    facts.with("trigger", trigger).at(now)
}

/// A text cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, and where.
    pub message: String,
    /// What to write instead, where that can be said.
    pub hint: Option<String>,
}

/// A text with its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// The text.
    pub text: String,
    /// The expressions that had no value; each left a gap.
    pub missing: Vec<String>,
}

/// A part of a text.
enum Part<'a> {
    Text(&'a str),
    Value(&'a str),
}

/// Checks all that stands between braces.
///
/// # Errors
/// [`TemplateError`] says what cannot be used.
pub fn check(text: &str, scope: &Scope) -> Result<(), TemplateError> {
    for part in parts(text)? {
        if let Part::Value(source) = part {
            compiled(source, scope)?;
        }
    }
    Ok(())
}

/// Fills in the values.
///
/// # Errors
/// [`TemplateError`] when the text was never right, not when a value is missing.
pub fn fill(text: &str, scope: &Scope, facts: &Facts) -> Result<Filled, TemplateError> {
    let mut filled = Filled::default();
    for part in parts(text)? {
        match part {
            Part::Text(text) => filled.text.push_str(text),
            Part::Value(source) => {
                let value = compiled(source, scope)?
                    .evaluate(facts)
                    .ok()
                    .filter(|fact| !fact.is_null());
                match value {
                    Some(value) => filled.text.push_str(&shown(&value)),
                    None => filled.missing.push(source.to_owned()),
                }
            }
        }
    }
    cut(&mut filled.text, bounds::PROMPT);
    Ok(filled)
}

fn compiled(source: &str, scope: &Scope) -> Result<Expression, TemplateError> {
    Expression::compile(source, scope).map_err(|error| TemplateError {
        message: format!("`{{{{{source}}}}}`: {error}"),
        hint: error.hint,
    })
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let mut parts = Vec::new();
    let (mut rest, mut values) = (text, 0_usize);
    while let Some((before, after)) = rest.split_once("{{") {
        parts.push(Part::Text(before));
        if let Some(after) = after.strip_prefix("{{") {
            parts.push(Part::Text("{{"));
            rest = after;
            continue;
        }
        let Some((source, after)) = after.split_once("}}") else {
            return Err(TemplateError {
                message: "a `{{` without its `}}`".to_owned(),
                hint: Some("write `{{{{` for two braces".to_owned()),
            });
        };
        values += 1;
        if values > MAX_VALUES {
            let message = format!("more than {MAX_VALUES} values in one text");
            return Err(TemplateError { message, hint: None });
        }
        parts.push(Part::Value(source.trim()));
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// A value for people.
fn shown(value: &Fact) -> String {
    let text = match value.as_text() {
        Some(text) => text.to_owned(),
        None => match value.to_json() {
            // Instants and the like.
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        },
    };
    let plain = |c: char| {
        if c.is_control() && c != '\n' && c != '\t' {
            ' '
        } else {
            c
        }
    };
    let mut text: String = text.chars().map(plain).collect();
    cut(&mut text, MAX_VALUE);
    text
}

/// Cuts the text at a limit, with a mark that tells so.
fn cut(text: &mut String, limit: usize) {
    const MARK: &str = " [cut]";
    if text.len() > limit {
        let mut end = limit.saturating_sub(MARK.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MARK);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Facts {
        let data = Fact::map([
            ("branch".to_owned(), Fact::from("main\u{1b}[31m")),
            ("code".to_owned(), Fact::from(2)),
            ("sneaky".to_owned(), Fact::from("{{event.type}}")),
        ]);
        let event = Facts::new().with("type", "compilation_failed").with("data", data);
        Facts::new().with("event", event).at(Timestamp::from_millis(0))
    }

    fn filled(text: &str) -> Filled {
        fill(text, About::Event.scope(), &facts()).unwrap()
    }

    #[test]
    fn values_are_put_in() {
        let text = filled("{{ event.type }}: code {{event.data.code}}, next {{event.data.code + 1}}.").text;
        assert_eq!(text, "compilation_failed: code 2, next 3.");
        assert_eq!(filled("at {{now}}").text, "at 1970-01-01T00:00:00.000Z");
        assert_eq!(filled("as {{{{ is }}").text, "as {{ is }}");
        assert_eq!(filled("plain } { text").text, "plain } { text");
    }

    #[test]
    fn what_is_not_there_is_told() {
        let filled = filled("[{{event.data.nothing}}]");
        assert_eq!(
            (filled.text.as_str(), filled.missing.as_slice()),
            ("[]", &["event.data.nothing".to_owned()][..])
        );
    }

    #[test]
    fn p8_values_are_harmless_and_bounded() {
        assert_eq!(filled("{{event.data.branch}}").text, "main [31m");
        assert_eq!(filled("{{event.data.sneaky}}").text, "{{event.type}}");
        let long = Facts::new().with("event", Facts::new().with("by", "x".repeat(10_000)));
        let text = fill("{{event.by}}", About::Event.scope(), &long).unwrap().text;
        assert!(text.len() <= MAX_VALUE && text.ends_with("[cut]"));
    }

    #[test]
    fn mistakes_are_found_before() {
        let check = |text: &str, about: About| check(text, about.scope());
        assert!(check("{{event.typo}}", About::Event).is_err());
        assert!(
            check("{{event.type}}", About::Time)
                .unwrap_err()
                .message
                .contains("event")
        );
        assert!(check("{{task.name}}", About::Task).is_ok());
        assert!(check("{{trigger.name}} {{trigger.due}}", About::Time).is_ok());
        assert!(check("{{", About::Time).unwrap_err().hint.is_some());
        assert!(check("{{}}", About::Time).is_err());
        assert!(check(&"{{now}}".repeat(MAX_VALUES + 1), About::Time).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([{}a.é\"]|event|now){0,30}") {
            let _ = fill(&text, About::Event.scope(), &facts());
        }
    }
}
