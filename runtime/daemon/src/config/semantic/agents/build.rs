//! From an agent's entry and its profile to the agent.

use std::{path::PathBuf, time::Duration};

use worknode_actors::definition::AgentDefinition;
use worknode_core::{
    agent::{AgentSpec, Share, Tier},
    bounds,
    budget::Budget,
    restart::RestartPolicy,
};
use worknode_profiles::{
    Driver, Profile,
    profile::{FilesMode, LimitsSpec, PermissionsMode, SandboxMode, StuckPolicy},
};

use super::{Staff, Wanted};
use crate::config::{
    model::{AgentEntry, DEFAULT_PROFILE, LimitsSection},
    semantic::places::Access,
};

/// What an agent may write and read beside its own, filled in.
#[derive(Debug, Default)]
pub(super) struct Reach {
    writes: Vec<PathBuf>,
    reads: Vec<PathBuf>,
    driver_writes: Vec<PathBuf>,
}

impl Staff<'_, '_> {
    /// What the entry names, else what its profile does; and what its driver must write.
    pub(super) fn reach(
        &mut self,
        path: &str,
        entry: &AgentEntry,
        profile: Option<&Profile>,
        driver: Option<&Driver>,
    ) -> Reach {
        let (writes, reads) = profile.map_or((&[][..], &[][..]), |profile| (&profile.writes, &profile.reads));
        let mut places = |key: &str, access, own: Option<&[_]>, of_profile: &[_]| {
            let path = format!("{path}.{key}");
            self.places.of(&path, access, own, of_profile, self.problems)
        };
        let writes = places("writes", Access::Write, entry.writes.as_deref(), writes);
        let reads = places("reads", Access::Read, entry.reads.as_deref(), reads);
        // As the program will have them: what the entry sets goes before what the daemon has.
        let variable = |name: &str| {
            let own = entry.env.get(name).cloned();
            own.or_else(|| self.places.variable(name))
        };
        let driver_writes = driver.map_or_else(Vec::new, |driver| driver.writes(variable));
        Reach {
            writes,
            reads,
            driver_writes: self.places.of_driver(driver_writes),
        }
    }
}

/// What the entry says over what the profile says. Where one is unknown, which was told, a
/// stand-in takes its place.
pub(super) fn definition(name: String, wanted: &Wanted<'_>, of_team: &LimitsSection) -> AgentDefinition {
    let stand_in = stand_in();
    let profile = wanted.profile.unwrap_or(&stand_in);
    let driver = wanted.driver.cloned().unwrap_or_default();
    let (entry, reach) = (wanted.entry, wanted.reach);
    let pool = entry
        .pool
        .as_ref()
        .or(profile.pool.as_ref())
        .or(driver.pool.as_ref());
    let budget = Budget::from(Share::from(entry.budget));
    let limits = entry.limits.over(profile.limits);
    AgentDefinition {
        name,
        spec: AgentSpec {
            profile: entry.profile.clone(),
            driver: driver.name.clone(),
            tier: profile.tier,
            start: wanted.start.unwrap_or_else(|| profile.start_when()),
            restart: entry.restart.over(profile.restart),
            limits: of_team.strictest(limits.into()),
            asks: limits.asks(),
            like: None,
            lineage: None,
        },
        command: entry.command.clone().unwrap_or_default(),
        model: entry.model.clone().or_else(|| profile.model.clone()),
        prompt: entry.prompt.clone(),
        env: entry.env.clone(),
        pass_env: profile.env.iter().chain(&entry.pass_env).cloned().collect(),
        brief: profile.template().to_owned(),
        sandbox: entry.sandbox.unwrap_or(profile.sandbox),
        strict_files: entry.files.unwrap_or(profile.files) == FilesMode::Strict,
        writes: reach.writes.clone(),
        reads: reach.reads.clone(),
        driver_writes: reach.driver_writes.clone(),
        ports: entry.ports.clone().or_else(|| profile.ports.clone()),
        pool: pool.unwrap_or(&driver.name).clone(),
        resume: entry.resume.unwrap_or(profile.resume),
        on_stuck: entry.on_stuck.over(profile.on_stuck),
        budget: (!budget.is_unlimited()).then_some(budget),
        asks: asks(entry, profile),
        driver,
    }
}

/// How long a person has to answer what its program asks for; `None`: nobody is asked.
fn asks(entry: &AgentEntry, profile: &Profile) -> Option<Duration> {
    let within = entry.answer_within.or(profile.answer_within);
    match entry.permissions.unwrap_or(profile.permissions) {
        PermissionsMode::Policy => None,
        PermissionsMode::Ask => Some(within.map_or(bounds::ANSWER, |within| within.0)),
    }
}

fn stand_in() -> Profile {
    Profile {
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
        sandbox: SandboxMode::default(),
        files: FilesMode::default(),
        writes: Vec::new(),
        reads: Vec::new(),
        ports: None,
        resume: true,
        pool: None,
        on_stuck: StuckPolicy::default(),
        permissions: PermissionsMode::default(),
        answer_within: None,
    }
}
