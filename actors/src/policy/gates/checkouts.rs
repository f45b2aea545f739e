//! Checkouts in which programs of gates run: each for one program, and gone after it.
//!
//! Writing a large tree takes longer than judging a small change of it, and so does removing it. So
//! whatever was used is removed by somebody for whom nobody waits, and there is always a **spare**: a
//! checkout of the base, in which nothing has run yet. Who needs one next turns it to its own commit,
//! for which git writes only the files that differ, and has it for itself. It is never given back, so
//! nothing that a program left can touch what is judged next.
//!
//! A spare that was taken is replaced at once, while the program runs for which it was taken: who hands
//! in next finds one ready. From the first that was taken on there are two, for two submissions are judged
//! at the same time; a team that hands nothing in pays for one.
//!
//! There is no spare where programs of gates are not kept in a box, for then one could reach it, nor
//! where the disk is short of room. What a daemon that was killed left behind is removed at the start.

use std::{
    collections::{HashSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{fs, sync::Notify, time::Instant};
use worknode_core::{error::Error, git::CommitId};
use worknode_process::{free_bytes, sandbox::support};
use worknode_profiles::profile::SandboxMode;

use super::boxed;
use crate::{outside::failed, policy::land::tip, system::System};

/// Bytes that stay free beside a spare. It is a convenience, and others need the disk.
const ROOM: u64 = 2 * 1024 * 1024 * 1024;
/// Spares before anybody has asked for one.
const AT_FIRST: usize = 1;
/// Spares from then on. Each takes as much of the disk as the tree has files.
const MOST: usize = 2;
/// A spare that is older is made anew when it is wanted: by then the base is another.
const MOST_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What removing them may take at the end of the daemon.
const CLOSING: Duration = Duration::from_secs(2);

/// All checkouts of a runtime.
#[derive(Debug)]
pub(crate) struct Checkouts {
    root: PathBuf,
    held: Mutex<Held>,
    /// Told when one is not used any more, or a spare was taken.
    changed: Notify,
}

/// Those that are not to be removed.
#[derive(Debug, Default)]
struct Held {
    used: HashSet<String>,
    /// The oldest first.
    spares: VecDeque<Spare>,
    /// Whether one was ever asked for.
    asked: bool,
}

#[derive(Debug)]
struct Spare {
    name: String,
    made: Instant,
}

impl Held {
    fn has(&self, name: &str) -> bool {
        self.used.contains(name) || self.spares.iter().any(|spare| spare.name == name)
    }

    fn lacks_spare(&self) -> bool {
        self.spares.len() < if self.asked { MOST } else { AT_FIRST }
    }

    /// The youngest spare: it differs least from what is judged. Those that are too old are forgotten.
    fn take(&mut self) -> Option<Spare> {
        self.asked = true;
        self.spares.retain(|spare| spare.made.elapsed() < MOST_AGE);
        self.spares.pop_back()
    }
}

/// A place for one program. When it is dropped, it will be removed.
#[derive(Debug)]
pub(super) struct Place {
    checkouts: Arc<Checkouts>,
    name: String,
    /// Whether its end is news: there is one less that is used.
    told: bool,
}

impl Place {
    /// Where its output goes.
    pub(super) fn folder(&self) -> PathBuf {
        self.checkouts.root.join(&self.name)
    }

    /// The checkout itself.
    pub(super) fn tree(&self) -> PathBuf {
        self.folder().join("tree")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.checkouts.held().used.remove(&self.name);
        if self.told {
            self.checkouts.changed.notify_one();
        }
    }
}

impl Checkouts {
    /// Those below the runtime's folder.
    pub(crate) fn at(state: &Path) -> Self {
        Self {
            root: state.join("checkouts"),
            held: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A clean checkout of `commit`.
    pub(super) async fn take(self: &Arc<Self>, system: &System, commit: &CommitId) -> Result<Place, Error> {
        let store = &system.context().store;
        if let Some(place) = self.take_spare() {
            let turned = store.turn_checkout(&place.tree(), commit).await;
            // Not before: the next one would be made while this one waits for the disk.
            self.changed.notify_one();
            match turned {
                Ok(()) => return Ok(place),
                Err(error) => tracing::warn!(%error, "a spare checkout is of no use"),
            }
        }
        let place = self.new_place(system, true).await?;
        store.checkout(commit, &place.tree()).await.map_err(failed)?;
        Ok(place)
    }

    fn take_spare(self: &Arc<Self>) -> Option<Place> {
        let mut held = self.held();
        let spare = held.take()?;
        held.used.insert(spare.name.clone());
        Some(Place {
            checkouts: Arc::clone(self),
            name: spare.name,
            told: true,
        })
    }

    async fn new_place(self: &Arc<Self>, system: &System, told: bool) -> Result<Place, Error> {
        let name = system.new_run().to_string();
        self.held().used.insert(name.clone());
        let place = Place {
            checkouts: Arc::clone(self),
            name,
            told,
        };
        fs::create_dir_all(place.folder()).await.map_err(failed)?;
        Ok(place)
    }

    /// Makes spares until there are enough. Without one, the next judgement takes as long as it takes.
    /// Says whether there was room to begin with each.
    async fn fill(self: &Arc<Self>, system: &System) -> bool {
        while self.held().lacks_spare() {
            if !has_room(system.context().paths.state.clone()).await {
                return false;
            }
            match self.add_spare(system).await {
                Ok(true) => {}
                Ok(false) => return true,
                Err(error) => {
                    tracing::warn!(%error, "no spare checkout could be made");
                    return true;
                }
            }
        }
        true
    }

    /// Makes a spare, and keeps it when there is still room beside it. Says whether there was.
    async fn add_spare(self: &Arc<Self>, system: &System) -> Result<bool, Error> {
        let context = system.context();
        let base = tip(system).await?;
        // Who makes it knows of its end. Told of it, they would make one again and again.
        let place = self.new_place(system, false).await?;
        let tree = place.tree();
        let spare = context.store.spare_checkout(&base, &tree);
        spare.await.map_err(failed)?;
        if !has_room(context.paths.state.clone()).await {
            return Ok(false);
        }
        let name = place.name.clone();
        // From here on it belongs to whoever takes it; only the caller removes any, and not now.
        drop(place);
        self.held().spares.push_back(Spare {
            name,
            made: Instant::now(),
        });
        Ok(true)
    }

    /// Removes whatever nobody uses.
    async fn clean(&self) -> io::Result<()> {
        let mut entries = match fs::read_dir(&self.root).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            // A name that is not held now will never be: each is new.
            if self.held().has(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if let Err(error) = worknode_git::remove_clone(&self.root, &entry.path()).await {
                // A program may still be on its way out; it is looked at again with the next one.
                tracing::warn!(%error, "a checkout could not be removed yet");
            }
        }
        Ok(())
    }

    async fn clean_or_tell(&self) {
        if let Err(error) = self.clean().await {
            tracing::warn!(%error, "checkouts that are not used could not be listed");
        }
    }

    /// Nobody needs a spare any more. What is not removed in time, the next daemon removes.
    pub(in crate::policy) async fn close(&self) {
        self.held().spares.clear();
        match tokio::time::timeout(CLOSING, self.clean()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "checkouts could not be removed"),
            Err(_) => tracing::warn!("not all checkouts were removed in time"),
        }
    }
}

/// Sees to it that there are spares, and removes what was used. Ends with whoever started it.
pub(in crate::policy) async fn keep(system: System) {
    let checkouts = Arc::clone(system.checkouts());
    let wanted = wants_spare(&system);
    // What a daemon that was killed left behind takes room.
    checkouts.clean_or_tell().await;
    loop {
        // Who is judged next waits for a spare, and nobody for the removal of what was used.
        let lacked_room = wanted && !checkouts.fill(&system).await;
        checkouts.clean_or_tell().await;
        if lacked_room {
            // There may be some now.
            checkouts.fill(&system).await;
            checkouts.clean_or_tell().await;
        }
        checkouts.changed.notified().await;
    }
}

/// Is there a gate that runs a program, in a box that keeps it from a spare?
fn wants_spare(system: &System) -> bool {
    let team = system.team();
    let runs = team.tests.is_some() || !team.gates.command.is_empty();
    runs && match boxed::mode(team) {
        SandboxMode::Enforce => true,
        SandboxMode::BestEffort => support().landlock > 0,
        SandboxMode::Off => false,
    }
}

async fn has_room(folder: PathBuf) -> bool {
    let free = tokio::task::spawn_blocking(move || free_bytes(&folder)).await;
    matches!(free, Ok(Ok(free)) if free >= ROOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_spares_are_bounded_and_the_youngest_is_taken() {
        let mut held = Held::default();
        let mut count = 0;
        let mut fill = |held: &mut Held| {
            while held.lacks_spare() {
                count += 1;
                held.spares.push_back(Spare {
                    name: count.to_string(),
                    made: Instant::now(),
                });
            }
            held.spares.len()
        };
        assert_eq!(fill(&mut held), AT_FIRST);
        assert_eq!(held.take().unwrap().name, "1");
        assert_eq!(fill(&mut held), MOST);
        assert_eq!(held.take().unwrap().name, "3");
        assert!(
            held.has("2") && !held.has("3"),
            "what was taken is not a spare any more"
        );
        assert_eq!(fill(&mut held), MOST);
        assert_eq!(held.take().unwrap().name, "4");
    }
}
