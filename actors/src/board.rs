//! The board: the latest progress of tasks that somebody outside holds.
//!
//! Thousands of holders report many times a second, and only the last word counts. So a report is
//! put on the board and acknowledged at once; it is a `local` write. What hangs there is stored a
//! moment later, at most [`bounds::PROGRESS_STORED`] in each [`bounds::PROGRESS_EVERY`]; what is
//! replaced before that was never needed. When a claim ends, its last word is stored with its end.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::Notify;
use worknode_core::{
    bounds,
    command::Command,
    error::Error,
    event::Principal,
    ids::NodeId,
    node::Node,
    task::{Progress, TaskCommand},
};
use worknode_policies::authority::Authority;

use crate::{locked::lock, membrane::Membrane, system::System};

/// Parts of the board, so that holders seldom wait for each other.
const PARTS: usize = 16;

/// The board.
#[derive(Debug)]
pub(crate) struct Board {
    parts: [Mutex<HashMap<NodeId, Slot>>; PARTS],
    /// Tasks whose slot has something to be stored.
    fresh: Mutex<VecDeque<NodeId>>,
    filled: Notify,
}

/// One task that is held.
#[derive(Debug)]
struct Slot {
    epoch: u64,
    holder: NodeId,
    membrane: Arc<Membrane>,
    word: Option<Word>,
}

/// A report that is not stored yet.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) by: Arc<Authority>,
    pub(crate) epoch: u64,
    pub(crate) progress: Progress,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            fresh: Mutex::default(),
            filled: Notify::new(),
        }
    }
}

impl Board {
    /// Takes note of who holds `node` now: a slot for somebody outside, none for anybody else.
    pub(crate) fn note(&self, node: &Node, membrane: &Arc<Membrane>) {
        let Some(task) = node.task() else { return };
        let mut part = self.part(node.id);
        let Some(claim) = task.status.claim().filter(|claim| claim.run.is_none()) else {
            part.remove(&node.id);
            return;
        };
        let slot = Slot {
            epoch: claim.epoch,
            holder: claim.agent,
            membrane: Arc::clone(membrane),
            word: None,
        };
        match part.get_mut(&node.id) {
            Some(known) if known.epoch == claim.epoch => {}
            Some(known) => *known = slot,
            None => {
                part.insert(node.id, slot);
            }
        }
    }

    /// Puts a report on the board. `None` when it is not for the board: nobody outside holds this
    /// task under this epoch, as far as is known here; then its Worknode decides.
    pub(crate) fn report(
        &self,
        task: NodeId,
        by: &Arc<Authority>,
        epoch: u64,
        progress: Progress,
    ) -> Option<Result<(), Error>> {
        let mut part = self.part(task);
        let slot = part.get_mut(&task).filter(|slot| slot.epoch == epoch)?;
        if matches!(&by.principal, Principal::Outside { node, .. } if *node != slot.holder) {
            return None;
        }
        let command = Command::Task(TaskCommand::Progress {
            epoch,
            progress: progress.clone(),
        });
        if let Err(refusal) = slot.membrane.authorise_command(by, &command, None) {
            return Some(Err(refusal));
        }
        let word = Word {
            by: Arc::clone(by),
            epoch,
            progress,
        };
        let first = slot.word.replace(word).is_none();
        drop(part);
        if first {
            lock(&self.fresh).push_back(task);
            self.filled.notify_one();
        }
        Some(Ok(()))
    }

    /// Takes the report of `task` off the board, when one hangs there.
    pub(crate) fn take(&self, task: NodeId) -> Option<Word> {
        self.part(task).get_mut(&task)?.word.take()
    }

    /// Some reports that are to be stored, those that have hung longest first.
    fn some(&self) -> Vec<(NodeId, Word)> {
        let mut fresh = lock(&self.fresh);
        let count = fresh.len().min(bounds::PROGRESS_STORED);
        let tasks: Vec<NodeId> = fresh.drain(..count).collect();
        drop(fresh);
        tasks
            .into_iter()
            .filter_map(|task| Some((task, self.take(task)?)))
            .collect()
    }

    fn is_empty(&self) -> bool {
        lock(&self.fresh).is_empty()
    }

    fn part(&self, task: NodeId) -> MutexGuard<'_, HashMap<NodeId, Slot>> {
        let byte = task.as_uuid().as_bytes()[15];
        lock(&self.parts[usize::from(byte) % PARTS])
    }
}

/// Stores what hangs on the board, for as long as it is polled.
pub(crate) async fn store_reports(system: System) {
    let board = system.board();
    loop {
        if board.is_empty() {
            board.filled.notified().await;
        }
        tokio::time::sleep(bounds::PROGRESS_EVERY).await;
        let words = board.some();
        let asked = words.into_iter().map(|(task, word)| {
            let command = Command::Task(TaskCommand::Progress {
                epoch: word.epoch,
                progress: word.progress,
            });
            system.begin_to_ask(&word.by, task, command)
        });
        let asked: Vec<_> = asked.collect();
        for answer in asked {
            let outcome = match answer {
                Ok(answer) => system.answer_to(answer).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                // Its claim is over by now, or the disk is full: a newer report will say so.
                tracing::debug!(%error, "a progress report was not stored");
            }
        }
    }
}
