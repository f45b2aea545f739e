//! The runtime's rules, explored: every order of events that a small world allows.
//!
//! Three agents, two tasks, two firings, one base branch. The rules are the ones that ship: the
//! state machines and decisions of `worknode-core`, what the team does next, who gets what, what
//! comes next for a submission, who may ask what, and how often an occurrence acts. Around them
//! the world is made as hostile as the real one: the daemon is killed between any two steps,
//! messages are lost, doubled and late, leases run out, agents crash, the base branch moves,
//! operators cancel. After each step four promises are judged by what happened, not by the rules
//! that are to keep them.
//!
//! | module | what it has |
//! |---|---|
//! | [`state`] | one state of the world, and what may still go wrong |
//! | [`action`] | everything that can happen, and how it is told |
//! | [`rules`] | the seam at which a test breaks a rule |
//! | [`book`], [`pool`], [`sight`], [`speech`], [`names`] | the shipped rules, asked once each |
//! | [`scenes`], [`broken`] | what may go wrong in which exploration, and which rules are broken for a test |
//! | [`turn`], [`team`], [`keeper`], [`policy`], [`triggers`] | the daemon's steps |
//! | [`world`] | processes, messages, people |
//! | [`promises`] | P1, P2, P3 and P6 |
//!
//! What is not the rules' own is written here once more: the order of the steps within the jobs of
//! keeper, team, policy and scheduler, which in the product are interleaved with git, processes
//! and sockets. There the tests of faults take over, with the real ones.

mod action;
mod book;
mod broken;
mod keeper;
mod names;
mod policy;
mod pool;
mod promises;
mod rules;
mod scenes;
mod sight;
mod speech;
mod state;
mod team;
mod tests;
mod triggers;
mod turn;
mod words;
mod world;

use stateright::{Model, Property};
use worknode_core::{agent::Agent, task::Task};

use self::{
    action::Action,
    book::Book,
    rules::Rules,
    state::{Chances, Fired, Marks, Seen, State, Stored, World},
    turn::Turn,
    words::{AGENTS, OCCURRENCES, TASKS, TaskWord, Who},
};

/// The world that is explored.
#[derive(Debug)]
pub(crate) struct Explored {
    book: Book,
    chances: Chances,
    /// How often each task may be claimed before it fails.
    attempts: u32,
    /// How many tasks are there to be done; the others are cancelled from the beginning.
    open: usize,
    /// See [`Scene::hurried`](scenes::Scene::hurried).
    hurried: bool,
}

/// Epochs that are explored; a history that needs more is left there.
const EPOCHS: u8 = 4;
/// Reviews of one task that are explored.
const REVIEWS: u8 = 4;

impl Explored {
    /// This world under these rules.
    pub(crate) fn new(rules: Rules, scene: &scenes::Scene) -> Self {
        Self {
            book: Book::new(rules),
            chances: scene.chances,
            attempts: scene.attempts,
            open: scene.open,
            hurried: scene.hurried,
        }
    }
}

impl Model for Explored {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let book = &self.book;
        let tasks: [_; TASKS] = std::array::from_fn(|task| {
            let task = u8::try_from(task).unwrap();
            book.keep_task(Task::new(names::task_spec(task, self.attempts)))
        });
        let agents: [_; AGENTS] = std::array::from_fn(|agent| {
            let agent = u8::try_from(agent).unwrap();
            book.keep_agent(Agent::new(names::agent_spec(&book.team, agent)))
        });
        let state = State {
            stored: Stored {
                tasks,
                agents,
                over: Vec::new(),
                reviews: [0; TASKS],
                firings: [Fired::Not; OCCURRENCES],
                fired_runs: Marks::default(),
            },
            world: World {
                processes: Vec::new(),
                base: Vec::new(),
                said: Vec::new(),
                now: 0,
            },
            daemon: None,
            left: self.chances,
            seen: Seen::default(),
        };
        let mut turn = Turn::new(book, state);
        for task in words::tasks().skip(self.open) {
            // What is not to be explored is cancelled before anything begins.
            let _ = turn.ask_task(task, TaskWord::Cancel, Who::Operator);
        }
        turn::boot(&mut turn);
        vec![turn.settle()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.seen.broken.is_some() {
            return;
        }
        world::actions(&self.book, state, actions);
        let Some(daemon) = &state.daemon else {
            actions.push(Action::Boot);
            return;
        };
        actions.extend((state.left.crashes > 0).then_some(Action::Crash));
        if !daemon.is_open() {
            actions.push(Action::Adopt(daemon.adopted));
            return;
        }
        match daemon.view.late {
            Some(news) => actions.push(Action::TellNews(news)),
            None if state.left.late_news > 0 => actions.extend(world::all_news().map(Action::HoldNews)),
            None => {}
        }
        actions.extend(daemon.jobs.iter().copied().map(Action::Team));
        keeper::actions(&self.book, state, actions);
        policy::actions(state, actions);
        triggers::actions(state, actions);
        if self.hurried && state.left.are_gone() {
            world::one_after_the_other(actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut turn = Turn::new(&self.book, last.clone());
        match action {
            Action::Crash => {
                turn.state.left.crashes -= 1;
                turn.state.daemon = None;
            }
            Action::Boot => turn::boot(&mut turn),
            Action::Adopt(_) => turn::adopt(&mut turn),
            Action::Lapse => {
                turn.state.left.lapses -= 1;
                turn.state.world.now += 1;
            }
            Action::Push => world::push(&mut turn),
            Action::HoldNews(news) => world::news(&mut turn, Some(news)),
            Action::TellNews(_) => world::news(&mut turn, None),
            Action::Process(_, run, deed) => world::process(&mut turn, run, deed),
            Action::Lose(said) => {
                turn.state.left.losses -= 1;
                world::gone(&mut turn, said);
            }
            Action::Deliver(said) => {
                world::gone(&mut turn, said);
                world::deliver(&mut turn, said);
            }
            Action::DeliverTwice(said) => {
                turn.state.left.doubles -= 1;
                world::deliver(&mut turn, said);
            }
            Action::Team(job) => team::act(&mut turn, job),
            Action::Keep(keep, hand) => keeper::act(&mut turn, keep, hand),
            Action::Policy(task, policy, verdict) => policy::act(&mut turn, task, policy, verdict),
            Action::Fire(which, fire) => {
                let deaths = self.chances.crashes - last.left.crashes;
                triggers::act(&mut turn, which, fire, deaths);
            }
            Action::Operator(wish) => world::wish(&mut turn, wish),
            Action::Contend(task, agent) => {
                let _ = turn.ask_task(task, TaskWord::Claim { agent }, Who::Runtime);
            }
            Action::OldWord(task) => world::old_word(&mut turn, task),
        }
        let next = turn.settle();
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises::all()
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.seen.top.iter().all(|epoch| *epoch <= EPOCHS)
            && state.stored.reviews.iter().all(|reviews| *reviews <= REVIEWS)
    }

    fn format_action(&self, action: &Action) -> String {
        action.to_string()
    }
}
