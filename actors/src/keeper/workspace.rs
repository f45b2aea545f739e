//! What a run finds when it starts: its clone, its brief, its token, its environment.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use worknode_core::{
    agent::Tier,
    error::{Code, Error},
    git::CommitId,
    ids::{NodeId, RunId},
    node::Node,
    run::{Purpose, RunSpec},
    task::{Task, TaskStatus},
};
use worknode_policies::capability::{self, Claims, TaskHold, operations_of};
use worknode_process::{DEFAULT_ENV, SpawnSpec, clean_env};
use worknode_profiles::{Brief, Launch};

use super::{brief, orphans::MARK};
use crate::{
    definition::AgentDefinition,
    outside::{authorship, failed, identity},
    system::{Paths, System},
};

/// The file beside a run's output that names the commit its clone began with.
const START: &str = "start";

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

/// The commit that the clone of a run began with; `None` when it never got one.
pub(crate) async fn start_of(paths: &Paths, run: RunId) -> Option<CommitId> {
    tokio::fs::read_to_string(paths.run(run).join(START))
        .await
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn task_of(system: &System, purpose: &Purpose) -> Result<Option<Node>, Error> {
    let Some(id) = purpose.task() else { return Ok(None) };
    let node = system.reader().node(id)?;
    node.map(Some)
        .ok_or_else(|| Error::new(Code::NotFound, format!("there is no task {id}")))
}

/// A clone for one run.
pub(super) struct Place {
    /// Where it is.
    pub(super) clone: PathBuf,
    /// The tip of the base branch.
    pub(super) base: CommitId,
    /// What is checked out.
    pub(super) start: CommitId,
    /// The rejected submission that it goes on from.
    pub(super) continues: Option<CommitId>,
}

async fn make_clone(
    system: &System,
    agent: &AgentDefinition,
    run: RunId,
    task: Option<&Node>,
    purpose: &Purpose,
) -> Result<Place, Error> {
    let context = system.context();
    let clone = context.paths.workspace(&agent.name);
    put_away(system, &clone).await?;
    let base = context
        .repository
        .base_tip(&context.team.base)
        .await
        .map_err(failed)?;
    let state = task.and_then(Node::task);
    let (start, continues) = match (purpose, state) {
        (Purpose::Work { .. }, Some(task)) => start_of_attempt(system, &base, task).await?,
        (Purpose::Review { .. }, Some(task)) => (candidate_of(task)?, None),
        _ => (base.clone(), None),
    };
    let identity = identity(system, &agent.name)?;
    let branch = state.map_or_else(
        || format!("worknode/{run}"),
        |task| format!("worknode/{}", task.spec.key),
    );
    context
        .store
        .clone_for_agent(&clone, &start, &branch, &identity)
        .await
        .map_err(failed)?;
    Ok(Place {
        clone,
        base,
        start,
        continues,
    })
}

/// A further attempt goes on from the work that was rejected, on top of what landed meanwhile.
async fn start_of_attempt(
    system: &System,
    base: &CommitId,
    task: &Task,
) -> Result<(CommitId, Option<CommitId>), Error> {
    let previous = task.last_submission.as_ref();
    let authorship = authorship(system, "worknode")?;
    let point = system
        .context()
        .store
        .start_point(base, previous, &authorship)
        .await
        .map_err(failed)?;
    let continues = previous.filter(|_| point.carries_previous).cloned();
    Ok((point.commit, continues))
}

fn candidate_of(task: &Task) -> Result<CommitId, Error> {
    match &task.status {
        TaskStatus::InReview(review) => review.candidate.clone(),
        _ => None,
    }
    .ok_or_else(|| Error::new(Code::IllegalTransition, "there is nothing to review any more"))
}

/// The clone of the agent's run before this one: nothing that was handed in needs it any more.
/// One whose run ended without a submission is kept beside the run's output, for people.
async fn put_away(system: &System, clone: &Path) -> Result<(), Error> {
    let paths = &system.context().paths;
    if !tokio::fs::try_exists(clone).await.map_err(failed)? {
        return Ok(());
    }
    if let Some(run) = owner_of(system, clone)? {
        let kept = paths.run(run).join("workspace");
        if tokio::fs::rename(clone, &kept).await.is_ok() {
            return Ok(());
        }
    }
    worknode_git::remove_clone(&paths.state.join("workspaces"), clone)
        .await
        .map_err(failed)
}

/// The last run of the agent whose clone this is, when it left work that nobody took.
fn owner_of(system: &System, clone: &Path) -> Result<Option<RunId>, Error> {
    let Some(name) = clone.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return Ok(None);
    };
    let runs = system.reader().runs_of(system.team().agent_node(&name), 2)?;
    // The newest is the one that is starting; the one before it left the clone.
    let Some(stored) = runs.into_iter().nth(1) else {
        return Ok(None);
    };
    let Purpose::Work { task, epoch } = stored.run.spec.purpose else {
        return Ok(None);
    };
    let filter = worknode_journal::EventFilter {
        node: Some(task),
        types: vec!["task_submitted".to_owned()],
        ..worknode_journal::EventFilter::default()
    };
    let submitted = system.reader().events(&filter)?.into_iter().any(|record| {
        matches!(record.event, worknode_core::event::Event::TaskSubmitted { epoch: at, .. } if at == epoch)
    });
    Ok((!submitted).then_some(stored.run.spec.id))
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

/// The environment that DESIGN section 8 promises, and nothing else but what is let through.
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

impl Place {
    /// Renders `brief` with the agent's own template.
    pub(super) fn render(agent: &AgentDefinition, brief: &Brief<'_>) -> Result<String, Error> {
        let template = worknode_profiles::Template::parse(&agent.brief).map_err(|errors| {
            let first = errors.first().map_or_else(String::new, ToString::to_string);
            Error::new(
                Code::InvalidConfig,
                format!("the brief's template has mistakes: {first}"),
            )
        })?;
        Ok(template.render(brief))
    }
}
