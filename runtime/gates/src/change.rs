//! A change: files before and after.

use std::{
    collections::{BTreeSet, HashSet},
    num::NonZero,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use worknode_policies::change::{Change, ChangeKind};

use crate::{
    code::{self, Function, Item, Language, Module, NotMeasured},
    lines::{self, Difference, Lines},
};

/// Files for which a further thread is worth its while.
const FILES_A_THREAD: usize = 16;
/// Threads that measure one change, at most: a gate shares the machine with agents.
const MOST_THREADS: usize = 8;

/// What a path holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Nothing: it is not there.
    #[default]
    Nothing,
    /// Text.
    Text(String),
    /// Bytes that are not text.
    Binary {
        /// How many.
        bytes: u64,
    },
    /// More than is read.
    TooLarge {
        /// How many bytes.
        bytes: u64,
    },
    /// A symbolic link, and where it leads.
    Link(String),
    /// A commit of another repository.
    Submodule,
}

impl Content {
    /// What bytes are: text when they are UTF-8 without a zero byte.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Self::Text(text),
            _ => Self::Binary { bytes: length },
        }
    }

    /// The text, when it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// One file of a change.
#[derive(Debug)]
pub struct File {
    /// What git says of it.
    pub change: Change,
    /// What it held.
    pub before: Content,
    /// What it holds.
    pub after: Content,
    measured: Measured,
}

#[derive(Debug, Default)]
struct Measured {
    before: OnceLock<Option<Module>>,
    after: OnceLock<Option<Result<Module, NotMeasured>>>,
    difference: OnceLock<Difference>,
}

impl File {
    /// A file of a change.
    #[must_use]
    pub fn new(change: Change, before: Content, after: Content) -> Self {
        Self {
            change,
            before,
            after,
            measured: Measured::default(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.change.path
    }

    /// Is there anything of it after the change?
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.change.kind != ChangeKind::Deleted
    }

    /// Its language, when it is one that is known here.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        Language::of(self.path(), self.after.text()?)
    }

    /// What was measured of it after the change; `None` when it is not source code.
    #[must_use]
    pub fn module(&self) -> Option<&Result<Module, NotMeasured>> {
        let measure = || {
            let text = self.after.text()?;
            Some(code::read(Language::of(self.path(), text)?, text))
        };
        self.measured.after.get_or_init(measure).as_ref()
    }

    /// The same of before.
    fn module_before(&self) -> Option<&Module> {
        let measure = || {
            let text = self.before.text()?;
            code::read(Language::of(self.path(), text)?, text).ok()
        };
        self.measured.before.get_or_init(measure).as_ref()
    }

    /// Which lines differ.
    #[must_use]
    pub fn difference(&self) -> &Difference {
        self.measured.difference.get_or_init(|| {
            let (before, after) = (self.before.text(), self.after.text());
            match (before, after) {
                (Some(before), Some(after)) => lines::difference(before, after),
                (None, Some(after)) => Difference {
                    added: Lines::all(after),
                    removed: Lines::default(),
                },
                (Some(before), None) => Difference {
                    added: Lines::default(),
                    removed: Lines::all(before),
                },
                (None, None) => Difference::default(),
            }
        })
    }
}

/// A change.
#[derive(Debug, Default)]
pub struct ChangeSet {
    /// Its files.
    pub files: Vec<File>,
    /// Whether it is everything there is, looked at as if it were new.
    pub everything: bool,
    /// Its files that the plan lets go: their tests may go with them.
    pub may_go: BTreeSet<String>,
    /// Every path of the tree after the change, where somebody has asked for them.
    pub tree: Vec<String>,
    /// Texts beside the change that rules look into, by path: manifests of crates that it adds.
    pub beside: std::collections::BTreeMap<String, String>,
}

impl ChangeSet {
    /// Its files that the plan lets go.
    pub fn let_go(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| self.may_go.contains(file.path()))
    }

    /// Functions that are new, or whose text is not what it was. A function that only moved to
    /// another file is neither.
    #[must_use]
    pub fn functions(&self) -> Vec<(&File, &Function)> {
        let known = self.texts_before(|module| module.functions.iter().map(|f| (f.from, f.to)).collect());
        let mut changed = Vec::new();
        for (file, module, text) in self.modules() {
            let new = |function: &&Function| {
                text.get(function.from..function.to)
                    .is_none_or(|text| !known.contains(text))
            };
            changed.extend(
                module
                    .functions
                    .iter()
                    .filter(new)
                    .map(|function| (file, function)),
            );
        }
        changed
    }

    /// Public things that are new, or not what they were, or not documented any more.
    #[must_use]
    pub fn items(&self) -> Vec<(&File, &Item)> {
        let known = self.texts_before(|module| {
            let bare = module.items.iter().filter(|item| !item.documented);
            bare.map(|item| (item.from, item.to)).collect()
        });
        let mut changed = Vec::new();
        for (file, module, text) in self.modules() {
            let new = |item: &&Item| {
                text.get(item.from..item.to)
                    .is_none_or(|text| !known.contains(text))
            };
            changed.extend(module.items.iter().filter(new).map(|item| (file, item)));
        }
        changed
    }

    /// The files that were measured, with their texts.
    pub fn modules(&self) -> impl Iterator<Item = (&File, &Module, &str)> {
        self.files.iter().filter_map(|file| {
            let module = file.module()?.as_ref().ok()?;
            Some((file, module, file.after.text()?))
        })
    }

    /// Measures all files, on several threads when there are many. What gates ask for later is
    /// there then; gates that ask at the same time share the work, file by file.
    fn measure(&self) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(file) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let _ = (file.module(), file.module_before());
            }
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cores.min(MOST_THREADS).min(self.files.len() / FILES_A_THREAD);
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
    }

    /// Texts of parts as they were before, wherever they stood.
    fn texts_before(&self, parts: impl Fn(&Module) -> Vec<(usize, usize)>) -> HashSet<&str> {
        self.measure();
        let mut texts = HashSet::new();
        for file in &self.files {
            let (Some(module), Some(text)) = (file.module_before(), file.before.text()) else {
                continue;
            };
            let found = parts(module)
                .into_iter()
                .filter_map(|(from, to)| text.get(from..to));
            texts.extend(found);
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::change;

    #[test]
    fn many_files_are_measured_like_one() {
        let of = |at: usize| {
            (
                format!("src/f{at}.rs"),
                format!("fn f{at}(a: bool) {{ if a {{}} }}\n"),
            )
        };
        let files: Vec<(String, String)> = (0..200).map(of).collect();
        let known = |at: usize| {
            if at.is_multiple_of(2) {
                ""
            } else {
                files[at].1.as_str()
            }
        };
        let files: Vec<(&str, &str, &str)> = files
            .iter()
            .enumerate()
            .map(|(at, (path, text))| (path.as_str(), known(at), text.as_str()))
            .collect();
        let many = change(&files);
        let found: Vec<String> = many.functions().iter().map(|(_, f)| f.name.clone()).collect();
        let expected: Vec<String> = (0..200).step_by(2).map(|at| format!("f{at}")).collect();
        assert_eq!(found, expected);
    }
}
