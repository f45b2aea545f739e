//! Ending a git process together with the helpers that it has started.
//!
//! git runs others (`upload-pack`, `index-pack`, a user's filters); all are in the process group
//! of the first. Only the shell's own `kill` is used to reach a group: this crate has no
//! `unsafe` and no system call of its own.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::AsyncRead,
    process::{Child, Command},
    time::timeout,
};

/// What git gets, after TERM, to take its lock files away.
const GRACE: Duration = Duration::from_secs(2);

/// Ends the group of a child that has not been waited for yet.
///
/// `alive` is a pipe that every member of the group holds; when it ends, they are gone. The child
/// is collected last: while it is not, no other process can have its number.
pub(crate) async fn end(child: &mut Child, alive: &mut Option<impl AsyncRead + Unpin>) {
    signal(child, "TERM").await;
    if let Some(pipe) = alive {
        let _ = timeout(GRACE, tokio::io::copy(pipe, &mut tokio::io::sink())).await;
    }
    signal(child, "KILL").await;
    let _ = child.start_kill();
    if timeout(GRACE, child.wait()).await.is_err() {
        tracing::warn!(
            pid = child.id(),
            "a git process does not die; it is stuck in the kernel"
        );
    }
}

async fn signal(child: &Child, signal: &str) {
    // No number: it has been collected, and the number may be somebody else's.
    let Some(group) = child.id() else { return };
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", "kill -s \"$0\" -- \"-$1\"", signal, &group.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match timeout(GRACE, kill.status()).await {
        Ok(Ok(_)) => {}
        outcome => tracing::warn!(
            group,
            signal,
            ?outcome,
            "a group of git processes could not be signalled"
        ),
    }
}
