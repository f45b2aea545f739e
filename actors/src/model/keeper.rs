//! The jobs of live runs, at the points between which the daemon may die. The order of their steps
//! is that of `keeper/job.rs`.

use super::{
    action::{Action, Hand},
    book::Book,
    promises,
    sight::Stands,
    state::{Keep, KeepAt, Life, Process, State},
    turn::Turn,
    words::{AgentWord, End, Run, TaskWord, Who},
};

/// What the keeper may do.
pub(super) fn actions(book: &Book, state: &State, actions: &mut Vec<Action>) {
    let Some(daemon) = &state.daemon else { return };
    for keep in &daemon.keeps {
        let process = state
            .world
            .processes
            .iter()
            .find(|process| process.run == keep.run);
        let lives = process.is_some_and(Process::lives);
        let hand = |hand| Action::Keep(*keep, hand);
        if keep.at != KeepAt::Watch {
            actions.push(hand(Hand::Next));
            continue;
        }
        actions.push(hand(if lives { Hand::Stop } else { Hand::Reap }));
        if lives && !keep.stop {
            actions.pop();
        }
        actions.extend(needs_renewal(book, state, keep.run).then(|| hand(Hand::Renew)));
    }
}

/// Was the lease set before the last lapse?
fn needs_renewal(book: &Book, state: &State, run: Run) -> bool {
    let Some((task, _)) = run.claim() else {
        return false;
    };
    match book.task(state.stored.tasks[usize::from(task)]).stands {
        Stands::Held { run: holder, era, .. } => holder == run && era < state.world.now,
        _ => false,
    }
}

/// The job of a run goes on.
pub(super) fn act(turn: &mut Turn<'_>, keep: Keep, hand: Hand) {
    match (hand, keep.at) {
        (Hand::Next, KeepAt::Permit) if keep.stop => over(turn, keep, End::NotStarted),
        (Hand::Next, KeepAt::Permit) => {
            fork(turn, keep);
            go(turn, keep.run, KeepAt::Forked);
        }
        (Hand::Next, KeepAt::Forked) => tell_started(turn, keep),
        (Hand::Next, KeepAt::Told { before }) => begin(turn, keep, before),
        (Hand::Stop, _) => stop(turn, keep),
        (Hand::Reap, _) => reap(turn, keep),
        (Hand::Renew, _) => renew(turn, keep),
        (Hand::Next, KeepAt::Watch) => {}
    }
}

/// The agent is told that its process is there.
fn tell_started(turn: &mut Turn<'_>, keep: Keep) {
    let told = turn.ask_agent(keep.agent, AgentWord::Started { run: keep.run });
    let at = if told.is_ok() && keep.run.claim().is_some() {
        KeepAt::Told { before: false }
    } else {
        KeepAt::Watch
    };
    go(turn, keep.run, at);
    if told.is_err() {
        cannot_go_on(turn, keep.run);
    }
}

/// The task is told that it is worked on.
fn begin(turn: &mut Turn<'_>, keep: Keep, before: bool) {
    let began = keep.run.claim().map_or(Ok(()), |(task, epoch)| {
        turn.ask_task(task, TaskWord::Start { epoch }, Who::Runtime)
    });
    go(turn, keep.run, KeepAt::Watch);
    if began.is_err() && !before {
        cannot_go_on(turn, keep.run);
    }
}

fn stop(turn: &mut Turn<'_>, keep: Keep) {
    let processes = &mut turn.state.world.processes;
    if let Some(process) = processes.iter_mut().find(|process| process.run == keep.run) {
        process.life = Life::Over(End::Stopped);
    }
}

fn reap(turn: &mut Turn<'_>, keep: Keep) {
    let processes = &turn.state.world.processes;
    let process = processes.iter().find(|process| process.run == keep.run);
    let end = process.map_or(End::Stopped, |process| match process.life {
        Life::Over(end) => end,
        Life::Works | Life::Done => End::Stopped,
    });
    over(turn, keep, end);
}

fn go(turn: &mut Turn<'_>, run: Run, at: KeepAt) {
    change(turn, run, |keep| keep.at = at);
}

/// It is ended without that being decided in the journal.
fn cannot_go_on(turn: &mut Turn<'_>, run: Run) {
    change(turn, run, |keep| keep.stop = true);
}

fn change(turn: &mut Turn<'_>, run: Run, change: impl FnOnce(&mut Keep)) {
    let daemon = turn.state.daemon.as_mut();
    if let Some(keep) = daemon.and_then(|daemon| daemon.keeps.iter_mut().find(|keep| keep.run == run)) {
        change(keep);
    }
}

/// The permit becomes a process. A reviewer's brief shows what is in review now.
fn fork(turn: &mut Turn<'_>, keep: Keep) {
    let shown = match keep.run {
        Run::Review { task, .. } => turn.book.task(turn.state.stored.tasks[usize::from(task)]).epoch,
        Run::Work { .. } | Run::Fired { .. } => 0,
    };
    promises::note_started(&mut turn.state, keep.run);
    turn.state.world.processes.push(Process {
        run: keep.run,
        agent: keep.agent,
        shown,
        life: Life::Works,
    });
}

fn over(turn: &mut Turn<'_>, keep: Keep, end: End) {
    if let Some(daemon) = &mut turn.state.daemon {
        daemon.keeps.retain(|known| known.run != keep.run);
    }
    // The agent may have no use for it: then it is over already.
    let _ = turn.ask_agent(keep.agent, AgentWord::Exited { run: keep.run, end });
}

/// A claim that is gone ends the run.
fn renew(turn: &mut Turn<'_>, keep: Keep) {
    let Some((task, epoch)) = keep.run.claim() else {
        return;
    };
    let renewed = turn.ask_task(task, TaskWord::Renew { epoch }, Who::Runtime);
    if renewed == Err(worknode_core::error::Code::StaleEpoch) {
        let _ = turn.ask_agent(keep.agent, AgentWord::Stop);
    }
}
