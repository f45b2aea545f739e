//! Trying to get past the gates: each attempt is made by an agent that submits it, is refused on
//! exactly its rule, and leaves nothing on the base branch.

use worknode_tests::{scene::Scene, wait::wait_for};

/// What an agent does, and the rule on which it is refused.
struct Attempt {
    task: &'static str,
    gates: &'static str,
    does: &'static str,
    rule: &'static str,
}

const fn attempt(task: &'static str, gates: &'static str, rule: &'static str, does: &'static str) -> Attempt {
    Attempt {
        task,
        gates,
        does,
        rule,
    }
}

const ATTEMPTS: &[Attempt] = &[
    attempt(
        "deleted-test",
        "tests",
        "tests.removed",
        "printf 'def test_a():\\n    pass\\n' > test_x.py",
    ),
    attempt(
        "skipped-test",
        "tests",
        "tests.skipped",
        "sed -i 's/^def test_b/@pytest.mark.skip\\ndef test_b/' test_x.py",
    ),
    attempt(
        "said-passed",
        "tests",
        "tests.unread",
        "echo 'echo all tests passed' > tests/run.sh",
    ),
    attempt(
        "counted-none",
        "tests",
        "tests.none",
        "echo \"echo 'test result: ok. 0 passed; 0 failed; 0 ignored'\" > tests/run.sh",
    ),
    attempt(
        "forged-report",
        "coverage",
        "coverage.forged",
        "printf 'SF:a.py\\nDA:1,1\\nend_of_record\\n' > lcov.info; git add -f lcov.info",
    ),
    attempt(
        "stale-report",
        "coverage",
        "coverage.stale",
        "echo \"printf 'SF:a.py\\nDA:999,1\\nend_of_record\\n' > lcov.info\" > tests/run.sh; printf 'def f(): return 1\\n' > a.py",
    ),
    attempt(
        "silenced",
        "complexity",
        "complexity.cyclomatic",
        "{ echo '# noqa'; echo 'def f(a):  # noqa: C901'; for n in 1 2 3 4 5 6 7 8 9; do echo \"    if a == $n: pass  # noqa\"; done; } > a.py",
    ),
    attempt(
        "renamed",
        "complexity",
        "complexity.cyclomatic",
        "sed -i 's/def old/def new/; s/    pass/    if a == 99: pass/' old.py",
    ),
    attempt(
        "huge",
        "size",
        "size.file",
        "head -c 6000000 /dev/zero | tr '\\0' x > a.py",
    ),
    attempt("binary", "size", "size.binary", "printf 'def f():\\0' > a.py"),
    attempt("leads-out", "size", "plan.link", "ln -s ../../../etc/passwd link"),
    attempt("twin", "size", "plan.twin", "echo 1 > OLD.py"),
    attempt(
        "submodule",
        "size",
        "plan.submodule",
        "mkdir sub; git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub",
    ),
    attempt("forks", "forks", "forks.failed", "echo x > a.py"),
    attempt("hangs", "hangs", "hangs.timeout", "echo x > a.py"),
];

const TEAM: &str = r#"
[team]
name = "cheats"

[gate.tests]
command = ["sh", "tests/run.sh"]
counted = true

[gate.coverage]
reports = ["lcov.info"]

[gate.size]
severity = "error"

[gate.command.forks]
command = ["sh", "-c", "setsid sleep 1000 & exit 3"]

[gate.command.hangs]
command = ["sh", "-c", "setsid sleep 1000 & sleep 1000"]
timeout = "1s"

[[agent]]
name = "cheat"
command = ["sh", "-c", "sh \"$SCENE/$(basename $WORKNODE_TASK).sh\" && git add -A && git commit -qm cheat"]
pass_env = ["SCENE"]
count = 3
"#;

fn plan() -> String {
    let task = |attempt: &Attempt| {
        let Attempt { task, gates, .. } = attempt;
        format!(
            "[[phase.task]]\nid = \"{task}\"\ntitle = \"{task}\"\nprompt = \"x\"\nfiles = [\"**\", \"link\"]\nmax_attempts = 1\ngates = [\"plan\", \"{gates}\"]\n"
        )
    };
    let tasks: String = ATTEMPTS.iter().map(task).collect();
    format!("{TEAM}\n[[phase]]\nname = \"all\"\n{tasks}")
}

#[test]
fn p3_no_attempt_gets_past_the_gates() {
    let scripts = tempfile::tempdir().unwrap();
    let scene = Scene::new();
    scene.write(
        "test_x.py",
        "def test_a():\n    pass\n\n\ndef test_b():\n    pass\n",
    );
    scene.write("a.py", "x = 1\n");
    let ifs: String = (0..9)
        .map(|n| format!("    if a == {n}:\n        return {n}\n"))
        .collect();
    scene.write("old.py", &format!("def old(a):\n{ifs}    pass\n"));
    scene.write(
        "tests/run.sh",
        "echo 'test a ... ok'\necho 'test result: ok. 1 passed; 0 failed; 0 ignored'\n",
    );
    let scene = scene.and_team(&plan());
    for attempt in ATTEMPTS {
        std::fs::write(scripts.path().join(format!("{}.sh", attempt.task)), attempt.does).unwrap();
    }
    let up = worknode_tests::program::command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scripts.path())
        .output()
        .unwrap();
    assert!(up.status.success(), "{up:?}");
    wait_for("every attempt to be refused", || {
        scene.count("task_rejected") >= ATTEMPTS.len()
    });
    let events = scene.events();
    for attempt in ATTEMPTS {
        let refused = events.iter().any(|event| {
            event["type"] == "task_rejected" && event.to_string().contains(&format!("\"{}\"", attempt.rule))
        });
        assert!(refused, "{} was not refused by {}", attempt.task, attempt.rule);
    }
    assert_eq!(scene.landed(), ["seed", "team"]);
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}
