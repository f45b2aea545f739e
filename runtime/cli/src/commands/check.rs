//! `worknode check`: every mistake in the configuration and the plan, and nothing started.

use worknode_core::error::Error;

use super::run::load;
use crate::{
    answers::own::Checked,
    args::Overrides,
    output::{self, Form},
    place::Place,
};

pub(crate) fn check(place: &Place, form: Form) -> Result<(), Error> {
    let loaded = load(place, &Overrides::default())?;
    let team = &loaded.definition;
    let tasks = team
        .plan
        .iter()
        .filter(|(_, spec)| spec.kind == worknode_core::node::Kind::Task)
        .count();
    match form {
        Form::Json => output::json(&Checked {
            ok: true,
            team: &team.name,
            agents: team.agents.len(),
            triggers: team.triggers.len(),
            tasks,
            warnings: &loaded.warnings,
        }),
        Form::Text => {
            for warning in &loaded.warnings {
                output::line(format!("warning: {warning}"));
            }
            output::line(format!(
                "{}: {}, {}, {}; no mistakes found",
                team.name,
                counted(team.agents.len(), "agent"),
                counted(tasks, "task"),
                counted(team.triggers.len(), "trigger")
            ));
            Ok(())
        }
    }
}

/// `1 task`, `2 tasks`.
fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}
