//! The memory of the work, through the program: decisions, issues, memory, messages, coming back.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use worknode_actors::{clock::SystemClock, memory::namespace_id};
use worknode_core::{
    bounds,
    event::{Draft, Event, Principal},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
};
use worknode_journal::{Durability, Journal};
use worknode_tests::{program::command, running::Running, scene::Scene, wait::wait_for};

use crate::operator::both;

/// A coder that does what `work.sh` says when there is a task, and a lead that only reads.
pub(crate) const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "coder"
profile = "implementation"
command = ["sh", "work.sh"]
sandbox = "off"

[[agent]]
name = "lead"
profile = "executive"
command = ["true"]
start = "trigger"
"#;

/// The JSON of a command that succeeds.
#[track_caller]
fn ask(scene: &Scene, args: &[&str]) -> Value {
    scene.worknode(&[args, &["--json"]].concat()).ok().json()
}

/// A team whose coder does this.
pub(crate) fn up(work: &str) -> Scene {
    let scene = Scene::new();
    scene.write("work.sh", work);
    let scene = scene.and_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene
}

/// A team that has nothing to do.
fn idle() -> Scene {
    up("exit 1\n")
}

fn add_task(scene: &Scene) {
    let add = [
        "task",
        "add",
        "Say hello",
        "--key",
        "one",
        "--file",
        "hello.txt",
        "--prompt",
        "Write hello.txt",
    ];
    scene.worknode(&add).ok();
}

#[test]
fn a_decision_is_recorded_once_found_by_its_words_and_superseded() {
    let scene = idle();
    let add = [
        "decision",
        "add",
        "Which store?",
        "SQLite",
        "--because",
        "nothing to install",
        "--instead",
        "Postgres: needs a server",
        "--confidence",
        "0.8",
    ];
    let first = ask(&scene, &add);
    assert_eq!(
        (&first["decision"], &first["by"], &first["confidence"]),
        (&json!("SQLite"), &json!("operator"), &json!(0.8))
    );
    assert_eq!(
        first["alternatives"],
        json!([{ "option": "Postgres", "because": "needs a server" }])
    );
    assert_eq!(
        ask(&scene, &add)["id"],
        first["id"],
        "P6: the same again is the same"
    );
    let id = first["id"].as_str().unwrap();
    let second = ask(
        &scene,
        &[
            "decision",
            "add",
            "Which store now?",
            "JetStream",
            "--supersedes",
            id,
        ],
    );
    assert_eq!(second["supersedes"], first["id"]);
    assert_eq!(
        ask(&scene, &["decision", "show", id])["superseded_by"],
        second["id"]
    );
    both(
        &scene,
        &["decision", "list"],
        &["Which store now?", "SQLite (superseded)"],
    );
    both(&scene, &["decision", "search", "postgres"], &["Which store?"]);
    assert_eq!(ask(&scene, &["decision", "search", "nowhere"]), json!([]));
    both(
        &scene,
        &["decision", "show", id],
        &["nothing to install", "Postgres"],
    );
    scene
        .worknode(&["decision", "add", "How sure?", "very", "--confidence", "1.5"])
        .fails(2)
        .says(&["from 0 to 1"]);
    scene
        .worknode(&["decision", "show", "t"])
        .fails(2)
        .says(&["not decision"]);
    scene.worknode(&["decision", "show", "nowhere"]).fails(3);
    scene.worknode(&["audit", "verify"]).ok();
}

#[test]
fn an_error_that_comes_again_finds_its_earlier_solution() {
    let scene = idle();
    let error = "thread 'main' panicked at /home/a/src/store.rs:12:5: database is locked after 5000 ms";
    let again = "thread 'main' panicked at /ci/7/src/store.rs:90:17: database is locked after 250 ms";
    let first = ask(&scene, &["issue", "add", error, "--file", "src/store.rs"]);
    assert_eq!(
        (&first["known"], &first["resolved"]),
        (&json!(false), &json!(false))
    );
    let id = first["id"].as_str().unwrap();
    ask(
        &scene,
        &[
            "issue",
            "add",
            "store says: the database has no table `locks`",
            "--fix",
            "run the migrations",
        ],
    );
    scene.write("fix.patch", "--- a\n+++ b\n");
    let solved = ask(
        &scene,
        &[
            "issue",
            "resolve",
            id,
            "--cause",
            "two writers",
            "--fix",
            "one writer",
            "--patch",
            "fix.patch",
        ],
    );
    assert_eq!(
        (&solved["resolved"], &solved["patch"]),
        (&json!(true), &json!("--- a\n+++ b\n"))
    );

    let report = ask(&scene, &["issue", "add", again]);
    assert_eq!(
        (&report["known"], &report["id"], &report["fix"]),
        (&json!(true), &first["id"], &json!("one writer"))
    );
    assert_eq!(report["seen"], 2);
    let found = ask(&scene, &["issue", "search", again]);
    assert_eq!(
        (&found[0]["id"], &found[0]["fits"]),
        (&first["id"], &json!("signature"))
    );
    assert_eq!(
        found[1]["fits"], "words",
        "what has some of the words comes behind it"
    );
    let words = ask(&scene, &["issue", "search", "database locked"]);
    assert_eq!(words[0]["id"], first["id"]);
    assert_eq!(ask(&scene, &["issue", "helped", id])["helped"], 1);
    both(&scene, &["issue", "search", again], &["one writer", "signature"]);
    both(&scene, &["issue", "show", id], &["two writers"]);
    both(&scene, &["issue", "list", "--open"], &["no issues"]);
    assert_eq!(ask(&scene, &["issue", "list", "--open"]), json!([]));
    scene
        .worknode(&["issue", "add", " "])
        .fails(2)
        .says(&["text of its error"]);
    scene.worknode(&["issue", "search", " "]).fails(2);
    let long = "x".repeat(20_000);
    scene
        .worknode(&["issue", "add", &long])
        .fails(2)
        .says(&["at most"]);
}

#[test]
fn what_is_remembered_has_versions_and_is_forgotten() {
    let scene = idle();
    let set = |value: &str, more: &[&str]| {
        ask(
            &scene,
            &[&["memory", "set", "swarm/coder/phase2", value], more].concat(),
        )
    };
    assert_eq!(set("{\"done\": 3}", &[])["version"], 1);
    assert_eq!(
        set("{\"done\": 3}", &[])["version"],
        1,
        "P6: the same again is no new version"
    );
    assert_eq!(set("{\"done\": 4}", &["--if-version", "1"])["version"], 2);
    scene
        .worknode(&["memory", "set", "swarm/coder/phase2", "5", "--if-version", "1"])
        .fails(5)
        .says(&["version 2, not 1"]);
    let got = ask(&scene, &["memory", "get", "swarm/coder/phase2"]);
    assert_eq!(
        (&got["value"], &got["by"]),
        (&json!({ "done": 4 }), &json!("operator"))
    );
    ask(
        &scene,
        &["memory", "set", "swarm/lead/plan", "wait", "--ttl", "7d"],
    );
    both(
        &scene,
        &["memory", "list", "swarm/coder"],
        &["swarm/coder/phase2"],
    );
    both(&scene, &["memory", "list"], &["swarm/coder", "swarm/lead"]);
    assert_eq!(ask(&scene, &["memory", "list", "swarm/l"]), json!([]));
    assert_eq!(
        ask(&scene, &["memory", "list", "swarm/"])["namespaces"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        ask(&scene, &["memory", "delete", "swarm/coder/phase2"])["deleted"],
        true
    );
    assert_eq!(
        ask(&scene, &["memory", "delete", "swarm/coder/phase2"])["deleted"],
        false
    );
    scene.worknode(&["memory", "get", "swarm/coder/phase2"]).fails(3);
    assert_eq!(
        set("1", &["--if-version", "0"])["version"],
        3,
        "versions go on rising"
    );
    for (wrong, says) in [("alone", "namespace"), ("a//b", "empty"), ("a/", "empty")] {
        scene
            .worknode(&["memory", "set", wrong, "1"])
            .fails(2)
            .says(&[says]);
    }
    scene
        .worknode(&["memory", "set", "a/b", "1", "--ttl", "10000d"])
        .fails(2)
        .says(&["at most"]);
    let long = "x".repeat(50_000);
    scene
        .worknode(&["memory", "set", "a/b", &long])
        .fails(2)
        .says(&["at most"]);
    scene.worknode(&["memory", "set", "a/b", "null"]).fails(2);
    scene.worknode(&["audit", "verify"]).ok();
}

#[test]
fn a_namespace_is_watched_before_anything_is_in_it() {
    let scene = idle();
    let mut watch = command(scene.path());
    watch.args(["memory", "watch", "swarm/coder", "--json"]);
    let watch = Running::start(watch);
    // The watcher may not be there yet: so it is said until it is seen.
    let mut count = 0;
    wait_for("what is remembered", || {
        count += 1;
        scene
            .worknode(&["memory", "set", "swarm/coder/x", &count.to_string()])
            .ok();
        watch.so_far().stdout.contains("attributes_set")
    });
    scene.worknode(&["memory", "set", "elsewhere/x", "1"]).ok();
    assert!(!watch.so_far().stdout.contains("elsewhere"));
}

#[test]
fn messages_wait_until_they_are_acknowledged_and_the_same_key_is_taken_once() {
    let scene = idle();
    let send = |args: &[&str]| ask(&scene, &[&["message", "send"], args].concat())["sent"].clone();
    let first = send(&["coder", "The schema has changed", "--key", "k1"]);
    assert_eq!(
        send(&["coder", "The schema has changed", "--key", "k1"]),
        first,
        "P6"
    );
    let stamp = first[0]["message"].as_str().unwrap();
    send(&["coder", "Have you seen it?", "--thread", stamp]);
    assert_eq!(
        send(&["t", "Stop at noon", "--broadcast"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let waiting = ask(&scene, &["message", "list", "coder"]);
    let texts: Vec<_> = waiting
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        ["The schema has changed", "Have you seen it?", "Stop at noon"]
    );
    assert_eq!(waiting[1]["thread"], stamp);
    scene.worknode(&["message", "ack", stamp]).ok();
    scene.worknode(&["message", "ack", stamp]).ok();
    assert_eq!(
        ask(&scene, &["message", "list", "coder"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let all = ask(&scene, &["message", "list", "coder", "--all"]);
    assert_eq!(
        (all.as_array().unwrap().len(), &all[0]["open"]),
        (3, &json!(false))
    );
    both(&scene, &["message", "list", "coder"], &["Stop at noon"]);
    scene.worknode(&["message", "send", "coder", " "]).fails(2);
    scene
        .worknode(&["task", "add", "Later", "--key", "one", "--agent", "nobody"])
        .ok();
    scene
        .worknode(&["message", "send", "one", "hurry", "--epoch", "9"])
        .fails(5)
        .says(&["epoch 9"]);
    scene.worknode(&["message", "list"]).fails(2).says(&["whose"]);
    scene
        .worknode(&["message", "ack", "2026-11-21T10:24:30.123Z-0000-1a2b3c4d"])
        .fails(3);
    let long = "x".repeat(20_000);
    scene
        .worknode(&["message", "send", "coder", &long])
        .fails(2)
        .says(&["at most"]);
}

/// Notes what each command comes to in a file beside the team.
const TRIES: &str = r#"
top=$(dirname "$WORKNODE_SOCKET")/..
try() { name=$1; shift; worknode "$@" >"$top/$name.out" 2>&1; echo $? >"$top/$name.code"; }
cp "$WORKNODE_BRIEF" "$top/brief.md"
try own memory set coder/notes/a 1
try other memory set lead/a 1
try read memory get lead/plan
try decision decision add 'Greeting?' 'hello' --because 'it is short'
try foreign decision add 'Greeting?' 'hi' --on t
try issue issue add 'error: no such file 7' --fix 'make it'
try resolve issue resolve "$(cat "$top/known")" --fix mine
try helped issue helped "$(cat "$top/known")"
try tell message send lead 'I have begun'
try ackother message ack "$(cat "$top/leads")"
try continue continue
try ackown message ack "$(cat "$top/mine")"
echo hello >hello.txt; git add hello.txt; git -c user.name=a -c user.email=a@b commit -qm hello
worknode task progress --percent 50 'half way'
echo done >"$top/done"
"#;

#[test]
fn p9_an_agent_notes_in_its_own_name_and_place() {
    let scene = up(TRIES);
    let known = ask(&scene, &["issue", "add", "error: out of range 12"]);
    scene.write("known", known["id"].as_str().unwrap());
    let stamp = |to: &str, text: &str| {
        let sent = ask(&scene, &["message", "send", to, text])["sent"][0]["message"].clone();
        sent.as_str().unwrap().to_owned()
    };
    scene.write("leads", &stamp("lead", "for the lead alone"));
    scene.write("mine", &stamp("coder", "# Mind the gap"));
    ask(&scene, &["memory", "set", "lead/plan", "be quick"]);
    add_task(&scene);
    scene.wait_for_file("done");
    let code = |name: &str| scene.read(&format!("{name}.code")).trim().to_owned();
    let out = |name: &str| scene.read(&format!("{name}.out"));
    for allowed in [
        "own", "read", "decision", "issue", "helped", "tell", "continue", "ackown",
    ] {
        assert_eq!(code(allowed), "0", "{allowed}: {}", out(allowed));
    }
    for (refused, rule) in [
        ("other", "own_namespace"),
        ("foreign", "own_notes"),
        ("resolve", "own_note"),
        ("ackother", "own_inbox"),
    ] {
        assert_eq!(code(refused), "4", "{refused}: {}", out(refused));
        assert!(out(refused).contains(rule), "{refused}: {}", out(refused));
    }
    assert!(
        scene.read("brief.md").contains("Mind the gap"),
        "what waits is in the brief"
    );
    for part in [
        "## Task: Say hello",
        "Mind the gap",
        "Greeting? hello. Because: it is short",
        "make it",
    ] {
        assert!(out("continue").contains(part), "{part}: {}", out("continue"));
    }
    let decided = ask(&scene, &["decision", "list", "--on", "one"]);
    assert_eq!(decided[0]["by"], "coder");
}

/// Fills a namespace that exists up to its bound, while no daemon is there, with keys whose time is over.
async fn fill(scene: &Scene, namespace: &str) {
    let store = scene.file(".worknode/journal.db");
    let journal = Journal::open(&store, Arc::new(SystemClock)).unwrap();
    let team = NodeId::derived(NodeId::ROOT, "team:t");
    let place = namespace_id(team, namespace);
    let there = journal
        .reader()
        .children(place, None, bounds::MEMORY_KEYS)
        .unwrap();
    let drafts = (there.len()..bounds::MEMORY_KEYS).map(|n| {
        let name = format!("old-{n}");
        let mut node = NodeSpec::new(Some(place), Kind::Memory, name.clone(), Detail::Plain);
        node.body.attributes = BTreeMap::from([
            ("value".to_owned(), json!(n)),
            ("version".to_owned(), json!(7)),
            ("expires".to_owned(), json!(1)),
        ]);
        Draft {
            node: NodeId::derived(place, &format!("memory:{name}")),
            by: Principal::Operator,
            cause: None,
            event: Event::NodeCreated { node },
        }
    });
    let drafts: Vec<_> = drafts.collect();
    journal.append(drafts, Durability::Durable).await.unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn p8_what_is_over_leaves_room_and_keeps_its_version() {
    let scene = idle();
    ask(&scene, &["memory", "set", "gone/first", "1"]);
    scene.worknode(&["down"]).ok();
    fill(&scene, "gone").await;
    scene.worknode(&["up", "-d"]).ok();
    // What nobody can see any more is in nobody's way.
    let new = ask(&scene, &["memory", "set", "gone/new", "2"]);
    assert_eq!(new["version"], 1);
    for name in ["old-1", "old-9998"] {
        let again = ask(&scene, &["memory", "set", &format!("gone/{name}"), "3"]);
        assert_eq!(again["version"], 8, "its versions go on: {again}");
    }
    let left = ask(&scene, &["memory", "list", "gone"]);
    assert_eq!(left.as_array().map(Vec::len), Some(4), "{left}");
}
