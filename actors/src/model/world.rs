//! What is outside the daemon: processes, messages, people, the base branch, the clock.

use worknode_core::task::ReleaseCause;

use super::{
    action::{Action, Deed, Wish},
    book::Book,
    sight::Stands,
    state::{Life, Process, State, Tip},
    turn::{Turn, news_of_agent},
    words::{AgentWord, Cause, End, Run, Said, TaskWord, Who, agents, tasks},
};

/// What may happen out there.
pub(super) fn actions(book: &Book, state: &State, actions: &mut Vec<Action>) {
    for process in state.world.processes.iter().filter(|process| process.lives()) {
        let deeds = deeds(state, process);
        actions.extend(
            deeds
                .into_iter()
                .map(|deed| Action::Process(process.agent, process.run, deed)),
        );
    }
    let open = state.daemon.as_ref().is_some_and(super::state::Daemon::is_open);
    for said in &state.world.said {
        if open {
            actions.push(Action::Deliver(*said));
            actions.extend((state.left.doubles > 0).then_some(Action::DeliverTwice(*said)));
        }
        actions.extend((state.left.losses > 0).then_some(Action::Lose(*said)));
    }
    actions.extend((state.left.lapses > 0).then_some(Action::Lapse));
    actions.extend((state.left.pushes > 0).then_some(Action::Push));
    if open {
        people(book, state, actions);
        probes(book, state, actions);
    }
}

fn deeds(state: &State, process: &Process) -> Vec<Deed> {
    let left = &state.left;
    let mut deeds = Vec::new();
    let working = process.life == Life::Works;
    match process.run {
        Run::Work { .. } if working => {
            deeds.push(Deed::Submit);
            deeds.extend((left.returns > 0).then_some(Deed::GiveBack));
        }
        Run::Review { .. } if working => {
            deeds.push(Deed::Approve);
            deeds.extend((left.rejections > 0).then_some(Deed::Reject));
        }
        _ => {}
    }
    // A reviewer that ends while it works has said nothing.
    let silent = working && matches!(process.run, Run::Review { .. });
    if !silent || left.silences > 0 {
        deeds.push(Deed::End(End::Well));
    }
    deeds.extend((left.bad_ends > 0).then_some(Deed::End(End::Badly)));
    deeds.extend(state.daemon.is_none().then_some(Deed::End(End::Orphaned)));
    deeds
}

fn people(book: &Book, state: &State, actions: &mut Vec<Action>) {
    for task in tasks() {
        let over = match book.task(state.stored.tasks[usize::from(task)]).stands {
            Stands::Completed(_) => continue,
            Stands::Over => true,
            Stands::Open | Stands::Held { .. } | Stands::Review { .. } => false,
        };
        if over && state.left.retries > 0 {
            actions.push(Action::Operator(Wish::Retry(task)));
        }
        if !over && state.left.cancels > 0 {
            actions.push(Action::Operator(Wish::Cancel(task)));
        }
    }
    if state.left.kills > 0 {
        let free = |agent: &u8| !book.agent(state.stored.agents[usize::from(*agent)]).out;
        actions.extend(
            agents()
                .filter(free)
                .map(|agent| Action::Operator(Wish::Kill(agent))),
        );
    }
}

/// What must never come to anything. Refused, it leaves the state as it was, and costs none.
fn probes(book: &Book, state: &State, actions: &mut Vec<Action>) {
    for task in tasks() {
        let seen = book.task(state.stored.tasks[usize::from(task)]);
        if let Stands::Held { agent: holder, .. } = seen.stands {
            let other = agents().find(|agent| *agent != holder);
            actions.extend(other.map(|agent| Action::Contend(task, agent)));
        }
        actions.extend((seen.epoch > 1).then_some(Action::OldWord(task)));
    }
}

/// Leaves of what the daemon could do next the first thing, or else the first message, or else what
/// the first process could do. What must never come to anything is tried all the same.
pub(super) fn one_after_the_other(actions: &mut Vec<Action>) {
    let own = |action: &Action| {
        matches!(
            action,
            Action::Team(_) | Action::Keep(..) | Action::Policy(..) | Action::Fire(..)
        )
    };
    let probe = |action: &Action| matches!(action, Action::Contend(..) | Action::OldWord(_));
    let message = |action: &Action| matches!(action, Action::Deliver(_));
    let first = actions.iter().find(|action| own(action)).copied();
    let first = first.or_else(|| actions.iter().find(|action| message(action)).copied());
    let process = actions.iter().find_map(|action| match action {
        Action::Process(_, run, _) => Some(*run),
        _ => None,
    });
    actions.retain(|action| match first {
        Some(first) => *action == first || probe(action),
        None => probe(action) || matches!(action, Action::Process(_, run, _) if Some(*run) == process),
    });
}

/// A process does something.
pub(super) fn process(turn: &mut Turn<'_>, run: Run, deed: Deed) {
    let processes = &mut turn.state.world.processes;
    let Some(process) = processes.iter_mut().find(|process| process.run == run) else {
        return;
    };
    let (agent, shown) = (process.agent, process.shown);
    if let Deed::End(end) = deed {
        let silent = process.life == Life::Works && matches!(run, Run::Review { .. });
        process.life = Life::Over(end);
        let left = &mut turn.state.left;
        left.silences -= u8::from(silent && end == End::Well);
        left.bad_ends -= u8::from(end == End::Badly);
        return;
    }
    process.life = Life::Done;
    let left = &mut turn.state.left;
    let (task, word) = match (run, deed) {
        (Run::Work { task, epoch }, Deed::Submit) => (task, TaskWord::Submit { epoch }),
        (Run::Work { task, epoch }, Deed::GiveBack) => {
            left.returns -= 1;
            let cause = Cause::from(ReleaseCause::GivenBack);
            (task, TaskWord::Release { epoch, cause })
        }
        (Run::Review { task, .. }, Deed::Approve) => (task, TaskWord::Approve { epoch: shown }),
        (Run::Review { task, .. }, Deed::Reject) => {
            left.rejections -= 1;
            (task, TaskWord::Reject { epoch: shown })
        }
        _ => return,
    };
    turn.state.world.said.push(Said {
        agent,
        run,
        task,
        word,
    });
}

/// A message arrives. Refused or not, its sender has its answer.
pub(super) fn deliver(turn: &mut Turn<'_>, said: Said) {
    let _ = turn.ask_task(said.task, said.word, Who::Agent(said.agent, said.run));
}

/// A message is not on its way any more.
pub(super) fn gone(turn: &mut Turn<'_>, said: Said) {
    turn.state.world.said.retain(|known| *known != said);
}

/// Somebody pushes to the base branch.
pub(super) fn push(turn: &mut Turn<'_>) {
    turn.state.left.pushes -= 1;
    turn.state.world.base.push(Tip::ByHand);
}

/// A person asks something. What is refused has used up the chance all the same.
pub(super) fn wish(turn: &mut Turn<'_>, wish: Wish) {
    let _ = match wish {
        Wish::Cancel(task) => {
            turn.state.left.cancels -= 1;
            turn.ask_task(task, TaskWord::Cancel, Who::Operator)
        }
        Wish::Retry(task) => {
            turn.state.left.retries -= 1;
            turn.ask_task(task, TaskWord::Retry, Who::Operator)
        }
        Wish::Kill(agent) => {
            turn.state.left.kills -= 1;
            turn.ask_agent(agent, AgentWord::Kill)
        }
    };
}

/// Everything that an earlier holder of a task could still say, until one of it comes to something.
pub(super) fn old_word(turn: &mut Turn<'_>, task: u8) {
    let now = turn.book.task(turn.state.stored.tasks[usize::from(task)]).epoch;
    for epoch in 1..now {
        let run = Run::Work { task, epoch };
        let cause = Cause::from(ReleaseCause::GivenBack);
        let words = [
            (Who::Runtime, TaskWord::Start { epoch }),
            (Who::Runtime, TaskWord::Renew { epoch }),
            (Who::Agent(0, run), TaskWord::Progress { epoch }),
            (Who::Agent(0, run), TaskWord::Submit { epoch }),
            (Who::Agent(0, run), TaskWord::Release { epoch, cause }),
            (Who::Agent(0, run), TaskWord::Block { epoch }),
        ];
        for (who, word) in words {
            if turn.ask_task(task, word, who).is_ok() {
                return;
            }
        }
    }
}

/// The news of one Worknode is held up, or told at last.
pub(super) fn news(turn: &mut Turn<'_>, hold: Option<u8>) {
    let stored = turn.state.stored.clone();
    let Some(daemon) = &mut turn.state.daemon else {
        return;
    };
    if hold.is_some() {
        turn.state.left.late_news -= 1;
    } else if daemon.view.late.is_some() {
        daemon.view.tasks = stored.tasks;
        daemon.view.agents = stored.agents;
    }
    daemon.view.late = hold;
}

/// The Worknodes whose news can be held up.
pub(super) fn all_news() -> impl Iterator<Item = u8> {
    tasks().chain(agents().map(news_of_agent))
}
