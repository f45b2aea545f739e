//! What is wrong with the configuration, the repository or the place: said clearly, with the
//! right exit code, and nothing is started.

use std::{net::TcpListener, process::Command};

use serde_json::Value;
use worknode_tests::{
    program::{Done, binary, command},
    running::Running,
    scene::Scene,
    wait::wait_for,
};

/// A team whose one agent makes what its task asks for, and a plan for it.
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

/// Whoever says no while a team starts says it in every form of starting.
const STARTS: [&[&str]; 3] = [&["run"], &["up"], &["up", "-d"]];

/// The same where nothing runs before, and so nothing may run afterwards.
fn nothing_starts(scene: &Scene, code: i32) -> Vec<Done> {
    let told = refusals(scene, code);
    assert_eq!(scene.processes(), 0);
    told
}

/// The refusal of each way to start, as text and as JSON.
fn refusals(scene: &Scene, code: i32) -> Vec<Done> {
    let mut all = Vec::new();
    for start in STARTS {
        let text = scene.worknode(start).fails(code);
        assert_eq!(text.stdout, "", "{text:#?}");
        let json = scene.worknode(&[start, &["--json"]].concat()).fails(code);
        let error: Value =
            serde_json::from_str(&json.stderr).unwrap_or_else(|error| panic!("{error}: {json:#?}"));
        assert!(
            error["error"]["code"].is_string() && error["error"]["message"].is_string(),
            "{json:#?}"
        );
        all.extend([text, json]);
    }
    all
}

#[test]
fn five_mistakes_in_two_files_are_told_at_once_and_nothing_starts() {
    let scene = Scene::with_team(
        r#"
[team]
name = "t"
bse = "main"

[[agent]]
name = "Not A Name"
command = ["no-such-program-anywhere"]
"#,
    );
    scene.write(
        "plan.toml",
        r#"
[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
depends_on = ["ghost"]
priority = "high"
"#,
    );
    let mut told = nothing_starts(&scene, 2);
    told.extend([
        scene.worknode(&["check"]).fails(2),
        scene.worknode(&["check", "--json"]).fails(2),
    ]);
    for done in told {
        done.says(&[
            "worknode.toml:4",
            "bse",
            "worknode.toml:7",
            "Not A Name",
            "worknode.toml:8",
            "no-such-program-anywhere",
            "plan.toml:9",
            "ghost",
            "plan.toml:10",
            "priority",
            "5 mistakes in 2 files; nothing was started",
        ]);
    }
    assert!(!scene.file(".worknode").exists());
}

#[test]
fn a_repository_that_is_not_there_is_a_mistake_of_the_configuration() {
    let scene = Scene::with_team("[team]\nname = \"t\"\nrepository = \"nowhere\"\n");
    for done in nothing_starts(&scene, 2) {
        done.says(&[
            "worknode.toml:3",
            "team.repository",
            "there is no directory `nowhere`",
        ]);
    }
    assert!(!scene.file(".worknode").exists());
}

#[test]
fn a_directory_that_is_no_repository_is_refused() {
    let scene = Scene::empty();
    scene.write("worknode.toml", TEAM);
    for done in nothing_starts(&scene, 1) {
        done.says(&[
            "is not in a git repository",
            &scene.path().canonicalize().unwrap().display().to_string(),
        ]);
    }
}

#[test]
fn a_repository_without_a_commit_is_refused() {
    let scene = Scene::empty();
    scene.write("worknode.toml", TEAM);
    scene.git(&["init", "--quiet", "--initial-branch=main"]);
    for done in nothing_starts(&scene, 1) {
        done.says(&["has no commits", "commit something first"]);
    }
}

#[test]
fn a_base_branch_that_does_not_exist_is_refused() {
    let scene = Scene::with_team(TEAM);
    for start in STARTS {
        scene
            .worknode(&[start, &["--base", "trunk"]].concat())
            .fails(1)
            .says(&["`trunk`"]);
    }
    assert_eq!(scene.landed(), ["seed", "team"]);
}

#[test]
fn changed_files_of_the_base_are_named_and_untracked_ones_are_not_minded() {
    let scene = Scene::with_team(TEAM);
    scene.write("README.md", "# being changed\n");
    scene.write("tests/run.sh", "true\n");
    for done in nothing_starts(&scene, 4) {
        done.says(&[
            "`main` has uncommitted changes",
            "README.md",
            "tests/run.sh",
            "commit or stash",
        ]);
    }
    assert_eq!(scene.read("README.md"), "# being changed\n");

    scene.git(&["checkout", "--quiet", "."]);
    scene.write("notes.txt", "mine\n");
    scene.worknode(&["run"]).ok();
    assert_eq!(scene.landed(), ["seed", "team", "One"]);
    assert_eq!(scene.read("notes.txt"), "mine\n");
}

#[test]
fn p6_a_second_daemon_is_refused_and_the_first_goes_on() {
    let waits = TEAM.replace(
        "echo done",
        "while ! [ -e ../../../go ]; do sleep 0.1; done; echo done",
    );
    let scene = Scene::with_team(&waits);
    let mut run = command(scene.path());
    run.arg("run");
    let first = Running::start(run);
    scene.wait_for_event("work", |event| event["type"] == "task_started");
    let who = format!("process {}", first.pid());
    for done in refusals(&scene, 5) {
        done.says(&["already in charge", &who]);
    }
    scene.write("go", "");
    first.wait().ok();
    assert_eq!(scene.landed(), ["seed", "team", "One"]);

    // The same beside a daemon in the background.
    let pid = up(&scene);
    let who = format!("process {pid}");
    for done in refusals(&scene, 5) {
        done.says(&["already in charge", &who]);
    }
    assert_eq!(
        scene.worknode(&["status", "--json"]).ok().json()["daemon"]["pid"],
        pid
    );
    scene.worknode(&["down"]).ok();
}

/// What was not finished stays where it is, and nothing of it runs on.
#[test]
fn p7_a_run_that_is_interrupted_ends_its_agents_and_goes_on_later() {
    let waits = TEAM.replace(
        "echo done",
        "while ! [ -e ../../../go ]; do sleep 0.1; done; echo done",
    );
    let scene = Scene::with_team(&waits);
    for signal in ["INT", "TERM"] {
        let mut run = command(scene.path());
        run.arg("run");
        let first = Running::start(run);
        let pid = first.pid();
        scene.wait_for_event("work", |event| {
            event["type"] == "daemon_started" && event["data"]["pid"] == pid
        });
        wait_for("the agent", || scene.processes() > 0);
        first.signal(signal);
        first
            .wait()
            .fails(1)
            .says(&["interrupted", "goes on where it stopped"]);
        assert_eq!(scene.processes(), 0);
    }
    scene.write("go", "");
    scene.worknode(&["run"]).ok();
    assert_eq!(scene.landed(), ["seed", "team", "One"]);
}

#[test]
fn a_port_in_use_is_named_and_nothing_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let scene = Scene::with_team(&format!("{TEAM}\n[daemon]\nlisten = \"{address}\"\n"));
    for done in nothing_starts(&scene, 1) {
        done.says(&[&format!("cannot listen on {address}"), "[daemon]"]);
    }
    assert!(
        !scene.file(".worknode/worknode.sock").exists(),
        "what was opened before is closed again"
    );
    drop(taken);
    scene.worknode(&["run"]).ok();
    assert_eq!(scene.landed(), ["seed", "team", "One"]);
}

#[test]
fn a_socket_path_longer_than_the_kernel_allows_works() {
    let long = tempfile::Builder::new()
        .prefix(&"long".repeat(40))
        .tempdir()
        .unwrap();
    let scene = Scene::seeded(long).and_team(TEAM);
    assert!(scene.file(".worknode/worknode.sock").as_os_str().len() > 108);
    up(&scene);
    scene.wait_for_task("one", "completed");
    scene.worknode(&["down"]).ok();
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

#[test]
fn a_directory_that_is_not_there_or_has_no_team_is_told() {
    let scene = Scene::empty();
    let mut elsewhere = Command::new(binary());
    elsewhere
        .args(["-C", "nowhere", "status"])
        .current_dir(scene.path());
    Done::from(elsewhere.output().unwrap())
        .fails(3)
        .says(&["nowhere"]);
    scene
        .worknode(&["status"])
        .fails(3)
        .says(&["no team has run", "worknode init"]);
    for args in [&["run"][..], &["check"]] {
        scene.worknode(args).fails(2).says(&["worknode.toml"]);
    }
    assert!(!scene.file(".worknode").exists());
}

/// An agent whose program removes itself in its first run: the team started well, and the
/// program is gone for the second task.
#[test]
fn p8_p11_a_program_that_disappears_ends_in_quarantine_and_not_in_a_loop() {
    let scene = Scene::new();
    let program = scene.file("agent.sh").display().to_string();
    let team = r#"
[team]
name = "t"

[[agent]]
name = "worker"
command = ["PROGRAM"]
# Its program takes itself away.
sandbox = "off"
restart = { max_restarts = 2, backoff = "10ms" }

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["*.txt"]
[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["*.txt"]
depends_on = ["one"]
"#;
    let scene = scene.and_team(&team.replace("PROGRAM", &program));
    scene
        .worknode(&["run"])
        .fails(2)
        .says(&["worknode.toml:7", "agent.sh"]);
    let work = "echo done > $WORKNODE_TASK.txt && git add . && git commit -qm work";
    scene.script("agent.sh", &format!("rm {program}\n{work}"));

    let done = scene.worknode(&["run"]).fails(1);
    done.says(&["two", "worker is quarantined", "could not start", "agent.sh"]);
    assert_eq!(
        scene.worknode(&["task", "show", "two", "--json"]).ok().json()["status"],
        "ready"
    );
    assert_eq!(
        scene.worknode(&["agent", "show", "worker", "--json"]).ok().json()["status"],
        "quarantined"
    );
    assert_eq!(
        (scene.count("run_queued"), scene.count("agent_restarting")),
        (1 + 3, 2)
    );

    // Quarantine survives a restart of the daemon, and an operator ends it.
    scene.script("agent.sh", work);
    scene.worknode(&["run"]).fails(1).says(&["worker is quarantined"]);
    up(&scene);
    scene.worknode(&["agent", "resume", "worker"]).ok();
    scene.wait_for_task("two", "completed");
}

fn up(scene: &Scene) -> u64 {
    scene.worknode(&["up", "-d", "--json"]).ok().json()["daemon"]["pid"]
        .as_u64()
        .unwrap()
}
