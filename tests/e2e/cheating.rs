//! Attempts to get work past the rules: each is refused, and the refusal is kept.
//!
//! Agents try what a commit can carry, those outside try what words can do. What is tested closer to
//! its rule is named in [`ELSEWHERE`], and a test sees to it that it is still there.

use std::sync::Arc;

use worknode_actors::new_task::{NewTask, add_task};
use worknode_core::{
    agent::Tier,
    command::Command,
    error::Code,
    event::Principal,
    git::{CommitId, TreeId},
    ids::{NodeId, RunId},
    node::Node,
    task::{Approval, TaskCommand, TaskSpec},
    time::Timestamp,
    verdict::Finding,
};
use worknode_policies::{
    authority::Authority,
    verdict::{Judgement, SigningKeys, sign},
};
use worknode_tests::{program::command, scene::Scene, wait::wait_for, within::Within};

/// Each task: its name, what the plan lets it touch, what its agent does, and the rule that says no.
const ATTEMPTS: &[(&str, &str, &str, &str)] = &[
    (
        "outside",
        r#"["mine.txt"]"#,
        "echo x >> README.md; echo x > mine.txt",
        "plan.outside",
    ),
    (
        "new-outside",
        r#"["mine.txt"]"#,
        "echo x > other.txt; echo x > mine.txt",
        "plan.outside",
    ),
    (
        "config",
        r#"["**"]"#,
        "echo x > a.txt; sed -i 's/tests.run.sh/true/' worknode.toml",
        "plan.protected",
    ),
    (
        "config-twin",
        r#"["**"]"#,
        "echo '[team]' > WORKNODE.toml",
        "plan.protected",
    ),
    ("plan", r#"["**"]"#, "echo > plan.toml", "plan.protected"),
    (
        "profile",
        r#"["**"]"#,
        "mkdir -p agent-profiles; echo 'tier = \"validation\"' > agent-profiles/implementation.toml",
        "plan.protected",
    ),
    (
        "pipeline",
        r#"["**"]"#,
        "mkdir -p .github/workflows; echo x > .github/workflows/ci.yml",
        "plan.protected",
    ),
    (
        "client-hooks",
        r#"["**"]"#,
        "mkdir -p .claude; echo '{}' > .claude/settings.json",
        "plan.protected",
    ),
    (
        "runtime-folder",
        r#"["**"]"#,
        "mkdir -p .worknode/keys; echo x > .worknode/keys/operator.token; git add -f .worknode",
        "plan.protected",
    ),
    (
        "delete-test",
        r#"["**"]"#,
        "git rm -q tests/run.sh",
        "plan.deleted",
    ),
    (
        "rename-test",
        r#"["**"]"#,
        "git mv tests/run.sh tests/not-run.sh",
        "plan.deleted",
    ),
    (
        "symlink",
        r#"["**"]"#,
        "ln -s ../../../keys/daemon.key key",
        "plan.symlink",
    ),
    (
        "file-to-symlink",
        r#"["**"]"#,
        "rm README.md; ln -s /etc/passwd README.md",
        "plan.symlink",
    ),
    (
        "submodule",
        r#"["**"]"#,
        "git init -q vendored; git -C vendored -c user.name=x -c user.email=x@x.invalid commit -q --allow-empty -m x",
        "plan.submodule",
    ),
    (
        "mode",
        r#"["mine.txt"]"#,
        "echo x > mine.txt; chmod +x README.md",
        "plan.outside",
    ),
    (
        "two-commits",
        r#"["mine.txt"]"#,
        "echo x >> README.md; git commit -qam hidden; echo x > mine.txt",
        "plan.outside",
    ),
    (
        "suppressed-tests",
        r#"["tests/run.sh"]"#,
        "printf 'echo all tests passed; exit 1\\n' > tests/run.sh",
        "tests.failed",
    ),
    (
        "hanging-tests",
        r#"["tests/run.sh"]"#,
        "echo 'sleep 600' > tests/run.sh",
        "tests.timeout",
    ),
    (
        "flooding-tests",
        r#"["tests/run.sh"]"#,
        "echo 'yes flood' > tests/run.sh",
        "tests.timeout",
    ),
    (
        "forking-tests",
        r#"["tests/run.sh"]"#,
        "printf '(setsid sh -c \"sleep 2; echo x > %s/escaped\" &)\\nexit 1\\n' \"$SCENE\" > tests/run.sh",
        "tests.failed",
    ),
];

/// Attempts that are tested where their rule is: what, the file, and the name of the test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "hooks, filters, fsmonitor and programs of git in the agent's clone",
        include_str!("../../runtime/git/src/import/tests.rs"),
        "p9_nothing_that_an_agent_configured_ever_runs",
    ),
    (
        "a merge driver named by attributes",
        include_str!("../../runtime/git/src/candidate/tests.rs"),
        "a_merge_program_named_by_the_base_does_not_decide",
    ),
    (
        "a huge file",
        include_str!("../../runtime/git/src/import/tests.rs"),
        "p8_a_submission_that_is_too_large_is_refused",
    ),
    (
        "a tree that unfolds without end",
        include_str!("../../runtime/git/src/import/tests.rs"),
        "p8_a_tree_that_unfolds_without_end_is_refused",
    ),
    (
        "a path below .git",
        include_str!("../../runtime/git/src/import/tests.rs"),
        "p9_a_tree_that_reaches_into_the_git_folder_is_refused",
    ),
    (
        "replaced objects",
        include_str!("../../runtime/git/src/import/tests.rs"),
        "p9_replaced_objects_and_grafts_are_not_believed",
    ),
    (
        "a verdict for another task, claim or configuration",
        include_str!("../../policies/src/landing/tests.rs"),
        "p3_a_verdict_for_another_task_claim_or_configuration_counts_for_nothing",
    ),
    (
        "an approval for something else, or an old one",
        include_str!("../../policies/src/landing/tests.rs"),
        "p3_an_approval_counts_for_what_was_shown_and_for_a_while",
    ),
    (
        "a quorum of one and the same",
        include_str!("../../policies/src/landing/tests.rs"),
        "p3_a_quorum_is_of_distinct_others",
    ),
    (
        "a verdict with a changed field",
        include_str!("../../policies/src/verdict.rs"),
        "p3_no_field_can_be_changed",
    ),
    (
        "a write under an old claim",
        include_str!("claims.rs"),
        "p1_every_verb_through_the_program_and_an_old_epoch_is_refused_by_each",
    ),
    (
        "traps for the runtime's git and gates, the keys, the journal, the neighbour",
        include_str!("escape.rs"),
        "p9_there_is_no_way_out_of_an_agents_box",
    ),
    (
        "hooks taken away or bypassed",
        include_str!("hooks.rs"),
        "p3_without_its_hooks_the_same_work_is_refused_all_the_same",
    ),
];

#[test]
fn what_is_tested_elsewhere_is_still_there() {
    for (what, source, test) in ELSEWHERE {
        assert!(source.contains(&format!("fn {test}(")), "{what}: {test} is gone");
    }
    assert!(ATTEMPTS.len() + ELSEWHERE.len() >= 25);
}

fn team() -> String {
    let mut team = r#"
[team]
name = "cheats"
gates = ["plan", "tests"]

[plan]
deviation = 100

[gate.tests]
command = ["sh", "tests/run.sh"]
timeout = "4s"

[[agent]]
name = "cheat"
count = 4
limits = { grace = "1s" }
command = ["sh", "-c", """
sh -c "$(cat "$SCENE/do-$WORKNODE_TASK")"
git add -A . && git commit -qm "$WORKNODE_TASK"; exit 0
"""]
pass_env = ["SCENE"]

[[phase]]
name = "all"
"#
    .to_owned();
    for (name, files, _, _) in ATTEMPTS {
        team.push_str(&format!(
            "[[phase.task]]\nid = \"{name}\"\ntitle = \"{name}\"\nprompt = \"Try\"\nfiles = {files}\nmax_attempts = 1\n"
        ));
    }
    team
}

#[test]
fn p3_p9_what_a_commit_can_carry_is_refused_by_its_rule_and_kept() {
    let scene = Scene::new();
    for (name, _, script, _) in ATTEMPTS {
        scene.write(&format!("do-{name}"), script);
    }
    scene.write(".gitignore", ".worknode/\ndo-*\nescaped\n");
    let scene = scene.and_team(&team());
    let before = scene.git(&["rev-parse", "main"]);
    let up = command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path().canonicalize().unwrap())
        .output();
    assert!(up.unwrap().status.success());
    for (name, ..) in ATTEMPTS {
        scene.wait_for_task(name, "failed");
    }
    let events = scene.events();
    let tasks = scene.worknode(&["task", "list", "--json"]).ok().json();
    for (name, _, _, rule) in ATTEMPTS {
        let task = tasks
            .as_array()
            .unwrap()
            .iter()
            .find(|task| task["key"] == *name)
            .unwrap();
        let rules: Vec<_> = task["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["rule"].as_str().unwrap())
            .collect();
        assert!(rules.contains(rule), "{name}: {rules:?}");
        let of = |kind: &str| {
            let own = events
                .iter()
                .filter(|e| e["type"] == kind && e["node"] == task["id"]);
            own.cloned().collect::<Vec<_>>()
        };
        assert_eq!(of("task_rejected").len(), 1, "{name}");
        assert!(of("landing_started").is_empty(), "{name}");
        if rule.starts_with("plan.") {
            let kept = of("rule_violated");
            assert!(
                kept.iter().any(|event| event["data"]["rule"] == *rule),
                "{name}: {kept:?}"
            );
        }
    }
    assert_eq!(scene.git(&["rev-parse", "main"]), before, "nothing has landed");
    assert!(
        !scene.file("escaped").exists(),
        "what a gate left behind has ended"
    );
    scene
        .worknode(&["audit", "verify"])
        .ok()
        .says(&["verdicts carry the runtime's signature"]);
    scene.worknode(&["down"]).ok();
}

const WORDS: &str = r#"
[team]
name = "words"

[[agent]]
name = "boss"
profile = "executive"
command = ["/bin/true"]
start = "trigger"

[[agent]]
name = "judge"
profile = "validation"
command = ["/bin/true"]

[[agent]]
name = "coder"
command = ["/bin/true"]
start = "trigger"
"#;

fn agent(within: &Within, name: &str, tier: Tier) -> Arc<Authority> {
    Arc::new(Authority::whole(Principal::Agent {
        node: within.system().team().agent_node(name),
        name: name.to_owned(),
        run: RunId::from_parts(1, [1; 10]),
        tier,
    }))
}

async fn spec_of(within: &Within, task: NodeId) -> TaskSpec {
    let node: Node = within.system().reader().node(task).unwrap().unwrap();
    (*node.task().unwrap().spec).clone()
}

async fn violations(within: &Within) -> usize {
    let mut filter = worknode_journal::EventFilter {
        types: vec!["rule_violated".to_owned()],
        ..Default::default()
    };
    let mut count = 0;
    loop {
        let page = within.system().reader().events(&filter).unwrap();
        let Some(last) = page.last() else { return count };
        filter.after = last.at;
        count += page.len();
    }
}

/// What words can do: whoever could ask for less than the team does would lead work around its gates.
#[tokio::test]
async fn p3_p9_what_words_can_do_is_refused_and_kept() {
    let scene = Scene::with_team(WORDS);
    let within = Within::start(&scene, Timestamp::from_millis(1_000_000_000)).await;
    let system = within.system();
    let boss = agent(&within, "boss", Tier::Executive);

    // A task without gates, which nobody would look at.
    let new = NewTask {
        key: Some("free".into()),
        title: "Free".into(),
        files: vec!["**".into()],
        gates: Some(Vec::new()),
        approval: Some(Approval::None),
        agent: Some("nobody".into()),
        ..NewTask::default()
    };
    let free = add_task(system, &boss, new).await.unwrap();
    let spec = spec_of(&within, free).await;
    assert_eq!(
        (&spec.gates[..], spec.approval),
        (&["plan".to_owned()][..], Approval::Validation)
    );

    // A gate that is taken away, and an approval that is asked for no more.
    let amend = |change: fn(&mut TaskSpec)| {
        let mut less = spec.clone();
        change(&mut less);
        TaskCommand::Amend {
            spec: Box::new(less),
            before: serde_json::Map::new(),
            after: serde_json::Map::new(),
            reason: "quicker".into(),
        }
    };
    let ask = |who: Arc<Authority>, command: TaskCommand| {
        let system = system.clone();
        async move {
            let asked = system.ask(&who, free, Command::Task(command), None).await;
            asked.map(drop).map_err(|error| error.code)
        }
    };
    assert_eq!(
        ask(boss.clone(), amend(|spec| spec.gates.clear())).await,
        Err(Code::Refused)
    );
    assert_eq!(
        ask(boss.clone(), amend(|spec| spec.approval = Approval::None)).await,
        Err(Code::Refused)
    );
    let coder = agent(&within, "coder", Tier::Implementation);
    let wider = amend(|spec| spec.files.push("worknode.toml".into()));
    assert_eq!(ask(coder.clone(), wider).await, Err(Code::Forbidden));

    // A verdict of one's own, a landing, a completion; an approval of one's own work.
    let commit: CommitId = "1".repeat(40).parse().unwrap();
    let tree: TreeId = "2".repeat(40).parse().unwrap();
    let forged = sign(
        &SigningKeys::from_seed([6; 32]),
        Judgement {
            gate: "plan".into(),
            tree: tree.clone(),
            commit: commit.clone(),
            findings: Vec::<Finding>::new(),
            took_ms: 1,
            bound: None,
        },
    );
    let judge = agent(&within, "judge", Tier::Validation);
    let deeds = [
        TaskCommand::RecordVerdict { verdict: forged },
        TaskCommand::Complete {
            tree,
            commit: commit.clone(),
        },
        TaskCommand::Fail { reason: "no".into() },
    ];
    for who in [&boss, &coder, &judge] {
        for deed in &deeds {
            assert_eq!(ask(who.clone(), deed.clone()).await, Err(Code::Forbidden));
        }
    }
    let approve = TaskCommand::Approve {
        commit,
        note: String::new(),
        shown: String::new(),
    };
    assert_eq!(ask(coder, approve.clone()).await, Err(Code::Forbidden));
    assert_eq!(ask(boss, approve).await, Err(Code::Forbidden));
    assert!(violations(&within).await >= 3, "who tried is kept");
    within.runtime.shutdown("the test is over").await;
}

const REVIEWED: &str = r#"
[team]
name = "reviewed"
approval = "operator"

[[agent]]
name = "coder"
command = ["sh", "-c", """
echo good > work.txt && git add . && git commit -qm work && worknode task submit
worknode approve "$WORKNODE_TASK" && echo OUT approved
echo evil > work.txt && git commit -qam evil --amend
worknode task submit && echo OUT twice
WORKNODE_EPOCH=7 worknode task submit && echo OUT epoch
true
"""]

[[phase]]
name = "all"
[[phase.task]]
id = "work"
title = "Work"
prompt = "Write work.txt"
files = ["work.txt"]
"#;

#[test]
fn p3_what_is_amended_after_it_was_handed_in_does_not_land() {
    let scene = Scene::with_team(REVIEWED);
    scene.worknode(&["up", "-d"]).ok();
    wait_for("the review to be asked for", || {
        scene.count("review_requested") == 1
    });
    wait_for("the agent to end", || scene.count("run_exited") >= 1);
    let logs = scene.worknode(&["logs", "coder"]).ok().stdout;
    assert!(!logs.contains("OUT"), "{logs}");
    let rules: Vec<_> = scene
        .events()
        .into_iter()
        .filter(|event| event["type"] == "rule_violated")
        .map(|event| event["data"]["rule"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        rules.iter().any(|rule| rule == "operation" || rule == "tier"),
        "{rules:?}"
    );

    // Another word for something else, then the word for what is shown.
    let wrong = format!("sha256:{}", "0".repeat(64));
    scene.worknode(&["approve", "work", "--shown", &wrong]).fails(5);
    let task = scene.worknode(&["task", "show", "work", "--json"]).ok().json();
    let shown = task["shown"].as_str().unwrap();
    // The plan changes after it was looked at: what was shown is not what is in review.
    scene
        .worknode(&[
            "plan", "change", "work", "--file", "work.txt", "--file", "more.txt",
        ])
        .ok();
    scene.worknode(&["approve", "work", "--shown", shown]).fails(5);
    wait_for("it to be judged under the new plan", || {
        scene.count("review_requested") == 2
    });
    let task = scene.worknode(&["task", "show", "work", "--json"]).ok().json();
    let shown = task["shown"].as_str().unwrap();
    scene.worknode(&["approve", "work", "--shown", shown]).ok();
    scene.wait_for_task("work", "completed");
    assert_eq!(scene.read("work.txt"), "good\n");
    let message = scene.git(&["log", "-1", "--format=%B", "main"]);
    for trailer in [
        "Worknode-Task: work",
        "Worknode-Author: coder",
        "Worknode-Approved-By: operator",
        "Worknode-Verdict: plan passed ",
    ] {
        assert!(message.contains(trailer), "{trailer}: {message}");
    }

    // Taken back by a change of its own, through the same gates.
    scene
        .worknode(&["task", "undo", "work", "--reason", "not good"])
        .ok();
    scene.wait_for_task("undo-work", "completed");
    assert!(!scene.file("work.txt").exists());
    assert_eq!(scene.landed(), ["seed", "team", "Work", "Undo: Work"]);
    scene.worknode(&["task", "undo", "undo-work"]).ok();
    scene.wait_for_task("undo-undo-work", "completed");
    assert_eq!(scene.read("work.txt"), "good\n");
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["down"]).ok();
}
