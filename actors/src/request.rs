//! A request that is sent again has one effect (P6), also when the daemon died in between.
//!
//! Whoever takes requests in says which one is carried out, by [`carried`]. What that stores names the
//! request in the same breath, so that either both are there after a crash or neither is. Who takes
//! requests in reads these names when it begins.
//!
//! Not named are commands that may be repeated as they are: what says how something is to be (kill,
//! freeze, tag), what holds under one claim alone, and what keeps its key by other means (messages,
//! agents that are spawned). A kill that broke off half way must go on when it is asked for again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use worknode_core::{
    agent::AgentCommand,
    command::Command,
    event::{Draft, Event, Principal},
    ids::NodeId,
    task::TaskCommand,
};

/// A request, by digests: no word of a client is stored for this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Of who asks for what under which key.
    pub key: String,
    /// Of all that was asked.
    pub asked: String,
    handed: Handed,
}

/// Whether what was asked for is in somebody's hands who may do it, now or later.
#[derive(Clone, Debug, Default)]
struct Handed(Arc<AtomicBool>);

/// It says what became of a request, and not which one it is.
impl PartialEq for Handed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Handed {}

tokio::task_local! {
    static PRESENT: Request;
}

/// Carries out `work` as that request, when there is one.
pub async fn carried<F: Future>(request: Option<Request>, work: F) -> F::Output {
    match request {
        Some(request) => PRESENT.scope(request, work).await,
        None => work.await,
    }
}

/// The request that is carried out here, for whoever may store something for it.
pub(crate) fn present() -> Option<Request> {
    let request = PRESENT.try_with(Clone::clone).ok()?;
    request.handed.0.store(true, Ordering::Release);
    Some(request)
}

impl Request {
    /// By the digests of who asks for what under which key, and of all that is asked.
    #[must_use]
    pub fn new(key: String, asked: String) -> Self {
        Self {
            key,
            asked,
            handed: Handed::default(),
        }
    }

    /// May it have been done, or be done yet, whatever its answer says?
    #[must_use]
    pub fn is_handed(&self) -> bool {
        self.handed.0.load(Ordering::Acquire)
    }

    /// That it was carried out.
    pub(crate) fn done_by(self, team: NodeId, by: Principal) -> Draft {
        Draft {
            node: team,
            by,
            cause: None,
            event: Event::RequestDone {
                key: self.key,
                asked: self.asked,
            },
        }
    }
}

/// Adds to what somebody else than the runtime is about to store that it is what `request` asked for.
/// Answers whether there is one event more at the end.
pub(crate) fn name(request: Option<Request>, team: NodeId, drafts: &mut Vec<Draft>) -> bool {
    let Some(request) = request else { return false };
    // What the runtime makes room with is not yet what was asked for; what looks at the tree is stored
    // alone.
    let counts = |draft: &Draft| draft.by != Principal::Runtime && !draft.event.looks_at_tree();
    let Some(first) = drafts.first() else { return false };
    if !drafts.iter().all(counts) {
        return false;
    }
    let done = request.done_by(team, first.by.clone());
    drafts.push(done);
    true
}

/// Would it do the same again, or nothing, when it is asked for twice?
pub(crate) const fn is_repeatable(command: &Command) -> bool {
    match command {
        Command::Get | Command::Message(_) | Command::Node { .. } => true,
        Command::Agent(command) => !matches!(command, AgentCommand::Start { .. }),
        Command::Task(command) => !matches!(
            command,
            TaskCommand::Claim { .. }
                | TaskCommand::Retry
                | TaskCommand::Approve { .. }
                | TaskCommand::Reject { .. }
        ),
        Command::Emit { .. } | Command::Letter { .. } | Command::Note { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team() -> NodeId {
        NodeId::from_parts(1, [1; 10])
    }

    fn request() -> Option<Request> {
        Some(Request::new("sha256:k".to_owned(), "sha256:a".to_owned()))
    }

    fn draft(by: Principal, event: Event) -> Vec<Draft> {
        vec![Draft {
            node: NodeId::ROOT,
            by,
            cause: None,
            event,
        }]
    }

    #[tokio::test]
    async fn p6_what_is_stored_for_a_request_names_it_and_only_there() {
        assert_eq!(present(), None);
        let (inside, elsewhere) = carried(request(), async {
            let elsewhere = tokio::spawn(async { present() }).await.unwrap();
            (present(), elsewhere)
        })
        .await;
        assert_eq!((inside.clone(), elsewhere), (request(), None));
        let mut drafts = draft(Principal::Operator, Event::TaskReady);
        assert!(name(inside, team(), &mut drafts));
        let named = drafts.pop().unwrap();
        assert_eq!((named.node, named.by), (team(), Principal::Operator));
        assert_eq!(named.event.type_name(), "request_done");
    }

    #[test]
    fn p6_preparations_of_the_runtime_are_not_the_effect() {
        let mut drafts = draft(Principal::Runtime, Event::TaskReady);
        assert!(!name(request(), team(), &mut drafts));
        let renamed = Event::NodeRenamed {
            name: "other".to_owned(),
        };
        let mut alone = draft(Principal::Operator, renamed);
        assert!(!name(request(), team(), &mut alone), "it is stored on its own");
        assert!(!name(
            None,
            team(),
            &mut draft(Principal::Operator, Event::TaskReady)
        ));
        assert!(!name(request(), team(), &mut Vec::new()));
        assert_eq!((drafts.len(), alone.len()), (1, 1));
    }
}
