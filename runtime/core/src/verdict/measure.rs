//! What a gate measured.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What was measured, or may be measured at most or at least. In JSON a count is a whole number and a
/// share one with a fraction, as `8` and `93.5`.
///
/// It is signed as part of a verdict, and so has exactly one text and compares exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// So many.
    Count(u64),
    /// A share, in hundredths of a percent.
    Percent(u32),
}

impl Measure {
    /// A share in percent, to the nearest hundredth. What is no share is the nearest that is.
    #[must_use]
    pub fn percent(share: f64) -> Self {
        // A number that is printed without a fraction is read back exactly, without a cast.
        let hundredths = format!("{:.0}", share.max(0.0) * 100.0);
        Self::Percent(hundredths.parse().unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(hundredths) => {
                write!(f, "{}.{:02} %", hundredths / 100, hundredths % 100)
            }
        }
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => to.serialize_u64(*count),
            Self::Percent(hundredths) => to.serialize_f64(f64::from(*hundredths) / 100.0),
        }
    }
}

impl<'de> Deserialize<'de> for Measure {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Measure;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count, or a share in percent")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Measure, E> {
                Ok(Measure::Count(count))
            }

            fn visit_f64<E: de::Error>(self, share: f64) -> Result<Measure, E> {
                Ok(Measure::percent(share))
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl JsonSchema for Measure {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Measure".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "number",
            "description": "A count as a whole number, or a share in percent with a fraction."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_survives_storage() {
        let shares = (0..=10_000).map(Measure::Percent);
        let counts = [0, 8, 93, u64::MAX].map(Measure::Count);
        for measure in shares.chain(counts) {
            let stored = serde_json::to_string(&measure).unwrap();
            assert_eq!(
                serde_json::from_str::<Measure>(&stored).unwrap(),
                measure,
                "{stored}"
            );
        }
    }

    #[test]
    fn it_reads_as_a_person_writes_it() {
        assert_eq!(Measure::Count(9).to_string(), "9");
        assert_eq!(Measure::percent(93.456).to_string(), "93.46 %");
        assert_eq!(Measure::percent(f64::NAN), Measure::Percent(0));
        assert_eq!(Measure::percent(-3.0), Measure::Percent(0));
        assert_eq!(Measure::percent(f64::INFINITY), Measure::Percent(u32::MAX));
        assert_eq!(serde_json::to_string(&Measure::percent(95.0)).unwrap(), "95.0");
    }
}
