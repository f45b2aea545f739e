//! The daemon of a scene: started, watched, killed.

use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use worknode_tests::{program::command, scene::Scene};

/// A daemon that does not end in this time hangs.
const END: Duration = Duration::from_secs(30);

/// The exit code of a command that met no daemon.
const NOT_REACHABLE: i32 = 7;

/// One that runs in the foreground, as a child of this program.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    ended: Option<ExitStatus>,
    /// What it says to people.
    log: PathBuf,
}

impl Daemon {
    /// Starts one, with a variable that it does not pass on.
    pub(crate) fn start(scene: &Scene, number: usize, variable: Option<(&str, String)>) -> Self {
        let mut command = command(scene.path());
        command.arg("up").env("SCENE", scene.path());
        if let Some((name, value)) = variable {
            command.env(name, value);
        }
        let state = scene.file(".worknode");
        std::fs::create_dir_all(&state).unwrap();
        let log = state.join(format!("daemon-{number}.log"));
        let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Self {
            child: child.spawn().unwrap(),
            ended: None,
            log,
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, by whatever.
    pub(crate) fn is_over(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended.is_some()
    }

    /// How it ended, and what it said, unless by KILL, which is how it is meant to end here.
    pub(crate) fn surprise(&self) -> Option<String> {
        let ended = self.ended.filter(|ended| ended.signal() != Some(9))?;
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        Some(format!(
            "end: the daemon ended by itself: {ended}: {}",
            said.trim()
        ))
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        // It may have died before.
        let _ = self.child.kill();
        self.ended = self.child.wait().ok();
    }

    /// Tells it to end, and waits. What went wrong.
    pub(crate) fn down(&mut self, scene: &Scene) -> Result<(), String> {
        let end = Instant::now() + END;
        loop {
            let asked = scene.worknode(&["down"]);
            // One that has just been started may not have opened its door yet.
            let early = asked.code == Some(NOT_REACHABLE) && !self.is_over() && Instant::now() < end;
            if asked.code == Some(0) {
                break;
            }
            if !early {
                return Err(format!("`worknode down`: {}", asked.stderr.trim()));
            }
            crate::case::pause();
        }
        while !self.is_over() {
            if Instant::now() > end {
                self.kill();
                return Err("the daemon did not end when it was told to".to_owned());
            }
            crate::case::pause();
        }
        match self.ended {
            Some(status) if status.success() => Ok(()),
            other => Err(format!("the daemon ended badly: {other:?}")),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
