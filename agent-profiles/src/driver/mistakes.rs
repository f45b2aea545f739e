//! Every mistake in a driver, told at once.

use super::{
    ARGUMENTS, Driver, DriverError, PromptBy, Stream, Transport, arguments::Argument, fits, is_model,
    start_of, variable, variable_pattern,
};

impl Driver {
    /// Every mistake in the driver itself.
    #[must_use]
    pub fn mistakes(&self) -> Vec<DriverError> {
        let mut mistakes = Vec::new();
        for command in [&self.command, &self.resume] {
            if command.is_empty() {
                continue;
            }
            mistakes.extend(self.mistakes_of(command));
            let has_brief = command
                .iter()
                .any(|argument| Argument::parse(argument).is_brief());
            if self.prompt == PromptBy::Argument && !has_brief {
                let driver = self.name.clone();
                mistakes.push(DriverError::BriefNowhere { driver });
            }
        }
        for (name, value) in &self.env {
            mistakes.extend(variable(name).err());
            if Argument::parse(value).has_brief() {
                let argument = start_of(value);
                mistakes.push(DriverError::BriefInside { argument });
            }
        }
        let patterns = self.pass_env.iter().chain(&self.never_env);
        mistakes.extend(patterns.filter_map(|pattern| variable_pattern(pattern).err()));
        mistakes.extend(self.mistakes_in_models());
        mistakes.extend(self.senseless().map(|(key, why)| DriverError::Senseless {
            key,
            why: why.to_owned(),
        }));
        mistakes
    }

    fn mistakes_in_models(&self) -> impl Iterator<Item = DriverError> {
        let wrong = self.models.all().filter(|model| !is_model(model));
        wrong.map(|model| DriverError::NotAModel {
            model: start_of(model),
        })
    }

    /// Keys that do not go together.
    fn senseless(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.senseless_ways()
            .into_iter()
            .chain(self.senseless_values())
            .filter(|(_, wrong, _)| *wrong)
            .map(|(key, _, why)| (key, why))
    }

    /// What is said about how to speak with the program: key, whether it is wrong, why.
    fn senseless_ways(&self) -> [(&'static str, bool, &'static str); 5] {
        let two_way = self.transport == Transport::TwoWay;
        [
            (
                "transport",
                two_way && matches!(self.stream, Stream::None | Stream::Gemini | Stream::Opencode),
                "this stream is only read; `two_way` is for `claude-code`, `codex` and `acp`",
            ),
            (
                "transport",
                !two_way && self.stream == Stream::Acp,
                "`acp` is a conversation: say `transport = \"two_way\"`",
            ),
            (
                "prompt",
                (self.prompt == PromptBy::Stdin) != two_way,
                "`stdin` and `transport = \"two_way\"` go together",
            ),
            (
                "stop",
                self.stop.cancel && !two_way,
                "to `cancel` needs `transport = \"two_way\"`",
            ),
            (
                "resume",
                !self.resume.is_empty() && self.command.is_empty(),
                "a driver without a command has nothing to resume",
            ),
        ]
    }

    /// What is said by itself: key, whether it is wrong, why.
    fn senseless_values(&self) -> [(&'static str, bool, &'static str); 5] {
        let number = |code: &String| code.parse::<u8>().is_ok_and(|read| read.to_string() == *code);
        [
            (
                "resume",
                !self.resume.is_empty()
                    && !self.resume.iter().any(|text| Argument::parse(text).has_session()),
                "no argument has `{session}`, so it would begin anew",
            ),
            (
                "exit_codes",
                !self.exit_codes.keys().all(number),
                "an exit code is a number from 0 to 255",
            ),
            (
                "pool",
                self.pool.as_ref().is_some_and(|pool| pool.trim().is_empty()),
                "the name is empty",
            ),
            (
                "native",
                self.native.iter().any(|path| path.is_empty() || !fits(path)),
                "a path is empty, too long, or has a zero byte",
            ),
            (
                "sandbox",
                !self
                    .sandbox
                    .write
                    .iter()
                    .all(|place| super::places::is_place(place)),
                "a place to write is an absolute path, `~/…`, or begins with `$VARIABLE`",
            ),
        ]
    }

    pub(super) fn mistakes_of(&self, command: &[String]) -> Vec<DriverError> {
        let mut mistakes = Vec::new();
        if command.len() > ARGUMENTS {
            mistakes.push(DriverError::TooMany { count: command.len() });
        }
        if let Some(program) = command.first().filter(|program| !is_program(program)) {
            mistakes.push(DriverError::NotAProgram {
                program: start_of(program),
            });
        }
        let arguments = command.iter().skip(1);
        mistakes.extend(arguments.flat_map(|text| self.mistakes_of_argument(text)));
        mistakes
    }

    fn mistakes_of_argument(&self, text: &str) -> Vec<DriverError> {
        let argument = Argument::parse(text);
        let mut mistakes = Vec::new();
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
        if argument.has_brief() && self.prompt != PromptBy::Argument {
            mistakes.push(DriverError::BriefNotPassed {
                driver: self.name.clone(),
            });
        }
        mistakes
    }
}

/// Can the first word of a command be the name of a program?
fn is_program(word: &str) -> bool {
    !word.trim().is_empty() && Argument::parse(word).is_plain() && fits(word)
}
