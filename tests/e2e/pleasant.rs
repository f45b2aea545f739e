//! What a newcomer meets at the terminal: nothing there yet, little room, readers that have enough.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use worknode_tests::{
    program::{binary, command},
    scene::Scene,
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
start = "trigger"
command = ["sh", "-c", "true"]
"#;

fn up() -> Scene {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene
}

#[test]
fn what_is_empty_says_so() {
    let scene = up();
    for (args, says) in [
        (&["task", "list"][..], "no tasks"),
        (&["decision", "list"], "`worknode decision add`"),
        (&["issue", "list"], "`worknode issue add`"),
        (&["issue", "search", "it does not compile"], "no issues"),
        (&["memory", "list"], "nothing is remembered"),
        (&["escalation", "list"], "nothing is open"),
        (&["trigger", "list"], "no triggers"),
        (&["trigger", "next"], "nothing is due"),
        (&["search", "nothing"], "nothing is found"),
        (&["estimates"], "nothing is completed"),
        (&["prompts"], "nothing waits"),
        (&["continue"], "nothing is under way"),
    ] {
        scene.worknode(args).ok().says(&[says]);
    }
    scene.worknode(&["down"]).ok();
}

#[test]
fn a_reader_that_has_enough_is_no_mistake() {
    let scene = up();
    for args in [
        &["completions", "bash"][..],
        &["completions", "fish"],
        &["schema", "config"],
        &["events"],
        &["events", "--json"],
        &["--help"],
    ] {
        let mut program = command(scene.path());
        program.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = program.spawn().unwrap();
        let mut first = [0];
        program.stdout.take().unwrap().read_exact(&mut first).unwrap();
        // The reading end is closed by now.
        let done = program.wait_with_output().unwrap();
        assert!(
            done.status.success() && done.stderr.is_empty(),
            "{args:?}: {done:?}"
        );
    }
    scene.worknode(&["down"]).ok();
}

/// A terminal of so many columns, made by `script`, which is not everywhere.
fn at_a_terminal(scene: &Scene, columns: u16, args: &str) -> Option<String> {
    let line = format!("stty rows 24 cols {columns}; {} {args}", binary().display());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null());
    let done = script.current_dir(scene.path()).env("NO_COLOR", "1").output();
    let done = done.ok().filter(|done| done.status.success())?;
    Some(String::from_utf8(done.stdout).unwrap().replace('\r', ""))
}

#[test]
fn where_there_is_no_room_for_columns_a_row_is_a_block() {
    let scene = up();
    let Some(narrow) = at_a_terminal(&scene, 40, "ps") else {
        println!("skipped: `script` makes no terminal here");
        return;
    };
    assert!(
        narrow.starts_with("worker\n  tier implementation\n  status idle\n"),
        "{narrow}"
    );
    let wide = at_a_terminal(&scene, 100, "ps").unwrap();
    assert!(wide.lines().next().unwrap().contains("AGENT"), "{wide}");
    assert!(
        !narrow.contains('\u{1b}') && !wide.contains('\u{1b}'),
        "no colours are wanted"
    );
    scene.worknode(&["down"]).ok();
}
