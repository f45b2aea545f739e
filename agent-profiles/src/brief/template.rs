//! Templates: text with `{{placeholders}}`.

use super::{Brief, sections};

/// Longest template, in bytes.
pub(super) const LENGTH: usize = 256 * 1024;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What can stand in a template between two braces.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* #[doc = concat!(" `{{", $text, "}}`")] $name,)+
        }

        impl Field {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name, as between the braces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

fields! {
    /// The task's title, or what else the run is about, in one line.
    Title = "title",
    /// The agent's name.
    Agent = "agent",
    /// Its tier.
    Tier = "tier",
    /// Its team.
    Team = "team",
    /// The task's name in the plan; nothing without a task.
    Task = "task",
    /// What an agent of this tier may do.
    Rules = "rules",
    /// Which attempt this is, of how many.
    Attempt = "attempt",
    /// Section: what to do.
    Prompt = "prompt",
    /// Section: what to look at; for reviews.
    Review = "review",
    /// Section: what was objected to the last submission.
    Findings = "findings",
    /// Section: how the run before ended, when it did not end well.
    LastRun = "last_run",
    /// Section: messages that wait.
    Messages = "messages",
    /// Section: files that may change.
    Files = "files",
    /// Section: files that may be deleted.
    MayDelete = "may_delete",
    /// Section: gates that the work must pass.
    Gates = "gates",
    /// Section: where the workspace starts from.
    Start = "start",
    /// Section: what the tasks before have left.
    Artefacts = "artefacts",
    /// Section: when the work should be done.
    Deadline = "deadline",
    /// Section: how to report.
    Report = "report",
}

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TemplateError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A template that has been read.
#[derive(Clone, Debug)]
pub struct Template {
    lines: Vec<Vec<Piece>>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Every [`TemplateError`] in it.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateError>> {
        if text.len() > LENGTH {
            let message = format!("the template has {} bytes; at most {LENGTH}", text.len());
            return Err(vec![TemplateError { line: 1, message }]);
        }
        let mut errors = Vec::new();
        let lines = (1..)
            .zip(text.lines())
            .map(|(number, line)| pieces(number, line, &mut errors))
            .collect();
        if errors.is_empty() {
            Ok(Self { lines })
        } else {
            Err(errors)
        }
    }

    /// The template with everything filled in.
    #[must_use]
    pub fn render(&self, brief: &Brief<'_>) -> String {
        let mut out = String::new();
        let mut skip_empty = false;
        for line in &self.lines {
            if std::mem::take(&mut skip_empty) && line.is_empty() {
                continue;
            }
            let filled: String = line
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Field(field) => sections::value(*field, brief),
                })
                .collect();
            let only_a_field = matches!(line[..], [Piece::Field(_)]);
            if only_a_field && filled.is_empty() {
                skip_empty = true;
                continue;
            }
            out.push_str(&filled);
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

fn pieces(number: usize, line: &str, errors: &mut Vec<TemplateError>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let Some((name, after)) = after.split_once("}}") else {
            let message = "`{{` without `}}` in the same line".to_owned();
            errors.push(TemplateError {
                line: number,
                message,
            });
            return pieces;
        };
        match Field::ALL.iter().find(|field| field.name() == name.trim()) {
            Some(field) => pieces.push(Piece::Field(*field)),
            None => errors.push(TemplateError {
                line: number,
                message: unknown(name.trim()),
            }),
        }
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

fn unknown(name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    let known: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
    format!(
        "there is no placeholder `{{{{{name}}}}}`; there are: {}",
        known.join(", ")
    )
}
