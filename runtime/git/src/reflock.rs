//! Holding a branch still while the files of its work tree are brought up to date.
//!
//! git's own transaction does it: after `prepare` the branch is locked, known to be at the old
//! commit, and the new value is written beside it. `commit` then only renames. If we disappear
//! in between, git sees its input end and lets go without a change.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
    time::timeout,
};
use worknode_core::git::CommitId;

use crate::{
    command::{Invocation, TIME},
    error::GitError,
    group,
    refname::Branch,
};

/// An answer is one word or two.
const ANSWER: u64 = 1024;

/// A branch that nobody else can move. Dropping it lets go and changes nothing.
#[derive(Debug)]
pub(crate) struct RefLock {
    git: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    complaints: Option<ChildStderr>,
}

impl RefLock {
    /// Locks `branch`, which must be at `old`, to be moved to `new`.
    pub(crate) async fn take(
        git: Invocation,
        branch: &Branch,
        new: &CommitId,
        old: &CommitId,
    ) -> Result<Self, GitError> {
        let mut git = git
            .sub("update-ref")
            .args(["-m", "worknode land", "--stdin"])
            .start_conversation()?;
        let (Some(orders), Some(answers)) = (git.stdin.take(), git.stdout.take()) else {
            return Err(unexpected("no pipes to it"));
        };
        let complaints = git.stderr.take();
        let answers = BufReader::new(answers);
        let mut lock = Self {
            git,
            orders,
            answers,
            complaints,
        };
        lock.ask("start\n", "start: ok").await?;
        let order = format!("update {} {new} {old}\nprepare\n", branch.full());
        lock.ask(&order, "prepare: ok").await?;
        Ok(lock)
    }

    /// Moves the branch.
    pub(crate) async fn commit(mut self) -> Result<(), GitError> {
        self.ask("commit\n", "commit: ok").await
    }

    /// Lets go, and waits until it is so.
    pub(crate) async fn release(mut self) {
        let _ = self.ask("abort\n", "abort: ok").await;
    }

    async fn ask(&mut self, order: &str, expected: &str) -> Result<(), GitError> {
        let heard = timeout(TIME, self.exchange(order)).await;
        let error = match heard {
            Ok(Ok(answer)) if answer.trim_end() == expected => return Ok(()),
            Ok(Ok(answer)) if !answer.is_empty() => unexpected(&answer),
            // It has ended instead of answering: it says why on standard error.
            Ok(_) => return Err(self.failure().await),
            Err(_) => timed_out(TIME),
        };
        group::end(&mut self.git, &mut self.complaints).await;
        Err(error)
    }

    async fn exchange(&mut self, order: &str) -> std::io::Result<String> {
        self.orders.write_all(order.as_bytes()).await?;
        let mut answer = String::new();
        (&mut self.answers).take(ANSWER).read_line(&mut answer).await?;
        Ok(answer)
    }

    async fn failure(&mut self) -> GitError {
        let mut text = Vec::new();
        if let Some(pipe) = &mut self.complaints {
            let _ = timeout(TIME, pipe.take(16 * 1024).read_to_end(&mut text)).await;
        }
        let ending = match timeout(TIME, self.git.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => "it does not end".to_owned(),
        };
        GitError::Failed {
            what: "update-ref".to_owned(),
            ending,
            stderr: String::from_utf8_lossy(&text).trim_end().to_owned(),
        }
    }
}

fn timed_out(after: Duration) -> GitError {
    GitError::TimedOut {
        what: "update-ref".to_owned(),
        after,
    }
}

fn unexpected(why: &str) -> GitError {
    GitError::Unexpected {
        what: "update-ref".to_owned(),
        why: why.to_owned(),
    }
}
