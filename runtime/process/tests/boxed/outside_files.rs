//! Ways out through files.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use crate::{
    scene::{Scene, closed, closed_to_root},
    words,
};

#[test]
fn p9_a_file_outside_is_not_written() {
    closed(|scene| words!["write", scene.text("outside/file")]);
}

#[test]
fn p9_nothing_is_created_outside() {
    closed(|scene| words!["create", scene.text("outside/new")]);
    closed(|scene| words!["make-directory", scene.text("outside/new")]);
    closed(|scene| words!["symlink-out", "/etc", scene.text("outside/new")]);
}

#[test]
fn p9_nothing_outside_is_deleted() {
    closed(|scene| words!["delete", scene.text("outside/file")]);
    closed(|scene| words!["delete-directory", scene.text("outside/empty")]);
}

#[test]
fn p9_nothing_outside_is_emptied() {
    closed(|scene| words!["empty", scene.text("outside/file")]);
    closed(|scene| words!["empty-by-reading", scene.text("outside/file")]);
}

#[test]
fn p9_nothing_is_renamed_over_the_border() {
    closed(|scene| {
        words![
            "rename",
            scene.text("inside/own/file"),
            scene.text("outside/file")
        ]
    });
    closed(|scene| words!["rename", scene.text("outside/file"), scene.text("inside/file")]);
    closed(|scene| words!["rename", scene.text("outside/file"), scene.text("outside/other")]);
    closed(|scene| {
        words![
            "rename-new-over",
            scene.text("outside/new"),
            scene.text("outside/file")
        ]
    });
}

#[test]
fn p9_no_hard_link_crosses_the_border() {
    closed(|scene| words!["link-in", scene.text("outside/file"), scene.text("inside/link")]);
    closed(|scene| words!["link-out", scene.text("inside/new"), scene.text("outside/link")]);
}

#[test]
fn p9_a_symbolic_link_does_not_lead_out() {
    closed(|scene| {
        words![
            "symlink-in",
            scene.text("outside/file"),
            scene.text("inside/link")
        ]
    });
}

#[test]
fn p9_a_file_open_for_reading_is_not_reopened_for_writing() {
    closed(|scene| words!["reopen", scene.text("outside/file")]);
}

#[test]
fn p9_proc_is_no_way_out() {
    closed(|scene| words!["write", format!("/proc/self/root{}", scene.text("outside/file"))]);
    closed(|_| words!["write", "/proc/self/cwd/../outside/file"]);
    closed(|scene| words!["root-of", scene.outsider(), scene.text("outside/file")]);
    closed(|scene| words!["directory-of", scene.outsider(), "file"]);
}

#[test]
fn p9_nothing_is_mounted() {
    let bind = |scene: &Scene| {
        [
            scene.text("outside"),
            scene.text("inside/at"),
            scene.text("inside/at/file"),
        ]
    };
    closed_to_root(|scene| [words!["bind"], bind(scene).to_vec()].concat());
    closed_to_root(|scene| [words!["namespace"], bind(scene).to_vec()].concat());
}

#[test]
fn p9_no_device_is_made() {
    closed_to_root(|scene| words!["device", scene.text("inside/null")]);
}

#[test]
fn p9_the_root_is_not_changed() {
    closed_to_root(|scene| words!["change-root", scene.text("outside")]);
}

#[test]
fn p9_the_owner_of_a_file_outside_is_not_changed() {
    closed_to_root(|scene| words!["change-owner", scene.text("outside/file")]);
}

#[test]
fn p9_the_settings_of_the_kernel_are_not_opened_for_writing() {
    closed_to_root(|_| words!["open-to-write", "/proc/sys/kernel/core_pattern"]);
    closed(|_| words!["open-to-write", "/proc/self/oom_score_adj"]);
    closed(|scene| {
        words![
            "open-to-write",
            format!("/proc/{}/oom_score_adj", scene.outsider())
        ]
    });
}

#[test]
fn p9_a_hidden_file_is_not_read() {
    let hidden = |scene: &Scene| scene.text("hidden/file");
    closed(|scene| words!["read", hidden(scene)]);
    closed(|_| words!["read", "../hidden/file"]);
    closed(|_| words!["read", "/proc/self/cwd/../hidden/file"]);
    closed(|scene| words!["read", format!("/proc/self/root{}", hidden(scene))]);
    closed(|scene| words!["read-by-symlink", hidden(scene), scene.text("inside/link")]);
    closed(|scene| words!["read-by-link", hidden(scene), scene.text("inside/link")]);
    let moved = |scene: &Scene| {
        let (from, to) = (scene.text("hidden"), scene.text("inside/shown"));
        words!["read-renamed", from, to, scene.text("inside/shown/file")]
    };
    closed(moved);
}

#[test]
fn p9_a_link_beside_the_way_does_not_show_what_is_hidden() {
    let scene = Scene::new();
    std::os::unix::fs::symlink(scene.path("hidden"), scene.path("outside-link")).unwrap();
    std::os::unix::fs::symlink("/", scene.path("root-link")).unwrap();
    for way in [
        "outside-link/file".to_owned(),
        format!("root-link{}", scene.text("hidden/file")),
    ] {
        let output = scene.attempt(&scene.sandbox(), words!["read", scene.text(&way)]);
        assert_eq!(output.status.code(), Some(10), "{output:?}");
    }
}

#[test]
fn p9_devices_are_hidden_but_those_that_programs_need() {
    let device = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    let path = device.path().to_str().unwrap();
    closed(|_| words!["read", path]);
    let scene = Scene::new();
    for device in ["/dev/null", "/dev/zero", "/dev/ptmx"] {
        let output = scene.attempt(&scene.sandbox(), words!["open-to-write", device]);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn p9_what_appears_later_in_a_hidden_place_is_hidden_too() {
    let scene = Scene::new();
    let mut sandbox = scene.sandbox();
    sandbox.hide.push(scene.path("outside/later/keys"));
    // It speaks when the box is closed, and waits.
    let script = "echo ready; read go; cat ../outside/later/keys";
    let mut child = scene
        .boxed(&sandbox, "/bin/sh", &["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    output.read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    fs::create_dir(scene.path("outside/later")).unwrap();
    fs::write(scene.path("outside/later/keys"), "secret").unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert!(!child.wait().unwrap().success());
    output.read_to_string(&mut said).unwrap();
    assert_eq!(said, "ready\n");
}
