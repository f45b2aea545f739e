//! Where configuration comes from.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::{
    check::Checker,
    document::{Document, Node, Origin, Value, parse, parse_value},
    file::{self, ReadError},
    mistake::{Mistake, Mistakes},
    schema::{Schema, SchemaKind, schema},
};

/// The file of a team.
pub const CONFIG_FILE: &str = "worknode.toml";
/// The file of a plan, beside it.
pub const PLAN_FILE: &str = "plan.toml";
/// Variables with this beginning and a double underscore are configuration.
const PREFIX: &str = "WORKNODE_";
/// Keys that a variable names at the most. The configuration has no more without a list.
const KEYS: usize = 8;

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
        }
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
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
}

/// Reads all layers.
pub(super) fn read(sources: &Sources, mistakes: &mut Mistakes) -> Layers {
    let mut reader = Reader {
        mistakes,
        layers: Layers {
            readable: true,
            ..Layers::default()
        },
    };
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
    reader.check(variables(sources, Schema::root(&config)), Schema::root(&config));
    reader.check(flags(&sources.overrides), Schema::root(&config));
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
    mistakes: &'a mut Mistakes,
    layers: Layers,
}

impl Reader<'_> {
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
        match parse(&text) {
            Ok(root) => {
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

/// The layer of the environment. Variables without a double underscore are something else:
/// `WORKNODE_RUN` and its like are set for agents.
fn variables(sources: &Sources, schema: Schema<'_>) -> Document {
    let mut variables: Vec<(&str, &str, &str)> = sources
        .env
        .iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX).filter(|key| key.contains("__"))?;
            Some((name.as_str(), key, value.as_str()))
        })
        .collect();
    variables.sort_unstable();
    let mut root = Node::table();
    for (at, (_, key, value)) in variables.iter().enumerate() {
        let keys: Vec<String> = key.splitn(KEYS, "__").map(str::to_lowercase).collect();
        insert(
            &mut root,
            &keys,
            Node {
                at,
                value: read_as_wanted(value, &keys, schema, at),
            },
        );
    }
    let names = variables.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    Document {
        origin: Origin::Variables(names),
        root,
    }
}

/// A variable is text. Where no text is wanted it is read as TOML; what cannot be read so stays
/// text, and is found to be of the wrong type.
fn read_as_wanted(text: &str, keys: &[String], schema: Schema<'_>, at: usize) -> Value {
    let mut forms = schema.forms();
    for key in keys {
        let property = forms
            .first()
            .and_then(|form| form.property(key).or_else(|| form.additional()));
        forms = property.map(Schema::forms).unwrap_or_default();
    }
    let wants_text = forms.iter().any(|form| matches!(form.kind(), "string" | ""));
    let value = if wants_text {
        None
    } else {
        parse_value(text.trim(), at)
    };
    value.map_or_else(|| Value::Text(text.to_owned()), |node| node.value)
}

/// Puts a value in at its keys. One that stands in the way of another gives way to it, and the
/// check finds what is left of them to be of the wrong type.
fn insert(table: &mut Node, keys: &[String], value: Node) {
    let at = value.at;
    let (Value::Table(entries), Some((key, rest))) = (&mut table.value, keys.split_first()) else {
        *table = value;
        return;
    };
    let place = match entries.iter().position(|(name, _)| name == key) {
        Some(place) => place,
        None => {
            entries.push((key.clone(), Node { at, ..Node::table() }));
            entries.len() - 1
        }
    };
    let Some((_, child)) = entries.get_mut(place) else {
        return;
    };
    if rest.is_empty() {
        *child = value;
    } else {
        if !matches!(child.value, Value::Table(_)) {
            *child = Node { at, ..Node::table() };
        }
        insert(child, rest, value);
    }
}

fn flags(overrides: &Overrides) -> Document {
    let text = |value: &Option<String>| value.clone().map(Value::Text);
    let agents = overrides.agents.map(|agents| Value::Integer(agents.into()));
    let given = [
        ("--listen", ["daemon", "listen"], text(&overrides.listen)),
        ("--base", ["team", "base"], text(&overrides.base)),
        ("--agents", ["limits", "agents"], agents),
    ];
    let (mut root, mut names) = (Node::table(), Vec::new());
    for (name, keys, value) in given {
        if let Some(value) = value {
            let keys = keys.map(str::to_owned);
            insert(
                &mut root,
                &keys,
                Node {
                    at: names.len(),
                    value,
                },
            );
            names.push(name);
        }
    }
    Document {
        origin: Origin::Flags(names),
        root,
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
