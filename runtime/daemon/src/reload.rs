//! The configuration of a daemon that runs, read anew.
//!
//! What can change while it runs are the triggers, the certificate at the door, and what
//! `worknode_actors::tuning` names. What is valid of the triggers is taken up; a trigger with mistakes
//! stays as it was, and the mistakes are told: to whoever asked, in the log, as an event and in the
//! status. What else changed is named: it is taken up at the next start.

mod certificate;
mod difference;
mod watch;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use worknode_actors::{
    definition::{AgentDefinition, trigger_agent},
    enlist::{discharge, enlist},
    runtime::Runtime,
    tuning::{Tuning, tune},
};
use worknode_core::{
    bounds,
    error::{Code, Error},
    event::{ConfigMistake, Event, Principal},
    time::Timestamp,
};
use worknode_triggers::{Trigger, cycles};

pub(crate) use self::watch::{Watched, watch};
use self::{
    certificate::Renewed,
    difference::{Sections, mistakes_of, of_triggers},
};
use crate::{
    config::{self, LeftOut, Loaded, Mistake, Place, Reread, Sources},
    door::Certificate,
};

/// Names of one list, and mistakes, in one event.
const IN_EVENT: usize = 20;

/// What came of reading the configuration anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReloadView {
    /// Triggers that are new.
    pub added: Vec<String>,
    /// Triggers that say something else now.
    pub changed: Vec<String>,
    /// Triggers that are gone.
    pub removed: Vec<String>,
    /// How many are as they were, and remember all.
    pub unchanged: usize,
    /// What else changed and is in force now, as `certificate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_up: Vec<String>,
    /// What changed and is taken up at the next start only: sections of the configuration, or
    /// agents.
    pub restart: Vec<String>,
    /// Every mistake.
    pub mistakes: Vec<ConfigMistake>,
    /// How many there are beyond.
    pub more_mistakes: usize,
    /// Triggers that go on as they were, because what the configuration says of them now has
    /// mistakes.
    pub kept: Vec<String>,
    /// Whether mistakes kept all of it from being taken up.
    pub rejected: bool,
}

/// What is wrong with the configuration that a daemon has not taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConfigView {
    /// When it was read.
    pub at: Timestamp,
    /// The mistakes; nothing of what they touch is in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<ConfigMistake>,
    /// How many there are beyond.
    #[serde(default)]
    pub more_mistakes: usize,
    /// Triggers that go on as they were because of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What changed and waits for the next start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<String>,
}

/// A trigger that is in force, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    pub(crate) trigger: Trigger,
    pub(crate) place: Place,
}

/// Reads the configuration anew when it is asked to, one time after the other.
#[derive(Debug)]
pub(crate) struct Reloader {
    sources: Sources,
    /// The certificate at the door, when it has one.
    certificate: Option<Renewed>,
    standing: Mutex<Standing>,
    in_force: RwLock<Arc<Vec<InForce>>>,
    shown: RwLock<Option<ConfigView>>,
}

/// What the daemon goes by.
#[derive(Debug)]
struct Standing {
    /// What it took up at its start.
    sections: Sections,
    /// The agents that triggers brought, each as it was taken up.
    agents: Vec<AgentDefinition>,
    /// What was told last, so that it is told once.
    told: ReloadView,
}

impl Reloader {
    /// For a daemon that starts with this configuration.
    pub(crate) fn new(loaded: &Loaded, certificate: Option<Certificate>) -> Self {
        Self {
            sources: loaded.sources.clone(),
            certificate: certificate.map(|certificate| Renewed::new(certificate, loaded)),
            standing: Mutex::new(Standing {
                sections: Sections::of(loaded),
                agents: of_triggers(loaded).to_vec(),
                told: ReloadView::default(),
            }),
            in_force: RwLock::new(Arc::new(triggers_of(loaded))),
            shown: RwLock::new(None),
        }
    }

    /// Where the configuration is read from.
    pub(crate) const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The files of the certificate and its key, as far as there are some.
    pub(crate) fn certificate_files(&self) -> Vec<PathBuf> {
        let renewed = self.certificate.as_ref();
        renewed.map(Renewed::files).unwrap_or_default()
    }

    /// The triggers that are in force.
    pub(crate) fn in_force(&self) -> Arc<Vec<InForce>> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the status says of the configuration, when there is something to say.
    pub(crate) fn shown(&self) -> Option<ConfigView> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the configuration anew and takes up what can be.
    ///
    /// # Errors
    /// When what changed cannot be stored. Mistakes in the configuration are in the answer.
    pub(crate) async fn reload(&self, runtime: &Runtime, by: Principal) -> Result<ReloadView, Error> {
        let mut standing = self.standing.lock().await;
        let sources = self.sources.clone();
        let read = tokio::task::spawn_blocking(move || config::reread(&sources));
        let read = read.await.map_err(|error| {
            Error::new(Code::Failed, format!("the configuration cannot be read: {error}"))
        })?;
        let mut view = ReloadView {
            mistakes: mistakes_of(&read.mistakes),
            more_mistakes: read.more,
            ..ReloadView::default()
        };
        match self.wanted(&read, &mut view) {
            Some((loaded, wanted)) => {
                let taken_up = self.take_up(runtime, &mut standing, loaded, wanted, &mut view);
                if let Err(error) = taken_up.await {
                    // What was taken up before it failed is in force, and is told.
                    self.tell(runtime, by, &mut standing, &view).await;
                    return Err(error);
                }
            }
            None => {
                view.rejected = true;
                view.unchanged = self.in_force().len();
                view.restart.clone_from(&standing.told.restart);
            }
        }
        self.tell(runtime, by, &mut standing, &view).await;
        Ok(view)
    }

    /// The triggers that are to be in force: those without mistakes, and of the others what they
    /// were before. Nothing when the configuration cannot be used at all.
    fn wanted<'a>(&self, read: &'a Reread, view: &mut ReloadView) -> Option<(&'a Loaded, Vec<InForce>)> {
        let loaded = read.loaded.as_deref()?;
        let mut wanted = triggers_of(loaded);
        let there: BTreeSet<String> = wanted.iter().map(|one| one.trigger.name().to_owned()).collect();
        for before in self.in_force().iter() {
            if !there.contains(before.trigger.name()) && goes_on(before, &read.left_out) {
                view.kept.push(before.trigger.name().to_owned());
                wanted.push(before.clone());
            }
        }
        let broken = |message: String, view: &mut ReloadView| {
            let place = wanted_place(&wanted);
            view.mistakes.push(ConfigMistake {
                place: place.to_string(),
                file: None,
                line: None,
                key: "trigger".to_owned(),
                message,
                hint: Some("mend the other mistakes first".to_owned()),
            });
        };
        // What is kept and what is new were never checked together.
        if wanted.len() > bounds::TRIGGERS {
            broken(format!("more than {} triggers", bounds::TRIGGERS), view);
            return None;
        }
        if !view.kept.is_empty()
            && let Some(cycle) = cycles(wanted.iter().map(|one| &one.trigger)).pop()
        {
            broken(cycle.problem.message, view);
            return None;
        }
        Some((loaded, wanted))
    }

    async fn take_up(
        &self,
        runtime: &Runtime,
        standing: &mut Standing,
        loaded: &Loaded,
        wanted: Vec<InForce>,
        view: &mut ReloadView,
    ) -> Result<(), Error> {
        view.restart = standing.sections.changed(&Sections::of(loaded));
        if let Some(certificate) = &self.certificate {
            certificate.renew(loaded, view).await;
        }
        let tuned = tune(runtime.system(), Tuning::of(&loaded.definition))?;
        view.taken_up.extend(tuned.into_iter().map(str::to_owned));
        let agents = of_triggers(loaded).iter();
        let new: Vec<AgentDefinition> = agents.filter(|agent| !standing.has(agent)).cloned().collect();
        let waiting = enlist(runtime.system(), &new).await?;
        view.restart
            .extend(waiting.iter().map(|name| format!("agent {name}")));
        let triggers = wanted.iter().map(|one| one.trigger.clone()).collect();
        let replaced = runtime.replace_triggers(triggers).await?;
        for agent in new {
            standing.agents.retain(|known| known.name != agent.name);
            if !waiting.contains(&agent.name) {
                standing.agents.push(agent);
            }
        }
        let kept = view.kept.iter().map(|trigger| trigger_agent(trigger));
        let brought = of_triggers(loaded).iter().map(|agent| agent.name.clone());
        let gone = standing.left(&brought.chain(kept).collect());
        discharge(runtime.system(), &gone);
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(wanted);
        view.added = replaced.added;
        view.changed = replaced.changed;
        view.removed = replaced.removed;
        view.unchanged = replaced.kept;
        Ok(())
    }

    /// Tells what came of it: in the log and as an event, when it is news, and in the status.
    async fn tell(&self, runtime: &Runtime, by: Principal, standing: &mut Standing, view: &ReloadView) {
        let at = runtime.system().now();
        let is_quiet = view.mistakes.is_empty() && view.restart.is_empty();
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = (!is_quiet).then(|| ConfigView {
            at,
            mistakes: view.mistakes.clone(),
            more_mistakes: view.more_mistakes,
            kept: view.kept.clone(),
            restart: view.restart.clone(),
        });
        let told = &standing.told;
        let events: Vec<Event> = [reloaded(view, told), rejected(view, told)]
            .into_iter()
            .flatten()
            .collect();
        standing.told = view.clone();
        if events.is_empty() {
            return;
        }
        let system = runtime.system();
        if let Err(error) = system.record(by, system.team().node(), events).await {
            tracing::error!(%error, "what came of the new configuration could not be stored");
        }
    }
}

impl Standing {
    /// Takes out the agents that no trigger brings any more.
    fn left(&mut self, brought: &BTreeSet<String>) -> Vec<String> {
        let gone = self.agents.extract_if(.., |agent| !brought.contains(&agent.name));
        gone.map(|agent| agent.name).collect()
    }

    /// Is this agent taken up already, just as it is?
    fn has(&self, agent: &AgentDefinition) -> bool {
        let same = |known: &&AgentDefinition| known.name == agent.name;
        let known = self.agents.iter().find(same);
        known.is_some_and(|known| difference::same_agent(known, agent))
    }
}

fn triggers_of(loaded: &Loaded) -> Vec<InForce> {
    let triggers = loaded.definition.triggers.iter().cloned();
    let places = loaded.trigger_places.iter().cloned();
    triggers
        .zip(places)
        .map(|(trigger, place)| InForce { trigger, place })
        .collect()
}

fn wanted_place(wanted: &[InForce]) -> Place {
    let first = wanted.first().map(|one| one.place.clone());
    first.unwrap_or_else(|| Place::File {
        file: config::CONFIG_FILE.to_owned(),
        line: None,
        column: None,
    })
}

/// Does a trigger that the new configuration does not have go on, because what the file says of it
/// has a mistake, or because nobody knows what the file says?
fn goes_on(before: &InForce, left_out: &[LeftOut]) -> bool {
    left_out.iter().any(|left| match &left.name {
        Some(name) => name == before.trigger.name(),
        None => matches!(&before.place, Place::File { file, .. } if *file == left.file),
    })
}

/// The news that it was read anew, when something is different from what was told before.
fn reloaded(view: &ReloadView, told: &ReloadView) -> Option<Event> {
    let news = [&view.added, &view.changed, &view.removed, &view.taken_up];
    let is_different = news.iter().any(|list| !list.is_empty());
    if !is_different && view.restart == told.restart {
        return None;
    }
    tracing::info!(
        added = ?view.added, changed = ?view.changed, removed = ?view.removed,
        taken_up = ?view.taken_up, restart = ?view.restart,
        "the configuration was read anew"
    );
    Some(Event::ConfigReloaded {
        added: few(&view.added),
        changed: few(&view.changed),
        removed: few(&view.removed),
        taken_up: few(&view.taken_up),
        restart: few(&view.restart),
    })
}

/// The news that it was refused, when the mistakes are others than those that were told before.
fn rejected(view: &ReloadView, told: &ReloadView) -> Option<Event> {
    if view.mistakes.is_empty() || view.mistakes == told.mistakes {
        return None;
    }
    for mistake in view.mistakes.iter().take(IN_EVENT) {
        let hint = mistake.hint.as_deref().unwrap_or_default();
        tracing::error!(hint, "configuration refused: {mistake}");
    }
    let mistakes: Vec<_> = view.mistakes.iter().take(IN_EVENT).cloned().collect();
    Some(Event::ConfigRejected {
        more: view.more_mistakes + view.mistakes.len() - mistakes.len(),
        mistakes,
        kept: few(&view.kept),
    })
}

/// The first of many names, for an event.
fn few(names: &[String]) -> Vec<String> {
    let mut few: Vec<String> = names.iter().take(IN_EVENT).cloned().collect();
    if names.len() > IN_EVENT {
        few.push(format!("… and {} more", names.len() - IN_EVENT));
    }
    few
}

impl From<&Mistake> for ConfigMistake {
    fn from(mistake: &Mistake) -> Self {
        let (file, line) = match &mistake.place {
            Place::File { file, line, .. } => (Some(file.clone()), *line),
            Place::Variable { .. } | Place::Flag { .. } => (None, None),
        };
        Self {
            place: difference::clipped(&mistake.place.to_string()),
            file: file.as_deref().map(difference::clipped),
            line,
            key: difference::clipped(&mistake.key),
            message: difference::clipped(&mistake.message),
            hint: mistake.hint.as_deref().map(difference::clipped),
        }
    }
}
