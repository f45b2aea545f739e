//! What a run finds when it starts: its clone, its brief, its token, its environment.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use worknode_core::{
    agent::Tier,
    error::{Code, Error},
    ids::{NodeId, RunId},
    node::Node,
    run::{Purpose, RunSpec},
};
use worknode_policies::capability::{self, Claims, TaskHold, operations_of};
use worknode_process::{DEFAULT_ENV, SpawnSpec, clean_env};
use worknode_profiles::Launch;

use super::{
    brief,
    clone::{START, make_clone},
    orphans::MARK,
};
use crate::{definition::AgentDefinition, outside::failed, system::System};

/// Prepares everything that a process of this run needs.
pub(super) async fn prepare(system: &System, agent: NodeId, spec: &RunSpec) -> Result<SpawnSpec, Error> {
    let definition = system.team().agent(agent).ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "the agent is no longer in the team's configuration",
        )
    })?;
    let files = system.context().paths.run(spec.id);
    tokio::fs::create_dir_all(&files).await.map_err(failed)?;
    let task = task_of(system, &spec.purpose)?;
    let place = make_clone(system, definition, spec.id, task.as_ref(), &spec.purpose).await?;
    tokio::fs::write(files.join(START), place.start.as_str())
        .await
        .map_err(failed)?;
    let brief = brief::render(system, definition, &spec.purpose, task.as_ref(), &place).await?;
    let brief_file = files.join("brief.md");
    tokio::fs::write(&brief_file, &brief).await.map_err(failed)?;
    let token_file = files.join("token");
    write_secret(
        &token_file,
        &token(system, agent, definition, spec, task.as_ref())?,
    )
    .await?;

    let session = spec.id.to_string();
    let launch = Launch {
        brief: &brief,
        brief_file: &brief_file.to_string_lossy(),
        model: definition.model.as_deref(),
        session: Some(&session),
    };
    let line = definition
        .driver
        .command_line(&definition.command, &launch)
        .map_err(|error| Error::new(Code::InvalidConfig, error.to_string()))?;
    let mut env = environment(system, definition, spec, task.as_ref())?;
    env.extend(
        line.env
            .into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    env.insert("WORKNODE_BRIEF".into(), brief_file.into());
    env.insert("WORKNODE_TOKEN_FILE".into(), token_file.into());
    Ok(SpawnSpec {
        program: PathBuf::from(line.program),
        args: line.args.into_iter().map(OsString::from).collect(),
        env,
        cwd: place.clone,
        stdout: files.join("stdout.log"),
        stderr: files.join("stderr.log"),
        output_limit: spec.limits.output,
    })
}

fn task_of(system: &System, purpose: &Purpose) -> Result<Option<Node>, Error> {
    let Some(id) = purpose.task() else { return Ok(None) };
    let node = system.reader().node(id)?;
    node.map(Some)
        .ok_or_else(|| Error::new(Code::NotFound, format!("there is no task {id}")))
}

/// The capability of one run: what its tier may do, on its own task, while it lives.
fn token(
    system: &System,
    agent: NodeId,
    definition: &AgentDefinition,
    spec: &RunSpec,
    task: Option<&Node>,
) -> Result<String, Error> {
    let hold = match spec.purpose {
        Purpose::Work { task, epoch } => Some(TaskHold { node: task, epoch }),
        Purpose::Review { task: id } => task.and_then(Node::task).map(|task| TaskHold {
            node: id,
            epoch: task.epoch,
        }),
        Purpose::Standing | Purpose::Fired { .. } => None,
    };
    let tier = definition.spec.tier;
    let claims = Claims {
        version: capability::VERSION,
        principal: worknode_core::event::Principal::Agent {
            node: agent,
            name: definition.name.clone(),
            run: spec.id,
            tier,
        },
        operations: operations_of(tier),
        subtree: system.team().node(),
        task: hold,
        expires: system.now().plus(spec.limits.time).plus(spec.limits.grace),
    };
    let token = capability::issue(&system.context().keys, &claims).map_err(failed)?;
    Ok(token.reveal().to_owned())
}

/// Written so that nobody else can read it, from its first byte on.
async fn write_secret(path: &Path, secret: &str) -> Result<(), Error> {
    use tokio::io::AsyncWriteExt;
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).await.map_err(failed)?;
    file.write_all(secret.as_bytes()).await.map_err(failed)?;
    file.flush().await.map_err(failed)
}

/// What an agent process sees: the `WORKNODE_` variables, and of the daemon's environment only
/// what is let through.
fn environment(
    system: &System,
    agent: &AgentDefinition,
    spec: &RunSpec,
    task: Option<&Node>,
) -> Result<BTreeMap<OsString, OsString>, Error> {
    let names: Vec<&str> = DEFAULT_ENV
        .iter()
        .copied()
        .chain(agent.pass_env.iter().map(String::as_str))
        .chain(agent.driver.pass_env.iter().map(String::as_str))
        .collect();
    let mut env = clean_env(&names);
    env.retain(|name, _| !agent.driver.never_env.iter().any(|never| name == never.as_str()));
    env.extend(agent.env.iter().map(|(name, value)| (name.into(), value.into())));
    let paths = &system.context().paths;
    let mut path = OsString::from(paths.state.join("bin"));
    if let Some(rest) = env.get(std::ffi::OsStr::new("PATH")) {
        path.push(":");
        path.push(rest);
    }
    let deadline = system.now().plus(spec.limits.time);
    let mut set = |name: &str, value: OsString| drop(env.insert(name.into(), value));
    set("PATH", path);
    set("WORKNODE_AGENT", (&agent.name).into());
    set(MARK, spec.id.to_string().into());
    set("WORKNODE_SOCKET", (&paths.socket).into());
    set("WORKNODE_DEADLINE", deadline.to_string().into());
    set("TRACEPARENT", traceparent(spec.id).into());
    if let Some(task) = task {
        set("WORKNODE_TASK", (&task.name).into());
        let epoch = task.task().map_or(0, |task| task.epoch);
        set("WORKNODE_EPOCH", epoch.to_string().into());
    }
    if agent.spec.tier != Tier::Implementation {
        set("WORKNODE_TIER", agent.spec.tier.name().into());
    }
    Ok(env)
}

/// W3C Trace Context: the run is the trace.
fn traceparent(run: RunId) -> String {
    let trace = run.as_uuid().simple().to_string();
    format!("00-{trace}-{}-01", &trace[16..])
}
