//! `worknode import`: agents that other programs know, as profiles.

use worknode_core::error::Error;
use worknode_daemon::import::{Wanted, definitions, profiles};

use crate::{
    answers::own::Imported,
    args::import::Import,
    output::{self, Form},
    place::Place,
};

pub(crate) fn import(place: &Place, import: Import, form: Form) -> Result<(), Error> {
    let (files, name, how) = match import {
        Import::ClaudeAgents { from, how } => {
            let dir = from.unwrap_or_else(|| place.dir.join(".claude/agents"));
            (definitions(&dir)?, None, how)
        }
        Import::Instructions { file, name, how } => (vec![file], name, how),
    };
    let wanted = Wanted {
        name: name.as_deref(),
        driver: &how.driver,
        force: how.force,
        dry_run: how.dry_run,
    };
    let made = profiles(&place.dir, &files, wanted)?;
    if form == Form::Json {
        return output::json(&Imported {
            dry_run: how.dry_run,
            profiles: &made,
        });
    }
    let verb = if how.dry_run { "would write" } else { "wrote" };
    for profile in &made {
        output::line(format!(
            "{verb} {} ({} tier) from {}",
            profile.file, profile.tier, profile.from
        ));
        for note in &profile.notes {
            output::line(format!("  not taken over: {note}"));
        }
    }
    if let Some(first) = made.first() {
        output::line(format!(
            "an agent with it, in worknode.toml: [[agent]] name = \"{0}\", profile = \"{0}\"",
            first.name
        ));
    }
    Ok(())
}
