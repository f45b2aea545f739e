//! What a firing started is over: its run, its task, the time of what was raised.

use std::collections::BTreeSet;

use worknode_core::{
    agent::{AgentCommand, ended},
    command::Command,
    error::{Code, Error},
    event::{Event, Record},
    firing::Started,
    hlc::Hlc,
    ids::NodeId,
    node::Node,
    run::{Receipt, RunStatus, StopCause},
    task::{TaskCommand, TaskStatus},
    time::Timestamp,
};
use worknode_triggers::{Admission, Occurrence, Situation, admit, trigger::Action};

use super::{
    State, TRY_AGAIN, deed,
    job::{Came, Job, Live, Stage, bounded},
    outcome,
};
use crate::system::System;

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) outcome: String,
    pub(super) failed: bool,
}

impl End {
    fn of_run(receipt: &Receipt) -> Self {
        // Whom somebody stops has not failed.
        let stopped = receipt.cause.as_ref().is_some_and(|cause| {
            matches!(
                cause,
                StopCause::Requested { .. }
                    | StopCause::Panic { .. }
                    | StopCause::Shutdown
                    | StopCause::Lingering
            )
        });
        Self {
            outcome: ended(receipt),
            failed: !receipt.is_clean() && !stopped,
        }
    }

    fn of_task(status: &TaskStatus) -> Option<Self> {
        let failed = matches!(status, TaskStatus::Failed { .. });
        status.is_terminal().then(|| Self {
            outcome: format!("its task is {}", status.name()),
            failed,
        })
    }
}

/// Is it over already, as the store has it?
pub(super) fn already(system: &System, started: Started) -> Option<End> {
    let gone = || End {
        outcome: "it is not there any more".to_owned(),
        failed: true,
    };
    match started {
        Started::Run(run) => match system.reader().run(run) {
            Ok(Some(stored)) => match &stored.run.status {
                RunStatus::Exited { receipt } => Some(End::of_run(receipt)),
                _ => None,
            },
            Ok(None) => Some(gone()),
            Err(_) => None,
        },
        Started::Task(task) => match system.reader().node(task) {
            Ok(Some(node)) => node.task().and_then(|task| End::of_task(&task.status)),
            Ok(None) => Some(gone()),
            Err(_) => None,
        },
        // Its time is on the agenda.
        Started::Priority { .. } | Started::Raised { .. } => None,
    }
}

impl State {
    /// Takes notice of ends. True when others may begin because of it.
    pub(super) async fn note_end(&mut self, record: &Record) -> bool {
        match &record.event {
            Event::RunExited { run, receipt } => {
                self.ended(Started::Run(*run), End::of_run(receipt)).await;
                true
            }
            Event::TaskCompleted { .. } | Event::TaskFailed { .. } | Event::TaskCancelled { .. } => {
                if let Some(end) = already(&self.system, Started::Task(record.node)) {
                    self.ended(Started::Task(record.node), end).await;
                }
                false
            }
            Event::TaskSubmitted { .. } => {
                self.end_of_work(record.node);
                false
            }
            Event::PanicLifted { .. } | Event::PoolResumed { .. } => true,
            _ => false,
        }
    }

    /// Tries again what could not be taken back or stored when it came.
    pub(super) async fn end_again(&mut self) {
        for (started, raised_by, fired) in std::mem::take(&mut self.left_raised) {
            self.lower(started, &raised_by, fired).await;
        }
        for (started, end) in std::mem::take(&mut self.ends) {
            self.ended(started, end).await;
        }
    }

    /// Records the end of what a firing started.
    pub(super) async fn ended(&mut self, started: Started, end: End) {
        let Some((trigger, occurrence)) = self.running.get(&started).cloned() else {
            return;
        };
        let event = Event::TriggerEnded {
            trigger: trigger.clone(),
            occurrence,
            outcome: bounded(end.outcome.clone()),
            failed: end.failed,
        };
        match self.system.store(vec![self.draft(&trigger, None, event)]).await {
            Ok(_) => drop(self.running.remove(&started)),
            Err(error) => {
                tracing::error!(%error, trigger, "the end of a firing could not be stored; it is tried again");
                self.try_again();
                self.ends.insert(started, end);
            }
        }
    }

    /// The task is handed in: whoever worked on it may end (`auto_terminate`).
    fn end_of_work(&mut self, task: NodeId) {
        let Some((trigger, occurrence)) = self.running.get(&Started::Task(task)) else {
            return;
        };
        let slot = self.slots.place(trigger).and_then(|place| self.slots.get(place));
        let live = slot.and_then(|slot| slot.live.iter().find(|live| live.key() == occurrence));
        let Some(job) = live.map(|live| live.job.clone()) else {
            return;
        };
        if matches!(job.action.as_ref(), Action::Spawn(spec) if spec.auto_terminate) {
            let system = self.system.clone();
            self.jobs
                .spawn(async move { deed::spawn::end_worker(&system, &job, task).await });
        }
    }

    /// What is on the agenda of the firings of one trigger: further attempts, ends of what was
    /// raised.
    pub(super) async fn step_live(&mut self, place: usize, now: Timestamp) {
        let Some(slot) = self.slots.get(place) else { return };
        let agenda: Vec<Due> = slot.live.iter().filter_map(|live| Due::of(live, now)).collect();
        for due in agenda {
            match due {
                Due::Again(key) => self.begin(place, &key, Vec::new()),
                Due::Over(started, occurrence, fired) => self.lower(started, &occurrence, fired).await,
            }
        }
    }

    /// Takes back what a firing raised, and records that. What fails for the moment is tried again.
    pub(super) async fn lower(&mut self, started: Started, raised_by: &Occurrence, fired: Hlc) {
        let end = match take_back(&self.system, started, raised_by, fired).await {
            Ok(()) => End {
                outcome: "taken back".to_owned(),
                failed: false,
            },
            Err(error) if may_pass(&error) => {
                tracing::error!(%error, "what a task was raised by could not be taken back; it is tried again");
                self.try_again();
                // Otherwise it is on the agenda of its trigger still.
                let slot = self.slots.place(&raised_by.trigger);
                let slot = slot.and_then(|place| self.slots.get(place));
                if slot.is_none_or(|slot| slot.live.iter().all(|live| live.key() != raised_by.key)) {
                    self.left_raised.push((started, raised_by.clone(), fired));
                }
                return;
            }
            Err(error) => End {
                outcome: format!("not taken back: {error}"),
                failed: true,
            },
        };
        self.ended(started, end).await;
    }

    /// When whoever waits has to be asked again although nothing happens: at the end of a
    /// provider's pause.
    pub(super) fn ask_at_end_of_pause(&mut self, now: Timestamp) {
        let waits = !self.waiting.is_empty();
        let end = self.system.guard().due(now).filter(|_| waits);
        let ask = end.map(|end| end.max(now.plus(TRY_AGAIN)));
        self.ask_again = self.ask_again.into_iter().chain(ask).min();
    }

    /// Whoever waits is asked again whether it still has to.
    pub(super) async fn wake_waiting(&mut self, touched: &mut BTreeSet<usize>) {
        for place in std::mem::take(&mut self.waiting) {
            let Some(slot) = self.slots.get(place) else {
                continue;
            };
            let waiting = slot.live.iter().filter(|live| live.is_waiting());
            let waiting: Vec<_> = waiting.map(|live| live.job.clone()).collect();
            for job in waiting {
                let still = self.ask_again(place, &job).await;
                if !still {
                    touched.insert(place);
                }
            }
        }
    }

    /// Lets one begin that waited, or go, unless it still has to wait: then it says so.
    async fn ask_again(&mut self, place: usize, job: &Job) -> bool {
        let situation = Situation {
            waiting: false,
            ..self.situation(place, &job.action)
        };
        let admission = admit(&job.trigger, &situation);
        let waits = matches!(admission, Admission::Wait(_));
        match admission {
            Admission::Wait(_) => drop(self.waiting.insert(place)),
            Admission::Start => self.begin(place, &job.occurrence.key, Vec::new()),
            Admission::ReplacePrevious => {
                let previous = self.previous(place);
                self.begin(place, &job.occurrence.key, previous);
            }
            // A panic that skips others does not take back what was accepted.
            Admission::Skip(_) if situation.panic => drop(self.waiting.insert(place)),
            Admission::Skip(reason) => {
                let came = Came::Done(format!("not done: {reason}"));
                outcome::store(&self.system, job, job.acted_event(came)).await;
            }
        }
        waits
    }
}

/// What is due of a firing that is under way.
enum Due {
    /// Another attempt, by its key.
    Again(String),
    /// The end of what it raised.
    Over(Started, Occurrence, Hlc),
}

impl Due {
    fn of(live: &Live, now: Timestamp) -> Option<Self> {
        match &live.stage {
            Stage::Resting(until) if *until <= now => Some(Self::Again(live.key().to_owned())),
            Stage::Running(started @ (Started::Priority { until, .. } | Started::Raised { until, .. }))
                if *until <= now =>
            {
                Some(Self::Over(*started, live.job.occurrence.clone(), live.job.fired))
            }
            _ => None,
        }
    }
}

/// The priority is again what it was, and rights that were given are over: also where a daemon was
/// not there to say so, they are worth nothing since that instant.
async fn take_back(
    system: &System,
    started: Started,
    raised_by: &Occurrence,
    fired: Hlc,
) -> Result<(), Error> {
    let ask = |task, command| system.command_after(Some(fired), task, Command::Task(command));
    let (task, from) = match started {
        Started::Priority { task, from, .. } => (task, Some(from)),
        Started::Raised { task, from, .. } => {
            let firing = raised_by.to_string();
            ask(task, TaskCommand::Lower { firing }).await?;
            (task, from)
        }
        Started::Run(_) | Started::Task(_) => return Ok(()),
    };
    let Some(priority) = from else { return Ok(()) };
    let open = |node: &Node| node.task().is_some_and(|task| !task.status.is_terminal());
    if system.reader().node(task)?.as_ref().is_some_and(open) {
        ask(task, TaskCommand::Prioritise { priority }).await?;
    }
    Ok(())
}

/// Is it worth asking again: is it the store or the moment, and not what was asked?
const fn may_pass(error: &Error) -> bool {
    matches!(
        error.code,
        Code::Failed
            | Code::Backpressure
            | Code::Unreachable
            | Code::TimedOut
            | Code::DiskFull
            | Code::IllegalTransition
    )
}

/// Ends the run of a firing, in the trigger's name.
pub(super) const fn stop(cause: StopCause) -> Command {
    Command::Agent(AgentCommand::StopRun { cause, grace: None })
}
