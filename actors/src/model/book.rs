//! The book of all states that tasks and agents were ever seen in, and of what the rules said.
//!
//! Every state is written down once and known by its number from then on; every question is put
//! to the rules once. So the rules that ship decide all of it, and millions of steps cost
//! thousands of decisions.

use std::{collections::HashSet, sync::Arc};

use worknode_core::{
    agent::Agent,
    command::Command,
    error::Code,
    event::{Event, Principal},
    ids::NodeId,
    node::NodeState,
    run::{Receipt, RunStatus},
    task::{Task, TaskCommand, TaskStatus},
};
use worknode_policies::{
    authority::Target,
    landing,
    verdict::{PublicKey, SigningKeys},
};

use super::{
    names,
    pool::{Memo, Pool},
    rules::Rules,
    sight::{AgentSight, Mark, TaskSight, look_at_agent, look_at_task, mark_of_effect, mark_of_task},
    speech,
    state::{Job, Ref},
    words::{AGENTS, AgentWord, Land, TASKS, TaskWord, Who, agent_name, agents, task_name, tasks},
};
use crate::{
    definition::TeamDefinition,
    team::{settlement::Settlement, steps::Step, view::View},
};

/// What a command came to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Nothing, for this reason.
    Refused(Code),
    /// This state, by these events.
    Done { next: Ref, marks: Arc<[Mark]> },
}

/// What the policy actor is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    Make,
    Gate(Land),
    Reject(u8),
    Ask(Land),
    Land(Land),
    Settle(Land),
}

/// All that the team's decision depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TeamQuestion {
    pub(crate) tasks: [Ref; TASKS],
    pub(crate) agents: [Ref; AGENTS],
    pub(crate) busy_tasks: [bool; TASKS],
    pub(crate) busy_agents: [bool; AGENTS],
    pub(crate) silent: [(u8, u8); TASKS],
    pub(crate) now: u8,
}

/// The book.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) rules: Rules,
    pub(crate) team: TeamDefinition,
    pub(crate) agent_ids: [NodeId; AGENTS],
    pub(crate) keys: SigningKeys,
    public: PublicKey,
    tasks: Pool<Task, TaskSight>,
    agents: Pool<Agent, AgentSight>,
    ends: Pool<RunStatus, ()>,
    task_answers: Memo<(u8, Ref, TaskWord, Who, u8), Answer>,
    agent_answers: Memo<(Ref, AgentWord, u8), Answer>,
    reviews: Memo<(u8, Ref, Option<u8>, u8), Next>,
    steps: Memo<TeamQuestion, Arc<[Job]>>,
}

impl Book {
    /// An empty one, for these rules.
    pub(crate) fn new(rules: Rules) -> Self {
        let keys = SigningKeys::from_seed([7; 32]);
        let team = names::team();
        Self {
            rules,
            agent_ids: std::array::from_fn(|agent| team.agent_node(&team.agents[agent].name)),
            team,
            public: keys.public(),
            keys,
            tasks: Pool::default(),
            agents: Pool::default(),
            ends: Pool::default(),
            task_answers: Memo::default(),
            agent_answers: Memo::default(),
            reviews: Memo::default(),
            steps: Memo::default(),
        }
    }

    /// Writes a task down.
    pub(crate) fn keep_task(&self, task: Task) -> Ref {
        self.tasks.keep(task, |task| look_at_task(&self.agent_ids, task))
    }

    /// Writes an agent down.
    pub(crate) fn keep_agent(&self, agent: Agent) -> Ref {
        self.agents.keep(agent, look_at_agent)
    }

    /// What is seen of a task.
    pub(crate) fn task(&self, task: Ref) -> TaskSight {
        self.tasks.sight(task)
    }

    /// What is seen of an agent.
    pub(crate) fn agent(&self, agent: Ref) -> AgentSight {
        self.agents.sight(agent)
    }

    /// Asks a task.
    pub(crate) fn ask_task(&self, task: u8, state: Ref, word: TaskWord, who: Who, now: u8) -> Answer {
        self.task_answers.get((task, state, word, who, now), || {
            self.decide_task(task, state, word, who, now)
        })
    }

    fn decide_task(&self, task: u8, state: Ref, word: TaskWord, who: Who, now: u8) -> Answer {
        let known = self.tasks.entry(state);
        let command = speech::task_command(self, task, &known, word);
        let authority = speech::authority(self, who);
        let submitted_by = match &known.status {
            TaskStatus::InReview(review) => Some(review.submission.agent),
            _ => None,
        };
        let target = Target {
            node: names::task_id(task),
            ancestors: &[self.team.node(), NodeId::ROOT],
            submitted_by,
        };
        let asked = Command::Task(command.clone());
        if let Err(error) = (self.rules.authorise)(&authority, &asked, &target) {
            return Answer::Refused(error.code);
        }
        let decided = (self.rules.task)(&known, &command, &authority.principal, names::instant(now));
        let events = match decided {
            Ok(decision) => decision.events,
            Err(error) => return Answer::Refused(error.code),
        };
        let mut next = known.as_ref().clone();
        for event in &events {
            match (self.rules.task_after)(&next, event) {
                Ok(after) => next = after,
                Err(_) => return Answer::Refused(Code::IllegalTransition),
            }
        }
        let marks = events.iter().filter_map(mark_of_task).collect();
        // Any rest may be over at any time: so all orders are seen, and more.
        next.retry_at = None;
        let next = self.keep_task(next);
        Answer::Done { next, marks }
    }

    /// Asks an agent, in the runtime's name or the operator's.
    pub(crate) fn ask_agent(&self, state: Ref, word: AgentWord, now: u8) -> Answer {
        self.agent_answers
            .get((state, word, now), || self.decide_agent(state, word, now))
    }

    fn decide_agent(&self, state: Ref, word: AgentWord, now: u8) -> Answer {
        let known = self.agents.entry(state);
        let now = names::instant(now);
        let command = speech::agent_command(word, now);
        let by = match word {
            AgentWord::Kill => Principal::Operator,
            _ => Principal::Runtime,
        };
        let decision = match (self.rules.agent)(&known, &command, &by, now) {
            Ok(decision) => decision,
            Err(error) => return Answer::Refused(error.code),
        };
        let mut next = known.as_ref().clone();
        for event in &decision.events {
            match (self.rules.agent_after)(&next, event, now) {
                Ok(after) => next = after,
                Err(_) => return Answer::Refused(Code::IllegalTransition),
            }
        }
        let events = decision
            .events
            .iter()
            .filter_map(|event| self.mark_of_agent(event));
        let mut marks: Vec<Mark> = events.collect();
        marks.extend(decision.effect.as_ref().and_then(mark_of_effect));
        let next = self.keep_agent(next);
        Answer::Done {
            next,
            marks: marks.into(),
        }
    }

    fn mark_of_agent(&self, event: &Event) -> Option<Mark> {
        match event {
            Event::RunQueued { run } => names::run_of(run.id).map(Mark::Queued),
            Event::RunExited { run, receipt } => {
                let end = self.keep_end(receipt.clone());
                names::run_of(*run).map(|run| Mark::Exited(run, end))
            }
            _ => None,
        }
    }

    fn keep_end(&self, receipt: Box<Receipt>) -> Ref {
        self.ends.keep(RunStatus::Exited { receipt }, |_| ())
    }

    /// What becomes of a claim whose run is over so, or was never begun.
    pub(crate) fn settle(&self, end: Option<Ref>) -> Settlement {
        let end = end.map(|end| self.ends.entry(end));
        (self.rules.settlement)(end.as_deref())
    }

    /// What comes next for a task in review, with a candidate on this base and the base now.
    pub(crate) fn review(&self, task: u8, state: Ref, made: Option<u8>, base: u8) -> Next {
        self.reviews.get((task, state, made, base), || {
            let known = self.tasks.entry(state);
            let epoch = self.task(state).epoch;
            let candidate = made.map_or(landing::Candidate::Unmade, |base| {
                landing::Candidate::Made(names::landing(Land { task, epoch, base }))
            });
            let land = Land {
                task,
                epoch,
                base: made.unwrap_or(base),
            };
            let step = (self.rules.review)(&known, &candidate, &names::base_tip(base), &self.public);
            match step {
                landing::Step::Nothing | landing::Step::AwaitReview(_) => Next::Nothing,
                landing::Step::MakeCandidate => Next::Make,
                landing::Step::RunGates(_) => Next::Gate(land),
                landing::Step::Reject(_) => Next::Reject(epoch),
                landing::Step::RequestReview(commit) => Next::Ask(names::land_of(&commit)),
                landing::Step::Land(landing) => Next::Land(names::land_of(&landing.commit)),
                landing::Step::Settle(landing) => Next::Settle(names::land_of(&landing.commit)),
            }
        })
    }

    /// What to tell a task about a landing whose end nobody saw.
    pub(crate) fn landed(&self, land: Land, landed: bool) -> TaskWord {
        match (self.rules.landed)(&names::landing(land), landed) {
            TaskCommand::Complete { commit, .. } => TaskWord::Complete {
                land: names::land_of(&commit),
            },
            _ => TaskWord::AbandonLanding,
        }
    }

    /// What the team does next, but for announcing the end.
    pub(crate) fn steps(&self, question: TeamQuestion) -> Arc<[Job]> {
        let asked = question.clone();
        self.steps.get(question, || self.decide_steps(&asked))
    }

    fn decide_steps(&self, question: &TeamQuestion) -> Arc<[Job]> {
        let mut view = View::default();
        let (mut busy, mut stored) = (HashSet::new(), Vec::new());
        for task in tasks() {
            let at = usize::from(task);
            let (id, name) = (names::task_id(task), task_name(task));
            let known = self.tasks.entry(question.tasks[at]);
            let state = NodeState::Task(Box::new(known.as_ref().clone()));
            stored.push(Arc::new(names::node(id, name, task, state)));
            busy.extend(question.busy_tasks[at].then_some(id));
            let (epoch, times) = question.silent[at];
            view.silent_reviews
                .insert((id, names::submitted(task, epoch)), u32::from(times));
        }
        stored.iter().for_each(|node| view.put(Arc::clone(node)));
        for agent in agents() {
            let at = usize::from(agent);
            let known = self.agents.entry(question.agents[at]);
            let state = NodeState::Agent(Box::new(known.as_ref().clone()));
            let id = self.agent_ids[at];
            view.put(Arc::new(names::node(id, agent_name(agent), agent, state)));
            busy.extend(question.busy_agents[at].then_some(id));
        }
        let found = view.look_up(|id| Ok(stored.iter().find(|node| node.id == id).cloned()));
        debug_assert!(found.is_ok(), "nothing is read here");
        let steps = (self.rules.team)(&view, &self.team, &busy, names::instant(question.now));
        steps.iter().filter_map(|step| self.job_of(step)).collect()
    }

    fn job_of(&self, step: &Step) -> Option<Job> {
        let task = |id: &NodeId| tasks().find(|task| names::task_id(*task) == *id);
        let agent = |id: &NodeId| agents().find(|agent| self.agent_ids[usize::from(*agent)] == *id);
        Some(match step {
            Step::MarkReady { task: id } => Job::MarkReady { task: task(id)? },
            Step::Settle { task: id } => Job::Settle { task: task(id)? },
            Step::Work { task: id, agent: who } => Job::Claim {
                task: task(id)?,
                agent: agent(who)?,
            },
            Step::Review { task: id, agent: who } => Job::Review {
                task: task(id)?,
                agent: agent(who)?,
            },
            Step::Wake { agent: who } => Job::Wake { agent: agent(who)? },
            Step::StopRun { agent: who } => Job::StopRun { agent: agent(who)? },
            // Who is not run by the runtime is not in this world.
            Step::Lapse { .. } | Step::Duty { .. } | Step::Finish { .. } => return None,
        })
    }
}
