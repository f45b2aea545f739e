//! `worknode agent`: look at agents, and let stopped ones work again.

use worknode_core::{error::Error, node::Kind};
use worknode_daemon::view::{self, AgentView};

use super::{ask_or_read, now, ps};
use crate::{
    args::Agent,
    client::escaped,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn agent(place: &Place, agent: Agent, form: Form) -> Result<(), Error> {
    match agent {
        Agent::List => ps::once(place, form).await,
        Agent::Show { agent } => show(place, &agent, form).await,
        Agent::Resume { agents, all } => resume(place, agents, all, form).await,
    }
}

async fn show(place: &Place, name: &str, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let path = format!("/agents/{}", escaped(name));
    let agent: AgentView = ask_or_read(place, client.get(&path), |reader| {
        let node = view::find(reader, Kind::Agent, name)?;
        view::agent(reader, &node, now(), &view::Live::new())
    })
    .await?;
    match form {
        Form::Json => output::json(&agent),
        Form::Text => {
            ps::print(std::slice::from_ref(&agent), now());
            if let Some(run) = &agent.run {
                output::line("");
                ps::print_uses("THE RUN USES", &run.uses);
            }
            if !agent.uses.is_empty() {
                output::line("");
                ps::print_uses("IT USES IN ALL", &agent.uses);
            }
            Ok(())
        }
    }
}

async fn resume(place: &Place, names: Vec<String>, all: bool, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let names = if all {
        let agents: Vec<AgentView> = client.get("/agents").await?;
        agents.into_iter().map(|agent| agent.name).collect()
    } else {
        names
    };
    let mut resumed = Vec::new();
    for name in names {
        let agent: AgentView = client
            .post(
                &format!("/agents/{}/resume", escaped(&name)),
                &serde_json::json!({}),
            )
            .await?;
        resumed.push(agent);
    }
    match form {
        Form::Json => output::json(&resumed),
        Form::Text => {
            ps::print(&resumed, now());
            Ok(())
        }
    }
}
