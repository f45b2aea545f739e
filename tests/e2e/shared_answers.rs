//! Answers that many share: who changed something sees it at once through every connection, however
//! many keep the old answer warm; and who may not look is told so whoever looked a moment before.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};
use worknode_tests::{
    http::{Answer, Door},
    scene::Scene,
    wait::until,
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "keeper"
profile = "executive"
start = "launch"
command = ["sleep", "600"]
sandbox = "off"
"#;

/// What is asked all the time, so that there always is an answer to be given again.
const WARM: [&str; 5] = ["/status", "/tasks", "/agents", "/plan", "/nodes?kind=task"];

/// Others, who ask all the time. They stop with this.
struct Others {
    over: Arc<AtomicBool>,
    asking: Vec<JoinHandle<()>>,
}

impl Others {
    fn ask(door: &Door) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let asking = WARM.map(|path| {
            let (door, over) = (door.clone(), Arc::clone(&over));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    get(&door, path);
                }
            })
        });
        Self {
            over,
            asking: asking.into(),
        }
    }

    fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        for one in self.asking {
            one.join().unwrap();
        }
    }
}

fn get(door: &Door, path: &str) -> Value {
    door.get(&format!("/api/v1{path}")).is(200).json()
}

fn post(door: &Door, path: &str, body: &Value) -> Value {
    let answer = door.post(&format!("/api/v1{path}"), body);
    assert!((200..300).contains(&answer.status), "{answer:#?}");
    answer.json()
}

/// The one of a list that has this under `key`.
fn one(list: &Value, key: &str, name: &str) -> Value {
    let found = list.as_array().unwrap().iter().find(|one| one[key] == name);
    found
        .unwrap_or_else(|| panic!("{name} is missing: {list:#}"))
        .clone()
}

#[test]
fn p5_who_changed_something_sees_it_at_once_however_many_look() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    let door = scene.door();
    until("the agent runs", || {
        let agents = get(&door, "/agents");
        if agents[0]["run"]["pid"].is_u64() {
            Ok(())
        } else {
            Err(agents)
        }
    });
    let others = Others::ask(&door);
    for n in 0..20 {
        let key = format!("task-{n}");
        post(&door, "/tasks", &json!({ "title": "T", "key": key }));
        assert_eq!(get(&door, "/status")["tasks"]["total"], n + 1);
        assert_eq!(one(&get(&door, "/tasks"), "key", &key)["title"], "T");
        let holder = json!({ "kind": "document", "name": format!("holder-{n}") });
        let holder = post(&door, "/nodes", &holder)["id"].clone();
        let held = post(&door, &format!("/tasks/{key}/claim"), &json!({ "agent": holder }));
        assert_eq!(get(&door, &format!("/tasks/{key}"))["epoch"], held["epoch"]);
        assert_eq!(one(&get(&door, "/tasks"), "key", &key)["status"], "claimed");
        assert_eq!(get(&door, "/status")["tasks"]["claimed"], n + 1);
        let page = get(&door, "/nodes?kind=task");
        assert_eq!(one(&page["nodes"], "name", &key)["status"], "claimed");
        let change = json!({ "priority": n + 1, "reason": "it matters" });
        door.ask("PUT", &format!("/api/v1/tasks/{key}"), &[], &change.to_string())
            .is(200);
        let plan = get(&door, "/plan");
        let phase = one(&plan["phases"], "name", "added");
        assert_eq!(one(&phase["tasks"], "key", &key)["priority"], n + 1);
    }
    post(&door, "/agents/keeper/freeze", &json!({ "reason": "look" }));
    let run = &one(&get(&door, "/agents"), "name", "keeper")["run"];
    assert_eq!(run["status"], "frozen", "{run}");
    post(&door, "/agents/keeper/kill", &json!({ "reason": "enough" }));
    let killed = one(&get(&door, "/agents"), "name", "keeper");
    assert!(killed["run"].is_null(), "{killed}");
    assert_eq!(
        one(&get(&door, "/status")["agents"], "name", "keeper")["status"],
        "stopped"
    );
    others.stop();
}

#[test]
fn p11_what_depends_on_the_clock_moves_while_nothing_happens() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    let door = scene.door();
    let ran = || get(&door, "/status")["agents"][0]["run"]["running_ms"].as_u64();
    let begun = until("the agent runs", || ran().ok_or("it does not"));
    let stored = scene.events().len();
    let at = |status: &Value| status["at"].as_str().unwrap().to_owned();
    let first = at(&get(&door, "/status"));
    until("its time goes on", || {
        let status = get(&door, "/status");
        let ran = status["agents"][0]["run"]["running_ms"].as_u64();
        if ran > Some(begun) && at(&status) > first {
            Ok(())
        } else {
            Err(status)
        }
    });
    assert_eq!(scene.events().len(), stored, "nothing was stored meanwhile");
}

#[test]
fn p9_who_may_not_look_gets_no_answer_that_others_got() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    let door = scene.door();
    for name in ["ada", "bob"] {
        let create = ["node", "create", "document", name, "--parent", "root"];
        scene.worknode(&create).ok();
    }
    let ada = scene.worknode(&["capability", "new", "ada"]).ok().stdout;
    scene.write("ada.token", &ada);
    let bob = ["capability", "new", "bob", "--below", "bob"];
    let bob = scene.worknode(&bob).ok().stdout;
    let as_holder = |token: &str, path: &str| -> Answer {
        let bearer = format!("Bearer {}", token.trim());
        let path = format!("/api/v1{path}");
        door.ask("GET", &path, &[("Authorization", &bearer)], "")
    };
    let others = Others::ask(&door);
    let whole = get(&door, "/nodes");
    let seen = as_holder(&bob, "/nodes").is(200).json();
    assert_eq!(seen["nodes"].as_array().unwrap().len(), 1, "{seen:#}");
    assert!(whole["nodes"].as_array().unwrap().len() > 1);
    as_holder(&bob, "/nodes/root/children").refuses(403, "forbidden", "");
    for path in WARM {
        as_holder(&ada, path).is(200);
    }
    let revoke = ["capability", "revoke", "--token", "ada.token", "--reason", "lost"];
    scene.worknode(&revoke).ok();
    for path in WARM {
        as_holder(&ada, path).refuses(403, "forbidden", "");
    }
    others.stop();
}
