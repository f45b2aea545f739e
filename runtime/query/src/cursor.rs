//! Where the next page of a query begins.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use worknode_core::time::Timestamp;

use crate::error::{QueryCode, QueryError};

/// Where the next page of a query begins: behind a place in the order of creation, which never
/// changes. It also remembers the instant of the first page, so
/// that conditions on `now` mean the same on every page, and the query that it continues.
///
/// Its text means nothing to anybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    query: u64,
    now: Timestamp,
    place: u64,
}

/// Letters of a cursor's text.
const LENGTH: usize = 2 + 16 + 12 + 16;
const VERSION: &str = "c1";

impl Cursor {
    /// Behind `place`, as the store counts them, in the query of that text, asked at `now`.
    #[must_use]
    pub fn behind(query: &str, now: Timestamp, place: u64) -> Self {
        Self {
            query: fingerprint(query),
            now,
            place,
        }
    }

    /// The instant at which the first page was asked for.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The place behind which the next page begins.
    #[must_use]
    pub const fn place(&self) -> u64 {
        self.place
    }

    /// Makes sure that it continues the query of that text.
    ///
    /// # Errors
    /// [`QueryError`] when it continues another one.
    pub fn continues(&self, query: &str) -> Result<(), QueryError> {
        if self.query == fingerprint(query) {
            return Ok(());
        }
        let message = "the cursor continues another query";
        Err(QueryError::new(QueryCode::BadCursor, message).hint("ask for the first page without a cursor"))
    }
}

/// FNV-1a: tells queries apart by mistake, not by intent; a forged cursor shows nothing that a
/// query without it would not.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.now.as_millis();
        write!(f, "{VERSION}{:016x}{now:012x}{:016x}", self.query, self.place)
    }
}

impl FromStr for Cursor {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        parsed(text)
            .filter(|cursor| cursor.to_string() == text)
            .ok_or_else(|| {
                QueryError::new(QueryCode::BadCursor, "this is no cursor")
                    .hint("pass the `next` of the page before as it is")
            })
    }
}

fn parsed(text: &str) -> Option<Cursor> {
    let mut rest = text.strip_prefix(VERSION).filter(|_| text.len() == LENGTH)?;
    let mut hex = |digits: usize| {
        let (part, behind) = rest.split_at_checked(digits)?;
        rest = behind;
        u64::from_str_radix(part, 16).ok()
    };
    Some(Cursor {
        query: hex(16)?,
        now: Timestamp::from_millis(hex(12)?),
        place: hex(16)?,
    })
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(|error: QueryError| de::Error::custom(error.message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_round_trips(query in ".*", now: u64, place: u64) {
            let cursor = Cursor::behind(&query, Timestamp::from_millis(now), place);
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            prop_assert!(cursor.continues(&query).is_ok());
            prop_assert_eq!((cursor.now(), cursor.place()), (Timestamp::from_millis(now), place));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*", cut in 0_usize..50) {
            prop_assert!(text.parse::<Cursor>().is_err());
            let text = Cursor::behind("x", Timestamp::MAX, u64::MAX).to_string();
            if let Some(part) = text.get(..cut).filter(|part| *part != text) {
                prop_assert!(part.parse::<Cursor>().is_err());
            }
        }
    }

    #[test]
    fn a_cursor_continues_only_its_own_query() {
        let cursor = Cursor::behind("archived", Timestamp::default(), 7);
        assert_eq!(
            cursor.continues("!archived").unwrap_err().code,
            QueryCode::BadCursor
        );
    }
}
