//! What an agent is told at the start of a run.

use worknode_core::{
    error::{Code, Error},
    node::Node,
    run::Purpose,
    task::{Task, TaskStatus},
};
use worknode_profiles::{
    Brief, Template,
    brief::{Artefact, Duty, Review, Work},
};

use super::clone::Place;
use crate::{definition::AgentDefinition, outside::failed, system::System};

/// The brief of one run, as Markdown.
pub(super) async fn render(
    system: &System,
    agent: &AgentDefinition,
    purpose: &Purpose,
    task: Option<&Node>,
    place: &Place,
) -> Result<String, Error> {
    let state = task.and_then(Node::task);
    let artefacts = match (purpose, state) {
        (Purpose::Work { .. }, Some(task)) => artefacts(system, task).await?,
        _ => Vec::new(),
    };
    let files = match (purpose, state) {
        (Purpose::Review { .. }, Some(_)) => changed_files(system, place).await?,
        _ => Vec::new(),
    };
    let duty = match (purpose, state) {
        (Purpose::Work { .. }, Some(task)) => Duty::Work(Work {
            task: &task.spec,
            attempt: task.attempts,
            findings: &task.findings,
            base: &place.base,
            continues: place.continues.as_ref(),
            artefacts: &artefacts,
        }),
        (Purpose::Review { .. }, Some(task)) => review(system, task, place, &files),
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
        _ => Duty::Standing {
            prompt: &agent.prompt,
        },
    };
    let brief = Brief {
        agent: &agent.name,
        tier: agent.spec.tier,
        team: &system.team().name,
        duty,
    };
    let template = Template::parse(&agent.brief).map_err(|mistakes| {
        let first = mistakes.first().map_or_else(String::new, ToString::to_string);
        Error::new(
            Code::InvalidConfig,
            format!("the brief's template has mistakes: {first}"),
        )
    })?;
    Ok(template.render(&brief))
}

fn review<'a>(system: &'a System, task: &'a Task, place: &'a Place, files: &'a [String]) -> Duty<'a> {
    let TaskStatus::InReview(review) = &task.status else {
        return Duty::Standing {
            prompt: "The submission is no longer in review: there is nothing to do.",
        };
    };
    Duty::Review(Review {
        task: &task.spec,
        by: system
            .team()
            .agent(review.submission.agent)
            .map_or("an agent", |agent| &agent.name),
        submission: &review.submission.commit,
        candidate: &place.start,
        base: &place.base,
        files,
    })
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
