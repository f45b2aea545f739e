//! Where configuration comes from.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

mod given;

use super::{
    check::Checker,
    document::{Document, Origin, parse},
    file::{self, ReadError},
    leave_out::{LeaveOut, LeftOut},
    mistake::{Mistake, Mistakes},
    schema::{Schema, SchemaKind, schema},
};

/// The file of a team.
pub const CONFIG_FILE: &str = "worknode.toml";
/// The file of a plan, beside it.
pub const PLAN_FILE: &str = "plan.toml";
/// What flags of the command line say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`: `daemon.listen`.
    pub listen: Option<String>,
    /// `--base`: `team.base`.
    pub base: Option<String>,
    /// `--agents`: `limits.agents`.
    pub agents: Option<u32>,
}

/// Where configuration comes from: directory, user, environment, flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The directory of `worknode.toml`.
    pub dir: PathBuf,
    /// The user's own file, below that of the team. It need not be there.
    pub user_file: Option<PathBuf>,
    /// The environment. `WORKNODE_SECTION__KEY` is configuration; programs are looked for on
    /// its `PATH`.
    pub env: Vec<(String, String)>,
    /// What flags say.
    pub overrides: Overrides,
    /// Files of triggers that are about to be added, as if they were there already.
    pub pending: Vec<Pending>,
}

/// A file that is not there yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// What mistakes in it are told under.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Sources {
    /// The sources of a team in `dir`, with the environment of this process.
    #[must_use]
    pub fn of_dir(dir: impl Into<PathBuf>) -> Self {
        let text = |name: OsString| name.to_string_lossy().into_owned();
        Self {
            dir: dir.into(),
            user_file: user_file(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME")),
            env: std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            overrides: Overrides::default(),
            pending: Vec::new(),
        }
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The user's file, as the XDG Base Directory Specification places it: a relative
/// `XDG_CONFIG_HOME` is to be ignored.
fn user_file(config_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let folder = config_home
        .and_then(absolute)
        .or_else(|| home.and_then(absolute).map(|home| home.join(".config")))?;
    Some(folder.join("worknode").join("config.toml"))
}

/// The layers, checked and mended, the lowest first.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub documents: Vec<Document>,
    pub checker: Checker,
    /// False when something could not even be taken apart, so that nobody knows what it says.
    pub readable: bool,
    /// What was not read.
    pub left_out: Vec<LeftOut>,
}

/// Reads all layers.
pub(super) fn read(sources: &Sources, leave_out: &LeaveOut, mistakes: &mut Mistakes) -> Layers {
    let mut reader = Reader::new(leave_out, mistakes);
    let config = schema(SchemaKind::Config);
    let plan = schema(SchemaKind::Plan);
    if let Some(path) = &sources.user_file {
        reader.file(
            path,
            &path.display().to_string(),
            Schema::root(&config),
            Wanted::Perhaps,
        );
    }
    reader.file(
        &sources.dir.join(CONFIG_FILE),
        CONFIG_FILE,
        Schema::root(&config),
        Wanted::Yes,
    );
    reader.file(
        &sources.dir.join(PLAN_FILE),
        PLAN_FILE,
        Schema::root(&plan),
        Wanted::NotEmpty,
    );
    reader.check(
        given::variables(sources, Schema::root(&config)),
        Schema::root(&config),
    );
    reader.check(given::flags(&sources.overrides), Schema::root(&config));
    reader.layers
}

/// Reads one file beside the layers. It may have gone away.
pub(super) fn read_file(
    path: &Path,
    name: &str,
    schema: Schema<'_>,
    leave_out: &LeaveOut,
    mistakes: &mut Mistakes,
) -> Layers {
    let mut reader = Reader::new(leave_out, mistakes);
    reader.file(path, name, schema, Wanted::Perhaps);
    reader.layers
}

/// The same of a file that is not there yet.
pub(super) fn read_text(
    pending: &Pending,
    schema: Schema<'_>,
    leave_out: &LeaveOut,
    mistakes: &mut Mistakes,
) -> Layers {
    let mut reader = Reader::new(leave_out, mistakes);
    reader.text(pending.text.clone(), &pending.name, schema);
    reader.layers
}

/// Must the file be there, and say something?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    NotEmpty,
    Perhaps,
}

struct Reader<'a> {
    leave_out: &'a LeaveOut,
    mistakes: &'a mut Mistakes,
    layers: Layers,
}

impl<'a> Reader<'a> {
    fn new(leave_out: &'a LeaveOut, mistakes: &'a mut Mistakes) -> Self {
        let layers = Layers {
            readable: true,
            ..Layers::default()
        };
        Self {
            leave_out,
            mistakes,
            layers,
        }
    }

    fn file(&mut self, path: &Path, name: &str, schema: Schema<'_>, wanted: Wanted) {
        let text = match file::read(path) {
            Ok(text) => text,
            Err(ReadError::Missing) if wanted != Wanted::Yes => return,
            Err(error) => {
                let hint = (error == ReadError::Missing).then_some("`worknode init` writes one");
                self.unreadable(name, &error.to_string(), hint);
                return;
            }
        };
        if text.trim().is_empty() && wanted != Wanted::Perhaps {
            let hint = match wanted {
                Wanted::Yes => "`worknode init` writes one to begin with",
                Wanted::NotEmpty | Wanted::Perhaps => "name the phases, or remove the file",
            };
            self.unreadable(name, "the file is empty", Some(hint));
            return;
        }
        self.text(text, name, schema);
    }

    fn text(&mut self, text: String, name: &str, schema: Schema<'_>) {
        match parse(&text) {
            Ok(mut root) => {
                self.layers.left_out.extend(self.leave_out.apply(name, &mut root));
                let origin = Origin::file(name, text);
                self.check(Document { origin, root }, schema);
            }
            Err(errors) => {
                self.layers.readable = false;
                let origin = Origin::file(name, text);
                for (at, message) in errors {
                    self.mistakes.add(Mistake {
                        place: origin.place(at),
                        key: String::new(),
                        message,
                        hint: None,
                    });
                }
            }
        }
    }

    fn unreadable(&mut self, name: &str, message: &str, hint: Option<&str>) {
        self.layers.readable = false;
        self.mistakes.about_file(name, message, hint);
    }

    fn check(&mut self, mut document: Document, schema: Schema<'_>) {
        let checker = &mut self.layers.checker;
        checker.layer(&mut document.root, schema);
        for finding in checker.findings.drain(..) {
            self.mistakes.add(Mistake {
                place: document.origin.place(finding.at),
                key: finding.key,
                message: finding.message,
                hint: finding.hint,
            });
        }
        self.mistakes.leave_out(std::mem::take(&mut checker.left_out));
        self.layers.documents.push(document);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_s_file_is_where_xdg_says() {
        let file = |config: Option<&str>, home: Option<&str>| {
            user_file(config.map(Into::into), home.map(Into::into)).map(|path| path.display().to_string())
        };
        assert_eq!(
            file(Some("/c"), Some("/h")).as_deref(),
            Some("/c/worknode/config.toml")
        );
        assert_eq!(
            file(Some("c"), Some("/h")).as_deref(),
            Some("/h/.config/worknode/config.toml")
        );
        assert_eq!(
            file(Some(""), Some("/h")).as_deref(),
            Some("/h/.config/worknode/config.toml")
        );
        assert_eq!(file(None, None), None);
    }
}
