//! More rights than usual, for a bounded time.
//!
//! What is raised is written down together with its end, and is worth nothing from that instant
//! on, whoever looks and whenever: nobody has to be there to take it back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{agent::Tier, command::Operation, time::Timestamp};

/// One thing that an agent may be let do beside what its tier may. Whether work counts is not
/// among them: gates, reviews and overrides are nobody's to give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Give tasks to others.
    Claim,
    /// Record events, create tasks, change what the tree holds.
    Write,
    /// Start and resume agents.
    Spawn,
    /// Stop agents, runs and tasks.
    Kill,
    /// Connect to any port, whatever the profile's `ports` say.
    Network,
    /// Read the workspaces of the other agents.
    Workspaces,
}

impl Permission {
    /// Its name, as in files, JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Write => "write",
            Self::Spawn => "spawn",
            Self::Kill => "kill",
            Self::Network => "network",
            Self::Workspaces => "workspaces",
        }
    }

    /// What a capability lists for it; `None` for what the sandbox of a run grants.
    #[must_use]
    pub const fn operation(self) -> Option<Operation> {
        match self {
            Self::Claim => Some(Operation::Claim),
            Self::Write => Some(Operation::Write),
            Self::Spawn => Some(Operation::Spawn),
            Self::Kill => Some(Operation::Kill),
            Self::Network | Self::Workspaces => None,
        }
    }
}

/// Rights beside one's own, until an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raise {
    /// All that this tier may ask of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// And these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub permissions: BTreeSet<Permission>,
    /// From here on it is worth nothing.
    pub until: Timestamp,
}

/// What an executive may ask of others, beside what everybody may.
const EXECUTIVE: [Operation; 4] = [
    Operation::Claim,
    Operation::Write,
    Operation::Spawn,
    Operation::Kill,
];

impl Raise {
    /// Is it worth anything at `now`?
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// What it lets its holder ask. Never a verdict, nor what only the runtime does.
    #[must_use]
    pub fn operations(&self) -> BTreeSet<Operation> {
        let of_tier: &[Operation] = match self.tier {
            Some(Tier::Executive) => &EXECUTIVE,
            // Who may agree to work is of that tier itself.
            Some(Tier::Validation | Tier::Implementation) | None => &[],
        };
        let named = self.permissions.iter().filter_map(|one| one.operation());
        of_tier.iter().copied().chain(named).collect()
    }

    /// Does it let a process reach further than its profile does? That cannot be taken back from
    /// one that lives, and so the process ends with it.
    #[must_use]
    pub fn opens_sandbox(&self) -> bool {
        self.permissions.iter().any(|one| one.operation().is_none())
    }

    /// Does it give this?
    #[must_use]
    pub fn gives(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

impl fmt::Display for Raise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tier = self.tier.map(|tier| format!("tier {}", tier.name()));
        let permissions = self.permissions.iter().map(|one| one.name().to_owned());
        let words: Vec<String> = tier.into_iter().chain(permissions).collect();
        write!(f, "{} until {}", words.join(", "), self.until)
    }
}

/// What tasks are raised to, by the firing that did it.
pub type Raises = BTreeMap<String, Raise>;

/// Those that are worth something at `now`.
pub fn in_force<'a>(raises: impl IntoIterator<Item = &'a Raise>, now: Timestamp) -> Vec<Raise> {
    let holding = raises.into_iter().filter(|raise| raise.holds_at(now));
    holding.cloned().collect()
}

/// When the process of a run ends that has these: as soon as one of them is over that reaches into
/// its sandbox.
#[must_use]
pub fn sandbox_until(raises: &[Raise]) -> Option<Timestamp> {
    let opening = raises.iter().filter(|raise| raise.opens_sandbox());
    opening.map(|raise| raise.until).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raise(tier: Option<Tier>, permissions: &[Permission], until: u64) -> Raise {
        Raise {
            tier,
            permissions: permissions.iter().copied().collect(),
            until: Timestamp::from_millis(until),
        }
    }

    #[test]
    fn p9_no_raise_gives_a_verdict_or_what_is_the_runtime_s() {
        let all = [
            Permission::Claim,
            Permission::Write,
            Permission::Spawn,
            Permission::Kill,
            Permission::Network,
            Permission::Workspaces,
        ];
        for tier in [Tier::Executive, Tier::Validation, Tier::Implementation] {
            let most = raise(Some(tier), &all, 1).operations();
            assert!(!most.contains(&Operation::Administer));
            assert!(!most.contains(&Operation::Review));
            assert!(!most.contains(&Operation::Work));
        }
    }

    #[test]
    fn a_raise_ends_at_its_instant() {
        let raises = [
            raise(Some(Tier::Executive), &[], 5),
            raise(None, &[Permission::Kill], 9),
        ];
        let left = |now| in_force(&raises, Timestamp::from_millis(now)).len();
        assert_eq!((left(4), left(5), left(8), left(9)), (2, 1, 1, 0));
    }

    #[test]
    fn a_process_that_reaches_further_ends_with_the_first_that_lets_it() {
        let raises = [
            raise(Some(Tier::Executive), &[], 1),
            raise(None, &[Permission::Network], 9),
            raise(None, &[Permission::Workspaces, Permission::Kill], 7),
        ];
        assert_eq!(sandbox_until(&raises), Some(Timestamp::from_millis(7)));
        assert_eq!(sandbox_until(&raises[..1]), None);
    }

    #[test]
    fn it_says_what_it_gives() {
        let said = raise(Some(Tier::Executive), &[Permission::Network], 0).to_string();
        assert_eq!(said, "tier executive, network until 1970-01-01T00:00:00.000Z");
    }
}
