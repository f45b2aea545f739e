//! The runtime's own MCP server, as a run's program is told of it.

use std::collections::BTreeMap;

use worknode_core::{agent::Tier, ids::NodeId, node::Node, run::RunSpec};
use worknode_profiles::driver::McpServer;

use crate::{definition::AgentDefinition, system::System};

/// Its name among the program's servers.
const NAME: &str = "worknode";

/// The server of one run. Its variables are named one by one: some programs hand none of their own
/// on to servers. There is no secret among them, only where it lies.
pub(super) fn server(
    system: &System,
    agent: &AgentDefinition,
    spec: &RunSpec,
    task: Option<&Node>,
) -> McpServer {
    let paths = &system.context().paths;
    let files = paths.run(spec.id);
    let shown = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let mut env = BTreeMap::from([
        ("WORKNODE_AGENT".to_owned(), agent.name.clone()),
        ("WORKNODE_RUN".to_owned(), spec.id.to_string()),
        ("WORKNODE_SOCKET".to_owned(), shown(&paths.socket)),
        ("WORKNODE_TOKEN_FILE".to_owned(), shown(&files.join("token"))),
        ("WORKNODE_BRIEF".to_owned(), shown(&files.join("brief.md"))),
    ]);
    if let Some(task) = task {
        let epoch = task.task().map_or(0, |task| task.epoch);
        env.insert("WORKNODE_TASK".to_owned(), task.name.clone());
        env.insert("WORKNODE_EPOCH".to_owned(), epoch.to_string());
    }
    let tier = acts_as(agent, spec);
    if tier != Tier::Implementation {
        env.insert("WORKNODE_TIER".to_owned(), tier.name().to_owned());
    }
    McpServer {
        name: NAME.to_owned(),
        command: shown(&paths.program),
        args: vec!["mcp".to_owned()],
        env,
    }
}

/// Which tools make sense to it: those of the tier that it is raised to. Whether a call may is decided
/// when it is made.
fn acts_as(agent: &AgentDefinition, spec: &RunSpec) -> Tier {
    let raised = spec.raised.iter().find_map(|raise| raise.tier);
    raised.unwrap_or(agent.spec.tier)
}

/// The task of a run, as far as it can be told.
pub(super) fn task_of(system: &System, spec: &RunSpec) -> Option<Node> {
    let task: Option<NodeId> = spec.purpose.task();
    task.and_then(|id| system.reader().node(id).ok().flatten())
}
