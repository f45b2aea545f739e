//! Who waits for a landing, and who is judged meanwhile.

use worknode_tests::{program::command, scene::Scene, wait::wait_for};

const TEAM: &str = r#"
[team]
name = "queue"

[limits]
agents = 4

[gate.tests]
command = ["sh", "tests/run.sh"]
sandbox = "off"

[[agent]]
name = "worker"
count = 4
command = ["sh", "-c", """
while ! test -e "$SCENE/go-$WORKNODE_TASK"; do sleep 0.1; done
echo work > "$WORKNODE_TASK.txt" && git add . && git commit -qm work
"""]
pass_env = ["SCENE"]

[[phase]]
name = "all"
"#;

/// A team whose agents hand in at `go-TASK`, and whose tests of the last of the tasks in a tree say
/// `started-TASK` and end at `judge-TASK`.
fn team(tasks: &[(&str, &str)]) -> Scene {
    let mut team = TEAM.to_owned();
    for (id, more) in tasks {
        team.push_str(&format!(
            "[[phase.task]]\nid = \"{id}\"\ntitle = \"{id}\"\nprompt = \"Write it\"\nfiles = [\"{id}.txt\"]\n\
             gates = [\"plan\", \"tests\"]\n{more}\n"
        ));
    }
    let scene = Scene::with_team(&team);
    let here = scene.path().display();
    let run = format!(
        "for name in d c b a none; do test -e $name.txt && break; done\n\
         test $name = none && exit 0\n\
         touch '{here}'/started-$name\n\
         while ! test -e '{here}'/judge-$name; do sleep 0.1; done\n"
    );
    scene.write("tests/run.sh", &run);
    scene.commit("slow tests");
    up(&scene);
    wait_for("the agents to work", || {
        scene.count("task_started") == tasks.len()
    });
    scene
}

fn up(scene: &Scene) {
    let up = command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path())
        .output();
    assert!(up.unwrap().status.success());
}

/// Hands these in, and waits until as many are.
fn hand_in(scene: &Scene, tasks: &[&str], all: usize) {
    for task in tasks {
        scene.write(&format!("go-{task}"), "");
    }
    wait_for("them to be handed in", || scene.count("task_submitted") == all);
}

fn started(scene: &Scene, task: &str) {
    wait_for("tests to run", || scene.file(&format!("started-{task}")).exists());
}

fn verdicts(scene: &Scene, task: &str) -> usize {
    let events = scene.events();
    let node = events
        .iter()
        .find(|event| event["type"] == "node_created" && event["data"]["node"]["name"] == task)
        .unwrap()["node"]
        .clone();
    let those = events.iter().filter(|event| {
        event["type"] == "verdict_recorded"
            && event["node"] == node
            && event["data"]["verdict"]["gate"] == "tests"
    });
    those.count()
}

#[test]
fn p3_who_has_passed_lands_before_those_are_judged_who_waited_for_its_place() {
    let scene = team(&[("a", ""), ("b", ""), ("c", "")]);
    hand_in(&scene, &["a", "b"], 2);
    started(&scene, "a");
    started(&scene, "b");
    // It is to be judged together with others, and waits for a place.
    hand_in(&scene, &["c"], 3);
    scene.write("judge-a", "");
    scene.wait_for_task("a", "completed");
    assert_eq!(verdicts(&scene, "a"), 1, "it was not judged again");
    scene.write("judge-c", "");
    scene.write("judge-b", "");
    for task in ["b", "c"] {
        scene.wait_for_task(task, "completed");
    }
    scene.worknode(&["down"]).ok();
}

#[test]
fn a_stop_does_not_wait_for_tests_while_somebody_wants_to_land() {
    let reviewed = "approval = \"operator\"";
    let scene = team(&[("a", ""), ("b", ""), ("c", reviewed), ("d", reviewed)]);
    hand_in(&scene, &["a", "b"], 2);
    started(&scene, "a");
    started(&scene, "b");
    // These are judged alone, and wait for a place.
    hand_in(&scene, &["c", "d"], 4);
    scene.write("judge-a", "");
    scene.wait_for_task("a", "completed");
    // Its base has moved: it is to be judged again, while others have all places.
    scene.write("judge-b", "");
    started(&scene, "c");
    started(&scene, "d");
    scene.worknode(&["down"]).ok();
}

#[test]
fn while_nothing_may_land_all_are_judged() {
    let tasks = ["a", "b", "c"];
    let scene = team(&tasks.map(|task| (task, "")));
    hand_in(&scene, &tasks, 3);
    scene.worknode(&["panic", "--reason", "test"]).ok();
    scene.worknode(&["down"]).ok();
    let is_started = |task: &&str| scene.file(&format!("started-{task}")).exists();
    for task in tasks.iter().filter(|task| is_started(task)) {
        std::fs::remove_file(scene.file(&format!("started-{task}"))).unwrap();
    }
    up(&scene);
    // The third finds that all places are taken.
    wait_for("two to be judged", || {
        tasks.iter().filter(|task| is_started(task)).count() >= 2
    });
    for task in tasks {
        scene.write(&format!("judge-{task}"), "");
    }
    for task in tasks {
        wait_for("its verdict", || verdicts(&scene, task) >= 1);
    }
    assert_eq!(scene.count("task_completed"), 0);
    scene.worknode(&["down"]).ok();
}
