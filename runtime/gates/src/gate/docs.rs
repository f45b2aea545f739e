//! The gate `docs`: is every public thing that a change touches documented?
//!
//! | language | public | documented by |
//! |---|---|---|
//! | Rust | `pub`, not inside a private inline module; functions of a public trait; exported macros | `///`, `/** */`, `#[doc]` |
//! | Python | modules, classes, functions and methods whose names do not begin with `_` | a docstring |
//! | Go | exported names; methods of exported types | a comment right before |
//! | Java | `public`, `protected`, members of interfaces; not `@Override` | `/** */` |
//! | JavaScript, TypeScript | what is exported, and its methods; not `private`, `#`, constructors | `/** */` |
//! | C, C++ | functions that are not `static`, types; a source file with a header of its name is documented there | a comment right before |

use crate::{
    change::{ChangeSet, File},
    code::{Item, ItemKind, Language},
    finding::Finding,
};

/// What the gate objects to.
#[must_use]
pub fn judge(change: &ChangeSet) -> Vec<Finding> {
    let mut findings: Vec<Finding> = change
        .items()
        .into_iter()
        .filter(|(file, item)| !item.documented && !documented_elsewhere(file, item))
        .map(|(file, item)| of_item(file, item))
        .collect();
    findings.extend(change.files.iter().filter_map(of_module));
    findings
}

fn of_item(file: &File, item: &Item) -> Finding {
    let kind = item.kind.name();
    let name = if item.container.is_empty() || item.container == item.name {
        item.name.clone()
    } else {
        format!("{}::{}", item.container, item.name)
    };
    let message = format!("the public {kind} `{name}` is not documented");
    let finding = Finding::new(format!("docs.{kind}"), message)
        .in_file(file.path())
        .at_line(item.line)
        .hint(how(file.language()));
    if item.kind == ItemKind::Function {
        finding.of_function(name)
    } else {
        finding
    }
}

const fn how(language: Option<Language>) -> &'static str {
    match language {
        Some(Language::Rust) => "say what it is for in a `///` comment right before it",
        Some(Language::Python) => "say what it is for in a docstring, first thing in its body",
        Some(Language::Java | Language::JavaScript | Language::TypeScript | Language::Tsx) => {
            "say what it is for in a `/** … */` comment right before it"
        }
        _ => "say what it is for in a comment right before it",
    }
}

/// A new file of a language in which files can say what they are.
fn of_module(file: &File) -> Option<Finding> {
    let module = file.module()?.as_ref().ok()?;
    let new = file.before.text().is_none();
    let name = file.path().rsplit('/').next().unwrap_or_default();
    let public = match module.language {
        Language::Python => !name.starts_with('_') || name == "__init__.py",
        Language::Rust => matches!(name, "lib.rs" | "main.rs"),
        _ => false,
    };
    let empty = file.after.text().is_none_or(|text| text.trim().is_empty());
    (new && public && !module.documented && !empty).then(|| {
        let hint = match module.language {
            Language::Python => "begin it with a docstring that says what it is for",
            _ => "begin it with `//!` and what it is for",
        };
        Finding::new("docs.module", "the new module is not documented")
            .in_file(file.path())
            .at_line(1)
            .hint(hint)
    })
}

/// In C, a function of `list.c` that includes `list.h` is documented where it is declared.
fn documented_elsewhere(file: &File, item: &Item) -> bool {
    if !file.language().is_some_and(Language::is_c_family) || item.kind != ItemKind::Function {
        return false;
    }
    let name = file.path().rsplit('/').next().unwrap_or_default();
    let Some((stem, ending)) = name.rsplit_once('.') else {
        return false;
    };
    let source = !ending.to_ascii_lowercase().starts_with('h');
    let text = file.after.text().unwrap_or_default();
    let includes = |line: &str| {
        line.strip_prefix("#include").is_some_and(|rest| {
            let named = rest.trim().trim_matches(['"', '<', '>']);
            let named = named.rsplit('/').next().unwrap_or(named);
            named.rsplit_once('.').is_some_and(|(of, _)| of == stem)
        })
    };
    source && text.lines().any(|line| includes(line.trim()))
}
