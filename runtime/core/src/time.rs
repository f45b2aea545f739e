//! Instants and durations, and the seam through which the runtime learns what time it is.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A wall-clock instant in UTC with millisecond precision.
///
/// The text form is RFC 3339 with exactly three decimals and `Z`, so text sorts as time does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest instant that can be written: the last millisecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// An instant so many milliseconds after the Unix epoch; later than [`Self::MAX`] is `MAX`.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This instant moved `by` into the future, at most to [`Self::MAX`].
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(by)))
    }

    /// This instant moved `by` into the past, at most to the epoch.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long after `earlier` this instant is; zero when it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The same instant as chrono sees it.
    #[must_use]
    pub fn to_chrono(self) -> DateTime<Utc> {
        // In range by construction; `MAX` is a valid chrono instant.
        Utc.timestamp_millis_opt(i64::try_from(self.0).unwrap_or(i64::MAX))
            .single()
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// From chrono; instants before 1970 become the epoch.
    #[must_use]
    pub fn from_chrono(instant: DateTime<Utc>) -> Self {
        Self::from_millis(u64::try_from(instant.timestamp_millis()).unwrap_or(0))
    }
}

/// A duration in whole milliseconds, saturating.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an RFC 3339 instant between 1970 and 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date and time with an offset, as in 2026-12-01T18:00:00+01:00")]
pub struct NotATimestamp(pub String);

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| NotATimestamp(text.to_owned()))?;
        let millis = u64::try_from(parsed.timestamp_millis()).map_err(|_| NotATimestamp(text.to_owned()))?;
        if millis > Self::MAX.0 {
            Err(NotATimestamp(text.to_owned()))
        } else {
            Ok(Self(millis))
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "An instant with its offset, as in 2026-12-01T18:00:00+01:00."
        })
    }
}

/// A length of time as people write it: `"30m"`, `"1h 30m"`, `"500ms"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time, as in \"30m\", \"1h 30m\" or \"500ms\"")]
pub struct NotASpan(pub String);

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|_| NotASpan(text.to_owned()))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "span",
            "description": "A length of time, as in \"30m\", \"1h 30m\" or \"500ms\"."
        })
    }
}

/// Where the runtime learns the time. The system's clock in the product, a hand-moved one
/// ([`ManualClock`]) in tests.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock, which may step in both directions.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicU64);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub const fn at(start: Timestamp) -> Self {
        Self(std::sync::atomic::AtomicU64::new(start.as_millis()))
    }

    /// Moves the clock to `instant`, backwards too.
    pub fn set(&self, instant: Timestamp) {
        self.0
            .store(instant.as_millis(), std::sync::atomic::Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn timestamps_round_trip_and_their_text_sorts(a in 0..=Timestamp::MAX.0, b in 0..=Timestamp::MAX.0) {
            let (a, b) = (Timestamp(a), Timestamp(b));
            prop_assert_eq!(a.to_string().parse::<Timestamp>().unwrap(), a);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".*") {
            let _ = text.parse::<Timestamp>();
            let _ = text.parse::<Span>();
        }
    }

    #[test]
    fn offsets_are_understood() {
        let there: Timestamp = "2026-12-01T18:00:00+01:00".parse().unwrap();
        assert_eq!(there.to_string(), "2026-12-01T17:00:00.000Z");
    }

    #[test]
    fn spans_read_and_write_as_people_do() {
        assert_eq!("1h 30m".parse::<Span>().unwrap(), Span::secs(5400));
        assert_eq!(Span::secs(5400).to_string(), "1h 30m");
        assert!("soon".parse::<Span>().is_err());
        assert!("30".parse::<Span>().is_err());
    }
}
