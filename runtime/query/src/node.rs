//! A Worknode as expressions see it.

use std::{sync::LazyLock, time::Duration};

use worknode_core::{
    agent::{Agent, AgentStatus},
    body::Link,
    hlc::Hlc,
    node::{Node, NodeState},
    task::{Approval, Task, TaskStatus},
    time::Timestamp,
};

use crate::{
    fact::Fact,
    facts::Facts,
    scope::{Scope, Shape},
    selection::Field,
};

/// The names of a Worknode. Every Worknode has all of them; what does not apply is `null`.
pub(crate) fn names() -> &'static Scope {
    static NAMES: LazyLock<Scope> = LazyLock::new(all_names);
    &NAMES
}

fn all_names() -> Scope {
    agent_names(task_names(
        Scope::empty()
            .with_indexed("id", Shape::Text, "its identity", Field::Id)
            .with_indexed("kind", Shape::Text, "what sort of thing it is", Field::Kind)
            .with_indexed("name", Shape::Text, "its name among its siblings", Field::Name)
            .with_indexed(
                "parent",
                Shape::Text,
                "the identity of the one above",
                Field::Parent,
            )
            .with("depth", Shape::Number, "levels below the root")
            .with_indexed("status", Shape::Text, "the name of its state", Field::Status)
            .with_indexed(
                "archived",
                Shape::Truth,
                "whether it is put away",
                Field::Archived,
            )
            .with_indexed("created_at", Shape::Time, "when it came to be", Field::CreatedAt)
            .with_indexed("updated_at", Shape::Time, "when it changed", Field::UpdatedAt)
            .with_indexed("tags", Shape::List, "its tags", Field::Tags)
            .with_indexed(
                "assignees",
                Shape::List,
                "who is asked to do it",
                Field::Assignees,
            )
            .with("links", Shape::List, "its links, each with `relation` and `to`")
            .with("attributes", Shape::Open, "its attributes, by name"),
    ))
}

fn task_names(scope: Scope) -> Scope {
    scope
        .with("title", Shape::Text, "of a task: one line for people")
        .with_indexed(
            "priority",
            Shape::Number,
            "of a task: higher goes first",
            Field::Priority,
        )
        .with("deadline", Shape::Time, "of a task: when it should be completed")
        .with("ready_at", Shape::Time, "of a task: when it could be claimed")
        .with("claimed_at", Shape::Time, "of a task: when somebody claimed it")
        .with_indexed(
            "finished_at",
            Shape::Time,
            "of a task: when it was over, completed or not",
            Field::FinishedAt,
        )
        .with(
            "done_by",
            Shape::Text,
            "of a task: the identity of whose work landed",
        )
        .with_indexed(
            "completed_at",
            Shape::Time,
            "of a task: when it was completed",
            Field::CompletedAt,
        )
        .with("attempts", Shape::Number, "of a task: claims used up")
        .with("max_attempts", Shape::Number, "of a task: claims it gets")
        .with(
            "progress",
            Shape::Number,
            "of a task: percent done, as its holder says",
        )
        .with("holder", Shape::Text, "of a task: the identity of who holds it")
        .with(
            "lease_until",
            Shape::Time,
            "of a task: until when it is held without renewal",
        )
        .with("epoch", Shape::Number, "of a task: its highest claim yet")
        .with(
            "depends_on",
            Shape::List,
            "of a task: the identities it waits for",
        )
        .with("gates", Shape::List, "of a task: what must pass")
        .with(
            "approval",
            Shape::Text,
            "of a task: who must agree beside the gates",
        )
}

fn agent_names(scope: Scope) -> Scope {
    scope
        .with("tier", Shape::Text, "of an agent: what it may do at all")
        .with("profile", Shape::Text, "of an agent: its profile")
        .with("driver", Shape::Text, "of an agent: its driver")
        .with("run", Shape::Text, "of an agent: the identity of its live run")
        .with(
            "run_status",
            Shape::Text,
            "of an agent: the state of its live run",
        )
        .with("stuck", Shape::Text, "of an agent: why its live run gets nowhere")
        .with(
            "task",
            Shape::Text,
            "of an agent: the identity of what it works on",
        )
        .with("tokens", Shape::Number, "of an agent: tokens of its live run")
        .with("usd", Shape::Number, "of an agent: dollars of its live run")
        .with("idle", Shape::Span, "of an agent: how long it has had no run")
}

impl Facts {
    /// A Worknode, seen at `now`: the names of [`Scope::node`].
    #[must_use]
    pub fn of_node(node: &Node, now: Timestamp) -> Self {
        gather(node, now, &|_| true).at(now)
    }

    /// As much of a Worknode, seen at `now`, as some expressions ask for: `uses` says whether
    /// they use a name, as [`Predicate::uses`](crate::Predicate::uses) does.
    #[must_use]
    pub fn of_node_for(node: &Node, now: Timestamp, uses: &dyn Fn(&str) -> bool) -> Self {
        gather(node, now, uses).at(now)
    }
}

/// A Worknode as one value, with all of its names.
pub(crate) fn node_record(node: &Node, now: Timestamp) -> Fact {
    let mut facts = gather(node, now, &|_| true);
    for (name, _) in names().iter() {
        if facts.get(name).is_none() {
            facts.set(name, Fact::null());
        }
    }
    Fact::from(facts)
}

/// The names of [`names`] that are wanted, with the values that `node` has.
fn gather(node: &Node, now: Timestamp, uses: &dyn Fn(&str) -> bool) -> Facts {
    let mut facts = Wanted {
        facts: Facts::new(),
        uses,
    };
    facts.add("id", || node.id.to_string());
    facts.add("kind", || node.kind.name());
    facts.add("name", || node.name.as_str());
    facts.add("parent", || node.parent.map(|parent| parent.to_string()));
    facts.add("status", || node.status());
    facts.add("archived", || node.body.is_archived());
    facts.add("created_at", || node.created.wall);
    facts.add("updated_at", || node.updated.wall);
    add_body(&mut facts, node);
    match &node.state {
        NodeState::Plain => {}
        NodeState::Task(task) => add_task(&mut facts, task, node),
        NodeState::Agent(agent) => add_agent(&mut facts, agent, now.since(node.updated.wall)),
    }
    facts.facts
}

/// Facts that are made only when somebody asks for them.
struct Wanted<'a> {
    facts: Facts,
    uses: &'a dyn Fn(&str) -> bool,
}

impl Wanted<'_> {
    fn add<T: Into<Fact>>(&mut self, name: &'static str, value: impl FnOnce() -> T) {
        if (self.uses)(name) {
            self.facts.set(name, value());
        }
    }
}

fn add_body(facts: &mut Wanted<'_>, node: &Node) {
    let body = &node.body;
    facts.add("tags", || {
        Fact::list(body.tags.iter().map(|tag| Fact::from(tag.as_str())))
    });
    facts.add("assignees", || texts(body.assignees.iter()));
    facts.add("links", || Fact::list(body.links.iter().map(link)));
    facts.add("attributes", || {
        let attributes = body.attributes.iter();
        Fact::map(attributes.map(|(name, value)| (name.clone(), attribute(&value.0))))
    });
}

fn link(link: &Link) -> Fact {
    let entry = |name: &str, value: String| (name.to_owned(), Fact::from(value));
    Fact::map([
        entry("relation", link.relation.name().to_owned()),
        entry("to", link.to.to_string()),
    ])
}

/// What nests too deeply to be asked for is shown as its text, so that it is at least there.
fn attribute(value: &serde_json::Value) -> Fact {
    Fact::json(value).unwrap_or_else(|_| Fact::from(value.to_string()))
}

fn add_task(facts: &mut Wanted<'_>, task: &Task, node: &Node) {
    let (spec, times) = (&task.spec, &node.times);
    let wall = |at: Option<Hlc>| at.map(|at| at.wall);
    let claim = task.status.claim();
    let percent = task.progress.as_ref().and_then(|progress| progress.percent);
    let completed = matches!(task.status, TaskStatus::Completed { .. });
    facts.add("title", || spec.title.as_str());
    facts.add("priority", || spec.priority);
    facts.add("deadline", || spec.deadline);
    facts.add("ready_at", || wall(times.ready));
    facts.add("claimed_at", || wall(times.claimed));
    facts.add("finished_at", || wall(times.finished));
    facts.add("completed_at", || wall(times.finished.filter(|_| completed)));
    facts.add("done_by", || task.done_by.map(|agent| agent.to_string()));
    facts.add("attempts", || task.attempts);
    facts.add("max_attempts", || spec.max_attempts);
    facts.add("progress", || percent.map(u32::from));
    facts.add("holder", || claim.map(|claim| claim.agent.to_string()));
    facts.add("lease_until", || claim.map(|claim| claim.lease_until));
    facts.add("epoch", || task.epoch);
    facts.add("depends_on", || texts(node.dependencies()));
    facts.add("gates", || spec.gates.clone());
    facts.add("approval", || approval(spec.approval));
}

fn add_agent(facts: &mut Wanted<'_>, agent: &Agent, unchanged: Duration) {
    let spec = &agent.spec;
    let idle = matches!(agent.status, AgentStatus::Idle);
    facts.add("tier", || spec.tier.name());
    facts.add("profile", || spec.profile.as_str());
    facts.add("driver", || spec.driver.as_str());
    facts.add("idle", || if idle { unchanged } else { Duration::ZERO });
    let Some(run) = agent.status.run() else {
        return;
    };
    facts.add("run", || run.spec.id.to_string());
    facts.add("run_status", || run.status.name());
    facts.add("stuck", || run.stuck.as_ref().map(|stuck| stuck.name()));
    facts.add("task", || run.spec.purpose.task().map(|task| task.to_string()));
    facts.add("tokens", || run.usage.tokens());
    facts.add("usd", || dollars(run.usage.cost.micros()));
}

fn texts<T: ToString>(items: impl Iterator<Item = T>) -> Fact {
    Fact::list(items.map(|item| Fact::from(item.to_string())))
}

const fn approval(approval: Approval) -> &'static str {
    match approval {
        Approval::None => "none",
        Approval::Validation => "validation",
        Approval::Operator => "operator",
        Approval::Quorum(_) => "quorum",
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to nine billion dollars")]
fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}
