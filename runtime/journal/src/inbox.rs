//! What the writer is asked, and in which order it takes it.
//!
//! Two lanes. In the first is what somebody stands and waits for while nothing else can go on: claims.
//! All else comes in its turn. When both have something, a group takes all of the first, and of the
//! second as much as takes no longer to write than a commit takes: so a claim waits for two short
//! groups at the most, however much else there is, and nothing in the second lane waits for ever.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use crate::{limits, writer::Request};

/// How much a new measurement counts: one part in so many.
const WEIGHT: u32 = 8;
/// Requests of the second lane that go with those of the first whatever they take: less would hardly
/// make a group shorter.
const LEAST: usize = 16;
/// Groups after the last with something of the first lane until they may be long again.
const CALM: u32 = 64;

/// What the writer is asked in turn.
#[derive(Debug)]
pub(crate) enum Message {
    /// Append, all or none.
    Append(Request),
    /// There is something in the first lane.
    Look,
    /// Append what is queued, and end.
    Close(oneshot::Sender<()>),
}

/// The ends of both lanes at which requests are put in.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    first: mpsc::Sender<Request>,
    rest: mpsc::Sender<Message>,
    /// The writer has been told to look into the first lane, and has not yet.
    told: Arc<AtomicBool>,
}

/// The ends at which the writer takes them out.
#[derive(Debug)]
pub(crate) struct Inbox {
    first: mpsc::Receiver<Request>,
    rest: mpsc::Receiver<Message>,
    told: Arc<AtomicBool>,
    pace: Pace,
    /// Who waits for the end.
    closing: Vec<oneshot::Sender<()>>,
}

/// A lane of [`limits::QUEUE`] places each.
pub(crate) fn lanes() -> (Lanes, Inbox) {
    let (first, first_out) = mpsc::channel(limits::QUEUE);
    let (rest, rest_out) = mpsc::channel(limits::QUEUE);
    let told = Arc::new(AtomicBool::new(false));
    let lanes = Lanes {
        first,
        rest,
        told: Arc::clone(&told),
    };
    let inbox = Inbox {
        first: first_out,
        rest: rest_out,
        told,
        pace: Pace::default(),
        closing: Vec::new(),
    };
    (lanes, inbox)
}

impl Lanes {
    /// A place in the second lane.
    pub(crate) const fn in_turn(&self) -> &mpsc::Sender<Message> {
        &self.rest
    }

    /// A place in the first; whoever fills it then calls [`Self::tell`].
    pub(crate) const fn first(&self) -> &mpsc::Sender<Request> {
        &self.first
    }

    /// Wakes the writer for the first lane. A second lane that is full wakes it anyway.
    pub(crate) fn tell(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            let _ = self.rest.try_send(Message::Look);
        }
    }
}

impl Inbox {
    /// The next group, within bounds; nothing when there will be none.
    pub(crate) fn next(&mut self) -> Option<Vec<Request>> {
        loop {
            let mut group = Group::default();
            self.take_first(&mut group);
            if group.requests.is_empty() && self.wait(&mut group).is_break() {
                return None;
            }
            self.pace.note(group.hurries);
            let most = group.requests.len().saturating_add(self.pace.beside());
            while group.requests.len() < most.min(limits::GROUP)
                && group.bytes < limits::GROUP_BYTES
                && let Ok(message) = self.rest.try_recv()
            {
                self.sort(message, &mut group);
            }
            if !group.requests.is_empty() {
                return Some(group.requests);
            }
        }
    }

    /// Waits until somebody comes; breaks when nobody can come any more.
    fn wait(&mut self, group: &mut Group) -> ControlFlow<()> {
        match self.rest.blocking_recv() {
            Some(message) => self.sort(message, group),
            None => self.take_first(group),
        }
        let over = self.rest.is_closed() && self.rest.is_empty() && self.first.is_empty();
        if over && group.requests.is_empty() {
            return ControlFlow::Break(());
        }
        self.take_first(group);
        ControlFlow::Continue(())
    }

    /// What a group of so many requests took.
    pub(crate) fn measured(&mut self, requests: usize, write: Duration, commit: Duration) {
        self.pace.measured(requests, write, commit);
    }

    /// Who is to be told that the writer has ended.
    pub(crate) fn into_closing(self) -> Vec<oneshot::Sender<()>> {
        self.closing
    }

    fn take_first(&mut self, group: &mut Group) {
        // Before the look: whoever comes after it tells again.
        self.told.swap(false, Ordering::AcqRel);
        while group.requests.len() < limits::GROUP
            && group.bytes < limits::GROUP_BYTES
            && let Ok(request) = self.first.try_recv()
        {
            group.hurries = true;
            group.add(request);
        }
    }

    fn sort(&mut self, message: Message, group: &mut Group) {
        match message {
            Message::Append(request) => group.add(request),
            Message::Look => {}
            Message::Close(done) => {
                self.closing.push(done);
                // What was queued before this moment is still written; nothing new comes in.
                self.first.close();
                self.rest.close();
            }
        }
    }
}

#[derive(Default)]
struct Group {
    requests: Vec<Request>,
    bytes: usize,
    hurries: bool,
}

impl Group {
    fn add(&mut self, request: Request) {
        let bytes = request.drafts.iter().map(|(_, body)| body.len()).sum();
        self.bytes = self.bytes.saturating_add(bytes);
        self.requests.push(request);
    }
}

/// How fast this disk and this machine are, and whether anybody hurries.
#[derive(Debug, Default)]
struct Pace {
    request: Duration,
    commit: Duration,
    calm: u32,
}

impl Pace {
    fn note(&mut self, hurries: bool) {
        self.calm = if hurries { 0 } else { self.calm.saturating_add(1) };
    }

    fn measured(&mut self, requests: usize, write: Duration, commit: Duration) {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX).max(1);
        let mean = |known: Duration, new: Duration| (known * (WEIGHT - 1) + new) / WEIGHT;
        self.request = mean(self.request, write / requests);
        self.commit = mean(self.commit, commit);
    }

    /// Requests of the second lane in one group.
    fn beside(&self) -> usize {
        if self.calm > CALM {
            return limits::GROUP;
        }
        let each = self.request.as_nanos().max(1);
        usize::try_from(self.commit.as_nanos() / each)
            .unwrap_or(limits::GROUP)
            .clamp(LEAST, limits::GROUP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(request: u64, commit: u64, calm: u32) -> Pace {
        Pace {
            request: Duration::from_micros(request),
            commit: Duration::from_micros(commit),
            calm,
        }
    }

    #[test]
    fn groups_are_short_while_somebody_hurries_and_as_long_as_a_commit_is_worth() {
        assert_eq!(pace(50, 5_000, 0).beside(), 100);
        assert_eq!(pace(50, 100, 0).beside(), LEAST, "a quick disk");
        assert_eq!(pace(1, 1_000_000, 0).beside(), limits::GROUP, "a slow one");
        assert_eq!(pace(50, 5_000, CALM + 1).beside(), limits::GROUP);
        assert_eq!(Pace::default().beside(), LEAST, "nothing is known yet");
    }

    fn request(room: &Arc<tokio::sync::Semaphore>) -> Request {
        Request {
            drafts: Vec::new(),
            durability: crate::Durability::Durable,
            answer: oneshot::channel().0,
            bytes: Arc::clone(room).try_acquire_many_owned(1).unwrap(),
        }
    }

    #[test]
    fn p8_what_hurries_goes_first_and_what_waits_goes_too() {
        let (lanes, mut inbox) = lanes();
        let room = Arc::new(tokio::sync::Semaphore::new(1_000));
        for _ in 0..100 {
            let waits = Message::Append(request(&room));
            lanes.in_turn().try_send(waits).unwrap();
        }
        for _ in 0..3 {
            lanes.first().try_send(request(&room)).unwrap();
            lanes.tell();
        }
        assert_eq!(inbox.next().unwrap().len(), 3 + LEAST, "a short group");
        assert_eq!(
            inbox.next().unwrap().len(),
            1 + LEAST,
            "nothing in the second lane waits for ever"
        );
        // Told once for all three: the wake-up was in the second lane, behind what was there.
        let (done, _) = oneshot::channel();
        lanes.in_turn().try_send(Message::Close(done)).unwrap();
        let mut rest = 0;
        while let Some(group) = inbox.next() {
            rest += group.len();
        }
        assert_eq!(rest, 100 - LEAST - 1 - LEAST, "what was queued is still written");
        assert!(
            lanes.first().try_send(request(&room)).is_err(),
            "and nothing more"
        );
        assert_eq!(inbox.into_closing().len(), 1);
    }

    #[test]
    fn what_is_measured_is_remembered_for_a_while() {
        let mut pace = pace(50, 1_000, 0);
        for _ in 0..200 {
            pace.measured(10, Duration::from_micros(200), Duration::from_micros(3_000));
        }
        assert_eq!(pace.request.as_micros(), 20);
        assert!((2_990..=3_000).contains(&pace.commit.as_micros()), "{pace:?}");
        pace.note(false);
        assert_eq!(pace.calm, 1);
        pace.note(true);
        assert_eq!(pace.calm, 0);
    }
}
