//! Agents that make agents: beneath whom, within which limits, and how they end.

use std::fs;

use serde_json::Value;
use worknode_process::find_marked;
use worknode_tests::{
    program::{Done, command},
    scene::Scene,
    wait::{until, wait_for},
};

/// A boss that ends well or badly when it is told to. A helper waits for `helped`. Both are
/// executives. Nobody takes a task by themselves while the coder is at its first.
const TEAM: &str = r#"
[team]
name = "t"

[limits]
agents = 8
spawn_depth = 2
spawn_fan_out = 2

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "boss"
profile = "executive"
driver = "command"
limits = { grace = "1s" }
restart = { kind = "temporary" }
command = ["sh", "-c", """
if [ -e ../../../spawn ]; then worknode spawn helper --name hand --prompt 'Look around' --json; fi
while ! [ -e ../../../end-well ]; do
    if [ -e ../../../end-badly ]; then exit 7; fi
    sleep 0.05
done
"""]

[[agent]]
name = "helper"
profile = "executive"
driver = "command"
start = "trigger"
limits = { grace = "1s" }
command = ["sh", "-c", "cat $WORKNODE_BRIEF; while ! [ -e ../../../helped ]; do sleep 0.05; done"]

[[agent]]
name = "reader"
profile = "validation"
driver = "command"
start = "trigger"
limits = { grace = "1s" }
command = ["sh", "-c", "exit 3"]

[[agent]]
name = "coder"
limits = { grace = "1s" }
command = ["sh", "-c", """
while ! [ -e ../../../go-$WORKNODE_TASK ]; do sleep 0.05; done
echo done > $WORKNODE_TASK.txt && git add . && git commit -qm work
"""]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
"#;

/// The team at work, with the boss alive.
fn at_work(team: &str) -> Scene {
    let scene = Scene::with_team(team);
    scene.worknode(&["up", "-d"]).ok();
    run_of(&scene, "boss");
    scene
}

/// Two tasks more, while the coder is at its first: one that is ready, and one that waits for it.
fn two_more_tasks(scene: &Scene) {
    scene.wait_for_task("one", "in_progress");
    for key in ["two", "three"] {
        let mut add = vec!["task", "add", key, "--key", key, "--file", "*.txt"];
        if key == "three" {
            add.extend(["--depends-on", "two"]);
        }
        scene.worknode(&add).ok();
    }
    scene.wait_for_task("two", "ready");
}

fn show(scene: &Scene, agent: &str) -> Value {
    scene.worknode(&["agent", "show", agent, "--json"]).ok().json()
}

/// The agent's run, once its process is there.
fn run_of(scene: &Scene, agent: &str) -> String {
    until(agent, || {
        let done = scene.worknode(&["agent", "show", agent, "--json"]);
        let Ok(seen) = serde_json::from_str::<Value>(&done.stdout) else {
            return Err(done);
        };
        let run = seen["run"]["id"].as_str().filter(|_| seen["run"]["pid"].is_u64());
        run.map(str::to_owned).ok_or(done)
    })
}

/// Waits until the agent has no run, and returns its last one's receipt.
fn receipt_of(scene: &Scene, run: &str) -> Value {
    let ended = scene.wait_for_event("the end of the run", |event| {
        event["type"] == "run_exited" && event["data"]["run"] == run
    });
    ended["data"]["receipt"].clone()
}

/// The program as that agent calls it.
fn as_agent(scene: &Scene, agent: &str, args: &[&str]) -> Done {
    let run = run_of(scene, agent);
    let state = scene.file(".worknode");
    let mut command = command(scene.path());
    command
        .env("WORKNODE_SOCKET", state.join("worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", state.join("runs").join(run).join("token"))
        .args(args);
    command.output().unwrap().into()
}

fn agents(scene: &Scene) -> usize {
    scene
        .worknode(&["ps", "--json"])
        .ok()
        .json()
        .as_array()
        .unwrap()
        .len()
}

fn down(scene: &Scene) {
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
    assert_eq!(scene.count("run_queued"), scene.count("run_exited"));
    scene.worknode(&["audit", "verify"]).ok();
}

#[test]
fn an_executive_spawns_beneath_itself_with_its_own_token() {
    let scene = Scene::with_team(TEAM);
    scene.write("spawn", "");
    scene.worknode(&["up", "-d"]).ok();
    let run = run_of(&scene, "hand");
    let hand = show(&scene, "hand");
    assert_eq!(
        (&hand["parent"], &hand["profile"], &hand["run"]["purpose"]),
        (&"boss".into(), &"executive".into(), &"spawned".into())
    );
    let created = scene.wait_for_event("the new agent", |event| {
        event["type"] == "node_created" && event["data"]["node"]["name"] == "hand"
    });
    assert_eq!(created["by"]["name"], "boss", "{created}");
    wait_for("its brief", || {
        fs::read_to_string(scene.file(&format!(".worknode/runs/{run}/stdout.log")))
            .is_ok_and(|text| text.contains("`boss` asks for this.") && text.contains("Look around"))
    });
    scene.worknode(&["ps"]).ok().says(&["└ hand"]);
    let tree = scene.worknode(&["tree"]).ok().stdout;
    let line = |name: &str| tree.lines().position(|line| line.contains(name)).unwrap();
    assert_eq!(line("agent hand"), line("agent boss") + 1, "{tree}");

    // It ends well, and is left idle. The boss goes on, and after it ends well so would others.
    scene.write("helped", "");
    assert_eq!(receipt_of(&scene, &run)["ending"]["code"], 0);
    assert_eq!(show(&scene, "hand")["status"], "idle");
    assert_eq!(show(&scene, "boss")["status"], "busy");
    down(&scene);
}

#[test]
fn p8_a_spawn_beyond_depth_or_fan_out_is_refused_by_name() {
    let scene = at_work(TEAM);
    let spawn = |agent: &str| as_agent(&scene, agent, &["spawn", "helper", "--prompt", "x", "--json"]);
    assert_eq!(spawn("boss").ok().json()["name"], "helper-x1");
    run_of(&scene, "helper-x1");
    assert_eq!(spawn("helper-x1").ok().json()["parent"], "helper-x1");
    run_of(&scene, "helper-x2");
    let before = agents(&scene);
    spawn("helper-x2")
        .fails(4)
        .says(&["limit_reached", "helper-x2", "2 levels", "spawn_depth"]);
    assert_eq!(spawn("boss").ok().json()["name"], "helper-x3");
    spawn("boss")
        .fails(4)
        .says(&["limit_reached", "boss", "it has 2", "spawn_fan_out"]);
    assert_eq!(agents(&scene), before + 1, "who is refused leaves nothing");

    // Who is done leaves their place.
    scene.worknode(&["kill", "helper-x3"]).ok();
    spawn("boss").ok();
    down(&scene);
}

#[test]
fn p8_a_spawn_that_does_not_fit_the_budget_is_refused_before_it_starts() {
    let team = TEAM.replace("agents = 8", "agents = 8\nusd = 4.0").replace(
        "limits = { grace = \"1s\" }\nrestart",
        "limits = { grace = \"1s\", usd = 1.0 }\nbudget = { usd = 2.0 }\nrestart",
    );
    let scene = at_work(&team);
    let spawn = |usd: &str| {
        as_agent(
            &scene,
            "boss",
            &["spawn", "helper", "--prompt", "x", "--usd", usd],
        )
    };
    let before = agents(&scene);
    spawn("1.5")
        .fails(4)
        .says(&["boss has", "$1.00 left of $2.00", "$1.50"]);
    assert_eq!(agents(&scene), before);
    spawn("0.75").ok();
    let limit = |agent: &str| {
        let shown = show(&scene, agent);
        let uses = shown["run"]["use"].as_array().unwrap().clone();
        uses.iter().find(|entry| entry["what"] == "usd").unwrap()["limit"].clone()
    };
    assert_eq!(limit("helper-x1"), 750_000);
    spawn("0.5").fails(4).says(&["boss has", "left of $2.00"]);
    // What it did not use goes back.
    scene.worknode(&["kill", "helper-x1"]).ok();
    spawn("0.5").ok();

    // The next daemon counts alike.
    let second = run_of(&scene, "helper-x2");
    scene.worknode(&["down", "--keep-agents"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    assert_eq!(run_of(&scene, "helper-x2"), second);
    spawn("0.75").fails(4).says(&["boss has", "left of $2.00"]);
    down(&scene);
}

#[test]
fn p9_who_may_not_spawn_spawns_nobody() {
    let scene = at_work(TEAM);
    two_more_tasks(&scene);
    // Claims are renewed meanwhile: what counts is that nothing is made.
    let made = || {
        (
            scene.count("node_created"),
            scene.count("run_queued"),
            agents(&scene),
        )
    };
    let (before, count) = (made(), agents(&scene));
    as_agent(&scene, "coder", &["spawn", "helper", "--prompt", "x"])
        .fails(4)
        .says(&["may not spawn"]);
    for (args, code, says) in [
        (&["spawn", "nobody", "--prompt", "x"][..], 3, "no agent `nobody`"),
        (
            &["spawn", "helper", "--name", "boss", "--prompt", "x"],
            5,
            "`boss` already",
        ),
        (
            &["spawn", "helper", "--name", "../x", "--prompt", "x"],
            2,
            "cannot be a name",
        ),
        (
            &["spawn", "helper", "--name", "operator", "--prompt", "x"],
            2,
            "somebody else",
        ),
        (&["spawn", "helper", "--task", "two"], 2, "takes no tasks"),
        (&["spawn", "helper", "--prompt", " "], 2, "say what"),
        (&["spawn", "coder", "--prompt", "x"], 2, "needs a task"),
        (&["spawn", "coder", "--task", "none"], 3, "no task `none`"),
        (&["spawn", "coder", "--task", "one"], 5, "in_progress"),
        (&["spawn", "coder", "--task", "three"], 5, "pending"),
        (&["spawn", "helper"], 2, "--title"),
    ] {
        scene.worknode(args).fails(code).says(&[says]);
    }
    assert_eq!(made(), before);
    scene.worknode(&["panic"]).ok();
    scene
        .worknode(&["spawn", "helper", "--prompt", "x"])
        .fails(4)
        .says(&["a panic blocks"]);
    assert_eq!(agents(&scene), count);
    down(&scene);
}

#[test]
fn p4_who_is_killed_takes_along_whom_they_spawned() {
    let scene = at_work(TEAM);
    as_agent(
        &scene,
        "boss",
        &["spawn", "helper", "--name", "hand", "--prompt", "x"],
    )
    .ok();
    let hand = run_of(&scene, "hand");
    as_agent(
        &scene,
        "hand",
        &["spawn", "helper", "--name", "finger", "--prompt", "x"],
    )
    .ok();
    run_of(&scene, "finger");
    // The operator's own is beneath the team, and nobody else's affair.
    let mine = scene
        .worknode(&["spawn", "helper", "--name", "mine", "--title", "Mine", "--json"])
        .ok()
        .json();
    assert_eq!(mine["parent"], "t");
    run_of(&scene, "mine");

    let killed = scene.worknode(&["kill", "boss", "--json"]).ok().json();
    let names: Vec<_> = killed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!(entry["receipt"]["survivors"], 0, "{entry}");
            entry["target"].as_str().unwrap()
        })
        .collect();
    assert_eq!(names, ["boss", "hand", "finger"]);
    assert_eq!(find_marked("WORKNODE_RUN", &hand).len(), 0);
    for name in names {
        assert_eq!(show(&scene, name)["status"], "stopped");
    }
    assert_eq!(show(&scene, "mine")["status"], "busy");
    down(&scene);
}

#[test]
fn who_goes_wrong_takes_its_children_along_and_who_ends_well_does_not() {
    let scene = at_work(TEAM);
    let spawn = |by: &str, name: &str| {
        as_agent(&scene, by, &["spawn", "helper", "--name", name, "--prompt", "x"]).ok();
        run_of(&scene, name)
    };
    let (hand, finger) = {
        let hand = spawn("boss", "hand");
        (hand, spawn("hand", "finger"))
    };
    scene.write("end-badly", "");
    let cause = |run: &str| receipt_of(&scene, run)["cause"].clone();
    assert_eq!(
        cause(&hand),
        serde_json::json!({ "cause": "parent", "name": "boss" })
    );
    assert_eq!(
        cause(&finger),
        serde_json::json!({ "cause": "parent", "name": "hand" })
    );
    for name in ["hand", "finger"] {
        assert_eq!(show(&scene, name)["status"], "idle");
    }

    // Once more, and it ends well.
    fs::remove_file(scene.file("end-badly")).unwrap();
    scene.worknode(&["agent", "resume", "boss"]).ok();
    let boss = run_of(&scene, "boss");
    let other = spawn("boss", "other");
    scene.write("end-well", "");
    assert_eq!(receipt_of(&scene, &boss)["ending"]["code"], 0);
    assert_eq!(show(&scene, "other")["run"]["id"], *other);
    scene.write("helped", "");
    assert!(receipt_of(&scene, &other)["cause"].is_null());
    down(&scene);
}

#[test]
fn one_that_crashes_is_not_started_again() {
    let scene = at_work(TEAM);
    let spawned = scene
        .worknode(&["spawn", "reader", "--title", "Read", "--json"])
        .ok()
        .json();
    let run = until("its run", || {
        let queued = scene
            .events()
            .into_iter()
            .find(|event| event["type"] == "run_queued" && event["node"] == spawned["id"]);
        queued.ok_or(())
    });
    let run = run["data"]["run"]["id"].as_str().unwrap().to_owned();
    assert_eq!(receipt_of(&scene, &run)["ending"]["code"], 3);
    assert_eq!(show(&scene, "reader-x1")["status"], "idle");
    assert_eq!(scene.count("agent_restarting"), 0);
    down(&scene);
}

#[test]
fn p6_p7_a_spawned_agent_outlives_its_daemon_and_is_known_to_the_next() {
    let scene = Scene::with_team(TEAM);
    let first = scene.daemon();
    run_of(&scene, "boss");
    two_more_tasks(&scene);
    as_agent(
        &scene,
        "boss",
        &["spawn", "helper", "--name", "hand", "--prompt", "x"],
    )
    .ok();
    as_agent(
        &scene,
        "boss",
        &["spawn", "coder", "--name", "digger", "--task", "two"],
    )
    .ok();
    let (hand, digger) = (run_of(&scene, "hand"), run_of(&scene, "digger"));
    scene.wait_for_task("two", "in_progress");
    first.kill();

    let second = scene.daemon();
    scene.wait_for_daemon();
    assert_eq!(
        (run_of(&scene, "hand"), run_of(&scene, "digger")),
        (hand.clone(), digger)
    );
    assert_eq!(show(&scene, "hand")["parent"], "boss");
    assert_eq!(show(&scene, "hand")["sandbox"], show(&scene, "helper")["sandbox"]);
    scene
        .worknode(&["spawn", "helper", "--name", "hand", "--prompt", "x"])
        .fails(5);
    // It still may do what it might, and what it hands in is found.
    as_agent(&scene, "hand", &["spawn", "helper", "--prompt", "x"]).ok();
    scene.write("go-two", "");
    scene.wait_for_task("two", "completed");
    scene.write("helped", "");
    assert_eq!(receipt_of(&scene, &hand)["ending"]["code"], 0);
    down(&scene);
    second.wait().ok();
}

/// The parent died while no daemon was there to see it.
#[test]
fn p7_the_next_daemon_ends_the_children_of_whom_it_finds_dead() {
    let scene = Scene::with_team(TEAM);
    let first = scene.daemon();
    run_of(&scene, "boss");
    as_agent(
        &scene,
        "boss",
        &["spawn", "helper", "--name", "hand", "--prompt", "x"],
    )
    .ok();
    let (boss, hand) = (run_of(&scene, "boss"), run_of(&scene, "hand"));
    first.kill();
    scene.write("end-badly", "");
    wait_for("the boss to end", || {
        find_marked("WORKNODE_RUN", &boss).is_empty()
    });
    let second = scene.daemon();
    assert_eq!(receipt_of(&scene, &hand)["cause"]["cause"], "parent");
    down(&scene);
    second.wait().ok();
}

#[test]
fn a_spawned_coder_works_on_its_task_and_its_work_lands() {
    let scene = at_work(TEAM);
    two_more_tasks(&scene);
    scene
        .worknode(&[
            "spawn",
            "coder",
            "--task",
            "two",
            "--max-duration",
            "5m",
            "--json",
        ])
        .ok();
    let task = scene.wait_for_task("two", "in_progress");
    assert_eq!(task["agent"], "coder-x1");
    // It has one owner, and nobody else takes it.
    scene
        .worknode(&["spawn", "coder", "--task", "two"])
        .fails(5)
        .says(&["only one that is ready"]);
    assert_eq!(show(&scene, "coder-x1")["run"]["limit_ms"], 300_000);
    scene.write("go-two", "");
    scene.wait_for_task("two", "completed");
    assert_eq!(scene.count("task_claimed"), 2);
    assert_eq!(scene.landed(), ["seed", "team", "two"]);
    assert_eq!(scene.git(&["show", "main:two.txt"]), "done");
    wait_for("it to be idle", || show(&scene, "coder-x1")["status"] == "idle");
    // What comes next is the coder's, not the spawned one's.
    scene.wait_for_task("three", "ready");
    down(&scene);
}

#[test]
fn p6_asked_twice_with_one_key_it_is_one_agent() {
    let scene = at_work(TEAM);
    let ask = |key: &str| {
        let body = r#"{"like":"helper","title":"Once"}"#;
        let headers = [("Idempotency-Key", key)];
        let answer = scene.door().ask("POST", "/api/v1/agents", &headers, body);
        let body = answer.json();
        (
            answer.status == 201,
            body["name"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(ask("a"), (true, "helper-x1".to_owned()));
    assert_eq!(ask("a"), (true, "helper-x1".to_owned()));
    assert_eq!(ask("b"), (true, "helper-x2".to_owned()));
    scene.worknode(&["kill", "helper-x1"]).ok();
    assert_eq!(ask("a").1, "helper-x1", "also when it is over");
    assert_eq!(ask(""), (false, String::new()));
    down(&scene);
}

/// What `capability show` says of the agent's own.
fn capability_of(scene: &Scene, agent: &str) -> Value {
    as_agent(scene, agent, &["capability", "show", "--json"])
        .ok()
        .json()
}

#[test]
fn p9_who_is_spawned_has_its_rights_from_who_spawned_it() {
    let scene = at_work(TEAM);
    for name in ["hand", "other"] {
        as_agent(
            &scene,
            "boss",
            &["spawn", "helper", "--name", name, "--prompt", "Look"],
        )
        .ok();
        run_of(&scene, name);
    }
    let (boss, hand) = (capability_of(&scene, "boss"), capability_of(&scene, "hand"));
    assert_eq!(hand["made_from"], Value::Array(vec![boss["id"].clone()]));
    assert_eq!(hand["principal"]["name"], "hand");
    assert!(
        hand["expires"].as_str() <= boss["expires"].as_str(),
        "{hand} {boss}"
    );
    as_agent(
        &scene,
        "hand",
        &["spawn", "helper", "--name", "finger", "--prompt", "Look"],
    )
    .ok();
    run_of(&scene, "finger");
    let finger = capability_of(&scene, "finger");
    assert_eq!(
        finger["made_from"],
        Value::Array(vec![boss["id"].clone(), hand["id"].clone()])
    );

    // Whoever revokes one of the chain ends what came of it, and nothing else.
    let revoke = |id: &Value| scene.worknode(&["capability", "revoke", id.as_str().unwrap()]);
    revoke(&hand["id"]).ok();
    let refused = as_agent(&scene, "finger", &["ps"]);
    refused.fails(4).says(&["was revoked", "made from"]);
    as_agent(&scene, "other", &["ps"]).ok();
    revoke(&boss["id"]).ok();
    as_agent(&scene, "other", &["ps"]).fails(4).says(&["made from"]);
    scene.write("helped", "");
    scene.write("end-well", "");
    down(&scene);
}

#[test]
fn p9_through_a_narrow_capability_nobody_wider_is_spawned() {
    let scene = at_work(TEAM);
    let narrow = [
        "capability",
        "attenuate",
        "--only",
        "read",
        "--only",
        "spawn",
        "--for",
        "10m",
    ];
    let narrow = as_agent(&scene, "boss", &narrow).ok().stdout;
    scene.write("narrow.token", &narrow);
    let through = |args: &[&str]| -> Done {
        let mut command = command(scene.path());
        command
            .env("WORKNODE_SOCKET", scene.file(".worknode/worknode.sock"))
            .env("WORKNODE_TOKEN_FILE", scene.file("narrow.token"))
            .args(args);
        command.output().unwrap().into()
    };
    through(&["spawn", "helper", "--name", "hand", "--prompt", "Look"]).ok();
    run_of(&scene, "hand");
    let hand = capability_of(&scene, "hand");
    assert_eq!(hand["operations"], serde_json::json!(["read", "spawn"]), "{hand}");
    assert_eq!(hand["made_from"].as_array().unwrap().len(), 2, "{hand}");
    let kill = as_agent(&scene, "hand", &["kill", "hand"]);
    kill.fails(4);
    scene.write("helped", "");
    scene.write("end-well", "");
    down(&scene);
}
