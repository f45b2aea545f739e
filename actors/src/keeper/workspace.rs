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
    raise::sandbox_until,
    run::{Purpose, RunLimits, RunSpec},
    task::TaskStatus,
    trace::TraceContext,
};
use worknode_policies::{
    capability::{self, Claims, TaskHold, lineage::derived, operations_of},
    hook, landing,
};
use worknode_process::{DEFAULT_ENV, Input, Limits, RunRequest, Secret, SpawnSpec, clean_env};
use worknode_profiles::{
    Driver, Launch,
    driver::{CommandLine, Extras, McpServer, Transport},
};

use super::{
    MARK, brief,
    clone::{START, make_clone},
    included, mcp, sandbox,
    session::{self, Session},
};
use crate::{definition::AgentDefinition, outside::failed, system::System};

/// What the program of a run is told at its start, by its command line or in its first message.
pub(super) struct Launched {
    pub(super) brief: String,
    pub(super) brief_file: PathBuf,
    pub(super) clone: PathBuf,
    pub(super) model: Option<String>,
    pub(super) session: String,
    /// The session of an earlier run that this one goes on with.
    pub(super) resumes: Option<Session>,
    /// The MCP servers that it is given.
    pub(super) mcp: Vec<McpServer>,
}

impl Launched {
    /// The same again, from what was kept of the start.
    pub(super) fn load(system: &System, agent: &AgentDefinition, spec: &RunSpec) -> Self {
        let paths = &system.context().paths;
        let brief_file = paths.run(spec.id).join("brief.md");
        let resumes = session::resumed_by(&paths.run(spec.id));
        Self {
            // Without it, a program that is still to be told its brief is told to read the file.
            brief: std::fs::read_to_string(&brief_file).unwrap_or_default(),
            brief_file,
            clone: paths.workspace(&agent.name),
            model: model(agent),
            session: session_name(spec, resumes.as_ref()),
            resumes,
            mcp: mcp::with_own(
                system,
                agent,
                spec,
                mcp::task_of(system, spec).as_ref(),
                mcp::kept(&paths.run(spec.id)),
            ),
        }
    }

    fn launch<'a>(&'a self, brief_file: &'a str) -> Launch<'a> {
        Launch {
            brief: &self.brief,
            brief_file,
            model: self.model.as_deref(),
            session: Some(&self.session),
        }
    }
}

/// The file with the hooks that the agent's program calls, for programs that do. Early warnings only:
/// the agent may change it as it likes.
async fn write_hooks(agent: &AgentDefinition, scratch: &Path) -> Result<Option<String>, Error> {
    if !agent.driver.has_hooks() {
        return Ok(None);
    }
    let file = scratch.join("hooks.json");
    let settings = hook::settings("worknode").to_string();
    tokio::fs::write(&file, settings).await.map_err(failed)?;
    Ok(Some(file.to_string_lossy().into_owned()))
}

/// A session of its own has the run's name.
fn session_name(spec: &RunSpec, resumes: Option<&Session>) -> String {
    resumes.map_or_else(|| spec.id.to_string(), |session| session.id.clone())
}

/// The agent's own model, or its driver's for its tier.
fn model(agent: &AgentDefinition) -> Option<String> {
    let of_tier = || agent.driver.models.of(agent.spec.tier).map(str::to_owned);
    agent.model.clone().or_else(of_tier)
}

/// Prepares everything that a process of this run needs.
pub(super) async fn prepare(system: &System, agent: NodeId, spec: &RunSpec) -> Result<RunRequest, Error> {
    let definition = system.agent(agent).ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "the agent is no longer in the team's configuration",
        )
    })?;
    let scratch = sandbox::scratch(system, spec);
    tokio::fs::create_dir_all(&scratch).await.map_err(failed)?;
    let task = task_of(system, &spec.purpose)?;
    let place = make_clone(system, &definition, spec.id, task.as_ref(), &spec.purpose).await?;
    let files = Files::of(system.context().paths.run(spec.id));
    included::copy(system, &place.clone).await?;
    let servers = mcp::keep(system, &place.clone, &files.dir).await?;
    let brief = brief::render(system, (agent, &definition), spec, task.as_ref(), &place).await?;
    let token = token(system, agent, &definition, spec, task.as_ref())?;
    files.write(place.start.as_str(), &brief, &token).await?;

    let resumes = session::to_resume(system, agent, &definition, spec)?;
    if let Some(session) = &resumes {
        session::note_resumed(&files.dir, session).await;
    }
    let launched = Launched {
        brief,
        brief_file: files.brief.clone(),
        clone: place.clone.clone(),
        model: model(&definition),
        session: session_name(spec, resumes.as_ref()),
        resumes,
        mcp: mcp::with_own(system, &definition, spec, task.as_ref(), servers),
    };
    let hooks = write_hooks(&definition, &scratch).await?;
    let line = command_line(&definition, &launched, hooks.as_deref())?;
    let sandbox = sandbox::of_run(system, &definition, spec, &place, task.as_ref()).await?;
    let mut env = environment(system, &definition, spec, task.as_ref())?;
    let of_driver = line.env.into_iter();
    env.extend(of_driver.map(|(name, value)| (name.into(), value.into())));
    env.extend(files.environment(scratch, sandbox.is_some()));
    let command = SpawnSpec {
        program: program_proper(&definition.driver, &line.program, &env),
        args: line.args.into_iter().map(OsString::from).collect(),
        env,
        cwd: place.clone.clone(),
        stdin: match definition.driver.transport {
            Transport::TwoWay => Input::Held,
            Transport::Lines => Input::Closed,
        },
        stdout: files.dir.join("stdout.log"),
        stderr: files.dir.join("stderr.log"),
        output_limit: spec.limits.output,
        sandbox,
    };
    Ok(request(
        system,
        &definition,
        spec,
        command,
        (files.dir, place.clone),
    ))
}

fn command_line(
    agent: &AgentDefinition,
    launched: &Launched,
    hooks: Option<&str>,
) -> Result<CommandLine, Error> {
    let extras = Extras {
        hooks,
        resume: launched.resumes.is_some(),
        mcp: &launched.mcp,
        asks: agent.asks.is_some(),
    };
    let brief_file = launched.brief_file.to_string_lossy();
    let launch = launched.launch(&brief_file);
    let line = agent.driver.command_line_with(&agent.command, &launch, &extras);
    line.map_err(|error| Error::new(Code::InvalidConfig, error.to_string()))
}

fn request(
    system: &System,
    agent: &AgentDefinition,
    spec: &RunSpec,
    command: SpawnSpec,
    (dir, watched): (PathBuf, PathBuf),
) -> RunRequest {
    RunRequest {
        shim: system.context().paths.program.clone(),
        run: spec.id,
        secret: shim_secret(system, spec.id),
        command,
        dir,
        limits: Limits {
            time: time_of(system, agent, spec),
            ..limits(&spec.limits)
        },
        watch: vec![watched],
    }
}

/// The files of one run that its process reads.
struct Files {
    dir: PathBuf,
    brief: PathBuf,
    token: PathBuf,
}

impl Files {
    fn of(dir: PathBuf) -> Self {
        Self {
            brief: dir.join("brief.md"),
            token: dir.join("token"),
            dir,
        }
    }

    /// What tells the process where they are, and where it may write what nobody keeps.
    fn environment(&self, scratch: PathBuf, boxed: bool) -> impl Iterator<Item = (OsString, OsString)> {
        // In the sandbox even root gives no file away; an archive is no reason to fail.
        let tar = boxed.then(|| ("TAR_OPTIONS".into(), "--no-same-owner".into()));
        [
            ("WORKNODE_BRIEF".into(), self.brief.clone().into()),
            ("WORKNODE_TOKEN_FILE".into(), self.token.clone().into()),
            ("TMPDIR".into(), scratch.into()),
        ]
        .into_iter()
        .chain(tar)
    }

    async fn write(&self, start: &str, brief: &str, token: &str) -> Result<(), Error> {
        tokio::fs::write(self.dir.join(START), start)
            .await
            .map_err(failed)?;
        tokio::fs::write(&self.brief, brief).await.map_err(failed)?;
        write_secret(&self.token, token).await
    }
}

/// The program itself, where the one of the command is only its launcher: a launcher may ignore
/// signals, and dies without what it launched.
fn program_proper(driver: &Driver, named: &str, env: &BTreeMap<OsString, OsString>) -> PathBuf {
    let named = PathBuf::from(named);
    if driver.native.is_empty() {
        return named;
    }
    let path = env.get(std::ffi::OsStr::new("PATH"));
    let launcher = path
        .iter()
        .flat_map(std::env::split_paths)
        .map(|directory| directory.join(&named))
        .find(|file| file.is_file())
        .and_then(|file| file.canonicalize().ok());
    let Some(directory) = launcher.as_deref().and_then(Path::parent) else {
        return named;
    };
    let candidates = driver.native_candidates(&directory.to_string_lossy(), std::env::consts::ARCH);
    let proper = candidates
        .into_iter()
        .map(PathBuf::from)
        .find(|file| file.is_file());
    proper.unwrap_or(named)
}

/// What only the daemons of this directory and the shim of the run know.
pub(crate) fn shim_secret(system: &System, run: RunId) -> Secret {
    Secret::new(system.context().keys.secret_of(run))
}

/// What a daemon has time for to end a run whose sandbox was open for a time, before its shim does.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(1);

/// How long a run that starts now may take. What reaches into its sandbox cannot be taken back from a
/// living process: one that has it ends with it, and without a daemon a moment later.
///
/// Nor does a run outlive the capability through which its agent was spawned; some of the time that it
/// had when it was queued may have passed since.
fn time_of(system: &System, agent: &AgentDefinition, spec: &RunSpec) -> std::time::Duration {
    let now = system.now();
    let raised = sandbox_until(&spec.raised).map(|until| until.since(now) + MARGIN);
    let lineage = agent.spec.lineage.as_deref();
    let handed_on = lineage.map(|lineage| lineage.time_left(now, spec.limits.grace).unwrap_or_default());
    let left = raised.into_iter().chain(handed_on).min();
    left.map_or(spec.limits.time, |left| left.min(spec.limits.time))
}

/// What the shim enforces, daemon or not.
const fn limits(limits: &RunLimits) -> Limits {
    Limits {
        time: limits.time,
        silence: limits.silence,
        grace: limits.grace,
        orphan_grace: limits.orphan_grace,
        memory: limits.memory,
        processes: limits.processes,
        cpu: limits.cpu,
    }
}

fn task_of(system: &System, purpose: &Purpose) -> Result<Option<Node>, Error> {
    let Some(id) = purpose.task() else { return Ok(None) };
    let node = system.reader().node(id)?;
    node.map(Some)
        .ok_or_else(|| Error::new(Code::NotFound, format!("there is no task {id}")))
}

/// The capability of one run: what its tier may do, on its own task, while it lives; of one that was
/// spawned through another, never more than that one hands on (P9).
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
        Purpose::Standing | Purpose::Fired { .. } | Purpose::Spawned { .. } => None,
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
        raised: spec.raised.clone(),
        expires: system
            .now()
            .plus(time_of(system, definition, spec))
            .plus(spec.limits.grace),
        issued: system.now(),
        limits: capability::Limits::default(),
        from: Vec::new(),
    };
    let boundaries = system.boundaries();
    let claims = match &definition.spec.lineage {
        Some(lineage) => derived(claims, lineage, |node, top| boundaries.has_below(top, node)),
        None => claims,
    };
    let token = system.context().capabilities.issue(&claims).map_err(failed)?;
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
    let deadline = system.now().plus(time_of(system, agent, spec));
    let mut set = |name: &str, value: OsString| drop(env.insert(name.into(), value));
    set("PATH", path);
    set("WORKNODE_AGENT", (&agent.name).into());
    set(MARK, spec.id.to_string().into());
    set("WORKNODE_SOCKET", (&paths.socket).into());
    set("WORKNODE_DEADLINE", deadline.to_string().into());
    set("TRACEPARENT", TraceContext::of_run(spec).to_string().into());
    if let Some(task) = task {
        set("WORKNODE_TASK", (&task.name).into());
        let epoch = task.task().map_or(0, |task| task.epoch);
        set("WORKNODE_EPOCH", epoch.to_string().into());
        if let (Purpose::Review { .. }, Some(shown)) = (&spec.purpose, shown_of(task)) {
            set("WORKNODE_SHOWN", shown.into());
        }
    }
    if agent.spec.tier != Tier::Implementation {
        set("WORKNODE_TIER", agent.spec.tier.name().into());
    }
    Ok(env)
}

/// Digest of what a reviewer is shown: its word counts for exactly that.
fn shown_of(task: &Node) -> Option<String> {
    let task = task.task()?;
    match &task.status {
        TaskStatus::InReview(review) => Some(landing::shown(&task.spec, &review.submission.commit)),
        _ => None,
    }
}
