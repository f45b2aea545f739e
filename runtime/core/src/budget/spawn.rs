//! How far an agent that spawns agents may go.

use crate::{
    bounds,
    error::{Code, Error},
};

/// How deep and how wide agents may spawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpawnLimits {
    /// Agents that spawned each other, one below the other, below one of the configuration.
    pub depth: usize,
    /// Agents that one agent has spawned and that live.
    pub fan_out: usize,
}

impl Default for SpawnLimits {
    fn default() -> Self {
        Self {
            depth: bounds::SPAWN_DEPTH,
            fan_out: bounds::SPAWN_FAN_OUT,
        }
    }
}

/// An agent that asks for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spawner<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many agents above it led to it by spawning; zero for one of the configuration.
    pub depth: usize,
    /// Agents that it has spawned and that live.
    pub spawned: usize,
}

/// One agent more is too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManySpawned {
    /// Too deep.
    #[error(
        "`{name}` may spawn no agent: spawned agents go {limit} levels deep at most, and it is on level {depth}"
    )]
    Depth {
        /// Who asked.
        name: String,
        /// How deep it is.
        depth: usize,
        /// The limit.
        limit: usize,
    },
    /// Too wide.
    #[error("`{name}` may spawn no other agent: it has {spawned}, at most {limit} are allowed")]
    FanOut {
        /// Who asked.
        name: String,
        /// How many it has.
        spawned: usize,
        /// The limit.
        limit: usize,
    },
}

impl From<TooManySpawned> for Error {
    fn from(error: TooManySpawned) -> Self {
        let hint = match error {
            TooManySpawned::Depth { .. } => "let an agent further up spawn it, or raise `limits.spawn_depth`",
            TooManySpawned::FanOut { .. } => "wait until one has ended, or raise `limits.spawn_fan_out`",
        };
        Self::new(Code::LimitReached, error.to_string()).hint(hint)
    }
}

impl SpawnLimits {
    /// May this agent spawn another? Asked before anything is made.
    ///
    /// # Errors
    /// [`TooManySpawned`] names the limit that is reached.
    pub fn check(self, spawner: Spawner<'_>) -> Result<(), TooManySpawned> {
        let name = || spawner.name.to_owned();
        if spawner.depth >= self.depth {
            return Err(TooManySpawned::Depth {
                name: name(),
                depth: spawner.depth,
                limit: self.depth,
            });
        }
        if spawner.spawned >= self.fan_out {
            return Err(TooManySpawned::FanOut {
                name: name(),
                spawned: spawner.spawned,
                limit: self.fan_out,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_spawning_ends_at_a_depth_and_at_a_number() {
        let limits = SpawnLimits { depth: 2, fan_out: 3 };
        let ask = |depth, spawned| {
            limits.check(Spawner {
                name: "boss",
                depth,
                spawned,
            })
        };
        assert_eq!(ask(0, 0), Ok(()));
        assert_eq!(ask(1, 2), Ok(()));
        assert!(matches!(
            ask(2, 0),
            Err(TooManySpawned::Depth {
                depth: 2,
                limit: 2,
                ..
            })
        ));
        assert!(matches!(
            ask(0, 3),
            Err(TooManySpawned::FanOut {
                spawned: 3,
                limit: 3,
                ..
            })
        ));
        let error = Error::from(ask(9, 9).unwrap_err());
        assert_eq!(error.code, Code::LimitReached);
        assert!(error.message.contains("boss") && error.hint.unwrap().contains("spawn_depth"));
    }

    #[test]
    fn p8_no_spawning_at_all_can_be_said() {
        let none = SpawnLimits { depth: 0, fan_out: 9 };
        let spawner = Spawner {
            name: "a",
            depth: 0,
            spawned: 0,
        };
        assert!(none.check(spawner).is_err());
        assert_eq!(SpawnLimits::default().check(spawner), Ok(()));
    }
}
