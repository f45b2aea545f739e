//! One field of a cron expression: text to a set of values.
//!
//! The grammar is stricter than that of the engine behind it, which takes `"9** "` or an empty
//! list without complaint: what a person did not mean should not start agents.

use super::CronError;

/// What one field is called and which values it takes.
#[derive(Debug)]
pub(super) struct Kind {
    name: &'static str,
    min: u8,
    max: u8,
    /// Names for the values from `min` on.
    names: &'static [&'static str],
    allowed: &'static str,
}

pub(super) const SECOND: Kind = Kind {
    name: "second",
    min: 0,
    max: 59,
    names: &[],
    allowed: "0-59, `*`, lists, ranges and steps",
};
pub(super) const MINUTE: Kind = Kind {
    name: "minute",
    ..SECOND
};
pub(super) const HOUR: Kind = Kind {
    name: "hour",
    max: 23,
    allowed: "0-23, `*`, lists, ranges and steps",
    ..SECOND
};
pub(super) const DAY: Kind = Kind {
    name: "day",
    min: 1,
    max: 31,
    allowed: "1-31, `*`, lists, ranges, steps, `L`, `L-3`, `LW` and `15W`",
    ..SECOND
};
pub(super) const MONTH: Kind = Kind {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    allowed: "1-12, JAN-DEC, `*`, lists, ranges and steps",
};
pub(super) const WEEKDAY: Kind = Kind {
    name: "weekday",
    min: 0,
    max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    allowed: "0-7 (0 and 7 are Sunday), SUN-SAT, `*`, lists, ranges, steps, `FRI#2` and `FRIL`",
};

/// The values that a field names, and where it has stars: both day rules and the rule for
/// daylight saving go by how it is written, not by what it amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    /// Bit n stands for value n.
    values: u64,
    /// Some item is `*` or `*/n`.
    pub(super) has_star: bool,
    /// The first item is.
    pub(super) starts_with_star: bool,
}

impl Field {
    /// Bit n for value n.
    pub(super) const fn values(self) -> u64 {
        self.values
    }

    /// The values as the engine writes them; `*` when it is all of them.
    fn engine_text(self, min: u8, max: u8) -> String {
        let held = |value: &u8| self.values & (1 << *value) != 0;
        if (min..=max).all(|value| held(&value)) {
            return "*".to_owned();
        }
        let values: Vec<String> = (min..=max).filter(held).map(|value| value.to_string()).collect();
        values.join(",")
    }
}

impl Kind {
    /// Reads one field.
    pub(super) fn parse(&self, text: &str) -> Result<Field, CronError> {
        self.parse_beside(text, |_| Ok(false))
    }

    /// The same, where `mark` takes items that are no values and answers whether it did.
    pub(super) fn parse_beside(
        &self,
        text: &str,
        mut mark: impl FnMut(&str) -> Result<bool, CronError>,
    ) -> Result<Field, CronError> {
        let mut field = Field {
            starts_with_star: text.starts_with('*'),
            ..Field::default()
        };
        for item in text.split(',') {
            if mark(item)? {
                continue;
            }
            let (low, high, step) = self.item(item)?;
            field.has_star |= item.starts_with('*');
            for value in (low..=high).step_by(usize::from(step)) {
                // Only a weekday has 7 as another name of 0.
                let value = if self.max == 7 { value % 7 } else { value };
                field.values |= 1 << value;
            }
        }
        Ok(field)
    }

    /// The field in the engine's spelling.
    pub(super) fn engine_text(&self, field: Field) -> String {
        field.engine_text(self.min, if self.max == 7 { 6 } else { self.max })
    }

    /// One item of the list: lowest value, highest value, step.
    fn item(&self, item: &str) -> Result<(u8, u8, u8), CronError> {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (low, high) = self.range(item, base, step)?;
        Ok((low, high, step.unwrap_or(1)))
    }

    fn range(&self, item: &str, base: &str, step: Option<u8>) -> Result<(u8, u8), CronError> {
        if base == "*" {
            return Ok((self.min, if self.max == 7 { 6 } else { self.max }));
        }
        if let Some((low, high)) = base.split_once('-') {
            return self.span(item, low, high);
        }
        let value = self.value(item, base)?;
        if let Some(step) = step {
            let hint = format!("write `{value}-{}/{step}`", self.max);
            return Err(self.fault(item, "a step that follows a single value", Some(hint)));
        }
        Ok((value, value))
    }

    /// `low-high`, both included.
    fn span(&self, item: &str, low: &str, high: &str) -> Result<(u8, u8), CronError> {
        let (from, mut to) = (self.value(item, low)?, self.value(item, high)?);
        if self.max == 7 && to == 0 && from > 0 {
            to = 7; // FRI-SUN
        }
        if from > to {
            let hint = format!("write `{low}-{},{}-{high}`", self.max, self.min);
            return Err(self.fault(item, "a range that runs backwards", Some(hint)));
        }
        Ok((from, to))
    }

    fn step(&self, item: &str, text: &str) -> Result<u8, CronError> {
        let step = digits(text).ok_or_else(|| self.fault(item, "whose step is not a number", None))?;
        if step == 0 {
            return Err(self.fault(item, "a step of nothing", None));
        }
        if step > self.max {
            let hint = "a step starts anew in each round of its field; for longer periods use `every`";
            return Err(self.fault(item, "a step larger than the field", Some(hint.to_owned())));
        }
        Ok(step)
    }

    pub(super) fn value(&self, item: &str, text: &str) -> Result<u8, CronError> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        if let Some(index) = named.and_then(|index| u8::try_from(index).ok()) {
            return Ok(self.min + index);
        }
        if text.is_empty() {
            return Err(self.fault(item, "where a value is missing", None));
        }
        let value = digits(text)
            .ok_or_else(|| self.fault(item, "which is not a value of this field", self.guess(text)))?;
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(self.fault(item, "which is out of range", None))
        }
    }

    /// What somebody who knows another dialect, or the next field, may have meant.
    fn guess(&self, text: &str) -> Option<String> {
        let is_name = |kind: &Self| kind.names.iter().any(|name| name.eq_ignore_ascii_case(text));
        if text == "?" {
            Some("write `*`".to_owned())
        } else if is_name(&WEEKDAY) {
            Some("names of days stand in the last field".to_owned())
        } else if is_name(&MONTH) {
            Some("names of months stand in the last field but one".to_owned())
        } else if text.contains(['L', 'W', '#']) {
            Some("`L` and `W` belong to the day (`L`, `LW`, `15W`), `L` and `#` to the weekday (`FRIL`, `FRI#2`)".to_owned())
        } else if !self.names.is_empty() && text.len() > 3 {
            Some(format!("names have three letters, as in {}", self.names[1]))
        } else {
            None
        }
    }

    pub(super) fn fault(&self, item: &str, fault: &'static str, hint: Option<String>) -> CronError {
        CronError::Field {
            field: self.name,
            found: item.to_owned(),
            fault,
            allowed: self.allowed,
            hint,
        }
    }
}

/// A plain number: no sign, nothing around it.
pub(super) fn digits(text: &str) -> Option<u8> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number that no `u8` holds is out of range in every field.
    plain.then(|| text.parse().unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(kind: &Kind, text: &str) -> String {
        kind.engine_text(kind.parse(text).unwrap())
    }

    #[test]
    fn values_are_understood() {
        assert_eq!(engine(&MINUTE, "*/20"), "0,20,40");
        assert_eq!(engine(&MINUTE, "00"), "0");
        assert_eq!(engine(&HOUR, "9-17/4,20"), "9,13,17,20");
        assert_eq!(engine(&MONTH, "jan,Mar-APR"), "1,3,4");
        assert_eq!(engine(&DAY, "1-31"), "*");
    }

    #[test]
    fn sunday_is_zero_seven_and_sun() {
        for text in ["0", "7", "sun"] {
            assert_eq!(engine(&WEEKDAY, text), "0", "{text}");
        }
        assert_eq!(engine(&WEEKDAY, "1"), "1");
        assert_eq!(engine(&WEEKDAY, "FRI-SUN"), "0,5,6");
        assert_eq!(engine(&WEEKDAY, "5-7"), "0,5,6");
        assert_eq!(engine(&WEEKDAY, "0-7"), "*");
        assert_eq!(engine(&WEEKDAY, "*/3"), "0,3,6");
    }

    #[test]
    fn stars_are_noticed_where_they_stand() {
        let star = |text| {
            let field = MINUTE.parse(text).unwrap();
            (field.has_star, field.starts_with_star)
        };
        assert_eq!(star("*/5"), (true, true));
        assert_eq!(star("1,*/5"), (true, false));
        assert_eq!(star("0-59"), (false, false));
    }

    #[test]
    fn what_was_not_meant_is_refused() {
        for text in [
            "",
            ",",
            "1,,2",
            "**",
            "*5",
            "*-5",
            "-5",
            "5-",
            "5/15",
            "*/0",
            "*/60",
            "*/",
            "+5",
            "1.5",
            "60",
            "1-2-3",
            "99999999999",
            "é",
            "?",
        ] {
            assert!(MINUTE.parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_name_the_field_and_help() {
        let hint = |kind: &Kind, text: &str| kind.parse(text).unwrap_err().hint().unwrap_or_default();
        let error = HOUR.parse("9,24").unwrap_err().to_string();
        assert_eq!(
            error,
            "hour field: found `24`, which is out of range; allowed are 0-23, `*`, lists, ranges and steps"
        );
        assert_eq!(hint(&HOUR, "22-2"), "write `22-23,0-2`");
        assert_eq!(hint(&MINUTE, "5/15"), "write `5-59/15`");
        assert_eq!(hint(&DAY, "?"), "write `*`");
        assert!(hint(&HOUR, "L").contains("belong to the day"));
        assert!(hint(&DAY, "FRI#2").contains("to the weekday"));
        assert!(hint(&DAY, "MON").contains("last field"));
        assert!(hint(&WEEKDAY, "Monday").contains("three letters"));
    }

    #[test]
    fn the_reversed_range_hint_is_itself_valid() {
        for (kind, text) in [(&WEEKDAY, "SAT-MON"), (&HOUR, "22-2"), (&MONTH, "NOV-FEB")] {
            let hint = kind.parse(text).unwrap_err().hint().unwrap();
            let suggestion = hint
                .trim_start_matches("write `")
                .trim_end_matches('`')
                .to_owned();
            assert!(kind.parse(&suggestion).is_ok(), "{suggestion}");
        }
    }
}
