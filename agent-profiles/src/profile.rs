//! What an agent is, as a profile says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::{StartWhen, Tier},
    bounds,
    restart::RestartPolicy,
    time::Span,
};

mod limits;
mod place;
mod stuck;

pub use limits::{LimitsSpec, inherited_mistakes, share_mistakes};
pub use place::{Nowhere, Place};
pub use stuck::{StuckAction, StuckPolicy};

use crate::brief::DEFAULT_TEMPLATE;

/// Most directories in one list.
pub const PLACES: usize = 100;
/// Most ports that can be named. Who needs more needs no limit.
pub const PORTS: usize = 100;
/// Characters of the name of a pool.
const POOL: usize = 64;

/// What an agent is: `agent-profiles/NAME.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name: that of its file.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the agent may do at all.
    pub tier: Tier,
    /// Name of the driver that starts it, unless the agent names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Model, for drivers that take one, unless the agent names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When its process is started. An executive starts with the team, the others for each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartWhen>,
    /// When it is started again after its process ended.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// Limits of each run.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Names of variables that it gets from the daemon's environment, beside those of its
    /// driver. A `*` at the end stands for any ending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Template of its brief, in Markdown, where the one that ships will not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brief: Option<String>,
    /// How its runs are kept in their box: "enforce", "best-effort" or "off". Default: "enforce".
    #[serde(default)]
    pub sandbox: SandboxMode,
    /// Where it is decided which files a task may change: on what is handed in ("plan"), or in the
    /// kernel too ("strict"). Default: "plan".
    #[serde(default)]
    pub files: FilesMode,
    /// Directories that it may write beside its own, as caches of its tools: absolute, `~/…`, or
    /// beginning with `$VARIABLE`. One whose variable is not set, or that is not there, is left
    /// out. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Place>,
    /// Directories that it may read although they are hidden from agents; written as those of
    /// `writes`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Place>,
    /// TCP ports that it may connect to, and nothing else of the network. Default: not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// When it starts again for the same work, go on with the session of its last run where the
    /// driver can. Default: true.
    #[serde(default = "resumes")]
    pub resume: bool,
    /// What its credentials are a share of: agents on one pool pause together when its quota is
    /// used up. Default: the driver's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What is done about a run that lives and gets nowhere.
    #[serde(default)]
    pub on_stuck: StuckPolicy,
    /// Who answers when its program asks for a permission that its driver neither allows nor
    /// refuses: "policy", which grants it, or "ask", which asks a person. Default: "policy".
    #[serde(default)]
    pub permissions: PermissionsMode,
    /// How long such a request waits for a person. Then it is denied. Default: "10m".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_within: Option<Span>,
}

const fn resumes() -> bool {
    true
}

/// What is wrong with the name of a pool.
#[must_use]
pub fn pool_mistake(name: &str) -> Option<&'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.chars().any(odd) {
        Some("the name of a pool is one word")
    } else if name.len() > POOL {
        Some("the name is longer than 64 characters")
    } else {
        None
    }
}

/// What is wrong with a list of ports.
#[must_use]
pub fn ports_mistake(ports: &[u16]) -> Option<&'static str> {
    if ports.contains(&0) {
        Some("port 0 cannot be connected to")
    } else if ports.len() > PORTS {
        Some("more than 100 ports are no limit; leave `ports` out")
    } else {
        None
    }
}

/// What is wrong with a list of directories: each with its place in the list.
pub fn place_mistakes(places: &[Place]) -> impl Iterator<Item = (usize, &'static str)> {
    let too_many = places
        .len()
        .gt(&PLACES)
        .then_some((PLACES, "more than 100 directories; name one above them"));
    let each = places.iter().take(PLACES).enumerate();
    each.filter_map(|(at, place)| Some((at, place.mistake()?)))
        .chain(too_many)
}

/// How a run is kept in its box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    /// The kernel enforces what the run may reach; where it cannot, the run does not start.
    #[default]
    Enforce,
    /// As much as the kernel can; what it cannot is shown.
    BestEffort,
    /// Nothing is enforced; that is shown wherever the agent is.
    Off,
}

impl SandboxMode {
    /// The mode's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        }
    }
}

/// Who answers when a program asks for a permission that its driver neither allows nor refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionsMode {
    /// It is granted at once: what the program may reach is the sandbox's to say.
    #[default]
    Policy,
    /// A person is asked.
    Ask,
}

/// What is wrong with the time that a person has to answer.
#[must_use]
pub fn answer_mistake(within: Span) -> Option<&'static str> {
    if within.0.is_zero() {
        Some("nobody answers in no time")
    } else if within.0 > bounds::ANSWER_MOST {
        Some("a program that waits longer than a day is forgotten; say \"24h\" or less")
    } else {
        None
    }
}

/// Where it is decided which files of the repository a task may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FilesMode {
    /// On what is handed in. In its own clone the agent may use any tool.
    #[default]
    Plan,
    /// In the kernel too: it refuses deletion and every write outside the task's files. For tools
    /// that write in place; most editors write a new file and rename it.
    Strict,
}

impl Profile {
    /// When its process is started.
    #[must_use]
    pub const fn start_when(&self) -> StartWhen {
        match (self.start, self.tier) {
            (Some(start), _) => start,
            (None, Tier::Executive) => StartWhen::Launch,
            (None, Tier::Implementation | Tier::Validation) => StartWhen::Task,
        }
    }

    /// The keys whose values make no sense, each with the reason.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(Vec<&'static str>, String)> {
        let limits = self.limits.mistakes().into_iter();
        let limits = limits.map(|(key, why)| (vec!["limits", key], why.to_owned()));
        let lists = [("writes", &self.writes), ("reads", &self.reads)];
        let places = lists.into_iter().flat_map(|(key, places)| {
            place_mistakes(places).map(move |(at, why)| {
                let written = places.get(at).map_or("", Place::as_str);
                (vec![key], format!("`{}`: {why}", written.escape_debug()))
            })
        });
        let pool = self.pool.as_deref().and_then(pool_mistake);
        let ports = self.ports.as_deref().and_then(ports_mistake);
        let answer = self.answer_within.and_then(answer_mistake);
        let words = [("pool", pool), ("ports", ports), ("answer_within", answer)];
        let words = words
            .into_iter()
            .filter_map(|(key, why)| Some((vec![key], why?.to_owned())));
        limits.chain(places).chain(words).collect()
    }

    /// The text of its brief's template.
    #[must_use]
    pub fn template(&self) -> &str {
        self.brief.as_deref().unwrap_or(DEFAULT_TEMPLATE)
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::run::RunLimits;

    use super::*;

    fn profile(text: &str) -> Result<Profile, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_tier_is_enough() {
        let profile = profile("tier = \"implementation\"").unwrap();
        assert_eq!(RunLimits::from(profile.limits), RunLimits::default());
        assert_eq!(profile.restart, RestartPolicy::default());
        assert_eq!(profile.template(), DEFAULT_TEMPLATE);
    }

    #[test]
    fn the_start_follows_the_tier_unless_it_is_said() {
        let start = |text| profile(text).unwrap().start_when();
        assert_eq!(start("tier = \"executive\""), StartWhen::Launch);
        assert_eq!(start("tier = \"implementation\""), StartWhen::Task);
        assert_eq!(start("tier = \"validation\""), StartWhen::Task);
        assert_eq!(
            start("tier = \"executive\"\nstart = \"trigger\""),
            StartWhen::Trigger
        );
    }

    #[test]
    fn p9_the_box_is_closed_unless_it_is_said() {
        let plain = profile("tier = \"implementation\"").unwrap();
        assert_eq!(
            (plain.sandbox, plain.files),
            (SandboxMode::Enforce, FilesMode::Plan)
        );
        assert_eq!((plain.writes.len(), plain.reads.len(), plain.ports), (0, 0, None));
        assert!(plain.resume && plain.pool.is_none() && plain.on_stuck == StuckPolicy::default());
        let said = profile(
            "tier = \"implementation\"\nsandbox = \"best-effort\"\nfiles = \"strict\"\nwrites = [\"~/.npm\"]\n\
             reads = [\"/opt/data\"]\nports = [443]\nresume = false\npool = \"team-key\"\n\
             [on_stuck]\nsilent = \"freeze\"\n[limits]\nmemory = \"2GiB\"",
        )
        .unwrap();
        assert_eq!(said.mistakes(), []);
        assert_eq!(
            (said.sandbox, said.files),
            (SandboxMode::BestEffort, FilesMode::Strict)
        );
        assert_eq!((said.ports, said.resume), (Some(vec![443]), false));
        assert_eq!(said.on_stuck.silent, StuckAction::Freeze);
    }

    #[test]
    fn all_that_makes_no_sense_is_told() {
        let odd = profile(
            "tier = \"implementation\"\nwrites = [\"~/ok\", \"cache\"]\nreads = [\"/a/../b\"]\nports = [0]\n\
             pool = \"a b\"\n[limits]\ntime = \"0s\"",
        );
        let keys: Vec<String> = odd
            .unwrap()
            .mistakes()
            .into_iter()
            .map(|(key, _)| key.join("."))
            .collect();
        assert_eq!(keys, ["limits.time", "writes", "reads", "pool", "ports"]);
    }

    #[test]
    fn unknown_keys_are_errors() {
        for text in [
            "tier = \"executive\"\nmodle = \"x\"",
            "tier = \"executive\"\n[limits]\ncores = 1",
            "tier = \"executive\"\n[on_stuck]\nbored = \"kill\"",
            "tier = \"executive\"\nsandbox = \"maybe\"",
            "tier = \"executive\"\nports = [70000]",
            "tier = \"executive\"\n[restart]\nhow = 1",
            "tier = \"boss\"",
            "",
        ] {
            assert!(profile(text).is_err(), "{text}");
        }
    }
}
