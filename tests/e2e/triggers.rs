//! Triggers for people, through the real program: with a daemon, and without one.

use serde_json::Value;
use worknode_tests::{scene::Scene, wait::until};

const TEAM: &str = r#"
[team]
name = "verbs"

[[agent]]
name = "lead"
profile = "executive"
command = ["true"]
start = "trigger"

[[trigger]]
name = "nightly"
cron = "30 2 * * *"
timezone = "Europe/Berlin"
notify = { to = "operator", message = "night" }

[[trigger]]
name = "every-hour"
every = "1h"
emit = { event = "hour" }

[[trigger]]
name = "on-hour"
event = "hour"
notify = "operator"

[[trigger]]
name = "ladder"
deadline = { of = "task:*", steps = [{ at = "10m", notify = "executive" }] }

[[trigger]]
name = "switched-off"
every = "1h"
enabled = false
notify = "operator"

[[phase]]
name = "all"
[[phase.task]]
id = "late"
title = "Late"
prompt = "Write it."
files = ["late.txt"]
deadline = "2126-03-29T01:30:00Z"
"#;

const ADDED: &str = r#"# Why: somebody asked for it.
[[trigger]]
name = "added"
cron = "0 9 * * MON"
notify = "operator"
"#;

fn strings<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    let items = value.as_array().unwrap();
    items.iter().map(|item| item[key].as_str().unwrap()).collect()
}

fn listed(scene: &Scene) -> Value {
    scene.worknode(&["trigger", "list", "--json"]).ok().json()
}

fn one(scene: &Scene, name: &str) -> Value {
    scene.worknode(&["trigger", "show", name, "--json"]).ok().json()
}

#[test]
fn next_needs_no_daemon_and_knows_the_turns_of_the_clock() {
    let scene = Scene::with_team(TEAM);
    let from = ["--from", "2026-03-28T00:00:00Z", "-n", "3", "--json"];
    let next = |args: &[&str]| {
        let all: Vec<&str> = ["trigger", "next"]
            .iter()
            .chain(args)
            .chain(&from)
            .copied()
            .collect();
        scene.worknode(&all).ok().json()
    };
    let nightly = next(&["nightly"]);
    let times = [
        "2026-03-28T01:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-30T00:30:00Z",
    ];
    assert_eq!(strings(&nightly["next"], "at"), times);
    assert_eq!(nightly["next"][1]["local"], "2026-03-29T03:00:00+02:00");
    let alone = next(&["--cron", "30 2 * * *", "--timezone", "Europe/Berlin"]);
    assert_eq!(strings(&alone["next"], "at"), times);
    let all = next(&[]);
    assert_eq!(
        strings(&all["next"], "trigger"),
        ["every-hour", "nightly", "every-hour"]
    );
    assert!(all["notes"].to_string().contains("on-hour: acts on events"));
    let ladder = next(&["ladder"]);
    assert_eq!(ladder["next"][0]["at"], "2126-03-29T01:20:00Z");
    assert_eq!(
        (&ladder["next"][0]["task"], &ladder["next"][0]["step"]),
        (&"late".into(), &"10m".into())
    );
    assert!(!scene.file(".worknode").exists(), "to look makes nothing");
}

#[test]
fn explain_tells_in_words_what_was_written() {
    let scene = Scene::with_team(TEAM);
    scene
        .worknode(&["trigger", "explain", "nightly", "--from", "2026-03-28T00:00:00Z"])
        .ok()
        .says(&[
            "At 02:30, in the zone Europe/Berlin.",
            "On 2026-03-29 the clock goes forward from 02:00 to 03:00: 02:30 is not shown that day",
            "Then: notify.",
        ]);
    let words = [
        "trigger",
        "explain",
        "--cron",
        "0 9 * * MON-FRI",
        "--timezone",
        "Asia/Kolkata",
        "--json",
    ];
    let explained = scene.worknode(&words).ok().json();
    assert_eq!(
        (&explained["kind"], &explained["timezone"]),
        (&"cron".into(), &"Asia/Kolkata".into())
    );
    assert!(
        !explained["text"].as_str().unwrap().contains("Then:"),
        "a schedule does nothing"
    );
}

#[test]
fn mistakes_in_what_is_asked_are_told_with_what_to_do() {
    let scene = Scene::with_team(TEAM);
    scene
        .worknode(&["trigger", "next", "--cron", "0 0 30 2 *"])
        .fails(2)
        .says(&["never fires", "hint:"]);
    scene
        .worknode(&[
            "trigger",
            "next",
            "--cron",
            "0 9 * * *",
            "--timezone",
            "Europe/Berln",
        ])
        .fails(2)
        .says(&["Berln"]);
    scene
        .worknode(&["trigger", "next", "nightli"])
        .fails(3)
        .says(&["did you mean `nightly`?"]);
    scene.worknode(&["trigger", "explain"]).fails(2).says(&["--cron"]);
    scene
        .worknode(&["trigger", "fire", "nightly"])
        .fails(7)
        .says(&["worknode up -d"]);
    let (from, to) = ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z");
    scene
        .worknode(&["trigger", "simulate", "--from", from, "--to", to])
        .fails(2)
        .says(&["no length"]);
    scene
        .worknode(&["trigger", "add", "nowhere.toml"])
        .fails(3)
        .says(&["nowhere.toml"]);
}

#[test]
fn a_year_is_simulated_on_the_real_rules() {
    let scene = Scene::with_team(TEAM);
    let span = ["--from", "2026-01-01T00:00:00Z", "--to", "2027-01-01T00:00:00Z"];
    let args: Vec<&str> = ["trigger", "simulate", "nightly", "every-hour", "--json"]
        .iter()
        .chain(&span)
        .copied()
        .collect();
    let year = scene.worknode(&args).ok().json();
    assert_eq!(
        (&year["fired"], &year["cut"]),
        (&(365 + 8_760).into(), &false.into())
    );
    assert_eq!(year["occurrences"].as_array().unwrap().len(), 1_000);
    assert_eq!(
        year["occurrences"][0]["occurrence"],
        "every-hour@2026-01-01T01:00:00.000Z"
    );
    let tally = &year["triggers"][1];
    assert_eq!(
        (&tally["trigger"], &tally["fired"]),
        (&"nightly".into(), &365.into())
    );
    let text: Vec<&str> = ["trigger", "simulate", "-n", "1"]
        .iter()
        .chain(&span)
        .copied()
        .collect();
    scene
        .worknode(&text)
        .ok()
        .says(&["would fire", "… and", "acts on events"]);
}

#[test]
fn what_is_listed_without_a_daemon_is_what_is_stored() {
    let scene = Scene::with_team(TEAM);
    let list = listed(&scene);
    let names = ["every-hour", "ladder", "nightly", "on-hour", "switched-off"];
    assert_eq!(strings(&list["triggers"], "name"), names);
    assert_eq!(list["triggers"][4]["status"], "off");
    assert_eq!(list["triggers"][2]["place"], "worknode.toml:11");
    scene.worknode(&["trigger", "list"]).ok().says(&[
        "nightly",
        "At 02:30, Europe/Berlin: notify",
        "worknode.toml:11",
    ]);
    assert_eq!(
        one(&scene, "nightly")["text"]
            .as_str()
            .unwrap()
            .lines()
            .next()
            .unwrap(),
        "At 02:30, in the zone Europe/Berlin."
    );
}

#[test]
fn firing_by_hand_is_marked_and_shown() {
    let scene = Scene::with_team(TEAM);
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    let fired = scene
        .worknode(&["trigger", "fire", "nightly", "--json"])
        .ok()
        .json();
    assert_eq!(fired["trigger"], "nightly");
    let run = until("the firing", || {
        let runs = scene
            .worknode(&["trigger", "runs", "nightly", "--json"])
            .ok()
            .json();
        let done = |run: &&Value| run["status"] == "fired" && run["by_hand"].is_string();
        let found = runs["runs"].as_array().unwrap().iter().find(done).cloned();
        found.ok_or(runs)
    });
    assert_eq!(
        (&run["by_hand"], &run["outcome"]),
        (&"operator".into(), &"notified operator".into())
    );
    assert_eq!(run["occurrence"], fired["occurrence"]);
    let seen = one(&scene, "nightly");
    assert_eq!(seen["last"]["occurrence"], fired["occurrence"]);
    assert_eq!(seen["fired"], 0, "by hand does not count");
    scene
        .worknode(&["trigger", "runs"])
        .ok()
        .says(&["nightly", "by hand (operator)"]);
    scene.worknode(&["trigger", "fire", "nightli"]).fails(3);
    // What the daemon knew is stored.
    scene.worknode(&["down"]).ok();
    assert_eq!(daemon.wait().code, Some(0));
    assert_eq!(one(&scene, "nightly")["last"]["occurrence"], fired["occurrence"]);
}

#[test]
fn listing_never_changes_anything() {
    let scene = Scene::with_team(TEAM);
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    // Once all triggers are watched, nothing more is to come.
    until("all are watched", || {
        let names = listed(&scene);
        if names["triggers"].as_array().unwrap().len() == 5 {
            Ok(())
        } else {
            Err(names)
        }
    });
    let before = scene.events();
    for verb in [
        &["list"][..],
        &["next"],
        &["show", "nightly"],
        &["runs"],
        &["simulate"],
        &["explain", "ladder"],
    ] {
        let args: Vec<&str> = ["trigger"].iter().chain(verb).copied().collect();
        scene.worknode(&args).ok();
    }
    for path in [
        "/triggers",
        "/triggers/next",
        "/triggers/nightly/next?n=2",
        "/triggers/nightly/explain",
        "/triggers/runs",
    ] {
        let answer = scene.http(&format!("/api/v1{path}"));
        assert!(answer["code"].is_null(), "{path}: {answer}");
    }
    assert_eq!(scene.events(), before);
}

#[test]
fn a_pause_lasts_through_a_restart() {
    let scene = Scene::with_team(TEAM);
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    let paused = scene
        .worknode(&["trigger", "pause", "every-hour", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&paused["status"], &paused["paused"]["what"]),
        (&"paused".into(), &"operator".into())
    );
    assert!(paused["next"].is_null(), "nothing of it is to come");
    scene.worknode(&["trigger", "pause", "every-hour"]).ok();
    daemon.kill();
    assert_eq!(one(&scene, "every-hour")["status"], "paused");
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    assert_eq!(one(&scene, "every-hour")["status"], "paused");
    let resumed = scene
        .worknode(&["trigger", "resume", "every-hour", "--json"])
        .ok()
        .json();
    assert_eq!(resumed["status"], "active");
    assert!(resumed["next"].is_string());
}

#[test]
fn triggers_are_added_and_removed_while_the_daemon_runs() {
    let scene = Scene::with_team(TEAM);
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    scene.write("new.toml", ADDED);
    let file = scene.file("new.toml").display().to_string();
    scene
        .worknode(&["trigger", "add", &file, "--dry-run"])
        .ok()
        .says(&["would add added"]);
    let added = scene.worknode(&["trigger", "add", &file, "--json"]).ok().json();
    assert_eq!(
        (&added["added"][0], &added["files"][0]),
        (&"added".into(), &".worknode/triggers/added.toml".into())
    );
    // At once, and not when the watch sees it.
    let seen = one(&scene, "added");
    assert_eq!(seen["place"], ".worknode/triggers/added.toml:2");
    assert!(seen["next"].is_string());
    assert_eq!(scene.read(".worknode/triggers/added.toml"), ADDED);
    scene
        .worknode(&["trigger", "add", &file])
        .fails(2)
        .says(&["there is another trigger `added`", "nothing was added"]);
    scene
        .worknode(&["trigger", "remove", "nightly"])
        .fails(4)
        .says(&["stands in worknode.toml:11", "hint:"]);
    scene.worknode(&["trigger", "remove", "added", "--dry-run"]).ok();
    scene.worknode(&["trigger", "remove", "added"]).ok();
    scene.worknode(&["trigger", "show", "added"]).fails(3);
    assert!(!scene.file(".worknode/triggers/added.toml").exists());
    assert!(scene.count("config_reloaded") >= 2);
}

#[test]
fn what_is_added_without_a_daemon_is_there_when_one_starts() {
    let scene = Scene::with_team(TEAM);
    scene.write("new.toml", ADDED);
    let file = scene.file("new.toml").display().to_string();
    scene
        .worknode(&["trigger", "add", &file])
        .ok()
        .says(&["added added, in .worknode/triggers/added.toml"]);
    scene.worknode(&["check"]).ok().says(&["6 triggers"]);
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    assert_eq!(one(&scene, "added")["status"], "active");
}

#[test]
fn a_trigger_that_is_added_brings_its_agent_with_it() {
    let scene = Scene::with_team(&format!(
        "{TEAM}\n[[agent]]\nname = \"helper\"\nprofile = \"executive\"\ncommand = [\"true\"]\nstart = \"trigger\"\n"
    ));
    scene.write(
        "agent-profiles/watcher.toml",
        "tier = \"executive\"\ndriver = \"echoes\"\n",
    );
    scene.write(
        "agent-profiles/drivers/echoes.toml",
        "command = [\"sh\", \"-c\", \"echo seen\"]\n",
    );
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    scene.write("new.toml", "[[trigger]]\nname = \"look\"\ncron = \"0 9 * * MON\"\nspawn = { profile = \"watcher\", prompt = \"Look.\" }\n");
    let file = scene.file("new.toml").display().to_string();
    scene.worknode(&["trigger", "add", &file]).ok();
    scene.worknode(&["trigger", "fire", "look"]).ok();
    let run = until("the run of the firing", || {
        let runs = scene.worknode(&["trigger", "runs", "look", "--json"]).ok().json();
        let run = runs["runs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|run| run["run"].is_string())
            .cloned();
        run.ok_or(runs)
    });
    assert_eq!(run["agent"], "trigger-look");
    // It goes with its trigger, once it is idle.
    scene.worknode(&["trigger", "remove", "look"]).ok();
    let spawn = ["spawn", "trigger-look", "--prompt", "Look again."];
    until("its leave", || {
        let done = scene.worknode(&spawn);
        if done.code == Some(3) { Ok(()) } else { Err(done) }
    });
}
