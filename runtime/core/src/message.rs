//! Messages: what agents and people say to each other, until it is heard.
//!
//! The journal keeps each message, a Worknode only which of those to it nobody has acknowledged
//! yet. A message may be for one run of an agent, or for one claim of a task: whoever comes after
//! that never sees it.

use serde::{Deserialize, Serialize};

use crate::{
    bounds::{INBOX, MESSAGE, NAME},
    error::{Code, Error},
    event::Event,
    hlc::Hlc,
    ids::RunId,
    node::Node,
};

/// Something said to the Worknode whose event it is. Who said it is the event's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Message {
    /// What was said.
    pub text: String,
    /// The message that this one answers, or that began the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Hlc>,
    /// Only for this run of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Only for whoever holds the task under this claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The sender's own name for it: the same one is taken once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Message {
    /// Is it for what the Worknode is doing now? A message that names neither run nor claim always
    /// is.
    #[must_use]
    pub fn is_for(&self, node: &Node) -> bool {
        let run = node.agent().and_then(|agent| agent.status.run());
        let same_run = |wanted: RunId| run.is_some_and(|run| run.spec.id == wanted);
        let claim = node.task().and_then(|task| task.status.claim());
        let same_claim = |epoch: u64| claim.is_some_and(|claim| claim.epoch == epoch);
        self.run.is_none_or(same_run) && self.epoch.is_none_or(same_claim)
    }
}

/// What can be done with messages to a Worknode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum MessageCommand {
    /// Say something to it.
    Send(Box<Message>),
    /// It was heard.
    Ack {
        /// The stamp of the event that kept it.
        message: Hlc,
    },
}

/// The event that keeps `message` at `node`. Pure.
///
/// # Errors
/// `usage` for one that is empty or too long, `stale_epoch` when the run or claim that it is for is
/// over, `limit_reached` when too many wait there.
pub fn send(node: &Node, message: &Message) -> Result<Event, Error> {
    let wrong = |what: String| Error::new(Code::Usage, what);
    if message.text.trim().is_empty() {
        return Err(wrong("a message needs words".to_owned()));
    }
    if message.text.len() > MESSAGE {
        return Err(wrong(format!(
            "the message has {} bytes; at most {MESSAGE}",
            message.text.len()
        ))
        .hint("put what is long into a document or the memory, and say where it is"));
    }
    if message
        .key
        .as_ref()
        .is_some_and(|key| key.is_empty() || key.len() > NAME)
    {
        return Err(wrong(format!("the key of a message has 1 to {NAME} bytes")));
    }
    if !message.is_for(node) {
        let what = match (message.run, message.epoch) {
            (Some(run), _) => format!("run {run} of `{}` is over", node.name),
            (None, epoch) => format!(
                "nobody holds `{}` at epoch {}",
                node.name,
                epoch.unwrap_or_default()
            ),
        };
        return Err(Error::new(Code::StaleEpoch, what).hint("say it without naming the run or the epoch"));
    }
    if node.body.inbox.len() >= INBOX {
        let what = format!("{INBOX} messages to `{}` wait to be acknowledged", node.name);
        return Err(Error::new(Code::LimitReached, what)
            .hint("`worknode message list` shows them, `worknode message ack` acknowledges them"));
    }
    Ok(Event::MessageSent {
        message: Box::new(message.clone()),
    })
}

/// The event that ends the keeping of a message at `node`; none when that is over already. Pure.
#[must_use]
pub fn acknowledge(node: &Node, message: Hlc) -> Option<Event> {
    node.body
        .inbox
        .contains(&message)
        .then_some(Event::MessageAcked { message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Principal, Record},
        ids::NodeId,
        node::{Detail, Kind, NodeSpec},
        time::Timestamp,
    };

    fn at(millis: u64) -> Hlc {
        Hlc {
            wall: Timestamp::from_millis(millis),
            counter: 0,
            origin: 1,
        }
    }

    fn record(millis: u64, event: Event) -> Record {
        Record {
            at: at(millis),
            node: NodeId::derived(NodeId::ROOT, "ada"),
            by: Principal::Operator,
            cause: None,
            version: 1,
            event,
        }
    }

    fn somebody() -> Node {
        let node = NodeSpec::new(Some(NodeId::ROOT), Kind::Document, "ada", Detail::Plain);
        Node::created_by(&record(1, Event::NodeCreated { node })).unwrap()
    }

    fn saying(text: &str) -> Message {
        Message {
            text: text.to_owned(),
            thread: None,
            run: None,
            epoch: None,
            key: None,
        }
    }

    #[test]
    fn what_is_said_waits_until_it_is_acknowledged_once() {
        let sent = send(&somebody(), &saying("hello")).unwrap();
        let node = somebody().apply(&record(2, sent)).unwrap();
        assert!(node.body.inbox.contains(&at(2)));
        let heard = acknowledge(&node, at(2)).unwrap();
        let node = node.apply(&record(3, heard)).unwrap();
        assert!(node.body.inbox.is_empty());
        assert_eq!(acknowledge(&node, at(2)), None, "twice is once");
    }

    #[test]
    fn p8_an_inbox_and_a_message_are_bounded() {
        let long = saying(&"x".repeat(MESSAGE + 1));
        assert_eq!(send(&somebody(), &long).unwrap_err().code, Code::Usage);
        assert_eq!(send(&somebody(), &saying(" ")).unwrap_err().code, Code::Usage);
        let mut node = somebody();
        for n in 0..INBOX {
            let sent = send(&node, &saying("again")).unwrap();
            node = node.apply(&record(10 + u64::try_from(n).unwrap(), sent)).unwrap();
        }
        assert_eq!(send(&node, &saying("more")).unwrap_err().code, Code::LimitReached);
    }

    #[test]
    fn p1_what_is_for_an_old_claim_is_refused() {
        let old = Message {
            epoch: Some(3),
            ..saying("stop")
        };
        assert_eq!(send(&somebody(), &old).unwrap_err().code, Code::StaleEpoch);
        let old = Message {
            run: Some(RunId::from_parts(1, [0; 10])),
            ..saying("stop")
        };
        assert_eq!(send(&somebody(), &old).unwrap_err().code, Code::StaleEpoch);
    }
}
