//! Ways out through other processes, and by programs that try to get away.

use std::os::unix::net::UnixListener;

use worknode_process::sandbox::Sandbox;

use crate::{
    scene::{Scene, closed, closed_by, closed_to_root},
    words,
};

#[test]
fn p9_no_process_outside_is_signalled() {
    closed(|scene| words!["kill", scene.outsider()]);
    closed(|scene| words!["kill-group", scene.outsider()]);
    closed(|scene| words!["kill-by-handle", scene.outsider()]);
}

#[test]
fn p9_no_process_outside_is_traced() {
    closed(|scene| words!["trace", scene.outsider()]);
    closed(|scene| words!["steal-descriptor", scene.outsider()]);
}

#[test]
fn p9_the_token_in_the_environment_of_another_process_is_not_read() {
    closed(|scene| words!["environment", scene.outsider()]);
}

#[test]
fn p9_the_memory_of_another_process_is_not_opened() {
    closed(|scene| words!["memory", scene.outsider()]);
    closed(|scene| words!["descriptors", scene.outsider()]);
}

#[test]
fn p9_no_limit_is_set_on_another_process() {
    closed(|scene| words!["limit", scene.outsider()]);
}

#[test]
fn p9_the_namespaces_of_another_process_are_not_entered() {
    closed_to_root(|scene| words!["namespaces-of", scene.outsider()]);
}

#[test]
fn p9_abstract_sockets_outside_are_not_reached() {
    closed(|scene| words!["abstract-socket", scene.socket()]);
}

#[test]
fn p9_sockets_in_the_file_system_can_be_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service");
    let _service = UnixListener::bind(&path).unwrap();
    let refuse = |scene: &Scene| Sandbox {
        no_unix_sockets: true,
        ..scene.sandbox()
    };
    closed_by(refuse, |_| words!["socket", path.to_str().unwrap()]);
}

#[test]
fn p9_programs_gain_no_rights() {
    closed(|_| words!["gain"]);
}

#[test]
fn p9_a_preloaded_library_changes_nothing() {
    closed(|scene| words!["preloaded", scene.text("outside/file")]);
}

#[test]
fn p9_a_grandchild_in_a_session_of_its_own_is_in_the_box() {
    closed(|scene| words!["detached", scene.text("outside/file")]);
}

#[test]
fn p9_there_are_no_user_namespaces() {
    for name in ["user-namespace", "clone", "clone-by-memory"] {
        closed(|_| words![name]);
    }
}

#[test]
fn p9_doors_into_the_kernel_are_closed() {
    for name in ["io-uring", "key-ring", "type"] {
        closed(|_| words![name]);
    }
    for name in ["fault-handler", "by-handle", "kernel-program"] {
        closed_to_root(|_| words![name]);
    }
}

/// What a program that root starts in the box really has.
#[test]
fn p9_root_loses_its_capabilities_for_good() {
    let scene = Scene::new();
    let output = scene
        .boxed(&scene.sandbox(), "/bin/cat", &["/proc/self/status"])
        .output()
        .unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    // Of files, of ids, of low ports, of the audit log: see `powers`.
    let kept = 1 << 1 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 29;
    for name in ["CapPrm:", "CapEff:"] {
        assert_eq!(set(name) & !kept, 0, "{name} in {status}");
    }
    for name in ["CapInh:", "CapAmb:"] {
        assert_eq!(set(name), 0, "{name} in {status}");
    }
    if rustix::process::geteuid().is_root() {
        assert_eq!(set("CapBnd:") & !kept, 0, "{status}");
    }
}
