//! Do the shares of runs fit into what there is? One that never can would never start.

use worknode_core::{
    agent::Share,
    budget::{Budget, Quantity, Unit},
};
use worknode_profiles::{Profile, profile::LimitsSpec};

use super::Staff;
use crate::config::model::AgentEntry;

impl Staff<'_, '_> {
    /// Those of an agent of the configuration.
    pub(super) fn shares(&mut self, path: &str, entry: &AgentEntry, profile: Option<&Profile>) {
        let (run, all) = (of_run(entry, profile), Budget::from(Share::from(entry.budget)));
        for unit in Unit::ALL {
            let key = unit.name();
            if let Some(wanted) = too_much(run, all, unit) {
                let message =
                    format!("each run may take {wanted}, all of them together less: none would start");
                let hint = format!("raise `budget.{key}`, or lower `limits.{key}`");
                self.problems
                    .say(format!("{path}.budget.{key}"), message, Some(hint));
            }
            for (of, share) in [("limits", run), ("budget", all)] {
                if let Some(wanted) = too_much(share, self.of_team, unit) {
                    let message = format!("{wanted} is more than the whole team may take");
                    let hint = format!("raise `{key}` of the section [limits], or lower this one");
                    self.problems
                        .say(format!("{path}.{of}.{key}"), message, Some(hint));
                }
            }
        }
    }

    /// Those of an agent that a trigger brings: there is only its profile.
    pub(super) fn shares_of_profile(&mut self, path: &str, entry: &AgentEntry, profile: Option<&Profile>) {
        let run = of_run(entry, profile);
        for unit in Unit::ALL {
            let key = unit.name();
            if let Some(wanted) = too_much(run, self.of_team, unit) {
                let message = format!("a run of it may take {wanted}, more than the whole team");
                let hint =
                    format!("raise `{key}` of the section [limits], or lower `limits.{key}` of the profile");
                self.problems.say(path, message, Some(hint));
            }
        }
    }
}

/// What a run is to have. A default yields to what there is.
fn of_run(entry: &AgentEntry, profile: Option<&Profile>) -> Budget {
    let of_profile = profile.map_or_else(LimitsSpec::default, |profile| profile.limits);
    Budget::from(entry.limits.over(of_profile).asks())
}

/// What is wanted, when that is more than there is.
fn too_much(wanted: Budget, limit: Budget, unit: Unit) -> Option<Quantity> {
    let (amount, limit) = (wanted.of(unit)?, limit.of(unit)?);
    (amount > limit).then_some(Quantity { unit, amount })
}
