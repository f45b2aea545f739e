//! Stable error codes, and the exit code that each has at the command line.

use serde::{Deserialize, Serialize};

/// Why something was not done, as programs see it. The texts beside it are for people and may
/// change; these words do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// It was tried and did not work.
    Failed,
    /// The request itself makes no sense.
    Usage,
    /// The configuration has mistakes.
    InvalidConfig,
    /// There is no such thing.
    NotFound,
    /// The caller may not do this.
    Forbidden,
    /// A rule of the team forbids it.
    Refused,
    /// It is not possible in the present state.
    IllegalTransition,
    /// The write carries an epoch that is no longer the current one.
    StaleEpoch,
    /// It was changed since the caller looked at it.
    Changed,
    /// Somebody else holds it.
    Held,
    /// It exists already.
    AlreadyExists,
    /// Too much at once: try again after the stated time.
    Backpressure,
    /// A limit of the team is reached.
    LimitReached,
    /// A gate said no.
    GateFailed,
    /// No daemon answers here.
    Unreachable,
    /// It took longer than allowed.
    TimedOut,
    /// The store is damaged.
    CorruptJournal,
    /// The disk is full.
    DiskFull,
}

/// What to do when nobody answered in time: the deed may have been done.
pub const MAY_BE_DONE: &str =
    "look whether it was done; asked again with the same idempotency key, it is done once";

impl Code {
    /// The process exit code: 1 failed, 2 usage, 3 not found, 4 refused, 5 conflict,
    /// 6 gate failed, 7 daemon not reachable, 8 timed out. 0 is never an error.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::CorruptJournal | Self::DiskFull | Self::Backpressure => 1,
            Self::Usage | Self::InvalidConfig => 2,
            Self::NotFound => 3,
            Self::Forbidden | Self::Refused | Self::LimitReached => 4,
            Self::IllegalTransition | Self::StaleEpoch | Self::Changed | Self::Held | Self::AlreadyExists => {
                5
            }
            Self::GateFailed => 6,
            Self::Unreachable => 7,
            Self::TimedOut => 8,
        }
    }

    /// The HTTP status that carries this code.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Usage | Self::InvalidConfig => 400,
            Self::Forbidden | Self::Refused => 403,
            Self::NotFound => 404,
            Self::IllegalTransition | Self::StaleEpoch | Self::Held | Self::AlreadyExists => 409,
            Self::Changed => 412,
            Self::GateFailed => 422,
            Self::Backpressure | Self::LimitReached => 429,
            Self::Failed | Self::CorruptJournal => 500,
            Self::Unreachable => 503,
            Self::TimedOut => 504,
            Self::DiskFull => 507,
        }
    }
}

/// A refusal or failure as it reaches a person or a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, schemars::JsonSchema)]
#[error("{message}")]
pub struct Error {
    /// The stable word for it.
    pub code: Code,
    /// What could not be done, with which thing, and why.
    pub message: String,
    /// What to do now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For [`Code::Backpressure`]: how long to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// An error without a hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            retry_after_ms: None,
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The mailbox or queue named `what` is full.
    #[must_use]
    pub fn backpressure(what: &str) -> Self {
        let wait = crate::time::millis(crate::bounds::RETRY_AFTER);
        Self {
            code: Code::Backpressure,
            message: format!("{what} is full"),
            hint: Some(format!("try again in {wait} ms")),
            retry_after_ms: Some(wait),
        }
    }
}

/// The event does not fit the state: a defect, or a write that came too late.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` is not possible while {subject} is {state}{because}")]
pub struct IllegalTransition {
    /// The event's type.
    pub event: &'static str,
    /// Which thing.
    pub subject: String,
    /// The state it is in.
    pub state: &'static str,
    /// More, when the state alone does not explain it; begins with `: `.
    pub because: String,
}

impl From<IllegalTransition> for Error {
    fn from(illegal: IllegalTransition) -> Self {
        Self::new(Code::IllegalTransition, illegal.to_string())
            .hint("look at how it is now, then decide; `worknode why` tells what led there")
    }
}
