//! Watches the files of the configuration. Nothing is polled: the kernel says when one changes.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use inotify::{Event, EventMask, EventStream, Inotify, WatchDescriptor, WatchMask};
use worknode_core::event::Principal;

use crate::{
    config::{CONFIG_FILE, PLAN_FILE, PROFILES_FOLDER, Sources, TRIGGERS_FOLDER},
    http::Api,
};

/// Time in which nothing more changes before the files are read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// Looks at changes that come one after the other before the files are read all the same.
const RESTLESS: u32 = 20;
/// Bytes for events that are read at once.
const EVENTS: usize = 16 * 1024;

/// Which files of a folder count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// These.
    named: HashSet<PathBuf>,
    /// All that end in `.toml` and are not hidden.
    toml: bool,
}

impl Wanted {
    fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            named: names.into_iter().map(PathBuf::from).collect(),
            toml: false,
        }
    }

    fn toml() -> Self {
        Self {
            toml: true,
            ..Self::default()
        }
    }

    /// What counts for the one and for the other.
    fn and(&mut self, other: Self) {
        self.named.extend(other.named);
        self.toml |= other.toml;
    }

    fn has(&self, name: &OsStr) -> bool {
        let name = Path::new(name);
        let is_hidden = || name.to_string_lossy().starts_with('.');
        let is_toml = || name.extension().is_some_and(|ending| ending == "toml");
        self.named.contains(name) || (self.toml && is_toml() && !is_hidden())
    }
}

/// The folders that hold the configuration, and what counts in each. `also` are files that it names.
fn folders(sources: &Sources, also: &[PathBuf]) -> Vec<(PathBuf, Wanted)> {
    let dir = &sources.dir;
    let mut folders = vec![
        (
            dir.clone(),
            Wanted::named([CONFIG_FILE, PLAN_FILE, PROFILES_FOLDER]),
        ),
        (dir.join(TRIGGERS_FOLDER), Wanted::toml()),
    ];
    for folder in ["", "profiles", "drivers"] {
        folders.push((dir.join(PROFILES_FOLDER).join(folder), Wanted::toml()));
    }
    for file in sources.user_file.iter().chain(also) {
        if let (Some(folder), Some(name)) = (file.parent(), file.file_name()) {
            let named = HashSet::from([PathBuf::from(name)]);
            let wanted = Wanted { named, toml: false };
            folders.push((folder.to_owned(), wanted));
        }
    }
    folders
}

/// What is watched.
pub(crate) struct Watched {
    stream: EventStream<Box<[u8]>>,
    folders: HashMap<WatchDescriptor, Wanted>,
}

impl Watched {
    /// From here on, what changes is noticed, though nobody looks yet.
    pub(crate) fn new(sources: &Sources, also: &[PathBuf]) -> io::Result<Self> {
        let buffer = vec![0; EVENTS].into_boxed_slice();
        let stream = Inotify::init()?.into_event_stream(buffer)?;
        let mut watched = Self {
            stream,
            folders: HashMap::new(),
        };
        watched.look_for_folders(sources, also)?;
        Ok(watched)
    }

    /// Watches the folders that are there. Some may come later, or come back; to watch one again
    /// changes nothing.
    fn look_for_folders(&mut self, sources: &Sources, also: &[PathBuf]) -> io::Result<()> {
        let mask = WatchMask::CLOSE_WRITE
            | WatchMask::CREATE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::DELETE
            | WatchMask::DELETE_SELF
            | WatchMask::ONLYDIR;
        // Anew each time: what does not count any more is forgotten.
        let mut there: HashMap<WatchDescriptor, Wanted> = HashMap::new();
        for (folder, wanted) in folders(sources, also) {
            match self.stream.watches().add(&folder, mask) {
                // The same folder may be named twice.
                Ok(watch) => there.entry(watch).or_default().and(wanted),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                // Such as that of a certificate: files in a folder may be readable though the folder is not.
                Err(error)
                    if error.kind() == io::ErrorKind::PermissionDenied
                        && also.iter().any(|file| file.parent() == Some(&folder)) =>
                {
                    let folder = folder.display();
                    tracing::warn!(%error, "`{folder}` cannot be watched; after a change, use `worknode reload`");
                }
                Err(error) => return Err(error),
            }
        }
        self.folders = there;
        Ok(())
    }

    /// Waits for a change that counts, and then until nothing changes any more.
    async fn changed(&mut self) -> io::Result<()> {
        while !self.next().await? {}
        for _ in 0..RESTLESS {
            match tokio::time::timeout(QUIET, self.next()).await {
                Ok(next) => drop(next?),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Whether the next thing that happens counts.
    async fn next(&mut self) -> io::Result<bool> {
        match self.stream.next().await {
            Some(event) => Ok(self.counts(&event?)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn counts(&mut self, event: &Event<OsString>) -> bool {
        // More happened than could be told: what, nobody knows.
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            return true;
        }
        if event.mask.contains(EventMask::IGNORED) {
            self.folders.remove(&event.wd);
            return false;
        }
        if event.mask.contains(EventMask::DELETE_SELF) {
            return true;
        }
        let wanted = self.folders.get(&event.wd);
        let (Some(wanted), Some(name)) = (wanted, &event.name) else {
            return false;
        };
        wanted.has(name)
    }
}

/// Reads the configuration anew whenever one of its files changes. Ends only when that cannot be
/// watched any more, which is told.
pub(crate) async fn watch(api: Arc<Api>, watched: io::Result<Watched>) {
    let outcome = match watched {
        Ok(watched) => follow(&api, watched).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::warn!(
            %error,
            "the files of the configuration cannot be watched; after a change, use `worknode reload` or SIGHUP"
        );
    }
}

async fn follow(api: &Api, mut watched: Watched) -> io::Result<()> {
    let sources = api.reloader.sources();
    loop {
        watched.changed().await?;
        watched.look_for_folders(sources, &api.reloader.certificate_files())?;
        if let Err(error) = api.reloader.reload(&api.runtime, Principal::Runtime).await {
            tracing::error!(%error, "the configuration that changed could not be taken up");
        }
        // It may name other files now.
        watched.look_for_folders(sources, &api.reloader.certificate_files())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team() -> (tempfile::TempDir, Sources) {
        let dir = tempfile::tempdir().unwrap();
        let sources = Sources {
            dir: dir.path().to_owned(),
            ..Sources::default()
        };
        (dir, sources)
    }

    #[test]
    fn only_files_of_the_configuration_count() {
        let (_dir, sources) = team();
        let folders = folders(&sources, &[]);
        let has = |folder: usize, name: &str| folders[folder].1.has(OsStr::new(name));
        assert!(has(0, "worknode.toml") && has(0, "plan.toml") && has(0, "agent-profiles"));
        assert!(!has(0, "README.md") && !has(0, ".git"));
        assert!(has(1, "nightly.toml") && !has(1, ".nightly.toml.swp") && !has(1, ".a.toml"));
        assert!(!has(1, "nightly.toml~") && !has(1, "nightly.toml.new"));
    }

    #[tokio::test]
    async fn each_way_to_save_a_file_is_seen_and_other_files_are_not() {
        let (dir, sources) = team();
        let mut watched = Watched::new(&sources, &[]).unwrap();
        let file = dir.path().join(CONFIG_FILE);
        std::fs::write(dir.path().join("other.txt"), "x").unwrap();
        std::fs::write(&file, "x").unwrap();
        watched.changed().await.unwrap();
        std::fs::write(dir.path().join("new"), "y").unwrap();
        std::fs::rename(dir.path().join("new"), &file).unwrap();
        watched.changed().await.unwrap();
        std::fs::remove_file(&file).unwrap();
        watched.changed().await.unwrap();
        // A folder that comes later is watched once it was looked for.
        std::fs::create_dir_all(dir.path().join(TRIGGERS_FOLDER)).unwrap();
        watched.look_for_folders(&sources, &[]).unwrap();
        std::fs::write(dir.path().join(TRIGGERS_FOLDER).join("a.toml"), "x").unwrap();
        watched.changed().await.unwrap();
    }

    #[tokio::test]
    async fn files_that_the_configuration_names_are_seen_wherever_they_are() {
        let (dir, sources) = team();
        let elsewhere = tempfile::tempdir().unwrap();
        let also = [dir.path().join("own.pem"), elsewhere.path().join("own.key")];
        let mut watched = Watched::new(&sources, &also).unwrap();
        for file in [&also[0], &also[1], &dir.path().join(CONFIG_FILE)] {
            std::fs::write(file, "x").unwrap();
            watched.changed().await.unwrap();
        }
    }

    #[tokio::test]
    async fn p12_what_does_not_count_wakes_nobody() {
        let (dir, sources) = team();
        let mut watched = Watched::new(&sources, &[]).unwrap();
        for number in 0..100 {
            std::fs::write(dir.path().join(format!("file-{number}")), "x").unwrap();
        }
        // All of that is there to be seen, and none of it is a change.
        let mut seen = Vec::new();
        while seen.len() < 100 {
            seen.push(watched.next().await.unwrap());
        }
        assert!(seen.iter().all(|counts| !counts));
    }
}
