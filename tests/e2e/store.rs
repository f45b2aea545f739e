//! What lies in `.worknode`: left over, damaged, or without room.

use std::{fs, os::unix::net::UnixListener, path::PathBuf};

use worknode_tests::{
    program::command,
    running::{Running, send_signal},
    scene::Scene,
    tmpfs::Tmpfs,
    wait::{until, wait_for},
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
command = ["sh", "-c", "echo done > one.txt && git add . && git commit -qm one"]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
"#;

#[test]
fn p6_what_a_killed_daemon_leaves_behind_does_not_block() {
    let scene = Scene::with_team(TEAM);
    let pid = up(&scene);
    scene.wait_for_task("one", "completed");
    send_signal("KILL", u32::try_from(pid).unwrap());
    wait_for("the daemon to be gone", || {
        scene.worknode(&["emit", "probe"]).code == Some(7)
    });
    assert!(scene.file(".worknode/worknode.sock").exists());
    assert_eq!(scene.read(".worknode/worknode.lock"), pid.to_string());

    // Nobody is there, and that is what everybody says.
    scene.worknode(&["status"]).ok().says(&["no daemon runs"]);
    scene.worknode(&["events"]).ok().says(&["task_completed"]);
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["down"]).ok().says(&["no daemon was running"]);

    let next = up(&scene);
    assert_ne!(next, pid);
    assert_eq!(
        scene.worknode(&["status", "--json"]).ok().json()["daemon"]["pid"],
        next
    );
    scene.worknode(&["down"]).ok();
}

#[test]
fn p7_a_lock_file_that_names_a_living_stranger_is_no_lock() {
    let scene = Scene::with_team(TEAM);
    scene.write(".worknode/worknode.lock", &std::process::id().to_string());
    drop(UnixListener::bind(scene.file(".worknode/worknode.sock")).unwrap());
    scene.worknode(&["down"]).ok().says(&["no daemon was running"]);
    scene.worknode(&["run"]).ok();
    assert_eq!(scene.landed(), ["seed", "team", "One"]);
}

#[test]
fn p5_a_damaged_journal_is_told_and_left_as_it_is() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["run"]).ok();
    let path = scene.file(".worknode/journal.db");
    let good = fs::read(&path).unwrap();
    let middle = good.len() / 2;
    let mut scratched = good.clone();
    scratched[4096..good.len() - 4096].fill(0xa5);
    let damaged = [
        ("overwritten in the middle", scratched),
        ("cut in half", good[..middle].to_vec()),
        ("no database at all", b"The quick brown fox\n".repeat(500)),
    ];
    for (what, bytes) in damaged {
        fs::write(&path, &bytes).unwrap();
        for args in [
            &["run"][..],
            &["up"],
            &["up", "-d"],
            &["status"],
            &["events"],
            &["audit", "verify"],
        ] {
            let done = scene.worknode(args).fails(1);
            assert!(done.stderr.contains("journal"), "{what}: {done:#?}");
            let json = scene.worknode(&[args, &["--json"]].concat()).fails(1);
            assert!(json.stderr.contains("\"corrupt_journal\""), "{what}: {json:#?}");
            assert!(
                fs::read(&path).unwrap() == bytes,
                "{what}: `{args:?}` changed the file"
            );
        }
        assert_eq!(scene.landed(), ["seed", "team", "One"]);
    }
    // The last good copy is all it needs.
    fs::write(&path, &good).unwrap();
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["run"]).ok();
}

/// One flipped byte is no damage that SQLite sees; the chain of hashes does.
#[test]
fn p10_a_changed_word_in_an_event_is_found() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["run"]).ok();
    let path = scene.file(".worknode/journal.db");
    let mut bytes = fs::read(&path).unwrap();
    let word = b"\"task_completed\"";
    let at = bytes
        .windows(word.len())
        .position(|window| window == word)
        .unwrap();
    bytes[at + 1] = b'T';
    fs::write(&path, &bytes).unwrap();
    scene
        .worknode(&["audit", "verify"])
        .fails(1)
        .says(&["the journal is not what was written"]);
}

#[test]
fn p5_p8_a_full_disk_stops_nothing_for_good() {
    let Some(disk) = Tmpfs::mount(16) else { return };
    let scene = Scene::seeded(tempfile::tempdir_in(disk.path()).unwrap()).and_team(TEAM);
    let pid = up(&scene);
    scene.wait_for_task("one", "completed");
    let before = scene.events();

    let ballast = disk.fill();
    for _ in 0..3 {
        // The journal may still have room in what it has allocated.
        let told = until("a refusal", || {
            let done = scene.worknode(&["emit", "more", &format!("text={}", "x".repeat(8_000))]);
            if done.code == Some(0) { Err(done) } else { Ok(done) }
        });
        told.fails(1).says(&["disk is full", "make room"]);
    }
    scene
        .worknode(&["task", "add", "Two", "--json"])
        .fails(1)
        .says(&["\"disk_full\""]);
    assert_eq!(
        scene.worknode(&["status", "--json"]).ok().json()["daemon"]["pid"],
        pid
    );
    let acknowledged = scene.events();
    assert_eq!(acknowledged[..before.len()], before);

    fs::remove_file(ballast).unwrap();
    scene
        .worknode(&["task", "add", "Two", "--key", "two", "--file", "one.txt"])
        .ok();
    wait_for("two to be worked on", || scene.count("task_claimed") >= 2);
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.events()[..acknowledged.len()], acknowledged);
    scene.worknode(&["audit", "verify"]).ok();
    assert_eq!(scene.processes(), 0);
}

/// The agent itself fills the disk, so that the end of its own run has no room in the journal.
/// What happened meanwhile is told once there is room again, and the task goes on.
#[test]
fn p5_p8_an_agent_that_floods_the_disk_is_outlived() {
    let Some(disk) = Tmpfs::mount(16) else { return };
    let outside = tempfile::tempdir().unwrap();
    let marker = outside.path().join("flooded");
    let team = TEAM.replace(
        "command = [\"sh\", \"-c\", \"",
        &format!(
            "limits = {{ grace = \"1s\" }}\nsandbox = \"off\"\nrestart = {{ backoff = \"10ms\" }}\ncommand = [\"sh\", \"-c\", \"[ -e {0} ] || {{ touch {0}; yes; cat /dev/zero > big; exit 3; }}; ",
            marker.display()
        ),
    );
    let scene = Scene::seeded(tempfile::tempdir_in(disk.path()).unwrap()).and_team(&team);
    // The agent talks until nothing is kept of what it says, and then fills what is left.
    let team = scene
        .read("worknode.toml")
        .replace("yes;", "head -c 20000000 /dev/zero;");
    scene.write("worknode.toml", &team);
    scene.commit("head instead of yes");

    let mut run = command(scene.path());
    run.arg("run").env("RUST_LOG", "warn");
    let mut run = Running::start(run);
    wait_for("the disk to be full", || marker.exists() && disk.is_full());
    // Longer than any number of attempts: the report of the run's end is not given up.
    until("the report to be refused again and again", || {
        assert!(!run.is_over(), "{:#?}", run.so_far());
        let seen = run.so_far().stderr;
        if seen.matches("was not accepted").count() > 22 {
            Ok(())
        } else {
            Err(seen)
        }
    });
    scene.worknode(&["status"]).ok();
    scene.worknode(&["kill", "worker", "--dry-run"]).ok();

    for file in flood(&scene) {
        fs::write(file, "").unwrap();
    }
    run.wait().ok();
    assert_eq!(scene.landed().last().unwrap(), "One");
    assert_eq!(scene.count("run_exited"), 2);
    scene.worknode(&["audit", "verify"]).ok();
    assert_eq!(scene.processes(), 0);
}

/// Neither killing nor going down needs room.
#[test]
fn p4_p8_a_daemon_on_a_full_disk_kills_and_goes_down() {
    let Some(disk) = Tmpfs::mount(16) else { return };
    let team = TEAM
        .replace("echo done", "trap '' TERM; while :; do sleep 1; done; echo done")
        .replace(
            "command = [\"sh\"",
            "limits = { grace = \"1s\" }\ncommand = [\"sh\"",
        );
    let scene = Scene::seeded(tempfile::tempdir_in(disk.path()).unwrap()).and_team(&team);
    up(&scene);
    scene.wait_for_event("the agent to start", |event| event["type"] == "task_started");
    let ballast = disk.fill();
    until("a refusal", || {
        let done = scene.worknode(&["emit", "more", &format!("text={}", "x".repeat(8_000))]);
        if done.code == Some(0) { Err(done) } else { Ok(done) }
    });
    let refused = scene.worknode(&["kill", "worker", "--grace", "0s"]).fails(1);
    refused.says(&["is being stopped", "nothing records it"]);
    wait_for("the runaway to be gone", || scene.processes() == 0);
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
    fs::remove_file(ballast).unwrap();
    scene.worknode(&["audit", "verify"]).ok();
}

/// The files that the agent filled the disk with.
fn flood(scene: &Scene) -> Vec<PathBuf> {
    let mut files = vec![scene.file(".worknode/workspaces/worker/big")];
    for run in fs::read_dir(scene.file(".worknode/runs")).unwrap() {
        let dir = run.unwrap().path();
        files.extend([dir.join("stdout.log"), dir.join("stdout.log.1")]);
    }
    files.retain(|file| file.exists());
    files
}

fn up(scene: &Scene) -> u64 {
    scene.worknode(&["up", "-d", "--json"]).ok().json()["daemon"]["pid"]
        .as_u64()
        .unwrap()
}
