//! What every actor of a runtime shares: the store, the clock, the repository, and the way to
//! each other.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::{MutexGuard, oneshot};
use worknode_core::{
    command::Command,
    error::{Code, Error, MAY_BE_DONE},
    event::{Draft, Event, Principal, Record},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Detail, Kind, Node, NodeSpec},
    task::{Progress, TaskCommand},
    time::{Clock, Timestamp},
};
use worknode_git::{Repository, Store};
use worknode_journal::{Durability, Journal, Reader};
use worknode_policies::{authority::Authority, plan::Planned, verdict::SigningKeys};

use crate::{
    address::Address,
    board::Board,
    capabilities::Capabilities,
    definition::{AgentDefinition, TeamDefinition},
    directory::{ActiveNodes, Mailboxes},
    fault,
    guard::Guard,
    membrane::{Ask, Boundaries, Reply},
    messages::{DirectoryMsg, KeeperMsg},
    policy::{Checkouts, Counts},
    request,
    spawn::Known,
    team::TeamMsg,
    tool_calls::ToolCalls,
    tuning::Tuning,
    violations::{Refusals, note_refusal},
};

/// An answer on its way.
pub(crate) type Answer = oneshot::Receiver<Result<Reply, Error>>;

/// How long a command may take to be answered before the asker gives up waiting. The command
/// itself is not undone: it may still be carried out.
const ANSWER: Duration = Duration::from_secs(30);

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The `.worknode` directory.
    pub state: PathBuf,
    /// The daemon's socket.
    pub socket: PathBuf,
    /// The `worknode` program that agents get on their `PATH`.
    pub program: PathBuf,
}

impl Paths {
    /// The directory of one run's files.
    #[must_use]
    pub fn run(&self, run: RunId) -> PathBuf {
        self.state.join("runs").join(run.to_string())
    }

    /// The private clone of one agent.
    #[must_use]
    pub fn workspace(&self, agent: &str) -> PathBuf {
        self.state.join("workspaces").join(agent)
    }
}

/// What a runtime is given at its start.
#[derive(Debug)]
pub struct Context {
    /// What happened, and what is.
    pub journal: Journal,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The team.
    pub team: TeamDefinition,
    /// The user's repository.
    pub repository: Repository,
    /// The runtime's own repository, in which work is judged.
    pub store: Store,
    /// The key that signs verdicts, and from which the secrets of shims follow.
    pub keys: SigningKeys,
    /// With what capabilities are signed, and which of them count.
    pub capabilities: Capabilities,
    /// Where things are.
    pub paths: Paths,
    /// Who watches what tools agents call.
    pub tool_calls: ToolCalls,
}

/// A handle on the running actors. Cheap to clone.
#[derive(Clone, Debug)]
pub struct System {
    context: Arc<Context>,
    directory: Address<DirectoryMsg>,
    active: Arc<ActiveNodes>,
    keeper: Address<KeeperMsg>,
    team: Address<TeamMsg>,
    board: Arc<Board>,
    runtime: Arc<Authority>,
    guard: Arc<Guard>,
    agents: Arc<RwLock<Known>>,
    /// One spawn at a time: each is counted before the next is allowed.
    spawning: Arc<tokio::sync::Mutex<()>>,
    /// Tasks that are claimed for an agent whose run is just about to be queued.
    claiming: Arc<Mutex<HashSet<NodeId>>>,
    boundaries: Arc<Boundaries>,
    /// Agents of triggers that are gone, which leave when they are idle.
    leaving: Arc<Mutex<HashSet<NodeId>>>,
    /// The team with the agents that came since the start, once there are some.
    present: Arc<RwLock<Option<Arc<TeamDefinition>>>>,
    refusals: Arc<Refusals>,
    counts: Arc<Counts>,
    checkouts: Arc<Checkouts>,
}

impl System {
    pub(crate) fn new(
        context: Arc<Context>,
        directory: Address<DirectoryMsg>,
        keeper: Address<KeeperMsg>,
        team: Address<TeamMsg>,
        guard: Arc<Guard>,
        agents: Known,
    ) -> Self {
        Self {
            agents: Arc::new(RwLock::new(agents)),
            spawning: Arc::default(),
            claiming: Arc::default(),
            refusals: Arc::default(),
            counts: Arc::new(Counts::at(&context.paths.state)),
            checkouts: Arc::new(Checkouts::at(&context.paths.state)),
            boundaries: Arc::new(Boundaries::new(context.journal.clone())),
            leaving: Arc::default(),
            present: Arc::default(),
            guard,
            context,
            directory,
            active: Arc::default(),
            keeper,
            team,
            board: Arc::default(),
            runtime: Arc::new(Authority::whole(Principal::Runtime)),
        }
    }

    /// What the runtime was given at its start.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The team, as it was at the start.
    #[must_use]
    pub fn team(&self) -> &TeamDefinition {
        &self.context.team
    }

    /// Looks at the team with the agents that the configuration has brought since the start. Its
    /// triggers are the scheduler's to know.
    pub(crate) fn with_present_team<T>(&self, look: impl FnOnce(&TeamDefinition) -> T) -> T {
        let present = self
            .present
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        look(present.as_deref().unwrap_or_else(|| self.team()))
    }

    /// From now on these agents are of the team; one of the same name is replaced.
    pub(crate) fn enlarge(&self, agents: &[AgentDefinition]) {
        self.amend(|team| {
            for agent in agents {
                self.learn(team.agent_node(&agent.name), agent.clone());
                match team.agents.iter_mut().find(|other| other.name == agent.name) {
                    Some(known) => *known = agent.clone(),
                    None => team.agents.push(agent.clone()),
                }
            }
        });
    }

    /// From now on the team is this.
    pub(crate) fn amend(&self, change: impl FnOnce(&mut TeamDefinition)) {
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        let mut team = TeamDefinition {
            triggers: Vec::new(),
            ..present.as_deref().unwrap_or_else(|| self.team()).clone()
        };
        change(&mut team);
        *present = Some(Arc::new(team));
    }

    /// What the team goes by now, of what may change while it works.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        self.with_present_team(Tuning::of)
    }

    /// The agent is to leave once it is idle.
    pub(crate) fn leaves(&self, agent: NodeId) {
        self.leaving().insert(agent);
    }

    /// It is wanted again.
    pub(crate) fn stays(&self, agent: NodeId) {
        self.leaving().remove(&agent);
    }

    /// From now on nobody can start it. False when it is wanted again.
    pub(crate) fn take_leave(&self, agent: NodeId, name: &str) -> bool {
        if !self.leaving().remove(&agent) {
            return false;
        }
        self.amend(|team| team.agents.retain(|known| known.name != name));
        self.agents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .forget(agent);
        self.guard.dismiss(agent);
        true
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, HashSet<NodeId>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the agent of this Worknode is.
    #[must_use]
    pub fn agent(&self, node: NodeId) -> Option<Arc<AgentDefinition>> {
        self.known().get(node)
    }

    /// All agents that can run: those of the configuration, and those that were spawned.
    #[must_use]
    pub(crate) fn agents(&self) -> Vec<(NodeId, Arc<AgentDefinition>)> {
        self.known().all()
    }

    /// From now on there is this agent too.
    pub(crate) fn learn(&self, node: NodeId, agent: AgentDefinition) {
        let mut known = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        known.learn(node, agent);
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here until the answer is dropped, a claim on this task without a run is no reason to
    /// take it back.
    pub(crate) fn claims_for_spawn(&self, task: NodeId) -> Claiming {
        let claiming = Arc::clone(&self.claiming);
        claiming
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(task);
        Claiming { claiming, task }
    }

    /// Is this task just being claimed for an agent that is spawned?
    pub(crate) fn is_claimed_for_spawn(&self, task: NodeId) -> bool {
        self.claiming
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&task)
    }

    /// Keeps everybody else from spawning for as long as the answer is kept, and waits for the
    /// spawn that is under way.
    pub async fn no_other_spawn(&self) -> MutexGuard<'_, ()> {
        self.spawning.lock().await
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.context.journal
    }

    /// A view of what is stored.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        self.context.journal.reader()
    }

    /// What was counted of the tests of trees.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Where programs of gates run.
    pub(crate) const fn checkouts(&self) -> &Arc<Checkouts> {
        &self.checkouts
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.context.clock
    }

    /// Now, by the clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// The runtime's own authority: for what it does in its own name.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.runtime
    }

    /// What stands between a wish and the deed.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What stands in front of each Worknode.
    #[must_use]
    pub fn boundaries(&self) -> &Boundaries {
        &self.boundaries
    }

    pub(crate) const fn keeper(&self) -> &Address<KeeperMsg> {
        &self.keeper
    }

    pub(crate) const fn directory(&self) -> &Address<DirectoryMsg> {
        &self.directory
    }

    /// How full the mailboxes of Worknodes are.
    #[must_use]
    pub fn mailboxes(&self) -> Mailboxes {
        self.active.mailboxes()
    }

    pub(crate) fn active(&self) -> &ActiveNodes {
        &self.active
    }

    pub(crate) const fn team_actor(&self) -> &Address<TeamMsg> {
        &self.team
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// How long a command may take to be answered.
    pub(crate) const fn answer_time(&self) -> Duration {
        ANSWER
    }

    /// Is this one of the team's own, that need not be looked up?
    pub(crate) fn is_known_holder(&self, holder: NodeId) -> bool {
        self.known().get(holder).is_some()
    }

    /// A fresh run identity.
    #[must_use]
    pub fn new_run(&self) -> RunId {
        let mut random = [0_u8; 10];
        random.copy_from_slice(&random_bytes::<10>());
        RunId::from_parts(self.now().as_millis(), random)
    }

    /// Asks a Worknode something, through its membrane.
    ///
    /// # Errors
    /// Whatever the membrane or the decision refuses; `timed_out` when no answer comes.
    pub async fn ask(
        &self,
        authority: &Arc<Authority>,
        node: NodeId,
        command: Command,
        cause: Option<Hlc>,
    ) -> Result<Reply, Error> {
        let answer = self.send(authority, node, command, cause)?;
        let answer = self.answer_to(answer).await;
        if let Err(error) = &answer {
            note_refusal(self, &authority.principal, node, error).await;
        }
        answer
    }

    /// What was refused of late.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Asks, without waiting for the answer: [`Self::answer_to`] does.
    pub(crate) fn begin_to_ask(
        &self,
        authority: &Arc<Authority>,
        node: NodeId,
        command: Command,
    ) -> Result<Answer, Error> {
        self.send(authority, node, command, None)
    }

    fn send(
        &self,
        authority: &Arc<Authority>,
        node: NodeId,
        command: Command,
        cause: Option<Hlc>,
    ) -> Result<Answer, Error> {
        let (reply, answer) = oneshot::channel();
        let counts = !request::is_repeatable(&command);
        let ask = Ask {
            authority: Arc::clone(authority),
            command,
            cause,
            request: counts.then(request::present).flatten(),
            reply,
        };
        self.active.route(self, node, ask)?;
        Ok(answer)
    }

    /// Waits for an answer, within bounds.
    pub(crate) async fn answer_to(&self, answer: Answer) -> Result<Reply, Error> {
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(
                Error::new(Code::Failed, "the Worknode's actor ended before it answered")
                    .hint("what was acknowledged is stored; ask again"),
            ),
            Err(_) => {
                Err(Error::new(Code::TimedOut, "the Worknode did not answer in time").hint(MAY_BE_DONE))
            }
        }
    }

    /// Says how far a task is. A report on what somebody outside holds is acknowledged at once, and
    /// stored a moment later unless a newer one replaces it; any other goes to the task itself.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn report_progress(
        &self,
        authority: &Arc<Authority>,
        task: NodeId,
        epoch: u64,
        progress: Progress,
    ) -> Result<(), Error> {
        let percent = progress.percent.map(|percent| percent.min(100));
        let progress = Progress { percent, ..progress };
        if let Some(taken) = self.board.report(task, authority, epoch, progress.clone()) {
            return taken;
        }
        let command = Command::Task(TaskCommand::Progress { epoch, progress });
        self.ask(authority, task, command, None).await.map(drop)
    }

    /// Asks in the runtime's own name.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn command(&self, node: NodeId, command: impl Into<Command>) -> Result<Reply, Error> {
        self.command_after(None, node, command).await
    }

    /// The same because of the event `cause`.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn command_after(
        &self,
        cause: Option<Hlc>,
        node: NodeId,
        command: impl Into<Command>,
    ) -> Result<Reply, Error> {
        self.ask(&self.runtime, node, command.into(), cause).await
    }

    /// Appends events that change no Worknode's state, in the runtime's name.
    ///
    /// # Errors
    /// Whatever the journal refuses.
    pub async fn record(
        &self,
        by: Principal,
        node: NodeId,
        events: Vec<Event>,
    ) -> Result<Vec<Record>, Error> {
        self.record_after(None, by, node, events).await
    }

    /// The same because of the event `cause`. The first of them names it; the others follow from the
    /// first.
    ///
    /// # Errors
    /// Whatever the journal refuses.
    pub async fn record_after(
        &self,
        cause: Option<Hlc>,
        by: Principal,
        node: NodeId,
        events: Vec<Event>,
    ) -> Result<Vec<Record>, Error> {
        self.store(drafts(node, &by, cause, events)).await
    }

    /// Appends what has been decided, all or none.
    ///
    /// # Errors
    /// Whatever the journal refuses.
    pub(crate) async fn store(&self, mut drafts: Vec<Draft>) -> Result<Vec<Record>, Error> {
        let is_named = request::name(request::present(), self.team().node(), &mut drafts);
        fault::before(drafts.iter().map(|draft| &draft.event));
        let mut records = self.journal().append(drafts, Durability::Durable).await?;
        fault::after(records.iter().map(|record| &record.event));
        if is_named {
            records.pop();
        }
        Ok(records)
    }

    /// The Worknode of a phase that no plan names: it holds what triggers and people add.
    pub(crate) fn phase(&self, name: &str) -> NodeId {
        Planned::phase_id(self.team().node(), name)
    }

    /// The same, made when it is not there yet.
    pub(crate) async fn ensure_phase(&self, name: &str) -> Result<NodeId, Error> {
        let phase = self.phase(name);
        if self.reader().node(phase)?.is_some() {
            return Ok(phase);
        }
        let node = NodeSpec::new(
            Some(self.team().node()),
            Kind::Phase,
            name.to_owned(),
            Detail::Plain,
        );
        match self
            .record(Principal::Runtime, phase, vec![Event::NodeCreated { node }])
            .await
        {
            Ok(_) => Ok(phase),
            // Somebody else was faster.
            Err(error) if error.code == Code::AlreadyExists => Ok(phase),
            Err(error) => Err(error),
        }
    }

    /// Tells the operator something, durably; a failure to do so is logged, never swallowed.
    pub async fn notify(&self, to: &str, message: String) {
        let event = Event::Notified {
            to: to.to_owned(),
            message,
        };
        if let Err(error) = self
            .record(Principal::Runtime, self.team().node(), vec![event])
            .await
        {
            tracing::error!(%error, "a notification could not be stored");
        }
    }
}

/// The events of one decision, which `cause` led to. The first of them names it. The others follow
/// from the first, which has no stamp yet: their place beside it says so.
pub(crate) fn drafts(node: NodeId, by: &Principal, cause: Option<Hlc>, events: Vec<Event>) -> Vec<Draft> {
    let causes = std::iter::once(cause).chain(std::iter::repeat(None));
    let draft = |(event, cause)| Draft {
        node,
        by: by.clone(),
        cause,
        event,
    };
    events.into_iter().zip(causes).map(draft).collect()
}

/// See [`System::claims_for_spawn`].
#[derive(Debug)]
pub(crate) struct Claiming {
    claiming: Arc<Mutex<HashSet<NodeId>>>,
    task: NodeId,
}

impl Drop for Claiming {
    fn drop(&mut self) {
        let mut claiming = self.claiming.lock().unwrap_or_else(PoisonError::into_inner);
        claiming.remove(&self.task);
    }
}

impl Reply {
    /// The last event that was stored: the cause of what is done because of this answer.
    #[must_use]
    pub fn stamp(&self) -> Option<Hlc> {
        match self {
            Self::Done { records, .. } => records.last().map(|record| record.at),
            Self::PutAside { letter, .. } => Some(*letter),
            Self::Conflated => None,
        }
    }

    /// The Worknode afterwards.
    ///
    /// # Errors
    /// `backpressure` when the message was one that a newer one replaced; `refused` when it was put
    /// aside.
    pub fn node(self) -> Result<Arc<Node>, Error> {
        match self {
            Self::Done { node, .. } => Ok(node),
            Self::Conflated => Err(Error::backpressure("progress")),
            Self::PutAside { letter, reason } => {
                let message = format!("the event is kept as dead letter {letter}: {reason}");
                Err(Error::new(Code::Refused, message))
            }
        }
    }
}

/// Bytes that nobody can guess.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    if getrandom::fill(&mut bytes).is_err() {
        // No entropy device at all: ids must still differ, and secrets are made at boot, where
        // the same failure is an error.
        bytes.copy_from_slice(&fallback_bytes::<N>());
    }
    bytes
}

fn fallback_bytes<const N: usize>() -> [u8; N] {
    use std::hash::{BuildHasher, Hasher};
    let mut bytes = [0_u8; N];
    for chunk in bytes.chunks_mut(8) {
        let word = std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish()
            .to_be_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes
}

/// Random bits, for jitter.
#[must_use]
pub fn random_u64() -> u64 {
    u64::from_be_bytes(random_bytes())
}
