//! What can be wrong with a schedule, in words that let its author correct it.

use super::MAX_LENGTH;

/// A cron expression or its time zone cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Longer than anybody needs.
    #[error("the expression has {length} characters; at most {MAX_LENGTH} are read")]
    TooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// Neither five nor six fields.
    #[error(
        "found {found} fields; allowed are five (minute hour day month weekday) or six with the second in front"
    )]
    FieldCount {
        /// How many there are.
        found: usize,
    },
    /// A word with `@` in front that means nothing.
    #[error(
        "found `{found}`; allowed are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
    )]
    UnknownNickname {
        /// The word.
        found: String,
    },
    /// One field does not say anything that it may say.
    #[error("{field} field: found `{found}`, {fault}; allowed are {allowed}")]
    Field {
        /// Which field.
        field: &'static str,
        /// The part of it that is wrong.
        found: String,
        /// What is wrong with it.
        fault: &'static str,
        /// The values that the field takes.
        allowed: &'static str,
        /// What was probably meant.
        hint: Option<String>,
    },
    /// No day of the calendar matches, as with the 30th of February.
    #[error("`{expression}` never fires: no date matches its day and month")]
    NeverFires {
        /// The expression.
        expression: String,
    },
    /// No such time zone.
    #[error("`{found}` is not a time zone; allowed are names of the IANA database")]
    UnknownZone {
        /// What was written, shortened.
        found: String,
        /// The zone that was probably meant.
        hint: Option<String>,
    },
    /// The schedule engine did not take what was checked before: a fault of this crate.
    #[error("the schedule engine refused `{expression}`: {reason}")]
    Engine {
        /// The expression.
        expression: String,
        /// What the engine says.
        reason: String,
    },
}

impl CronError {
    /// What to write instead, where that can be guessed.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Field { hint, .. } | Self::UnknownZone { hint, .. } => hint.clone(),
            Self::FieldCount { .. } => Some("`0 9 * * MON-FRI` is nine o'clock on working days".to_owned()),
            Self::UnknownNickname { found } if found.eq_ignore_ascii_case("@reboot") => {
                Some("to act when the daemon starts, write a trigger on an event".to_owned())
            }
            Self::UnknownNickname { found } if found.to_ascii_lowercase().starts_with("@every") => {
                Some("a period is a schedule of its own: write `every = \"2h\"`".to_owned())
            }
            Self::NeverFires { .. } => {
                Some("February has 29 days at most; April, June, September and November have 30".to_owned())
            }
            Self::TooLong { .. } | Self::UnknownNickname { .. } | Self::Engine { .. } => None,
        }
    }

    /// True when it is the zone that is wrong, not the expression.
    #[must_use]
    pub const fn is_about_zone(&self) -> bool {
        matches!(self, Self::UnknownZone { .. })
    }
}
