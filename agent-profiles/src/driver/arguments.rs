//! Arguments with placeholders.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::{Launch, Values, fits};

/// A server of the Model Context Protocol that the agent is given, as a program it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct McpServer {
    /// Its name among the agent's servers.
    #[serde(skip)]
    pub name: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its variables.
    pub env: BTreeMap<String, String>,
}

/// The servers in the form that most programs take: `{"mcpServers": {name: {command, …}}}`.
fn mcp_json(servers: &[McpServer]) -> String {
    let by_name: BTreeMap<&str, &McpServer> = servers
        .iter()
        .map(|server| (server.name.as_str(), server))
        .collect();
    json!({ "mcpServers": by_name }).to_string()
}

/// The servers as an inline table of TOML: `{name={command=…,args=[…],env={…}}}`.
fn mcp_toml(servers: &[McpServer]) -> String {
    let servers: Vec<String> = servers
        .iter()
        .map(|server| {
            let args: Vec<String> = server.args.iter().map(|arg| toml_text(arg)).collect();
            let env: Vec<String> = server
                .env
                .iter()
                .map(|(name, value)| format!("{}={}", toml_text(name), toml_text(value)))
                .collect();
            let (name, command) = (toml_text(&server.name), toml_text(&server.command));
            let (args, env) = (args.join(","), env.join(","));
            format!("{name}={{command={command},args=[{args}],env={{{env}}}}}")
        })
        .collect();
    format!("{{{}}}", servers.join(","))
}

/// JSON's escapes are TOML's too. Only DEL is left bare by the one and refused by the other.
fn toml_text(text: &str) -> String {
    json!(text).to_string().replace('\u{7f}', "\\u007f")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Brief,
    BriefFile,
    Model,
    Session,
    McpConfig,
    McpToml,
    Hooks,
    Allowed,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 8] = [
        ("{brief}", Self::Brief),
        ("{brief_file}", Self::BriefFile),
        ("{model}", Self::Model),
        ("{session}", Self::Session),
        ("{mcp_config}", Self::McpConfig),
        ("{mcp_toml}", Self::McpToml),
        ("{hooks}", Self::Hooks),
        ("{allowed}", Self::Allowed),
    ];

    /// The placeholder with which `text` begins, and what is after it.
    fn at_start(text: &str) -> Option<(Self, &str)> {
        Self::ALL
            .iter()
            .find_map(|(written, placeholder)| Some((*placeholder, text.strip_prefix(written)?)))
    }

    fn value(self, values: &Values<'_>) -> Option<String> {
        let Values {
            launch,
            mcp,
            hooks,
            allowed,
        } = values;
        let given = || Some(*mcp).filter(|servers| !servers.is_empty());
        match self {
            Self::Brief => Some(brief(launch)),
            Self::BriefFile => Some(launch.brief_file.to_owned()),
            Self::Model => launch.model.map(str::to_owned),
            Self::Session => launch.session.map(str::to_owned),
            Self::McpConfig => given().map(mcp_json),
            Self::McpToml => given().map(mcp_toml),
            Self::Hooks => hooks.map(str::to_owned),
            Self::Allowed => Some((*allowed).to_owned()).filter(|allowed| !allowed.is_empty()),
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
    pub(super) fn fill(&self, values: &Values<'_>) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some((*text).to_owned()),
                Piece::Hole(placeholder) => placeholder.value(values),
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
pub(super) fn filled(templates: &[String], values: &Values<'_>) -> Vec<String> {
    let mut args: Vec<String> = Vec::with_capacity(templates.len());
    let mut before: Option<&str> = None;
    for template in templates {
        let argument = Argument::parse(template);
        if let Some(text) = argument.fill(values) {
            args.push(text);
        } else if argument.is_hole() && before.is_some_and(|before| before.starts_with('-')) {
            // `before` was plain text, so it is the last one that was pushed.
            args.pop();
        }
        before = argument.is_plain().then_some(template.as_str());
    }
    args
}
