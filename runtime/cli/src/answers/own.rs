//! What commands answer that is nothing of the daemon's.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use worknode_core::{
    command::Operation, event::Principal, ids::NodeId, ids::RunId, raise::Raise, time::Timestamp,
};
use worknode_daemon::{config::Mistake, import::Made, triggers::TriggerView};
use worknode_policies::capability::{Limits, TaskHold};

/// `init`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Wrote<'a> {
    /// The files.
    pub(crate) wrote: Vec<&'static str>,
    /// Where.
    pub(crate) dir: &'a Path,
}

/// `--dry-run`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Would<'a> {
    /// Nothing was done.
    pub(crate) dry_run: bool,
    /// What would be done.
    pub(crate) would: &'a str,
    /// To what.
    pub(crate) what: &'a [String],
}

/// `down`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Down<'a> {
    /// No daemon is there any more.
    pub(crate) down: bool,
    /// In words.
    pub(crate) message: &'a str,
}

/// `man`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pages<'a> {
    /// The directory.
    pub(crate) into: &'a Path,
    /// How many were written.
    pub(crate) pages: usize,
}

/// `task progress`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Noted {
    /// It was.
    pub(crate) noted: bool,
}

/// `emit`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Emitted {
    /// The name of the event.
    pub(crate) emitted: String,
    /// What the daemon says: where it was kept as a dead letter, if it was.
    pub(crate) answer: Value,
}

/// `node emit`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NodeEmitted {
    /// The name of the event.
    pub(crate) emitted: String,
}

/// `audit verify`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Audited {
    /// Events that were read.
    pub(crate) events: u64,
    /// Verdicts whose signatures were checked; nothing without a key.
    pub(crate) verdicts: Option<u64>,
    /// Nothing was found.
    pub(crate) sound: bool,
    /// What was found.
    pub(crate) problems: Vec<String>,
}

/// `check`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Checked<'a> {
    /// There are no mistakes; with some, the command fails.
    pub(crate) ok: bool,
    /// The team's name.
    pub(crate) team: &'a str,
    /// Its agents.
    pub(crate) agents: usize,
    /// Its triggers.
    pub(crate) triggers: usize,
    /// Its tasks.
    pub(crate) tasks: usize,
    /// What is probably not meant.
    pub(crate) warnings: &'a [Mistake],
}

/// `plan check`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanChecked<'a> {
    /// There are no mistakes; with some, the command fails.
    pub(crate) ok: bool,
    /// The tasks.
    pub(crate) tasks: usize,
    /// What is probably not meant.
    pub(crate) warnings: &'a [Mistake],
    /// Files that no task may touch.
    pub(crate) untouched: Untouched<'a>,
    /// Not all files were compared with all tasks: there are too many.
    pub(crate) incomplete: bool,
}

/// Files that no task may touch.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Untouched<'a> {
    /// How many.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) first: &'a [String],
}

/// `import`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Imported<'a> {
    /// Nothing was written.
    pub(crate) dry_run: bool,
    /// The profiles.
    pub(crate) profiles: &'a [Made],
}

/// `gate list`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Gates<'a> {
    /// All of them.
    pub(crate) gates: Vec<GateTold<'a>>,
}

/// A gate.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GateTold<'a> {
    /// Its name.
    pub(crate) gate: &'a str,
    /// What it looks for.
    pub(crate) looks_for: &'a str,
    /// What it cannot see.
    pub(crate) cannot_see: &'a str,
    /// It runs when none is named.
    pub(crate) on: bool,
}

/// `hooks install` and `hooks remove`
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct GitHookTold {
    /// It was put there; false when it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) installed: Option<bool>,
    /// It was taken away; false when it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<bool>,
    /// The hook's file.
    pub(crate) file: PathBuf,
}

/// The hooks that go by the names of another program.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HookTold {
    /// Which.
    pub(crate) hook: &'static str,
    /// What it came to; each hook says something else.
    pub(crate) told: Value,
}

/// A line of `logs`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogLine<'a> {
    /// What was named.
    pub(crate) of: &'a str,
    /// Its run.
    pub(crate) run: RunId,
    /// What it wrote, without the end of the line.
    pub(crate) line: &'a str,
}

/// A capability as it is read, without its secret unless that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CapabilityTold {
    /// Its id.
    pub(crate) id: Option<String>,
    /// The ids of those that it was made from, the first one first.
    pub(crate) made_from: Vec<String>,
    /// What whoever narrowed it noted.
    pub(crate) notes: Vec<String>,
    /// It cannot be narrowed.
    pub(crate) sealed: bool,
    /// Who holds it.
    pub(crate) principal: Principal,
    /// What it may do.
    pub(crate) operations: BTreeSet<Operation>,
    /// To this Worknode and all below it.
    pub(crate) subtree: NodeId,
    /// The task that it may report on.
    pub(crate) task: Option<TaskHold>,
    /// What it may do beside, each until its own instant.
    pub(crate) raised: Vec<Raise>,
    /// When it was made.
    pub(crate) issued: Timestamp,
    /// From this instant on it is worth nothing.
    pub(crate) expires: Timestamp,
    /// What else it is narrowed to.
    pub(crate) limits: Limits,
    /// The capability itself, where a new one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// `trigger show`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TriggerShown {
    /// How it stands.
    #[serde(flatten)]
    pub(crate) trigger: TriggerView,
    /// What it does, in words.
    pub(crate) text: String,
}
