//! One state of the explored world: what survives a crash, what does not, and what is counted.
//!
//! States of tasks and agents are kept as numbers of entries in the [`Book`](super::book::Book):
//! equal states have equal numbers, so that comparing and hashing them costs nothing.

use super::words::{AGENTS, End, Land, OCCURRENCES, Run, Said, TASKS, TaskWord};

/// The number of an entry of the book.
pub(crate) type Ref = u32;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// What the journal holds.
    pub(crate) stored: Stored,
    /// What is outside the daemon, and goes on without it.
    pub(crate) world: World,
    /// What only the living daemon knows.
    pub(crate) daemon: Option<Daemon>,
    /// What may still go wrong.
    pub(crate) left: Chances,
    /// What the promises are judged by.
    pub(crate) seen: Seen,
}

/// What the journal holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) tasks: [Ref; TASKS],
    pub(crate) agents: [Ref; AGENTS],
    /// Runs that are over and may still matter, each with the number of its last state; sorted.
    pub(crate) over: Vec<(Run, Ref)>,
    /// Reviews that were ever begun of each task.
    pub(crate) reviews: [u8; TASKS],
    pub(crate) firings: [Fired; OCCURRENCES],
    /// Runs of occurrences that were ever queued.
    pub(crate) fired_runs: Marks,
}

/// What the journal holds of an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fired {
    Not,
    Open,
    Settled,
}

/// What is outside the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Processes, and those that ended and nobody has asked about yet; sorted.
    pub(crate) processes: Vec<Process>,
    /// The base branch, from old to new.
    pub(crate) base: Vec<Tip>,
    /// Messages on their way; sorted.
    pub(crate) said: Vec<Said>,
    /// How often all leases ran out.
    pub(crate) now: u8,
}

/// A process of a run, under its shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process {
    pub(crate) run: Run,
    pub(crate) agent: u8,
    /// The submission that a reviewer was shown.
    pub(crate) shown: u8,
    pub(crate) life: Life,
}

/// How far a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Life {
    /// It works.
    Works,
    /// It has said what it had to say.
    Done,
    /// It is gone; its shim keeps how.
    Over(End),
}

impl Process {
    /// Is it there?
    pub(crate) const fn lives(&self) -> bool {
        matches!(self.life, Life::Works | Life::Done)
    }
}

/// A commit of the base branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tip {
    /// The runtime landed it.
    Landed(Land),
    /// Somebody pushed it.
    ByHand,
}

/// What only the living daemon knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Daemon {
    /// How many agents' runs have been taken over. At [`AGENTS`] it is open for work.
    pub(crate) adopted: usize,
    /// The team's view.
    pub(crate) view: View,
    /// What the team is doing; sorted.
    pub(crate) jobs: Vec<Job>,
    /// The keeper's live runs; sorted.
    pub(crate) keeps: Vec<Keep>,
    /// What the policy actor does about each task.
    pub(crate) policy: [Policy; TASKS],
    /// What the scheduler does about each occurrence.
    pub(crate) fires: [Fire; OCCURRENCES],
}

/// What the team believes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) tasks: [Ref; TASKS],
    pub(crate) agents: [Ref; AGENTS],
    /// The one Worknode whose news is held up: tasks first, then agents.
    pub(crate) late: Option<u8>,
    /// Of which submission how many reviews ended without a word.
    pub(crate) silent: [(u8, u8); TASKS],
}

/// A step of the team that is under way, at the point up to which it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Job {
    MarkReady { task: u8 },
    Claim { task: u8, agent: u8 },
    Begin { task: u8, agent: u8, epoch: u8 },
    Unclaim { task: u8, agent: u8, epoch: u8 },
    Review { task: u8, agent: u8 },
    Wake { agent: u8 },
    Settle { task: u8 },
    Settled { task: u8, word: TaskWord },
    StopRun { agent: u8 },
}

impl Job {
    /// The Worknodes about which nothing else is decided meanwhile.
    pub(crate) const fn touches(self) -> (Option<u8>, Option<u8>) {
        match self {
            Self::MarkReady { task } | Self::Settle { task } | Self::Settled { task, .. } => {
                (Some(task), None)
            }
            Self::Claim { task, agent }
            | Self::Begin { task, agent, .. }
            | Self::Unclaim { task, agent, .. }
            | Self::Review { task, agent } => (Some(task), Some(agent)),
            Self::Wake { agent } | Self::StopRun { agent } => (None, Some(agent)),
        }
    }
}

/// A live run in the keeper's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Keep {
    pub(crate) run: Run,
    pub(crate) agent: u8,
    pub(crate) at: KeepAt,
    /// It is to end.
    pub(crate) stop: bool,
}

/// How far the job of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeepAt {
    /// The permit is in hand.
    Permit,
    /// The process is there, and nobody has been told.
    Forked,
    /// Its agent has been told, `before` by an earlier daemon, and its task has not.
    Told { before: bool },
    /// All know.
    Watch,
}

/// How far the job of a submission is. Between these points it reads, and so sees at once what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Policy {
    /// There is none.
    Rest,
    /// It waits for somebody, having seen this state of the task.
    Wait(Ref),
    /// About to look.
    Look(Option<u8>),
    /// A gate runs.
    Gate(Land),
    /// About to reject this submission.
    Reject(u8),
    /// About to ask for a reviewer.
    Ask(Land),
    /// All agree; waits for its turn.
    Land(Land),
    /// Holds the permit.
    Permit(Land),
    /// The branch was moved.
    Moved(Land),
    /// The branch could not be moved.
    Missed,
    /// About to say what became of a landing of an earlier daemon.
    Settle(Land, bool),
}

impl Policy {
    /// Does it hold the lock of all landings?
    pub(crate) const fn lands(self) -> bool {
        matches!(self, Self::Permit(_) | Self::Moved(_) | Self::Missed)
    }
}

/// What the scheduler does about an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fire {
    /// It has not been looked at.
    Due,
    /// Its run is to be started.
    Start,
    /// What came of it is to be stored.
    Outcome,
    /// Nothing is left to do.
    Idle,
}

/// How often each thing may still go wrong, or be asked. What is zero does not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Chances {
    /// The daemon is killed.
    pub(crate) crashes: u8,
    /// An agent ends badly.
    pub(crate) bad_ends: u8,
    /// A message is lost.
    pub(crate) losses: u8,
    /// A message arrives twice.
    pub(crate) doubles: u8,
    /// The team's news is held up.
    pub(crate) late_news: u8,
    /// All leases run out.
    pub(crate) lapses: u8,
    /// Somebody moves the base branch.
    pub(crate) pushes: u8,
    /// A gate fails.
    pub(crate) failures: u8,
    /// A reviewer rejects.
    pub(crate) rejections: u8,
    /// A reviewer ends without a word.
    pub(crate) silences: u8,
    /// An agent gives its task back.
    pub(crate) returns: u8,
    /// The operator cancels a task.
    pub(crate) cancels: u8,
    /// The operator wants a task tried again.
    pub(crate) retries: u8,
    /// The operator kills an agent.
    pub(crate) kills: u8,
    /// Which occurrences of triggers fall due.
    pub(crate) firings: [bool; OCCURRENCES],
}

impl Chances {
    /// Can nothing go wrong any more?
    pub(crate) fn are_gone(self) -> bool {
        Self {
            firings: [false; OCCURRENCES],
            ..self
        } == Self::default()
    }
}

/// What has happened so far, as somebody outside would have noted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// The claim that each task's holder has, 0 for none; from the events alone.
    pub(crate) held: [u8; TASKS],
    /// The highest epoch of each task yet.
    pub(crate) top: [u8; TASKS],
    /// Claims that their holders ended themselves.
    pub(crate) given_up: Marks,
    /// Candidates that their gates really passed.
    pub(crate) passed: Marks,
    /// Submissions that somebody who may really approved.
    pub(crate) approved: Marks,
    /// Runs whose process was started.
    pub(crate) started: Marks,
    /// How often each occurrence has acted.
    pub(crate) acted: [u8; OCCURRENCES],
    /// The promise that was broken first.
    pub(crate) broken: Option<Broken>,
}

/// A set of small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Marks(u64);

impl Marks {
    /// Puts a number in; false when it was there. What is out of range counts as there.
    pub(crate) fn put(&mut self, number: u32) -> bool {
        let bit = 1_u64.checked_shl(number).unwrap_or(0);
        let new = bit != 0 && self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    /// Is the number there?
    pub(crate) fn has(self, number: u32) -> bool {
        1_u64.checked_shl(number).is_some_and(|bit| self.0 & bit != 0)
    }
}

/// The number of a claim, or of the submission under it.
pub(crate) fn claim_number(task: u8, epoch: u8) -> u32 {
    u32::from(task) * 8 + u32::from(epoch)
}

/// The number of a candidate.
pub(crate) fn land_number(land: Land) -> u32 {
    (u32::from(land.task) * 5 + u32::from(land.epoch)) * 6 + u32::from(land.base)
}

/// The number of a run.
pub(crate) fn run_number(run: Run) -> u32 {
    match run {
        Run::Work { task, epoch } => claim_number(task, epoch),
        Run::Review { task, nth } => 16 + claim_number(task, nth),
        Run::Fired { which, attempt } => 32 + claim_number(which, attempt),
    }
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// P1 one holder.
    P1,
    /// P2 stop before hand-over.
    P2,
    /// P3 no unapproved completion.
    P3,
    /// P6 nothing doubled.
    P6,
}
