//! One step of the explored world: what is asked, what is stored, who hears of it.

use worknode_core::error::Code;

use super::{
    action::Verdict,
    book::{Answer, Book, TeamQuestion},
    policy, promises,
    sight::{Mark, Stands},
    state::{Daemon, Fire, Fired, Job, Keep, KeepAt, Life, Policy, Ref, State, View},
    team,
    words::{AGENTS, AgentWord, End, OCCURRENCES, Run, TASKS, TaskWord, Who, agents, tasks},
};

/// A state that is being changed.
pub(super) struct Turn<'a> {
    pub(super) book: &'a Book,
    pub(super) state: State,
}

impl<'a> Turn<'a> {
    /// From this state.
    pub(super) const fn new(book: &'a Book, state: State) -> Self {
        Self { book, state }
    }

    /// Asks a task, as its Worknode's actor would be asked: decide, append, and let everybody hear.
    pub(super) fn ask_task(&mut self, task: u8, word: TaskWord, who: Who) -> Result<(), Code> {
        let at = usize::from(task);
        let stored = self.state.stored.tasks[at];
        match self.book.ask_task(task, stored, word, who, self.state.world.now) {
            Answer::Refused(code) => Err(code),
            Answer::Done { next, marks } => {
                for mark in marks.iter() {
                    promises::note_task(self.book, &mut self.state, task, mark, word, who);
                }
                self.state.stored.tasks[at] = next;
                self.tell_team(task);
                Ok(())
            }
        }
    }

    /// Asks an agent.
    pub(super) fn ask_agent(&mut self, agent: u8, word: AgentWord) -> Result<(), Code> {
        let at = usize::from(agent);
        let stored = self.state.stored.agents[at];
        match self.book.ask_agent(stored, word, self.state.world.now) {
            Answer::Refused(code) => Err(code),
            Answer::Done { next, marks } => {
                self.state.stored.agents[at] = next;
                for mark in marks.iter() {
                    self.follow(agent, mark);
                }
                self.tell_team(news_of_agent(agent));
                Ok(())
            }
        }
    }

    /// What an agent's events and effects lead to.
    fn follow(&mut self, agent: u8, mark: &Mark) {
        match *mark {
            Mark::Queued(run) => promises::note_queued(&mut self.state, run),
            Mark::Permit(run) => self.keep(run, agent, KeepAt::Permit, false),
            Mark::Stop(run) => {
                let daemon = self.state.daemon.as_mut();
                let keep = daemon.and_then(|daemon| daemon.keeps.iter_mut().find(|keep| keep.run == run));
                if let Some(keep) = keep {
                    keep.stop = true;
                }
            }
            Mark::Exited(run, end) => {
                self.state.stored.over.push((run, end));
                self.state.world.processes.retain(|process| process.run != run);
                self.note_silence(run);
            }
            _ => {}
        }
    }

    /// A review that is over while its submission still waits, in the team's eyes.
    fn note_silence(&mut self, run: Run) {
        let (Run::Review { task, .. }, Some(daemon)) = (run, &mut self.state.daemon) else {
            return;
        };
        let at = usize::from(task);
        let seen = self.book.task(daemon.view.tasks[at]);
        let waits = matches!(
            seen.stands,
            Stands::Review {
                asked: true,
                approved: false
            }
        );
        if daemon.is_open() && waits {
            let (epoch, times) = daemon.view.silent[at];
            let times = if epoch == seen.epoch { times } else { 0 };
            daemon.view.silent[at] = (seen.epoch, times.saturating_add(1));
        }
    }

    /// Puts a run into the keeper's hands.
    pub(super) fn keep(&mut self, run: Run, agent: u8, at: KeepAt, stop: bool) {
        if let Some(daemon) = &mut self.state.daemon {
            daemon.keeps.push(Keep { run, agent, at, stop });
        }
    }

    /// The team hears of a Worknode, unless its news is held up.
    fn tell_team(&mut self, news: u8) {
        let Some(daemon) = &mut self.state.daemon else {
            return;
        };
        if daemon.view.late != Some(news) {
            daemon
                .view
                .refresh(&self.state.stored.tasks, &self.state.stored.agents, news);
        }
    }

    /// A step of the team is over: it looks at the store.
    pub(super) fn job_done(&mut self, job: Job) {
        let (task, agent) = job.touches();
        let Some(daemon) = &mut self.state.daemon else {
            return;
        };
        for news in task.into_iter().chain(agent.map(news_of_agent)) {
            daemon
                .view
                .refresh(&self.state.stored.tasks, &self.state.stored.agents, news);
            if daemon.view.late == Some(news) {
                daemon.view.late = None;
            }
        }
    }

    /// What follows at once: the team decides on what it has heard, the policy actor wakes up for
    /// what has changed. A step that is one append and nothing else is taken in the same breath: a
    /// crash before it and the crash before its cause come to the same.
    pub(super) fn settle(mut self) -> State {
        while self.state.daemon.as_ref().is_some_and(Daemon::is_open) {
            self.react();
            for task in tasks() {
                policy::poke(&mut self, task);
            }
            if !self.take_small_step() {
                break;
            }
        }
        self.forget();
        self.state
    }

    fn take_small_step(&mut self) -> bool {
        let Some(daemon) = &self.state.daemon else {
            return false;
        };
        let small = |job: &&Job| matches!(job, Job::MarkReady { .. } | Job::Wake { .. });
        if let Some(job) = daemon.jobs.iter().find(small).copied() {
            team::act(self, job);
            return true;
        }
        let asks = tasks().find_map(|task| {
            let policy = daemon.policy[usize::from(task)];
            matches!(policy, Policy::Ask(_)).then_some((task, policy))
        });
        let Some((task, policy)) = asks else {
            return false;
        };
        policy::act(self, task, policy, Verdict::Well);
        true
    }

    fn react(&mut self) {
        let now = self.state.world.now;
        let Some(daemon) = &mut self.state.daemon else {
            return;
        };
        let mut question = TeamQuestion {
            tasks: daemon.view.tasks,
            agents: daemon.view.agents,
            busy_tasks: [false; TASKS],
            busy_agents: [false; AGENTS],
            silent: daemon.view.silent,
            now,
        };
        for job in &daemon.jobs {
            let (task, agent) = job.touches();
            if let Some(task) = task {
                question.busy_tasks[usize::from(task)] = true;
            }
            if let Some(agent) = agent {
                question.busy_agents[usize::from(agent)] = true;
            }
        }
        daemon.jobs.extend(self.book.steps(question).iter());
    }

    /// Brings equal states to one form.
    fn forget(&mut self) {
        let state = &mut self.state;
        let (book, stored) = (self.book, &mut state.stored);
        let claims = stored.tasks.map(|task| match book.task(task).stands {
            Stands::Held { run, .. } => Some(run),
            _ => None,
        });
        stored.over.retain(|(run, _)| claims.contains(&Some(*run)));
        stored.over.sort_unstable();
        state.world.processes.sort_unstable();
        state.world.said.sort_unstable();
        state.world.said.dedup();
        if let Some(daemon) = &mut state.daemon {
            daemon.jobs.sort_unstable();
            daemon.keeps.sort_unstable();
        }
    }

    /// How a run ended, when it has.
    pub(super) fn end_of(&self, run: Run) -> Option<Ref> {
        let over = &self.state.stored.over;
        over.iter().find(|(known, _)| *known == run).map(|(_, end)| *end)
    }

    /// Does an agent have this run, in the store?
    pub(super) fn is_live(&self, run: Run) -> bool {
        let agents = &self.state.stored.agents;
        agents
            .iter()
            .any(|agent| self.book.agent(*agent).run == Some(run))
    }
}

/// The number under which the news of an agent goes: tasks first, then agents.
pub(super) fn news_of_agent(agent: u8) -> u8 {
    agent.saturating_add(u8::try_from(TASKS).unwrap())
}

impl View {
    fn refresh(&mut self, tasks: &[Ref; TASKS], agents: &[Ref; AGENTS], news: u8) {
        let at = usize::from(news);
        if at < TASKS {
            self.tasks[at] = tasks[at];
        } else {
            self.agents[at - TASKS] = agents[at - TASKS];
        }
    }
}

impl Daemon {
    /// A daemon that has just begun.
    pub(super) const fn begin(tasks: [Ref; TASKS], agents: [Ref; AGENTS]) -> Self {
        Self {
            adopted: 0,
            view: View {
                tasks,
                agents,
                late: None,
                silent: [(0, 0); TASKS],
            },
            jobs: Vec::new(),
            keeps: Vec::new(),
            policy: [Policy::Rest; TASKS],
            fires: [Fire::Idle; OCCURRENCES],
        }
    }

    /// Has it taken everything over?
    pub(super) const fn is_open(&self) -> bool {
        self.adopted == AGENTS
    }
}

/// A daemon begins. What it need not take over costs it no step.
pub(super) fn boot(turn: &mut Turn<'_>) {
    let stored = &turn.state.stored;
    turn.state.daemon = Some(Daemon::begin(stored.tasks, stored.agents));
    pass_idle(turn);
}

/// Takes over the run of the next agent that an earlier daemon left; after the last, opens.
pub(super) fn adopt(turn: &mut Turn<'_>) {
    if let Some((agent, Some(run))) = next_agent(turn) {
        take_over(turn, agent, run);
    }
    if let Some(daemon) = &mut turn.state.daemon {
        daemon.adopted += 1;
    }
    pass_idle(turn);
}

/// The next agent to look after, and its run.
fn next_agent(turn: &Turn<'_>) -> Option<(u8, Option<Run>)> {
    let agent = agents().nth(turn.state.daemon.as_ref()?.adopted)?;
    let seen = turn.book.agent(turn.state.stored.agents[usize::from(agent)]);
    Some((agent, seen.run))
}

fn pass_idle(turn: &mut Turn<'_>) {
    while let Some((_, None)) = next_agent(turn) {
        if let Some(daemon) = &mut turn.state.daemon {
            daemon.adopted += 1;
        }
    }
    if turn.state.daemon.as_ref().is_some_and(Daemon::is_open) {
        open(turn);
    }
}

/// What lives is taken over as it is; what is over, or never began, is closed.
fn take_over(turn: &mut Turn<'_>, agent: u8, run: Run) {
    let seen = turn.book.agent(turn.state.stored.agents[usize::from(agent)]);
    let processes = &turn.state.world.processes;
    let end = match processes
        .iter()
        .find(|process| process.run == run)
        .map(|p| p.life)
    {
        Some(Life::Works | Life::Done) => {
            let at = match (turn.book.rules.adopts, seen.told) {
                (true, true) => KeepAt::Told { before: true },
                (true, false) => KeepAt::Forked,
                (false, _) => KeepAt::Permit,
            };
            turn.keep(run, agent, at, seen.stopping);
            return;
        }
        Some(Life::Over(end)) => end,
        None => End::NotStarted,
    };
    // A start of the daemon that cannot store this fails, and is made again.
    let _ = turn.ask_agent(agent, AgentWord::Exited { run, end });
}

/// The team and the scheduler begin, with what is stored.
fn open(turn: &mut Turn<'_>) {
    let (stored, due) = (&turn.state.stored, turn.state.left.firings);
    let Some(daemon) = &mut turn.state.daemon else {
        return;
    };
    daemon.view.tasks = stored.tasks;
    daemon.view.agents = stored.agents;
    for ((fire, fired), due) in daemon.fires.iter_mut().zip(stored.firings).zip(due) {
        *fire = match fired {
            Fired::Open => Fire::Start,
            // The window in which it fell due may be looked at again.
            Fired::Not | Fired::Settled if due => Fire::Due,
            Fired::Not | Fired::Settled => Fire::Idle,
        };
    }
}
