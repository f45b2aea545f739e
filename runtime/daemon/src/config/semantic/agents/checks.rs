//! What an agent's entry says about its driver, command, environment and limits.

use std::collections::BTreeMap;

use worknode_core::time::Span;
use worknode_profiles::{
    Driver, Launch, Profile,
    profile::{
        LimitsSpec, PermissionsMode, SandboxMode, answer_mistake, pool_mistake, ports_mistake, share_mistakes,
    },
};

use super::Staff;
use crate::config::{
    model::{AgentEntry, AgentRestart},
    profiles::Named,
};

/// The driver of an agent with a command of its own.
const COMMAND: &str = "command";
/// Most restarts within a period: the moment of each is remembered.
const RESTARTS: u32 = 1_000;

impl<'a> Staff<'a, '_> {
    pub(super) fn driver(
        &mut self,
        path: &str,
        entry: &AgentEntry,
        profile: Option<&Profile>,
    ) -> Option<&'a Driver> {
        let of_profile = profile.and_then(|profile| profile.driver.as_deref());
        let name = match (entry.driver.as_deref(), of_profile) {
            (Some(name), _) => name,
            // A command of its own is for a driver that has none.
            (None, Some(name)) if entry.command.is_none() || !self.has_command(name) => name,
            (None, _) if entry.command.is_some() => COMMAND,
            (None, _) => {
                if profile.is_some() {
                    let known = self.profiles.driver_names().join(", ");
                    let message = format!(
                        "neither the agent nor its profile `{}` names a driver",
                        entry.profile
                    );
                    let hint = Some(format!("there are: {known}"));
                    self.problems.say(format!("{path}.driver"), message, hint);
                }
                return None;
            }
        };
        self.known_driver(&format!("{path}.driver"), name)
    }

    fn has_command(&self, driver: &str) -> bool {
        match self.profiles.driver(driver) {
            Named::Known(driver) => !driver.command.is_empty(),
            Named::Unread | Named::Unknown => false,
        }
    }

    pub(super) fn command(&mut self, path: &str, entry: &AgentEntry, driver: &Driver) {
        let own = entry.command.as_deref().unwrap_or_default();
        let key = format!("{path}.command");
        let mistakes = driver.mistakes_in(own);
        for mistake in &mistakes {
            self.problems.say(key.clone(), mistake.to_string(), None);
        }
        if !mistakes.is_empty() {
            return;
        }
        self.model(path, entry, driver, own);
        match own.first() {
            Some(program) => {
                if let Err(trouble) = self.programs.find(program) {
                    self.problems.say(key, trouble.to_string(), trouble.hint());
                }
            }
            None => self.program_of(&format!("{path}.driver"), driver),
        }
    }

    /// The program of a driver may be missing where a configuration is only looked at, so this
    /// is a warning.
    pub(super) fn program_of(&mut self, path: &str, driver: &Driver) {
        let Some(program) = driver.command.first() else {
            return;
        };
        if let Err(trouble) = self.programs.find(program) {
            let message = format!("driver `{}` cannot start: {trouble}", driver.name);
            self.problems
                .warn(path, message, "install it before the team is started");
        }
    }

    pub(super) fn model(&mut self, path: &str, entry: &AgentEntry, driver: &Driver, own: &[String]) {
        let Some(model) = entry.model.as_deref() else {
            return;
        };
        let launch = Launch {
            brief: "",
            brief_file: "",
            model: Some(model),
            session: None,
        };
        // The command itself was found to be sound, so what is wrong is the model.
        if let Err(error) = driver.command_line(own, &launch) {
            self.problems
                .say(format!("{path}.model"), error.to_string(), None);
        }
        let texts = driver.command.iter().chain(own).chain(driver.env.values());
        if !texts.into_iter().any(|text| text.contains("{model}")) {
            let message = format!("driver `{}` takes no model", driver.name);
            self.problems.warn(
                format!("{path}.model"),
                message,
                "leave it out, or use {model} in the command",
            );
        }
    }

    pub(super) fn environment(&mut self, path: &str, entry: &AgentEntry, driver: &Driver) {
        for (name, value) in &entry.env {
            // An odd name stands in the message; in a path it would be several keys.
            let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let key = if is_bare {
                format!("{path}.env.{name}")
            } else {
                format!("{path}.env")
            };
            let alone = Driver {
                env: BTreeMap::from([(name.clone(), String::new())]),
                ..Driver::default()
            };
            let forbidden = || driver.mistakes_in_env(std::slice::from_ref(name));
            let mistake = alone.mistakes().into_iter().chain(forbidden()).next();
            if let Some(mistake) = mistake {
                self.problems.say(key.clone(), mistake.to_string(), None);
            }
            if value.contains('\0') {
                self.problems.say(key, "the value has a zero byte", None);
            }
        }
        for mistake in driver.mistakes_in_env(&entry.pass_env) {
            self.problems
                .say(format!("{path}.pass_env"), mistake.to_string(), None);
        }
    }

    pub(super) fn limits(&mut self, path: &str, entry: &AgentEntry, profile: Option<&Profile>) {
        let of_profile = profile.map_or_else(LimitsSpec::default, |profile| profile.limits);
        for (key, why) in entry.limits.over(of_profile).mistakes() {
            self.problems.say(format!("{path}.limits.{key}"), why, None);
        }
        for (key, why) in share_mistakes(&entry.budget.into()) {
            self.problems.say(format!("{path}.budget.{key}"), why, None);
        }
        let AgentRestart {
            period, max_restarts, ..
        } = entry.restart;
        if period == Some(Span::default()) {
            let message = "a period of no time forgives every restart at once";
            self.problems.say(format!("{path}.restart.period"), message, None);
        }
        if max_restarts.is_some_and(|most| most > RESTARTS) {
            let message = format!("too many; at most {RESTARTS}");
            self.problems
                .say(format!("{path}.restart.max_restarts"), message, None);
        }
    }

    /// Whether somebody can be asked, and for how long.
    pub(super) fn permissions(
        &mut self,
        path: &str,
        entry: &AgentEntry,
        profile: Option<&Profile>,
        driver: &Driver,
    ) {
        if let Some(why) = entry.answer_within.and_then(answer_mistake) {
            self.problems.say(format!("{path}.answer_within"), why, None);
        }
        let of_profile = profile.map(|profile| profile.permissions).unwrap_or_default();
        let asks = entry.permissions.unwrap_or(of_profile) == PermissionsMode::Ask;
        if asks && !driver.asks_permissions() {
            let message = format!(
                "driver `{}` is only read: its program cannot ask, so nobody would be asked",
                driver.name
            );
            let hint =
                "choose a driver with `transport = \"two_way\"`, or leave `permissions` out".to_owned();
            self.problems
                .say(format!("{path}.permissions"), message, Some(hint));
        }
    }

    /// How the agent is confined, and what is done when it gets nowhere.
    pub(super) fn confinement(&mut self, path: &str, entry: &AgentEntry, profile: Option<&Profile>) {
        if let Some(why) = entry.pool.as_deref().and_then(pool_mistake) {
            self.problems.say(format!("{path}.pool"), why, None);
        }
        if let Some(why) = entry.ports.as_deref().and_then(ports_mistake) {
            self.problems.say(format!("{path}.ports"), why, None);
        }
        let of_profile = profile.map(|profile| profile.sandbox).unwrap_or_default();
        if entry.sandbox.unwrap_or(of_profile) == SandboxMode::Off {
            let message = "without a sandbox it may change whatever you may: other agents' work, your files";
            let hint = "write sandbox = \"best-effort\" to keep what the kernel can";
            self.problems.warn(format!("{path}.sandbox"), message, hint);
        }
    }
}
