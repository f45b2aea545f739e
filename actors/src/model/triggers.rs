//! Firings, at the points between which the daemon may die. Their order is that of
//! `scheduler/act.rs`.

use worknode_core::{
    event::{Event, Principal, Record, SCHEMA_VERSION},
    firing::{Course, Firing},
    hlc::Hlc,
    ids::NodeId,
};
use worknode_triggers::{
    due::{OverlapDecision, overlap_decision},
    spec::Overlap,
};

use super::{
    action::Action,
    names, promises,
    state::{Fire, Fired, State, run_number},
    turn::Turn,
    words::{AgentWord, NOTIFIES, REVIEWER, Run},
};

/// What the scheduler may do.
pub(super) fn actions(state: &State, actions: &mut Vec<Action>) {
    let Some(daemon) = &state.daemon else { return };
    let open = (0..).zip(daemon.fires).filter(|(_, fire)| *fire != Fire::Idle);
    actions.extend(open.map(|(which, fire)| Action::Fire(which, fire)));
}

/// The scheduler goes on with an occurrence. `deaths`: daemons that were killed so far.
pub(super) fn act(turn: &mut Turn<'_>, which: u8, fire: Fire, deaths: u8) {
    let next = match fire {
        Fire::Due if which == NOTIFIES => {
            at_once(turn, which);
            Fire::Idle
        }
        Fire::Due => begin(turn, which),
        Fire::Start => {
            let attempt = (turn.book.rules.run_of_firing)(deaths);
            let run = Run::Fired { which, attempt };
            if !turn.state.stored.fired_runs.has(run_number(run)) {
                // Refused, it is not tried again: that is the outcome.
                let _ = turn.ask_agent(REVIEWER, AgentWord::Start { run });
            }
            Fire::Outcome
        }
        Fire::Outcome | Fire::Idle => {
            store(turn, which, &[acted()]);
            Fire::Idle
        }
    };
    if let Some(daemon) = &mut turn.state.daemon {
        daemon.fires[usize::from(which)] = next;
    }
}

/// The firing, its deed and its outcome are one append.
fn at_once(turn: &mut Turn<'_>, which: u8) {
    if store(turn, which, &[fired(), acted()]) {
        promises::note_acted(&mut turn.state, which);
    }
}

/// The firing is stored, unless the one before still runs; its run is started afterwards.
fn begin(turn: &mut Turn<'_>, which: u8) -> Fire {
    let agent = turn.state.stored.agents[usize::from(REVIEWER)];
    let busy = turn.book.agent(agent).run.is_some();
    if overlap_decision(Overlap::Forbid, busy) == OverlapDecision::Skip {
        let reason = String::new();
        store(
            turn,
            which,
            &[Event::TriggerSkipped {
                trigger: TRIGGER.to_owned(),
                occurrence: OCCURRENCE.to_owned(),
                due: names::instant(0),
                reason,
            }],
        );
        return Fire::Idle;
    }
    if store(turn, which, &[fired()]) {
        Fire::Start
    } else {
        Fire::Idle
    }
}

const TRIGGER: &str = "nightly";
const OCCURRENCE: &str = "tonight";

fn fired() -> Event {
    Event::TriggerFired {
        trigger: TRIGGER.to_owned(),
        occurrence: OCCURRENCE.to_owned(),
        due: names::instant(0),
        by: None,
    }
}

fn acted() -> Event {
    Event::TriggerActed {
        trigger: TRIGGER.to_owned(),
        occurrence: OCCURRENCE.to_owned(),
        outcome: String::new(),
        failed: false,
        started: None,
    }
}

fn record(event: Event) -> Record {
    Record {
        at: Hlc::ZERO,
        node: NodeId::ROOT,
        by: Principal::Runtime,
        cause: None,
        version: SCHEMA_VERSION,
        event,
    }
}

/// Appends events about an occurrence, all or none.
fn store(turn: &mut Turn<'_>, which: u8, events: &[Event]) -> bool {
    let mut firing = known(turn.state.stored.firings[usize::from(which)]);
    for event in events {
        match (turn.book.rules.firing)(firing.as_ref(), &record(event.clone())) {
            Ok(next) => firing = Some(next),
            Err(_) => return false,
        }
    }
    turn.state.stored.firings[usize::from(which)] = match firing.map(|firing| firing.outcome) {
        None => Fired::Not,
        Some(None) => Fired::Open,
        Some(Some(_)) => Fired::Settled,
    };
    true
}

fn known(fired: Fired) -> Option<Firing> {
    let outcome = match fired {
        Fired::Not => return None,
        Fired::Open => None,
        Fired::Settled => Some(String::new()),
    };
    Some(Firing {
        course: Course::default(),
        trigger: TRIGGER.to_owned(),
        occurrence: OCCURRENCE.to_owned(),
        node: NodeId::ROOT,
        recorded: Hlc::ZERO,
        due: names::instant(0),
        outcome,
    })
}
