//! How answers look: text for people, JSON for programs.

mod rows;

use std::{
    io::{ErrorKind, Write},
    ops::ControlFlow,
};

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, ContentArrangement, Table, presets};
use serde::Serialize;
use terminal_size::{Width, terminal_size_of};
use worknode_core::{
    error::{Code, Error},
    time::{Span, Timestamp},
};

pub(crate) use self::rows::rows;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Writes a line to standard output. A reader that has gone away ends nothing but the output.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// The same for output without an end: whether somebody still reads it.
pub(crate) fn stream_line(text: impl std::fmt::Display) -> ControlFlow<()> {
    match writeln!(anstream::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

/// Writes a value as one JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Error::new(
            Code::Failed,
            format!("the answer cannot be written as JSON: {error}"),
        )
    })?;
    line(text);
    Ok(())
}

/// Writes an error the way that people and programs expect it: on standard error.
pub(crate) fn error(error: &Error, form: Form) {
    let mut out = anstream::stderr();
    let _ = match form {
        Form::Json => {
            let value = serde_json::json!({ "error": error });
            writeln!(out, "{value}")
        }
        Form::Text => {
            let bold = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            let hint = error
                .hint
                .as_ref()
                .map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
            writeln!(out, "{bold}error{bold:#}: {}{hint}", error.message)
        }
    };
}

/// A table with a header and no lines but one under it.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A table that nobody looks at is not broken to fit.
    if let Some((Width(columns), _)) = terminal_size_of(std::io::stdout()) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(columns);
    }
    table.set_header(header.iter().map(|name| Cell::new(paint(name, dim()))));
    table
}

/// A cell of text.
pub(crate) fn cell(text: impl Into<String>) -> Cell {
    Cell::new(text.into())
}

/// A cell in the colour of its state.
pub(crate) fn state(name: &str) -> Cell {
    Cell::new(paint(name, colour_of(name)))
}

/// `text` in a style.
pub(crate) fn paint(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// The style of what matters less.
pub(crate) const fn dim() -> Style {
    Style::new().dimmed()
}

/// Bold.
pub(crate) const fn bold() -> Style {
    Style::new().bold()
}

/// Green for what is well, yellow for what waits, red for what is not well.
pub(crate) fn colour_of(state: &str) -> Style {
    let colour = match state {
        "completed" | "passed" | "alive" => AnsiColor::Green,
        "busy" | "running" | "in_progress" | "claimed" | "starting" | "in_review" => AnsiColor::Cyan,
        "backoff" | "stopping" | "blocked" | "frozen" => AnsiColor::Yellow,
        "failed" | "quarantined" | "gone" | "cancelled" => AnsiColor::Red,
        _ => return dim(),
    };
    Style::new().fg_color(Some(colour.into()))
}

/// How long ago, in words.
pub(crate) fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{} ago", length(now.since(then)))
}

/// A length of time in whole seconds, and milliseconds below ten seconds.
pub(crate) fn length(span: std::time::Duration) -> String {
    if span.as_secs() >= 10 {
        Span::secs(span.as_secs()).to_string()
    } else {
        format!("{}.{}s", span.as_secs(), span.subsec_millis() / 100)
    }
}
