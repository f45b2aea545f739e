//! `worknode init`: a configuration to begin with.

use std::path::Path;

use worknode_core::error::{Code, Error};

use super::run::has;
use crate::{
    answers::own::Wrote,
    args::{Init, Template},
    output::{self, Form},
    place::Place,
};

/// Files of a template: name, and text.
type Files = &'static [(&'static str, &'static str)];

const MINIMAL: Files = &[(
    "worknode.toml",
    include_str!("../../../../examples/minimal/worknode.toml"),
)];
const WEBAPP_CLAUDE: Files = &[
    (
        "worknode.toml",
        include_str!("../../../../examples/webapp-claude/worknode.toml"),
    ),
    (
        "plan.toml",
        include_str!("../../../../examples/webapp-claude/plan.toml"),
    ),
];

pub(crate) fn init(place: &Place, args: &Init, form: Form) -> Result<(), Error> {
    // Not the nearest team above: here.
    let dir = &place.dir;
    let files = match args.template {
        Template::Minimal => MINIMAL,
        Template::WebappClaude => WEBAPP_CLAUDE,
    };
    let taken: Vec<_> = files
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| has(dir, name))
        .collect();
    if !taken.is_empty() && !args.force {
        let message = format!("{} exists already in {}", taken.join(" and "), dir.display());
        return Err(Error::new(Code::AlreadyExists, message).hint("--force replaces it"));
    }
    for (name, text) in files {
        write(&dir.join(name), text)?;
    }
    ignore_state(dir)?;
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    match form {
        Form::Json => output::json(&Wrote { wrote: names, dir }),
        Form::Text => {
            output::line(format!("wrote {} in {}", names.join(" and "), dir.display()));
            output::line("edit it, commit it, then: worknode check, worknode run");
            Ok(())
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|error| {
        Error::new(
            Code::Failed,
            format!("cannot write `{}`: {error}", path.display()),
        )
    })
}

/// What the runtime keeps is nobody's source.
fn ignore_state(dir: &Path) -> Result<(), Error> {
    const LINE: &str = ".worknode/";
    let path = dir.join(".gitignore");
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    if present
        .lines()
        .any(|line| line.trim().trim_end_matches('/') == ".worknode")
    {
        return Ok(());
    }
    let gap = if present.is_empty() || present.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    write(&path, &format!("{present}{gap}{LINE}\n"))
}
