//! What can be wrong with a driver or with a command.

use super::{ARGUMENT, ARGUMENTS};

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
    #[error("driver `{driver}` does not say `prompt = \"argument\"`, so `{{brief}}` stands for nothing")]
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
    /// Two keys that do not go together, or a value that none of them takes.
    #[error("`{key}`: {why}")]
    Senseless {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// There is no way to go on with a session.
    #[error("driver `{driver}` cannot go on with a session: it has no `resume`")]
    NoResume {
        /// Which driver.
        driver: String,
    },
    /// The driver forbids it.
    #[error("driver `{driver}` never passes `{name}`")]
    NeverPassed {
        /// Which driver.
        driver: String,
        /// Which variable.
        name: String,
    },
}
