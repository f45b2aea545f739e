//! What is left out of a configuration that is read anew: triggers with mistakes, so that the
//! others can be used.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    document::{Node, Value},
    included,
    mistake::{ConfigErrors, Mistake, Place},
    path::{Path, Step},
};

/// Names of triggers that are remembered are no longer than this.
const NAME: usize = 256;

/// Something that was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// The file that it stands in.
    pub file: String,
    /// The trigger's name; `None` when that cannot be told, or when it is the whole file.
    pub name: Option<String>,
}

/// What is not to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeaveOut {
    /// Triggers, by file and by their place in it.
    triggers: BTreeMap<String, BTreeSet<usize>>,
    /// Whole files of triggers.
    files: BTreeSet<String>,
}

impl LeaveOut {
    /// Also leaves out what has these mistakes, which are told as they are in the file. False when
    /// one of them is not a trigger's: then nothing can be used.
    pub(super) fn add(&mut self, errors: &mut ConfigErrors) -> bool {
        if errors.left_out > 0 {
            return false;
        }
        let before = self.clone();
        for mistake in &mut errors.mistakes {
            if !self.add_one(&before, mistake) {
                return false;
            }
        }
        *self != before
    }

    fn add_one(&mut self, before: &Self, mistake: &mut Mistake) -> bool {
        let Place::File { file, .. } = &mistake.place else {
            return false;
        };
        let mut path = Path::parse(&mistake.key);
        match path.0.as_mut_slice() {
            [Step::Key(key), Step::Index(index), ..] if key == "trigger" => {
                *index = before.original(file, *index);
                self.triggers.entry(file.clone()).or_default().insert(*index);
                mistake.key = path.to_string();
                true
            }
            _ if included::is_included(file) => {
                self.files.insert(file.clone()) || before.files.contains(file)
            }
            _ => false,
        }
    }

    /// Where in the file a trigger stands that is at `index` of what was read of it.
    fn original(&self, file: &str, index: usize) -> usize {
        let mut original = index;
        for left_out in self.triggers.get(file).into_iter().flatten() {
            // They are in order, so each that comes before shifts all that follow.
            if *left_out <= original {
                original += 1;
            }
        }
        original
    }

    /// Is this whole file left out?
    pub(super) fn has_file(&self, file: &str) -> bool {
        self.files.contains(file)
    }

    /// Takes out of a file what is left out of it.
    pub(super) fn apply(&self, file: &str, root: &mut Node) -> Vec<LeftOut> {
        let Some(places) = self.triggers.get(file) else {
            return Vec::new();
        };
        let Value::Table(entries) = &mut root.value else {
            return Vec::new();
        };
        let list = entries.iter_mut().find(|(key, _)| key == "trigger");
        let Some((
            _,
            Node {
                value: Value::List(items),
                ..
            },
        )) = list
        else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        for at in places
            .iter()
            .rev()
            .filter(|at| **at < items.len())
            .copied()
            .collect::<Vec<_>>()
        {
            let name = match items.remove(at).get("name") {
                Some(Node {
                    value: Value::Text(name),
                    ..
                }) if name.len() <= NAME => Some(name.clone()),
                _ => None,
            };
            taken.push(LeftOut {
                file: file.to_owned(),
                name,
            });
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::parse;

    fn errors(keys: &[(&str, &str)]) -> ConfigErrors {
        let mistakes = keys.iter().map(|(file, key)| Mistake {
            place: Place::file(*file),
            key: (*key).to_owned(),
            message: "is wrong".to_owned(),
            hint: None,
        });
        ConfigErrors {
            mistakes: mistakes.collect(),
            left_out: 0,
        }
    }

    #[test]
    fn a_place_is_that_in_the_file_however_often_it_is_read() {
        let mut out = LeaveOut::default();
        assert!(out.add(&mut errors(&[("f", "trigger[1].cron"), ("f", "trigger[3]")])));
        let mut again = errors(&[("f", "trigger[1].name"), ("f", "trigger[0]")]);
        assert!(out.add(&mut again));
        let keys: Vec<_> = again
            .mistakes
            .iter()
            .map(|mistake| mistake.key.as_str())
            .collect();
        assert_eq!(keys, ["trigger[2].name", "trigger[0]"]);

        let text = "trigger = [{ name = \"a\" }, { name = \"b\" }, { name = 3 }, {}, { name = \"e\" }]";
        let mut root = parse(text).unwrap();
        let names: Vec<_> = out
            .apply("f", &mut root)
            .into_iter()
            .map(|left| left.name)
            .collect();
        assert_eq!(names, [None, None, Some("b".to_owned()), Some("a".to_owned())]);
        let Some(Value::List(left)) = root.get("trigger").map(|node| &node.value) else {
            panic!("{root:?}");
        };
        assert_eq!(left.len(), 1);
        assert!(out.apply("g", &mut root).is_empty());
    }

    #[test]
    fn what_is_no_trigger_s_mistake_cannot_be_left_out() {
        let add = |file, key| LeaveOut::default().add(&mut errors(&[(file, key)]));
        assert!(!add("worknode.toml", "agent[0].name"));
        assert!(!add("worknode.toml", ""));
        assert!(!add("worknode.toml", "trigger"));
        assert!(add(".worknode/triggers/a.toml", ""));
        let mut out = LeaveOut::default();
        assert!(!out.add(&mut errors(&[("f", "trigger[0]"), ("f", "limits.agents")])));
    }

    #[test]
    fn p8_a_mistake_that_stays_ends_it() {
        let mut out = LeaveOut::default();
        let again = || errors(&[(".worknode/triggers/a.toml", "")]);
        assert!(out.add(&mut again()));
        assert!(!out.add(&mut again()));
    }
}
