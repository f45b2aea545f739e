//! One active Worknode: an actor that owns the state, asks `decide`, appends, and only then
//! lets effects happen.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use worknode_core::{
    agent::{self, AgentCommand, AgentEffect},
    command::Command,
    error::{Code, Error},
    event::{Draft, Event, PanicStage, Principal, Record},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{self, Node, NodeChange},
    raise::{Raise, in_force},
    run::{Hold, Purpose},
    task::{self, LandPermit, Task, TaskCommand, TaskStatus},
    time::Timestamp,
};
use worknode_journal::Durability;

use crate::{
    fault, inbox,
    membrane::{
        Admitted, Ask, Membrane, Next, Reply,
        arrival::{self, Aside, Taken},
    },
    messages::KeeperMsg,
    nodes, pools, request,
    system::{System, drafts},
};

/// What reaches a Worknode's mailbox.
#[derive(Debug)]
pub(crate) enum NodeMsg {
    /// A command that the membrane let in.
    Ask(Box<Admitted>),
    /// A progress report waits in the membrane.
    ProgressWaits,
    /// Events wait in the membrane, and there may be room for them now.
    EventsWait,
    /// Nobody asked for a while: give up the actor, keep the state in the store.
    Passivate,
}

/// The actor. Stateless itself, as ractor has it; see [`Active`].
#[derive(Debug)]
pub(crate) struct WorknodeActor;

/// What an active Worknode holds.
pub(crate) struct Active {
    pub(crate) node: Arc<Node>,
    pub(crate) membrane: Arc<Membrane>,
    pub(crate) system: System,
}

impl Actor for WorknodeActor {
    type Msg = NodeMsg;
    type State = Active;
    type Arguments = Active;

    async fn pre_start(&self, _: ActorRef<NodeMsg>, active: Active) -> Result<Active, ActorProcessingErr> {
        Ok(active)
    }

    async fn handle(
        &self,
        myself: ActorRef<NodeMsg>,
        message: NodeMsg,
        active: &mut Active,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            // Boxed: an actor's task has room for the largest of its futures all its life, and this
            // one is needed only while something is asked.
            NodeMsg::Ask(admitted) => Box::pin(active.admitted(*admitted)).await,
            NodeMsg::EventsWait => match active.membrane.next_event() {
                Next::Now(ask) => {
                    Box::pin(active.serve(*ask)).await;
                    // The next one: in its turn, behind what came meanwhile.
                    myself.send_message(NodeMsg::EventsWait)?;
                }
                Next::Later(wait) => drop(myself.send_after(wait, || NodeMsg::EventsWait)),
                Next::Nothing => {}
            },
            NodeMsg::ProgressWaits => {
                if let Some(ask) = active.membrane.take_progress() {
                    Box::pin(active.serve(ask)).await;
                }
            }
            NodeMsg::Passivate => myself.stop(None),
        }
        Ok(())
    }
}

/// What a command comes to, whatever the Worknode's kind.
#[derive(Default)]
struct Outcome {
    events: Vec<Event>,
    /// A run that the guard has let in and that starts once the events are stored.
    admitted: Option<RunId>,
    permit: Option<LandPermit>,
    effect: Option<AgentEffect>,
    /// The event that led to them, when it is another one than that of the command.
    cause: Option<Hlc>,
    /// They keep an event that did not come in.
    aside: Option<Aside>,
}

impl From<Taken> for Outcome {
    fn from(taken: Taken) -> Self {
        Self {
            events: taken.events,
            aside: taken.aside,
            ..Self::default()
        }
    }
}

impl Active {
    async fn serve(&mut self, ask: Ask) {
        let answer = self.execute(&ask, None).await;
        ask.answer(answer);
    }

    /// The place in the mailbox is given back when it is answered.
    async fn admitted(&mut self, admitted: Admitted) {
        let Admitted { ask, aside, .. } = admitted;
        let answer = self.execute(&ask, aside).await;
        ask.answer(answer);
    }

    #[tracing::instrument(level = "debug", skip_all, fields(node = %self.node.id, name = %self.node.name, by = %ask.authority.principal))]
    async fn execute(&mut self, ask: &Ask, aside: Option<String>) -> Result<Reply, Error> {
        self.membrane.authorise(ask, self.submitted_by())?;
        nodes::check_reach(&self.system, &ask.authority, &ask.command, self.node.id)?;
        let outcome = match aside {
            Some(why) => self.put_aside(ask, why),
            None => self.decide(ask)?,
        };
        let cause = outcome.cause.or(ask.cause);
        let drafts = drafts(self.node.id, &ask.authority.principal, cause, outcome.events);
        let stored = self.store(ask, drafts).await;
        if let (Err(_), Some(run)) = (&stored, outcome.admitted) {
            self.system.guard().withdrawn(run, self.system.now());
        }
        let records = stored?;
        fault::after(records.iter().map(|record| &record.event));
        for record in &records {
            self.node = Arc::new(self.node.apply(record)?);
            self.settle(&record.event);
        }
        if !records.is_empty() && matches!(ask.command, Command::Task(_)) {
            self.system.board().note(&self.node, &self.membrane);
        }
        if let Some(effect) = outcome.effect {
            self.perform(effect)?;
        }
        if let Some(aside) = outcome.aside {
            return arrival::answer(aside, &records);
        }
        Ok(Reply::Done {
            node: Arc::clone(&self.node),
            records,
            permit: outcome.permit,
        })
    }

    async fn store(&self, ask: &Ask, mut drafts: Vec<Draft>) -> Result<Vec<Record>, Error> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let is_named = request::name(ask.request.clone(), self.system.team().node(), &mut drafts);
        fault::before(drafts.iter().map(|draft| &draft.event));
        let journal = self.system.journal();
        let durability = durability_of(&ask.command);
        // Who claims can do nothing until it is answered: what others report and end can wait.
        let stored = if matches!(ask.command, Command::Task(TaskCommand::Claim { .. })) {
            journal.append_first(drafts, durability).await
        } else {
            journal.append(drafts, durability).await
        };
        let mut records = stored?;
        if is_named {
            // It is about the request, not about this Worknode.
            records.pop();
        }
        Ok(records)
    }

    fn decide(&self, ask: &Ask) -> Result<Outcome, Error> {
        let now = self.system.clock().now();
        let by = &ask.authority.principal;
        match &ask.command {
            Command::Get => Ok(Outcome::default()),
            Command::Emit { name, version, data } => {
                let event = (name.as_str(), *version, data);
                Ok(arrival::emit(&self.system, &self.node, by, event)?.into())
            }
            Command::Letter { letter, action } => Ok(Outcome {
                events: arrival::settle(&self.system, &self.node, *letter, *action)?,
                cause: Some(*letter),
                ..Outcome::default()
            }),
            Command::Message(command) => Ok(Outcome {
                events: inbox::decide(&self.system, &self.node, by, command)?,
                ..Outcome::default()
            }),
            Command::Node {
                change,
                unless_changed_since,
            }
            | Command::Note {
                change,
                unless_changed_since,
            } => self.decide_change(change, *unless_changed_since),
            Command::Task(command) => self.decide_task(command, by, now),
            Command::Agent(command) => self.decide_agent(command, by, now),
        }
    }

    fn decide_change(
        &self,
        change: &NodeChange,
        unless_changed_since: Option<Hlc>,
    ) -> Result<Outcome, Error> {
        self.check_unchanged(unless_changed_since)?;
        let change = nodes::prepared(&self.system, &self.node, change)?;
        if let NodeChange::SetMembrane { membrane } = &*change {
            arrival::check(&self.node, membrane.as_deref())?;
        }
        Ok(Outcome {
            events: node::decide(&self.node, &change)?,
            ..Outcome::default()
        })
    }

    fn decide_task(&self, command: &TaskCommand, by: &Principal, now: Timestamp) -> Result<Outcome, Error> {
        if matches!(command, TaskCommand::BeginLanding { .. }) {
            self.system.guard().check(PanicStage::Landings)?;
        }
        let task = self.node.task().ok_or_else(|| self.wrong_kind("task"))?;
        let decision = task::decide(task, command, by, now)?;
        let said = if decision.events.is_empty() {
            Vec::new()
        } else {
            self.last_word(task, command, now)
        };
        Ok(Outcome {
            events: with_last_word(task, said, decision.events),
            permit: decision.permit,
            ..Outcome::default()
        })
    }

    fn decide_agent(&self, command: &AgentCommand, by: &Principal, now: Timestamp) -> Result<Outcome, Error> {
        let agent = self.node.agent().ok_or_else(|| self.wrong_kind("agent"))?;
        let (admitted, decision) = match command {
            AgentCommand::Start {
                run,
                purpose,
                share,
                raised,
            } => {
                // Whether it may start at all, before anything is kept for it.
                agent::decide(agent, command, by, now)?;
                let guard = self.system.guard();
                let granted = guard.admit(self.node.id, &agent.spec, *run, *share, now)?;
                let start = AgentCommand::Start {
                    run: *run,
                    purpose: purpose.clone(),
                    share: granted,
                    raised: self.raised_for(purpose, raised, now)?,
                };
                (Some(*run), agent::decide(agent, &start, by, now)?)
            }
            other => (None, agent::decide(agent, other, by, now)?),
        };
        Ok(Outcome {
            events: decision.events,
            admitted,
            effect: decision.effect,
            ..Outcome::default()
        })
    }

    /// What a run may do beside the usual: what it is given, and what its task is raised to now.
    fn raised_for(&self, purpose: &Purpose, given: &[Raise], now: Timestamp) -> Result<Vec<Raise>, Error> {
        let mut raised = given.to_vec();
        if let Purpose::Work { task, .. } = purpose
            && let Some(node) = self.system.reader().node(*task)?
            && let Some(task) = node.task()
        {
            raised.extend(in_force(task.raised.values(), now));
        }
        Ok(raised)
    }

    /// Keeps an event for which there was no room.
    fn put_aside(&self, ask: &Ask, why: String) -> Outcome {
        let Command::Emit { name, version, data } = &ask.command else {
            return Outcome::default();
        };
        let event = (name.as_str(), *version, data);
        arrival::put_aside(&self.node, &ask.authority.principal, event, why).into()
    }

    /// What the holder said last and nobody has stored yet, when its claim ends with this command.
    fn last_word(&self, task: &Task, command: &TaskCommand, now: Timestamp) -> Vec<Event> {
        if !ends_claim(command) {
            return Vec::new();
        }
        let Some(word) = self.system.board().take(self.node.id) else {
            return Vec::new();
        };
        let report = TaskCommand::Progress {
            epoch: word.epoch,
            progress: word.progress,
        };
        // A word that does not fit any more says nothing.
        task::decide(task, &report, &word.by.principal, now).map_or_else(|_| Vec::new(), |said| said.events)
    }

    /// Who handed in what is in review: nobody reviews their own.
    fn submitted_by(&self) -> Option<NodeId> {
        match &self.node.task()?.status {
            TaskStatus::InReview(review) => Some(review.submission.agent),
            _ => None,
        }
    }

    /// Keeps the guard's books: a run that is over gives back what was kept for it, and its turn on
    /// its credentials; one that somebody holds still does not count among those that wait.
    fn settle(&self, event: &Event) {
        let (guard, now) = (self.system.guard(), self.system.now());
        let effects = match event {
            Event::RunExited { run, receipt } => guard.ended(*run, receipt, now),
            Event::RunFrozen { run, hold, .. } if *hold != Hold::Pool => guard.held(*run, true, now),
            Event::RunThawed { run } => guard.held(*run, false, now),
            _ => return,
        };
        if !effects.is_empty() {
            let system = self.system.clone();
            tokio::spawn(async move { pools::carry_out(&system, effects).await });
        }
    }

    /// Effects are somebody else's to perform: a handler never waits on the world.
    fn perform(&self, effect: AgentEffect) -> Result<(), Error> {
        let message = match effect {
            AgentEffect::Spawn(permit, spec) => KeeperMsg::Spawn {
                permit,
                spec,
                agent: self.node.id,
            },
            AgentEffect::Stop { run, grace } => KeeperMsg::Stop { run, grace },
            AgentEffect::Freeze(run) => KeeperMsg::Freeze { run },
            AgentEffect::Thaw(run) => KeeperMsg::Thaw { run },
            AgentEffect::Answer(run) => KeeperMsg::Answered { run },
        };
        self.system.keeper().tell(message)
    }

    fn check_unchanged(&self, since: Option<Hlc>) -> Result<(), Error> {
        // What others remember of a Worknode has later stamps, and changes nothing of it.
        if since.is_none_or(|since| since >= self.node.updated) {
            return Ok(());
        }
        let what = format!("`{}` was changed at {}", self.node.name, self.node.updated);
        Err(Error::new(Code::Changed, what).hint("look at it again, then decide"))
    }

    fn wrong_kind(&self, wanted: &str) -> Error {
        Error::new(
            Code::Usage,
            format!(
                "`{}` is a Worknode of kind {}, not {wanted}",
                self.node.name,
                self.node.kind.name()
            ),
        )
    }
}

/// The events of a decision, after what the holder said last. Both may say that it began.
fn with_last_word(task: &Task, said: Vec<Event>, decided: Vec<Event>) -> Vec<Event> {
    if said.is_empty() {
        return decided;
    }
    let begun = matches!(task.status, TaskStatus::Claimed(_));
    let rest = decided
        .into_iter()
        .filter(|event| !(begun && matches!(event, Event::TaskStarted { .. })));
    said.into_iter().chain(rest).collect()
}

/// Does nobody, or another one, hold the task after this?
const fn ends_claim(command: &TaskCommand) -> bool {
    matches!(
        command,
        TaskCommand::Submit { .. }
            | TaskCommand::Release { .. }
            | TaskCommand::Block { .. }
            | TaskCommand::HandOver { .. }
            | TaskCommand::Lapse { .. }
            | TaskCommand::Cancel { .. }
    )
}

/// What may be lost with the power is what the next report repeats anyway.
const fn durability_of(command: &Command) -> Durability {
    match command {
        Command::Task(TaskCommand::Progress { .. } | TaskCommand::Renew { .. })
        | Command::Agent(AgentCommand::Used { .. }) => Durability::Local,
        Command::Get
        | Command::Emit { .. }
        | Command::Letter { .. }
        | Command::Node { .. }
        | Command::Note { .. }
        | Command::Message(_)
        | Command::Task(_)
        | Command::Agent(_) => Durability::Durable,
    }
}
