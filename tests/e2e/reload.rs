//! The configuration of a daemon that runs, read anew: by a command, by a signal, by a change of its
//! files.

use serde_json::Value;
use worknode_tests::{running::Running, scene::Scene, wait::until};

const TEAM: &str = r#"
[team]
name = "reload"

[[trigger]]
name = "stays"
every = "1s"
notify = { to = "operator", message = "still here" }

[[trigger]]
name = "nightly"
cron = "30 2 * * *"
notify = "operator"
"#;

const NEW: &str = "\n[[trigger]]\nname = \"new\"\nevery = \"1h\"\nnotify = \"operator\"\n";

fn up() -> (Scene, Running) {
    let scene = Scene::with_team(TEAM);
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    (scene, daemon)
}

/// Writes the configuration as editors do: beside it, and then in its place.
fn write(scene: &Scene, config: &str) {
    scene.write("worknode.toml.new", config);
    std::fs::rename(scene.file("worknode.toml.new"), scene.file("worknode.toml")).unwrap();
}

fn names(scene: &Scene) -> Vec<String> {
    let list = scene.worknode(&["trigger", "list", "--json"]).ok().json();
    let triggers = list["triggers"].as_array().unwrap();
    triggers
        .iter()
        .map(|trigger| trigger["name"].as_str().unwrap().to_owned())
        .collect()
}

fn wait_for_names(scene: &Scene, wanted: &[&str]) {
    until("the triggers", || {
        let names = names(scene);
        if names == wanted { Ok(()) } else { Err(names) }
    });
}

/// What the status says of the configuration.
fn wait_for_refusal(scene: &Scene) -> Value {
    until("the refusal", || {
        let status = scene.worknode(&["status", "--json"]).ok().json();
        let mistakes = status["config"]["mistakes"]
            .as_array()
            .is_some_and(|mistakes| !mistakes.is_empty());
        if mistakes {
            Ok(status["config"].clone())
        } else {
            Err(status)
        }
    })
}

fn since(scene: &Scene, name: &str) -> Value {
    let shown = scene.worknode(&["trigger", "show", name, "--json"]).ok().json();
    shown["fired"].clone()
}

#[test]
fn a_change_of_the_file_is_taken_up() {
    let (scene, _daemon) = up();
    scene.wait_for_event("a firing", |event| event["type"] == "trigger_fired");
    let before = since(&scene, "stays").as_u64().unwrap();
    assert!(before > 0);
    write(&scene, &format!("{TEAM}{NEW}"));
    wait_for_names(&scene, &["new", "nightly", "stays"]);
    assert!(since(&scene, "stays").as_u64().unwrap() >= before, "it remembers");
    let told = scene.wait_for_event("the event", |event| event["type"] == "config_reloaded");
    assert_eq!(told["data"]["added"][0], "new");
    write(&scene, TEAM);
    wait_for_names(&scene, &["nightly", "stays"]);
}

#[test]
fn a_file_of_its_own_is_taken_up_when_somebody_puts_it_there() {
    let (scene, _daemon) = up();
    scene.write(".worknode/triggers/own.toml", NEW);
    wait_for_names(&scene, &["new", "nightly", "stays"]);
    scene
        .worknode(&["trigger", "list"])
        .ok()
        .says(&[".worknode/triggers/own.toml:2", "worknode.toml:5"]);
    std::fs::remove_file(scene.file(".worknode/triggers/own.toml")).unwrap();
    wait_for_names(&scene, &["nightly", "stays"]);
}

#[test]
fn a_signal_makes_it_read_anew() {
    let (scene, daemon) = up();
    write(&scene, &format!("{TEAM}{NEW}"));
    daemon.signal("HUP");
    wait_for_names(&scene, &["new", "nightly", "stays"]);
    write(&scene, &TEAM.replace("30 2 * * *", "30 25 * * *"));
    daemon.signal("HUP");
    let refused = wait_for_refusal(&scene);
    assert_eq!(refused["kept"][0], "nightly");
    scene.worknode(&["down"]).ok();
    assert_eq!(daemon.wait().code, Some(0), "the signal ends nothing");
}

#[test]
fn the_command_says_what_became_of_it() {
    let (scene, _daemon) = up();
    let view = scene.worknode(&["reload", "--json"]).ok().json();
    assert_eq!(view["unchanged"], 2);
    let changed = TEAM.replace("30 2 * * *", "45 2 * * *");
    write(&scene, &format!("{changed}{NEW}"));
    scene.worknode(&["reload"]).ok();
    // The watch may have been faster; what counts is what is in force.
    let next = scene
        .worknode(&["trigger", "show", "nightly", "--json"])
        .ok()
        .json();
    assert!(next["text"].as_str().unwrap().starts_with("At 02:45"), "{next}");
    wait_for_names(&scene, &["new", "nightly", "stays"]);
}

#[test]
fn what_has_no_mistake_is_taken_up_and_what_has_one_stays_as_it_was() {
    let (scene, _daemon) = up();
    write(
        &scene,
        &format!("{}{NEW}", TEAM.replace("30 2 * * *", "30 25 * * *")),
    );
    let view = scene.worknode(&["reload", "--json"]).fails(2).json();
    assert_eq!(view["kept"][0], "nightly");
    let mistake = &view["mistakes"][0];
    assert_eq!(
        (&mistake["file"], &mistake["line"]),
        (&"worknode.toml".into(), &12.into())
    );
    assert!(
        mistake["key"] == "trigger[1].cron" && mistake["message"].is_string(),
        "{mistake}"
    );
    assert_eq!(names(&scene), ["new", "nightly", "stays"]);
    let shown = scene
        .worknode(&["trigger", "show", "nightly", "--json"])
        .ok()
        .json();
    assert!(
        shown["text"].as_str().unwrap().starts_with("At 02:30"),
        "as it was: {shown}"
    );
    scene
        .worknode(&["status"])
        .ok()
        .says(&["configuration refused: worknode.toml:12:1: trigger[1].cron"]);
    let told = scene.wait_for_event("the event", |event| event["type"] == "config_rejected");
    assert_eq!(told["data"]["mistakes"][0]["line"], 12);
    // Mended, and all is said again.
    write(&scene, TEAM);
    wait_for_names(&scene, &["nightly", "stays"]);
    until("the status to say nothing of it any more", || {
        let status = scene.worknode(&["status", "--json"]).ok().json();
        if status["config"].is_null() {
            Ok(())
        } else {
            Err(status)
        }
    });
}

#[test]
fn a_file_that_cannot_be_read_changes_nothing() {
    let (scene, _daemon) = up();
    for config in ["[[trigger", "", "[team]\nname = \"reload\"\nbse = \"main\"\n"] {
        write(&scene, config);
        let view = scene.worknode(&["reload", "--json"]).fails(2).json();
        assert_eq!(
            (&view["rejected"], &view["unchanged"]),
            (&true.into(), &2.into()),
            "{config}: {view}"
        );
        assert_eq!(names(&scene), ["nightly", "stays"]);
    }
    let fired = scene.count("trigger_fired");
    until("it goes on", || {
        let now = scene.count("trigger_fired");
        if now > fired { Ok(()) } else { Err(now) }
    });
    let rejected = scene.count("config_rejected");
    scene.worknode(&["reload"]).fails(2);
    assert_eq!(scene.count("config_rejected"), rejected, "the same is told once");
}

#[test]
fn what_only_a_start_takes_up_is_named() {
    let (scene, _daemon) = up();
    write(&scene, &format!("{TEAM}{NEW}\n[limits]\nattempts = 5\n"));
    let view = scene.worknode(&["reload", "--json"]).ok().json();
    assert_eq!(view["restart"], serde_json::json!(["limits"]));
    assert_eq!(names(&scene), ["new", "nightly", "stays"], "the rest is taken up");
    scene
        .worknode(&["status"])
        .ok()
        .says(&["waits for the next start: limits"]);
}

#[test]
fn p8_limits_of_the_team_are_taken_up_while_it_works() {
    let two = "\n[[agent]]\nname = \"keeper\"\nprofile = \"executive\"\nstart = \"launch\"\ncount = 2\ncommand = [\"sleep\", \"600\"]\nsandbox = \"off\"\n";
    let team = |limits: &str| format!("{TEAM}{two}\n[limits]\n{limits}\n");
    let scene = Scene::with_team(&team("agents = 1"));
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    let status = || scene.worknode(&["status", "--json"]).ok().json();
    let live = |status: &Value| {
        let agents = status["agents"].as_array().unwrap().iter();
        agents.filter(|agent| agent["run"]["pid"].is_u64()).count()
    };
    let wait_for_live = |wanted: usize| {
        until("as many as may be", || {
            let status = status();
            if live(&status) == wanted {
                Ok(status)
            } else {
                Err(status)
            }
        })
    };
    wait_for_live(1);
    write(&scene, &team("agents = 2\nspawn_depth = 1"));
    let more = wait_for_live(2);
    let uses = more["use"].as_array().unwrap().iter();
    let agents = uses.clone().find(|one| one["what"] == "agents").unwrap();
    assert_eq!((&agents["used"], &agents["limit"]), (&2.into(), &2.into()));
    let told = scene.wait_for_event("the event", |event| event["type"] == "config_reloaded");
    assert_eq!(told["data"]["taken_up"], serde_json::json!(["limits"]));
    // Fewer: who works goes on, and the other sections are taken up, too.
    let fewer = team("agents = 1\nspawn_depth = 1\n[plan]\ndeviation = 40\n[claims]\nsteal_from = 3");
    write(&scene, &fewer);
    let deviation = || scene.http("/api/v1/plan/deviation")["threshold_percent"].clone();
    until("the threshold", || {
        let now = deviation();
        if now == 40.0 { Ok(()) } else { Err(now) }
    });
    let after = status();
    assert_eq!(live(&after), 2, "{after}");
    assert!(after["config"].is_null(), "nothing waits for a start: {after}");
}

#[test]
fn p9_only_the_operator_reads_it_anew() {
    let team = format!(
        "{TEAM}\n[[agent]]\nname = \"lead\"\nprofile = \"executive\"\nstart = \"launch\"\ncommand = [\"sh\", \"-c\", \"worknode reload; echo reload $?; worknode trigger fire nightly; echo fire $?; worknode trigger remove nightly; echo remove $?; worknode trigger list >/dev/null; echo list $?\"]\n"
    );
    let scene = Scene::with_team(&team);
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    let said = until("what the agent was told", || {
        let logs = scene.worknode(&["logs", "lead"]);
        if logs.stdout.contains("list ") {
            Ok(logs.stdout)
        } else {
            Err(logs)
        }
    });
    assert!(
        ["reload 4", "fire 4", "remove 4", "list 0"]
            .iter()
            .all(|line| said.contains(line)),
        "{said}"
    );
}
