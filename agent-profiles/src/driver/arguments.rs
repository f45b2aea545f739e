//! Arguments with placeholders.

use super::{Launch, fits};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Brief,
    BriefFile,
    Model,
    Session,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 4] = [
        ("{brief}", Self::Brief),
        ("{brief_file}", Self::BriefFile),
        ("{model}", Self::Model),
        ("{session}", Self::Session),
    ];

    /// The placeholder with which `text` begins, and what is after it.
    fn at_start(text: &str) -> Option<(Self, &str)> {
        Self::ALL
            .iter()
            .find_map(|(written, placeholder)| Some((*placeholder, text.strip_prefix(written)?)))
    }

    fn value(self, launch: &Launch<'_>) -> Option<String> {
        match self {
            Self::Brief => Some(brief(launch)),
            Self::BriefFile => Some(launch.brief_file.to_owned()),
            Self::Model => launch.model.map(str::to_owned),
            Self::Session => launch.session.map(str::to_owned),
        }
    }
}

/// The brief, or where it is.
fn brief(launch: &Launch<'_>) -> String {
    if fits(launch.brief) {
        launch.brief.to_owned()
    } else {
        format!(
            "Read your brief in the file `{}` and do what it says.",
            launch.brief_file
        )
    }
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Hole(Placeholder),
}

/// One argument, taken apart.
pub(super) struct Argument<'a>(Vec<Piece<'a>>);

impl<'a> Argument<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let mut pieces = Vec::new();
        let (mut rest, mut seen) = (text, 0);
        while let Some(at) = rest[seen..].find('{').map(|at| at + seen) {
            if let Some((placeholder, after)) = Placeholder::at_start(&rest[at..]) {
                if at > 0 {
                    pieces.push(Piece::Text(&rest[..at]));
                }
                pieces.push(Piece::Hole(placeholder));
                (rest, seen) = (after, 0);
            } else {
                seen = at + 1;
            }
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        Self(pieces)
    }

    /// The argument with everything filled in; `None` when something stands for nothing.
    pub(super) fn fill(&self, launch: &Launch<'_>) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some((*text).to_owned()),
                Piece::Hole(placeholder) => placeholder.value(launch),
            })
            .collect()
    }

    /// Nothing but one placeholder?
    fn is_hole(&self) -> bool {
        matches!(self.0[..], [Piece::Hole(_)])
    }

    /// No placeholder at all?
    pub(super) fn is_plain(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// Nothing but `{brief}`?
    pub(super) fn is_brief(&self) -> bool {
        matches!(self.0[..], [Piece::Hole(Placeholder::Brief)])
    }

    pub(super) fn has_brief(&self) -> bool {
        self.has(Placeholder::Brief)
    }

    pub(super) fn has_session(&self) -> bool {
        self.has(Placeholder::Session)
    }

    fn has(&self, wanted: Placeholder) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Hole(placeholder) if *placeholder == wanted))
    }
}

/// The arguments with everything filled in, and without those that stand for nothing.
pub(super) fn filled(templates: &[String], launch: &Launch<'_>) -> Vec<String> {
    let mut args: Vec<String> = Vec::with_capacity(templates.len());
    let mut before: Option<&str> = None;
    for template in templates {
        let argument = Argument::parse(template);
        if let Some(text) = argument.fill(launch) {
            args.push(text);
        } else if argument.is_hole() && before.is_some_and(|before| before.starts_with('-')) {
            // `before` was plain text, so it is the last one that was pushed.
            args.pop();
        }
        before = argument.is_plain().then_some(template.as_str());
    }
    args
}
