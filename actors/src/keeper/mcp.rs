//! The MCP servers that a run's program is told of: the runtime's own, and those that the repository
//! names in `.mcp.json`. They run in the agent's sandbox, as whatever it starts.

use std::{collections::BTreeMap, fs, io, io::Read, path::Path};

use worknode_core::{agent::Tier, error::Error, ids::NodeId, node::Node, run::RunSpec};
use worknode_profiles::{driver::McpServer, servers};

use crate::{definition::AgentDefinition, outside::failed, system::System};

/// Its name among the program's servers.
const NAME: &str = "worknode";
/// Where a repository names its own.
const FILE: &str = ".mcp.json";
/// The same beside a run's output, as it was at the start of the run: the agent may change the other.
const KEPT: &str = "mcp.json";

/// All servers of a run: the runtime's own, and then `others`.
pub(super) fn with_own(
    system: &System,
    agent: &AgentDefinition,
    spec: &RunSpec,
    task: Option<&Node>,
    others: Vec<McpServer>,
) -> Vec<McpServer> {
    let own = server(system, agent, spec, task);
    std::iter::once(own).chain(others).collect()
}

/// The server of one run. Its variables are named one by one: some programs hand none of their own
/// on to servers. There is no secret among them, only where it lies.
fn server(system: &System, agent: &AgentDefinition, spec: &RunSpec, task: Option<&Node>) -> McpServer {
    let paths = &system.context().paths;
    let files = paths.run(spec.id);
    let shown = |path: &Path| path.to_string_lossy().into_owned();
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

/// The servers that the repository names, as its clone that was just made has them; kept for whoever
/// takes the run over.
pub(super) async fn keep(system: &System, clone: &Path, files: &Path) -> Result<Vec<McpServer>, Error> {
    let Some(text) = named(&clone.join(FILE)).map_err(failed)? else {
        return Ok(Vec::new());
    };
    match servers::read(&text, NAME) {
        Ok(found) => {
            tokio::fs::write(files.join(KEPT), &text).await.map_err(failed)?;
            if !found.left_out.is_empty() {
                tracing::warn!(left_out = ?found.left_out, "servers of {FILE} are not given to an agent");
            }
            Ok(found.given)
        }
        Err(error) => {
            let message = format!("{FILE} cannot be read, and no agent gets its servers: {error}");
            system.notify("operator", message).await;
            Ok(Vec::new())
        }
    }
}

/// What was kept at the start of a run. It was read then, so that a mistake has been told.
pub(super) fn kept(files: &Path) -> Vec<McpServer> {
    let text = named(&files.join(KEPT)).ok().flatten().unwrap_or_default();
    servers::read(&text, NAME).unwrap_or_default().given
}

/// The text of a regular file. The clone may hold a link, or what never ends.
fn named(path: &Path) -> io::Result<Option<String>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let limit = u64::try_from(servers::LENGTH).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
