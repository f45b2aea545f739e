//! The tree, and how it is made.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use worknode_actors::clock::SystemClock;
use worknode_core::{
    event::{Draft, Event},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
    task::TaskSpec,
};
use worknode_daemon::daemon::journal_path;
use worknode_journal::{Durability, Journal};
use worknode_tests::made;

use crate::{Failure, scene};

/// Events of one batch.
const BATCH: usize = 8_000;
/// Tasks of one phase; then phases of a project, and projects of a team.
const TASKS: usize = 100;
const TEN: usize = 10;
/// One in so many tasks is not over.
const OPEN: usize = 100;
/// How many tasks have the tag.
pub(super) const TAGGED: usize = 100;
/// The tag.
pub(super) const TAG: &str = "urgent";

const VERBS: [&str; 8] = [
    "Design", "Build", "Review", "Measure", "Document", "Migrate", "Test", "Remove",
];
const THINGS: [&str; 16] = [
    "parser",
    "ledger",
    "importer",
    "scheduler",
    "dashboard",
    "gateway",
    "cache",
    "journal",
    "form",
    "report",
    "mailer",
    "sandbox",
    "index",
    "client",
    "invoice",
    "calendar",
];

/// So many teams, projects, phases and tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    teams: usize,
    projects: usize,
    phases: usize,
    tasks: usize,
}

/// One task, as both stores get it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: NodeId,
    pub(super) phase: NodeId,
    pub(super) key: String,
    pub(super) title: String,
    pub(super) prompt: String,
    pub(super) priority: i32,
    pub(super) open: bool,
    pub(super) tagged: bool,
}

impl Tree {
    /// About so many Worknodes.
    pub(super) fn of(size: usize) -> Self {
        let phases = (size / (TASKS + 1)).max(1);
        let projects = phases.div_ceil(TEN);
        let teams = projects.div_ceil(TEN);
        let tasks = size.saturating_sub(phases + projects + teams).max(TAGGED);
        Self {
            teams,
            projects,
            phases,
            tasks,
        }
    }

    pub(super) const fn size(&self) -> usize {
        self.teams + self.projects + self.phases + self.tasks
    }

    pub(super) fn in_words(&self) -> String {
        format!(
            "{} teams, {} projects, {} phases, {} tasks, of which {} are open",
            self.teams,
            self.projects,
            self.phases,
            self.tasks,
            self.tasks.div_ceil(OPEN)
        )
    }

    /// What is above the tasks: each with its parent.
    pub(super) fn above(&self) -> impl Iterator<Item = (NodeId, NodeId, Kind, String)> {
        let part = |kind: Kind, of: &str, above: Option<&str>, n: usize| {
            let parent = above.map_or(NodeId::ROOT, |above| place(above, n / TEN));
            (place(of, n), parent, kind, format!("{of}-{n}"))
        };
        let teams = (0..self.teams).map(move |n| part(Kind::Team, "team", None, n));
        let projects = (0..self.projects).map(move |n| part(Kind::Project, "project", Some("team"), n));
        let phases = (0..self.phases).map(move |n| part(Kind::Phase, "phase", Some("project"), n));
        teams.chain(projects).chain(phases)
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = Task> {
        let (all, phases) = (self.tasks, self.phases);
        (0..all).map(move |n| Task {
            id: place("task", n),
            phase: place("phase", n * phases / all),
            key: format!("task-{n}"),
            title: format!(
                "{} the {} {n}",
                VERBS[n % VERBS.len()],
                THINGS[n / 7 % THINGS.len()]
            ),
            prompt: format!(
                "Do number {n}. {}",
                "Keep to the style of the files around it. ".repeat(4)
            ),
            priority: i32::try_from(n % 3).unwrap_or(0),
            open: n % OPEN == 0,
            tagged: n % (all / TAGGED) == 0 && n / (all / TAGGED) < TAGGED,
        })
    }

    /// Tasks from everywhere, no two of them neighbours.
    pub(super) fn some_tasks(&self, count: usize) -> impl Iterator<Item = NodeId> {
        let all = self.tasks;
        // A stride without a common factor with any usual size visits all before it repeats.
        (0..count.min(all)).map(move |n| place("task", n.wrapping_mul(7_919) % all))
    }

    /// Phases from everywhere.
    pub(super) fn some_phases(&self, count: usize) -> impl Iterator<Item = NodeId> {
        let all = self.phases;
        (0..count).map(move |n| place("phase", n.wrapping_mul(7_919) % all))
    }
}

pub(super) fn place(of: &str, n: usize) -> NodeId {
    NodeId::derived(NodeId::ROOT, &format!("{of} {n}"))
}

/// Words that are in the title of exactly one task.
pub(super) fn words(n: usize) -> String {
    format!("{} {n}", THINGS[n / 7 % THINGS.len()])
}

/// Makes the tree in the store of `dir`. Answers how long that took.
pub(super) async fn make(tree: &Tree, dir: &Path) -> Result<Duration, Failure> {
    let path = journal_path(dir);
    std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
    // The runtime makes the root and the team of its configuration.
    let first = scene::runtime(dir).await?;
    first.shutdown("only to begin").await;
    first.system().journal().close().await?;
    drop(first);
    let journal = Journal::open(&path, Arc::new(SystemClock))?;
    let begun = Instant::now();
    let above = tree
        .above()
        .map(|(id, parent, kind, name)| made::plain(id, parent, kind, name));
    let mut batch = Vec::with_capacity(BATCH);
    for draft in above.chain(tree.tasks().flat_map(drafts)) {
        batch.push(draft);
        if batch.len() >= BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            journal.append(full, Durability::Durable).await?;
        }
    }
    journal.append(batch, Durability::Durable).await?;
    let took = begun.elapsed();
    journal.close().await?;
    Ok(took)
}

/// A task comes to be, and is ready, or over.
fn drafts(task: Task) -> [Draft; 2] {
    let spec = TaskSpec {
        title: task.title,
        prompt: task.prompt,
        priority: task.priority,
        ..made::bare_task(task.key.clone())
    };
    let detail = Detail::Task(Box::new(spec));
    let mut node = NodeSpec::new(Some(task.phase), Kind::Task, task.key, detail);
    node.body.tags.extend(task.tagged.then(|| TAG.to_owned()));
    let next = if task.open {
        Event::TaskReady
    } else {
        Event::TaskCancelled {
            reason: "done before it came here".to_owned(),
        }
    };
    [made::created(task.id, node), made::happened(task.id, next)]
}
