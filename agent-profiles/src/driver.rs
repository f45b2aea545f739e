//! How one kind of program is started, as data.
//!
//! # Placeholders
//!
//! | placeholder | what it stands for |
//! |---|---|
//! | `{brief}` | the brief itself; only as an argument of its own |
//! | `{brief_file}` | the path of the file that holds the brief |
//! | `{model}` | the model |
//! | `{session}` | a UUID for the program's own session |
//!
//! - Other braces are left as they are. What a placeholder stands for is never looked at again.
//! - An argument with a placeholder that stands for nothing is left out. When it was nothing
//!   but the placeholder and the argument before it begins with `-`, that one is left out too:
//!   `--model {model}` goes together, `--verbose` does not wait for it.
//! - A brief that is too long for one argument, or has a zero byte, stays in its file, and
//!   `{brief}` becomes a sentence that says so.
//! - The program itself has no placeholders.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod arguments;
#[cfg(test)]
mod tests;

use arguments::Argument;

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
    /// How the brief reaches the program.
    #[serde(default)]
    pub prompt: PromptBy,
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

/// Why there is nothing to execute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// Neither the driver nor the agent names a program.
    #[error("driver `{driver}` needs a command of the agent's own: `command = [\"program\", \"argument\"]`")]
    NoCommand {
        /// Which driver.
        driver: String,
    },
    /// Both do.
    #[error("driver `{driver}` has its own command; an agent's `command` is for the driver `command`")]
    TwoCommands {
        /// Which driver.
        driver: String,
    },
    /// The program's name is empty or has a placeholder.
    #[error("`{program}` is not the name of a program")]
    NotAProgram {
        /// As written.
        program: String,
    },
    /// A shell would read the brief as part of its own text.
    #[error("`{argument}` has the brief inside another text; `{{brief}}` must be an argument of its own")]
    BriefInside {
        /// As written.
        argument: String,
    },
    /// The driver says that the brief does not travel this way.
    #[error("driver `{driver}` says `prompt = \"none\"`, so `{{brief}}` stands for nothing")]
    BriefNotPassed {
        /// Which driver.
        driver: String,
    },
    /// The driver says that the brief travels in a place that is not there.
    #[error("driver `{driver}` says `prompt = \"argument\"`, but no argument is `{{brief}}`")]
    BriefNowhere {
        /// Which driver.
        driver: String,
    },
    /// More than [`ARGUMENTS`].
    #[error("{count} arguments are too many; at most {ARGUMENTS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Longer than [`ARGUMENT`], or with a zero byte.
    #[error("the argument `{start}…` is longer than {ARGUMENT} bytes or has a zero byte")]
    NotAnArgument {
        /// How it begins.
        start: String,
    },
    /// The model would be read as an option.
    #[error("`{model}` is not the name of a model")]
    NotAModel {
        /// As written.
        model: String,
    },
    /// Not the name of a variable.
    #[error("`{name}` is not the name of an environment variable")]
    NotAVariable {
        /// As written.
        name: String,
    },
    /// The runtime itself sets these.
    #[error("`{name}` is set by the runtime and by nobody else")]
    Reserved {
        /// As written.
        name: String,
    },
    /// Everything at once.
    #[error("`*` would let every variable through; name them")]
    Everything,
    /// The driver forbids it.
    #[error("driver `{driver}` never passes `{name}`")]
    NeverPassed {
        /// Which driver.
        driver: String,
        /// Which variable.
        name: String,
    },
}

impl Driver {
    /// The command to execute for `launch`. `own` is the agent's own command, for drivers that
    /// have none.
    ///
    /// # Errors
    /// [`DriverError`] when there is no sound command.
    pub fn command_line(&self, own: &[String], launch: &Launch<'_>) -> Result<CommandLine, DriverError> {
        let command = self.template(own)?;
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
        let args = arguments::filled(rest, launch);
        if let Some(argument) = args.iter().find(|argument| !fits(argument)) {
            return Err(DriverError::NotAnArgument {
                start: start_of(argument),
            });
        }
        let env = self
            .env
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), Argument::parse(value).fill(launch)?)))
            .collect();
        Ok(CommandLine {
            program: program.clone(),
            args,
            env,
        })
    }

    /// Every mistake in the driver itself.
    #[must_use]
    pub fn mistakes(&self) -> Vec<DriverError> {
        let mut mistakes = Vec::new();
        if !self.command.is_empty() {
            mistakes.extend(self.mistakes_of(&self.command));
            let has_brief = self
                .command
                .iter()
                .any(|argument| Argument::parse(argument).is_brief());
            if self.prompt == PromptBy::Argument && !has_brief {
                mistakes.push(DriverError::BriefNowhere {
                    driver: self.name.clone(),
                });
            }
        }
        for (name, value) in &self.env {
            mistakes.extend(variable(name).err());
            if Argument::parse(value).has_brief() {
                mistakes.push(DriverError::BriefInside {
                    argument: start_of(value),
                });
            }
        }
        let patterns = self.pass_env.iter().chain(&self.never_env);
        mistakes.extend(patterns.filter_map(|pattern| variable_pattern(pattern).err()));
        mistakes
    }

    /// Every mistake in an agent's own command for this driver.
    #[must_use]
    pub fn mistakes_in(&self, own: &[String]) -> Vec<DriverError> {
        match self.template(own) {
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

    fn template<'a>(&'a self, own: &'a [String]) -> Result<&'a [String], DriverError> {
        let driver = || self.name.clone();
        match (self.command.is_empty(), own.is_empty()) {
            (true, true) => Err(DriverError::NoCommand { driver: driver() }),
            (false, false) => Err(DriverError::TwoCommands { driver: driver() }),
            (true, false) => Ok(own),
            (false, true) => Ok(&self.command),
        }
    }

    fn mistakes_of(&self, command: &[String]) -> Vec<DriverError> {
        let mut mistakes = Vec::new();
        if command.len() > ARGUMENTS {
            mistakes.push(DriverError::TooMany { count: command.len() });
        }
        if let Some(program) = command.first()
            && (program.trim().is_empty() || !Argument::parse(program).is_plain() || !fits(program))
        {
            mistakes.push(DriverError::NotAProgram {
                program: start_of(program),
            });
        }
        for text in command.iter().skip(1) {
            let argument = Argument::parse(text);
            if !fits(text) {
                mistakes.push(DriverError::NotAnArgument {
                    start: start_of(text),
                });
            }
            if argument.has_brief() && !argument.is_brief() {
                mistakes.push(DriverError::BriefInside {
                    argument: start_of(text),
                });
            }
            if argument.has_brief() && self.prompt == PromptBy::None {
                mistakes.push(DriverError::BriefNotPassed {
                    driver: self.name.clone(),
                });
            }
        }
        mistakes
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
