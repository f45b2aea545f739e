//! What gates cost beyond the test command itself, where one file of a large repository changes; and
//! how long it takes until the undoing of a landing is on its way.
//!
//! The whole way through the real program is measured: a team's agent hands in its work, the work is
//! put on the base, its change is read, gates judge it, tests run in a box on a clean checkout. The
//! test command is `true`, so all that takes time is the way.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use worknode_core::hlc::Hlc;
use worknode_tests::{program, scene::Scene};

use crate::{
    Bench, Failure,
    measure::Samples,
    report::{Figure, Unit},
};

/// Lines of each file.
const LINES: usize = 500;
/// How long the team may take for all of it.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let files = bench.load(2_000, 20);
    let tasks = bench.load(7, 2);
    let scene = repository(files, tasks)?;
    let lines = scene.git(&["ls-files", "src"]).lines().count() * LINES;
    let by_hand = bench.load(5, 1);
    let early = gate_run(&scene, by_hand)?;
    scene.worknode(&["up", "-d"]).ok();
    until(&scene, "task_completed", tasks)?;
    let ways = ways(&scene.events(), "w")?;
    let undone = undo(&scene, tasks)?;
    scene.worknode(&["down"]).ok();

    let plain = plain(&scene, by_hand)?;
    let load = |what: &str| format!("one file of {lines} lines changes; {what}");
    let figure = |what: &str, ours: &Samples, baseline: &Samples, told: &str| Figure {
        what: format!("{what}, median"),
        unit: Unit::Seconds,
        ours: ours.median(),
        baseline: baseline.median(),
        load: load(told),
    };
    Ok(vec![
        figure(
            "gates of a submission beyond its tests",
            &ways.judged,
            &plain.checkout,
            "six gates, tests are `true`; baseline: a work tree of git's, `true` in it, its removal",
        ),
        figure(
            "landing after the last verdict",
            &ways.landed,
            &plain.merge,
            "baseline: `git merge --no-ff` of an empty commit",
        ),
        figure(
            "`worknode gate run --diff HEAD`",
            &early,
            &plain.diff,
            "default gates; baseline: `git diff HEAD`",
        ),
        figure(
            "undo of a landing until it is on its way",
            &undone.on_its_way,
            &plain.revert,
            "baseline: `git revert`, which nobody judges",
        ),
        figure(
            "undo of a landing until it has landed",
            &undone.landed,
            &plain.revert,
            "judged like any other; the same baseline",
        ),
    ])
}

/// A module with documented functions of ten lines each.
fn module() -> String {
    let mut text = String::from("\"\"\"A module of the benchmark.\"\"\"\n");
    for nth in 0..LINES / 10 {
        // Cannot fail: the text is in memory.
        let _ = write!(
            text,
            "\n\ndef function_{nth}(a, b):\n    \"\"\"Adds in its own way.\"\"\"\n    if a > b:\n        \
             return a + {nth}\n    total = a * {nth}\n    total += b\n    return total\n"
        );
    }
    text.lines()
        .take(LINES)
        .fold(String::new(), |all, line| all + line + "\n")
}

fn repository(files: usize, tasks: usize) -> Result<Scene, Failure> {
    let scene = Scene::new();
    let text = module();
    for nth in 0..files {
        let path = scene.file(&format!("src/part_{}/module_{nth}.py", nth / 50));
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(path, &text)?;
    }
    std::fs::create_dir_all(scene.file("src/work"))?;
    for nth in 0..tasks {
        std::fs::write(scene.file(&format!("src/work/w{nth}.py")), &text)?;
    }
    scene.write("worknode.toml", &team(tasks));
    scene.commit("large");
    // As a repository is that has been in use: not a file for each object.
    scene.git(&["gc", "--quiet"]);
    Ok(scene)
}

fn team(tasks: usize) -> String {
    let mut team = String::from(
        r#"
[team]
name = "large"

[gate.tests]
command = ["true"]

[[agent]]
name = "coder"
command = ["sh", "-c", """
printf '\n\ndef added(a):\n    \"\"\"Says.\"\"\"\n    return a\n' >> src/work/$WORKNODE_TASK.py
git commit -qam work
"""]

[[phase]]
name = "all"
"#,
    );
    for nth in 0..tasks {
        team.push_str(&format!(
            "[[phase.task]]\nid = \"w{nth}\"\ntitle = \"W{nth}\"\nprompt = \"Add\"\nfiles = [\"src/work/w{nth}.py\"]\n\
             gates = [\"plan\", \"tests\", \"complexity\", \"docs\", \"secrets\", \"size\"]\n"
        ));
    }
    team
}

fn until(scene: &Scene, event: &str, count: usize) -> Result<(), Failure> {
    let begun = Instant::now();
    while scene.count(event) < count {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{event} was not seen {count} times").into());
        }
        thread::park_timeout(PAUSE);
    }
    Ok(())
}

/// How long the ways of submissions took.
struct Ways {
    /// From the submission to the last verdict.
    judged: Samples,
    /// From there until it was on the branch.
    landed: Samples,
}

/// Those of tasks whose names begin so, by the stamps of their events.
fn ways(events: &[Value], prefix: &str) -> Result<Ways, Failure> {
    let mut at: BTreeMap<(String, &str), u64> = BTreeMap::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for event in events {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (node, kind) = (text(&event["node"]), text(&event["type"]));
        let stamp: Hlc = text(&event["at"]).parse()?;
        if kind == "node_created" {
            names.insert(node.clone(), text(&event["data"]["node"]["name"]));
        }
        // The last of a kind counts.
        for wanted in ["task_submitted", "verdict_recorded", "task_completed"] {
            if kind == wanted {
                at.insert((node.clone(), wanted), stamp.wall.as_millis());
            }
        }
    }
    let (mut judged, mut landed) = (Vec::new(), Vec::new());
    for (node, _) in names.iter().filter(|(_, name)| name.starts_with(prefix)) {
        let of = |kind| at.get(&(node.clone(), kind)).copied();
        let (Some(begun), Some(last), Some(end)) =
            (of("task_submitted"), of("verdict_recorded"), of("task_completed"))
        else {
            continue;
        };
        judged.push(Duration::from_millis(last.saturating_sub(begun)));
        landed.push(Duration::from_millis(end.saturating_sub(last)));
    }
    if judged.is_empty() {
        return Err("no task was judged".into());
    }
    Ok(Ways {
        judged: judged.into_iter().collect(),
        landed: landed.into_iter().collect(),
    })
}

fn gate_run(scene: &Scene, times: usize) -> Result<Samples, Failure> {
    let path = scene.file("src/work/w0.py");
    let before = std::fs::read_to_string(&path)?;
    std::fs::write(
        &path,
        format!("{before}\n\ndef more(a):\n    \"\"\"Says.\"\"\"\n    return a\n"),
    )?;
    let mut all = Vec::new();
    for _ in 0..times {
        let mut run = program::command(scene.path());
        all.push(timed(run.args(["gate", "run", "--diff", "HEAD"]))?);
    }
    std::fs::write(&path, before)?;
    Ok(all.into_iter().collect())
}

struct Undone {
    on_its_way: Samples,
    landed: Samples,
}

fn undo(scene: &Scene, tasks: usize) -> Result<Undone, Failure> {
    let (mut on_its_way, mut landed) = (Vec::new(), Vec::new());
    for nth in 0..tasks {
        let begun = Instant::now();
        scene.worknode(&["task", "undo", &format!("w{nth}")]).ok();
        // It is handed in when the command is back.
        on_its_way.push(begun.elapsed());
        until(scene, "task_completed", tasks + nth + 1)?;
        landed.push(begun.elapsed());
    }
    Ok(Undone {
        on_its_way: on_its_way.into_iter().collect(),
        landed: landed.into_iter().collect(),
    })
}

/// The plainest way to do the same with git alone.
struct Plain {
    checkout: Samples,
    merge: Samples,
    diff: Samples,
    revert: Samples,
}

fn plain(scene: &Scene, times: usize) -> Result<Plain, Failure> {
    let place = tempfile::tempdir()?;
    let clone = place.path().join("clone");
    let git = |args: &[&str]| -> Result<Duration, Failure> {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Bench", "-c", "user.email=bench@example.invalid"]);
        timed(git.arg("-C").arg(&clone).args(args))
    };
    let from = scene.path().display().to_string();
    let mut cloned = Command::new("git");
    timed(cloned.args(["clone", "--quiet", &from]).arg(&clone))?;
    let tree = place.path().join("tree").display().to_string();
    let (mut checkout, mut merge, mut diff, mut revert) = (vec![], vec![], vec![], vec![]);
    for _ in 0..times {
        let made = git(&["worktree", "add", "--quiet", "--detach", &tree])?;
        let ran = timed(Command::new("true").current_dir(&tree))?;
        checkout.push(made + ran + git(&["worktree", "remove", "--force", &tree])?);
        git(&["checkout", "--quiet", "-B", "side"])?;
        git(&["commit", "--quiet", "--allow-empty", "--message", "side"])?;
        git(&["checkout", "--quiet", "main"])?;
        merge.push(git(&[
            "merge",
            "--quiet",
            "--no-ff",
            "--message",
            "merged",
            "side",
        ])?);
        diff.push(git(&["diff", "HEAD"])?);
        let change = clone.join("src/work/w0.py");
        std::fs::write(&change, std::fs::read_to_string(&change)? + "X = 1\n")?;
        git(&["commit", "--quiet", "--all", "--message", "work"])?;
        revert.push(git(&["revert", "--no-edit", "HEAD"])?);
    }
    Ok(Plain {
        checkout: checkout.into_iter().collect(),
        merge: merge.into_iter().collect(),
        diff: diff.into_iter().collect(),
        revert: revert.into_iter().collect(),
    })
}

fn timed(command: &mut Command) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let time = begun.elapsed();
    if output.status.success() {
        return Ok(time);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {}: {said}", output.status).into())
}
