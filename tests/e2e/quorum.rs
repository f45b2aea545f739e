//! Several have to agree, and people are among them.

use worknode_tests::{
    program::{Done, command},
    scene::Scene,
    wait::wait_for,
};

const TEAM: &str = r#"
[team]
name = "quorum"

[[kind]]
name = "person"

[[agent]]
name = "coder"
command = ["sh", "-c", "echo x > work.txt && git add . && git commit -qm work"]

[[phase]]
name = "all"
[[phase.task]]
id = "work"
title = "Work"
prompt = "Write work.txt"
files = ["work.txt"]
approval = { quorum = 2 }
"#;

/// The program as `who` calls it, with the capability that the operator gave them.
fn as_person(scene: &Scene, who: &str, args: &[&str]) -> Done {
    let mut program = command(scene.path());
    program
        .env("WORKNODE_SOCKET", scene.file(".worknode/worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", scene.file(who))
        .args(args);
    program.output().unwrap().into()
}

fn capability(scene: &Scene, who: &str, file: &str, more: &[&str]) {
    let issue = [&["capability", "issue", who][..], more].concat();
    scene.write(file, &scene.worknode(&issue).ok().stdout);
}

#[test]
fn p3_people_agree_each_once_and_only_who_was_asked_to() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    for who in ["ada", "bob", "eve"] {
        scene.worknode(&["node", "create", "person", who]).ok();
    }
    for who in ["ada", "bob"] {
        capability(&scene, who, who, &["--review"]);
    }
    capability(&scene, "eve", "eve", &[]);
    scene
        .worknode(&["capability", "issue", "coder", "--review"])
        .fails(2)
        .says(&["only a person"]);

    wait_for("somebody to be asked", || scene.count("review_requested") == 1);
    as_person(&scene, "eve", &["approve", "work"]).fails(4);
    as_person(&scene, "ada", &["approve", "work"]).ok();
    as_person(&scene, "ada", &["approve", "work"]).ok();
    let shown = scene.worknode(&["task", "show", "work", "--json"]).ok().json();
    assert_eq!(
        (&shown["status"], &shown["reason"]),
        (&"in_review".into(), &"1 of 2 agree".into())
    );
    as_person(&scene, "bob", &["approve", "work"]).ok();
    scene.wait_for_task("work", "completed");
    let message = scene.git(&["log", "-1", "--format=%B", "main"]);
    for who in ["ada", "bob"] {
        assert!(
            message.contains(&format!("Worknode-Approved-By: {who}")),
            "{message}"
        );
    }
    scene.worknode(&["down"]).ok();
}
