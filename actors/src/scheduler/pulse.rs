//! Whether the scheduler does its work, seen from outside: one that stands still cannot tell.
//!
//! It is asked now and then what is due next. When it does not answer, or what was due is not begun
//! however often it is looked at, an alarm is raised; when it works again, the alarm ends. Both are
//! events, so that the status knows of it also when the daemon is another one.

use std::time::Duration;

use tokio::sync::oneshot;
use worknode_core::{
    error::Error,
    event::{Event, Principal},
    time::{Span, Timestamp},
};
use worknode_journal::Reader;
use worknode_triggers::health::OVERDUE;

use super::SchedulerMsg;
use crate::{address::Address, system::System};

/// How often it is asked: one wake of the daemon a minute.
const PERIOD: Duration = Duration::from_secs(60);
/// How long it may take to answer, or to be started again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What the alarm is about.
pub const SCHEDULER: &str = "scheduler";

/// Watches for as long as the daemon lives.
pub(crate) async fn watch(system: System, scheduler: Address<SchedulerMsg>) {
    loop {
        if let Err(error) = look(&system, &scheduler, PATIENCE).await {
            tracing::error!(%error, "whether the scheduler works could not be recorded; it is looked at again");
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Looks once, and records what is news.
pub(crate) async fn look(
    system: &System,
    scheduler: &Address<SchedulerMsg>,
    patience: Duration,
) -> Result<(), Error> {
    let trouble = trouble(system, scheduler, patience).await;
    let stands = standing(system.reader())?.is_some();
    let what = SCHEDULER.to_owned();
    let news = match (stands, trouble) {
        (false, Some(detail)) => {
            tracing::error!(detail, "the scheduler stands still");
            Event::AlarmRaised { what, detail }
        }
        (true, None) => Event::AlarmEnded { what },
        (true, Some(_)) | (false, None) => return Ok(()),
    };
    let team = system.team().node();
    system
        .record(Principal::Runtime, team, vec![news])
        .await
        .map(drop)
}

/// The alarm that stands, as the journal has it: since when, and what it says.
///
/// # Errors
/// When the journal cannot be read.
pub fn standing(reader: &Reader) -> Result<Option<(Timestamp, String)>, Error> {
    // An event of the user's own may have the same name.
    let newest = reader.newest_event(&["alarm_raised", "alarm_ended"], |record| match record.event {
        Event::AlarmRaised { what, detail } if what == SCHEDULER => Some(Some((record.at.wall, detail))),
        Event::AlarmEnded { what } if what == SCHEDULER => Some(None),
        _ => None,
    });
    Ok(newest?.flatten())
}

/// Why it does not work, when it does not: asked twice, since a machine that slept has a past to
/// catch up with, and an actor that is just started again is nobody for a moment.
async fn trouble(system: &System, scheduler: &Address<SchedulerMsg>, patience: Duration) -> Option<String> {
    let first = judge(ask(scheduler, patience).await, system.now(), patience)?;
    tracing::debug!(first, "the scheduler is asked once more");
    // Without a scheduler nothing is due; that is told below.
    let _ = scheduler.tell(SchedulerMsg::Look);
    tokio::time::sleep(patience).await;
    judge(ask(scheduler, patience).await, system.now(), patience)
}

/// What it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It is there; this is due next.
    Next(Option<Timestamp>),
    /// It said nothing in time.
    Silent,
    /// There is none.
    Nobody,
}

async fn ask(scheduler: &Address<SchedulerMsg>, patience: Duration) -> Answer {
    let (reply, answer) = oneshot::channel();
    if scheduler.tell(SchedulerMsg::Pulse(reply)).is_err() {
        return Answer::Nobody;
    }
    match tokio::time::timeout(patience, answer).await {
        Ok(Ok(next)) => Answer::Next(next),
        Ok(Err(_)) => Answer::Nobody,
        Err(_) => Answer::Silent,
    }
}

fn judge(answer: Answer, now: Timestamp, patience: Duration) -> Option<String> {
    match answer {
        Answer::Next(Some(due)) if now.since(due) > OVERDUE => {
            let late = Span(now.since(due));
            Some(format!("what was due at {due}, {late} ago, is not begun"))
        }
        Answer::Next(_) => None,
        Answer::Silent => Some(format!("it does not answer within {}", Span(patience))),
        Answer::Nobody => Some("it does not run; no trigger acts".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use ractor::{Actor, ActorProcessingErr, ActorRef};

    use super::*;
    use crate::address::address;

    /// One that keeps whatever it is asked, and answers nothing.
    #[derive(Debug)]
    struct Hangs;

    impl Actor for Hangs {
        type Msg = SchedulerMsg;
        type State = Vec<SchedulerMsg>;
        type Arguments = ();

        async fn pre_start(
            &self,
            _: ActorRef<SchedulerMsg>,
            (): (),
        ) -> Result<Vec<SchedulerMsg>, ActorProcessingErr> {
            Ok(Vec::new())
        }

        async fn handle(
            &self,
            _: ActorRef<SchedulerMsg>,
            message: SchedulerMsg,
            kept: &mut Vec<SchedulerMsg>,
        ) -> Result<(), ActorProcessingErr> {
            kept.push(message);
            Ok(())
        }
    }

    #[test]
    fn it_is_judged_by_what_is_due_and_by_its_silence() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let judged = |answer| judge(answer, now, PATIENCE);
        assert_eq!(judged(Answer::Next(None)), None);
        assert_eq!(judged(Answer::Next(Some(now.plus(PERIOD)))), None);
        assert_eq!(judged(Answer::Next(Some(now.minus(OVERDUE)))), None, "not yet");
        let late = judged(Answer::Next(Some(now.minus(2 * OVERDUE)))).unwrap();
        assert!(late.contains("is not begun"), "{late}");
        assert!(judged(Answer::Silent).unwrap().contains("within 1m"));
        assert!(judged(Answer::Nobody).unwrap().contains("does not run"));
    }

    #[tokio::test]
    async fn one_that_hangs_is_silent_and_not_waited_for() {
        let (slot, scheduler) = address();
        let (hangs, handle) = Actor::spawn(None, Hangs, ()).await.unwrap();
        slot.moved_in(hangs.clone());
        let short = Duration::from_millis(20);
        assert_eq!(ask(&scheduler, short).await, Answer::Silent);
        hangs.stop(None);
        handle.await.unwrap();
        assert_eq!(ask(&scheduler, short).await, Answer::Nobody);
    }

    #[tokio::test]
    async fn nobody_answers_for_a_scheduler_that_is_not_there() {
        let (_slot, nobody) = address();
        assert_eq!(ask(&nobody, PATIENCE).await, Answer::Nobody);
    }
}
