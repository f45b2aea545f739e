//! One firing on its way: what is to be done, for what, and how far it is.

use std::sync::Arc;

use tokio::task::AbortHandle;
use worknode_core::{
    event::Event,
    firing::{Firing, Started},
    hlc::Hlc,
    ids::NodeId,
    time::Timestamp,
};
use worknode_triggers::{
    Occurrence, Trigger,
    trigger::{Action, When},
};

/// A firing that acts, or will.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) trigger: Arc<Trigger>,
    pub(super) occurrence: Occurrence,
    /// When it was due.
    pub(super) due: Timestamp,
    pub(super) action: Arc<Action>,
    /// The task whose deadline it is about.
    pub(super) task: Option<NodeId>,
    /// The event that it fires on.
    pub(super) event: Option<Hlc>,
    /// The event that recorded it; the cause of all that it does.
    pub(super) fired: Hlc,
    /// Attempts that failed.
    pub(super) attempts: u32,
    /// An earlier daemon may have begun with it.
    pub(super) again: bool,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It is done.
    Done(String),
    /// Something was started that goes on by itself.
    Started(String, Started),
    /// It went wrong.
    Failed(String),
    /// It was not begun, and may be then: somebody else had what it needs.
    Later(String, Timestamp),
}

/// A firing that is not over.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) job: Job,
    pub(super) stage: Stage,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// It acts when what hinders it is over.
    Waiting,
    /// It acts.
    Acting(Option<AbortHandle>),
    /// An attempt failed; the next one comes then.
    Resting(Timestamp),
    /// What it started goes on.
    Running(Started),
}

impl Live {
    pub(super) fn key(&self) -> &str {
        &self.job.occurrence.key
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting)
    }
}

impl Job {
    /// The events of this firing: the first of all.
    pub(super) fn fired_event(&self, by: Option<&worknode_core::event::Principal>) -> Event {
        Event::TriggerFired {
            trigger: self.occurrence.trigger.clone(),
            occurrence: self.occurrence.key.clone(),
            due: self.due,
            by: by.cloned().map(Box::new),
        }
    }

    /// The last one.
    pub(super) fn acted_event(&self, came: Came) -> Event {
        let (outcome, failed, started) = match came {
            Came::Done(outcome) => (outcome, false, None),
            Came::Started(outcome, started) => (outcome, false, Some(started)),
            Came::Failed(outcome) | Came::Later(outcome, _) => (outcome, true, None),
        };
        Event::TriggerActed {
            trigger: self.occurrence.trigger.clone(),
            occurrence: self.occurrence.key.clone(),
            outcome: bounded(outcome),
            failed,
            started,
        }
    }

    /// A firing of an earlier daemon, as its name tells. `None` when the trigger has no such
    /// step any more. `task_of` finds a task by its key.
    pub(super) fn recall(
        trigger: &Arc<Trigger>,
        firing: &Firing,
        task_of: impl Fn(&str) -> Option<NodeId>,
    ) -> Option<Self> {
        let occurrence = Occurrence {
            trigger: firing.trigger.clone(),
            key: firing.occurrence.clone(),
        };
        let step = || {
            let (rest, step) = occurrence.key.rsplit_once('#')?;
            let (task, _) = rest.rsplit_once('@')?;
            Some((task.to_owned(), step.to_owned()))
        };
        let (action, task) = match trigger.when() {
            When::Deadline(ladder) => {
                let (task, step) = step()?;
                let named = |when: String| when.replace(' ', "") == step;
                let mut steps = ladder.steps.iter();
                let step = steps.find(|step| named(step.when.to_string()))?;
                (Arc::clone(&step.action), task_of(&task))
            }
            _ => (trigger.action().cloned()?, None),
        };
        let event = occurrence.key.parse().ok();
        Some(Self {
            trigger: Arc::clone(trigger),
            occurrence,
            due: firing.due,
            action,
            task,
            event,
            fired: firing.recorded,
            attempts: firing.course.attempts,
            again: true,
        })
    }
}

/// Can two of it run beside each other, so that `overlap` matters? What is over at once cannot.
pub(super) const fn takes_time(action: &Action) -> bool {
    match action {
        Action::Spawn(_) | Action::Gate(_) | Action::Run(_) | Action::Escalate(_) => true,
        Action::Terminate { .. } | Action::Notify { .. } | Action::Emit(_) => false,
    }
}

/// An outcome is one line of an event, whatever somebody else's error says.
pub(super) fn bounded(mut text: String) -> String {
    const MOST: usize = 2 * 1024;
    if text.len() > MOST {
        let mut end = MOST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use worknode_core::firing::Course;
    use worknode_triggers::{spec::TriggerSpec, trigger::compile};

    use super::*;

    fn recalled(config: &str, occurrence: &str) -> Option<Job> {
        let spec: TriggerSpec = toml::from_str(config).unwrap();
        let trigger = Arc::new(compile(&spec).unwrap());
        let firing = Firing {
            trigger: "t".into(),
            occurrence: occurrence.into(),
            node: NodeId::ROOT,
            recorded: Hlc::ZERO,
            due: Timestamp::from_millis(5),
            outcome: None,
            course: Course {
                attempts: 2,
                ..Course::default()
            },
        };
        Job::recall(&trigger, &firing, |task| (task == "api").then_some(NodeId::ROOT))
    }

    #[test]
    fn p6_a_firing_is_known_again_by_its_name() {
        let ladder = "name = \"t\"\ndeadline = { of = \"task:*\", steps = [\
            { at = \"36h\", notify = \"operator\" }, { after = \"1m\", emit = { event = \"late\" } }] }";
        let key = "api@2026-12-01T17:00:00.000Z#1day12h";
        let job = recalled(ladder, key).unwrap();
        assert_eq!((job.action.key(), job.task), ("notify", Some(NodeId::ROOT)));
        assert_eq!(job.attempts, 2);
        let late = recalled(ladder, "gone@2026-12-01T17:00:00.000Z#+1m").unwrap();
        assert_eq!((late.action.key(), late.task), ("emit", None));
        assert!(recalled(ladder, "api@2026-12-01T17:00:00.000Z#7h").is_none());
        let event = "name = \"t\"\nevent = \"x\"\nnotify = \"operator\"";
        let job = recalled(event, "2026-11-21T10:24:30.123Z-0007-1a2b3c4d").unwrap();
        assert!(job.event.is_some());
    }

    #[test]
    fn p8_an_outcome_is_bounded() {
        assert_eq!(bounded("ü".repeat(5_000)).len(), 2_048);
    }
}
