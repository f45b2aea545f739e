//! The daemon: takes the store, opens the repository, starts the runtime, opens the doors; and
//! all that in reverse.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle};
use worknode_actors::{
    clock::SystemClock,
    runtime::Runtime,
    store::tasks_that_are,
    system::{Context, Paths, System},
};
use worknode_core::{
    error::{Code, Error},
    event::Principal,
    task::TaskStatus,
    time::Clock,
};
use worknode_git::{Git, Repository, Store};
use worknode_journal::Journal;
use worknode_policies::landing::batch::joined;

use crate::{
    config::{Loaded, TRIGGERS_FOLDER},
    door,
    http::{Api, Kept, Limits, Shared},
    keys,
    lock::Lock,
    observation::{Observation, Observing},
    reload::{self, ReloadView, Reloader, Watched},
};

/// The directory beside `worknode.toml` in which everything is kept.
pub const STATE: &str = ".worknode";
/// How long open requests may take once the daemon stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Where a daemon of `dir` keeps things.
#[must_use]
pub fn paths(dir: &Path) -> Paths {
    let state = dir.join(STATE);
    Paths {
        socket: state.join("worknode.sock"),
        program: state.join("bin/worknode"),
        state,
    }
}

/// The journal of `dir`.
#[must_use]
pub fn journal_path(dir: &Path) -> PathBuf {
    dir.join(STATE).join("journal.db")
}

/// The lock of `dir`.
#[must_use]
pub fn lock_path(dir: &Path) -> PathBuf {
    dir.join(STATE).join("worknode.lock")
}

/// How a daemon ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Why.
    pub reason: String,
    /// Let the agents go on under their shims; the next daemon takes them over.
    pub keep_agents: bool,
}

impl Departure {
    /// With every agent stopped.
    #[must_use]
    pub fn because(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            keep_agents: false,
        }
    }
}

/// A daemon in charge of a directory.
#[derive(Debug)]
pub struct Daemon {
    api: Arc<Api>,
    journal: Journal,
    socket: PathBuf,
    observing: Observing,
    doors: Vec<JoinHandle<()>>,
    /// Looks out for changes of the configuration.
    watch: JoinHandle<()>,
    _lock: Lock,
}

impl Daemon {
    /// Takes charge of `dir`. Nothing of the team runs before everything it needs is there.
    ///
    /// # Errors
    /// Whatever is in the way, said once and for people.
    pub async fn start(dir: &Path, loaded: Loaded) -> Result<Self, Error> {
        let paths = paths(dir);
        make_state_dir(&paths.state)?;
        make_triggers_dir(dir)?;
        let lock = Lock::take(&lock_path(dir))?;
        let repository = open_repository(dir, &loaded.definition.repository, &loaded.definition.base).await?;
        let store = Store::open(&paths.state.join("repo.git"), &repository)
            .await
            .map_err(failed)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let journal = open_journal(dir, Arc::clone(&clock)).await?;
        let keys = keys::load_or_create(&paths.state.join("keys"))?;
        let capabilities = keys::capabilities(&paths.state.join("keys"))?;
        link_program(&paths.program)?;
        // First the door that somebody else may have: its refusal leaves no socket behind.
        let tcp = door::listen_tcp(dir, &loaded.config.daemon).await?;
        let unix = door::listen_unix(&paths.socket)?;
        let socket = paths.socket.clone();
        let (observation, observing, tool_calls) = Observation::start(&loaded, &journal)?;
        let reloader = Reloader::new(&loaded, tcp.as_ref().and_then(door::Tcp::certificate));
        let watched = Watched::new(&loaded.sources, &reloader.certificate_files());
        let context = Context {
            journal: journal.clone(),
            clock,
            team: loaded.definition,
            repository,
            store,
            keys,
            capabilities,
            paths,
            tool_calls,
        };
        let runtime = Runtime::start(context).await?;
        let (stop, _) = watch::channel(None);
        let api = Arc::new(Api {
            runtime,
            stop,
            reloader,
            limits: Limits::default(),
            kept: Kept::default(),
            shared: Shared::default(),
            observation,
        });
        let watch = tokio::spawn(reload::watch(Arc::clone(&api), watched));
        let doors = door::serve(&api, unix, tcp);
        tracing::info!(socket = %socket.display(), "the daemon is in charge");
        Ok(Self {
            api,
            journal,
            socket,
            observing,
            doors,
            watch,
            _lock: lock,
        })
    }

    /// Reads the configuration anew, and takes up what can be.
    ///
    /// # Errors
    /// When what changed cannot be stored. Mistakes in the configuration are in the answer.
    pub async fn reload(&self) -> Result<ReloadView, Error> {
        let api = &self.api;
        api.reloader.reload(&api.runtime, Principal::Operator).await
    }

    /// The handle through which everything is asked.
    #[must_use]
    pub fn system(&self) -> &System {
        self.api.runtime.system()
    }

    /// Resolves when somebody asked the daemon to stop, or the runtime gave up (an error).
    ///
    /// # Errors
    /// Why the runtime gave up.
    pub async fn stopped(&self) -> Result<Departure, Error> {
        let mut stop = self.api.stop.subscribe();
        tokio::select! {
            asked = stop.wait_for(Option::is_some) => {
                let departure = asked.ok().and_then(|departure| departure.clone());
                Ok(departure.unwrap_or_else(|| Departure::because("the daemon ends")))
            }
            error = self.api.runtime.failed() => Err(error),
        }
    }

    /// Stops in order: no new requests, no new work, every run (unless they are to go on), the
    /// journal.
    ///
    /// # Errors
    /// When the last of it could not be stored.
    pub async fn stop(self, departure: Departure) -> Result<(), Error> {
        self.watch.abort();
        self.api.stop.send_replace(Some(departure.clone()));
        // Agents report to the socket until their runs are over, so the runtime goes first.
        let Departure { reason, keep_agents } = departure;
        if keep_agents {
            self.api.runtime.leave(&reason).await;
        } else {
            self.api.runtime.shutdown(&reason).await;
        }
        for mut door in self.doors {
            if tokio::time::timeout(DRAIN, &mut door).await.is_err() {
                door.abort();
            }
        }
        // A path that stays is cleared away by the next daemon.
        let _ = std::fs::remove_file(&self.socket);
        let closed = self.journal.close().await;
        self.observing.stop().await;
        Ok(closed?)
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Failed, error.to_string())
}

/// Made so that git ignores it, whoever forgot to.
fn make_state_dir(state: &Path) -> Result<(), Error> {
    let cannot = |error: std::io::Error| {
        let code = if error.kind() == std::io::ErrorKind::StorageFull {
            Code::DiskFull
        } else {
            Code::Failed
        };
        Error::new(code, format!("cannot use `{}`: {error}", state.display()))
    };
    std::fs::create_dir_all(state.join("runs")).map_err(cannot)?;
    std::fs::create_dir_all(state.join("workspaces")).map_err(cannot)?;
    // Briefs, tokens and transcripts are their owner's.
    std::fs::set_permissions(state, std::fs::Permissions::from_mode(0o700)).map_err(cannot)?;
    let ignore = state.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(&ignore, "*\n").map_err(cannot)?;
    }
    Ok(())
}

/// There from the start, so that it can be watched.
fn make_triggers_dir(dir: &Path) -> Result<(), Error> {
    let folder = dir.join(TRIGGERS_FOLDER);
    std::fs::create_dir_all(&folder).map_err(|error| {
        Error::new(
            Code::Failed,
            format!("cannot use `{}`: {error}", folder.display()),
        )
    })
}

/// Opens the user's repository and refuses a base whose files somebody is changing.
async fn open_repository(dir: &Path, path: &Path, base: &str) -> Result<Repository, Error> {
    let git = Git::find().await.map_err(failed)?;
    let repository = Repository::open(&git, path).await.map_err(failed)?;
    repository.base_tip(base).await.map_err(failed)?;
    let mut dirty = repository.dirty(base).await.map_err(failed)?;
    if !dirty.is_empty() {
        take_back_landings(dir, &repository, base).await;
        dirty = repository.dirty(base).await.map_err(failed)?;
    }
    if !dirty.is_empty() {
        let shown: Vec<_> = dirty.iter().take(5).map(ToString::to_string).collect();
        let more = if dirty.len() > 5 {
            format!(" and {} more", dirty.len() - 5)
        } else {
            String::new()
        };
        let message = format!(
            "branch `{base}` has uncommitted changes in {}: {}{more}",
            repository.root().display(),
            shown.join(", ")
        );
        return Err(Error::new(Code::Refused, message)
            .hint("commit or stash them: approved work lands on this branch and moves these files"));
    }
    Ok(repository)
}

/// A landing that was cut off by the end of an earlier daemon may have written files and not moved
/// the branch. These changes are nobody's; the task lands again later.
async fn take_back_landings(dir: &Path, repository: &Repository, base: &str) {
    // Without a journal no daemon has landed anything.
    let Ok(reader) = Journal::open_read_only(&journal_path(dir)) else {
        return;
    };
    let tasks = tasks_that_are(&reader, &["in_review"]).unwrap_or_default();
    let landings = tasks
        .iter()
        .filter_map(|node| match node.task().map(|task| &task.status) {
            Some(TaskStatus::InReview(review)) => review.landing.clone(),
            _ => None,
        });
    for landing in joined(&landings.collect::<Vec<_>>()) {
        match repository.take_back(base, &landing).await {
            Ok(()) => tracing::info!(commit = %landing.commit, "took back a landing that was cut off"),
            Err(error) => tracing::warn!(%error, "a landing that was cut off could not be taken back"),
        }
    }
}

async fn open_journal(dir: &Path, clock: Arc<dyn Clock>) -> Result<Journal, Error> {
    let path = journal_path(dir);
    let opened = tokio::task::spawn_blocking(move || Journal::open(&path, clock)).await;
    Ok(opened.map_err(failed)??)
}

/// Agents get this very program on their `PATH`, under its own name.
fn link_program(link: &Path) -> Result<(), Error> {
    let own = std::env::current_exe().map_err(failed)?;
    if let Some(dir) = link.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    if std::fs::read_link(link).is_ok_and(|target| target == own) {
        return Ok(());
    }
    let _ = std::fs::remove_file(link);
    std::os::unix::fs::symlink(&own, link).map_err(failed)
}
