//! What the tests write, and how they look at it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use worknode_core::{
    agent::{AgentSpec, StartWhen, Tier},
    event::{Draft, Event, Principal, Record},
    ids::{NodeId, RunId},
    node::{Detail, Kind, NodeSpec},
    restart::RestartPolicy,
    run::{Purpose, RunLimits, RunSpec},
    task::{Approval, TaskSpec},
    time::{ManualClock, Timestamp},
};

use crate::{AppendError, Durability, Journal, VerifyReport};

/// A journal in a directory of its own, with a clock that stands still.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) dir: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) journal: Journal,
}

pub(super) const MORNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

impl Store {
    /// With the root in it.
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(MORNING));
        let journal = open(&dir.path().join("journal.db"), &clock);
        journal.append(vec![root()], Durability::Durable).await.unwrap();
        Self { dir, clock, journal }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("journal.db")
    }

    pub(super) async fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Record>, AppendError> {
        self.journal.append(drafts, Durability::Durable).await
    }

    /// Closes the journal and opens it again.
    pub(super) async fn reopen(&mut self) {
        self.journal.close().await.unwrap();
        self.journal = open(&self.path(), &self.clock);
    }

    pub(super) async fn assert_sound(&self) -> VerifyReport {
        let report = self.journal.verify().await.unwrap();
        assert!(report.is_sound(), "{report:#?}");
        report
    }
}

pub(super) fn open(path: &Path, clock: &Arc<ManualClock>) -> Journal {
    Journal::open(path, Arc::<ManualClock>::clone(clock)).unwrap()
}

pub(super) fn node(n: u128) -> NodeId {
    uuid::Uuid::from_u128(n).into()
}

pub(super) fn run_id(n: u128) -> RunId {
    uuid::Uuid::from_u128(n).into()
}

pub(super) fn draft(node: NodeId, event: Event) -> Draft {
    Draft {
        node,
        by: Principal::Runtime,
        cause: None,
        event,
    }
}

pub(super) fn root() -> Draft {
    draft(
        NodeId::ROOT,
        Event::NodeCreated {
            node: NodeSpec::new(None, Kind::Organisation, "all", Detail::Plain),
        },
    )
}

pub(super) fn child(id: NodeId, parent: NodeId, kind: Kind, name: &str) -> Draft {
    let detail = match kind {
        Kind::Task => Detail::Task(Box::new(task_spec(name))),
        Kind::Agent => Detail::Agent(Box::new(agent_spec())),
        _ => Detail::Plain,
    };
    draft(
        id,
        Event::NodeCreated {
            node: NodeSpec::new(Some(parent), kind, name, detail),
        },
    )
}

pub(super) fn task(id: NodeId, name: &str) -> Draft {
    child(id, NodeId::ROOT, Kind::Task, name)
}

pub(super) fn agent(id: NodeId, name: &str) -> Draft {
    child(id, NodeId::ROOT, Kind::Agent, name)
}

pub(super) fn task_spec(key: &str) -> TaskSpec {
    TaskSpec {
        key: key.into(),
        title: "Design the schema".into(),
        prompt: "Design it \"well\".\n".into(),
        files: vec!["schema.sql".into()],
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: None,
        deadline: Some(MORNING),
        gates: vec!["tests".into()],
        approval: Approval::None,
        max_attempts: 3,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    }
}

pub(super) fn agent_spec() -> AgentSpec {
    AgentSpec {
        profile: "implementation".into(),
        driver: "command".into(),
        tier: Tier::Implementation,
        start: StartWhen::Task,
        restart: RestartPolicy::default(),
        limits: RunLimits::default(),
        asks: worknode_core::agent::Share::default(),
        like: None,
        lineage: None,
    }
}

pub(super) fn queued(id: RunId) -> Event {
    Event::RunQueued {
        run: RunSpec {
            raised: Vec::new(),
            id,
            purpose: Purpose::Standing,
            limits: RunLimits::default(),
        },
    }
}

pub(super) fn emitted(node: NodeId, number: usize) -> Draft {
    draft(
        node,
        Event::Emitted {
            name: format!("number_{}", number % 3),
            version: 1,
            data: [("n".to_owned(), number.into())].into_iter().collect(),
        },
    )
}

/// The number that [`emitted`] put in.
pub(super) fn number(record: &Record) -> Option<usize> {
    match &record.event {
        Event::Emitted { data, .. } => usize::try_from(data.get("n")?.as_u64()?).ok(),
        _ => None,
    }
}
