//! Where programs of gates run: a checkout for each, which nobody has used before, and which is gone
//! afterwards, also when the daemon is killed.

use std::{collections::BTreeSet, fs, path::Path};

use worknode_tests::{
    scene::Scene,
    wait::{until, wait_for},
};

/// The gate says where it runs and what it finds there, and leaves something behind.
const TEAM: &str = r#"
[team]
name = "t"

[gate.tests]
command = ["sh", "-c", "{ pwd; ls; } >> NOTED/runs; echo left > left; mkdir -p .git/hooks; echo left > .git/left; echo 1..1; echo ok 1 - a"]
writes = ["NOTED"]
SANDBOX

[[agent]]
name = "coder"
command = ["sh", "-c", "while ! test -e NOTED/go-$WORKNODE_TASK; do sleep 0.1; done; echo x > $WORKNODE_TASK.txt; git add .; git commit -qm work"]

[[phase]]
name = "all"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
gates = ["plan", "tests"]
[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["two.txt"]
gates = ["plan", "tests"]
depends_on = ["one"]
"#;

fn scene(noted: &Path, sandbox: &str) -> Scene {
    let noted = noted.display().to_string();
    Scene::with_team(&TEAM.replace("NOTED", &noted).replace("SANDBOX", sandbox))
}

/// The checkouts that are there, once they are whole: the file of the team stands in each.
fn checkouts(scene: &Scene) -> BTreeSet<String> {
    let entries = fs::read_dir(scene.file(".worknode/checkouts"))
        .into_iter()
        .flatten();
    let entries = entries.map(|entry| entry.unwrap());
    let whole = entries.filter(|entry| entry.path().join("tree/worknode.toml").exists());
    whole
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Waits for so many spares, and nothing beside them: none of these, which were used.
fn spares(scene: &Scene, count: usize, used: &BTreeSet<String>) -> BTreeSet<String> {
    until("spares, and nothing beside them", || {
        let seen = checkouts(scene);
        if seen.len() == count && seen.is_disjoint(used) {
            Ok(seen)
        } else {
            Err(seen)
        }
    })
}

/// The checkouts in which programs ran, in their order.
fn used(noted: &Path) -> Vec<String> {
    let runs = fs::read_to_string(noted.join("runs")).unwrap();
    let places = runs.lines().filter(|line| line.starts_with('/'));
    let name = |place: &str| Some(Path::new(place).parent()?.file_name()?.to_str()?.to_owned());
    places.filter_map(name).collect()
}

/// Beside a spare two GiB stay free. On a disk that has less there is none, and nothing to look at.
fn is_full(scene: &Scene) -> bool {
    let free = worknode_process::free_bytes(scene.path()).unwrap();
    let is_full = free < 3 * 1024 * 1024 * 1024;
    if is_full {
        eprintln!("skipped: only {free} bytes are free, and a spare leaves 2 GiB");
    }
    is_full
}

fn go(noted: &Path, task: &str) {
    fs::write(noted.join(format!("go-{task}")), "").unwrap();
}

#[test]
fn p3_each_program_has_a_checkout_that_nobody_has_used() {
    let noted = tempfile::tempdir().unwrap();
    let scene = scene(noted.path(), "");
    if is_full(&scene) {
        return;
    }
    scene.worknode(&["up", "-d"]).ok();
    let first = spares(&scene, 1, &BTreeSet::new());
    go(noted.path(), "one");
    scene.wait_for_task("one", "completed");
    let ran = used(noted.path());
    assert_eq!(ran.len(), 2, "a candidate and a base: {ran:?}");
    assert!(ran.contains(first.first().unwrap()), "{first:?} {ran:?}");
    // From the first that was taken on there are two.
    let second = spares(&scene, 2, &ran.into_iter().collect());
    go(noted.path(), "two");
    scene.wait_for_task("two", "completed");
    let ran = used(noted.path());
    assert_eq!(ran.len(), 3, "and one more candidate: {ran:?}");
    assert!(second.contains(ran.last().unwrap()), "{second:?} {ran:?}");
    let ran: BTreeSet<String> = ran.into_iter().collect();
    assert_eq!(ran.len(), 3, "each in its own: {ran:?}");
    let third = spares(&scene, 2, &ran);

    let runs = fs::read_to_string(noted.path().join("runs")).unwrap();
    assert!(!runs.lines().any(|line| line == "left"), "{runs}");
    let last: BTreeSet<&str> = runs
        .lines()
        .rev()
        .take_while(|line| !line.starts_with('/'))
        .collect();
    let all = ["README.md", "one.txt", "tests", "two.txt", "worknode.toml"];
    assert_eq!(last, BTreeSet::from(all), "{runs}");

    scene.worknode(&["down"]).ok();
    assert!(checkouts(&scene).is_empty(), "{third:?} is of no use to anybody");
}

#[test]
fn p8_what_a_killed_daemon_left_is_removed_by_the_next() {
    let noted = tempfile::tempdir().unwrap();
    let scene = scene(noted.path(), "");
    if is_full(&scene) {
        return;
    }
    let daemon = scene.daemon();
    let first = spares(&scene, 1, &BTreeSet::new());
    daemon.kill();
    scene.write(".worknode/checkouts/used/tree/deep/file", "left");
    assert_eq!(checkouts(&scene), first);
    scene.worknode(&["up", "-d"]).ok();
    spares(&scene, 1, &first);
    wait_for("what was left to be removed", || {
        !scene.file(".worknode/checkouts/used").exists()
    });
    scene.worknode(&["down"]).ok();
}

#[test]
fn p9_where_programs_are_not_kept_in_a_box_nothing_is_made_for_later() {
    let noted = tempfile::tempdir().unwrap();
    let scene = scene(noted.path(), "sandbox = \"off\"");
    scene.worknode(&["up", "-d"]).ok();
    go(noted.path(), "one");
    go(noted.path(), "two");
    scene.wait_for_task("two", "completed");
    wait_for("the last one to be removed", || {
        fs::read_dir(scene.file(".worknode/checkouts")).unwrap().count() == 0
    });
    let runs = fs::read_to_string(noted.path().join("runs")).unwrap();
    assert!(!runs.lines().any(|line| line == "left"), "{runs}");
    scene.worknode(&["down"]).ok();
}
