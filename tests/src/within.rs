//! A runtime in this process, with a clock that the test moves.

use std::{path::Path, sync::Arc};

use worknode_actors::{
    runtime::Runtime,
    system::{Context, Paths, System},
    tool_calls::ToolCalls,
};
use worknode_core::time::{Clock, ManualClock, Timestamp};
use worknode_daemon::{
    config::{Sources, load},
    daemon::{journal_path, paths},
};
use worknode_git::{Git, Repository, Store};
use worknode_journal::Journal;
use worknode_policies::verdict::SigningKeys;

use crate::scene::Scene;

/// A running team whose clock stands still until it is moved.
#[derive(Debug)]
pub struct Within {
    /// The runtime.
    pub runtime: Runtime,
    /// Its clock.
    pub clock: Arc<ManualClock>,
}

impl Within {
    /// Starts the team of `scene` at `now`.
    pub async fn start(scene: &Scene, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let context = context(scene.path(), Arc::clone(&clock) as Arc<dyn Clock>).await;
        Self {
            runtime: Runtime::start(context).await.unwrap(),
            clock,
        }
    }

    /// The handle through which everything is asked.
    pub const fn system(&self) -> &System {
        self.runtime.system()
    }
}

/// What a runtime of the team in `dir` is given at its start, on any clock.
pub async fn context(dir: &Path, clock: Arc<dyn Clock>) -> Context {
    let loaded = load(&Sources {
        dir: dir.to_owned(),
        ..Sources::default()
    });
    let team = loaded.unwrap_or_else(|mistakes| panic!("{mistakes}")).definition;
    let Paths { state, .. } = paths(dir);
    std::fs::create_dir_all(state.join("runs")).unwrap();
    std::fs::create_dir_all(state.join("workspaces")).unwrap();
    let git = Git::find().await.unwrap();
    let repository = Repository::open(&git, dir).await.unwrap();
    Context {
        journal: Journal::open(&journal_path(dir), Arc::clone(&clock)).unwrap(),
        clock,
        team,
        store: Store::open(&state.join("repo.git"), &repository).await.unwrap(),
        repository,
        keys: SigningKeys::from_seed([7; 32]),
        capabilities: SigningKeys::from_seed([7; 32]).into(),
        paths: paths(dir),
        tool_calls: ToolCalls::default(),
    }
}
