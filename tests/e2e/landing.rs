//! Landing on a branch that other people use too.

use worknode_tests::{scene::Scene, wait::wait_for};

const TEAM: &str = r#"
[team]
name = "landing"

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "worker"
command = ["sh", "-c", """
while ! test -e "$SCENE/go"; do sleep 0.1; done
echo work > work.txt && git add . && git commit -qm work
"""]
pass_env = ["SCENE"]

[[phase]]
name = "all"
[[phase.task]]
id = "work"
title = "Work"
prompt = "Write work.txt"
files = ["work.txt"]
"#;

/// Starts the team with SCENE set, waits until its agent works, and hands over.
fn at_work(scene: &Scene) {
    let up = worknode_tests::program::command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path())
        .output();
    assert!(up.unwrap().status.success());
    wait_for("the agent to work", || scene.count("task_started") == 1);
}

#[test]
fn p3_a_base_that_was_moved_by_hand_is_merged_and_judged_again() {
    let scene = Scene::with_team(TEAM);
    at_work(&scene);
    scene.write("by-hand.txt", "mine\n");
    scene.commit("by hand");
    scene.write("go", "");
    wait_for("the work to land", || scene.count("task_completed") == 1);
    assert_eq!(scene.landed(), ["seed", "team", "by hand", "Work"]);
    assert_eq!(scene.read("by-hand.txt"), "mine\n");
    assert_eq!(scene.read("work.txt"), "work\n", "the work tree follows");
    scene.worknode(&["down"]).ok();
}

#[test]
fn p3_work_that_fails_on_top_of_what_came_meanwhile_does_not_land() {
    let scene = Scene::with_team(TEAM);
    at_work(&scene);
    scene.write("broken", "the tests fail now\n");
    scene.commit("break the tests");
    scene.write("go", "");
    wait_for("the submission to be refused", || {
        scene.count("task_rejected") >= 1
    });
    assert_eq!(scene.landed(), ["seed", "team", "break the tests"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p5_uncommitted_work_of_a_person_is_never_overwritten() {
    let scene = Scene::with_team(TEAM);
    at_work(&scene);
    scene.write("work.txt", "precious\n");
    scene.write("go", "");
    wait_for("the landing to be held up", || {
        scene.count("landing_abandoned") >= 1
    });
    assert_eq!(scene.read("work.txt"), "precious\n");
    assert_eq!(scene.landed(), ["seed", "team"]);
    std::fs::remove_file(scene.file("work.txt")).unwrap();
    wait_for("the work to land after all", || {
        scene.count("task_completed") == 1
    });
    assert_eq!(scene.read("work.txt"), "work\n");
    scene.worknode(&["down"]).ok();
}

/// Eight at once: the first lands, the others find that their base has moved and land together.
const CROWD: &str = r#"
[team]
name = "crowd"

[limits]
agents = 8

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "worker"
count = 8
command = ["sh", "-c", """
while ! test -e "$SCENE/go"; do sleep 0.1; done
echo "$WORKNODE_TASK" > "$WORKNODE_TASK.txt"
case $WORKNODE_TASK in t3) echo x > broken;; esac
git add . && git commit -qm work
"""]
pass_env = ["SCENE"]

[[phase]]
name = "all"
"#;

#[test]
fn p3_several_whose_base_has_moved_land_together_and_the_broken_one_does_not() {
    let mut team = CROWD.to_owned();
    for nth in 0..8 {
        team.push_str(&format!(
            "[[phase.task]]\nid = \"t{nth}\"\ntitle = \"T{nth}\"\nprompt = \"Write it\"\nfiles = [\"t{nth}.txt\", \"broken\"]\nmax_attempts = 1\n"
        ));
    }
    let scene = Scene::with_team(&team);
    let up = worknode_tests::program::command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path())
        .output();
    assert!(up.unwrap().status.success());
    wait_for("the agents to work", || scene.count("task_started") == 8);
    scene.write("go", "");
    wait_for("all but one to land", || scene.count("task_completed") == 7);
    scene.wait_for_task("t3", "failed");
    let mut landed = scene.landed();
    landed.sort();
    assert_eq!(landed, ["T0", "T1", "T2", "T4", "T5", "T6", "T7", "seed", "team"]);
    assert!(!scene.file("broken").exists());
    for nth in [0, 1, 2, 4, 5, 6, 7] {
        assert_eq!(scene.read(&format!("t{nth}.txt")), format!("t{nth}\n"));
    }
    // Each commit is on top of the one before, and changes what its own plan names.
    let changed = scene.git(&["log", "--reverse", "--format=%s", "--name-only", "main", "-7"]);
    for nth in [0, 1, 2, 4, 5, 6, 7] {
        assert!(changed.contains(&format!("T{nth}\n\nt{nth}.txt")), "{changed}");
    }
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["down"]).ok();
}

/// Eight hand in at once, and gates say nothing before all have. One breaks the tests, one leaves its
/// plan; the work of all is warned of.
const QUEUE: &str = r#"
[team]
name = "queue"

[limits]
agents = 8

[gate.tests]
command = ["sh", "tests/run.sh"]

[gate.complexity]
severity = "warning"

[[agent]]
name = "worker"
count = 8
command = ["sh", "-c", """
while ! test -e "$SCENE/go"; do sleep 0.1; done
{ echo 'def f(x):'; for n in 1 2 3 4 5 6 7 8 9; do echo "    if x == $n: return $n"; done; } > "$WORKNODE_TASK.py"
case $WORKNODE_TASK in t3) echo x > broken;; t5) echo x > stray;; esac
git add . && git commit -qm work
"""]
pass_env = ["SCENE"]

[[phase]]
name = "all"
"#;

fn queue() -> Scene {
    let mut team = QUEUE.to_owned();
    for nth in 0..8 {
        team.push_str(&format!(
            "[[phase.task]]\nid = \"t{nth}\"\ntitle = \"T{nth}\"\nprompt = \"Write it\"\n\
             files = [\"t{nth}.py\", \"broken\"]\ngates = [\"plan\", \"tests\", \"complexity\"]\nmax_attempts = 1\n"
        ));
    }
    let scene = Scene::with_team(&team);
    let judge = scene.file("judge");
    let wait = format!(
        "while ! test -e '{}'; do sleep 0.1; done\n! test -e broken\n",
        judge.display()
    );
    scene.write("tests/run.sh", &wait);
    scene.commit("slow tests");
    let up = worknode_tests::program::command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path())
        .output();
    assert!(up.unwrap().status.success());
    scene
}

#[test]
fn p3_who_waits_long_is_judged_together_and_each_hears_what_concerns_it() {
    let scene = queue();
    wait_for("the agents to work", || scene.count("task_started") == 8);
    scene.write("go", "");
    wait_for("all to hand in", || scene.count("task_submitted") == 8);
    scene.write("judge", "");
    wait_for("all but two to land", || scene.count("task_completed") == 6);
    scene.wait_for_task("t3", "failed");
    scene.wait_for_task("t5", "failed");
    assert!(!scene.file("broken").exists() && !scene.file("stray").exists());

    let events = scene.events();
    let of = |kind: &'static str, name: &str| -> Vec<serde_json::Value> {
        let node = events
            .iter()
            .find(|event| event["type"] == "node_created" && event["data"]["node"]["name"] == name)
            .unwrap()["node"]
            .clone();
        let those = |event: &&serde_json::Value| event["type"] == kind && event["node"] == node;
        events.iter().filter(those).cloned().collect()
    };
    let mut trees = std::collections::BTreeSet::new();
    for name in ["t0", "t1", "t2", "t4", "t6", "t7"] {
        let tree = of("task_completed", name)[0]["data"]["tree"].clone();
        let verdicts = of("verdict_recorded", name);
        for gate in ["plan", "tests", "complexity"] {
            let on_it = verdicts.iter().rev().find(|event| {
                event["data"]["verdict"]["gate"] == gate && event["data"]["verdict"]["tree"] == tree
            });
            let verdict = &on_it.unwrap()["data"]["verdict"];
            assert_eq!(verdict["outcome"], "passed");
            let warned: Vec<&serde_json::Value> = verdict["findings"].as_array().unwrap().iter().collect();
            if gate == "complexity" {
                assert_eq!(warned.len(), 1, "{verdict}");
                assert_eq!(warned[0]["file"], format!("{name}.py"));
                assert_eq!(warned[0]["function"], "f");
                assert_eq!(
                    (&warned[0]["measured"], &warned[0]["limit"]),
                    (&10.into(), &8.into())
                );
            }
        }
        trees.insert(tree.to_string());
    }
    assert!(trees.len() < 6, "some landed in one step: {trees:?}");
    let refused = |name: &str| of("task_rejected", name)[0]["data"]["findings"][0]["rule"].clone();
    assert_eq!(refused("t3"), "tests.failed");
    assert_eq!(refused("t5"), "plan.outside");
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["down"]).ok();
}
