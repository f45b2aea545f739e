//! One thing that a gate objects to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::verdict;

/// How grave a finding is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is shown and fails nothing.
    Warning,
    /// It fails the gate.
    #[default]
    Error,
}

impl Severity {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What was measured, or may be measured at most or at least.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Measure {
    /// So many.
    Count(u64),
    /// A share in percent.
    Percent(f64),
}

impl From<u32> for Measure {
    fn from(count: u32) -> Self {
        Self::Count(u64::from(count))
    }
}

impl From<u64> for Measure {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Measure {
    fn from(count: usize) -> Self {
        Self::Count(u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl From<Measure> for verdict::Measure {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Count(count) => Self::Count(count),
            Measure::Percent(share) => Self::percent(share),
        }
    }
}

impl From<verdict::Measure> for Measure {
    fn from(measure: verdict::Measure) -> Self {
        match measure {
            verdict::Measure::Count(count) => Self::Count(count),
            verdict::Measure::Percent(hundredths) => Self::Percent(f64::from(hundredths) / 100.0),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent:.1} %"),
        }
    }
}

/// Why a finding does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waived {
    /// Who decided it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub until: String,
}

/// One thing that a gate objects to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// The gate.
    pub gate: String,
    /// The rule that was broken, as `complexity.cyclomatic`.
    pub rule: String,
    /// How grave it is.
    pub severity: Severity,
    /// Where: path relative to the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The function that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// What was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measure>,
    /// What may be measured at most, or at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Measure>,
    /// What was seen, in words.
    pub message: String,
    /// What would satisfy the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Why it does not count, when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
}

impl Finding {
    /// A finding that is about no single file. `rule` is `gate.what`.
    #[must_use]
    pub fn new(rule: impl Into<String>, message: impl Into<String>) -> Self {
        let rule = rule.into();
        Self {
            gate: rule.split('.').next().unwrap_or_default().to_owned(),
            rule,
            severity: Severity::Error,
            file: None,
            line: None,
            function: None,
            measured: None,
            limit: None,
            message: message.into(),
            hint: None,
            waived: None,
        }
    }

    /// The same finding about one file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same finding about one line.
    #[must_use]
    pub const fn at_line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// The same finding about one function.
    #[must_use]
    pub fn of_function(mut self, function: impl Into<String>) -> Self {
        self.function = Some(function.into());
        self
    }

    /// The same finding with what was measured and what is allowed.
    #[must_use]
    pub fn measured(mut self, measured: impl Into<Measure>, limit: impl Into<Measure>) -> Self {
        self.measured = Some(measured.into());
        self.limit = Some(limit.into());
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same finding, which fails nothing.
    #[must_use]
    pub const fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Does it fail its gate?
    #[must_use]
    pub const fn fails(&self) -> bool {
        matches!(self.severity, Severity::Error) && self.waived.is_none()
    }
}

/// As verdicts carry it.
impl From<Finding> for verdict::Finding {
    fn from(finding: Finding) -> Self {
        let (weight, message) = match (finding.severity, finding.waived) {
            (_, Some(waived)) => {
                let (by, until, reason) = (waived.by, waived.until, waived.reason);
                let message = format!("{} (waived by {by} until {until}: {reason})", finding.message);
                (verdict::Weight::Waived, message)
            }
            (Severity::Warning, None) => (verdict::Weight::Warning, finding.message),
            (Severity::Error, None) => (verdict::Weight::Error, finding.message),
        };
        Self {
            rule: finding.rule,
            file: finding.file,
            line: finding.line,
            function: finding.function,
            measured: finding.measured.map(Into::into),
            limit: finding.limit.map(Into::into),
            message,
            hint: finding.hint,
            weight,
        }
    }
}

/// As reports show what a verdict carries.
impl From<verdict::Finding> for Finding {
    fn from(finding: verdict::Finding) -> Self {
        Self {
            file: finding.file,
            line: finding.line,
            function: finding.function,
            measured: finding.measured.map(Into::into),
            limit: finding.limit.map(Into::into),
            hint: finding.hint,
            severity: if finding.weight.fails() {
                Severity::Error
            } else {
                Severity::Warning
            },
            ..Self::new(finding.rule, finding.message)
        }
    }
}
