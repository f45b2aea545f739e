//! The handle through which everybody appends.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use worknode_core::{
    bounds,
    event::{Draft, Event, Record},
    hlc::Hlc,
    node::{Detail, NodeSpec},
    time::Clock,
};

use crate::{
    chain,
    error::{AppendError, OpenError, ReadError},
    follow::Follower,
    inbox::{Lanes, Message, lanes},
    limits, open,
    reader::Reader,
    tail::Tail,
    verify::VerifyReport,
    writer::{Answer, Durability, Request, Writer},
};

/// The journal of one store. Clones are handles to the same one.
///
/// When the last handle is gone, the writer stores what is queued and ends;
/// [`close`](Self::close) does the same and waits for it.
#[derive(Clone, Debug)]
pub struct Journal {
    lanes: Lanes,
    room: Arc<Semaphore>,
    committed: watch::Receiver<Hlc>,
    moves: Arc<AtomicU64>,
    tail: Tail,
    reader: Reader,
}

impl Journal {
    /// Opens the journal at `path`, or begins one. Blocks on the disk: call it at boot.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong with the file; nothing was changed then.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = std::path::absolute(path).map_err(|error| OpenError::io(path, &error))?;
        let opened = open::writer(&path, clock.now())?;
        let reader = Reader::beside(&path, opened.origin);
        let (committed, watch) = watch::channel(Hlc::ZERO);
        let writer = Writer::new(path.clone(), opened, clock, committed)
            .map_err(|reason| OpenError::store(&path, reason))?;
        let moves = writer.moves();
        let tail = writer.tail().clone();
        let (lanes, inbox) = lanes();
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(inbox))
            .map_err(|error| OpenError::io(&path, &error))?;
        Ok(Self {
            lanes,
            room: Arc::new(Semaphore::new(limits::QUEUE_BYTES)),
            committed: watch,
            moves,
            tail,
            reader,
        })
    }

    /// Opens the journal at `path` for reading alone: no file is made or changed, so it works
    /// on a copy and without rights to write. For use while no daemon runs: what a daemon that
    /// starts meanwhile writes may be missed.
    ///
    /// # Errors
    /// [`OpenError`], as for [`open`](Self::open); also when there is no journal.
    pub fn open_read_only(path: &Path) -> Result<Reader, OpenError> {
        Reader::alone(path)
    }

    /// Appends events, all or none, in this order and with nothing between them.
    ///
    /// Each event is checked against the state of its Worknode, run or firing first; if one
    /// does not fit, none is stored, and requests that are committed together with this one are
    /// not affected. Events are bounded by [`bounds::EVENT_PAYLOAD`] bytes as stored; the prompt
    /// of a task that is created or changed is counted apart, up to [`bounds::PROMPT`].
    ///
    /// When the future is dropped before it is ready, the events may be appended or not.
    ///
    /// # Errors
    /// [`AppendError`]; all but [`AppendError::TimedOut`] mean that nothing was appended.
    pub async fn append(
        &self,
        drafts: Vec<Draft>,
        durability: Durability,
    ) -> Result<Vec<Record>, AppendError> {
        self.put(drafts, durability, false).await
    }

    /// The same before what others have asked for and still waits: for what somebody stands and
    /// waits for while nothing else of theirs can go on. The order of what one caller appends one
    /// after the other is kept, as each waits for its answer.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_first(
        &self,
        drafts: Vec<Draft>,
        durability: Durability,
    ) -> Result<Vec<Record>, AppendError> {
        self.put(drafts, durability, true).await
    }

    async fn put(&self, drafts: Vec<Draft>, durability: Durability, first: bool) -> Answer {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let drafts = encode(drafts)?;
        let bytes = drafts.iter().map(|(_, body)| body.len()).sum::<usize>();
        let too_large = || AppendError::LimitReached {
            what: format!("the events of one request have {bytes} bytes"),
            limit: limits::QUEUE_BYTES,
        };
        let share = u32::try_from(bytes).map_err(|_| too_large())?;
        if bytes > limits::QUEUE_BYTES {
            return Err(too_large());
        }
        let (answer, answered) = oneshot::channel();
        let request = Request {
            drafts,
            durability,
            answer,
            bytes: self.room_for(share).await?,
        };
        if first {
            queue(self.lanes.first(), request).await?;
            self.lanes.tell();
        } else {
            queue(self.lanes.in_turn(), Message::Append(request)).await?;
        }
        answer_in_time(answered).await?
    }

    async fn room_for(&self, share: u32) -> Result<OwnedSemaphorePermit, AppendError> {
        // The usual case sets no timer.
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(share) {
            return Ok(room);
        }
        let room = Arc::clone(&self.room).acquire_many_owned(share);
        within(limits::QUEUE_WAIT, room)
            .await
            .ok_or(AppendError::Backpressure)?
            .map_err(|_| AppendError::Closed)
    }

    /// Everything that is committed after `after`, in order, and then what comes.
    #[must_use]
    pub fn follow(&self, after: Hlc) -> Follower {
        Follower::new(
            self.reader.clone(),
            self.committed.clone(),
            self.tail.clone(),
            after,
        )
    }

    /// Reads beside the writer.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// A number that is another one after anything was hung elsewhere or got another membrane. Who
    /// remembers what is above a Worknode takes the number first, and looks again when it has changed. Costs nothing.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// The stamp of the last committed event; [`Hlc::ZERO`] before the first. Costs nothing.
    #[must_use]
    pub fn last_stamp(&self) -> Hlc {
        *self.committed.borrow()
    }

    /// Checks the whole journal, as [`Reader::verify`] does, without blocking the caller's
    /// thread.
    ///
    /// # Errors
    /// [`ReadError`] when it could not be read to the end; what is wrong in it is in the report.
    pub async fn verify(&self) -> Result<VerifyReport, ReadError> {
        self.reader.ask(Reader::verify).await
    }

    /// Stores what is queued, empties the write-ahead log, and ends the writer. Appends that
    /// come later are refused as closed; closing again succeeds.
    ///
    /// # Errors
    /// [`AppendError::TimedOut`] when the disk does not answer; closing goes on.
    pub async fn close(&self) -> Result<(), AppendError> {
        // The last connection that is closed takes the log with it, if it may write.
        self.reader.rest();
        let (done, closed) = oneshot::channel();
        match within(
            limits::ANSWER_WAIT,
            self.lanes.in_turn().send(Message::Close(done)),
        )
        .await
        {
            None => return Err(AppendError::TimedOut),
            // The writer has ended.
            Some(Err(_)) => return Ok(()),
            Some(Ok(())) => {}
        }
        match within(limits::ANSWER_WAIT, closed).await {
            None => Err(AppendError::TimedOut),
            Some(_) => Ok(()),
        }
    }
}

/// Puts `what` into a lane, or waits for a place there.
async fn queue<T>(lane: &mpsc::Sender<T>, what: T) -> Result<(), AppendError> {
    let place = match lane.try_reserve() {
        Ok(place) => place,
        Err(mpsc::error::TrySendError::Closed(())) => return Err(AppendError::Closed),
        Err(mpsc::error::TrySendError::Full(())) => within(limits::QUEUE_WAIT, lane.reserve())
            .await
            .ok_or(AppendError::Backpressure)?
            .map_err(|_| AppendError::Closed)?,
    };
    place.send(what);
    Ok(())
}

async fn answer_in_time(answered: oneshot::Receiver<Answer>) -> Result<Answer, AppendError> {
    within(limits::ANSWER_WAIT, answered)
        .await
        .ok_or(AppendError::TimedOut)?
        .map_err(|_| AppendError::Closed)
}

async fn within<T>(limit: std::time::Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

/// The stored text of each draft. Done by the caller, so that the writer's thread need not.
fn encode(drafts: Vec<Draft>) -> Result<Vec<(Draft, String)>, AppendError> {
    if drafts.len() > limits::DRAFTS {
        return Err(AppendError::LimitReached {
            what: format!("a request has {} events", drafts.len()),
            limit: limits::DRAFTS,
        });
    }
    drafts
        .into_iter()
        .map(|draft| {
            let body = chain::encode(&draft).map_err(|error| AppendError::Malformed {
                why: error.to_string(),
            })?;
            check_size(&draft.event, &body)?;
            Ok((draft, body))
        })
        .collect()
}

fn check_size(event: &Event, body: &str) -> Result<(), AppendError> {
    if body.len() <= bounds::EVENT_PAYLOAD {
        return Ok(());
    }
    let prompt = prompt(event);
    if prompt.len() > bounds::PROMPT {
        return Err(AppendError::LimitReached {
            what: format!("the prompt has {} bytes", prompt.len()),
            limit: bounds::PROMPT,
        });
    }
    // As stored: with its quotes escaped.
    let prompt = serde_json::to_string(prompt).map_or(0, |text| text.len());
    let rest = body.len().saturating_sub(prompt);
    if rest > bounds::EVENT_PAYLOAD {
        return Err(AppendError::LimitReached {
            what: format!("`{}` has {rest} bytes", event.type_name()),
            limit: bounds::EVENT_PAYLOAD,
        });
    }
    Ok(())
}

fn prompt(event: &Event) -> &str {
    match event {
        Event::NodeCreated {
            node: NodeSpec {
                detail: Detail::Task(task),
                ..
            },
        }
        | Event::NodeUpdated {
            detail: Detail::Task(task),
        } => &task.prompt,
        _ => "",
    }
}
