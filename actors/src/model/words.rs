//! The names of the small world that is explored, and how they are printed.

use std::fmt;

use worknode_core::task::ReleaseCause;

/// Tasks in the world.
pub(crate) const TASKS: usize = 2;
/// Agents in the world: two that work and one that reviews, and whom the trigger starts.
pub(crate) const AGENTS: usize = 3;
/// The agent that reviews.
pub(crate) const REVIEWER: u8 = 2;
/// Occurrences of triggers: one whose deed is an event, and one that starts a run.
pub(crate) const OCCURRENCES: usize = 2;
/// The occurrence whose deed is an event.
pub(crate) const NOTIFIES: u8 = 0;

const TASK_NAMES: [&str; TASKS] = ["one", "two"];
const AGENT_NAMES: [&str; AGENTS] = ["ann", "ben", "rex"];

/// The name of a task.
pub(crate) fn task_name(task: u8) -> &'static str {
    TASK_NAMES.get(usize::from(task)).copied().unwrap_or("?")
}

/// The name of an agent.
pub(crate) fn agent_name(agent: u8) -> &'static str {
    AGENT_NAMES.get(usize::from(agent)).copied().unwrap_or("?")
}

/// All tasks.
pub(crate) fn tasks() -> impl Iterator<Item = u8> {
    (0..).take(TASKS)
}

/// All agents.
pub(crate) fn agents() -> impl Iterator<Item = u8> {
    (0..).take(AGENTS)
}

/// A run, named by what it is for, so that two histories that differ only in the order of their
/// starts are one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Run {
    /// On a task, under the claim of this epoch.
    Work { task: u8, epoch: u8 },
    /// The so manieth review of a task.
    Review { task: u8, nth: u8 },
    /// Of an occurrence. Shipped, there is one try: the identity follows from the occurrence.
    Fired { which: u8, attempt: u8 },
}

impl Run {
    /// The claim under which it works.
    pub(crate) const fn claim(self) -> Option<(u8, u8)> {
        match self {
            Self::Work { task, epoch } => Some((task, epoch)),
            Self::Review { .. } | Self::Fired { .. } => None,
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Work { task, epoch } => write!(f, "the run on `{}` at epoch {epoch}", task_name(task)),
            Self::Review { task, nth } => write!(f, "review {} of `{}`", nth + 1, task_name(task)),
            Self::Fired { which, attempt: 0 } => write!(f, "the run of firing {which}"),
            Self::Fired { which, attempt } => write!(f, "run {} of firing {which}", attempt + 1),
        }
    }
}

/// A submission put on top of the base branch: what is judged, and what lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Land {
    /// Whose submission.
    pub(crate) task: u8,
    /// Which submission.
    pub(crate) epoch: u8,
    /// On which tip: the number of commits that the base branch had.
    pub(crate) base: u8,
}

impl fmt::Display for Land {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "submission {} of `{}` on base {}",
            self.epoch,
            task_name(self.task),
            self.base
        )
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum End {
    /// By itself, and well.
    Well,
    /// By itself, and not well.
    Badly,
    /// By the runtime's hand.
    Stopped,
    /// By its shim, because nobody watched over it any more.
    Orphaned,
    /// It never began.
    NotStarted,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    /// The runtime itself.
    Runtime,
    /// A person.
    Operator,
    /// An agent, with the capability of one of its runs.
    Agent(u8, Run),
}

/// What is asked of a task. The commits and runs follow from the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TaskWord {
    MarkReady,
    Claim { agent: u8 },
    Start { epoch: u8 },
    Renew { epoch: u8 },
    Progress { epoch: u8 },
    Submit { epoch: u8 },
    Release { epoch: u8, cause: Cause },
    Block { epoch: u8 },
    Verdict { land: Land, passed: bool },
    RequestReview { land: Land },
    Approve { epoch: u8 },
    Reject { epoch: u8 },
    BeginLanding { land: Land },
    AbandonLanding,
    Complete { land: Land },
    Cancel,
    Retry,
}

/// [`ReleaseCause`] as a number, since that one has no order and no hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cause(u8);

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ReleaseCause::from(*self).fmt(f)
    }
}

const CAUSES: [ReleaseCause; 8] = [
    ReleaseCause::GivenBack,
    ReleaseCause::Crashed,
    ReleaseCause::NothingSubmitted,
    ReleaseCause::Limit,
    ReleaseCause::Stopped,
    ReleaseCause::Lapsed,
    ReleaseCause::NotStarted,
    ReleaseCause::Provider,
];

impl From<ReleaseCause> for Cause {
    fn from(cause: ReleaseCause) -> Self {
        let at = (0..).zip(CAUSES).find(|(_, known)| *known == cause);
        Self(at.map_or(0, |(at, _)| at))
    }
}

impl From<Cause> for ReleaseCause {
    fn from(Cause(at): Cause) -> Self {
        CAUSES.get(usize::from(at)).copied().unwrap_or(Self::GivenBack)
    }
}

/// What is asked of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AgentWord {
    Start { run: Run },
    Started { run: Run },
    Stop,
    Exited { run: Run, end: End },
    BackoffOver,
    Kill,
}

/// A message of an agent that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Said {
    /// Who says it.
    pub(crate) agent: u8,
    /// In which run.
    pub(crate) run: Run,
    /// About which task.
    pub(crate) task: u8,
    /// What.
    pub(crate) word: TaskWord,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = task_name(self.task);
        write!(f, "{}'s ", agent_name(self.agent))?;
        match self.word {
            TaskWord::Submit { epoch } => write!(f, "submission of `{task}` at epoch {epoch}"),
            TaskWord::Release { epoch, .. } => write!(f, "return of `{task}` at epoch {epoch}"),
            TaskWord::Block { epoch } => write!(f, "call for help with `{task}` at epoch {epoch}"),
            TaskWord::Approve { epoch } => write!(f, "approval of submission {epoch} of `{task}`"),
            TaskWord::Reject { epoch } => write!(f, "rejection of submission {epoch} of `{task}`"),
            other => write!(f, "{other:?} about `{task}`"),
        }
    }
}
