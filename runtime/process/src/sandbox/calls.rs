//! System calls that nothing in a box may make.
//!
//! The filter adds what Landlock has no words for. It allows by default: it takes away a few
//! calls that agents and their tools have no use for, so that tools keep working.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction,
    SeccompCmpArgLen::{Dword, Qword},
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use super::{Sandbox, SandboxError};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refused always, whatever their arguments.
const REFUSED: [i64; 14] = [
    // The kernel's key rings are shared by all processes of a user.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Opens a file without its path, so without asking which directories it is beneath.
    libc::SYS_open_by_handle_at,
    // The machine, and doors into the kernel that have often been left open.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
];

/// Answered as if the kernel did not have them. Programs have another way then.
const ABSENT: [i64; 4] = [
    // Does reads, writes and socket calls that no filter sees.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Its arguments lie in memory, where a filter cannot see a new namespace; `clone` it can.
    libc::SYS_clone3,
];

/// Put characters into a terminal's input as if somebody had typed them.
const TYPING: [u64; 2] = [libc::TIOCSTI, 0x541C /* TIOCLINUX */];

/// Families of sockets that a limited network leaves: what does not leave the machine, and what
/// Landlock governs.
const LOCAL: [i32; 2] = [libc::AF_UNIX, libc::AF_NETLINK];
const INTERNET: [i32; 2] = [libc::AF_INET, libc::AF_INET6];

/// Whether there is a filter for this processor.
pub(super) fn target() -> Option<TargetArch> {
    TargetArch::try_from(std::env::consts::ARCH).ok()
}

/// Puts the filters in force.
pub(super) fn enforce(sandbox: &Sandbox) -> Result<(), SandboxError> {
    let refused = |error: &dyn std::fmt::Display| SandboxError::refused("to filter system calls", error);
    let Some(target) = target() else {
        return Err(refused(&"there is no filter for this processor"));
    };
    let filters = [
        (rules(sandbox).map_err(|error| refused(&error))?, libc::EPERM),
        (ABSENT.map(|call| (call, Vec::new())).into(), libc::ENOSYS),
    ];
    for (rules, answer) in filters {
        let program = compile(rules, answer, target).map_err(|error| refused(&error))?;
        apply_filter(&program).map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// Calls made by another processor's numbers (32-bit programs) end the process: the compiled
/// filter begins with that.
fn compile(rules: Rules, answer: i32, target: TargetArch) -> Result<BpfProgram, BackendError> {
    let answer = SeccompAction::Errno(answer.unsigned_abs());
    SeccompFilter::new(with_x32(rules), SeccompAction::Allow, answer, target)?.try_into()
}

/// The x32 interface has the same calls once more, with a bit set in their numbers.
#[cfg(target_arch = "x86_64")]
fn with_x32(mut rules: Rules) -> Rules {
    const X32: i64 = 0x4000_0000;
    const X32_KEXEC_LOAD: i64 = X32 + 528;
    let doubled: Vec<_> = rules
        .iter()
        .map(|(call, conditions)| (call | X32, conditions.clone()))
        .collect();
    rules.extend(doubled);
    if rules.contains_key(&libc::SYS_kexec_load) {
        rules.insert(X32_KEXEC_LOAD, Vec::new());
    }
    rules
}

#[cfg(not(target_arch = "x86_64"))]
fn with_x32(rules: Rules) -> Rules {
    rules
}

fn rules(sandbox: &Sandbox) -> Result<Rules, BackendError> {
    let mut rules: Rules = REFUSED.map(|call| (call, Vec::new())).into();
    // A new user namespace gives all capabilities inside it, and with them the part of the kernel
    // in which most ways out were found.
    let namespace = all(vec![has(0, libc::CLONE_NEWUSER.unsigned_abs())?])?;
    rules.insert(libc::SYS_clone, vec![namespace.clone()]);
    rules.insert(libc::SYS_unshare, vec![namespace]);
    let typing = TYPING.map(|request| all(vec![is(1, request)?]));
    rules.insert(libc::SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);

    // Another process's limits: one of CPU time that is used up already would end it.
    rules.insert(libc::SYS_prlimit64, vec![all(vec![is_not(0, 0)?, given(2)?])?]);

    let mut socket = Vec::new();
    if sandbox.no_unix_sockets {
        socket.push(all(vec![is(0, number(libc::AF_UNIX))?])?);
    }
    if sandbox.network_is_limited() {
        socket.extend(only_tcp()?);
        // Connects and sends in one call, which does not ask Landlock.
        let opening = |flags| all(vec![has(flags, libc::MSG_FASTOPEN.unsigned_abs())?]);
        rules.insert(libc::SYS_sendto, vec![opening(3)?]);
        rules.insert(libc::SYS_sendmsg, vec![opening(2)?]);
        rules.insert(libc::SYS_sendmmsg, vec![opening(3)?]);
    }
    if !socket.is_empty() {
        rules.insert(libc::SYS_socket, socket);
    }
    Ok(rules)
}

/// What `socket` is refused for, so that of the internet only TCP is left. It has relatives that
/// reach the same servers and that Landlock does not govern (MPTCP, SCTP).
fn only_tcp() -> Result<Vec<SeccompRule>, BackendError> {
    let known = LOCAL.into_iter().chain(INTERNET);
    let mut refused = vec![all(known
        .map(|family| is_not(0, number(family)))
        .collect::<Result<_, _>>()?)?];
    for family in INTERNET.map(number) {
        let stream = [
            0,
            libc::SOCK_CLOEXEC,
            libc::SOCK_NONBLOCK,
            libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
        ]
        .map(|flags| is_not(1, number(libc::SOCK_STREAM | flags)));
        let protocol = [0, libc::IPPROTO_TCP].map(|protocol| is_not(2, number(protocol)));
        for others in [Vec::from(stream), Vec::from(protocol)] {
            let mut conditions = vec![is(0, family)?];
            conditions.extend(others.into_iter().collect::<Result<Vec<_>, _>>()?);
            refused.push(all(conditions)?);
        }
    }
    Ok(refused)
}

/// These constants are small and positive.
fn number(constant: i32) -> u64 {
    u64::from(constant.unsigned_abs())
}

fn all(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions)
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, value)
}

fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Dword, SeccompCmpOp::Ne, value)
}

/// The argument is a pointer that points to something.
fn given(argument: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Qword, SeccompCmpOp::Ne, 0)
}

fn has(argument: u8, flag: u32) -> Result<SeccompCondition, BackendError> {
    let flag = u64::from(flag);
    SeccompCondition::new(argument, Dword, SeccompCmpOp::MaskedEq(flag), flag)
}
