//! Everything that can happen next, and how it is told.

use std::fmt;

use super::{
    state::{Fire, Job, Keep, KeepAt, Policy},
    words::{End, Run, Said, TASKS, TaskWord, agent_name, task_name},
};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The daemon is killed.
    Crash,
    /// The next one begins.
    Boot,
    /// It takes over, or closes, the run of the next agent.
    Adopt(usize),
    /// All leases run out.
    Lapse,
    /// Somebody pushes to the base branch.
    Push,
    /// What happens to a Worknode does not reach the team for now.
    HoldNews(u8),
    /// It does now.
    TellNews(u8),
    /// A process does something.
    Process(u8, Run, Deed),
    /// A message is lost.
    Lose(Said),
    /// A message arrives.
    Deliver(Said),
    /// A message arrives, and will arrive again.
    DeliverTwice(Said),
    /// The team's step goes on.
    Team(Job),
    /// The keeper's job of a run goes on.
    Keep(Keep, Hand),
    /// The policy actor's job of a task goes on.
    Policy(u8, Policy, Verdict),
    /// The scheduler goes on with an occurrence.
    Fire(u8, Fire),
    /// A person asks something.
    Operator(Wish),
    /// Another agent claims what is held.
    Contend(u8, u8),
    /// Whoever held a task before writes once more.
    OldWord(u8),
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Submit,
    GiveBack,
    Approve,
    Reject,
    End(End),
}

/// What the keeper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Next,
    Stop,
    Reap,
    Renew,
}

/// What a gate says, where one is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Well,
    Badly,
}

/// What a person asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Cancel(u8),
    Retry(u8),
    Kill(u8),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Crash => write!(f, "the daemon is killed"),
            Self::Boot => write!(f, "the next daemon begins"),
            Self::Adopt(agent) => {
                let agent = u8::try_from(agent).unwrap_or(u8::MAX);
                write!(f, "it takes charge of what {} was doing", agent_name(agent))
            }
            Self::Lapse => write!(f, "all leases run out"),
            Self::Push => write!(f, "somebody pushes to the base branch"),
            Self::HoldNews(news) => write!(f, "the team does not hear of {} for now", news_name(news)),
            Self::TellNews(news) => write!(f, "the team hears of {}", news_name(news)),
            Self::Process(agent, run, deed) => tell_deed(f, agent, run, deed),
            Self::Lose(said) => write!(f, "{said} is lost"),
            Self::Deliver(said) => write!(f, "{said} arrives"),
            Self::DeliverTwice(said) => write!(f, "{said} arrives, and will once more"),
            Self::Team(job) => tell_job(f, job),
            Self::Keep(keep, hand) => tell_keep(f, keep, hand),
            Self::Policy(task, policy, verdict) => tell_policy(f, task, policy, verdict),
            Self::Fire(which, Fire::Due) => write!(f, "firing {which} is due"),
            Self::Fire(which, Fire::Start) => write!(f, "the run of firing {which} is decided"),
            Self::Fire(which, _) => write!(f, "what came of firing {which} is stored"),
            Self::Operator(Wish::Cancel(task)) => write!(f, "the operator cancels `{}`", task_name(task)),
            Self::Operator(Wish::Retry(task)) => {
                write!(f, "the operator wants `{}` tried again", task_name(task))
            }
            Self::Operator(Wish::Kill(agent)) => write!(f, "the operator kills {}", agent_name(agent)),
            Self::Contend(task, agent) => {
                write!(
                    f,
                    "{} claims `{}`, which is held",
                    agent_name(agent),
                    task_name(task)
                )
            }
            Self::OldWord(task) => write!(f, "an earlier holder of `{}` writes", task_name(task)),
        }
    }
}

fn news_name(news: u8) -> &'static str {
    let tasks = u8::try_from(TASKS).unwrap_or(u8::MAX);
    if news < tasks {
        task_name(news)
    } else {
        agent_name(news - tasks)
    }
}

fn tell_deed(f: &mut fmt::Formatter<'_>, agent: u8, run: Run, deed: Deed) -> fmt::Result {
    let agent = agent_name(agent);
    match deed {
        Deed::Submit => write!(f, "{agent} hands in, in {run}"),
        Deed::GiveBack => write!(f, "{agent} gives back, in {run}"),
        Deed::Approve => write!(f, "{agent} approves, in {run}"),
        Deed::Reject => write!(f, "{agent} rejects, in {run}"),
        Deed::End(End::Well) => write!(f, "the process of {run} ends well"),
        Deed::End(End::Orphaned) => write!(f, "the shim of {run} stops its process: nobody watches"),
        Deed::End(_) => write!(f, "the process of {run} ends badly"),
    }
}

fn tell_job(f: &mut fmt::Formatter<'_>, job: Job) -> fmt::Result {
    match job {
        Job::MarkReady { task } => write!(f, "the team marks `{}` ready", task_name(task)),
        Job::Claim { task, agent } => {
            write!(
                f,
                "the team claims `{}` for {}",
                task_name(task),
                agent_name(agent)
            )
        }
        Job::Begin { agent, task, epoch } => write!(
            f,
            "the team starts {} on `{}` at epoch {epoch}",
            agent_name(agent),
            task_name(task)
        ),
        Job::Unclaim { task, .. } => write!(f, "the team takes `{}` back: nothing started", task_name(task)),
        Job::Review { task, agent } => {
            write!(
                f,
                "the team lets {} review `{}`",
                agent_name(agent),
                task_name(task)
            )
        }
        Job::Wake { agent } => write!(f, "the backoff of {} is over", agent_name(agent)),
        Job::Settle { task } => write!(
            f,
            "the team looks what became of the run on `{}`",
            task_name(task)
        ),
        Job::Settled {
            task,
            word: TaskWord::Release { epoch, cause },
        } => write!(
            f,
            "the team takes `{}` back at epoch {epoch}: {cause:?}",
            task_name(task)
        ),
        Job::Settled { task, .. } => {
            write!(f, "the team hands in what the run on `{}` left", task_name(task))
        }
        Job::StopRun { agent } => write!(f, "the team stops the run of {}", agent_name(agent)),
    }
}

fn tell_keep(f: &mut fmt::Formatter<'_>, keep: Keep, hand: Hand) -> fmt::Result {
    let run = keep.run;
    match (hand, keep.at) {
        (Hand::Next, KeepAt::Permit) if keep.stop => write!(f, "{run} does not start: it was stopped"),
        (Hand::Next, KeepAt::Permit) => write!(f, "the process of {run} starts"),
        (Hand::Next, KeepAt::Forked) => write!(f, "it is stored that {run} has its process"),
        (Hand::Next, _) => write!(f, "the task hears that {run} began"),
        (Hand::Stop, _) => write!(f, "the keeper stops the process of {run}"),
        (Hand::Reap, _) => write!(f, "the end of {run} is stored"),
        (Hand::Renew, _) => write!(f, "the lease of {run} is renewed"),
    }
}

fn tell_policy(f: &mut fmt::Formatter<'_>, task: u8, policy: Policy, verdict: Verdict) -> fmt::Result {
    match (policy, verdict) {
        (Policy::Gate(land), Verdict::Well) => write!(f, "the gate passes {land}"),
        (Policy::Gate(land), Verdict::Badly) => write!(f, "the gate fails {land}"),
        (Policy::Reject(epoch), _) => write!(f, "submission {epoch} of `{}` is rejected", task_name(task)),
        (Policy::Ask(land), _) => write!(f, "a reviewer is wanted for {land}"),
        (Policy::Land(land), _) => write!(f, "{land} gets its permit to land"),
        (Policy::Permit(land), _) => write!(f, "the base branch is moved to {land}"),
        (Policy::Moved(land), _) => write!(f, "it is stored that {land} landed"),
        (Policy::Missed, _) => write!(f, "it is stored that `{}` did not land", task_name(task)),
        (Policy::Settle(land, true), _) => write!(f, "{land} is found on the base branch"),
        (Policy::Settle(land, false), _) => write!(f, "{land} is not found on the base branch"),
        (Policy::Rest | Policy::Wait(_) | Policy::Look(_), _) => {
            write!(f, "the policy actor looks at `{}`", task_name(task))
        }
    }
}
