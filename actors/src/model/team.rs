//! The team's steps, at the points between which the daemon may die. Their order is that of
//! `team/perform.rs`; which are taken, the shipped rule says.

use worknode_core::{run::RunStatus, task::ReleaseCause};

use super::{
    sight::Stands,
    state::Job,
    turn::Turn,
    words::{AgentWord, Run, TaskWord, Who},
};
use crate::team::settlement::Settlement;

/// A step goes on. What is refused is left: it shows in the view, and is decided again.
pub(super) fn act(turn: &mut Turn<'_>, job: Job) {
    let next = advance(turn, job);
    let Some(daemon) = &mut turn.state.daemon else {
        return;
    };
    if let Some(at) = daemon.jobs.iter().position(|known| *known == job) {
        daemon.jobs.remove(at);
    }
    match next {
        Some(next) => daemon.jobs.push(next),
        None => turn.job_done(job),
    }
}

fn advance(turn: &mut Turn<'_>, job: Job) -> Option<Job> {
    let ask = |turn: &mut Turn<'_>, task, word| turn.ask_task(task, word, Who::Runtime);
    match job {
        Job::MarkReady { task } => {
            let _ = ask(turn, task, TaskWord::MarkReady);
            None
        }
        Job::Claim { task, agent } => {
            ask(turn, task, TaskWord::Claim { agent }).ok()?;
            let epoch = turn.book.task(turn.state.stored.tasks[usize::from(task)]).epoch;
            Some(Job::Begin { task, agent, epoch })
        }
        Job::Begin { task, agent, epoch } => {
            let run = Run::Work { task, epoch };
            let began = turn.ask_agent(agent, AgentWord::Start { run });
            began.is_err().then_some(Job::Unclaim { task, agent, epoch })
        }
        Job::Unclaim { task, epoch, .. } => {
            let cause = ReleaseCause::NotStarted.into();
            let _ = ask(turn, task, TaskWord::Release { epoch, cause });
            None
        }
        Job::Review { task, agent } => {
            let nth = turn.state.stored.reviews[usize::from(task)];
            let _ = turn.ask_agent(
                agent,
                AgentWord::Start {
                    run: Run::Review { task, nth },
                },
            );
            None
        }
        Job::Wake { agent } => {
            let _ = turn.ask_agent(agent, AgentWord::BackoffOver);
            None
        }
        Job::Settle { task } => settle(turn, task).map(|word| Job::Settled { task, word }),
        Job::Settled { task, word } => {
            let _ = ask(turn, task, word);
            None
        }
        Job::StopRun { agent } => {
            let _ = turn.ask_agent(agent, AgentWord::Stop);
            None
        }
    }
}

/// What the store says became of the claim's run. Who ended well has left a commit.
fn settle(turn: &Turn<'_>, task: u8) -> Option<TaskWord> {
    let seen = turn.book.task(turn.state.stored.tasks[usize::from(task)]);
    let Stands::Held { run, .. } = seen.stands else {
        return None;
    };
    let epoch = seen.epoch;
    let settlement = if turn.is_live(run) {
        // Which of its live states it is in makes no difference.
        (turn.book.rules.settlement)(Some(&RunStatus::Starting))
    } else {
        turn.book.settle(turn.end_of(run))
    };
    match settlement {
        Settlement::Keep => None,
        Settlement::HandIn => Some(TaskWord::Submit { epoch }),
        Settlement::Release(cause, _) => Some(TaskWord::Release {
            epoch,
            cause: cause.into(),
        }),
    }
}
