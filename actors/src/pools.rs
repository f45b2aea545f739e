//! Pools of credentials: what the governor of each decides is carried out here, and what is to be
//! done about a run that gets nowhere.

use worknode_core::{
    agent::AgentCommand,
    command::Command,
    governor::Effect,
    hlc::Hlc,
    ids::{NodeId, RunId},
    run::{Hold, StopCause},
    usage::Stuck,
};
use worknode_profiles::profile::StuckAction;

use crate::{
    definition::AgentDefinition,
    system::{System, random_u64},
};

/// A run says that it gets nowhere: perhaps all on its pool have to wait.
pub(crate) async fn stuck(system: &System, run: RunId, stuck: &Stuck) {
    let effects = system.guard().stuck(run, stuck, system.now(), random_u64());
    let said = system.reader().run(run).ok().flatten();
    because(system, said.map(|stored| stored.updated), effects).await;
}

/// A run got an answer: perhaps all on its pool go on.
pub(crate) async fn progressed(system: &System, run: RunId) {
    let effects = system.guard().progressed(run);
    carry_out(system, effects).await;
}

/// Does what governors want, in their order. What fails is logged: the governor's next look finds
/// it undone, and every hold has an end.
pub(crate) async fn carry_out(system: &System, effects: Vec<Effect>) {
    because(system, None, effects).await;
}

async fn because(system: &System, cause: Option<Hlc>, effects: Vec<Effect>) {
    // What is done to runs follows from what was recorded before it.
    let mut recorded = cause;
    for effect in effects {
        let done = match effect {
            Effect::Record(event) => system
                .record_after(recorded, crate::team::RUNTIME, system.team().node(), vec![*event])
                .await
                .map(|records| recorded = records.last().map(|record| record.at)),
            Effect::Freeze(run) => {
                let freeze = AgentCommand::Freeze {
                    hold: Hold::Pool,
                    reason: "its pool of credentials pauses".to_owned(),
                };
                ask(system, recorded, run, freeze).await
            }
            Effect::Thaw(run) => {
                let hold = Some(Hold::Pool);
                ask(system, recorded, run, AgentCommand::Thaw { hold }).await
            }
        };
        if let Err(error) = done {
            tracing::warn!(%error, "what a pool of credentials asks for could not be done");
        }
    }
}

async fn ask(
    system: &System,
    cause: Option<Hlc>,
    run: RunId,
    command: AgentCommand,
) -> Result<(), worknode_core::error::Error> {
    let Some(stored) = system.reader().run(run)? else {
        return Ok(());
    };
    let asked = system.command_after(cause, stored.agent, Command::Agent(command));
    asked.await.map(drop)
}

/// What the agent's policy says about such a run. Answers why it must end, when it must.
pub(crate) async fn on_stuck(
    system: &System,
    definition: &AgentDefinition,
    agent: NodeId,
    stuck: Stuck,
) -> Option<StopCause> {
    let told = |to: &str| {
        let message = format!("{} gets nowhere: {}", definition.name, stuck.name());
        let (system, to) = (system.clone(), to.to_owned());
        async move { system.notify(&to, message).await }
    };
    match definition.on_stuck.action(&stuck) {
        StuckAction::Wait => None,
        StuckAction::Notify => {
            told("operator").await;
            None
        }
        StuckAction::Escalate => {
            told("executive").await;
            told("operator").await;
            None
        }
        StuckAction::Freeze => {
            told("operator").await;
            let reason = format!("it gets nowhere: {}", stuck.name());
            let freeze = AgentCommand::Freeze {
                hold: Hold::Stuck,
                reason,
            };
            if let Err(error) = system.command(agent, Command::Agent(freeze)).await {
                tracing::warn!(%error, "a run that gets nowhere could not be frozen");
            }
            None
        }
        StuckAction::Kill => Some(StopCause::Stuck { stuck }),
    }
}
