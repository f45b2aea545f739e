//! The same operations on every level of the tree, through the program.

use serde_json::{Value, json};
use worknode_tests::{program::command, running::Running, scene::Scene, wait::wait_for};

use crate::operator::both;

/// A team with nobody who takes tasks, and kinds of its own.
const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "nobody"
profile = "validation"
command = ["true"]

[[kind]]
name = "department"

[[kind]]
name = "person"
schema = { type = "object", required = ["email"], properties = { email = { type = "string", pattern = "@" }, level = { type = "integer", minimum = 1 } }, additionalProperties = false }

[[kind]]
name = "lead"
schema = "schemas/lead.json"

[[phase]]
name = "later"
[[phase.task]]
id = "one"
title = "Design the database"
prompt = "Think"
files = ["*.sql"]
"#;

const LEAD: &str = r#"{ "type": "object", "properties": { "value": { "type": "number" }, "stage": { "enum": ["new", "won"] } } }"#;

fn up() -> Scene {
    let scene = Scene::new();
    scene.write("schemas/lead.json", LEAD);
    let scene = scene.and_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene
}

/// The JSON of a command that succeeds.
#[track_caller]
fn ask(scene: &Scene, args: &[&str]) -> Value {
    scene.worknode(&[args, &["--json"]].concat()).ok().json()
}

/// The exit code of a command that is refused, and what it says.
#[track_caller]
fn refused(scene: &Scene, args: &[&str]) -> (i32, String) {
    let done = scene.worknode(args);
    assert_ne!(done.code, Some(0), "{args:?}: {done:#?}");
    (done.code.unwrap(), done.stderr)
}

fn names(page: &Value) -> Vec<&str> {
    let list = page.get("nodes").unwrap_or(page).as_array().unwrap();
    list.iter().map(|node| node["name"].as_str().unwrap()).collect()
}

#[test]
fn every_level_has_the_same_operations() {
    let scene = up();
    let new = |args: &[&str]| ask(&scene, &[&["node", "create"], args].concat());
    let sales = new(&["department", "sales", "--parent", "root"]);
    assert_eq!(
        (&sales["kind"], &sales["name"]),
        (&json!("department"), &json!("sales"))
    );
    new(&[
        "person",
        "ada",
        "--parent",
        "sales",
        "--set",
        "email=ada@x",
        "--tag",
        "on-call",
    ]);
    new(&["team", "field", "--parent", "sales"]);
    new(&[
        "task",
        "visit",
        "--parent",
        "sales/field",
        "--title",
        "Visit the customer",
    ]);
    new(&[
        "lead",
        "acme",
        "--parent",
        "sales/field",
        "--set",
        "value=7.5",
        "--set",
        "stage=new",
    ]);

    for (node, elsewhere) in [
        ("sales", "t"),
        ("ada", "t"),
        ("field", "t"),
        ("visit", "t"),
        ("t", "sales"),
        ("later", "sales"),
    ] {
        let verb = |verb: &str, rest: &[&str]| ask(&scene, &[&["node", verb, node], rest].concat());
        let before = verb("get", &[]);
        let id = before["id"].as_str().unwrap();
        assert_eq!(ask(&scene, &["node", "get", id]), before, "{node} by its id");
        assert_eq!(
            verb("tag", &["seen"])["tags"].as_array().unwrap().last(),
            Some(&json!("seen"))
        );
        assert_eq!(verb("assign", &["ada"])["assignees"].as_array().unwrap().len(), 1);
        let linked = verb("link", &["duplicates", "acme"]);
        assert_eq!(linked["links"][0]["relation"], "duplicates");
        let above = verb("ancestors", &[]);
        let parent = names(&above)[0].to_owned();
        verb("move", &[elsewhere]);
        assert_eq!(names(&verb("ancestors", &[]))[0], elsewhere);
        let home = if parent == "root" { "root" } else { parent.as_str() };
        verb("move", &[home]);
        verb("emit", &["looked_at", "by=me"]);
        let events = scene.worknode(&["node", "events", node, "--json"]).ok().stdout;
        for event in [
            "node_created",
            "tagged",
            "assigned",
            "linked",
            "node_moved",
            "looked_at",
        ] {
            assert!(events.contains(event), "{node}: no {event} in {events}");
        }
        verb("untag", &["seen"]);
        verb("unassign", &["ada"]);
        let after = verb("unlink", &["duplicates", "acme"]);
        assert_eq!(
            (&after["tags"], &after["parent"]),
            (&before["tags"], &before["parent"])
        );
        both(&scene, &["node", "children", node], &[]);
        both(&scene, &["node", "descendants", node], &[node]);
        both(&scene, &["node", "links", node], &["no links"]);
        both(&scene, &["node", "get", node], &[node, id]);
    }
    let renamed = ask(&scene, &["node", "rename", "field", "field-work"]);
    assert_eq!(renamed["name"], "field-work");
    ask(&scene, &["node", "get", "sales/field-work/visit"]);
    ask(&scene, &["node", "get", "department:sales/team:field-work"]);

    // Put away, and taken out again.
    ask(&scene, &["node", "archive", "ada", "--reason", "left"]);
    assert!(!names(&ask(&scene, &["node", "children", "sales"])).contains(&"ada"));
    assert!(names(&ask(&scene, &["node", "children", "sales", "--all"])).contains(&"ada"));
    ask(&scene, &["node", "restore", "ada"]);
    scene
        .worknode(&["tree", "--under", "sales", "--kind", "department,team"])
        .ok()
        .says(&["department sales", "└─ team field-work"]);
    assert_eq!(
        names(&ask(&scene, &["tree", "--depth", "1"])),
        ["root", "t", "sales"]
    );
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["down"]).ok();
    scene
        .worknode(&["tree", "--under", "sales"])
        .ok()
        .says(&["person ada"]);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let scene = up();
    let new = |args: &[&str]| ask(&scene, &[&["node", "create"], args].concat());
    new(&["department", "a", "--parent", "root"]);
    new(&["department", "b", "--parent", "a"]);
    new(&["department", "c", "--parent", "b"]);
    new(&["person", "ada", "--parent", "a", "--set", "email=ada@x"]);
    let cases: [(&[&str], i32, &str); 20] = [
        (&["node", "move", "a", "c"], 2, "below itself"),
        (&["node", "move", "a", "a"], 4, "below itself"),
        (&["node", "move", "root", "a"], 4, "root"),
        (
            &["node", "move", "a", "nowhere"],
            3,
            "there is no Worknode `nowhere`",
        ),
        (
            &["node", "create", "departement", "x"],
            2,
            "did you mean `department`?",
        ),
        (&["node", "create", "Über", "x"], 2, "cannot name a kind"),
        (&["node", "create", "person", "bob"], 2, "email"),
        (
            &["node", "create", "person", "bob", "--set", "email=nobody"],
            2,
            "email",
        ),
        (
            &[
                "node",
                "create",
                "person",
                "bob",
                "--set",
                "email=a@b",
                "--set",
                "x=1",
            ],
            2,
            "x",
        ),
        (&["node", "set", "ada", "level=0"], 2, "level"),
        (&["node", "set", "ada", "email=null"], 2, "email"),
        (
            &["node", "create", "lead", "l", "--set", "stage=lost"],
            2,
            "stage",
        ),
        (&["node", "create", "agent", "x"], 2, "spawn"),
        (
            &["node", "create", "department", "a", "--parent", "root"],
            5,
            "already",
        ),
        (&["node", "create", "department", " x"], 2, "blank"),
        (&["node", "rename", "nobody", "somebody"], 4, "workspace"),
        (&["node", "archive", "one"], 5, "cancel or kill it first"),
        (&["node", "link", "a", "loves", "b"], 2, "depends_on, blocks"),
        (
            &["node", "get", "00000000-0000-0000-0000-000000000001"],
            3,
            "there is no Worknode",
        ),
        (&["search", "--where", "knd == 1"], 2, "kind"),
    ];
    for (args, code, words) in cases {
        let (was, said) = refused(&scene, args);
        assert_eq!(was, code, "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    // A circle of dependencies, whichever way it is said.
    ask(&scene, &["node", "link", "a", "depends_on", "b"]);
    let (code, said) = refused(&scene, &["node", "link", "a", "blocks", "b"]);
    assert_eq!(code, 2, "{said}");
    // As deep as the tree may be, and one level more.
    let mut above = "c".to_owned();
    for level in 4..=10 {
        let name = format!("level-{level}");
        new(&["department", &name, "--parent", &above]);
        above = name;
    }
    let (code, said) = refused(
        &scene,
        &["node", "create", "department", "deeper", "--parent", &above],
    );
    assert_eq!((code, said.contains("11 levels")), (4, true), "{said}");
    scene.worknode(&["audit", "verify"]).ok();
}

#[test]
fn who_saw_an_older_state_changes_nothing() {
    let scene = up();
    // The runtime changes it too: afterwards it is left alone.
    scene.wait_for_task("one", "ready");
    let one = ask(&scene, &["node", "get", "one"]);
    let seen = one["updated"].as_str().unwrap();
    let first = ask(&scene, &["node", "set", "one", "estimate=3", "--if-match", seen]);
    assert_eq!(first["attributes"]["estimate"], 3);
    let (code, said) = refused(&scene, &["node", "set", "one", "estimate=8", "--if-match", seen]);
    assert_eq!(code, 5, "{said}");
    let (code, _) = refused(&scene, &["node", "move", "one", "t", "--if-match", seen]);
    assert_eq!(code, 5);
    let now = ask(&scene, &["node", "get", "one"]);
    assert_eq!(now["attributes"]["estimate"], 3);
    let again = now["updated"].as_str().unwrap();
    ask(&scene, &["node", "set", "one", "estimate=8", "--if-match", again]);
}

#[test]
fn a_search_takes_words_conditions_and_pages() {
    let scene = up();
    let new = |args: &[&str]| ask(&scene, &[&["node", "create"], args].concat());
    new(&["department", "sales", "--parent", "root"]);
    for n in 0..12 {
        let (name, value) = (format!("lead-{n}"), format!("value={n}"));
        let stage = if n % 3 == 0 { "stage=won" } else { "stage=new" };
        new(&[
            "lead", &name, "--parent", "sales", "--set", &value, "--set", stage,
        ]);
    }
    let found = both(&scene, &["search", "data"], &["one", "task"]);
    assert_eq!(names(&found), ["one"]);
    let won = r#"kind == "lead" && attributes.stage == "won" && attributes.value > 2"#;
    assert_eq!(
        names(&ask(&scene, &["query", won])),
        ["lead-3", "lead-6", "lead-9"]
    );
    assert_eq!(
        names(&ask(&scene, &["search", "--where", won, "--under", "t"])),
        [""; 0]
    );

    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = vec!["search", "--where", r#"kind == "lead""#, "-n", "5"];
        if let Some(cursor) = &cursor {
            args.extend(["--cursor", cursor]);
        }
        let page = ask(&scene, &args);
        all.extend(names(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(all, (0..12).map(|n| format!("lead-{n}")).collect::<Vec<_>>());

    let args = [
        "query",
        r#"kind == "lead""#,
        "--aggregate",
        "sum(attributes.value) by attributes.stage",
    ];
    let sums = both(&scene, &args, &["won", "18", "new", "48"]);
    assert_eq!(sums["aggregates"][0]["groups"][0]["key"], json!(["new"]));
    // What ids in groups are called is told beside them.
    let by = ["query", r#"kind == "lead""#, "--aggregate", "count() by parent"];
    both(&scene, &by, &["sales", "12"]);
    let pipeline = scene.http("/api/v1/analytics/pipeline?kind=lead&by=attributes.stage");
    assert_eq!(pipeline["value"]["groups"][1]["value"], 18, "{pipeline}");
    let counts = pipeline["count"]["groups"].as_array().unwrap().iter();
    let counts: Vec<_> = counts.map(|group| group["value"].as_u64().unwrap()).collect();
    assert_eq!(counts, [8, 4], "{pipeline}");
}

#[test]
fn a_watch_shows_its_subtree_and_goes_on_where_it_was() {
    let scene = up();
    ask(
        &scene,
        &["node", "create", "department", "sales", "--parent", "root"],
    );
    ask(
        &scene,
        &["node", "create", "department", "other", "--parent", "root"],
    );
    let since = ask(&scene, &["node", "get", "sales"])["updated"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut watch = command(scene.path());
    watch
        .current_dir(scene.path())
        .args(["node", "watch", "sales", "--json", "--since", &since]);
    let watch = Running::start(watch);
    ask(&scene, &["node", "tag", "other", "unseen"]);
    ask(&scene, &["node", "create", "team", "field", "--parent", "sales"]);
    ask(&scene, &["node", "tag", "field", "seen"]);
    watch.wait_for_output("\"seen\"");
    // What comes in is seen from then on, and what goes out is seen going.
    ask(&scene, &["node", "move", "other", "field"]);
    ask(&scene, &["node", "tag", "other", "come"]);
    watch.wait_for_output("\"come\"");
    ask(&scene, &["node", "move", "field", "root"]);
    ask(&scene, &["node", "tag", "field", "gone"]);
    ask(&scene, &["node", "tag", "sales", "last"]);
    watch.wait_for_output("\"last\"");
    let seen = watch.so_far().stdout;
    assert!(!seen.contains("unseen") && !seen.contains("\"gone\""), "{seen}");
    let types: Vec<String> = seen
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        types,
        [
            "node_created",
            "tagged",
            "node_moved",
            "tagged",
            "node_moved",
            "tagged"
        ]
    );
}

/// An agent that tries what it may and what it may not, and says how that ended.
const TRIES: &str = r#"
[team]
name = "t"

[[agent]]
name = "coder"
limits = { grace = "500ms" }
command = ["sh", "-c", """
try() { "$@" >/dev/null 2>&1; echo "$? $*"; }
try worknode node create document findings --parent $WORKNODE_TASK
try worknode node create task more --parent $WORKNODE_TASK
try worknode node create document elsewhere --parent t
try worknode node move $WORKNODE_TASK t
try worknode node tag $WORKNODE_TASK mine
try worknode node get $WORKNODE_TASK
try worknode node get root
try worknode search findings
try worknode query 'kind == "task"'
echo over; while :; do sleep 0.1; done
"""]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "Try"
prompt = "Try"
files = ["*.txt"]
"#;

#[test]
fn p9_an_agent_changes_of_the_tree_what_its_tier_may() {
    let scene = Scene::with_team(TRIES);
    scene.worknode(&["up", "-d"]).ok();
    let said = || scene.worknode(&["logs", "coder"]).stdout;
    wait_for("the agent's tries", || said().contains("over"));
    let tried = said();
    let codes: Vec<&str> = tried
        .lines()
        .filter_map(|line| line.split(' ').next())
        .take(9)
        .collect();
    assert_eq!(codes, ["0", "4", "4", "4", "4", "0", "4", "0", "0"], "{tried}");
    ask(&scene, &["node", "get", "t/only/one/findings"]);
}
