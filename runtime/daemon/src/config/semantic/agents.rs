//! The agents of a team: those that it names, and those that triggers bring with them.

use std::collections::BTreeMap;

use worknode_actors::definition::AgentDefinition;
use worknode_actors::definition::trigger_agent;
use worknode_core::{
    agent::{Share, StartWhen},
    bounds,
    budget::Budget,
};
use worknode_policies::names::Suggestions;
use worknode_profiles::{Driver, Profile};
use worknode_triggers::TriggerSpec;

mod build;
mod checks;
mod shares;

use super::{NAME, Problems, World, did_you_mean, places::Places, programs::Programs};
use crate::config::{
    model::{AgentEntry, Config, LimitsSection},
    path::shown,
    profiles::{Named, Profiles},
};
use build::Reach;

/// Names that mean somebody else in messages and events.
const RESERVED: [&str; 4] = ["operator", "executive", "assignee", "runtime"];

/// The agents of the team, in the order of their start. Those of triggers come last.
pub(super) fn staff(
    config: &Config,
    world: &World<'_>,
    places: Places<'_>,
    programs: &mut Programs<'_>,
    problems: &mut Problems,
) -> Vec<AgentDefinition> {
    let mut staff = Staff {
        profiles: world.profiles,
        places,
        of_team: Budget::from(Share::from(&config.limits)),
        limits: config.limits,
        programs,
        problems,
        suggestions: Suggestions::default(),
        names: BTreeMap::new(),
        agents: Vec::new(),
    };
    for (at, entry) in config.agent.iter().enumerate() {
        staff.entry(&format!("agent[{at}]"), entry);
    }
    for (at, trigger) in config.trigger.iter().take(bounds::TRIGGERS).enumerate() {
        staff.of_trigger(&format!("trigger[{at}]"), trigger);
    }
    staff.agents
}

struct Staff<'a, 'p> {
    profiles: &'a Profiles,
    places: Places<'a>,
    /// What the whole team may take.
    of_team: Budget,
    /// What it says of each run.
    limits: LimitsSection,
    programs: &'a mut Programs<'p>,
    problems: &'a mut Problems,
    suggestions: Suggestions,
    /// Where each name stands.
    names: BTreeMap<String, String>,
    agents: Vec<AgentDefinition>,
}

/// An agent as it is said to be, by an entry or by a trigger.
struct Wanted<'e> {
    profile: Option<&'e Profile>,
    driver: Option<&'e Driver>,
    entry: &'e AgentEntry,
    reach: &'e Reach,
    start: Option<StartWhen>,
}

impl<'a> Staff<'a, '_> {
    fn entry(&mut self, path: &str, entry: &AgentEntry) {
        let count = self.count(path, entry);
        let profile = self.profile(&format!("{path}.profile"), &entry.profile);
        let driver = self.driver(path, entry, profile);
        if let Some(driver) = driver {
            self.command(path, entry, driver);
            self.environment(path, entry, driver);
            self.permissions(path, entry, profile, driver);
        }
        self.limits(path, entry, profile);
        self.shares(path, entry, profile);
        self.confinement(path, entry, profile);
        let reach = self.reach(path, entry, profile, driver);
        if entry.prompt.len() > bounds::PROMPT {
            let message = format!(
                "the prompt has {} bytes; at most {}",
                entry.prompt.len(),
                bounds::PROMPT
            );
            self.problems.say(format!("{path}.prompt"), message, None);
        }
        let wanted = Wanted {
            profile,
            driver,
            entry,
            reach: &reach,
            start: entry.start,
        };
        let longest = if count > 1 {
            format!("{}-{count}", entry.name)
        } else {
            entry.name.clone()
        };
        self.name_is_fine(path, entry, &longest);
        for number in 1..=count {
            let name = if count > 1 {
                format!("{}-{number}", entry.name)
            } else {
                entry.name.clone()
            };
            self.take(&format!("{path}.name"), name, &wanted);
        }
    }

    /// The agent of a trigger that names a profile and no agent. A ladder has one for all its
    /// steps: the firing of any of them looks for it under the name of the trigger.
    fn of_trigger(&mut self, path: &str, trigger: &TriggerSpec) {
        let own = trigger.spawn.iter().map(|spawn| (format!("{path}.spawn"), spawn));
        let steps = trigger
            .deadline
            .iter()
            .flat_map(|deadline| deadline.steps.iter().enumerate());
        let of_steps = steps.filter_map(|(at, step)| {
            Some((format!("{path}.deadline.steps[{at}].spawn"), step.spawn.as_ref()?))
        });
        let mut first: Option<&str> = None;
        for (path, spawn) in own.chain(of_steps) {
            let (Some(name), None) = (spawn.profile.as_deref(), &spawn.agent) else {
                continue;
            };
            let path = format!("{path}.profile");
            match first {
                None => {
                    first = Some(name);
                    self.hire(&path, name, &trigger.name);
                }
                Some(first) if first != name => {
                    let hint = "put this step into a trigger of its own, or name an agent".to_owned();
                    let message = format!("an earlier step of this trigger spawns `{}`", shown(first));
                    self.problems.say(path, message, Some(hint));
                }
                Some(_) => {}
            }
        }
    }

    fn hire(&mut self, path: &str, profile_name: &str, trigger: &str) {
        let profile = self.profile(path, profile_name);
        let entry = AgentEntry::bare(trigger_agent(trigger), profile_name);
        let driver = match profile.and_then(|profile| profile.driver.as_deref()) {
            Some(name) => self.known_driver(path, name),
            None => None,
        };
        let alone = driver.is_some_and(|driver| !driver.command.is_empty());
        let known = profile.is_some_and(|profile| profile.driver.is_none()) || driver.is_some();
        if known && !alone {
            let message = format!(
                "profile `{}` has no driver that starts without a command",
                shown(profile_name)
            );
            let hint = "define an agent with `start = \"trigger\"` and write `agent = \"NAME\"`".to_owned();
            self.problems.say(path, message, Some(hint));
        }
        if let (true, Some(driver)) = (alone, driver) {
            self.program_of(path, driver);
        }
        self.shares_of_profile(path, &entry, profile);
        let reach = self.reach(path, &entry, profile, driver);
        let start = Some(StartWhen::Trigger);
        let name = entry.name.clone();
        self.take(
            path,
            name,
            &Wanted {
                profile,
                driver,
                entry: &entry,
                reach: &reach,
                start,
            },
        );
    }

    fn count(&mut self, path: &str, entry: &AgentEntry) -> u32 {
        let most = u32::try_from(bounds::CHILDREN).unwrap_or(u32::MAX);
        if entry.count > most {
            let message = format!("{} agents are too many; at most {most}", entry.count);
            self.problems.say(format!("{path}.count"), message, None);
        }
        if entry.count > most { 1 } else { entry.count }
    }

    fn name_is_fine(&mut self, path: &str, entry: &AgentEntry, longest: &str) {
        let (name, path) = (entry.name.as_str(), format!("{path}.name"));
        let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let all = |c: char| first(c) || matches!(c, '.' | '_' | '-');
        if !name.starts_with(first) || !name.chars().all(all) {
            let hint =
                "begin with a lower-case letter or digit, go on with those, `.`, `_` or `-`".to_owned();
            self.problems
                .say(path, format!("`{}` cannot be a name", shown(name)), Some(hint));
        } else if longest.len() > NAME {
            self.problems.say(
                path,
                format!("`{}` is longer than {NAME} characters", shown(longest)),
                None,
            );
        } else if RESERVED.contains(&name) {
            let hint = format!("write {name}-1, or another name");
            self.problems.say(
                path,
                format!("`{name}` means somebody else in messages"),
                Some(hint),
            );
        }
    }

    /// Adds the agent, unless the name is taken.
    fn take(&mut self, path: &str, name: String, wanted: &Wanted<'_>) {
        if self.agents.len() > bounds::CHILDREN {
            return;
        }
        if let Some(other) = self.names.get(&name) {
            let message = format!("there is another agent `{}`, at {other}", shown(&name));
            self.problems
                .say(path, message, Some("names of agents are unique".to_owned()));
            return;
        }
        self.names.insert(name.clone(), path.to_owned());
        self.agents.push(build::definition(name, wanted, &self.limits));
    }

    fn profile(&mut self, path: &str, name: &str) -> Option<&'a Profile> {
        match self.profiles.profile(name) {
            Named::Known(profile) => Some(profile),
            Named::Unread => None,
            Named::Unknown => {
                let hint = did_you_mean(&mut self.suggestions, name, &self.profiles.profile_names());
                self.problems
                    .say(path, format!("there is no profile `{}`", shown(name)), hint);
                None
            }
        }
    }

    fn known_driver(&mut self, path: &str, name: &str) -> Option<&'a Driver> {
        match self.profiles.driver(name) {
            Named::Known(driver) => Some(driver),
            Named::Unread => None,
            Named::Unknown => {
                let hint = did_you_mean(&mut self.suggestions, name, &self.profiles.driver_names());
                self.problems
                    .say(path, format!("there is no driver `{}`", shown(name)), hint);
                None
            }
        }
    }
}
