//! What an agent is told at the start of a run.

use std::path::Path;

use worknode_core::{
    agent::ended,
    error::{Code, Error},
    event::Event,
    ids::NodeId,
    node::Node,
    raise::{Raise, sandbox_until},
    run::{Purpose, RunSpec, RunStatus},
    task::{Task, TaskStatus},
};
use worknode_journal::EventFilter;
use worknode_profiles::{
    Brief, Template,
    brief::{Artefact, Duty, LastRun, Review, Said, Work},
};

use super::clone::Place;
use crate::{
    definition::AgentDefinition,
    inbox,
    outside::{failed, tail},
    system::System,
};

/// Bytes of a run's output that the next one is shown.
const LAST_WORDS: u64 = 2 * 1024;

/// The brief of one run, as Markdown.
pub(super) async fn render(
    system: &System,
    (id, agent): (NodeId, &AgentDefinition),
    spec: &RunSpec,
    task: Option<&Node>,
    place: &Place,
) -> Result<String, Error> {
    let purpose = &spec.purpose;
    let state = task.and_then(Node::task);
    let artefacts = match (purpose, state) {
        (Purpose::Work { .. }, Some(task)) => artefacts(system, task).await?,
        _ => Vec::new(),
    };
    let last_run = match (purpose, task) {
        (Purpose::Work { task, epoch }, Some(_)) => last_run(system, *task, *epoch).await?,
        _ => None,
    };
    let files = match (purpose, state) {
        (Purpose::Review { .. }, Some(_)) => changed_files(system, place).await?,
        _ => Vec::new(),
    };
    let by = state.map_or_else(String::new, |task| submitted_by(system, task));
    let duty = match (purpose, state) {
        (Purpose::Work { .. }, Some(task)) => Duty::Work(Work {
            task: &task.spec,
            attempt: task.attempts,
            findings: &task.findings,
            base: &place.base,
            continues: place.continues.as_ref(),
            artefacts: &artefacts,
            last_run: last_run.as_ref(),
        }),
        (Purpose::Review { .. }, Some(task)) => review(task, &by, place, &files),
        (
            Purpose::Fired {
                trigger,
                title,
                prompt,
            },
            _,
        ) => Duty::Fired {
            trigger,
            title,
            prompt,
        },
        (Purpose::Spawned { by, title, prompt }, _) => Duty::Spawned { by, title, prompt },
        _ => Duty::Standing {
            prompt: &agent.prompt,
        },
    };
    let messages = messages(system, id, task)?;
    let brief = Brief {
        messages: &messages,
        agent: &agent.name,
        tier: agent.spec.tier,
        team: &system.team().name,
        duty,
    };
    Ok(rendered(agent, &brief)? + &beside(&spec.raised))
}

fn rendered(agent: &AgentDefinition, brief: &Brief<'_>) -> Result<String, Error> {
    let template = Template::parse(&agent.brief).map_err(|mistakes| {
        let first = mistakes.first().map_or_else(String::new, ToString::to_string);
        Error::new(
            Code::InvalidConfig,
            format!("the brief's template has mistakes: {first}"),
        )
    })?;
    Ok(template.render(brief))
}

/// What it may do beside the usual. Nobody uses what they do not know of.
fn beside(raised: &[Raise]) -> String {
    if raised.is_empty() {
        return String::new();
    }
    let lines = raised.iter().map(|raise| format!("- {raise}\n"));
    let lines: String = lines.collect();
    let ends = if sandbox_until(raised).is_some() {
        "Your process ends when a permission to use the network or to read workspaces ends: commit early.\n"
    } else {
        ""
    };
    format!("\n## For a time you may do more\n\n{lines}\nAfterwards your rights are the usual ones.\n{ends}")
}

/// What waits for the agent, and for whoever works on the task.
fn messages(system: &System, agent: NodeId, task: Option<&Node>) -> Result<Vec<Said>, Error> {
    let Some(agent) = system.reader().node(agent)? else {
        return Ok(Vec::new());
    };
    let waiting = inbox::waiting_for(system.reader(), &agent, task)?;
    let said = waiting.into_iter().map(|kept| Said {
        message: kept.at.to_string(),
        from: kept.from.to_string(),
        text: kept.message.text,
    });
    Ok(said.collect())
}

fn review<'a>(task: &'a Task, by: &'a str, place: &'a Place, files: &'a [String]) -> Duty<'a> {
    let TaskStatus::InReview(review) = &task.status else {
        return Duty::Standing {
            prompt: "The submission is no longer in review: there is nothing to do.",
        };
    };
    Duty::Review(Review {
        task: &task.spec,
        by,
        submission: &review.submission.commit,
        candidate: &place.start,
        base: &place.base,
        files,
    })
}

/// The name of the agent whose work is in review.
fn submitted_by(system: &System, task: &Task) -> String {
    let by = match &task.status {
        TaskStatus::InReview(review) => system.agent(review.submission.agent),
        _ => None,
    };
    by.map_or_else(|| "an agent".to_owned(), |agent| agent.name.clone())
}

/// The run that held the task before, when it did not end well.
async fn last_run(system: &System, task: NodeId, epoch: u64) -> Result<Option<LastRun>, Error> {
    let reader = system.reader();
    let filter = EventFilter {
        node: Some(task),
        types: vec!["task_claimed".to_owned()],
        newest_first: true,
        limit: 2,
        ..EventFilter::default()
    };
    let claims = reader
        .events(&filter)?
        .into_iter()
        .filter_map(|record| match record.event {
            Event::TaskClaimed { claim } => Some(claim),
            _ => None,
        });
    let Some(before) = claims.into_iter().find(|claim| claim.epoch < epoch) else {
        return Ok(None);
    };
    let Some(run) = before.run else { return Ok(None) };
    let Some(RunStatus::Exited { receipt }) = reader.run(run)?.map(|stored| stored.run.status) else {
        return Ok(None);
    };
    if receipt.is_clean() {
        return Ok(None);
    }
    let files = system.context().paths.run(run);
    let mut output = last_words(&files.join("stdout.log")).await;
    if output.is_empty() {
        output = last_words(&files.join("stderr.log")).await;
    }
    let agent = system.agent(before.agent);
    Ok(Some(LastRun {
        agent: agent.map_or_else(|| "an agent".to_owned(), |agent| agent.name.clone()),
        ended: ended(&receipt),
        output,
        patch: receipt.workspace.and_then(|left| left.patch),
    }))
}

/// The end of a file; what cannot be read has nothing to say.
async fn last_words(path: &Path) -> String {
    let bytes = tail(path, LAST_WORDS).await;
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

async fn changed_files(system: &System, place: &Place) -> Result<Vec<String>, Error> {
    let store = &system.context().store;
    let tree = store.tree_of(&place.start).await.map_err(failed)?;
    let changes = store.changes(&place.base, &tree).await.map_err(failed)?;
    Ok(changes.iter().map(|change| change.path.to_string()).collect())
}

/// What the tasks that this one waited for have left on the base branch.
async fn artefacts(system: &System, task: &Task) -> Result<Vec<Artefact>, Error> {
    let mut artefacts = Vec::new();
    for id in &task.spec.depends_on {
        let Some(node) = system.reader().node(*id)? else {
            continue;
        };
        let Some(done) = node.task() else { continue };
        let TaskStatus::Completed { tree, commit, base } = &done.status else {
            continue;
        };
        let changes = system.context().store.changes(base, tree).await.map_err(failed)?;
        artefacts.push(Artefact {
            task: done.spec.key.clone(),
            title: done.spec.title.clone(),
            commit: commit.clone(),
            files: changes.iter().map(|change| change.path.to_string()).collect(),
        });
    }
    Ok(artefacts)
}
