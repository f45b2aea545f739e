//! Gates by themselves, on any repository: what `gate run` says, in every form, and how it ends.

use serde_json::Value;
use worknode_tests::scene::Scene;

/// A repository without a team.
fn repository() -> Scene {
    let scene = Scene::new();
    scene.write("a.py", "\"\"\"A.\"\"\"\n");
    scene.commit("a");
    scene
}

/// A Python function with so many ways through it.
fn function(name: &str, ways: u32) -> String {
    let ifs: String = (1..ways)
        .map(|n| format!("    if a == {n}:\n        return {n}\n"))
        .collect();
    format!("def {name}(a):\n    \"\"\"Says.\"\"\"\n{ifs}    return 0\n")
}

fn rules(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

#[test]
fn without_any_configuration_a_change_is_checked() {
    let scene = repository();
    scene
        .worknode(&["gate", "run"])
        .ok()
        .says(&["passed complexity", "0 errors"]);
    scene.write("a.py", &format!("\"\"\"A.\"\"\"\n{}", function("f", 12)));
    let done = scene
        .worknode(&["gate", "run", "--diff", "HEAD", "--json"])
        .fails(6);
    let answer = done.json();
    let finding = &answer["findings"][0];
    assert_eq!(rules(&answer), ["complexity.cyclomatic"]);
    assert_eq!((&finding["file"], &finding["line"]), (&"a.py".into(), &2.into()));
    assert_eq!(
        (&finding["function"], &finding["measured"], &finding["limit"]),
        (&"f".into(), &12.into(), &8.into())
    );
    assert_eq!(answer["passed"], false);
    scene.worknode(&["gate", "run", "--staged"]).ok();
    scene.git(&["add", "a.py"]);
    scene
        .worknode(&["gate", "run", "--staged"])
        .fails(6)
        .says(&["a.py:2: error: `f` has 12 ways", "failed complexity"]);
    scene
        .worknode(&["gate", "run", "--staged", "--gate", "size", "--gate", "secrets"])
        .ok();
    scene
        .worknode(&["gate", "run", "--gate", "complexitty"])
        .fails(2)
        .says(&["did you mean `complexity`?"]);
    scene.worknode(&["gate", "run", "--diff", "nowhere"]).fails(1);
}

#[test]
fn other_programs_read_what_was_found() {
    let scene = repository();
    scene.write("b.py", &format!("\"\"\"B.\"\"\"\n{}", function("f", 9)));
    let sarif = scene
        .worknode(&["gate", "run", "--diff", "main", "--format", "sarif"])
        .fails(6)
        .json();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "complexity.cyclomatic");
    assert_eq!(
        result["locations"][0]["physicalLocation"]["region"]["startLine"],
        2
    );
    scene
        .worknode(&["gate", "run", "--diff", "main", "--format", "github"])
        .fails(6)
        .says(&["::error file=b.py,line=2,title=complexity.cyclomatic::"]);
    let list = scene.worknode(&["gate", "list", "--json"]).ok().json();
    assert_eq!(list["gates"].as_array().unwrap().len(), 9);
    assert!(
        list["gates"]
            .as_array()
            .unwrap()
            .iter()
            .all(|gate| gate["cannot_see"].is_string())
    );
}

const TOLD: &str = r#"
[gate.tests]
command = ["sh", "tests/run.sh"]
reports = ["junit.xml"]
counted = true

[gate.coverage]
reports = ["lcov.info"]
changed = 100

[gate.command.lint]
command = ["sh", "lint.sh", "{files}"]
answer = "json"

[gate.rule.small]
require = "change.lines_added < 50"

[[gates.waiver]]
rule = "docs.function"
file = "legacy.py"
by = "Ada"
reason = "goes away with the old form"
until = "2099-12-31"
"#;

fn configured() -> Scene {
    let scene = repository().and_team(TOLD);
    scene.write(".gitignore", ".worknode/\njunit.xml\nlcov.info\n");
    scene.write("lint.sh", "echo '[]'\n");
    let junit = "echo '<testsuite><testcase name=\"a\"/></testsuite>' > junit.xml\n";
    let lcov = "printf 'SF:a.py\\nDA:2,1\\nDA:3,1\\nend_of_record\\n' > lcov.info\n";
    scene.write("tests/run.sh", &format!("{junit}{lcov}"));
    scene.commit("tools");
    scene
}

#[test]
fn programs_reports_and_conditions_are_gates_too() {
    let scene = configured();
    scene.write("a.py", "\"\"\"A.\"\"\"\ndef f():\n    \"\"\"Says.\"\"\"\n");
    scene.worknode(&["gate", "run", "--diff", "main"]).ok().says(&[
        "passed tests",
        "passed coverage",
        "passed lint",
        "passed small",
    ]);
    scene.write(
        "lint.sh",
        "echo '[{\"rule\": \"style\", \"file\": \"'$1'\", \"line\": 1, \"message\": \"no\"}]'\n",
    );
    let answer = scene
        .worknode(&["gate", "run", "--diff", "main", "--gate", "lint", "--json"])
        .fails(6)
        .json();
    assert_eq!(
        (rules(&answer), &answer["findings"][0]["file"]),
        (vec!["lint.style"], &"a.py".into())
    );
    scene.write("legacy.py", "\"\"\"L.\"\"\"\ndef g():\n    pass\n");
    let answer = scene
        .worknode(&["gate", "run", "--diff", "main", "--gate", "docs", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&answer["waived"], &answer["findings"][0]["waived"]["by"]),
        (&1.into(), &"Ada".into())
    );
}

#[test]
fn p3_reports_that_nobody_made_now_prove_nothing() {
    let scene = configured();
    scene.write("a.py", "\"\"\"A.\"\"\"\ndef f():\n    \"\"\"Says.\"\"\"\n");
    scene
        .worknode(&["gate", "run", "--diff", "main", "--gate", "coverage"])
        .ok();
    // The report of that run is still there; this one writes none.
    scene.write("tests/run.sh", "echo all tests passed\n");
    scene
        .worknode(&["gate", "run", "--diff", "main", "--gate", "coverage"])
        .fails(6)
        .says(&["coverage.unread"]);
    scene
        .worknode(&["gate", "run", "--diff", "main", "--gate", "tests"])
        .fails(6)
        .says(&["tests.unread"]);
    // One that is part of the change is not made by anybody's tests.
    scene.write("tests/run.sh", "true\n");
    scene.write(".gitignore", ".worknode/\n");
    scene
        .worknode(&["gate", "run", "--diff", "main", "--gate", "coverage"])
        .fails(6)
        .says(&["coverage.forged"]);
}

#[test]
fn p8_a_program_that_hangs_is_ended_with_all_that_it_started() {
    let scene = repository().and_team(
        "[gate.command.slow]\ncommand = [\"sh\", \"-c\", \"setsid sleep 1000 & sleep 1000\"]\ntimeout = \"1s\"\n",
    );
    scene
        .worknode(&["gate", "run", "--gate", "slow"])
        .fails(6)
        .says(&["slow.timeout"]);
    assert_eq!(scene.processes(), 0);
}

#[test]
fn mistakes_in_what_gates_are_told_are_said() {
    let scene = repository().and_team("[gate.complexity]\ncyclomatic = \"many\"\n");
    scene
        .worknode(&["gate", "run"])
        .fails(2)
        .says(&["gate.complexity.cyclomatic", "worknode.toml:2"]);
    // A machine that only checks has none of the agents' programs.
    let scene = repository()
        .and_team("[team]\nname = \"t\"\n[[agent]]\nname = \"a\"\ncommand = [\"no-such-program\"]\n");
    scene.worknode(&["gate", "run"]).ok();
}

#[test]
fn a_change_is_judged_as_the_work_of_a_task() {
    let scene = repository().and_team(
        "[team]\nname = \"t\"\n\n[[phase]]\nname = \"all\"\n\n[[phase.task]]\nid = \"work\"\ntitle = \"Work\"\n\
         prompt = \"Do it\"\nfiles = [\"a.py\"]\ndeliverables = [\"report/\"]\ngates = [\"plan\", \"docs\"]\n",
    );
    scene.write("a.py", "\"\"\"A.\"\"\"\nX = 1\n");
    scene.write("b.py", "\"\"\"B.\"\"\"\n");
    let judged = |args: &[&str]| {
        let all: Vec<&str> = ["gate", "run", "--json"].iter().chain(args).copied().collect();
        scene.worknode(&all)
    };
    let answer = judged(&["--diff", "HEAD", "--task", "work"]).fails(6).json();
    assert_eq!(rules(&answer), ["plan.outside", "plan.undelivered"]);
    assert_eq!(answer["findings"][0]["file"], "b.py");
    let gates: Vec<&str> = answer["gates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gate| gate["gate"].as_str().unwrap())
        .collect();
    assert_eq!(gates, ["plan", "docs"], "those of the task");
    // What is staged is not all of it yet.
    scene.git(&["add", "a.py"]);
    judged(&["--staged", "--task", "work"]).ok();
    let named = judged(&["--staged", "--task", "work", "--gate", "size"])
        .ok()
        .json();
    assert_eq!(named["gates"].as_array().unwrap().len(), 1);
    std::fs::remove_file(scene.file("b.py")).unwrap();
    scene.write("report/x.md", "done\n");
    let answer = judged(&["--diff", "HEAD", "--task", "work"]).fails(6).json();
    assert_eq!(rules(&answer), ["plan.outside"]);
    scene
        .worknode(&["gate", "run", "--task", "works"])
        .fails(3)
        .says(&["did you mean `work`?"]);
}

/// Tests that count their runs, say what ran in TAP, and leave a report of coverage.
fn counted(tests: u32) -> String {
    let mut script =
        "echo ran >> ran.log\nprintf 'TN:\\nSF:a.py\\nDA:1,1\\nend_of_record\\n' > lcov.info\n".to_owned();
    script.push_str(&format!("echo TAP version 13\necho 1..{tests}\n"));
    for nth in 1..=tests {
        script.push_str(&format!("echo ok {nth} - t{nth}\n"));
    }
    script
}

#[test]
fn tests_run_once_for_all_gates_and_on_the_base_when_asked() {
    let scene = repository();
    scene.write(".gitignore", "ran.log\nlcov.info\n");
    scene.write("tests/run.sh", &counted(3));
    let scene = scene.and_team(
        "[gate.tests]\ncommand = [\"sh\", \"tests/run.sh\"]\n\n[gate.coverage]\nreports = [\"lcov.info\"]\n",
    );
    scene.write("tests/run.sh", &counted(2));
    let gates = [
        "gate", "run", "--diff", "HEAD", "--json", "--gate", "tests", "--gate", "coverage",
    ];
    let answer = scene.worknode(&gates).json();
    assert_eq!(answer["gates"].as_array().unwrap().len(), 2);
    assert_eq!(scene.read("ran.log"), "ran\n", "once for both gates");
    assert!(
        !rules(&answer).contains(&"tests.fewer"),
        "nobody counted those of the base"
    );

    let asked = [&gates[..], &["--base-tests"]].concat();
    let answer = scene.worknode(&asked).fails(6).json();
    let findings = answer["findings"].as_array().unwrap().iter();
    let fewer: Vec<&Value> = findings
        .filter(|finding| finding["rule"] == "tests.fewer")
        .collect();
    assert_eq!(fewer.len(), 1, "{answer}");
    assert_eq!(
        (&fewer[0]["measured"], &fewer[0]["limit"]),
        (&2.into(), &3.into())
    );
    assert_eq!(
        scene.read("ran.log"),
        "ran\nran\n",
        "those of the base ran elsewhere"
    );
    assert_eq!(
        scene.git(&["worktree", "list"]).lines().count(),
        1,
        "the repository is as it was"
    );
}
