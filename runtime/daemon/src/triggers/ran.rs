//! What became of the firings of triggers, with the runs and tasks that they started.

use serde::{Deserialize, Serialize};
use worknode_core::{
    error::Error,
    event::Event,
    firing::{Firing, Started, occurrence_of},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::Node,
    time::{Timestamp, millis},
};
use worknode_journal::{EventFilter, Reader};

/// Firings of one page at the most.
pub(crate) const MOST: usize = 1_000;

/// One page of firings, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FiringPage {
    /// The firings.
    pub runs: Vec<FiringView>,
    /// Where the next page begins; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Hlc>,
}

/// What became of one occurrence of a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FiringView {
    /// Whose.
    pub trigger: String,
    /// Which occurrence.
    pub occurrence: String,
    /// When it was due.
    pub due: Timestamp,
    /// When it fired, or was skipped.
    pub at: Timestamp,
    /// How late that was.
    pub late_ms: u64,
    /// `fired`, `running`, `retrying`, `failed` or `skipped`.
    pub status: String,
    /// What came of it, or why it was skipped; nothing as long as it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Who fired it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<String>,
    /// Attempts that failed.
    #[serde(default)]
    pub failed_attempts: u32,
    /// When the next one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When what it started was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The run that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The agent of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The task that it made, or is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// The firings of one trigger that were recorded before this stamp, the newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn of_trigger(
    reader: &Reader,
    trigger: &str,
    before: Option<Hlc>,
    count: usize,
) -> Result<FiringPage, Error> {
    let count = count.min(MOST);
    let firings = reader.firings_before(trigger, before, count)?;
    page(reader, firings, count)
}

/// The firings of all triggers, the newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn firings(reader: &Reader, before: Option<Hlc>, count: usize) -> Result<FiringPage, Error> {
    let count = count.min(MOST);
    let types = ["trigger_fired", "trigger_skipped"];
    let filter = EventFilter {
        types: types.map(str::to_owned).to_vec(),
        newest_first: true,
        until: before,
        limit: count.saturating_add(1),
        ..EventFilter::default()
    };
    let mut found = Vec::new();
    for record in reader.events(&filter)? {
        // Up to a stamp means with it, and that one was told already.
        if Some(record.at) == before || found.len() == count {
            continue;
        }
        if let Some((trigger, occurrence)) = occurrence_of(&record.event)
            && matches!(
                record.event,
                Event::TriggerFired { .. } | Event::TriggerSkipped { .. }
            )
        {
            found.extend(reader.firing(trigger, occurrence)?);
        }
    }
    page(reader, found, count)
}

fn page(reader: &Reader, firings: Vec<Firing>, count: usize) -> Result<FiringPage, Error> {
    let next = firings
        .last()
        .filter(|_| firings.len() >= count)
        .map(|firing| firing.recorded);
    let views = firings.into_iter().map(|firing| view(reader, firing));
    Ok(FiringPage {
        runs: views.collect::<Result<_, _>>()?,
        next,
    })
}

fn view(reader: &Reader, firing: Firing) -> Result<FiringView, Error> {
    let status = status_of(&firing).to_owned();
    let course = firing.course;
    let outcome = firing
        .outcome
        .map(|outcome| match outcome.strip_prefix("skipped: ") {
            Some(reason) if course.skipped => reason.to_owned(),
            _ => outcome,
        });
    let mut view = FiringView {
        late_ms: millis(firing.recorded.wall.since(firing.due)),
        trigger: firing.trigger,
        occurrence: firing.occurrence,
        due: firing.due,
        at: firing.recorded.wall,
        status,
        outcome,
        by_hand: course.by,
        failed_attempts: course.attempts,
        retry_at: course.retry_at,
        ended: course.ended.map(|at| at.wall),
        run: None,
        agent: None,
        task: None,
    };
    let name = |id: NodeId| -> Result<Option<String>, Error> {
        let node: Option<Node> = reader.node(id)?;
        Ok(node.map(|node| node.name))
    };
    match course.started {
        Some(Started::Run(run)) => {
            view.run = Some(run);
            if let Some(stored) = reader.run(run)? {
                view.agent = name(stored.agent)?;
            }
        }
        Some(Started::Task(task)) => view.task = name(task)?,
        Some(_) | None => {}
    }
    Ok(view)
}

const fn status_of(firing: &Firing) -> &'static str {
    let course = &firing.course;
    if course.skipped {
        "skipped"
    } else if course.failed {
        "failed"
    } else if course.retry_at.is_some() {
        "retrying"
    } else if firing.outcome.is_none() || (course.started.is_some() && course.ended.is_none()) {
        "running"
    } else {
        "fired"
    }
}
