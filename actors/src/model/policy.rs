//! The jobs of submissions, at the points between which the daemon may die, the base branch move
//! or the task change. The order of their steps is that of `policy.rs` and `policy/land.rs`.

use super::{
    action::{Action, Verdict},
    book::Next,
    promises,
    sight::Stands,
    state::{Policy, State, Tip, land_number},
    turn::Turn,
    words::{Land, TaskWord, Who, tasks},
};

/// What the policy actor may do.
pub(super) fn actions(state: &State, actions: &mut Vec<Action>) {
    let Some(daemon) = &state.daemon else { return };
    let lock = daemon.policy.iter().any(|policy| policy.lands());
    for (task, policy) in tasks().zip(daemon.policy) {
        match policy {
            Policy::Rest | Policy::Wait(_) | Policy::Look(_) => continue,
            Policy::Land(_) if lock => continue,
            Policy::Gate(_) if state.left.failures > 0 => {
                actions.push(Action::Policy(task, policy, Verdict::Badly));
            }
            _ => {}
        }
        actions.push(Action::Policy(task, policy, Verdict::Well));
    }
}

/// Begins a job, when the task is in review and none has seen it as it is; and lets one that is
/// about to look do so.
pub(super) fn poke(turn: &mut Turn<'_>, task: u8) {
    let at = usize::from(task);
    let stored = turn.state.stored.tasks[at];
    let Some(policy) = turn.state.daemon.as_ref().map(|daemon| daemon.policy[at]) else {
        return;
    };
    let in_review = matches!(turn.book.task(stored).stands, Stands::Review { .. });
    let next = match policy {
        Policy::Wait(seen) if seen == stored && in_review => policy,
        Policy::Rest | Policy::Wait(_) if in_review => look(turn, task, None),
        Policy::Rest | Policy::Wait(_) => Policy::Rest,
        Policy::Look(made) => look(turn, task, made),
        under_way => under_way,
    };
    set(turn, task, next);
}

/// Asks the rule what comes next. Making a candidate is looking again.
fn look(turn: &Turn<'_>, task: u8, made: Option<u8>) -> Policy {
    let stored = turn.state.stored.tasks[usize::from(task)];
    let base = base_of(&turn.state);
    let mut next = turn.book.review(task, stored, made, base);
    if next == Next::Make {
        next = turn.book.review(task, stored, Some(base), base);
    }
    match next {
        Next::Nothing | Next::Make => Policy::Wait(stored),
        Next::Gate(land) => Policy::Gate(land),
        Next::Reject(epoch) => Policy::Reject(epoch),
        Next::Ask(land) => Policy::Ask(land),
        Next::Land(land) => Policy::Land(land),
        Next::Settle(land) => Policy::Settle(land, turn.state.world.base.contains(&Tip::Landed(land))),
    }
}

fn base_of(state: &State) -> u8 {
    u8::try_from(state.world.base.len()).unwrap_or(u8::MAX)
}

fn set(turn: &mut Turn<'_>, task: u8, policy: Policy) {
    if let Some(daemon) = &mut turn.state.daemon {
        daemon.policy[usize::from(task)] = policy;
    }
}

/// A job goes on. Whatever it is refused, it looks again.
pub(super) fn act(turn: &mut Turn<'_>, task: u8, policy: Policy, verdict: Verdict) {
    let runtime = Who::Runtime;
    let next = match policy {
        Policy::Rest | Policy::Wait(_) | Policy::Look(_) => policy,
        Policy::Gate(land) => {
            gate(turn, task, land, verdict);
            Policy::Look(Some(land.base))
        }
        Policy::Reject(epoch) => {
            let _ = turn.ask_task(task, TaskWord::Reject { epoch }, runtime);
            Policy::Look(None)
        }
        Policy::Ask(land) => {
            let _ = turn.ask_task(task, TaskWord::RequestReview { land }, runtime);
            Policy::Look(Some(land.base))
        }
        Policy::Land(land) => begin_landing(turn, task, land),
        Policy::Permit(land) => move_branch(turn, land),
        Policy::Moved(land) => {
            let _ = turn.ask_task(task, TaskWord::Complete { land }, runtime);
            Policy::Look(None)
        }
        Policy::Missed => {
            let _ = turn.ask_task(task, TaskWord::AbandonLanding, runtime);
            Policy::Look(None)
        }
        Policy::Settle(land, landed) => {
            let word = turn.book.landed(land, landed);
            let _ = turn.ask_task(task, word, runtime);
            Policy::Look(None)
        }
    };
    set(turn, task, next);
}

fn begin_landing(turn: &mut Turn<'_>, task: u8, land: Land) -> Policy {
    let moved = base_of(&turn.state) != land.base;
    if moved
        || turn
            .ask_task(task, TaskWord::BeginLanding { land }, Who::Runtime)
            .is_err()
    {
        return Policy::Look(None);
    }
    Policy::Permit(land)
}

/// The branch is moved only from the tip on which the candidate was made.
fn move_branch(turn: &mut Turn<'_>, land: Land) -> Policy {
    if base_of(&turn.state) != land.base {
        return Policy::Missed;
    }
    promises::note_landing(&mut turn.state, land);
    Policy::Moved(land)
}

/// A gate says its word about a tree: that is so, whether it can be stored or not.
fn gate(turn: &mut Turn<'_>, task: u8, land: Land, verdict: Verdict) {
    let passed = verdict == Verdict::Well;
    if passed {
        turn.state.seen.passed.put(land_number(land));
    } else {
        turn.state.left.failures -= 1;
    }
    let _ = turn.ask_task(task, TaskWord::Verdict { land, passed }, Who::Runtime);
}
