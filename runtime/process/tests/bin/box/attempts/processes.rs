//! Other processes: signals, memory, what they have open; and processes that try to get away.

use std::{
    env, fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    },
    process::Command,
};

use rustix::{
    process::{
        Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process,
        kill_process_group, pidfd_getfd, pidfd_open, pidfd_send_signal, prlimit, setsid,
    },
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};

use super::{failed, files::write};

pub(super) fn attempt(name: &str, args: &[&str]) -> Option<io::Result<()>> {
    Some(match (name, args) {
        ("kill", [who]) => pid(who).and_then(|pid| Ok(kill_process(pid, Signal::KILL)?)),
        ("kill-group", [who]) => pid(who).and_then(|pid| Ok(kill_process_group(pid, Signal::KILL)?)),
        ("kill-by-handle", [who]) => handle(who).and_then(|fd| Ok(pidfd_send_signal(fd, Signal::KILL)?)),
        ("steal-descriptor", [who]) => {
            handle(who).and_then(|fd| Ok(pidfd_getfd(fd, 0, PidfdGetfdFlags::empty()).map(drop)?))
        }
        ("environment", [who]) => fs::read(format!("/proc/{who}/environ")).map(drop),
        ("memory", [who]) => write(format!("/proc/{who}/mem")).or_else(past_opening),
        ("descriptors", [who]) => fs::read_link(format!("/proc/{who}/fd/0")).map(drop),
        ("root-of", [who, file]) => write(format!("/proc/{who}/root{file}")),
        ("directory-of", [who, file]) => write(format!("/proc/{who}/cwd/{file}")),
        ("namespaces-of", [who]) => namespaces(who),
        ("limit", [who]) => limit(who),
        ("trace", [who]) => super::calls::trace(who),
        ("abstract-socket", [name]) => {
            SocketAddr::from_abstract_name(name).and_then(|at| UnixStream::connect_addr(&at).map(drop))
        }
        ("socket", [path]) => UnixStream::connect(path).map(drop),
        ("gain", []) => gain(),
        ("preloaded", [file]) => preloaded(file),
        ("detached", [file]) => detached(file),
        ("detach", [file]) => detach(file),
        _ => return None,
    })
}

fn pid(who: &str) -> io::Result<Pid> {
    who.parse()
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| failed("not a process"))
}

fn handle(who: &str) -> io::Result<OwnedFd> {
    Ok(pidfd_open(pid(who)?, PidfdFlags::empty())?)
}

/// Nothing can be appended to memory, but to say so the kernel has let it be opened.
fn past_opening(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

fn namespaces(who: &str) -> io::Result<()> {
    Ok(move_into_thread_name_spaces(
        handle(who)?.as_fd(),
        ThreadNameSpaceType::MOUNT,
    )?)
}

/// Sets a limit of another process, to what it is.
fn limit(who: &str) -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Core);
    Ok(prlimit(Some(pid(who)?), Resource::Core, Rlimit { current, maximum }).map(drop)?)
}

/// Whether a program that is started could get more rights than this one has.
fn gain() -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    if status
        .lines()
        .any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"]))
    {
        return Err(failed("no new rights"));
    }
    Ok(())
}

/// A child with a library of its own choice.
fn preloaded(file: &str) -> io::Result<()> {
    let status = Command::new(env::current_exe()?)
        .args(["attempt", "write", file])
        .env("LD_PRELOAD", "libm.so.6")
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(status))
    }
}

/// A grandchild in a session of its own, whose parent is gone.
fn detached(file: &str) -> io::Result<()> {
    // Reads until the grandchild, too, has closed its output.
    let output = Command::new(env::current_exe()?)
        .args(["attempt", "detach", file])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if said.lines().filter(|line| *line == "out").count() == 2 {
        Ok(())
    } else {
        Err(failed(said))
    }
}

fn detach(file: &str) -> io::Result<()> {
    setsid()?;
    Command::new(env::current_exe()?)
        .args(["attempt", "write", file])
        .spawn()
        .map(drop)
}
