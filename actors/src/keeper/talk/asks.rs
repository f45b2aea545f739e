//! What the program may only when a person says so: asked for in its name, and told to it.
//!
//! What waits stands in the journal, so that the next daemon finds it. Who reads the program's words
//! again meets requests that were answered long ago; the newest one that is known says which.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use worknode_core::{
    agent::AgentCommand,
    bounds,
    command::Command,
    permission::{Answer, Answered, Permissions},
    run::StopCause,
    time::Timestamp,
};
use worknode_policies::permission;
use worknode_process::Shim;
use worknode_profiles::stream::Action;

use super::Talk;

/// Requests that are read again before it is known what came of them. With one more the oldest goes:
/// it is long answered.
const UNSETTLED: usize = 256;
/// The shortest time between two signs that a run that waits for a person is not silent.
const SIGN: Duration = Duration::from_millis(100);

/// A request of the program.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) key: String,
    pub(super) tool: String,
    pub(super) what: String,
}

/// A request that was read again, before it is known what came of it.
#[derive(Debug)]
struct Unsettled {
    asked: Asked,
    /// The program asks for it no more. It stays, as those before the newest one that is known are long
    /// answered, and this may be that one.
    withdrawn: bool,
}

/// A request that waits for a person.
#[derive(Debug)]
struct Waiting {
    id: String,
    key: String,
    expires: Timestamp,
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Asks {
    waiting: Vec<Waiting>,
    /// Read while an earlier daemon's ear is caught up with.
    unsettled: VecDeque<Unsettled>,
    /// When the shim is to be told that the run is not silent: it is a person who is.
    sign_at: Option<Instant>,
}

impl Asks {
    pub(super) fn sign_at(&self) -> Option<Instant> {
        self.sign_at.filter(|_| !self.waiting.is_empty())
    }
}

impl Talk {
    /// The program asks. Answers what it is told at once, when a person is not to be asked.
    pub(super) async fn ask(&mut self, asked: Asked) -> Vec<Action> {
        if self.catching_up {
            if self.asks.unsettled.len() >= UNSETTLED
                && let Some(oldest) = self.asks.unsettled.pop_front()
            {
                self.forget(&oldest.asked.key);
            }
            self.asks.unsettled.push_back(Unsettled {
                asked,
                withdrawn: false,
            });
            return Vec::new();
        }
        self.request(asked).await
    }

    async fn request(&mut self, asked: Asked) -> Vec<Action> {
        let within = self.definition.as_ref().and_then(|agent| agent.asks);
        let expires = self.system.now().plus(within.unwrap_or(bounds::ANSWER));
        let request = permission::request(self.run, &asked.key, &asked.tool, &asked.what, expires);
        let id = request.id.clone();
        let ask = AgentCommand::AskPermission {
            run: self.run,
            request: Box::new(request),
        };
        match self.system.command(self.agent, Command::Agent(ask)).await {
            Ok(_) => {
                self.waits(id, asked.key, expires);
                Vec::new()
            }
            // Whoever cannot be asked has not agreed.
            Err(error) => {
                tracing::warn!(%error, "a person could not be asked");
                self.say(&asked.key, false, &format!("Nobody could be asked: {error}."))
            }
        }
    }

    fn waits(&mut self, id: String, key: String, expires: Timestamp) {
        self.asks.waiting.push(Waiting { id, key, expires });
        self.asks
            .sign_at
            .get_or_insert_with(|| Instant::now() + self.limits.silence / 3);
    }

    /// The program asks for this no more.
    pub(super) async fn withdrawn(&mut self, key: &str) {
        let unsettled = self.asks.unsettled.iter_mut();
        for one in unsettled.filter(|one| one.asked.key == key) {
            one.withdrawn = true;
        }
        let Some(at) = self.asks.waiting.iter().position(|waiting| waiting.key == key) else {
            return;
        };
        let waiting = self.asks.waiting.remove(at);
        self.end(&waiting.id, true).await;
    }

    /// Tells the program what was answered since the last time.
    pub(in crate::keeper) async fn hear_answers(&mut self, shim: &Shim) -> Option<StopCause> {
        let known = self.known()?;
        let (wait, over) = std::mem::take(&mut self.asks.waiting)
            .into_iter()
            .partition(|waiting: &Waiting| known.open(&waiting.id).is_some());
        self.asks.waiting = wait;
        let mut actions = Vec::new();
        for waiting in over {
            actions.extend(self.tell(&waiting.key, known.answered(&waiting.id)));
        }
        self.act(actions, Some(shim)).await
    }

    /// Sees to what was read while the words of the program were caught up with: what is answered is
    /// told, what waits is waited for, and only what nobody has heard of is asked.
    pub(super) async fn settle_unheard(&mut self, shim: &Shim) -> Option<StopCause> {
        // What is asked twice is asked once.
        let known = self.known().unwrap_or_default();
        let unsettled = std::mem::take(&mut self.asks.unsettled);
        let id = |one: &Unsettled| permission::id(self.run, &one.asked.key);
        let ids: Vec<String> = unsettled.iter().map(id).collect();
        let newest = ids.iter().rposition(|id| Some(id) == known.newest.as_ref());
        let mut actions = Vec::new();
        for (at, (id, Unsettled { asked, withdrawn })) in ids.into_iter().zip(unsettled).enumerate() {
            if withdrawn {
                continue;
            }
            if let Some(open) = known.open(&id) {
                self.waits(id, asked.key, open.request.expires);
            } else if let Some(answered) = known.answered(&id) {
                actions.extend(self.tell(&asked.key, Some(answered)));
            } else if newest.is_some_and(|newest| at < newest) {
                self.forget(&asked.key);
            } else {
                actions.extend(self.request(asked).await);
            }
        }
        // What the program does not ask for any more, nobody can answer.
        for open in &known.open {
            let id = &open.request.id;
            if !self.asks.waiting.iter().any(|waiting| waiting.id == *id) {
                self.end(id, true).await;
            }
        }
        self.act(actions, Some(shim)).await
    }

    /// When the next of what waits is denied.
    pub(in crate::keeper) fn expires(&self) -> Option<Timestamp> {
        self.asks.waiting.iter().map(|waiting| waiting.expires).min()
    }

    /// Denies what nobody has answered in time.
    pub(in crate::keeper) async fn expire(&mut self, shim: &Shim) -> Option<StopCause> {
        let now = self.system.now();
        let late = |waiting: &&mut Waiting| waiting.expires <= now;
        let mut ids = Vec::new();
        for waiting in self.asks.waiting.iter_mut().filter(late) {
            // Should it not be stored, it is tried again.
            waiting.expires = now.plus(bounds::RETRY_AFTER);
            ids.push(waiting.id.clone());
        }
        for id in ids {
            self.end(&id, false).await;
        }
        self.hear_answers(shim).await
    }

    /// Shows the shim that the run is not silent, when it is time to.
    pub(super) async fn show_a_sign(&mut self, shim: &Shim) {
        let now = Instant::now();
        if self.asks.sign_at().is_none_or(|at| now < at) {
            return;
        }
        if let Err(error) = shim.touch().await {
            tracing::debug!(%error, "the shim could not be told that the run waits for a person");
        }
        self.asks.sign_at = Some(now + (self.limits.silence / 3).max(SIGN));
    }

    async fn end(&self, request: &str, withdrawn: bool) {
        let end = AgentCommand::EndPermission {
            run: self.run,
            request: request.to_owned(),
            withdrawn,
        };
        self.command(end).await;
    }

    fn known(&self) -> Option<Permissions> {
        match self.system.reader().run(self.run) {
            Ok(stored) => stored.map(|stored| stored.run.permissions),
            Err(error) => {
                tracing::warn!(%error, "what was answered cannot be read");
                None
            }
        }
    }

    fn tell(&mut self, key: &str, answered: Option<&Answered>) -> Vec<Action> {
        match answered {
            Some(Answered {
                answer: Answer::Allowed,
                ..
            }) => self.say(key, true, ""),
            Some(answered) => self.say(key, false, &words(answered)),
            None => self.say(key, false, "It is not asked for any more."),
        }
    }

    fn say(&mut self, key: &str, granted: bool, why: &str) -> Vec<Action> {
        let conversation = self.conversation.as_mut();
        conversation.map_or_else(Vec::new, |said| said.answer(key, granted, why))
    }

    /// It was answered long ago: the program does not wait for it.
    fn forget(&mut self, key: &str) {
        let _ = self.say(key, false, "");
    }
}

fn words(answered: &Answered) -> String {
    match (answered.answer, answered.reason.as_str()) {
        (Answer::Denied, "") => "A person denied this. Go on without it.".to_owned(),
        (Answer::Denied, reason) => format!("A person denied this: {reason}"),
        _ => "Nobody answered in time, so it is denied. Go on without it.".to_owned(),
    }
}
