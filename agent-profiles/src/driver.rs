//! How one kind of program is started, as data.
//!
//! # Placeholders
//!
//! | placeholder | what it stands for |
//! |---|---|
//! | `{brief}` | the brief itself; only as an argument of its own |
//! | `{brief_file}` | the path of the file that holds the brief |
//! | `{model}` | the model |
//! | `{session}` | a UUID for the program's own session; in `resume`, the session to go on with |
//! | `{mcp_config}` | the MCP servers, as JSON: `{"mcpServers": …}` |
//! | `{hooks}` | the path of a file with settings that make the program ask `worknode hook` |
//! | `{allowed}` | the tools that are granted without a question, with commas in between |
//! | `{mcp_toml}` | the MCP servers, as an inline table of TOML: `{name = {command = …}}` |
//!
//! - Other braces are left as they are. What a placeholder stands for is never looked at again.
//! - An argument with a placeholder that stands for nothing is left out. When it was nothing
//!   but the placeholder and the argument before it begins with `-`, that one is left out too:
//!   `--model {model}` goes together, `--verbose` does not wait for it.
//! - A brief that is too long for one argument, or has a zero byte, stays in its file, and
//!   `{brief}` becomes a sentence that says so.
//! - The program itself has no placeholders.
//!
//! What the program writes and is told while it runs is [`crate::stream`]'s.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod arguments;
mod data;
mod error;
mod mistakes;
mod places;
#[cfg(test)]
mod tests;

use arguments::Argument;
pub use arguments::McpServer;
pub use data::{ExitMeaning, Models, Stop, Stream, Transport, Writes};
pub use error::DriverError;

/// Longest argument, in bytes. Linux refuses one of 128 KiB with its final zero
/// (`MAX_ARG_STRLEN`, execve(2)).
pub const ARGUMENT: usize = 128 * 1024 - 1;
/// Most arguments of a command.
pub const ARGUMENTS: usize = 256;

/// How the brief reaches the program, beside its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptBy {
    /// As the argument `{brief}`.
    Argument,
    /// As the first message on its stdin, in the words of its `stream`.
    Stdin,
    /// Not at all: the program reads the file that `WORKNODE_BRIEF` names.
    #[default]
    None,
}

/// How one kind of program is started: `agent-profiles/drivers/NAME.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    /// Its name: that of its file.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Program and arguments, with placeholders. When it is empty, the agent brings its own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Program and arguments that go on with the session `{session}` of an earlier run. Where
    /// the protocol itself can go on with a session, the ordinary command serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<String>,
    /// Paths of the program proper, where the one of `command` is only its launcher. `{launcher}`
    /// is the directory of the launcher's file with all links followed, `{machine}` the
    /// architecture (`x86_64`), `{npm}` the same in npm's words (`x64`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub native: Vec<String>,
    /// How the brief reaches the program.
    #[serde(default)]
    pub prompt: PromptBy,
    /// What its output is to be read as.
    #[serde(default)]
    pub stream: Stream,
    /// Does it only write, or is it also spoken to?
    #[serde(default)]
    pub transport: Transport,
    /// Fields that are added to the message with which a session is opened, in protocols that
    /// have one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub session_with: BTreeMap<String, String>,
    /// Names of tools that it is refused when it asks. All others are granted, unless its agent is to
    /// ask a person: what it may reach is the sandbox's to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuse: Vec<String>,
    /// Names of tools that need no person's word where a person is asked for the others. The name of
    /// an MCP server as `mcp__NAME` stands for all its tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Names of tools that `{allowed}` names too, unless a person is to be asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_unasked: Vec<String>,
    /// The model of each tier, unless profile or agent name another.
    #[serde(default)]
    pub models: Models,
    /// How it is asked to stop.
    #[serde(default)]
    pub stop: Stop,
    /// What its credentials are a share of: agents on one pool run into one quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Where it must write for its own sake, whatever its agent may write.
    #[serde(default)]
    pub sandbox: Writes,
    /// Exit codes that mean something, where its output said nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exit_codes: BTreeMap<String, ExitMeaning>,
    /// Its exit code may be the status of a failed HTTP request, without what is beyond 255.
    #[serde(default)]
    pub exit_http: bool,
    /// Variables that are set for the program. Values may have placeholders, except `{brief}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of variables that the program gets from the daemon's environment. A `*` at the end
    /// stands for any ending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// Names of variables that it must never get, whoever else lets them through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_env: Vec<String>,
}

/// What the placeholders stand for in one run.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The brief.
    pub brief: &'a str,
    /// The file that holds it.
    pub brief_file: &'a str,
    /// The model, when one was chosen.
    pub model: Option<&'a str>,
    /// A UUID for the program's own session.
    pub session: Option<&'a str>,
}

/// What one run has beyond its [`Launch`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// The MCP servers that it is given.
    pub mcp: &'a [McpServer],
    /// The file with the hooks that its program is to call.
    pub hooks: Option<&'a str>,
    /// Go on with the session of an earlier run instead of beginning one?
    pub resume: bool,
    /// Is a person asked for what the driver neither allows nor refuses?
    pub asks: bool,
}

/// Everything that placeholders stand for.
#[derive(Clone, Copy)]
struct Values<'a> {
    launch: &'a Launch<'a>,
    mcp: &'a [McpServer],
    hooks: Option<&'a str>,
    allowed: &'a str,
}

/// What to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables that the driver sets.
    pub env: BTreeMap<String, String>,
}

impl Driver {
    /// The command to execute for `launch`. `own` is the agent's own command, for drivers that
    /// have none.
    ///
    /// # Errors
    /// [`DriverError`] when there is no sound command.
    pub fn command_line(&self, own: &[String], launch: &Launch<'_>) -> Result<CommandLine, DriverError> {
        self.command_line_with(own, launch, &Extras::default())
    }

    /// The same with MCP servers, and as what goes on with `launch`'s session.
    ///
    /// # Errors
    /// [`DriverError`] when there is no sound command.
    pub fn command_line_with(
        &self,
        own: &[String],
        launch: &Launch<'_>,
        extras: &Extras<'_>,
    ) -> Result<CommandLine, DriverError> {
        let command = self.template(own, extras.resume)?;
        if let Some(mistake) = self.mistakes_of(command).into_iter().next() {
            return Err(mistake);
        }
        if let Some(model) = launch.model.filter(|model| !is_model(model)) {
            return Err(DriverError::NotAModel {
                model: model.to_owned(),
            });
        }
        let Some((program, rest)) = command.split_first() else {
            return Err(DriverError::NoCommand {
                driver: self.name.clone(),
            });
        };
        let values = Values {
            launch,
            mcp: extras.mcp,
            hooks: extras.hooks,
            allowed: &self.allowed(extras.asks),
        };
        let args = arguments::filled(rest, &values);
        if let Some(argument) = args.iter().find(|argument| !fits(argument)) {
            return Err(DriverError::NotAnArgument {
                start: start_of(argument),
            });
        }
        let env = self
            .env
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), Argument::parse(value).fill(&values)?)))
            .collect();
        Ok(CommandLine {
            program: program.clone(),
            args,
            env,
        })
    }

    /// The tools that are granted without a question, for its program.
    fn allowed(&self, asks: bool) -> String {
        let unasked = self.allow_unasked.iter().filter(|_| !asks);
        let all: Vec<&str> = unasked.chain(&self.allow).map(String::as_str).collect();
        all.join(",")
    }

    /// Does its program ask for permissions, so that somebody can answer?
    #[must_use]
    pub fn asks_permissions(&self) -> bool {
        self.transport == Transport::TwoWay
    }

    /// Does its program call hooks?
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        self.command.iter().any(|argument| argument.contains("{hooks}"))
    }

    /// Can it go on with the session of an earlier run?
    #[must_use]
    pub fn can_resume(&self) -> bool {
        !self.resume.is_empty() || self.resumes_by_protocol()
    }

    fn resumes_by_protocol(&self) -> bool {
        match self.stream {
            Stream::Acp => true,
            Stream::Codex => self.transport == Transport::TwoWay,
            Stream::None | Stream::ClaudeCode | Stream::Gemini | Stream::Opencode => false,
        }
    }

    /// Every mistake in an agent's own command for this driver.
    #[must_use]
    pub fn mistakes_in(&self, own: &[String]) -> Vec<DriverError> {
        match self.template(own, false) {
            Ok(command) => self.mistakes_of(command),
            Err(mistake) => vec![mistake],
        }
    }

    /// Every mistake in the names of variables that a profile or an agent lets through.
    #[must_use]
    pub fn mistakes_in_env(&self, names: &[String]) -> Vec<DriverError> {
        let check = |name: &String| -> Result<(), DriverError> {
            variable_pattern(name)?;
            if self.never_env.iter().any(|never| fits_pattern(never, name)) {
                let (driver, name) = (self.name.clone(), name.clone());
                return Err(DriverError::NeverPassed { driver, name });
            }
            Ok(())
        };
        names.iter().filter_map(|name| check(name).err()).collect()
    }

    /// Does the program get the variable `name` from the daemon's environment? `extra` are the
    /// names that its profile and agent let through. What is forbidden stays forbidden.
    #[must_use]
    pub fn inherits(&self, extra: &[String], name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|pattern| fits_pattern(pattern, name));
        let reserved = variable(name).is_err();
        !reserved && !listed(&self.never_env) && (listed(&self.pass_env) || listed(extra))
    }

    /// Does the command have a place for a session of the program's own?
    #[must_use]
    pub fn wants_session(&self) -> bool {
        let texts = self.command.iter().chain(self.env.values());
        texts.into_iter().any(|text| Argument::parse(text).has_session())
    }

    fn template<'a>(&'a self, own: &'a [String], resume: bool) -> Result<&'a [String], DriverError> {
        let driver = || self.name.clone();
        match (self.command.is_empty(), own.is_empty()) {
            (true, true) => return Err(DriverError::NoCommand { driver: driver() }),
            (false, false) => return Err(DriverError::TwoCommands { driver: driver() }),
            (true, false) | (false, true) => {}
        }
        if resume && !self.can_resume() {
            return Err(DriverError::NoResume { driver: driver() });
        }
        if !own.is_empty() {
            return Ok(own);
        }
        let again = resume && !self.resume.is_empty();
        Ok(if again { &self.resume } else { &self.command })
    }
}

/// Can the kernel take it as an argument?
fn fits(argument: &str) -> bool {
    argument.len() <= ARGUMENT && !argument.contains('\0')
}

fn is_model(model: &str) -> bool {
    !model.is_empty() && !model.starts_with('-') && !model.chars().any(char::is_control)
}

fn start_of(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// A variable that may be set or passed on by configuration.
fn variable(name: &str) -> Result<(), DriverError> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let all = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(first) || !name.chars().all(all) {
        return Err(DriverError::NotAVariable { name: start_of(name) });
    }
    if name.starts_with("WORKNODE_") {
        return Err(DriverError::Reserved {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn variable_pattern(pattern: &str) -> Result<(), DriverError> {
    match pattern.strip_suffix('*') {
        Some("") => Err(DriverError::Everything),
        Some(beginning) => variable(beginning),
        None => variable(pattern),
    }
}

fn fits_pattern(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}
