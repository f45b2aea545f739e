//! From an agent's entry and its profile to the agent.

use worknode_actors::definition::AgentDefinition;
use worknode_core::{
    agent::{AgentSpec, Tier},
    restart::RestartPolicy,
};
use worknode_profiles::{Profile, profile::LimitsSpec};

use super::Wanted;
use crate::config::model::DEFAULT_PROFILE;

/// What the entry says over what the profile says. Where one is unknown, which was told, a
/// stand-in takes its place.
pub(super) fn definition(name: String, wanted: &Wanted<'_>) -> AgentDefinition {
    let stand_in = Profile {
        name: DEFAULT_PROFILE.to_owned(),
        description: None,
        tier: Tier::Implementation,
        driver: None,
        model: None,
        start: None,
        restart: RestartPolicy::default(),
        limits: LimitsSpec::default(),
        env: Vec::new(),
        brief: None,
    };
    let profile = wanted.profile.unwrap_or(&stand_in);
    let driver = wanted.driver.cloned().unwrap_or_default();
    let entry = wanted.entry;
    AgentDefinition {
        name,
        spec: AgentSpec {
            profile: entry.profile.clone(),
            driver: driver.name.clone(),
            tier: profile.tier,
            start: wanted.start.unwrap_or_else(|| profile.start_when()),
            restart: entry.restart.over(profile.restart),
            limits: entry.limits.over(profile.limits).into(),
        },
        driver,
        command: entry.command.clone().unwrap_or_default(),
        model: entry.model.clone().or_else(|| profile.model.clone()),
        prompt: entry.prompt.clone(),
        env: entry.env.clone(),
        pass_env: profile.env.iter().chain(&entry.pass_env).cloned().collect(),
        brief: profile.template().to_owned(),
    }
}
