//! A program that goes on while the test does.

use std::{
    fs,
    process::{Child, Command},
};

use tempfile::TempDir;

use crate::{program::Done, wait::until};

/// A started program. Its output goes to files, so that it never waits for a reader. One that
/// still runs when the test is over is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    dir: TempDir,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name| fs::File::create(dir.path().join(name)).unwrap();
        let child = command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn so_far(&self) -> Done {
        let read = |name| {
            let bytes = fs::read(self.dir.path().join(name)).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Done {
            code: None,
            stdout: read("stdout"),
            stderr: read("stderr"),
        }
    }

    /// Waits until its standard output has this text.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        until(text, || {
            let seen = self.so_far();
            if seen.stdout.contains(text) {
                Ok(())
            } else {
                Err(seen)
            }
        });
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn wait(mut self) -> Done {
        let status = until("the end of a program", || {
            let status = self.child.try_wait().unwrap();
            status.ok_or_else(|| self.so_far())
        });
        Done {
            code: status.code(),
            ..self.so_far()
        }
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with a signal, by name.
    pub fn signal(&self, signal: &str) {
        send_signal(signal, self.pid());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago; that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal, by name, to a process. One that is gone is no error.
pub fn send_signal(signal: &str, pid: u32) {
    let line = format!("kill -{signal} {pid} 2>/dev/null; :");
    Command::new("sh").args(["-c", &line]).status().unwrap();
}
