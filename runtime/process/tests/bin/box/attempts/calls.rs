//! System calls for which there is no safe function: perl makes them.

use std::{io, process::Command};

use super::failed;

const SEIZE: i64 = 0x4206;
const NEW_USER: i64 = 0x1000_0000;
/// `SIGCHLD`: a child in a namespace of its own, which ends as its parent does.
const SIGNAL: i64 = 17;

pub(super) fn attempt(name: &str, args: &[&str]) -> Option<io::Result<()>> {
    Some(match (name, args) {
        ("io-uring", []) => reached(libc::SYS_io_uring_setup, &[8, 0]),
        ("key-ring", []) => reached(libc::SYS_keyctl, &[0, -3, 0]),
        ("fault-handler", []) => reached(libc::SYS_userfaultfd, &[0]),
        ("by-handle", []) => reached(libc::SYS_open_by_handle_at, &[-1, 0, 0]),
        ("kernel-program", []) => reached(libc::SYS_bpf, &[0, 0, 0]),
        ("clone", []) => reached(libc::SYS_clone, &[NEW_USER | SIGNAL, 0, 0, 0, 0]),
        ("clone-by-memory", []) => reached(libc::SYS_clone3, &[0, 0]),
        ("type", []) => reached(libc::SYS_ioctl, &[0, 0x5412, 0]),
        _ => return None,
    })
}

/// Whether a call gets as far as looking at its arguments, which make no sense.
fn reached(call: i64, args: &[i64]) -> io::Result<()> {
    match made(call, args)? {
        errno @ (libc::EPERM | libc::ENOSYS) => Err(io::Error::from_raw_os_error(errno)),
        _ => Ok(()),
    }
}

/// Becomes the tracer of a process, until it ends.
pub(super) fn trace(who: &str) -> io::Result<()> {
    match made(libc::SYS_ptrace, &[SEIZE, who.parse().map_err(failed)?, 0, 0])? {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Makes a call; its error, or zero.
fn made(call: i64, args: &[i64]) -> io::Result<i32> {
    let args: Vec<_> = std::iter::once(call)
        .chain(args.iter().copied())
        .map(|n| n.to_string())
        .collect();
    let script = "my ($call, @args) = map { $_ + 0 } @ARGV; exit(syscall($call, @args) == -1 ? $! + 0 : 0)";
    let perl = Command::new("perl").args(["-e", script]).args(args).status();
    perl.map_err(|error| failed(format!("perl: {error}")))?
        .code()
        .ok_or_else(|| failed("perl was ended by a signal"))
}
