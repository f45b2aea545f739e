//! What was judged is stored, in few transactions, and only then begun.
//!
//! A transaction is on its way as soon as it is full, while others are still judged: the disk has
//! something to do from the first moment on.

use tokio::task::{JoinHandle, yield_now};
use worknode_core::{
    bounds,
    error::{Code, Error},
    event::{Draft, Event, Record},
    time::Timestamp,
};
use worknode_triggers::trigger::When;

use super::{
    State,
    batch::{Bundle, DueNow, Start},
};

/// Events of one transaction. Many are few writes to the disk; too many would let others wait.
const TRANSACTION: usize = 512;

/// A transaction that is on its way to the disk.
type Sent = (Vec<Bundle>, JoinHandle<Result<Vec<Record>, Error>>);

/// Bundles on their way to the disk.
#[derive(Debug, Default)]
pub(super) struct Storing {
    /// The transaction that is not full yet, and how many events it has.
    open: Vec<Bundle>,
    events: usize,
    sent: Vec<Sent>,
}

impl State {
    /// One bundle more, in the same transaction as others.
    pub(super) async fn store_with(&self, storing: &mut Storing, bundle: Bundle) {
        let more = bundle.events();
        if storing.events > 0 && storing.events + more > TRANSACTION {
            self.send(storing);
            // Now it is written to the queue of the journal, and not when all is judged.
            yield_now().await;
        }
        storing.events += more;
        storing.open.push(bundle);
    }

    fn send(&self, storing: &mut Storing) {
        storing.events = 0;
        let group = std::mem::take(&mut storing.open);
        if group.is_empty() {
            return;
        }
        let drafts: Vec<Draft> = group.iter().flat_map(Bundle::drafts).cloned().collect();
        let system = self.system.clone();
        // All at once: the journal makes one write to the disk of what waits together.
        let stored = tokio::spawn(async move { system.store(drafts).await });
        storing.sent.push((group, stored));
    }

    /// Waits until it is all stored, and begins what is to be begun.
    pub(super) async fn settle(&mut self, mut storing: Storing) {
        self.send(&mut storing);
        for (group, stored) in storing.sent {
            let stored = stored
                .await
                .unwrap_or_else(|error| Err(Error::new(Code::Failed, error.to_string())));
            match stored {
                Ok(records) => self.stored(group, &records),
                Err(error) if error.code == Code::AlreadyExists => self.settle_each(group).await,
                Err(error) => self.not_stored(group, &error),
            }
        }
    }

    /// Something of the group is recorded already, by an earlier daemon. The others are not.
    async fn settle_each(&mut self, group: Vec<Bundle>) {
        let mut group = group.into_iter();
        while let Some(bundle) = group.next() {
            let Bundle {
                place,
                entries,
                looked,
            } = bundle;
            let alone = |entries| Bundle {
                place,
                entries,
                looked: None,
            };
            let mut entries = entries.into_iter();
            while let Some(entry) = entries.next() {
                let drafts = entry.drafts.clone();
                let one = vec![alone(vec![entry])];
                match self.system.store(drafts).await {
                    Ok(records) => self.stored(one, &records),
                    Err(error) if error.code == Code::AlreadyExists => drop(self.take_back(one)),
                    Err(error) => {
                        let rest = std::iter::once(alone(entries.collect()));
                        let left = one.into_iter().chain(rest).chain(group).collect();
                        return self.not_stored(left, &error);
                    }
                }
            }
            self.looked_at(place, looked);
        }
    }

    fn looked_at(&mut self, place: usize, looked: Option<Timestamp>) {
        if let (Some(looked), Some(slot)) = (looked, self.slots.get_mut(place)) {
            slot.looked = slot.looked.max(looked);
        }
    }

    fn stored(&mut self, group: Vec<Bundle>, records: &[Record]) {
        let mut stamps = records.iter().filter_map(|record| match &record.event {
            Event::TriggerFired { .. } => Some(record.at),
            _ => None,
        });
        for bundle in group {
            self.looked_at(bundle.place, bundle.looked);
            for fires in bundle.entries.into_iter().filter_map(|entry| entry.fires) {
                let Some(fired) = stamps.next() else { return };
                let key = fires.due.occurrence.key;
                if let Some(slot) = self.slots.get_mut(bundle.place)
                    && let Some(live) = slot.live_mut(&key)
                {
                    live.job.fired = fired;
                }
                if let Start::Now(previous) = fires.start {
                    self.begin(bundle.place, &key, previous);
                }
            }
        }
    }

    /// It did not happen: nothing of it is left.
    fn take_back(&mut self, group: Vec<Bundle>) -> Vec<DueNow> {
        let mut back = Vec::new();
        for bundle in group {
            for fires in bundle.entries.into_iter().filter_map(|entry| entry.fires) {
                if let Some(slot) = self.slots.get_mut(bundle.place) {
                    slot.forget(&fires.due.occurrence.key);
                    if fires.due.by.is_none() {
                        slot.unseen = slot.unseen.saturating_sub(1);
                    }
                }
                back.push(fires.due);
            }
        }
        back
    }

    /// What cannot be stored does not act, and is tried again: the window stays open, and what
    /// fired on an event is kept.
    fn not_stored(&mut self, group: Vec<Bundle>, error: &Error) {
        tracing::error!(%error, "firings could not be stored, and so did not act; they are tried again");
        self.try_again();
        let back = self.take_back(group);
        let of_events = back.into_iter().filter(|due| due.by.is_none()).filter(|due| {
            let slot = self.slots.get(due.place);
            slot.is_some_and(|slot| matches!(slot.trigger.when(), When::Event(_)))
        });
        for due in of_events.collect::<Vec<_>>() {
            if self.kept.len() < bounds::TRIGGER_BATCH {
                self.kept.push(due);
            } else {
                tracing::error!(occurrence = %due.occurrence, "a firing is given up: too many wait to be stored");
            }
        }
    }
}
