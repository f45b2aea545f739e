//! Sessions of programs that outlive a run: with its session, a program goes on where a run that
//! did not end well broke off.
//!
//! Two files beside a run's output: `session.json`, what the run ended with, and `resumes.json`,
//! what it went on with. The second is there so that a daemon that adopts the run reads its output
//! as the one before did.

use std::path::Path;

use serde::{Deserialize, Serialize};
use worknode_core::{
    error::Error,
    ids::NodeId,
    run::{Purpose, Run, RunSpec, RunStatus},
    usage::Usage,
};
use worknode_profiles::stream::Cause;

use crate::{definition::AgentDefinition, system::System};

const ENDED_WITH: &str = "session.json";
const RESUMES: &str = "resumes.json";

/// A program's own session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// As the program calls it.
    pub(super) id: String,
    /// What it had used in all, by the program's own count.
    pub(super) total: Usage,
}

/// Notes what a run ended with. What cannot be noted costs the next run its memory, nothing else.
pub(super) async fn keep(dir: &Path, session: &Session) {
    write(&dir.join(ENDED_WITH), session).await;
}

/// Notes what a run goes on with.
pub(super) async fn note_resumed(dir: &Path, session: &Session) {
    write(&dir.join(RESUMES), session).await;
}

/// What a run goes on with, when it does.
pub(super) fn resumed_by(dir: &Path) -> Option<Session> {
    read(&dir.join(RESUMES))
}

/// The session that a run of this agent goes on with: of its run before, when that was for the
/// same work and did not end well.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn to_resume(
    system: &System,
    agent: NodeId,
    definition: &AgentDefinition,
    spec: &RunSpec,
) -> Result<Option<Session>, Error> {
    if !definition.resume || !definition.driver.can_resume() {
        return Ok(None);
    }
    // The newest is the run that is starting.
    let before = system.reader().runs_of(agent, 2)?.into_iter().nth(1);
    let before = before.filter(|stored| broke_off(&stored.run, &spec.purpose));
    Ok(before.and_then(|stored| read(&system.context().paths.run(stored.run.spec.id).join(ENDED_WITH))))
}

/// Did this run break off the same work?
fn broke_off(run: &Run, purpose: &Purpose) -> bool {
    let RunStatus::Exited { receipt } = &run.status else {
        return false;
    };
    let same = match (&run.spec.purpose, purpose) {
        (Purpose::Work { task: one, .. }, Purpose::Work { task: other, .. }) => one == other,
        (one, other) => one == other,
    };
    same && !receipt.is_clean()
}

/// Can a session be gone on with after such an end? Not one that is full, or not there.
pub(super) const fn survives(cause: Cause) -> bool {
    !matches!(
        cause,
        Cause::ContextExhausted | Cause::Session | Cause::Input | Cause::Auth
    )
}

async fn write(path: &Path, session: &Session) {
    let written = match serde_json::to_vec(session) {
        Ok(bytes) => tokio::fs::write(path, bytes).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = written {
        tracing::warn!(%error, path = %path.display(), "a session could not be noted");
    }
}

fn read(path: &Path) -> Option<Session> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use worknode_core::{
        ids::RunId,
        run::{Ending, Receipt, RunLimits},
        time::Timestamp,
    };

    use super::*;

    fn ended(purpose: Purpose, code: i32) -> Run {
        let receipt = Box::new(Receipt::new(Ending::Code { code }, Timestamp::default()));
        let spec = RunSpec {
            raised: Vec::new(),
            id: RunId::derived(NodeId::ROOT, "run"),
            purpose,
            limits: RunLimits::default(),
        };
        Run {
            status: RunStatus::Exited { receipt },
            ..Run::queued(spec)
        }
    }

    fn work(task: &str, epoch: u64) -> Purpose {
        let task = NodeId::derived(NodeId::ROOT, task);
        Purpose::Work { task, epoch }
    }

    #[test]
    fn only_the_same_work_that_broke_off_is_gone_on_with() {
        assert!(broke_off(&ended(work("one", 1), 1), &work("one", 2)));
        assert!(
            !broke_off(&ended(work("one", 1), 0), &work("one", 2)),
            "it ended well"
        );
        assert!(!broke_off(&ended(work("one", 1), 1), &work("two", 1)));
        assert!(broke_off(&ended(Purpose::Standing, 1), &Purpose::Standing));
        assert!(!broke_off(&ended(Purpose::Standing, 1), &work("one", 1)));
    }

    #[tokio::test]
    async fn what_was_noted_is_read_again_and_rubbish_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(resumed_by(dir.path()), None);
        let session = Session {
            id: "s".into(),
            total: Usage::default(),
        };
        note_resumed(dir.path(), &session).await;
        assert_eq!(resumed_by(dir.path()), Some(session));
        std::fs::write(dir.path().join(RESUMES), "{").unwrap();
        assert_eq!(resumed_by(dir.path()), None);
    }
}
