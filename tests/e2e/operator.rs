//! What an operator does: start, look, add, stop, and ask again when nobody is there.

use serde_json::Value;
use worknode_tests::{
    program::{Done, command},
    running::Running,
    scene::Scene,
    wait::{until, wait_for},
};

/// Two agents on two tasks; each works until the file `go` is there. One of them is as hard to
/// stop as a shell can be: it ignores TERM, and so do its children.
pub(crate) const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "easy"
limits = { grace = "500ms" }
command = ["sh", "-c", """
echo hello from $WORKNODE_AGENT; echo oops >&2
while ! [ -e ../../../go ]; do sleep 0.1; done
echo done > $WORKNODE_TASK.txt && git add . && git commit -qm work; echo goodbye
"""]

[[agent]]
name = "hard"
limits = { grace = "500ms" }
command = ["sh", "-c", """
trap '' TERM INT HUP
sleep 1000 & sleep 1000 &
echo hello from $WORKNODE_AGENT
wait
"""]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "The first"
prompt = "Write one.txt"
files = ["one.txt"]
agent = "easy"
[[phase.task]]
id = "two"
title = "The second"
prompt = "Write two.txt"
files = ["two.txt"]
agent = "hard"
"#;

/// The team at work.
pub(crate) fn at_work() -> Scene {
    let scene = Scene::with_team(TEAM);
    scene
        .worknode(&["up", "-d"])
        .ok()
        .says(&["the daemon is up", "daemon.log"]);
    for task in ["one", "two"] {
        scene.wait_for_task(task, "in_progress");
    }
    for agent in ["easy", "hard"] {
        let hello = format!("hello from {agent}\n");
        wait_for("hello", || scene.worknode(&["logs", agent]).stdout == hello);
    }
    scene
}

/// The answer as text, which has all of this in it, and as JSON.
#[track_caller]
pub(crate) fn both(scene: &Scene, args: &[&str], words: &[&str]) -> Value {
    let text = scene.worknode(args).ok().says(words);
    assert!(
        !text.stdout.contains('\u{1b}'),
        "colours that nobody asked for: {text:#?}"
    );
    scene.worknode(&[args, &["--json"]].concat()).ok().json()
}

#[test]
fn p11_everything_can_be_looked_at_with_a_daemon_and_without() {
    let scene = at_work();
    scene
        .worknode(&["emit", "weather", "sky=blue", "text=a=b c"])
        .ok()
        .says(&["emitted weather"]);

    let look = |alive: bool| {
        let daemon = if alive { "(process " } else { "no daemon runs" };
        let status = both(&scene, &["status"], &["t  ", daemon, "tasks: ", "easy", "hard"]);
        assert_eq!(status["daemon"].is_object(), alive);
        assert_eq!(
            (&status["team"], &status["tasks"]["total"]),
            (&"t".into(), &2.into())
        );
        for args in [&["ps"][..], &["agent", "list"]] {
            let ps = both(&scene, args, &["AGENT", "easy", "hard"]);
            assert_eq!((&ps[0]["name"], &ps[1]["name"]), (&"easy".into(), &"hard".into()));
        }
        let easy = both(&scene, &["agent", "show", "eas"], &["easy"]);
        assert_eq!(easy["name"], "easy");
        assert_eq!(easy["run"]["evidence"] == "alive", alive, "{easy}");
        both(
            &scene,
            &["tree"],
            &["team t", "├─ agent easy", "phase only", "└─ task two"],
        );
        let tasks = both(&scene, &["task", "list"], &["TASK", "one", "two"]);
        assert_eq!(tasks.as_array().unwrap().len(), 2);
        let two = both(&scene, &["task", "show", "two"], &["The second", "status"]);
        assert_eq!(
            (&two["title"], &two["phase"]),
            (&"The second".into(), &"only".into())
        );
        assert_eq!(
            scene
                .worknode(&["task", "show", two["id"].as_str().unwrap(), "--json"])
                .ok()
                .json(),
            two
        );

        scene.worknode(&["events"]).ok().says(&[
            "node_created",
            "task_claimed",
            "weather",
            "sky=blue text=a=b c",
        ]);
        let events = scene.events();
        let stamp = events[events.len() - 3]["at"].as_str().unwrap();
        let since = scene.worknode(&["events", "--since", stamp, "--json"]).ok();
        assert_eq!(since.stdout.lines().count(), 2);
        let last = scene.worknode(&["events", "-n", "2", "--json"]).ok();
        assert_eq!(last.stdout, since.stdout);
        let claims = scene
            .worknode(&[
                "events",
                "--type",
                "task_claimed",
                "--type",
                "task_started",
                "--node",
                "one",
            ])
            .ok();
        assert_eq!(claims.stdout.lines().count(), 2, "{claims:#?}");
        assert!(
            scene
                .worknode(&["events", "--since", "2200-01-01T00:00:00Z"])
                .ok()
                .stdout
                .is_empty()
        );

        for name in ["easy", "one"] {
            scene.worknode(&["logs", name]).ok().says(&["hello from easy"]);
            assert_eq!(scene.worknode(&["logs", name, "--stderr"]).ok().stdout, "oops\n");
        }
        // What is not there is not there, however it is called.
        for what in ["nobody", "no such thing", "what?", "a/b", "50%", "ünï"] {
            for args in [
                &["task", "show", what][..],
                &["agent", "show", what],
                &["logs", what],
                &["events", "--node", what],
            ] {
                scene.worknode(args).fails(3).says(&[what]);
                scene
                    .worknode(&[args, &["--json"]].concat())
                    .fails(3)
                    .says(&["\"not_found\""]);
            }
        }
        scene.worknode(&["events", "--since", "yesterday"]).fails(2);
        scene.worknode(&["task", "show"]).fails(2);
        scene.worknode(&["audit", "verify"]).ok();
    };
    look(true);
    both(&scene, &["down"], &["have stopped"]);
    assert_eq!(scene.processes(), 0);
    look(false);
    scene.worknode(&["down"]).ok().says(&["no daemon was running"]);
    for args in [
        &["kill", "easy"][..],
        &["kill", "--all", "--dry-run"],
        &["task", "add", "Third"],
        &["task", "cancel", "one"],
        &["task", "retry", "one"],
        &["agent", "resume", "easy"],
        &["agent", "resume", "--all"],
        &["approve", "one"],
        &["reject", "one", "--reason", "no"],
        &["emit", "weather"],
        &["events", "-f"],
    ] {
        scene.worknode(args).fails(7).says(&["worknode up -d"]);
        scene
            .worknode(&[args, &["--json"]].concat())
            .fails(7)
            .says(&["\"unreachable\""]);
    }
}

#[test]
fn what_goes_on_can_be_followed() {
    let scene = at_work();
    let follow = |args: &[&str]| {
        let mut command = command(scene.path());
        command.args(args);
        Running::start(command)
    };
    let logs = follow(&["logs", "-f", "easy"]);
    let events = follow(&[
        "events",
        "-f",
        "--json",
        "--type",
        "task_completed",
        "--type",
        "weather",
    ]);
    let lines = follow(&["events", "-f", "-n", "1"]);
    logs.wait_for_output("hello from easy\n");
    lines.wait_for_output("\n");
    scene.worknode(&["emit", "weather", "sky=grey"]).ok();
    events.wait_for_output("\"sky\":\"grey\"");
    lines.wait_for_output("sky=grey");
    scene.write("go", "");
    // The end of the run is the end of its log, and the end of the daemon that of the events.
    let logs = logs.wait().ok();
    assert_eq!(logs.stdout, "hello from easy\ngoodbye\n");
    events.wait_for_output("\"task_completed\"");
    scene.worknode(&["down"]).ok();
    let events = events.wait();
    let kinds: Vec<Value> = events
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(kinds.len(), 2, "{events:#?}");
    lines.wait();
}

/// `worknode events -f | head -1` has an end.
#[test]
fn p8_a_reader_that_goes_away_ends_the_stream() {
    let scene = at_work();
    for stream in ["events -f", "events -f --json", "logs -f hard"] {
        let line = format!("\"$PROGRAM\" {stream} | head -n 1");
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", &line])
            .current_dir(scene.path())
            .env("PROGRAM", command(scene.path()).get_program());
        let shell = Running::start(shell);
        shell.wait_for_output("\n");
        if stream.starts_with("events") {
            // The stream learns it with the next word that it has to say.
            let mut shell = shell;
            until(stream, || {
                scene.worknode(&["emit", "more"]).ok();
                if shell.is_over() { Ok(()) } else { Err(()) }
            });
        } else {
            drop(shell);
        }
    }
}

#[test]
fn tasks_can_be_added_with_all_that_they_need() {
    let scene = at_work();
    let third = scene.worknode(&[
        "task",
        "add",
        "Write a third!",
        "--file",
        "*.txt",
        "--depends-on",
        "one",
        "--agent",
        "easy",
    ]);
    third.ok().says(&["write-a-third is pending"]);
    let mut piped = command(scene.path());
    let prompt = "long and \"quoted\"\n".repeat(70_000);
    scene.write(".worknode/prompt", &prompt);
    piped.args([
        "task",
        "add",
        "From a file",
        "--key",
        "piped",
        "--prompt",
        "-",
        "--priority",
        "-3",
        "--json",
    ]);
    piped.stdin(std::fs::File::open(scene.file(".worknode/prompt")).unwrap());
    let piped = Done::from(piped.output().unwrap()).ok().json();
    assert_eq!(
        (&piped["key"], &piped["title"]),
        (&"piped".into(), &"From a file".into())
    );
    let created = scene.wait_for_event("the task", |event| event["data"]["node"]["name"] == "piped");
    assert!(
        created
            .to_string()
            .contains(&serde_json::to_string(&prompt).unwrap()),
        "the prompt is not whole"
    );

    scene.write(".worknode/prompt", &"x".repeat(4 * 1024 * 1024 + 1));
    let mut longer = command(scene.path());
    longer.args(["task", "add", "Too long", "--prompt", "-"]);
    longer.stdin(std::fs::File::open(scene.file(".worknode/prompt")).unwrap());
    Done::from(longer.output().unwrap())
        .fails(2)
        .says(&["4194304 bytes"]);

    scene
        .worknode(&["task", "add", ""])
        .fails(2)
        .says(&["needs a title"]);
    scene
        .worknode(&["task", "add", "X", "--gate", "magic"])
        .fails(2)
        .says(&["magic"]);
    scene
        .worknode(&["task", "add", "X", "--depends-on", "ghost"])
        .fails(3)
        .says(&["ghost"]);
    scene
        .worknode(&["task", "add", "X", "--key", "piped"])
        .fails(5)
        .says(&["already exists"]);
    assert_eq!(
        scene
            .worknode(&["task", "list", "--json"])
            .ok()
            .json()
            .as_array()
            .unwrap()
            .len(),
        4
    );

    scene.write("go", "");
    scene.wait_for_task("write-a-third", "completed");
    scene
        .worknode(&["task", "cancel", "piped", "--reason", "not now"])
        .ok()
        .says(&["cancelled"]);
    scene.worknode(&["task", "retry", "piped"]).ok();
}
