//! What a sandbox may say, and what it answers when it cannot be enforced.

use std::{fs, path::PathBuf};

use worknode_process::sandbox::Sandbox;

use crate::{scene::Scene, words};

/// What the program says that is to close a box and cannot.
fn refused(scene: &Scene, sandbox: &Sandbox) -> String {
    let output = scene.boxed(sandbox, "/bin/true", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn ok(scene: &Scene, sandbox: &Sandbox, words: Vec<String>) {
    let output = scene.attempt(sandbox, words);
    assert!(output.status.success(), "{output:?}");
}

fn not(scene: &Scene, sandbox: &Sandbox, words: Vec<String>) {
    let output = scene.attempt(sandbox, words);
    assert_eq!(output.status.code(), Some(10), "{output:?}");
}

#[test]
fn a_file_to_modify_is_changed_in_place_and_no_other_way() {
    let scene = Scene::new();
    let sandbox = Sandbox {
        modify: vec![scene.path("outside/file")],
        ..scene.sandbox()
    };
    let file = scene.text("outside/file");
    ok(&scene, &sandbox, words!["write", &file]);
    ok(&scene, &sandbox, words!["empty", &file]);
    not(&scene, &sandbox, words!["delete", &file]);
    not(
        &scene,
        &sandbox,
        words!["rename", &file, scene.text("outside/new")],
    );
    not(
        &scene,
        &sandbox,
        words!["rename", scene.text("inside/own/file"), &file],
    );
    not(&scene, &sandbox, words!["write", scene.text("outside/other")]);
}

#[test]
fn files_move_between_writable_directories() {
    let scene = Scene::new();
    let moved = words!["rename", scene.text("inside/own/file"), scene.text("inside/file")];
    ok(&scene, &scene.sandbox(), moved);
    let linked = words![
        "link-in",
        scene.text("inside/file"),
        scene.text("inside/own/link")
    ];
    ok(&scene, &scene.sandbox(), linked);
}

#[test]
fn what_is_named_in_a_hidden_place_is_open() {
    let scene = Scene::new();
    let mut sandbox = scene.sandbox();
    sandbox.read = vec![scene.path("hidden/shown"), scene.path("hidden/not-there")];
    ok(&scene, &sandbox, words!["read", scene.text("hidden/shown/file")]);
    not(&scene, &sandbox, words!["write", scene.text("hidden/shown/file")]);
    not(&scene, &sandbox, words!["read", scene.text("hidden/file")]);
    sandbox.write.push(scene.path("hidden/shown"));
    ok(&scene, &sandbox, words!["create", scene.text("hidden/shown/new")]);
    sandbox.modify = vec![scene.path("hidden/file")];
    ok(&scene, &sandbox, words!["write", scene.text("hidden/file")]);
    ok(&scene, &sandbox, words!["read", scene.text("hidden/file")]);
}

#[test]
fn a_place_in_a_shown_place_can_be_hidden_again() {
    let scene = Scene::new();
    fs::create_dir(scene.path("hidden/shown/keys")).unwrap();
    fs::write(scene.path("hidden/shown/keys/key"), "secret").unwrap();
    let mut sandbox = scene.sandbox();
    sandbox.read = vec![scene.path("hidden/shown")];
    sandbox.hide.push(scene.path("hidden/shown/keys"));
    ok(&scene, &sandbox, words!["read", scene.text("hidden/shown/file")]);
    not(
        &scene,
        &sandbox,
        words!["read", scene.text("hidden/shown/keys/key")],
    );
    not(&scene, &sandbox, words!["read", scene.text("hidden/file")]);
}

#[test]
fn everything_can_be_hidden() {
    let scene = Scene::new();
    let mut sandbox = scene.sandbox();
    sandbox.hide = vec![PathBuf::from("/")];
    sandbox.read = ["/usr", "/etc", "/proc"].map(PathBuf::from).to_vec();
    sandbox
        .read
        .push(PathBuf::from(env!("CARGO_BIN_EXE_worknode-test-box")));
    for place in ["/bin", "/lib", "/lib64"] {
        sandbox
            .read
            .push(fs::canonicalize(place).unwrap_or_else(|_| place.into()));
    }
    ok(&scene, &sandbox, words!["read", scene.text("inside/own/file")]);
    ok(&scene, &sandbox, words!["read", "/etc/passwd"]);
    not(&scene, &sandbox, words!["read", scene.text("outside/file")]);
}

#[test]
fn what_is_beneath_a_writable_place_cannot_be_hidden() {
    let scene = Scene::new();
    let mut sandbox = scene.sandbox();
    sandbox.hide.push(scene.path("inside/own"));
    let said = refused(&scene, &sandbox);
    assert!(said.contains("inside/own") && said.contains("writable"), "{said}");
}

#[test]
fn a_link_that_a_process_left_behind_opens_nothing() {
    let scene = Scene::new();
    std::os::unix::fs::symlink(scene.path("outside"), scene.path("inside/cache")).unwrap();
    let places = [scene.path("inside/cache"), scene.path("inside/cache/file")];
    for place in places {
        let mut sandbox = scene.sandbox();
        sandbox.write.push(place.clone());
        assert!(refused(&scene, &sandbox).contains("symbolic link"));
        let mut sandbox = scene.sandbox();
        sandbox.modify.push(place);
        assert!(refused(&scene, &sandbox).contains("symbolic link"));
    }
}

#[test]
fn places_that_cannot_be_used_are_named() {
    let scene = Scene::new();
    let missing = Sandbox {
        write: vec![scene.path("not-there")],
        ..Sandbox::default()
    };
    assert!(refused(&scene, &missing).contains("not-there"));
    let relative = Sandbox {
        hide: vec![PathBuf::from("keys")],
        ..Sandbox::default()
    };
    assert!(refused(&scene, &relative).contains("not absolute"));
    let upwards = Sandbox {
        write: vec![scene.path("inside/../outside")],
        ..Sandbox::default()
    };
    assert!(refused(&scene, &upwards).contains(".."));
    let directory = Sandbox {
        modify: vec![scene.path("outside")],
        ..Sandbox::default()
    };
    assert!(refused(&scene, &directory).contains("directory"));
}

#[test]
fn a_crowd_beside_a_hidden_place_is_an_error() {
    let scene = Scene::new();
    for n in 0..9_000 {
        fs::write(scene.path(&format!("outside/{n}")), "").unwrap();
    }
    let sandbox = Sandbox {
        hide: vec![scene.path("outside/file")],
        ..Sandbox::default()
    };
    let said = refused(&scene, &sandbox);
    assert!(said.contains("outside") && said.contains("8192"), "{said}");
}
