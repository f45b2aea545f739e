//! From the order to the running agent.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            net::{UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use rustix::{
    fs::Mode,
    pipe::{PipeFlags, pipe_with},
    process::{set_child_subreaper, setsid, umask},
    time::{ClockId, clock_gettime},
};
use worknode_core::{run::ProcessIdentity, time::Timestamp};

use super::{
    STAGE,
    feed::Feed,
    life::{Life, Parts},
    peers::Peers,
    signals::Signals,
    stage::{Instructions, Staged},
    streams::Streams,
};
use crate::{
    cgroup::Cgroup,
    identity::Identify,
    log::Log,
    marked::MARK,
    record::{self, CgroupPath, SOCKET, ShimRecord},
    sandbox::Enforced,
    spec::Input,
    tree::Tree,
    wire::{Failure, Order, START_TIME, line},
};

/// The shim works in the directory of the run: no path in it can be too long for a socket.
const HERE: &str = ".";

/// Most that a stage says.
const STAGED_MAX: u64 = 1024 * 1024;

/// Takes the directory, then starts the agent. A start that fails leaves nothing behind.
pub(super) fn start(order: Order) -> Result<Life, Failure> {
    // Fails when it leads a session already, which is as good.
    let _ = setsid();
    let own = rustix::process::getpid();
    set_child_subreaper(Some(own)).map_err(|error| Failure::shim("become a subreaper")(error.into()))?;
    let signals = Signals::register().map_err(Failure::shim("listen to signals"))?;
    let cgroup = Cgroup::create(&format!("{}.{}", order.run, std::process::id())).ok();
    if let Some(cgroup) = &cgroup {
        cgroup.limit(order.limits.memory, order.limits.processes);
    }
    let record = describe(&order, cgroup.as_ref()).map_err(Failure::shim("read its own identity"))?;
    let tree = Tree::new(cgroup);
    let claimed = record::claim(Path::new(HERE), &record).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Taken,
        _ => Failure::Output {
            path: PathBuf::from("shim.json"),
            cause: error.into(),
        },
    });
    let started = claimed.and_then(|()| {
        begin(order, record, &tree, signals).inspect_err(|_| record::release(Path::new(HERE)))
    });
    match started {
        Ok(parts) => Ok(Life::new(parts, tree)),
        Err(failure) => {
            if let Some(cgroup) = tree.cgroup() {
                cgroup.remove();
            }
            Err(failure)
        }
    }
}

fn describe(order: &Order, cgroup: Option<&Cgroup>) -> io::Result<ShimRecord> {
    Ok(ShimRecord {
        run: order.run,
        shim: ProcessIdentity::of(std::process::id())?,
        leader: None,
        cgroup: cgroup.map(|cgroup| CgroupPath(cgroup.path().to_path_buf())),
        started_at: now(),
        limits: order.limits,
    })
}

/// The wall clock. This process has no runtime from which it could be given one.
pub(super) fn now() -> Timestamp {
    let time = clock_gettime(ClockId::Realtime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
    Timestamp::from_millis(seconds.saturating_mul(1000).saturating_add(millis))
}

fn begin(order: Order, mut record: ShimRecord, tree: &Tree, signals: Signals) -> Result<Parts, Failure> {
    let listener = listen().map_err(Failure::shim("open its socket"))?;
    let streams = Streams::new(
        open_log(&order.command.stdout, &order)?,
        open_log(&order.command.stderr, &order)?,
    );
    let mut agent = start_agent(&order, tree)?;
    record.leader = Some(agent.identity.clone());
    record.started_at = now();
    if let Err(error) = record::update(Path::new(HERE), &record) {
        // Nobody could find it again: it must not be there.
        tree.kill_group();
        discard(&mut agent.child);
        return Err(Failure::Output {
            path: PathBuf::from("shim.json"),
            cause: error.into(),
        });
    }
    let peers = Peers::new(listener, order.secret);
    Ok(Parts {
        leader: agent.identity,
        enforced: agent.enforced,
        streams: agent.output.into_iter().fold(streams, Streams::attach),
        feed: Feed::new(agent.input),
        limits: order.limits,
        watch: order.watch,
        begun: Instant::now(),
        record,
        signals,
        peers,
    })
}

/// Only the owner may connect, whatever the mask is: it is put back before the agent inherits it.
fn listen() -> io::Result<UnixListener> {
    let before = umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(SOCKET);
    umask(before);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn open_log(path: &Path, order: &Order) -> Result<Log, Failure> {
    Log::create(path, order.command.output_limit).map_err(|error| Failure::Output {
        path: path.to_path_buf(),
        cause: error.into(),
    })
}

/// The agent as it was started.
struct Agent {
    child: Child,
    identity: ProcessIdentity,
    output: Vec<OwnedFd>,
    input: Option<OwnedFd>,
    enforced: Option<Enforced>,
}

fn start_agent(order: &Order, tree: &Tree) -> Result<Agent, Failure> {
    let (control, theirs) = UnixStream::pair().map_err(Failure::shim("make a socket pair"))?;
    let pipe = match order.command.stdin {
        Input::Held => {
            Some(pipe_with(PipeFlags::CLOEXEC).map_err(|error| Failure::shim("make a pipe")(error.into()))?)
        }
        Input::Closed => None,
    };
    let mut child = stage(order, theirs).map_err(Failure::shim("start a process"))?;
    let reader = pipe.as_ref().map(|(reader, _)| reader.as_raw_fd());
    let handed = instruct(control, &instructions(order, tree, reader));
    let enforced = match handed {
        Ok(enforced) => enforced,
        Err(failure) => {
            discard(&mut child);
            return Err(failure);
        }
    };
    // It is not reaped yet: its number means it, even if it has exited.
    let identity = match ProcessIdentity::of(child.id()) {
        Ok(identity) => identity,
        Err(error) => {
            discard(&mut child);
            return Err(Failure::shim("identify the agent")(error));
        }
    };
    let out = child.stdout.take().map(OwnedFd::from);
    let err = child.stderr.take().map(OwnedFd::from);
    Ok(Agent {
        output: out.into_iter().chain(err).collect(),
        input: pipe.map(|(_, writer)| writer),
        child,
        identity,
        enforced,
    })
}

/// The stage sees no variable but the mark: what the agent is given could change what a program
/// does before its `main`.
fn stage(order: &Order, control: UnixStream) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .args(["shim", STAGE])
        .env_clear()
        .env(MARK, order.run.to_string())
        .current_dir(&order.command.cwd)
        .process_group(0)
        .stdin(OwnedFd::from(control))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn instructions(order: &Order, tree: &Tree, stdin: Option<i32>) -> Instructions {
    let mut env = order.command.env.clone();
    env.insert(MARK.into(), order.run.to_string().into());
    Instructions {
        program: order.program.clone(),
        args: order.command.args.clone(),
        env,
        join: tree.cgroup().map(Cgroup::procs).into_iter().collect(),
        memory: order.limits.memory,
        sandbox: order.command.sandbox.clone(),
        parent: std::process::id(),
        stdin,
    }
}

/// Hands the instructions over and reads until the exec closes the socket.
fn instruct(mut control: UnixStream, told: &Instructions) -> Result<Option<Enforced>, Failure> {
    let talked = || -> io::Result<Vec<u8>> {
        control.set_read_timeout(Some(START_TIME))?;
        control.set_write_timeout(Some(START_TIME))?;
        control.write_all(&line(told)?)?;
        let mut said = Vec::new();
        (&control).take(STAGED_MAX).read_to_end(&mut said)?;
        Ok(said)
    };
    let mut talked = talked;
    let said = talked().map_err(Failure::shim("speak to the process that becomes the agent"))?;
    let mut ready = None;
    for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Staged::Ready(enforced)) => ready = Some(enforced),
            Ok(Staged::Failed(failure)) => return Err(failure),
            Err(error) => {
                return Err(Failure::shim("understand the process that becomes the agent")(
                    error.into(),
                ));
            }
        }
    }
    ready.ok_or_else(|| {
        let ended = io::Error::other("it ended before it was ready");
        Failure::shim("start the agent")(ended)
    })
}

fn discard(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
