//! What of the configuration is taken up while the team works: how much it may take, how far its agents
//! spawn, what it leaves to others, how far it may be from its plan. What runs already keeps what it was
//! given; what is asked from then on is asked of the new limits.

use worknode_core::{
    budget::{Budget, SpawnLimits},
    error::Error,
};

use crate::{
    definition::{DeviationLimit, TeamDefinition},
    system::System,
};

/// The part of a team's definition that may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How many agents may be alive at once.
    pub live_agents: usize,
    /// What all runs of the team together may take, or hold at the same time.
    pub budget: Budget,
    /// How far its agents may spawn.
    pub spawn: SpawnLimits,
    /// Ready tasks that are left to a team when others take some of its tasks.
    pub steal_from: usize,
    /// How far the work may be from the plan.
    pub deviation: DeviationLimit,
}

impl Tuning {
    /// That of `team`.
    #[must_use]
    pub const fn of(team: &TeamDefinition) -> Self {
        Self {
            live_agents: team.live_agents,
            budget: team.budget,
            spawn: team.spawn_limits(),
            steal_from: team.steal_from,
            deviation: team.deviation,
        }
    }

    fn apply(self, team: &mut TeamDefinition) {
        team.live_agents = self.live_agents;
        team.budget = self.budget;
        team.spawn_depth = self.spawn.depth;
        team.spawn_fan_out = self.spawn.fan_out;
        team.steal_from = self.steal_from;
        team.deviation = self.deviation;
    }

    /// The sections of the configuration in which it differs from another.
    fn differences(self, other: Self) -> Vec<&'static str> {
        let limits = |of: Self| (of.live_agents, of.budget, of.spawn);
        let differ = [
            ("limits", limits(self) != limits(other)),
            ("claims", self.steal_from != other.steal_from),
            ("plan", self.deviation != other.deviation),
        ];
        let names = differ.into_iter().filter(|(_, differs)| *differs);
        names.map(|(name, _)| name).collect()
    }
}

/// From now on the team goes by this. Answers which sections of the configuration say something else
/// than before.
///
/// # Errors
/// When the books cannot be kept by it; then all stays as it was.
pub fn tune(system: &System, tuning: Tuning) -> Result<Vec<&'static str>, Error> {
    let differences = tuning.differences(system.tuning());
    if differences.is_empty() {
        return Ok(differences);
    }
    system
        .guard()
        .tune(&system.team().name, tuning.budget, tuning.live_agents)?;
    system.amend(|team| tuning.apply(team));
    Ok(differences)
}
