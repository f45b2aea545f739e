//! Mistakes: where each stands, what is wrong, what to do about it.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::Serialize;
use worknode_core::error::{Code, Error};

/// Most mistakes that are kept; the rest is counted. Nobody reads more at once, and a file of
/// megabytes may have one in every line.
pub const KEPT: usize = 1_000;

/// What says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Place {
    /// A file; without a line when it is about the file as a whole.
    File {
        /// Its name, relative to the directory of `worknode.toml` where it lies below.
        file: String,
        /// Line, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        /// Column in characters, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<usize>,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        variable: String,
    },
    /// A flag of the command line.
    Flag {
        /// As written.
        flag: String,
    },
}

impl Place {
    pub(super) fn file(file: impl Into<String>) -> Self {
        Self::File {
            file: file.into(),
            line: None,
            column: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => {
                f.write_str(file)?;
                for number in [line, column].into_iter().flatten() {
                    write!(f, ":{number}")?;
                }
                Ok(())
            }
            Self::Variable { variable } => f.write_str(variable),
            Self::Flag { flag } => f.write_str(flag),
        }
    }
}

/// One mistake, or one thing that is allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Mistake {
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The key, as in `trigger[0].cron`; empty when it is about the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    list: Vec<Mistake>,
    left_out: usize,
}

impl Mistakes {
    pub(super) fn add(&mut self, mistake: Mistake) {
        if self.list.len() < KEPT {
            self.list.push(mistake);
        } else {
            self.left_out += 1;
        }
    }

    /// A mistake of a file as a whole.
    pub(super) fn about_file(&mut self, file: &str, message: impl Into<String>, hint: Option<&str>) {
        self.add(Mistake {
            place: Place::file(file),
            key: String::new(),
            message: message.into(),
            hint: hint.map(str::to_owned),
        });
    }

    pub(super) const fn leave_out(&mut self, count: usize) {
        self.left_out += count;
    }

    pub(super) const fn is_full(&self) -> bool {
        self.list.len() >= KEPT
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// By file and line, each once.
    pub(super) fn sorted(mut self) -> ConfigErrors {
        self.list.sort();
        self.list.dedup();
        ConfigErrors {
            mistakes: self.list,
            left_out: self.left_out,
        }
    }
}

/// Every mistake in the configuration, by file and line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigErrors {
    /// The mistakes, at most [`KEPT`].
    pub mistakes: Vec<Mistake>,
    /// How many there are beyond.
    pub left_out: usize,
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.mistakes {
            writeln!(f, "{mistake}")?;
        }
        if self.left_out > 0 {
            writeln!(f, "… and {} more", self.left_out)?;
        }
        let count = self.mistakes.len() + self.left_out;
        write!(
            f,
            "{}{}; nothing was started",
            counted(count, "mistake"),
            self.sources()
        )
    }
}

impl ConfigErrors {
    /// As in " in 2 files and 1 variable".
    fn sources(&self) -> String {
        let mut of_kind = [
            ("file", BTreeSet::new()),
            ("variable", BTreeSet::new()),
            ("flag", BTreeSet::new()),
        ];
        for mistake in &self.mistakes {
            let (kind, name) = match &mistake.place {
                Place::File { file, .. } => (0, file),
                Place::Variable { variable } => (1, variable),
                Place::Flag { flag } => (2, flag),
            };
            of_kind[kind].1.insert(name);
        }
        let words = of_kind.iter().filter(|(_, names)| !names.is_empty());
        let words: Vec<String> = words.map(|(kind, names)| counted(names.len(), kind)).collect();
        if words.is_empty() {
            String::new()
        } else {
            format!(" in {}", words.join(" and "))
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

impl From<ConfigErrors> for Error {
    fn from(errors: ConfigErrors) -> Self {
        Self::new(Code::InvalidConfig, errors.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(file: &str, line: usize) -> Mistake {
        let place = Place::File {
            file: file.to_owned(),
            line: Some(line),
            column: Some(1),
        };
        Mistake {
            place,
            key: "a.b".to_owned(),
            message: "is wrong".to_owned(),
            hint: None,
        }
    }

    #[test]
    fn mistakes_are_sorted_counted_and_told_once() {
        let mut mistakes = Mistakes::default();
        for (file, line) in [
            ("worknode.toml", 10),
            ("worknode.toml", 9),
            ("plan.toml", 30),
            ("plan.toml", 30),
        ] {
            mistakes.add(mistake(file, line));
        }
        let errors = mistakes.sorted();
        let expected = "plan.toml:30:1: a.b: is wrong\nworknode.toml:9:1: a.b: is wrong\n\
                        worknode.toml:10:1: a.b: is wrong\n3 mistakes in 2 files; nothing was started";
        assert_eq!(errors.to_string(), expected);
        let error = Error::from(errors);
        assert_eq!(
            (error.code, error.message.as_str()),
            (Code::InvalidConfig, expected)
        );
    }

    #[test]
    fn p8_mistakes_beyond_the_bound_are_counted() {
        let mut mistakes = Mistakes::default();
        for line in 0..KEPT + 5 {
            mistakes.add(mistake("worknode.toml", line));
        }
        let text = mistakes.sorted().to_string();
        assert!(
            text.ends_with("… and 5 more\n1005 mistakes in 1 file; nothing was started"),
            "{text}"
        );
    }

    #[test]
    fn a_mistake_is_flat_in_json() {
        let json = serde_json::to_value(mistake("plan.toml", 3)).unwrap();
        let expected = serde_json::json!({
            "file": "plan.toml", "line": 3, "column": 1, "key": "a.b", "message": "is wrong"
        });
        assert_eq!(json, expected);
    }
}
