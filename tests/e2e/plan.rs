//! The plan: checked before the work, changed during it, and how far the work is from it.

use worknode_tests::{scene::Scene, wait::wait_for};

const TEAM: &str = r#"
[team]
name = "p"

[plan]
deviation = 10

[[agent]]
name = "coder"
command = ["sh", "-c", """
while ! test -e "$SCENE/go-$WORKNODE_TASK"; do sleep 0.1; done
sh "$SCENE/do-$WORKNODE_TASK.sh"
"""]
pass_env = ["SCENE"]
"#;

const PLAN: &str = r#"
[[phase]]
name = "first"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
estimate = "1h"
max_attempts = 2
[[phase]]
name = "second"
[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["two.txt"]
may_create = ["two.txt"]
deliverables = ["two.txt"]
"#;

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("plan.toml", PLAN);
    scene.and_team(TEAM)
}

fn up(scene: &Scene) {
    let up = worknode_tests::program::command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path())
        .output();
    assert!(up.unwrap().status.success());
}

fn does(scene: &Scene, task: &str, script: &str) {
    scene.write(&format!("do-{task}.sh"), script);
}

#[test]
fn a_check_tells_what_is_probably_not_meant_with_its_place() {
    let scene = Scene::new();
    scene.write("src/lib.rs", "pub fn f() {}\n");
    scene.write(
        "plan.toml",
        r#"
[[phase]]
name = "p"
[[phase.task]]
id = "a"
title = "A"
prompt = "Do it"
files = ["src/**"]
[[phase.task]]
id = "b"
title = "B"
prompt = "Do it"
files = ["src/lib.rs"]
estimate = "2h"
deadline = "2001-01-01T00:00:00Z"
role = "implementation"
"#,
    );
    let scene = scene.and_team(TEAM);
    let done = scene.worknode(&["plan", "check"]).ok();
    for said in [
        "plan.toml:13",
        "`a` and `b` may run at the same time, and both may change `src/lib.rs`",
        "plan.toml:15",
        "the deadline of `b` has passed",
        "no task may touch",
        "2 tasks, 2 warnings",
    ] {
        assert!(done.stdout.contains(said), "{said}: {}", done.stdout);
    }
    let json = scene.worknode(&["plan", "check", "--json"]).ok().json();
    assert_eq!(json["warnings"].as_array().unwrap().len(), 2, "{json}");
    let shown = scene.worknode(&["plan", "show", "--json"]).ok().json();
    assert_eq!(shown["phases"][0]["tasks"][1]["role"], "implementation");
    scene.write("plan.toml", "[[phase]]\nname = \"p\"\n[[phase.task]]\nid = \"a\"\ntitle = \"A\"\nprompt = \"x\"\nfiles = [\"a\"]\nrole = \"painter\"\ndeliverables = [\"b\"]\napproval = { quorum = 1 }\n");
    scene.worknode(&["plan", "check"]).fails(2).says(&[
        "plan.toml:8",
        "painter",
        "plan.toml:9",
        "cannot deliver",
        "quorum",
    ]);
}

#[test]
fn p3_a_plan_that_changes_while_the_team_works_is_the_one_that_counts() {
    let scene = scene();
    does(
        &scene,
        "one",
        "echo x >> one.txt && git add . && git commit -qm one",
    );
    does(
        &scene,
        "two",
        "echo x > two.txt && echo x > extra.txt && git add . && git commit -qm two",
    );
    up(&scene);
    wait_for("the first task to be worked on", || {
        scene.count("task_started") == 1
    });
    // Under the agent's hands: what it was told does not count any more.
    scene
        .worknode(&[
            "plan",
            "change",
            "one",
            "--file",
            "uno.txt",
            "--attempts",
            "1000",
            "--reason",
            "another name",
        ])
        .ok();
    scene.write("go-one", "");
    wait_for("its work to be refused", || scene.count("task_rejected") >= 1);
    let changed = scene
        .events()
        .into_iter()
        .find(|e| e["type"] == "plan_changed")
        .unwrap();
    assert_eq!(changed["data"]["change"], "changed");
    assert_eq!(changed["data"]["before"]["files"][0], "one.txt");
    assert_eq!(changed["data"]["after"]["files"][0], "uno.txt");
    assert_eq!(changed["data"]["reason"], "another name");
    assert_eq!(changed["by"]["kind"], "operator");
    let violated = scene
        .events()
        .into_iter()
        .find(|e| e["type"] == "rule_violated")
        .unwrap();
    assert_eq!(violated["data"]["rule"], "plan.outside");
    assert_eq!(violated["data"]["who"], "coder");

    scene
        .worknode(&["plan", "change", "one", "--file", "one.txt", "--priority", "5"])
        .ok();
    scene.wait_for_task("one", "completed");
    // Another daemon finds the plan as it was changed, not as its file says.
    scene.worknode(&["down"]).ok();
    scene
        .worknode(&["plan", "change", "two", "--title", "late"])
        .fails(7);
    up(&scene);
    let shown = scene.worknode(&["plan", "show", "--json"]).ok().json();
    let one = &shown["phases"][0]["tasks"][0];
    assert_eq!(
        (&one["priority"], &one["amended"]),
        (&5.into(), &true.into()),
        "{shown}"
    );

    // A task comes to the plan and leaves it; a change that changes nothing is none.
    scene
        .worknode(&[
            "plan", "add", "Three", "--key", "three", "--file", "3.txt", "--phase", "second", "--agent",
            "nobody",
        ])
        .ok();
    scene
        .worknode(&["plan", "add", "Four", "--key", "four", "--phase", "none"])
        .fails(3);
    scene
        .worknode(&["plan", "change", "three", "--title", "Three"])
        .fails(2);
    scene
        .worknode(&["plan", "change", "three", "--depends-on", "three"])
        .fails(2)
        .says(&["wait for each other"]);
    scene
        .worknode(&["plan", "cancel", "three", "--reason", "not wanted"])
        .ok();
    let changes: Vec<_> = scene
        .events()
        .into_iter()
        .filter(|e| e["type"] == "plan_changed")
        .map(|e| e["data"]["change"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(changes, ["changed", "changed", "added", "cancelled"]);

    // One file beyond `may_create`.
    scene.write("go-two", "");
    wait_for("the second task to be refused", || {
        scene
            .events()
            .iter()
            .any(|e| e["type"] == "rule_violated" && e["data"]["rule"] == "plan.created")
    });
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["down"]).ok();
}

#[test]
fn work_that_leaves_the_plan_is_told_and_goes_up_the_ladder() {
    let scene = scene();
    does(
        &scene,
        "one",
        "echo x > other.txt && git add . && git commit -qm one",
    );
    up(&scene);
    scene.write("go-one", "");
    scene.wait_for_task("one", "failed");
    let deviation = |of: &[&str]| {
        let args = [&["plan", "deviation", "--json"], of].concat();
        scene.worknode(&args).ok().json()
    };
    let one = deviation(&["one"]);
    assert_eq!(one["parts"]["outside"], 50.0, "one claim of two: {one}");
    assert_eq!(one["percent"], 25.0, "outside 15, attempts 10: {one}");
    assert_eq!(deviation(&["second"])["percent"], 0.0);
    assert_eq!(deviation(&["coder"])["tasks"], 0);
    assert!(deviation(&[])["percent"].as_f64().unwrap() > 10.0);
    wait_for("the deviation to be told", || scene.count("plan_deviated") >= 2);
    wait_for("what is open to reach the operator", || {
        let open = scene.worknode(&["escalation", "list", "--json"]).ok().json();
        let of = |matter: &str| {
            let all = open.as_array().unwrap();
            all.iter()
                .any(|one| one["matter"] == matter && one["to"] == "operator")
        };
        of("attempts") && of("deviation")
    });
    let status = scene.worknode(&["status", "--json"]).ok().json();
    assert!(
        status["deviation"]["percent"].as_f64().unwrap() > 10.0,
        "{status}"
    );

    // The next daemon goes on where this one was: nothing is told a second time.
    let told = scene.count("escalated");
    scene.worknode(&["down"]).ok();
    up(&scene);
    let open = scene.worknode(&["escalation", "list", "--json"]).ok().json();
    let failed = open
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["matter"] == "attempts")
        .unwrap();
    let topic = failed["topic"].as_str().unwrap();
    scene
        .worknode(&["escalation", "settle", topic, "--reason", "talked about it"])
        .ok();
    scene
        .worknode(&["escalation", "settle", topic, "--reason", "again"])
        .fails(3);
    assert_eq!(scene.count("escalated"), told);
    scene.worknode(&["down"]).ok();
}
