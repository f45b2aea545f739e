//! Commands that look: at several logs at once, again and again, at chosen events; and those that
//! only say what they would do.

use worknode_tests::{program::Done, scene::Scene};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
count = 2
command = ["sh", "-c", "echo first of $WORKNODE_AGENT; echo trouble >&2; printf 'no end'; echo x > $WORKNODE_TASK.txt; git add . && git commit -qm work"]

[[phase]]
name = "only"
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
"#;

fn ran() -> Scene {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["run"]).ok();
    scene
}

fn lines(done: &Done) -> Vec<&str> {
    let mut lines: Vec<&str> = done.stdout.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn several_logs_come_line_by_line_with_their_names() {
    let scene = ran();
    let both = scene.worknode(&["logs", "one", "two"]).ok();
    let of = |task: &str| {
        both.stdout
            .lines()
            .filter(|line| line.starts_with(&format!("{task} | ")))
            .count()
    };
    assert_eq!(
        (of("one"), of("two"), both.stdout.lines().count()),
        (2, 2, 4),
        "{both:#?}"
    );
    assert!(
        both.stdout.contains("one | no end\n"),
        "a line without an end is shown, too"
    );
    // Following what is over ends.
    let followed = scene.worknode(&["logs", "-f", "one", "two"]).ok();
    assert_eq!(lines(&followed), lines(&both));
    let errors = scene.worknode(&["logs", "--all", "--stderr", "--json"]).ok();
    for line in errors.stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["line"], "trouble");
        assert!(line["of"].as_str().unwrap().starts_with("worker-") && line["run"].is_string());
    }
    assert!(!errors.stdout.is_empty());
    // One alone is as it was written.
    assert!(scene.worknode(&["logs", "one"]).ok().stdout.ends_with("\nno end"));
    scene.worknode(&["logs"]).fails(2);
    scene
        .worknode(&["logs", "one", "nobody"])
        .fails(3)
        .says(&["nobody"]);
}

#[test]
fn events_are_chosen_by_a_condition_with_a_daemon_and_without() {
    let scene = ran();
    let ask = |more: &[&str]| {
        let condition = "event.type == \"task_completed\" && node.name == \"one\"";
        let all = [&["events", "--json", "--where", condition][..], more].concat();
        scene.worknode(&all).ok().stdout.lines().count()
    };
    assert_eq!((ask(&[]), ask(&["-n", "5"])), (1, 1));
    let wrong = scene.worknode(&["events", "--where", "event.typ == 1"]).fails(2);
    assert!(wrong.stderr.contains("typ"), "{wrong:#?}");
    scene.worknode(&["up", "-d"]).ok();
    assert_eq!((ask(&[]), ask(&["-n", "5"])), (1, 1));
    scene.worknode(&["events", "--where", "event.typ == 1"]).fails(2);
    scene.worknode(&["down"]).ok();
}

#[test]
fn what_is_watched_is_shown_so_often() {
    let scene = ran();
    let again = ["--watch", "--every", "100ms", "-n", "3"];
    let count = |command: &str, word: &str| {
        let shown = scene.worknode(&[&[command][..], &again].concat()).ok();
        shown.stdout.matches(word).count()
    };
    assert_eq!(count("status", "2 of 2 completed"), 3);
    assert_eq!(count("ps", "worker-1"), 3);
    assert_eq!(count("top", "worker-2"), 3);
    let top = scene.worknode(&["top", "--json"]).ok().json();
    assert_eq!(top.as_array().unwrap().len(), 2);
    scene
        .worknode(&["status", "--watch", "--every", "1ms"])
        .fails(2)
        .says(&["100ms"]);
}

#[test]
fn what_destroys_says_first_what_it_would_do() {
    let scene = Scene::with_team(TEAM);
    scene
        .worknode(&["down", "--dry-run"])
        .ok()
        .says(&["nothing to stop"]);
    scene.worknode(&["run"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["memory", "set", "operator/x", "1"]).ok();
    scene
        .worknode(&["node", "create", "document", "ada", "--parent", "root"])
        .ok();
    scene
        .worknode(&[
            "plan", "add", "Third", "--key", "third", "--agent", "nobody", "--file", "x",
        ])
        .ok();
    let before = scene.events().len();
    for (args, word) in [
        (&["down"][..], "the daemon"),
        (&["panic"], "nothing to stop"),
        (&["task", "cancel", "third"], "would cancel third"),
        (&["task", "undo", "one"], "would take back one (completed)"),
        (&["plan", "cancel", "third"], "third"),
        (&["node", "archive", "ada"], "would archive document ada"),
        (&["memory", "delete", "operator/x"], "operator/x (version 1)"),
        (&["membrane", "clear", "ada"], "the membrane of ada"),
        (&["capability", "revoke", "--below", "ada"], "what is below ada"),
        (&["kill", "--all"], ""),
    ] {
        let dry = [args, &["--dry-run"]].concat();
        scene.worknode(&dry).ok().says(&[word]);
        scene.worknode(&[&dry[..], &["--json"]].concat()).ok().json();
    }
    assert_eq!(scene.events().len(), before, "nothing of it happened");
    for args in [
        &["task", "cancel", "nothing"][..],
        &["memory", "delete", "operator/y"],
        &["node", "archive", "nothing"],
    ] {
        scene.worknode(&[args, &["--dry-run"]].concat()).fails(3);
    }
    // The other name of `get`.
    scene.worknode(&["node", "show", "ada"]).ok().says(&["ada"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let scene = Scene::empty();
    let made = scene.worknode(&["man", "manual", "--json"]).ok().json();
    let pages = std::fs::read_dir(scene.file("manual")).unwrap().count();
    assert_eq!(made["pages"], pages);
    assert!(pages > 100, "{pages}");
    assert!(scene.read("manual/worknode-task-add.1").contains("depends\\-on"));
    scene.write("file", "");
    scene
        .worknode(&["man", "file/below"])
        .fails(1)
        .says(&["file/below"]);
}

#[test]
fn what_is_not_clear_names_what_it_may_be() {
    let scene = ran();
    let unclear = scene.worknode(&["agent", "show", "worker"]).fails(2);
    unclear.says(&["beginning of 2", "worker-1 (", "worker-2 ("]);
    scene.worknode(&["agent", "show", "worker-2"]).ok();
}
