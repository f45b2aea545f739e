//! What an agent is told at the start of a run: Markdown from a template.
//!
//! A template is text with placeholders such as `{{prompt}}`. [`Field`] lists them. What a
//! placeholder stands for is never looked at again, so a prompt may contain braces. Some fields
//! are sections with a heading of their own and stand for nothing where they do not apply; a
//! line that holds nothing but such a placeholder disappears, with the empty line after it.

use worknode_core::{agent::Tier, git::CommitId, task::TaskSpec, verdict::Finding};

mod markdown;
mod sections;
mod template;
#[cfg(test)]
mod tests;

pub use template::{Field, Template, TemplateError};

/// The template that ships.
pub const DEFAULT_TEMPLATE: &str = include_str!("../briefs/default.md");

/// Most files that one list of a brief shows; the rest is counted.
pub const LISTED: usize = 200;

/// What a brief is made of.
#[derive(Clone, Debug)]
pub struct Brief<'a> {
    /// The agent's name.
    pub agent: &'a str,
    /// What it may do at all.
    pub tier: Tier,
    /// Its team.
    pub team: &'a str,
    /// What this run is for.
    pub duty: Duty<'a>,
    /// What was said to it, or to whoever works on its task, and waits to be acknowledged.
    pub messages: &'a [Said],
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its name, by which it is acknowledged.
    pub message: String,
    /// Who said it.
    pub from: String,
    /// What.
    pub text: String,
}

/// What a run is for.
#[derive(Clone, Debug)]
pub enum Duty<'a> {
    /// Work on a task.
    Work(Work<'a>),
    /// Look at a submission.
    Review(Review<'a>),
    /// The agent's standing duty.
    Standing {
        /// What to do.
        prompt: &'a str,
    },
    /// What a trigger asked for.
    Fired {
        /// Which trigger.
        trigger: &'a str,
        /// One line for people.
        title: &'a str,
        /// What to do.
        prompt: &'a str,
    },
    /// What whoever spawned the agent asked for.
    Spawned {
        /// Who.
        by: &'a str,
        /// One line for people.
        title: &'a str,
        /// What to do.
        prompt: &'a str,
    },
}

/// An attempt at a task.
#[derive(Clone, Debug)]
pub struct Work<'a> {
    /// The task.
    pub task: &'a TaskSpec,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What was objected to the last submission.
    pub findings: &'a [Finding],
    /// The tip of the base branch under the workspace.
    pub base: &'a CommitId,
    /// The rejected submission that the workspace goes on from.
    pub continues: Option<&'a CommitId>,
    /// What the tasks that this one waited for have left.
    pub artefacts: &'a [Artefact],
    /// How the run before this one ended, when it did not end well.
    pub last_run: Option<&'a LastRun>,
}

/// A run that did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// Whose it was.
    pub agent: String,
    /// How it ended, in words.
    pub ended: String,
    /// The last of what it wrote.
    pub output: String,
    /// Where its uncommitted changes are kept.
    pub patch: Option<String>,
}

/// What a completed task has left on the base branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    /// The task's name in the plan.
    pub task: String,
    /// Its title.
    pub title: String,
    /// The commit on the base branch.
    pub commit: CommitId,
    /// The files that it changed.
    pub files: Vec<String>,
}

/// A look at a submission.
#[derive(Clone, Debug)]
pub struct Review<'a> {
    /// The task.
    pub task: &'a TaskSpec,
    /// Who handed it in.
    pub by: &'a str,
    /// The commit that was handed in.
    pub submission: &'a CommitId,
    /// The same work on top of the base branch: what would land.
    pub candidate: &'a CommitId,
    /// The tip of the base branch under the candidate.
    pub base: &'a CommitId,
    /// The files that differ.
    pub files: &'a [String],
}

impl Brief<'_> {
    /// The brief from the template that ships.
    #[must_use]
    pub fn render(&self) -> String {
        // The shipped template is read by a test; should it be broken, it is shown as it is.
        Template::parse(DEFAULT_TEMPLATE).map_or_else(|_| DEFAULT_TEMPLATE.to_owned(), |t| t.render(self))
    }
}
