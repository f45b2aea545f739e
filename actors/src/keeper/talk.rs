//! The conversation with a run's program: what it writes is read as it comes, and what it waits
//! for is answered.
//!
//! Everything is read from the run's own files, from their beginning: a daemon that takes a run
//! over reads the same, and stands where the one before stood. Inputs have ids, and the shim
//! leaves out those that it has written before, so that reading twice says nothing twice (P6).

mod asks;

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use tokio::{fs::File, io::AsyncReadExt, time::Instant};
use worknode_core::{
    agent::AgentCommand,
    bounds,
    budget::Ledger,
    command::Command,
    ids::{NodeId, RunId},
    run::{RunLimits, RunSpec, StopCause},
    usage::{Stuck, Usage},
};
use worknode_process::{Exit, ExitStatus, Shim};
use worknode_profiles::driver::{Stream, Transport};
use worknode_profiles::stream::{
    Action, Cause, Conversation, End, Opening, Outcome, Phase, Pipe, Report, Resume,
};

use self::asks::{Asked, Asks};
use super::{
    job::name_of,
    session::{self, Session},
    tools::Tools,
    workspace::Launched,
};
use crate::{definition::AgentDefinition, pools, system::System};

/// Bytes that are read at once.
const READ: usize = 64 * 1024;

/// What a program said about its own end.
#[derive(Debug, Default)]
pub(super) struct LastWord {
    pub(super) usage: Usage,
    /// Why it is not well, when it is not.
    pub(super) failure: Option<String>,
    /// Not its own fault: its provider gave nothing more.
    pub(super) blameless: bool,
}

/// A conversation under way.
pub(super) struct Talk {
    system: System,
    agent: NodeId,
    run: RunId,
    limits: RunLimits,
    /// `None` when the program's output means nothing to us.
    conversation: Option<Conversation>,
    stdout: Tail,
    stderr: Tail,
    usage: Usage,
    /// What of it is stored, and since when.
    stored: Usage,
    stored_at: Instant,
    /// When a program that has said that it is done must be gone.
    gone_by: Option<Instant>,
    tools: Tools,
    /// While what an earlier daemon has heard is read again: where it led has been seen to, and
    /// only where it stands at the end counts.
    catching_up: bool,
    /// An earlier daemon may have heard a part.
    adopted: bool,
    /// What waits for a person's word.
    asks: Asks,
    definition: Option<Arc<AgentDefinition>>,
}

impl Talk {
    /// The conversation of a run, from its beginning. Of one that was adopted, an earlier daemon may have
    /// heard a part.
    pub(super) fn open(system: &System, agent: NodeId, spec: &RunSpec, adopted: bool) -> Self {
        let files = system.context().paths.run(spec.id);
        let definition = system.agent(agent);
        let reads = definition
            .as_ref()
            .filter(|agent| agent.driver.stream != Stream::None);
        let conversation = reads.map(|agent| {
            let launched = Launched::load(system, agent, spec);
            Conversation::new(
                &agent.driver,
                &Opening {
                    brief: &launched.brief,
                    brief_file: &launched.brief_file.to_string_lossy(),
                    cwd: &launched.clone.to_string_lossy(),
                    model: launched.model.as_deref(),
                    session: Some(&launched.session),
                    mcp: &launched.mcp,
                    resume: launched.resumes.as_ref().map(|session| Resume {
                        session: &session.id,
                        total: session.total,
                    }),
                    asks: agent.asks.is_some(),
                },
            )
        });
        Self {
            system: system.clone(),
            agent,
            run: spec.id,
            limits: spec.limits,
            conversation,
            stdout: Tail::of(files.join("stdout.log")),
            stderr: Tail::of(files.join("stderr.log")),
            usage: Usage::default(),
            stored: Usage::default(),
            stored_at: Instant::now(),
            gone_by: None,
            tools: Tools::of(system, &name_of(system, agent), spec, adopted),
            catching_up: true,
            adopted,
            asks: Asks::default(),
            definition,
        }
    }

    /// Says the first words, and hears what was said before this daemon came.
    pub(super) async fn begin(&mut self, shim: &Shim) -> Option<StopCause> {
        let first = self.conversation.as_mut().map(Conversation::begin);
        let stop = self.act(first.unwrap_or_default(), Some(shim)).await;
        let more = self.hear(shim).await;
        let asked = self.settle_unheard(shim).await;
        self.catching_up = false;
        let stuck = self.conversation.as_ref().and_then(|said| said.stuck().cloned());
        let still = match stuck {
            Some(stuck) => self.note_stuck(stuck).await,
            None if self.adopted => {
                self.note_unstuck().await;
                None
            }
            None => None,
        };
        stop.or(more).or(asked).or(still)
    }

    /// Hears what was written since the last time. Says why the run must end, when it must.
    pub(super) async fn hear(&mut self, shim: &Shim) -> Option<StopCause> {
        self.read(Some(shim)).await
    }

    /// Asks the program, in its own words, to break off.
    pub(super) async fn cancel(&mut self, shim: &Shim) {
        let actions = self.conversation.as_mut().map(Conversation::cancel);
        // It is being stopped already: nothing that follows from this can end it twice.
        let _ = self.act(actions.unwrap_or_default(), Some(shim)).await;
    }

    /// Can it be asked that?
    pub(super) fn cancels(&self) -> bool {
        let driver = self.definition.as_ref().map(|agent| &agent.driver);
        driver.is_some_and(|driver| driver.stop.cancel && driver.transport == Transport::TwoWay)
    }

    /// When something is to be done even though nothing is heard.
    pub(super) fn patience(&self) -> Option<Instant> {
        let unstored = (self.usage != self.stored).then(|| self.stored_at + bounds::USAGE_EVERY);
        let all = [unstored, self.gone_by, self.asks.sign_at()];
        all.into_iter().flatten().min()
    }

    /// What is to be done then.
    pub(super) async fn lose_patience(&mut self, shim: &Shim) -> Option<StopCause> {
        self.store_usage().await;
        self.show_a_sign(shim).await;
        let late = self.gone_by.is_some_and(|by| by <= Instant::now());
        if late {
            self.gone_by = None;
        }
        late.then_some(StopCause::Lingering)
    }

    /// The rest of the output, and what it means together with how the process ended.
    pub(super) async fn last_word(mut self, exit: &Exit) -> LastWord {
        let _ = self.read(None).await;
        let Some(conversation) = &self.conversation else {
            return LastWord::default();
        };
        let end = match exit.status {
            ExitStatus::Code(code) => End::Code(code),
            ExitStatus::Signal(signal) => End::Signal(signal),
            ExitStatus::Unknown => End::Unknown,
        };
        let usage = conversation.usage();
        let outcome = conversation.ended(end);
        self.keep_session(conversation, &outcome).await;
        match outcome {
            Outcome::Done => LastWord {
                usage,
                ..LastWord::default()
            },
            Outcome::Failed { reason, cause } => {
                let blameless = self.note_failure(cause).await;
                LastWord {
                    usage,
                    failure: Some(reason),
                    blameless,
                }
            }
        }
    }

    /// A run that broke off may be gone on with.
    async fn keep_session(&self, conversation: &Conversation, outcome: &Outcome) {
        let (Some(id), Outcome::Failed { cause, .. }) = (conversation.session(), outcome) else {
            return;
        };
        if session::survives(*cause) {
            let session = Session {
                id: id.to_owned(),
                total: conversation.session_total(),
            };
            let dir = self.system.context().paths.run(self.run);
            session::keep(&dir, &session).await;
        }
    }

    /// Tells the pool of credentials why the program gave up. Is it the provider's fault?
    async fn note_failure(&self, cause: Cause) -> bool {
        let stuck = match cause {
            Cause::Quota { reset_at } => Stuck::QuotaPaused { reset_at },
            Cause::Overloaded => Stuck::Overloaded,
            Cause::Auth
            | Cause::ContextExhausted
            | Cause::MaxTurns
            | Cause::Budget
            | Cause::Interrupted
            | Cause::Session
            | Cause::Input
            | Cause::Provider
            | Cause::NoResult
            | Cause::WorkLeftUndone
            | Cause::Crashed => return false,
        };
        pools::stuck(&self.system, self.run, &stuck).await;
        true
    }

    async fn read(&mut self, shim: Option<&Shim>) -> Option<StopCause> {
        let mut stop = None;
        for from in [Pipe::Stdout, Pipe::Stderr] {
            while let Some(conversation) = &mut self.conversation {
                let tail = match from {
                    Pipe::Stdout => &mut self.stdout,
                    Pipe::Stderr => &mut self.stderr,
                };
                let bytes = tail.read().await;
                if bytes.is_empty() {
                    break;
                }
                let actions = conversation.output(from, &bytes, self.system.now());
                let wants = self.act(actions, shim).await;
                stop = stop.or(wants);
            }
        }
        stop
    }

    async fn act(&mut self, actions: Vec<Action>, shim: Option<&Shim>) -> Option<StopCause> {
        self.note_tools(&actions);
        let mut stop = None;
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            let wants = match (action, shim) {
                (Action::Report(report), _) => self.note(report).await,
                (Action::Input { id, bytes }, Some(shim)) => {
                    let said = shim.input(&id, bytes).await;
                    said.unwrap_or_else(|error| {
                        tracing::warn!(%error, input = id, "the program could not be answered");
                    });
                    None
                }
                (Action::CloseInput, Some(shim)) => {
                    let closed = shim.close_input().await;
                    closed.unwrap_or_else(|error| {
                        tracing::debug!(%error, "the program's input could not be closed");
                    });
                    None
                }
                (Action::Finished, Some(_)) => {
                    self.gone_by.get_or_insert(Instant::now() + bounds::LINGER);
                    None
                }
                (Action::Ask { key, tool, what }, Some(_)) => {
                    actions.extend(self.ask(Asked { key, tool, what }).await);
                    None
                }
                (Action::Withdrawn { key }, Some(_)) => {
                    self.withdrawn(&key).await;
                    None
                }
                // It is gone, and nothing can be said to it any more.
                (
                    Action::Input { .. }
                    | Action::Ask { .. }
                    | Action::Withdrawn { .. }
                    | Action::CloseInput
                    | Action::Finished,
                    None,
                ) => None,
            };
            stop = stop.or(wants);
        }
        stop
    }

    /// Before anything is waited for: the end of the process cuts off what waits, and these stand
    /// nowhere else.
    fn note_tools(&mut self, actions: &[Action]) {
        let now = self.system.now();
        for action in actions {
            if let Action::Report(report) = action {
                self.tools.note(report, now, self.catching_up);
            }
        }
    }

    async fn note(&mut self, report: Report) -> Option<StopCause> {
        match report {
            Report::Stuck(_) | Report::Unstuck | Report::Unchecked { .. } if self.catching_up => None,
            Report::Session { id } => {
                let session = AgentCommand::InSession {
                    run: self.run,
                    session: id,
                };
                self.command(session).await;
                None
            }
            Report::Usage(usage) => self.note_usage(usage).await,
            Report::Stuck(stuck) => self.note_stuck(stuck).await,
            Report::Unstuck => {
                self.note_unstuck().await;
                None
            }
            Report::Unchecked { what } => {
                let message = format!("{what} did not answer in time, and the tool ran unchecked");
                self.system.notify("operator", message).await;
                None
            }
            other => {
                tracing::debug!(report = ?other, "the program says");
                None
            }
        }
    }

    async fn note_usage(&mut self, usage: Usage) -> Option<StopCause> {
        self.usage = usage;
        self.system.guard().used(self.run, &usage);
        pools::progressed(&self.system, self.run).await;
        if self.stored_at.elapsed() >= bounds::USAGE_EVERY {
            self.store_usage().await;
        }
        // What is done cannot be undone: a run whose last word brings it over its share has ended
        // its work, and the share shows as overrun.
        let ended = self.conversation.as_ref().map(Conversation::state);
        if matches!(ended, Some(Phase::Ended { .. })) {
            return None;
        }
        Ledger::reached(&self.limits, &usage).map(worknode_core::budget::Unit::stop_cause)
    }

    async fn store_usage(&mut self) {
        if self.usage != self.stored {
            let used = AgentCommand::Used {
                run: self.run,
                usage: self.usage,
            };
            self.command(used).await;
            self.stored = self.usage;
        }
        self.stored_at = Instant::now();
    }

    async fn note_stuck(&self, stuck: Stuck) -> Option<StopCause> {
        let told = AgentCommand::StuckOn {
            run: self.run,
            stuck: Some(stuck.clone()),
        };
        self.command(told).await;
        pools::stuck(&self.system, self.run, &stuck).await;
        let definition = self.definition.as_ref()?;
        pools::on_stuck(&self.system, definition, self.agent, stuck).await
    }

    async fn note_unstuck(&self) {
        let unstuck = AgentCommand::StuckOn {
            run: self.run,
            stuck: None,
        };
        self.command(unstuck).await;
    }

    async fn command(&self, command: AgentCommand) {
        if let Err(error) = self.system.command(self.agent, Command::Agent(command)).await {
            tracing::warn!(%error, "what the program says could not be stored");
        }
    }
}

/// Reads a file that grows, and that its writer may rename to end in `.1` and begin anew.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// Whether what was renamed before the first read has been looked at.
    begun: bool,
}

impl Tail {
    const fn of(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            begun: false,
        }
    }

    /// What comes next; nothing when there is nothing more yet.
    async fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; READ];
        loop {
            if self.file.is_none() && !self.open().await {
                return Vec::new();
            }
            let Some(file) = &mut self.file else {
                return Vec::new();
            };
            match file.read(&mut bytes).await {
                Ok(0) if self.was_renamed().await => self.file = None,
                Ok(read) => {
                    bytes.truncate(read);
                    return bytes;
                }
                Err(error) => {
                    tracing::warn!(%error, path = %self.path.display(), "output cannot be read");
                    return Vec::new();
                }
            }
        }
    }

    async fn open(&mut self) -> bool {
        if !self.begun {
            self.begun = true;
            let mut older = self.path.clone().into_os_string();
            older.push(".1");
            self.file = File::open(older).await.ok();
        }
        if self.file.is_none() {
            self.file = File::open(&self.path).await.ok();
        }
        self.file.is_some()
    }

    /// Is there another file at the path by now?
    async fn was_renamed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Some(file) = &self.file else { return false };
        let (Ok(open), Ok(there)) = (file.metadata().await, tokio::fs::metadata(&self.path).await) else {
            return false;
        };
        (open.dev(), open.ino()) != (there.dev(), there.ino())
    }
}
