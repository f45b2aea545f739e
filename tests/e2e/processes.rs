//! Agents are processes that cannot get away: adoption, proof, limits, sandbox, panic.

use std::fs;

use serde_json::Value;
use worknode_process::find_marked;
use worknode_tests::{
    running::send_signal,
    scene::Scene,
    wait::{until, wait_for},
};

/// One agent on one task. It counts aloud until it is told to hand in.
const COUNTING: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
limits = { grace = "1s" LIMITS }
command = ["sh", "-c", """
i=0
while ! [ -e ../../../go ]; do i=$((i+1)); echo "tick $i"; sleep 0.02; done
echo done > one.txt && git add . && git commit -qm work
"""]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
"#;

/// The same, but the agent does this instead.
fn team(limits: &str, script: &str) -> String {
    let begin = COUNTING.find("i=0").unwrap();
    let end = COUNTING.find("\"\"\"]").unwrap();
    let limits = if limits.is_empty() {
        String::new()
    } else {
        format!(", {limits}")
    };
    format!("{}{script}\n{}", &COUNTING[..begin], &COUNTING[end..]).replace(" LIMITS", &limits)
}

/// The run of the worker, once its process is there.
fn live_run(scene: &Scene) -> (String, u32) {
    until("the worker to run", || {
        let done = scene.worknode(&["agent", "show", "worker", "--json"]);
        let Ok(agent) = serde_json::from_str::<Value>(&done.stdout) else {
            return Err(done);
        };
        match (agent["run"]["id"].as_str(), agent["run"]["pid"].as_u64()) {
            (Some(run), Some(pid)) => Ok((run.to_owned(), u32::try_from(pid).unwrap())),
            _ => Err(done),
        }
    })
}

fn of_run(run: &str) -> usize {
    find_marked("WORKNODE_RUN", run).len()
}

fn output(scene: &Scene, run: &str) -> String {
    fs::read_to_string(scene.file(&format!(".worknode/runs/{run}/stdout.log"))).unwrap_or_default()
}

/// The receipt of the first run that ended.
fn receipt(scene: &Scene) -> Value {
    scene.wait_for_event("the end of a run", |event| event["type"] == "run_exited")["data"]["receipt"].clone()
}

#[test]
fn p6_p7_a_daemon_that_is_killed_takes_its_run_back_with_nothing_lost() {
    let scene = Scene::with_team(&COUNTING.replace(" LIMITS", ""));
    let first = scene.daemon();
    let (run, pid) = live_run(&scene);
    wait_for("some output", || output(&scene, &run).contains("tick 10\n"));
    first.kill();

    // Nobody watches, and it goes on.
    let before = output(&scene, &run).len();
    wait_for("more output without a daemon", || {
        output(&scene, &run).len() > before + 100
    });

    let second = scene.daemon();
    scene.wait_for_daemon();
    assert_eq!(
        live_run(&scene),
        (run.clone(), pid),
        "the same run in the same process"
    );
    scene.write("go", "");
    scene.wait_for_task("one", "completed");
    assert_eq!(scene.count("run_started"), 1, "started once");
    let ticks: Vec<usize> = output(&scene, &run)
        .lines()
        .map(|line| line.strip_prefix("tick ").unwrap().parse().unwrap())
        .collect();
    assert_eq!(
        ticks,
        (1..=ticks.len()).collect::<Vec<_>>(),
        "no line lost, none twice"
    );
    scene.worknode(&["down"]).ok();
    second.wait().ok();
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p6_p7_a_run_that_ends_while_nobody_watches_is_closed_with_its_own_exit_code() {
    let scene = Scene::with_team(&team(
        "",
        "while ! [ -e ../../../go ]; do sleep 0.02; done; exit 7",
    ));
    let first = scene.daemon();
    let (run, _) = live_run(&scene);
    first.kill();
    scene.write("go", "");
    wait_for("the end of the run", || of_run(&run) == 0);
    let exit = scene.file(&format!(".worknode/runs/{run}/exit.json"));
    wait_for("its shim's record", || exit.exists());
    let second = scene.daemon();
    let receipt = receipt(&scene);
    assert_eq!(
        (&receipt["ending"]["how"], &receipt["ending"]["code"]),
        (&"code".into(), &7.into())
    );
    assert!(receipt["cause"].is_null(), "{receipt}");
    scene.worknode(&["down"]).ok();
    second.wait();
}

#[test]
fn p7_p8_without_a_daemon_the_shim_stops_its_agent_in_time() {
    let scene = Scene::with_team(&team("orphan_grace = \"1s\"", "sleep 600"));
    let first = scene.daemon();
    let (run, _) = live_run(&scene);
    first.kill();
    wait_for("the shim to stop its agent", || of_run(&run) == 0);
    let second = scene.daemon();
    assert_eq!(receipt(&scene)["cause"]["cause"], "orphaned");
    scene.worknode(&["down"]).ok();
    second.wait();
}

#[test]
fn p4_p7_a_shim_that_is_killed_leaves_nothing_behind() {
    let script = "setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' & while :; do sleep 1; done";
    let scene = Scene::with_team(&team("", script));
    scene.worknode(&["up", "-d"]).ok();
    let (run, _) = live_run(&scene);
    let shim = find_marked("WORKNODE_SHIM", &run);
    assert_eq!(shim.len(), 1, "one shim");
    wait_for("the descendant", || of_run(&run) >= 3);
    send_signal("KILL", shim[0].pid);
    let receipt = receipt(&scene);
    assert_eq!(receipt["cause"]["cause"], "shim_gone", "{receipt}");
    assert_eq!(of_run(&run), 0, "{receipt}");
    scene.worknode(&["kill", "--all"]).ok();
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

/// Every way of hiding from a stop that a process has.
const HIDING: &str = r#"
setsid sh -c 'trap "" TERM INT HUP; while :; do sleep 1; done' &
sh -c '(setsid sh -c "exec sleep 600" &) &'
env -u WORKNODE_RUN -u WORKNODE_SOCKET setsid sh -c 'exec sleep 601' &
sh -c 'kill -STOP $$; sleep 600' &
trap '' TERM
echo ready
while :; do sleep 1; done
"#;

#[test]
fn p4_nothing_that_an_agent_started_outlives_its_kill() {
    let scene = Scene::with_team(&team("", HIDING));
    scene.worknode(&["up", "-d"]).ok();
    let (run, _) = live_run(&scene);
    wait_for("it to hide", || {
        output(&scene, &run).contains("ready") && of_run(&run) >= 5
    });
    let without_mark = || {
        let listed = std::process::Command::new("pgrep")
            .args(["-f", "^sleep 601$"])
            .output()
            .unwrap();
        String::from_utf8(listed.stdout).unwrap().lines().count()
    };
    wait_for("the one without a mark", || without_mark() == 1);
    let killed = scene
        .worknode(&["kill", "worker", "--grace", "300ms", "--reason", "test", "--json"])
        .ok()
        .json();
    let receipt = &killed[0]["receipt"];
    assert_eq!((of_run(&run), without_mark()), (0, 0), "{receipt}");
    assert_eq!(
        (&receipt["survivors"], &receipt["kill_sent"]),
        (&0.into(), &true.into())
    );
    assert!(receipt["processes_ended"].as_u64().unwrap() >= 7, "{receipt}");
    let steps: Vec<_> = receipt["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["step"])
        .collect();
    assert_eq!(
        (steps.first(), steps.last()),
        (Some(&&"term".into()), Some(&&"gone".into())),
        "{receipt}"
    );
    assert!(!receipt["means"].as_array().unwrap().is_empty());
    assert_ne!(
        scene.wait_for_task("one", "ready")["agent"],
        "worker",
        "its claim is released"
    );
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p5_a_killed_run_keeps_what_it_had_not_handed_in() {
    let script = "echo half > one.txt; git add one.txt; git commit -qm half; echo more > two.txt; echo ready; sleep 600";
    let scene = Scene::with_team(&team("", script));
    scene.worknode(&["up", "-d"]).ok();
    let (run, _) = live_run(&scene);
    wait_for("its work", || output(&scene, &run).contains("ready"));
    let killed = scene.worknode(&["kill", "worker", "--json"]).ok().json();
    let left = &killed[0]["receipt"]["workspace"];
    assert_eq!(
        (&left["commits"], &left["files"]),
        (&1.into(), &1.into()),
        "{left}"
    );
    let patch = fs::read_to_string(left["patch"].as_str().unwrap()).unwrap();
    assert!(patch.contains("two.txt") && patch.contains("+more"), "{patch}");
    scene.worknode(&["down"]).ok();
}

#[test]
fn p8_a_frozen_run_does_nothing_and_its_time_does_not_run() {
    let scene = Scene::with_team(&COUNTING.replace(" LIMITS", ""));
    scene.worknode(&["up", "-d"]).ok();
    let (run, _) = live_run(&scene);
    wait_for("some output", || output(&scene, &run).contains("tick 5\n"));
    let frozen = scene
        .worknode(&["freeze", "one", "--reason", "look at it", "--json"])
        .ok()
        .json();
    assert_eq!(frozen[0]["run"]["status"], "frozen");
    wait_for("it to stand still", || {
        let before = output(&scene, &run).len();
        std::thread::park_timeout(std::time::Duration::from_millis(200));
        output(&scene, &run).len() == before
    });
    scene.worknode(&["freeze", "worker"]).ok();
    let before = output(&scene, &run).len();
    let thawed = scene.worknode(&["thaw", "worker", "--json"]).ok().json();
    assert_eq!(thawed[0]["run"]["status"], "running");
    wait_for("it to go on", || output(&scene, &run).len() > before);
    scene.worknode(&["thaw", "worker"]).ok();
    // A frozen one can be killed like any other.
    scene.worknode(&["freeze", "worker"]).ok();
    scene.worknode(&["kill", "worker"]).ok();
    assert_eq!(of_run(&run), 0);
    scene
        .worknode(&["freeze", "worker"])
        .fails(5)
        .says(&["nothing to freeze"]);
    scene.worknode(&["freeze", "nobody"]).fails(3);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p4_p8_a_panic_stops_everything_and_blocks_it_through_a_restart() {
    let scene = Scene::with_team(&COUNTING.replace(" LIMITS", ""));
    scene.worknode(&["up", "-d"]).ok();
    let (run, _) = live_run(&scene);
    scene.write("go", "");
    let panic = scene
        .worknode(&["panic", "--reason", "test", "--json"])
        .ok()
        .json();
    assert_eq!(
        panic["blocked"],
        serde_json::json!(["landings", "spawns", "triggers"])
    );
    assert_eq!(of_run(&run), 0);
    assert_eq!(scene.processes(), 0);
    // Again, and after a restart: it stays so.
    scene.worknode(&["panic"]).ok().says(&["0 runs stopped"]);
    scene.worknode(&["down"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    let status = scene.worknode(&["status", "--json"]).ok().json();
    assert_eq!(status["panic"], panic["blocked"], "{status}");
    let runs = scene.count("run_queued");
    assert_eq!(scene.processes(), 0);
    // Stage by stage.
    scene.worknode(&["unpanic", "--up-to", "sometime"]).fails(2);
    let lifted = scene
        .worknode(&["unpanic", "--up-to", "landings", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&lifted["lifted"], lifted["blocked"].as_array().unwrap().len()),
        (&serde_json::json!(["landings"]), 2)
    );
    assert_eq!(scene.count("run_queued"), runs, "nothing starts yet");
    scene
        .worknode(&["unpanic"])
        .ok()
        .says(&["spawns, triggers go on", "nothing is blocked any more"]);
    scene.wait_for_task("one", "completed");
    scene.worknode(&["unpanic"]).ok().says(&["nothing was blocked"]);
    scene.worknode(&["down"]).ok();
}

/// The cause with which the worker is stopped when it does this under such limits.
fn cause_of(limits: &str, script: &str) -> Value {
    let scene = Scene::with_team(&team(limits, script));
    scene.worknode(&["up", "-d"]).ok();
    let receipt = receipt(&scene);
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
    assert_eq!(receipt["survivors"], 0);
    receipt["cause"]["cause"].clone()
}

#[test]
fn p8_a_run_is_stopped_at_its_time_limit() {
    assert_eq!(
        cause_of("time = \"1s\"", "while :; do echo on; sleep 0.1; done"),
        "time_limit"
    );
}

#[test]
fn p8_a_run_is_stopped_when_it_is_silent() {
    assert_eq!(cause_of("silence = \"1s\"", "sleep 600"), "silence_limit");
}

#[test]
fn p8_a_run_is_stopped_at_its_memory_limit() {
    // By many that each hold a little: one that held all could not allocate it before it is measured.
    let script = "hold() { x=$(head -c 4000000 /dev/zero | tr '\\\\0' x); sleep 600; }; \
                  for i in $(seq 8); do hold & done; wait";
    assert_eq!(cause_of("memory = 20_000_000", script), "memory_limit");
}

#[test]
fn p8_a_run_is_stopped_when_it_forks_too_much() {
    assert_eq!(
        cause_of("processes = 20", "for i in $(seq 60); do sleep 600 & done; wait"),
        "processes_limit"
    );
}

#[test]
fn p8_a_run_is_stopped_at_its_limit_of_processor_time() {
    assert_eq!(cause_of("cpu = \"1s\"", "while :; do :; done"), "cpu_limit");
}

#[test]
fn p9_an_agent_without_its_token_is_nobody() {
    let script = r"
env -u WORKNODE_TOKEN_FILE -u WORKNODE_RUN worknode ps > ../answer 2>&1; echo $?
env -i PATH=$PATH HOME=$HOME setsid worknode -C ../../.. kill --all; echo $?
(setsid env -u WORKNODE_TOKEN_FILE worknode down; echo $?)
echo ready; sleep 600";
    let scene = Scene::with_team(&team("", script));
    scene.worknode(&["up", "-d"]).ok();
    let (run, _) = live_run(&scene);
    wait_for("its attempts", || output(&scene, &run).contains("ready"));
    let said = output(&scene, &run);
    let codes: Vec<_> = said.lines().filter(|line| line.parse::<i32>().is_ok()).collect();
    assert_eq!(codes.len(), 3, "{said}");
    assert!(codes.iter().all(|code| *code != "0"), "{said}");
    assert_eq!(live_run(&scene).0, run, "it killed nobody, not even itself");
    scene.worknode(&["down"]).ok();
}

#[test]
fn p7_agents_go_on_through_an_upgrade() {
    let scene = Scene::with_team(&COUNTING.replace(" LIMITS", ""));
    scene.worknode(&["up", "-d"]).ok();
    let (run, pid) = live_run(&scene);
    scene.worknode(&["down", "--keep-agents"]).ok().says(&["go on"]);
    assert!(of_run(&run) > 0);
    scene.worknode(&["up", "-d"]).ok();
    assert_eq!(live_run(&scene), (run, pid));
    scene.write("go", "");
    scene.wait_for_task("one", "completed");
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p4_a_phase_or_a_team_is_killed_with_all_that_is_below_it() {
    let scene = Scene::with_team(&COUNTING.replace(" LIMITS", ""));
    scene.worknode(&["up", "-d"]).ok();
    let (run, _) = live_run(&scene);
    let would = scene
        .worknode(&["kill", "only", "--dry-run", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&would[0]["kind"], &would[0]["target"]),
        (&"task".into(), &"one".into())
    );
    let killed = scene.worknode(&["kill", "only", "--json"]).ok().json();
    assert!(killed[0]["receipt"].is_object(), "{killed}");
    assert_eq!(of_run(&run), 0);
    assert_eq!(
        scene.worknode(&["task", "show", "one", "--json"]).ok().json()["status"],
        "cancelled"
    );
    scene.worknode(&["task", "retry", "one"]).ok();
    let (run, _) = live_run(&scene);
    let killed = scene.worknode(&["kill", "t", "--json"]).ok().json();
    let agents = killed
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "agent");
    assert_eq!(agents.count(), 1, "{killed}");
    assert_eq!(of_run(&run), 0);
    assert_eq!(
        scene.worknode(&["agent", "show", "worker", "--json"]).ok().json()["status"],
        "stopped"
    );
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}
