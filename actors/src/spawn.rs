//! Agents that make agents.
//!
//! A spawned agent is *like* one of the configuration: the same program, profile, limits and
//! sandbox under another name. It hangs in the tree beneath whoever asked for it, its budget comes
//! out of theirs, and it ends with them unless they end well. It has one run.
//!
//! ```text
//! allowed? ─ limits ─ name ─ budget │ claim (for a task) ─ node_created ─ run_queued …
//!      refused: nothing is there    │ a crash in between: the agent is idle, the claim given back
//! ```

mod known;
mod spawner;

use std::sync::Arc;

use worknode_core::{
    agent::{AgentCommand, AgentSpec, Share, StartWhen, Tier},
    bounds,
    command::Command,
    error::{Code, Error},
    event::{Draft, Event, PanicStage},
    hlc::Hlc,
    ids::{NodeId, RunId},
    lineage::Lineage,
    node::{Detail, Kind, NodeSpec},
    raise::Raise,
    run::Purpose,
    task::{ReleaseCause, TaskCommand, TaskStatus},
};
use worknode_policies::{
    authority::Authority,
    capability::{Limits, lineage::handed_on},
    names,
};

pub(crate) use self::known::{Known, Spawned, stored};
use self::spawner::Spawner;
use crate::{definition::AgentDefinition, system::System};

/// Characters of a name.
const NAME: usize = 64;
/// Bytes of title and prompt together: they are part of one event.
const WORDS: usize = bounds::EVENT_PAYLOAD / 2;
/// Names that mean somebody else in messages and events.
const RESERVED: [&str; 4] = ["operator", "executive", "assignee", "runtime"];

/// Another agent, as somebody wants it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The agent of the configuration that it is like.
    pub like: String,
    /// Its name; made from `like` when it is not given.
    pub name: Option<String>,
    /// What it is for.
    pub duty: Duty,
    /// What it may have at most, beside the limits of the agent that it is like.
    pub share: Share,
    /// What its run may do beside what such an agent may. Only a trigger of the configuration gives
    /// more than is its own.
    pub raised: Vec<Raise>,
    /// Asked again with the same key by the same one, it is the same agent.
    pub key: Option<String>,
}

/// What an agent is spawned for.
#[derive(Clone, Debug)]
pub enum Duty {
    /// A task that is ready. Code is changed under a task, with its gates.
    Task(NodeId),
    /// Anything that changes no code.
    Prompt {
        /// One line for people; the beginning of the prompt when it is empty.
        title: String,
        /// What to do; the title when it is empty.
        prompt: String,
    },
}

/// Makes the agent and starts its run. Answers its Worknode.
///
/// # Errors
/// Before anything is made: `forbidden` for whom may not spawn, `not_found` for an unknown likeness,
/// `already_exists` for a name that is taken, `limit_reached` naming what lacks, `usage` for what
/// makes no sense. Afterwards whatever keeps the run from starting; the agent is there then, idle.
pub async fn spawn(system: &System, authority: &Arc<Authority>, wanted: Wanted) -> Result<NodeId, Error> {
    let (system, authority) = (system.clone(), Arc::clone(authority));
    // Whoever asked may hang up in the middle of it.
    let spawning = tokio::spawn(async move {
        let _turn = system.no_other_spawn().await;
        one(&system, &authority, &wanted).await
    });
    spawning
        .await
        .map_err(|error| Error::new(Code::Failed, format!("the spawn broke off: {error}")))?
}

async fn one(system: &System, authority: &Arc<Authority>, wanted: &Wanted) -> Result<NodeId, Error> {
    let spawner = Spawner::of(system, &authority.principal)?;
    let run = wanted.key.as_ref().map_or_else(
        || system.new_run(),
        |key| RunId::derived(spawner.node.id, &format!("spawn:{key}")),
    );
    if let Some(before) = system.reader().run(run)? {
        return Ok(before.agent);
    }
    let share = within(authority, share_of(system, wanted)?)?;
    // Asked for with a stand-in: a task has no epoch yet, and authority does not depend on it.
    let wish = AgentCommand::Start {
        run,
        purpose: Purpose::Standing,
        share,
        raised: Vec::new(),
    };
    spawner.may_spawn(system, authority, &wish)?;
    system.guard().check(PanicStage::Spawns)?;
    let base = likeness(system, &wanted.like)?;
    let duty = check_duty(system, &base, &wanted.duty)?;
    if let Duty::Task(task) = duty {
        system.check_files(authority, task)?;
        system.check_place(authority, task)?;
    }
    let lineage = lineage(system, authority)?;
    if let Some(lineage) = &lineage {
        lineage.time_left(system.now(), base.spec.limits.grace)?;
    }
    let spawned = describe(system, &spawner, &base, wanted, lineage)?;

    system.guard().hire(&spawned, run, share, system.now())?;
    let begun = Begun {
        system,
        authority,
        spawner: &spawner,
        spawned: &spawned,
        run,
        share,
        raised: &wanted.raised,
    };
    let outcome = begun.begin(&duty).await;
    // A start that was not answered in time may still be carried out.
    if let Err(error) = &outcome
        && error.code != Code::TimedOut
    {
        system.guard().withdrawn(run, system.now());
        if system.reader().node(spawned.node)?.is_none() {
            system.guard().dismiss(spawned.node);
        }
    }
    outcome.map(|()| spawned.node)
}

/// What the capability through which it is asked for hands on. Who needs none hands on all.
fn lineage(system: &System, authority: &Authority) -> Result<Option<Box<Lineage>>, Error> {
    let through = authority.through.as_deref();
    let handed_on = through.map(|opened| handed_on(opened, system.now()).map(Box::new));
    handed_on.transpose()
}

/// What is wanted, as far as the capability goes: what it does not say is what the capability says;
/// what is more is refused.
fn within(authority: &Authority, wanted: Share) -> Result<Share, Error> {
    let Limits { usd, tokens, .. } = authority.limits;
    let beyond = |what: &str, most: &dyn std::fmt::Display| {
        let message = format!("the capability lets what it spawns take {most} of {what} at most");
        Error::new(Code::Forbidden, message).hint("ask for less, or with another capability")
    };
    if let (Some(most), Some(wanted)) = (usd, wanted.usd)
        && wanted > most
    {
        return Err(beyond("money", &most));
    }
    if let (Some(most), Some(wanted)) = (tokens, wanted.tokens)
        && wanted > most
    {
        return Err(beyond("tokens", &most));
    }
    Ok(Share {
        usd: wanted.usd.or(usd),
        tokens: wanted.tokens.or(tokens),
        ..wanted
    })
}

/// Of what the task may have and what is wanted the smaller.
fn share_of(system: &System, wanted: &Wanted) -> Result<Share, Error> {
    let Duty::Task(id) = wanted.duty else {
        return Ok(wanted.share);
    };
    let node = system.reader().node(id)?;
    let own = node.as_ref().and_then(|node| Some(node.task()?.spec.share()));
    Ok(wanted.share.and(own.unwrap_or_default()))
}

fn likeness(system: &System, name: &str) -> Result<AgentDefinition, Error> {
    system.with_present_team(|team| {
        let agents = &team.agents;
        let base = agents.iter().find(|agent| agent.name == name);
        base.cloned().ok_or_else(|| {
            let names: Vec<_> = agents.iter().take(20).map(|agent| agent.name.as_str()).collect();
            Error::new(
                Code::NotFound,
                format!("the configuration has no agent `{name}` that another could be like"),
            )
            .hint(format!("it has {}", names.join(", ")))
        })
    })
}

/// The same, filled in, when an agent like `base` can do it.
fn check_duty(system: &System, base: &AgentDefinition, duty: &Duty) -> Result<Duty, Error> {
    let usage = |message: String| Err(Error::new(Code::Usage, message));
    let (name, tier) = (&base.name, base.spec.tier);
    match duty {
        Duty::Task(id) if tier == Tier::Implementation => check_task(system, base, *id),
        Duty::Task(_) => usage(format!(
            "`{name}` is of the {} tier: it takes no tasks, give it a prompt",
            tier.name()
        )),
        Duty::Prompt { .. } if tier == Tier::Implementation => usage(format!(
            "`{name}` changes code, which needs a task with its gates: name a task that is ready"
        )),
        Duty::Prompt { title, prompt } => check_prompt(title.trim(), prompt.trim()),
    }
}

fn check_prompt(title: &str, prompt: &str) -> Result<Duty, Error> {
    let first = prompt.lines().next().unwrap_or_default();
    if title.is_empty() && prompt.is_empty() {
        let message = "say what it is to do, in a title or a prompt";
        return Err(Error::new(Code::Usage, message));
    }
    if title.len() + prompt.len() > WORDS {
        return Err(Error::new(
            Code::Usage,
            format!("title and prompt have more than {WORDS} bytes"),
        )
        .hint("put what is long into a file of the repository, and name that file"));
    }
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    Ok(Duty::Prompt {
        title: or(title, &first.chars().take(80).collect::<String>()),
        prompt: or(prompt, title),
    })
}

fn check_task(system: &System, base: &AgentDefinition, id: NodeId) -> Result<Duty, Error> {
    let node = system.reader().node(id)?;
    let Some((node, task)) = node.as_ref().and_then(|node| Some((node, node.task()?))) else {
        return Err(Error::new(Code::NotFound, format!("there is no task {id}")));
    };
    if !matches!(task.status, TaskStatus::Ready) {
        let (name, status) = (&node.name, task.status.name());
        let message = format!("task `{name}` is {status}: only one that is ready can be given to somebody");
        return Err(Error::new(Code::IllegalTransition, message));
    }
    let meant_for = task.spec.agent.as_deref();
    if let Some(pattern) = meant_for.filter(|pattern| !names::fits(pattern, &base.name)) {
        let message = format!(
            "task `{}` is for `{pattern}`, not for one like `{}`",
            node.name, base.name
        );
        return Err(Error::new(Code::Refused, message));
    }
    Ok(Duty::Task(id))
}

/// What the new agent will be.
fn describe(
    system: &System,
    spawner: &Spawner,
    base: &AgentDefinition,
    wanted: &Wanted,
    lineage: Option<Box<Lineage>>,
) -> Result<Spawned, Error> {
    let spec = AgentSpec {
        start: StartWhen::Trigger,
        limits: wanted.share.of(base.spec.limits),
        asks: wanted.share.and(base.spec.asks),
        like: Some(base.name.clone()),
        lineage,
        ..base.spec.clone()
    };
    let name = match &wanted.name {
        Some(name) => own_name(system, spawner, name, &spec)?,
        None => free_name(system, &base.name)?,
    };
    let node = system.team().agent_node(&name);
    Ok(Spawned::new(node, spawner.node.id, base, name, spec))
}

/// A name becomes the name of a directory.
fn own_name(system: &System, spawner: &Spawner, name: &str, spec: &AgentSpec) -> Result<String, Error> {
    check_name(name)?;
    let Some(taken) = system.reader().node(system.team().agent_node(name))? else {
        return Ok(name.to_owned());
    };
    // What a daemon made that died before it could start it: the same one, asked for again.
    let never_ran = system.reader().runs_of(taken.id, 1)?.is_empty();
    let same = taken.agent().is_some_and(|agent| agent.spec == *spec);
    if same && never_ran && taken.parent == Some(spawner.node.id) {
        return Ok(name.to_owned());
    }
    let message = format!("there is an agent `{name}` already");
    Err(Error::new(Code::AlreadyExists, message).hint("give another name, or none"))
}

fn check_name(name: &str) -> Result<(), Error> {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fine = |c: char| first(c) || matches!(c, '.' | '_' | '-');
    if !name.starts_with(first) || !name.chars().all(fine) || name.len() > NAME {
        let message = format!(
            "`{}` cannot be a name",
            name.chars().take(NAME).collect::<String>()
        );
        return Err(Error::new(Code::Usage, message).hint(format!(
            "begin with a lower-case letter or digit, go on with those, `.`, `_` or `-`, \
             {NAME} characters at most"
        )));
    }
    if RESERVED.contains(&name) {
        let message = format!("`{name}` means somebody else in messages");
        return Err(Error::new(Code::Usage, message).hint(format!("write {name}-1, or another name")));
    }
    Ok(())
}

fn free_name(system: &System, like: &str) -> Result<String, Error> {
    for number in 1..=bounds::CHILDREN {
        let name = format!("{like}-x{number}");
        if system.reader().node(system.team().agent_node(&name))?.is_none() {
            return Ok(name);
        }
    }
    let message = format!("{} agents like `{like}` were spawned already", bounds::CHILDREN);
    Err(Error::new(Code::LimitReached, message))
}

/// A spawn that is allowed, and for which a share is kept.
struct Begun<'a> {
    system: &'a System,
    authority: &'a Arc<Authority>,
    spawner: &'a Spawner,
    spawned: &'a Spawned,
    run: RunId,
    share: Share,
    raised: &'a [Raise],
}

impl Begun<'_> {
    async fn begin(&self, duty: &Duty) -> Result<(), Error> {
        match duty {
            Duty::Task(task) => self.begin_task(*task).await,
            Duty::Prompt { title, prompt } => {
                self.create().await?;
                self.start(
                    None,
                    Purpose::Spawned {
                        by: self.spawner.name.clone(),
                        title: title.clone(),
                        prompt: prompt.clone(),
                    },
                )
                .await
            }
        }
    }

    /// The claim comes first: another agent may be faster, and then nothing has been made.
    async fn begin_task(&self, task: NodeId) -> Result<(), Error> {
        let held = self.system.claims_for_spawn(task);
        let claim = TaskCommand::Claim {
            agent: self.spawned.node,
            run: Some(self.run),
            lease: bounds::LEASE,
        };
        let reply = self.system.command(task, Command::Task(claim)).await?;
        let (claim, node) = (reply.stamp(), reply.node()?);
        let epoch = node.task().map_or(0, |task| task.epoch);
        let started = match self.create().await {
            Ok(()) => self.start(claim, Purpose::Work { task, epoch }).await,
            Err(error) => Err(error),
        };
        drop(held);
        if let Err(error) = &started {
            let release = TaskCommand::Release {
                epoch,
                cause: ReleaseCause::NotStarted,
                detail: error.message.clone(),
            };
            self.system.command(task, Command::Task(release)).await?;
        }
        started
    }

    async fn create(&self) -> Result<(), Error> {
        let Spawned {
            node,
            parent,
            definition,
        } = self.spawned;
        if self.system.reader().node(*node)?.is_none() {
            let spec = NodeSpec::new(
                Some(*parent),
                Kind::Agent,
                definition.name.clone(),
                Detail::Agent(Box::new(definition.spec.clone())),
            );
            let draft = Draft {
                node: *node,
                by: self.authority.principal.clone(),
                cause: None,
                event: Event::NodeCreated { node: spec },
            };
            self.system.store(vec![draft]).await?;
        }
        self.system.learn(*node, definition.clone());
        Ok(())
    }

    async fn start(&self, cause: Option<Hlc>, purpose: Purpose) -> Result<(), Error> {
        let start = AgentCommand::Start {
            run: self.run,
            purpose,
            share: self.share,
            raised: self.raised.to_vec(),
        };
        let agent = self.spawned.node;
        self.system
            .ask(self.authority, agent, Command::Agent(start), cause)
            .await?;
        self.spawner.take_along(self.system, agent).await
    }
}
