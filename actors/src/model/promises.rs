//! The promises, judged by what happened and by what is in the world, and not by the rules that
//! are to keep them.

use stateright::Property;

use super::{
    Explored,
    book::Book,
    sight::{Mark, Stands},
    state::{Broken, Seen, State, Tip, claim_number, land_number, run_number},
    words::{Land, REVIEWER, Run, TaskWord, Who},
};

/// The names under which the promises are reported.
pub(super) const P1: &str = "P1 one holder";
pub(super) const P2: &str = "P2 stop before hand-over";
pub(super) const P3: &str = "P3 no unapproved completion";
pub(super) const P6: &str = "P6 nothing doubled";
pub(super) const ALL_LAND: &str = "both tasks land";
pub(super) const LATE_WORD: &str = "a word under an old claim is on its way";
pub(super) const TAKEN_OVER: &str = "a run outlives its daemon and the next one has it";

/// What must be possible somewhere.
pub(super) const POSSIBLE: [&str; 3] = [ALL_LAND, LATE_WORD, TAKEN_OVER];

/// Everything that is asked of every state.
pub(super) fn all() -> Vec<Property<Explored>> {
    vec![
        Property::always(P1, |_, state: &State| state.seen.broken != Some(Broken::P1)),
        Property::always(P2, |_, state: &State| state.seen.broken != Some(Broken::P2)),
        Property::always(P3, |_, state: &State| state.seen.broken != Some(Broken::P3)),
        Property::always(P6, |_, state: &State| state.seen.broken != Some(Broken::P6)),
        Property::sometimes(ALL_LAND, |model, state: &State| {
            let done = |task| matches!(model.book.task(task).stands, Stands::Completed(_));
            state.stored.tasks.into_iter().all(done)
        }),
        Property::sometimes(LATE_WORD, |_, state: &State| {
            let old = |task: u8, epoch| epoch < state.seen.top[usize::from(task)];
            state.world.said.iter().any(|said| match said.word {
                TaskWord::Submit { epoch } | TaskWord::Release { epoch, .. } => old(said.task, epoch),
                _ => false,
            })
        }),
        Property::sometimes(TAKEN_OVER, |model, state: &State| {
            let crashed = state.left.crashes < model.chances.crashes;
            let open = state.daemon.as_ref().filter(|daemon| daemon.is_open());
            crashed
                && open.is_some_and(|daemon| {
                    let keeps = &daemon.keeps;
                    let processes = &state.world.processes;
                    processes
                        .iter()
                        .any(|process| process.lives() && keeps.iter().any(|keep| keep.run == process.run))
                })
        }),
    ]
}

impl Seen {
    /// The first promise that breaks is the one that counts.
    const fn breaks(&mut self, promise: Broken) {
        if self.broken.is_none() {
            self.broken = Some(promise);
        }
    }
}

/// A task's event was stored, because `who` said `word`.
pub(super) fn note_task(book: &Book, state: &mut State, task: u8, mark: &Mark, word: TaskWord, who: Who) {
    let at = usize::from(task);
    match *mark {
        Mark::Claimed { epoch } => note_claimed(book, state, task, epoch),
        Mark::Wrote { epoch } => note_written(state, task, epoch, word),
        Mark::Ended { epoch } => {
            note_written(state, task, epoch, word);
            state.seen.held[at] = 0;
            if matches!(who, Who::Agent(..)) {
                state.seen.given_up.put(claim_number(task, epoch));
            }
        }
        Mark::Dropped => state.seen.held[at] = 0,
        Mark::Approved => {
            let may = matches!(who, Who::Operator | Who::Agent(REVIEWER, _));
            if let (TaskWord::Approve { epoch }, true) = (word, may) {
                state.seen.approved.put(claim_number(task, epoch));
            }
        }
        Mark::Completed(land) => {
            let landed = state.world.base.contains(&Tip::Landed(land));
            if land.task != task || !landed || !may_count(state, land) {
                state.seen.breaks(Broken::P3);
            }
        }
        Mark::Queued(_) | Mark::Permit(_) | Mark::Stop(_) | Mark::Exited(..) => {}
    }
}

fn note_claimed(book: &Book, state: &mut State, task: u8, epoch: u8) {
    let at = usize::from(task);
    if state.seen.held[at] != 0 || epoch <= state.seen.top[at] {
        state.seen.breaks(Broken::P1);
    }
    state.seen.top[at] = epoch;
    state.seen.held[at] = epoch;
    if has_unstopped(book, state, task, epoch) {
        state.seen.breaks(Broken::P2);
    }
}

/// Only under the claim that holds, and that its sender meant.
fn note_written(state: &mut State, task: u8, epoch: u8, word: TaskWord) {
    let other = said_under(word).is_some_and(|said| said != epoch);
    if state.seen.held[usize::from(task)] != epoch || other {
        state.seen.breaks(Broken::P1);
    }
}

/// The claim that a word was said under, as its sender has it.
const fn said_under(word: TaskWord) -> Option<u8> {
    match word {
        TaskWord::Start { epoch }
        | TaskWord::Renew { epoch }
        | TaskWord::Progress { epoch }
        | TaskWord::Submit { epoch }
        | TaskWord::Release { epoch, .. }
        | TaskWord::Block { epoch } => Some(epoch),
        _ => None,
    }
}

/// Is there a run under an older claim that nobody has proved stopped? One whose holder ended the
/// claim itself, by handing in or giving back, is not meant.
fn has_unstopped(book: &Book, state: &State, task: u8, epoch: u8) -> bool {
    let given_up = state.seen.given_up;
    let older = |run: Run| match run.claim() {
        Some((of, old)) => of == task && old < epoch && !given_up.has(claim_number(task, old)),
        None => false,
    };
    let stored = state
        .stored
        .agents
        .iter()
        .filter_map(|agent| book.agent(*agent).run);
    let living = state.world.processes.iter().filter(|process| process.lives());
    stored.chain(living.map(|process| process.run)).any(older)
}

/// Did the gate pass on this very tree, and somebody who may approve of this very submission?
fn may_count(state: &State, land: Land) -> bool {
    let approved = land.task != 0 || state.seen.approved.has(claim_number(land.task, land.epoch));
    approved && state.seen.passed.has(land_number(land))
}

/// The base branch moves.
pub(super) fn note_landing(state: &mut State, land: Land) {
    let same = |tip: &Tip| match tip {
        Tip::Landed(other) => (other.task, other.epoch) == (land.task, land.epoch),
        Tip::ByHand => false,
    };
    if state.world.base.iter().any(same) {
        state.seen.breaks(Broken::P6);
    }
    if !may_count(state, land) {
        state.seen.breaks(Broken::P3);
    }
    state.world.base.push(Tip::Landed(land));
}

/// A run was decided.
pub(super) fn note_queued(state: &mut State, run: Run) {
    match run {
        Run::Work { .. } => {}
        Run::Review { task, .. } => {
            let begun = &mut state.stored.reviews[usize::from(task)];
            *begun = begun.saturating_add(1);
        }
        Run::Fired { which, .. } => {
            state.stored.fired_runs.put(run_number(run));
            note_acted(state, which);
        }
    }
}

/// An occurrence has acted.
pub(super) fn note_acted(state: &mut State, which: u8) {
    let times = &mut state.seen.acted[usize::from(which)];
    *times = times.saturating_add(1);
    if *times > 1 {
        state.seen.breaks(Broken::P6);
    }
}

/// A process was started.
pub(super) fn note_started(state: &mut State, run: Run) {
    if !state.seen.started.put(run_number(run)) {
        state.seen.breaks(Broken::P6);
    }
}
