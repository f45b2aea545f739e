//! Triggers that start and stop agents, through the real program: the agent that a trigger brings
//! with it, its limits, what happens when the last one is still at it, and when its provider gives
//! nothing more.

use serde_json::Value;
use worknode_process::find_marked;
use worknode_tests::{
    scene::{Resumes, Scene},
    wait::{until, wait_for},
};

/// Reads its brief aloud and waits until it is let go.
const WATCHER: &str = "tier = \"executive\"\ndriver = \"waits\"\nlimits = { grace = \"1s\" }\n";
const WAITS: &str = r#"command = ["sh", "-c", "cat $WORKNODE_BRIEF; until test -e ../../../let-go; do sleep 0.02; done"]
"#;

fn up(config: &str) -> Scene {
    let scene = Scene::new();
    scene.write("agent-profiles/watcher.toml", WATCHER);
    scene.write("agent-profiles/drivers/waits.toml", WAITS);
    let scene = scene.and_team(&format!("[team]\nname = \"t\"\n\n{config}"));
    scene.worknode(&["up", "-d"]).ok();
    scene
}

fn down(scene: &Scene) {
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

fn of<'a>(trigger: &'a str, kind: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| event["type"] == kind && event["data"]["trigger"] == trigger
}

/// What is told of a trigger's firings so far, in order.
fn told(scene: &Scene, trigger: &str, kind: &str) -> Vec<Value> {
    let events = scene.events().into_iter();
    let events = events.filter(|event| of(trigger, kind)(event));
    events.map(|event| event["data"].clone()).collect()
}

/// The runs that a trigger has started, once there are so many.
fn runs(scene: &Scene, trigger: &str, count: usize) -> Vec<String> {
    until(trigger, || {
        let acted = told(scene, trigger, "trigger_acted");
        let started = acted.iter().filter_map(|data| data["started"]["run"].as_str());
        let started: Vec<String> = started.map(str::to_owned).collect();
        if started.len() == count {
            Ok(started)
        } else {
            Err(acted)
        }
    })
}

fn receipt(scene: &Scene, run: &str) -> Value {
    let ended = scene.wait_for_event("the end of the run", |event| {
        event["type"] == "run_exited" && event["data"]["run"] == run
    });
    ended["data"]["receipt"].clone()
}

/// Waits until the run's program is at work.
fn at_work(scene: &Scene, run: &str) {
    let log = scene.file(&format!(".worknode/runs/{run}/stdout.log"));
    wait_for("the program", || {
        std::fs::metadata(&log).is_ok_and(|log| log.len() > 0)
    });
}

#[test]
fn p8_a_trigger_makes_an_agent_of_a_profile_which_has_its_words_and_its_time() {
    let scene = up(r#"
[[trigger]]
name = "look"
event = "go"
[trigger.spawn]
profile = "watcher"
prompt = "Look at {{event.data.part}}, because of {{trigger.name}}."
max_duration = "1s"
budget = { tokens = 1_234, usd = 0.5 }
"#);
    scene.worknode(&["emit", "go", "part=the roof; {{now}}"]).ok();
    let run = runs(&scene, "look", 1).remove(0);
    let queued = scene.wait_for_event("the run", |event| {
        event["type"] == "run_queued" && event["data"]["run"]["id"] == *run
    });
    let limits = &queued["data"]["run"]["limits"];
    assert_eq!(
        (&limits["tokens"], &limits["usd"]),
        (&1_234.into(), &500_000.into())
    );
    assert_eq!(limits["time"]["secs"], 1, "{limits}");
    at_work(&scene, &run);
    let brief = scene.read(&format!(".worknode/runs/{run}/brief.md"));
    assert!(
        brief.contains("Look at the roof; {{now}}, because of look."),
        "what somebody said is put in, and not read again: {brief}"
    );
    // It would go on for ever.
    let receipt = receipt(&scene, &run);
    assert_eq!(receipt["cause"]["cause"], "time_limit", "{receipt}");
    assert_eq!(find_marked("WORKNODE_RUN", &run).len(), 0);
    let ended = scene.wait_for_event("the end of the firing", of("look", "trigger_ended"));
    assert_eq!(ended["data"]["failed"], true, "{ended}");
    let agents = scene.worknode(&["ps", "--json"]).ok().json();
    let names: Vec<_> = agents
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| &agent["name"])
        .collect();
    assert_eq!(names, ["trigger-look"]);
    down(&scene);
}

/// A client that says what it uses, and goes on for ever.
const SPENDS: &str = r#"
echo '{"type":"system","subtype":"init","session_id":"'"$1"'","model":"m"}'
i=0
while :; do
    i=$((i + 1))
    echo '{"type":"assistant","message":{"id":"m'$i'","role":"assistant","model":"m","content":[{"type":"text","text":"on"}],"usage":{"input_tokens":400,"output_tokens":1}},"session_id":"s"}'
    sleep 0.1
done
"#;

fn client(scene: &Scene, script: &str) {
    scene.scripted_client(script, Resumes::Never);
    scene.write(
        "agent-profiles/client.toml",
        "tier = \"executive\"\ndriver = \"scripted\"\nlimits = { grace = \"1s\" }\nrestart = { kind = \"temporary\" }\n",
    );
}

#[test]
fn p8_what_a_trigger_starts_uses_no_more_than_its_budget() {
    let scene = Scene::new();
    client(&scene, SPENDS);
    let scene = scene.and_team(
        r#"
[team]
name = "t"
[[trigger]]
name = "spend"
event = "go"
spawn = { profile = "client", prompt = "Think.", budget = { tokens = 1_000 } }
"#,
    );
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "go"]).ok();
    let run = runs(&scene, "spend", 1).remove(0);
    let receipt = receipt(&scene, &run);
    assert_eq!(receipt["cause"]["cause"], "tokens_limit", "{receipt}");
    let used = receipt["usage"]["input_tokens"].as_u64().unwrap();
    assert!((1_000..2_000).contains(&used), "{receipt}");
    scene.wait_for_event("the end of the firing", of("spend", "trigger_ended"));
    down(&scene);
}

#[test]
fn p4_with_auto_terminate_the_run_ends_with_its_task_although_its_program_goes_on() {
    let scene = Scene::new();
    scene.write(
        "agent-profiles/writer.toml",
        "tier = \"implementation\"\ndriver = \"writes\"\nlimits = { grace = \"1s\" }\n",
    );
    scene.write(
        "agent-profiles/drivers/writes.toml",
        "command = [\"sh\", \"-c\", \"echo done > note.txt && git add . && git commit -qm Note && worknode task submit && sleep 1000 & wait; sleep 1000\"]\n",
    );
    let scene = scene.and_team(
        r#"
[team]
name = "t"
[[trigger]]
name = "note"
event = "go"
[trigger.spawn]
profile = "writer"
auto_terminate = true
task = { title = "Note {{event.data.what}}", prompt = "Write it down.", files = ["note.txt"], gates = ["plan"] }
"#,
    );
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "go", "what=this"]).ok();
    let ended = scene.wait_for_event("the end of the firing", of("note", "trigger_ended"));
    assert_eq!(
        (&ended["data"]["outcome"], &ended["data"]["failed"]),
        (&"its task is completed".into(), &Value::Null)
    );
    assert_eq!(scene.git(&["show", "main:note.txt"]), "done");
    let run = scene.wait_for_event("the run", |event| event["type"] == "run_exited");
    let receipt = &run["data"]["receipt"];
    assert_eq!(receipt["cause"]["reason"], "its task is handed in", "{receipt}");
    assert_eq!(receipt["survivors"], 0);
    let run = run["data"]["run"].as_str().unwrap();
    assert_eq!(find_marked("WORKNODE_RUN", run).len(), 0);
    let tasks = scene.worknode(&["task", "list", "--json"]).ok().json();
    assert_eq!(tasks[0]["title"], "Note this", "{tasks}");
    down(&scene);
}

/// Three that live until they are ended. One of them does not listen, and has a child.
const CROWD: &str = r#"
[[agent]]
name = "temp-meek"
profile = "watcher"
start = "launch"
[[agent]]
name = "temp-stubborn"
profile = "executive"
driver = "command"
command = ["sh", "-c", "trap '' TERM; echo on; sh -c 'trap \"\" TERM; sleep 1000; :' & sleep 1000; :"]
[[agent]]
name = "stays"
profile = "watcher"
start = "launch"

[[trigger]]
name = "tidy"
event = "go"
[trigger.terminate]
agents = "temp-*"
where = "agent.run != '' && agent.profile != 'nothing'"
reason = "{{event.data.why}}"
grace = "300ms"
"#;

#[test]
fn p4_p8_a_trigger_stops_whom_it_means_with_its_reason_and_grace_and_they_are_gone() {
    let scene = up(CROWD);
    let run_of = |agent: &str| {
        until(agent, || {
            let seen = scene.worknode(&["agent", "show", agent, "--json"]).ok().json();
            let run = seen["run"]["id"].as_str().filter(|_| seen["run"]["pid"].is_u64());
            run.map(str::to_owned).ok_or(seen)
        })
    };
    let [meek, stubborn, stays] = ["temp-meek", "temp-stubborn", "stays"].map(run_of);
    for run in [&meek, &stubborn, &stays] {
        at_work(&scene, run);
    }
    scene.worknode(&["emit", "go", "why=nobody needs them"]).ok();
    let acted = scene.wait_for_event("the stop", of("tidy", "trigger_acted"))["data"].clone();
    let outcome = acted["outcome"].as_str().unwrap();
    assert!(
        outcome.starts_with("stopped ") && outcome.contains("temp-meek") && outcome.contains("temp-stubborn"),
        "{acted}"
    );
    // Who is told that they are stopped finds nothing of them, at once.
    for run in [&meek, &stubborn] {
        assert_eq!(find_marked("WORKNODE_RUN", run).len(), 0);
        let receipt = receipt(&scene, run);
        assert_eq!(receipt["cause"]["reason"], "nobody needs them", "{receipt}");
        assert_eq!(receipt["survivors"], 0);
    }
    assert_eq!(receipt(&scene, &stubborn)["kill_sent"], true);
    assert!(!find_marked("WORKNODE_RUN", &stays).is_empty());
    let by = scene.wait_for_event("who stopped it", |event| event["type"] == "agent_stop_requested");
    assert_eq!(by["by"]["name"], "tidy", "{by}");
    // Nobody is left whom it means.
    scene.worknode(&["trigger", "fire", "tidy"]).ok();
    wait_for("the second look", || {
        let acted = told(&scene, "tidy", "trigger_acted");
        acted
            .get(1)
            .is_some_and(|data| data["outcome"] == "no agent matched")
    });
    down(&scene);
}

/// One agent for each way to deal with an earlier firing that is not over.
fn overlaps() -> String {
    let trigger = |overlap: &str| {
        format!(
            "[[trigger]]\nname = \"{overlap}\"\nevent = \"go\"\noverlap = \"{overlap}\"\n\
             spawn = {{ profile = \"watcher\", prompt = \"{{{{event.data.round}}}}\" }}\n"
        )
    };
    ["forbid", "queue", "replace"].map(trigger).concat()
}

#[test]
fn p6_p8_one_that_is_due_while_the_last_is_at_it_is_skipped_waits_or_takes_its_place() {
    let scene = up(&overlaps());
    scene.worknode(&["emit", "go", "round=first"]).ok();
    let [forbid, queue, replace] = ["forbid", "queue", "replace"].map(|name| {
        let run = runs(&scene, name, 1).remove(0);
        at_work(&scene, &run);
        run
    });

    scene.worknode(&["emit", "go", "round=second"]).ok();
    // In place of the first there is the second, begun when nothing was left of the first.
    let second = runs(&scene, "replace", 2).remove(1);
    at_work(&scene, &second);
    let receipt_of_first = receipt(&scene, &replace);
    let reason = receipt_of_first["cause"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("replaced by replace@"), "{receipt_of_first}");
    assert_eq!(find_marked("WORKNODE_RUN", &replace).len(), 0);
    let events = scene.events();
    let place = |kind: &str, run: &str| {
        let is_so = |event: &Value| {
            event["type"] == kind && event["data"].to_string().contains(&format!("\"{run}\""))
        };
        events.iter().position(is_so)
    };
    assert!(
        place("run_exited", &replace).unwrap() < place("run_started", &second).unwrap(),
        "one after the other"
    );
    // The others are at their first still.
    wait_for("what is skipped", || {
        told(&scene, "forbid", "trigger_skipped").len() == 1
    });
    let skipped = told(&scene, "forbid", "trigger_skipped").remove(0);
    assert_eq!(
        skipped["reason"], "the last firing was still running",
        "{skipped}"
    );
    let shown = scene
        .worknode(&["trigger", "show", "queue", "--json"])
        .ok()
        .json();
    assert!(shown["queued"].is_string(), "{shown}");
    scene.worknode(&["emit", "go", "round=third"]).ok();
    wait_for("what is one too many", || {
        told(&scene, "queue", "trigger_skipped").len() == 1
    });
    let skipped = told(&scene, "queue", "trigger_skipped").remove(0);
    assert!(
        skipped["reason"].as_str().unwrap().contains("another one waits"),
        "{skipped}"
    );
    for run in [&forbid, &queue] {
        assert!(!find_marked("WORKNODE_RUN", run).is_empty());
    }

    // Also the next daemon knows who waits.
    scene.worknode(&["down", "--keep-agents"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    scene.write("let-go", "");
    let waited = runs(&scene, "queue", 2).remove(1);
    receipt(&scene, &waited);
    let brief = scene.read(&format!(".worknode/runs/{waited}/brief.md"));
    assert!(brief.contains("second"), "{brief}");
    for (name, fired) in [("forbid", 1), ("queue", 2), ("replace", 3)] {
        assert_eq!(told(&scene, name, "trigger_fired").len(), fired, "{name}");
    }
    down(&scene);
}

/// A provider that says no, and when it will give again; then it gives.
const NO_QUOTA: &str = r#"
echo '{"type":"system","subtype":"init","session_id":"'"$1"'","model":"m"}'
if ! [ -e ../../../given ]; then
    until=$(($(date +%s) + 3))
    echo '{"type":"result","subtype":"success","is_error":true,"terminal_reason":"api_error","api_error_status":429,"result":"Claude AI usage limit reached|'"$until"'","session_id":"s","total_cost_usd":0,"usage":{"input_tokens":0,"output_tokens":0}}'
    exit 1
fi
echo '{"type":"assistant","message":{"id":"m1","role":"assistant","model":"m","content":[{"type":"text","text":"on"}],"usage":{"input_tokens":1,"output_tokens":1}},"session_id":"s"}'
echo '{"type":"result","subtype":"success","is_error":false,"terminal_reason":"completed","result":"done","num_turns":1,"session_id":"s","total_cost_usd":0.01,"usage":{"input_tokens":1,"output_tokens":1}}'
"#;

#[test]
fn p6_p8_a_firing_waits_for_the_provider_or_is_skipped_as_its_trigger_says() {
    let scene = Scene::new();
    client(&scene, NO_QUOTA);
    let scene = scene.and_team(
        r#"
[team]
name = "t"
[[trigger]]
name = "first"
event = "begin"
spawn = { profile = "client", prompt = "Ask." }
[[trigger]]
name = "waits"
event = "go"
spawn = { profile = "client", prompt = "Ask again." }
[[trigger]]
name = "waits-too"
event = "go"
spawn = { profile = "client", prompt = "Ask again." }
[[trigger]]
name = "skips"
event = "go"
on_quota = "skip"
spawn = { profile = "client", prompt = "Ask again." }
"#,
    );
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "begin"]).ok();
    let paused = scene.wait_for_event("the pause", |event| event["type"] == "pool_paused");
    scene.write("given", "");
    scene.worknode(&["emit", "go"]).ok();
    let skipped = scene.wait_for_event("the one that is skipped", of("skips", "trigger_skipped"));
    assert_eq!(skipped["data"]["reason"], "the provider gave nothing more");
    let events = scene.events();
    let place = |kind: &str| events.iter().position(|event| of("waits", kind)(event));
    assert!(place("trigger_fired").is_some(), "it is accepted");
    let run = runs(&scene, "waits", 1).remove(0);
    let ended = receipt(&scene, &run);
    assert_eq!(ended["ending"]["code"], 0, "{ended}");
    let acted = scene.wait_for_event("its start", of("waits", "trigger_acted"));
    let until = paused["data"]["until"].as_str().unwrap();
    assert!(
        acted["at"].as_str().unwrap() >= until,
        "and acts when there may be something again: {acted} {paused}"
    );
    // One of the two alone has tried whether it is over; the other one has not failed by that.
    let other = runs(&scene, "waits-too", 1).remove(0);
    assert_eq!(receipt(&scene, &other)["ending"]["code"], 0);
    for name in ["waits", "waits-too"] {
        assert_eq!(told(&scene, name, "trigger_fired").len(), 1, "{name}");
    }
    down(&scene);
}

#[test]
fn p8_in_a_panic_nothing_fires_and_afterwards_each_goes_on_as_it_says() {
    let scene = up(r#"
[[trigger]]
name = "tick"
cron = "* * * * * *"
spawn = { profile = "watcher", prompt = "Look." }
[[trigger]]
name = "owes"
event = "go"
on_panic = "wait"
spawn = { profile = "watcher", prompt = "Look." }
"#);
    runs(&scene, "tick", 1);
    scene.worknode(&["panic", "--reason", "test"]).ok();
    assert_eq!(scene.processes(), 0);
    let started = scene.count("run_started");
    let skipped = scene.wait_for_event("what the panic skips", |event| {
        of("tick", "trigger_skipped")(event) && event["data"]["reason"] == "a panic blocks all triggers"
    });
    // What people do is blocked as well, and says so.
    scene
        .worknode(&["trigger", "fire", "tick"])
        .fails(4)
        .says(&["a panic blocks"]);
    scene.worknode(&["emit", "go"]).ok();
    scene.wait_for_event("what waits", of("owes", "trigger_fired"));
    assert_eq!(scene.count("run_started"), started, "nothing starts");
    assert_eq!(scene.processes(), 0);
    let shown = scene.worknode(&["trigger", "show", "owes", "--json"]).ok().json();
    assert!(shown["queued"].is_string(), "{shown}");
    // Through a restart, too; and what was owed is done when it is over.
    scene.worknode(&["down"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    assert_eq!(told(&scene, "owes", "trigger_acted"), Vec::<Value>::new());
    scene.worknode(&["unpanic"]).ok();
    runs(&scene, "owes", 1);
    // Nothing that was skipped is made up for: each second is told once.
    runs(&scene, "tick", 2);
    let mut dues: Vec<String> = [
        told(&scene, "tick", "trigger_fired"),
        told(&scene, "tick", "trigger_skipped"),
    ]
    .concat()
    .iter()
    .map(|data| data["due"].to_string())
    .collect();
    let all = dues.len();
    dues.sort();
    dues.dedup();
    assert_eq!(dues.len(), all);
    assert!(dues.contains(&skipped["data"]["due"].to_string()));
    down(&scene);
}
