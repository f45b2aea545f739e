//! `kill -9` of the daemon, wherever it is: nothing lost, nothing twice, nothing left running.

use std::process::{Child, Stdio};

use worknode_tests::{program::command, scene::Scene, wait::wait_for};

/// Two tasks, one after the other. The agent waits for a file before it hands in, so that a
/// test decides where the daemon dies.
const TEAM: &str = r#"
[team]
name = "crash"

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "worker"
limits = { grace = "1s" }
command = ["sh", "-c", """
echo "$WORKNODE_EPOCH" >> "$SCENE/started"
while ! test -e "$SCENE/go"; do sleep 0.1; done
echo done > "$WORKNODE_TASK.txt" && git add . && git commit -qm work
"""]
# It leaves word beside its workspace.
sandbox = "off"
pass_env = ["SCENE"]

[[phase]]
name = "all"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["two.txt"]
depends_on = ["one"]
"#;

fn start(scene: &Scene) -> Child {
    let mut command = command(scene.path());
    command
        .arg("run")
        .env("SCENE", scene.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn p2_p5_p6_p7_a_daemon_that_is_killed_loses_nothing_and_the_next_goes_on() {
    let scene = Scene::with_team(TEAM);
    let mut first = start(&scene);
    wait_for("the agent to start", || {
        scene.file("started").exists() && scene.count("run_started") == 1
    });
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(scene.processes() > 0, "the agent goes on without its daemon");

    scene.write("go", "");
    let mut second = start(&scene);
    assert!(second.wait().unwrap().success());
    assert_eq!(
        scene.landed(),
        ["seed", "team", "One", "Two"],
        "once each, in order"
    );
    assert_eq!(scene.processes(), 0);
    // The second daemon took the run of the first back: nothing was started twice.
    assert_eq!(scene.read("started").lines().collect::<Vec<_>>(), ["1", "1"]);
    assert_eq!(scene.count("run_started"), 2);
    scene.worknode(&["audit", "verify"]).ok();
}

#[test]
fn p3_p5_p6_killing_it_again_and_again_still_lands_everything_once() {
    let scene = Scene::with_team(TEAM);
    scene.write("go", "");
    let landed = || scene.landed().len();
    // Cut off after a different number of events each time, wherever that is.
    for more in [12, 9, 14, 6, 11] {
        if landed() == 4 {
            break;
        }
        let before = if scene.file(".worknode/journal.db").exists() {
            scene.events().len()
        } else {
            0
        };
        let mut daemon = start(&scene);
        wait_for("some events more, or the end", || {
            scene.worknode(&["events", "--json"]).stdout.lines().count() >= before + more || landed() == 4
        });
        // It may have come to its end by itself.
        let _ = daemon.kill();
        daemon.wait().unwrap();
    }
    assert!(start(&scene).wait().unwrap().success());
    assert_eq!(scene.landed(), ["seed", "team", "One", "Two"]);
    assert_eq!(scene.processes(), 0);
    scene.worknode(&["audit", "verify"]).ok();
}
