//! Places and processes inside and outside of a box, and the two ways to try to leave it.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;
use worknode_process::sandbox::Sandbox;

const PROGRAM: &str = env!("CARGO_BIN_EXE_worknode-test-box");
const REFUSED: i32 = 10;

/// `inside` can be written, `hidden` not be read, and `outside` is the rest of the world; so is
/// the process that stands there.
pub(crate) struct Scene {
    dir: TempDir,
    outsider: Child,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in [
            "inside",
            "inside/own",
            "outside",
            "outside/empty",
            "hidden",
            "hidden/shown",
        ] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in [
            "inside/own/file",
            "outside/file",
            "outside/other",
            "hidden/file",
            "hidden/shown/file",
        ] {
            fs::write(at(name), "first").unwrap();
        }
        let outsider = stand(&at("outside"));
        Self { dir, outsider }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn outsider(&self) -> String {
        self.outsider.id().to_string()
    }

    /// The name of the socket that the outsider listens at.
    pub(crate) fn socket(&self) -> String {
        socket_name(&self.path("outside"))
    }

    pub(crate) fn sandbox(&self) -> Sandbox {
        Sandbox {
            write: vec![self.path("inside")],
            hide: vec![self.path("hidden")],
            ..Sandbox::default()
        }
    }

    /// A program in the box.
    pub(crate) fn boxed(&self, sandbox: &Sandbox, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["box", &serde_json::to_string(sandbox).unwrap(), program])
            .args(args)
            .current_dir(self.path("inside"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn attempt(&self, sandbox: &Sandbox, args: Vec<String>) -> Output {
        let mut words = vec!["attempt"];
        words.extend(args.iter().map(String::as_str));
        self.boxed(sandbox, PROGRAM, &words).output().unwrap()
    }

    fn attempt_free(&self, args: Vec<String>) -> Output {
        let mut command = Command::new(PROGRAM);
        let inside = self.path("inside");
        command
            .arg("attempt")
            .args(args)
            .current_dir(inside)
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// All that is outside, with its content.
    fn world(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut world = BTreeMap::new();
        for directory in ["outside", "outside/empty", "hidden", "hidden/shown"] {
            for entry in fs::read_dir(self.path(directory)).unwrap() {
                let path = entry.unwrap().path();
                world.insert(path.clone(), fs::read(path).ok());
            }
        }
        world
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // It ends with its input; an attempt may have ended it already.
        drop(self.outsider.stdin.take());
        drop(self.outsider.wait());
    }
}

/// Starts the process outside, in a group of its own, and waits until it is there.
fn stand(directory: &Path) -> Child {
    let mut outsider = Command::new(PROGRAM)
        .args(["stand", &socket_name(directory)])
        .current_dir(directory)
        .env("WORKNODE_TEST_TOKEN", "secret")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(outsider.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert_eq!(said, "ready\n");
    outsider
}

fn socket_name(directory: &Path) -> String {
    directory
        .parent()
        .and_then(Path::file_name)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

/// Shows that a way leads out without the box, and in it is refused and changes nothing outside.
pub(crate) fn closed(words: impl Fn(&Scene) -> Vec<String>) {
    let free = Scene::new();
    let output = free.attempt_free(words(&free));
    assert!(
        output.status.success(),
        "without the box it should lead out: {output:?}"
    );
    closed_in(Scene::sandbox, words);
}

/// Like [`closed`], for a way that without the box is open to root only.
pub(crate) fn closed_to_root(words: impl Fn(&Scene) -> Vec<String>) {
    if rustix::process::geteuid().is_root() {
        closed(words);
    } else {
        closed_in(Scene::sandbox, words);
    }
}

/// Like [`closed`], in a box of another kind.
pub(crate) fn closed_by(sandbox: impl Fn(&Scene) -> Sandbox, words: impl Fn(&Scene) -> Vec<String>) {
    let scene = Scene::new();
    let output = scene.attempt(&scene.sandbox(), words(&scene));
    assert!(
        output.status.success(),
        "in the usual box it should be open: {output:?}"
    );
    closed_in(sandbox, words);
}

fn closed_in(sandbox: impl Fn(&Scene) -> Sandbox, words: impl Fn(&Scene) -> Vec<String>) {
    let mut scene = Scene::new();
    let before = scene.world();
    let output = scene.attempt(&sandbox(&scene), words(&scene));
    assert_eq!(output.status.code(), Some(REFUSED), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).starts_with("refused"),
        "{output:?}"
    );
    assert_eq!(scene.world(), before);
    assert!(
        scene.outsider.try_wait().unwrap().is_none(),
        "the outsider was ended"
    );
}

/// Owned words, of what scenes and literals give.
#[macro_export]
macro_rules! words {
    ($($word:expr),* $(,)?) => { vec![$(String::from($word)),*] };
}
