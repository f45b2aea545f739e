//! Fewer tests than before: seen by what ran on the base, where the source of the tests looks as it
//! did. What the plan lets go may go, and a landing that brought tests can be taken back.

use serde_json::Value;
use worknode_tests::{scene::Scene, wait::wait_for};

/// Runs the tests of a list that fit a filter, and says so in TAP. Each run is noted with what it
/// would run by its list, outside of its checkout. On a machine that lacks something, few can run.
const RUN: &str = r#"
all=$(cat tests/list)
filter=$(cat tests/filter)
test -e "$(cat tests/noted).lacks" && filter='g*'
echo $all >> "$(cat tests/noted)"
for test in $all; do
    case "$test" in
        $filter) nth=$((${nth:-0} + 1)); echo "ok $nth - $(echo $test | sed 's/=skip/ # SKIP/')" ;;
    esac
done
echo 1..$nth
"#;

/// An agent that does one task after the other; each is tried once.
const TEAM: &str = r#"
[team]
name = "t"

[gate.tests]
command = ["sh", "tests/run.sh"]
writes = ["NOTED"]

[[agent]]
name = "coder"
command = ["sh", "-c", """
case $WORKNODE_TASK in
    filter) printf 'a*' > tests/filter ;;
    skip) sed -i 's/beta/beta=skip/' tests/list ;;
    rename)
        while ! test -e "$(cat tests/noted).go"; do sleep 0.1; done
        sed -i 's/beta/renamed/' tests/list ;;
    more) echo later >> tests/list ;;
    drop) sed -i /alpha/d tests/list ;;
    later) echo '# Nothing more.' >> tests/run.sh ;;
esac
git commit -qam "$WORKNODE_TASK"
"""]

[[phase]]
name = "all"
"#;

/// Each task, and what of it may go.
const TASKS: [(&str, &str); 5] = [
    ("filter", ""),
    ("skip", ""),
    ("rename", ""),
    ("more", ""),
    ("drop", "\"tests/list\""),
];

fn scene(noted: &str) -> Scene {
    let scene = Scene::new();
    scene.write("tests/run.sh", RUN);
    scene.write("tests/list", "alpha\nbeta\ngamma\n");
    scene.write("tests/filter", "*");
    scene.write("tests/noted", &format!("{noted}/runs"));
    let (before, agent) = TEAM.split_once("[[agent]]").unwrap();
    let (agent, phase) = agent.split_once("[[phase]]").unwrap();
    // Who waits until it may go on keeps nobody from those before.
    let other = agent.replace("coder", "other");
    let team = format!("{before}[[agent]]{agent}[[agent]]{other}[[phase]]{phase}");
    let mut team = team.replace("NOTED", noted);
    let mut after = String::new();
    for (nth, (task, may_go)) in TASKS.into_iter().enumerate() {
        let is_refused = nth < 2;
        let who = if is_refused { "coder" } else { "other" };
        team.push_str(&format!(
            "[[phase.task]]\nid = \"{task}\"\ntitle = \"{task}\"\nprompt = \"Do\"\nfiles = [\"tests/**\"]\n\
             may_delete = [{may_go}]\ngates = [\"plan\", \"tests\"]\nmax_attempts = 1\nagent = \"{who}\"\n{after}",
        ));
        // Nothing could come after those that are refused.
        if !is_refused {
            after = format!("depends_on = [\"{task}\"]\n");
        }
    }
    scene.and_team(&team)
}

fn is_over(scene: &Scene, task: &str) -> bool {
    let task = scene.worknode(&["task", "show", task, "--json"]).ok().json();
    matches!(task["status"].as_str(), Some("completed" | "failed"))
}

/// What failed in the work of a task.
fn findings(scene: &Scene, task: &str) -> Vec<Value> {
    let id = scene.worknode(&["task", "show", task, "--json"]).ok().json()["id"].clone();
    let events = scene.events().into_iter();
    let rejected = events.filter(|event| event["type"] == "task_rejected" && event["node"] == id);
    let findings = rejected.flat_map(|event| event["data"]["findings"].as_array().unwrap().clone());
    findings.collect()
}

#[test]
fn p3_tests_that_do_not_run_any_more_are_missed_whatever_their_source_says() {
    let noted = tempfile::tempdir().unwrap();
    let scene = scene(&noted.path().display().to_string());
    scene.worknode(&["up", "-d"]).ok();
    for (task, _) in TASKS {
        wait_for(task, || is_over(&scene, task));
        if task == "skip" {
            // What lands from here on is another base; those before are judged on the first.
            std::fs::write(noted.path().join("runs.go"), "").unwrap();
        }
    }

    // A filter in a file that is no test; the list of tests is as it was.
    let refused = findings(&scene, "filter");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["rule"], "tests.fewer");
    assert_eq!(
        (&refused[0]["measured"], &refused[0]["limit"]),
        (&1.into(), &3.into())
    );
    let message = refused[0]["message"].as_str().unwrap();
    assert!(
        message.contains("`beta`") && message.contains("`gamma`"),
        "{message}"
    );
    assert!(!message.contains("`alpha`"), "{message}");

    let refused = findings(&scene, "skip");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["rule"], "tests.skipped");

    // The name alone is another, one more, and one less where the plan says that it may go.
    for task in ["rename", "more", "drop"] {
        assert_eq!(findings(&scene, task), Vec::<Value>::new(), "{task}");
    }
    assert_eq!(scene.read("tests/list"), "renamed\ngamma\nlater\n");

    // Taken back, what it brought is gone, and that is what was asked.
    scene.worknode(&["task", "undo", "more"]).ok();
    scene.wait_for_task("undo-more", "completed");
    assert_eq!(scene.read("tests/list"), "renamed\ngamma\n");

    // The base was counted once, and once more before somebody is refused by what was known of it.
    // Whatever landed was judged, and so is known.
    let runs = std::fs::read_to_string(noted.path().join("runs")).unwrap();
    let ran = |list: &str| runs.lines().filter(|line| *line == list).count();
    assert_eq!(
        ran("alpha beta gamma"),
        3,
        "the base, and what looked like it: {runs}"
    );
    assert_eq!(ran("alpha renamed gamma later"), 1, "{runs}");

    // What the machine lacks is lacking on the base too.
    std::fs::write(noted.path().join("runs.lacks"), "").unwrap();
    let add = [
        "task", "add", "Later", "--file", "tests/**", "--gate", "plan", "--gate", "tests",
    ];
    scene.worknode(&add).ok();
    scene.wait_for_task("later", "completed");

    // Tried with tests gone by a forbidden way, it is kept as what it is.
    let violated = scene
        .events()
        .into_iter()
        .filter(|event| event["type"] == "rule_violated");
    let mut rules: Vec<String> = violated.map(|event| event["data"]["rule"].to_string()).collect();
    rules.sort();
    assert_eq!(rules, ["\"tests.fewer\"", "\"tests.skipped\""]);
    scene.worknode(&["down"]).ok();
}

/// A task that brings the tests, and one after it that has to wait until it may go on.
fn scene_without_tests(noted: &str) -> Scene {
    let cases = "case $WORKNODE_TASK in\n    \
                 first) mkdir -p tests; cp \"$SCENE\"/made/* tests; git add tests ;;\n    \
                 second) while ! test -e \"$SCENE\"/go; do sleep 0.1; done; printf 'a*' > tests/filter ;;";
    let mut team = TEAM
        .replace("NOTED", noted)
        .replace("case $WORKNODE_TASK in", cases)
        .replace("[[phase]]\n", "pass_env = [\"SCENE\"]\n\n[[phase]]\n");
    for (task, after) in [("first", ""), ("second", "\"first\"")] {
        team.push_str(&format!(
            "[[phase.task]]\nid = \"{task}\"\ntitle = \"{task}\"\nprompt = \"Do\"\nfiles = [\"tests/**\"]\n\
             gates = [\"plan\", \"tests\"]\nmax_attempts = 1\ndepends_on = [{after}]\n"
        ));
    }
    let scene = Scene::new().and_team(&team);
    scene.write("made/run.sh", RUN);
    scene.write("made/list", "alpha\nbeta\n");
    scene.write("made/filter", "*");
    scene.write("made/noted", &format!("{noted}/runs"));
    scene
}

#[test]
fn p3_a_base_without_tests_is_told_and_a_forged_count_is_not_believed() {
    let noted = tempfile::tempdir().unwrap();
    let scene = scene_without_tests(&noted.path().display().to_string());
    let up = worknode_tests::program::command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path())
        .output();
    assert!(up.unwrap().status.success());
    wait_for("the first", || is_over(&scene, "first"));
    let verdict = scene.wait_for_event("the verdict", |event| {
        event["type"] == "verdict_recorded" && event["data"]["verdict"]["gate"] == "tests"
    });
    let verdict = &verdict["data"]["verdict"];
    assert_eq!(verdict["outcome"], "passed", "{verdict}");
    let told = verdict["findings"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{verdict}");
    assert_eq!(
        (&told[0]["rule"], &told[0]["weight"]),
        (&"tests.uncompared".into(), &"warning".into())
    );

    for kept in std::fs::read_dir(scene.file(".worknode/counted")).unwrap() {
        let kept = kept.unwrap().path();
        let text = std::fs::read_to_string(&kept).unwrap();
        let text = text
            .replace("\"passed\":2", "\"passed\":1")
            .replace("\"beta\"", "\"alpha\"");
        std::fs::write(&kept, text).unwrap();
    }
    scene.write("go", "");
    wait_for("the second", || is_over(&scene, "second"));
    assert_eq!(findings(&scene, "second")[0]["rule"], "tests.fewer");
    let runs = std::fs::read_to_string(noted.path().join("runs")).unwrap();
    assert_eq!(
        runs,
        "alpha beta\n".repeat(3),
        "each task, and again what was forged"
    );
    scene.worknode(&["down"]).ok();
}
