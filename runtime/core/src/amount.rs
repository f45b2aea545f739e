//! Amounts as people write them in files: bytes with a unit, money in dollars.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::usage::Usd;

/// A number of bytes: `1_048_576`, `"512MB"` or `"2GiB"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

/// The text is not a number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number of bytes, as in 1048576, \"512MB\" or \"2GiB\"")]
pub struct NotBytes(pub String);

/// What can be written: TOML's integers have a sign.
const MOST: u64 = i64::MAX.unsigned_abs();

/// The units, and how many bytes one is. Powers of ten without an `i`, powers of two with one.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Bytes {
    type Err = NotBytes;

    /// Whole numbers only: half a gibibyte is `"512MiB"`, and nobody has to ask how it is rounded.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotBytes(text.to_owned());
        let trimmed = text.trim();
        let digits = trimmed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = trimmed.get(digits.len()..).unwrap_or_default();
        let size = match unit {
            "" => 1,
            unit => UNITS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(unit))
                .map(|(_, size)| *size)
                .ok_or_else(wrong)?,
        };
        let digits = digits.trim_end();
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
        let number: u64 = digits
            .replace('_', "")
            .parse()
            .ok()
            .filter(|_| plain)
            .ok_or_else(wrong)?;
        let bytes = number.checked_mul(size).filter(|bytes| *bytes <= MOST);
        bytes.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |size: u64| self.0 >= size && self.0.is_multiple_of(size);
        match UNITS.iter().find(|(_, size)| *size > 1 && fits(*size)) {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, as in 1048576, \"512MB\" or \"2GiB\"")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Bytes, E> {
                let unsigned = u64::try_from(bytes);
                unsigned
                    .map(Bytes)
                    .map_err(|_| E::custom(NotBytes(bytes.to_string())))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for Bytes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "integer", "format": "uint64", "minimum": 0 },
                { "type": "string", "format": "bytes" }
            ],
            "description": "A number of bytes, as in 1048576, \"512MB\" or \"2GiB\"."
        })
    }
}

/// An amount of money above zero, written in US dollars: `20` or `0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dollars(pub Usd);

/// The number is not an amount of money above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an amount of dollars above zero, as in 20 or 0.5")]
pub struct NotDollars;

impl TryFrom<f64> for Dollars {
    type Error = NotDollars;

    fn try_from(dollars: f64) -> Result<Self, Self::Error> {
        let usd = Usd::from_dollars(dollars).filter(|usd| *usd > Usd::ZERO);
        usd.map(Self).ok_or(NotDollars)
    }
}

impl From<Dollars> for Usd {
    fn from(dollars: Dollars) -> Self {
        dollars.0
    }
}

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A double holds every amount that was read from one.
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53 millionths are ever read")]
        serializer.serialize_f64(self.0.micros() as f64 / 1e6)
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        Self::try_from(dollars).map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Dollars {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "number",
            "format": "dollars",
            "exclusiveMinimum": 0,
            "description": "An amount of money above zero, in US dollars, as in 20 or 0.5."
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4_096),
            ("1_048_576", 1 << 20),
            ("2GiB", 2 << 30),
            ("2 gib", 2 << 30),
            ("512MB", 512_000_000),
            (" 64 KiB ", 64 << 10),
            ("10kb", 10_000),
            ("7B", 7),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in [
            "",
            "GiB",
            "1.5GiB",
            "-1",
            "2Gib2",
            "2 apples",
            "_",
            "9223372036854775808",
            "9999999TiB",
        ] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (2 << 30, "2GiB"),
            (512_000_000, "512MB"),
            (1_537, "1537 bytes"),
            (0, "0 bytes"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn files_hold_numbers_and_texts() {
        let read = |json: &str| serde_json::from_str::<Bytes>(json).ok();
        assert_eq!(read("1024"), Some(Bytes(1_024)));
        assert_eq!(read("\"1KiB\""), Some(Bytes(1_024)));
        assert_eq!(read("-1"), None);
        assert_eq!(read("true"), None);
        assert_eq!(serde_json::to_string(&Bytes(1_024)).unwrap(), "1024");
    }

    #[test]
    fn dollars_are_above_zero() {
        let read = |json: &str| serde_json::from_str::<Dollars>(json).ok().map(Usd::from);
        assert_eq!(read("20"), Some(Usd::from_micros(20_000_000)));
        assert_eq!(read("0.5"), Some(Usd::from_micros(500_000)));
        for wrong in ["0", "-1", "0.0000001", "1e300", "\"5\""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Bytes>();
        }

        #[test]
        fn bytes_round_trip_through_their_text(bytes in 0..=MOST, shift in 0u32..40) {
            let bytes = Bytes(bytes >> shift << shift);
            let text = bytes.to_string().replace(" bytes", "");
            prop_assert_eq!(text.parse(), Ok(bytes));
        }

        #[test]
        fn dollars_round_trip(micros in 1u64..=9_007_199_254_740_992) {
            let dollars = Dollars(Usd::from_micros(micros));
            let text = serde_json::to_string(&dollars).unwrap();
            let back: Dollars = serde_json::from_str(&text).unwrap();
            // Near the end a double of dollars holds no single millionth any more.
            prop_assert!(back.0.micros().abs_diff(micros) <= micros >> 50);
        }
    }
}
