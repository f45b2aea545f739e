//! A task without what it is asked to do. That may be long and does not change, so whoever stores a
//! task stores it apart, once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Progress, Task, TaskSpec, TaskStatus};
use crate::{git::CommitId, ids::NodeId, raise::Raises, time::Timestamp, verdict::Finding};

#[derive(Serialize)]
struct LifeRef<'a> {
    epoch: u64,
    attempts: u32,
    #[serde(skip_serializing_if = "<[Finding]>::is_empty")]
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    last_submission: Option<&'a CommitId>,
    #[serde(skip_serializing_if = "<[NodeId]>::is_empty")]
    lost_by: &'a [NodeId],
    #[serde(skip_serializing_if = "super::is_zero")]
    strayed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_by: Option<NodeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<&'a Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Raises::is_empty")]
    raised: &'a Raises,
    status: &'a TaskStatus,
}

#[derive(Deserialize)]
struct Life {
    epoch: u64,
    attempts: u32,
    #[serde(default)]
    findings: Vec<Finding>,
    #[serde(default)]
    last_submission: Option<CommitId>,
    #[serde(default)]
    lost_by: Vec<NodeId>,
    #[serde(default)]
    strayed: u64,
    #[serde(default)]
    done_by: Option<NodeId>,
    #[serde(default)]
    progress: Option<Progress>,
    #[serde(default)]
    retry_at: Option<Timestamp>,
    #[serde(default)]
    raised: Raises,
    status: TaskStatus,
}

impl Task {
    /// All of it but its [`TaskSpec`], as JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which no task does.
    pub fn life(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&LifeRef {
            epoch: self.epoch,
            attempts: self.attempts,
            findings: &self.findings,
            last_submission: self.last_submission.as_ref(),
            lost_by: &self.lost_by,
            strayed: self.strayed,
            done_by: self.done_by,
            progress: self.progress.as_ref(),
            retry_at: self.retry_at,
            raised: &self.raised,
            status: &self.status,
        })
    }

    /// The task that was stored in two parts.
    ///
    /// # Errors
    /// When `life` is not what [`Self::life`] writes.
    pub fn from_life(spec: Arc<TaskSpec>, life: &str) -> Result<Self, serde_json::Error> {
        let life: Life = serde_json::from_str(life)?;
        Ok(Self {
            spec,
            epoch: life.epoch,
            attempts: life.attempts,
            findings: life.findings,
            last_submission: life.last_submission,
            lost_by: life.lost_by,
            strayed: life.strayed,
            done_by: life.done_by,
            progress: life.progress,
            retry_at: life.retry_at,
            raised: life.raised,
            status: life.status,
        })
    }
}
