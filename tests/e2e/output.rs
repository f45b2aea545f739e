//! What goes in and comes out of agents in quantity: bounded where it must be, whole where it
//! must be.

use std::fs;

use worknode_tests::{program::command, scene::Scene};

fn team(script: &str, more: &str) -> String {
    format!(
        r#"
[team]
name = "t"

[[agent]]
name = "worker"
# It leaves word beside its workspace.
sandbox = "off"
pass_env = ["SCENE"]
command = ["sh", "-c", '''{script}''']
{more}

[[phase]]
name = "only"
"#
    )
}

fn task(prompt: &str) -> String {
    format!("[[phase.task]]\nid = \"one\"\ntitle = \"One\"\nfiles = [\"one.txt\"]\nprompt = '''{prompt}'''\n")
}

fn run(scene: &Scene) -> worknode_tests::program::Done {
    command(scene.path())
        .arg("run")
        .env("SCENE", scene.path())
        .output()
        .unwrap()
        .into()
}

const HAND_IN: &str = "echo done > one.txt && git add one.txt && git commit -qm one";

#[test]
fn p8_output_beyond_its_limit_is_rotated_away_and_counted() {
    const WRITTEN: u64 = 200_000_000;
    const LIMIT: u64 = 1024 * 1024;
    let script = format!("head -c {WRITTEN} /dev/zero; echo; echo the last words; {HAND_IN}");
    let scene = Scene::with_team(&(team(&script, "limits = { output = 1_048_576 }") + &task("Talk")));
    run(&scene).ok();
    assert_eq!(scene.landed(), ["seed", "team", "One"]);

    let exited = scene.wait_for_event("the end", |event| event["type"] == "run_exited");
    let receipt = &exited["data"]["receipt"];
    let number = |name: &str| receipt[name].as_u64().unwrap();
    assert!(number("output_bytes") > WRITTEN, "{receipt}");
    let kept: u64 = ["stdout.log", "stdout.log.1", "stderr.log", "stderr.log.1"]
        .iter()
        .filter_map(|name| fs::metadata(run_dir(&scene).join(name)).ok())
        .map(|file| file.len())
        .sum();
    assert!(kept <= LIMIT, "{kept} bytes on the disk");
    assert_eq!(
        number("output_bytes") - number("output_dropped"),
        kept,
        "{receipt}"
    );
    let logs = scene.worknode(&["logs", "worker"]).ok();
    assert!(
        logs.stdout.contains("the last words\n"),
        "the end is what is kept"
    );
}

#[test]
fn binary_output_is_kept_to_the_byte() {
    let script = format!("head -c 300000 /dev/urandom | tee \"$SCENE/wrote\"; {HAND_IN} >&2");
    let scene = Scene::with_team(&(team(&script, "") + &task("Noise")));
    run(&scene).ok();
    let wrote = fs::read(scene.file("wrote")).unwrap();
    let logs = command(scene.path()).args(["logs", "one"]).output().unwrap();
    assert_eq!(wrote.len(), 300_000);
    assert!(
        logs.stdout == wrote,
        "{} bytes, not the ones that were written",
        logs.stdout.len()
    );
    // What is no text anywhere near is still told to people and programs.
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["events"],
        &["task", "show", "one"],
    ] {
        scene.worknode(args).ok();
    }
}

#[test]
fn a_prompt_of_a_megabyte_reaches_the_agent_whole() {
    let prompt: String = (0..20_000)
        .map(|n| format!("{n:06} is a line of fifty-two bytes, more or less, ok.\n"))
        .collect();
    assert!(prompt.len() > 1024 * 1024);
    let script = format!("cp \"$WORKNODE_BRIEF\" \"$SCENE/brief\"; {HAND_IN}");
    let scene = Scene::with_team(&(team(&script, "") + &task(&prompt)));
    run(&scene).ok();
    assert!(
        scene.read("brief").contains(&prompt),
        "the brief has not all of the prompt"
    );
    assert!(
        scene
            .events()
            .iter()
            .any(|event| event["type"] == "task_completed")
    );
    scene.worknode(&["task", "show", "one"]).ok();
    scene.worknode(&["audit", "verify"]).ok();
}

fn run_dir(scene: &Scene) -> std::path::PathBuf {
    let entries = fs::read_dir(scene.file(".worknode/runs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut runs = paths.filter(|path| path.is_dir());
    let only = runs.next().unwrap();
    assert!(runs.next().is_none(), "there was one run");
    only
}
