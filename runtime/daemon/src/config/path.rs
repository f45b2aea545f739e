//! Where something stands within the configuration: `phase[0].task[2].depends_on`.

use std::fmt;

use worknode_policies::text;

/// Characters of a key that are shown.
const SHOWN: usize = 64;

/// One step into a table or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Keys and positions from the top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(pub Vec<Step>);

impl Path {
    /// Reads a path as it is written. What makes no sense ends it.
    pub(super) fn parse(written: &str) -> Self {
        let mut steps = Vec::new();
        for part in written.split('.').filter(|part| !part.is_empty()) {
            let (key, indices) = part.split_once('[').unwrap_or((part, ""));
            steps.push(Step::Key(key.to_owned()));
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                match index.trim_end_matches(']').parse() {
                    Ok(index) => steps.push(Step::Index(index)),
                    Err(_) => return Self(steps),
                }
            }
        }
        Self(steps)
    }

    pub(super) fn push_key(&mut self, key: &str) {
        self.0.push(Step::Key(key.to_owned()));
    }

    pub(super) fn push_index(&mut self, index: usize) {
        self.0.push(Step::Index(index));
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// The keys alone, as in `phase.task.depends_on`.
    pub(super) fn keys(&self) -> String {
        let keys = self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if at > 0 { "." } else { "" };
                    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                    let key = shown(key);
                    if key.is_empty() || !key.chars().all(bare) {
                        write!(f, "{dot}\"{key}\"")?;
                    } else {
                        write!(f, "{dot}{key}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A text from a file, fit to stand within a line.
pub(super) fn shown(written: &str) -> String {
    text::clipped(&text::readable(written).replace(['\n', '\t'], " "), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_they_are_read() {
        for written in ["", "team", "team.name", "phase[0].task[12].files[3]", "a[1][2].b"] {
            assert_eq!(Path::parse(written).to_string(), written);
        }
    }

    #[test]
    fn odd_keys_are_quoted_and_long_ones_cut() {
        let path = Path(vec![Step::Key("a".into()), Step::Key("b c\n".into())]);
        assert_eq!(path.to_string(), "a.\"b c \"");
        assert!(Path(vec![Step::Key("x".repeat(1_000))]).to_string().len() < 80);
    }
}
