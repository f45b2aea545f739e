//! What is different in a configuration that is read anew.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::Serialize;
use worknode_actors::definition::AgentDefinition;
use worknode_core::event::ConfigMistake;
use worknode_policies::text;

use crate::config::{
    Loaded, Mistake,
    model::{DaemonSection, LimitsSection},
};

/// Characters of each text of a mistake, so that some of them fit into one event.
const TEXT: usize = 300;

/// The sections of a configuration that are taken up at the start only, each by a digest of what it
/// says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sections(BTreeMap<&'static str, u64>);

impl Sections {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let config = &loaded.config;
        // What profiles and drivers make of the agents; what the section itself says is told as such.
        let of_profiles: String = staff(loaded).0.iter().map(|agent| format!("{agent:?}")).collect();
        let mut sections = BTreeMap::from([
            ("team", of(&config.team)),
            ("limits", of_runs(&config.limits)),
            ("daemon", of_door(&config.daemon)),
            ("telemetry", of(&config.telemetry)),
            ("gates", of(&config.gates)),
            ("gate", of(&config.gate)),
            ("agent", of(&config.agent)),
            ("kind", of(&config.kind)),
            ("membrane", of(&config.membrane)),
            ("phase", of(&config.phase)),
        ]);
        sections.insert("agent-profiles", of(&of_profiles));
        Self(sections)
    }

    /// The names of those that differ.
    pub(super) fn changed(&self, now: &Self) -> Vec<String> {
        let differs = |name: &str| self.0.get(name) != now.0.get(name);
        let names = self.0.keys().filter(|name| match **name {
            // A change of the section, or of limits, changes what the agents are, too.
            "agent-profiles" => differs(name) && !differs("agent") && !differs("limits"),
            name => differs(name),
        });
        names.map(|name| (*name).to_owned()).collect()
    }
}

/// The limits that are part of what each run and each task is told; the team's own may change at any
/// time.
fn of_runs(section: &LimitsSection) -> u64 {
    let LimitsSection {
        silence,
        start,
        grace,
        output,
        attempts,
        agents: _,
        usd: _,
        tokens: _,
        time: _,
        cpu: _,
        memory: _,
        processes: _,
        spawn_depth: _,
        spawn_fan_out: _,
    } = section;
    of(&(silence, start, grace, output, attempts))
}

/// Where it listens, and whether it proves itself there; by what, may change at any time.
fn of_door(section: &DaemonSection) -> u64 {
    of(&(&section.listen, section.certificate.is_some()))
}

fn of(section: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    // All of it was read from text, and can be written as such.
    serde_json::to_string(section)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

/// The agents of the configuration itself, and those that triggers bring with them, which come
/// after the others.
fn staff(loaded: &Loaded) -> (&[AgentDefinition], &[AgentDefinition]) {
    let entries = loaded.config.agent.iter();
    let own: usize = entries
        .map(|entry| usize::try_from(entry.count).unwrap_or(usize::MAX))
        .sum();
    let agents = loaded.definition.agents.as_slice();
    agents.split_at(own.min(agents.len()))
}

/// The agents that triggers bring with them.
pub(super) fn of_triggers(loaded: &Loaded) -> &[AgentDefinition] {
    staff(loaded).1
}

/// Are the two the same in all that they are?
pub(super) fn same_agent(one: &AgentDefinition, other: &AgentDefinition) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

/// A text of a mistake, cut to what fits.
pub(super) fn clipped(text: &str) -> String {
    text::clipped(text, TEXT)
}

/// Mistakes as they are told.
pub(super) fn mistakes_of(mistakes: &[Mistake]) -> Vec<ConfigMistake> {
    mistakes.iter().map(ConfigMistake::from).collect()
}
