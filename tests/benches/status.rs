//! `worknode status` and `worknode hooks pre-task` from their start to their end, with a daemon that
//! answers, against `/bin/true`: what a person, or an agent in a loop, waits for. The hook stands beside
//! that of claude-flow, too, when somebody asks for it.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use worknode_tests::program;

use crate::{
    Bench, Failure,
    measure::Samples,
    report::{Figure, Unit},
    scene::Stage,
};

/// What is run.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["hooks", "pre-task", "--description", "Design the schema"],
];

/// Seconds that an installation may take, as `timeout` wants them.
const INSTALL: &str = "300";

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let times = bench.load(20, 3);
    let stage = Stage::new("")?;
    stage.scene.worknode(&["up", "-d"]).ok();
    let mut figures = Vec::new();
    for args in COMMANDS {
        let (mut ours, mut baseline) = (Vec::new(), Vec::new());
        for _ in 0..times {
            ours.push(to_the_end(program::command(stage.scene.path()).args(*args))?);
            baseline.push(to_the_end(&mut Command::new("/bin/true"))?);
        }
        let (ours, baseline) = (Samples::from_iter(ours), Samples::from_iter(baseline));
        let name = args.iter().take_while(|arg| !arg.starts_with('-'));
        let name = name.copied().collect::<Vec<_>>().join(" ");
        let figure = |what, ours, baseline| Figure {
            what: format!("`worknode {name}`, {what}"),
            unit: Unit::Seconds,
            ours,
            baseline,
            load: format!("{times} times, a daemon with one idle agent; baseline: /bin/true"),
        };
        figures.push(figure("median", ours.median(), baseline.median()));
        figures.push(figure("p99", ours.p99(), baseline.p99()));
    }
    figures.push(beside_flow(bench, &stage)?);
    stage.scene.worknode(&["down"]).ok();
    Ok(figures)
}

/// The same hook of another program, in the same run, where it can be had: it is installed first, which
/// is not counted.
fn beside_flow(bench: &Bench, stage: &Stage) -> Result<Figure, Failure> {
    let times = bench.load(10, 2);
    let ours = (0..times).map(|_| to_the_end(program::command(stage.scene.path()).args(COMMANDS[1])));
    let ours: Samples = ours.collect::<Result<Vec<_>, _>>()?.into_iter().collect();
    let theirs = if bench.supervisors {
        flow(times)
    } else {
        Err("not asked for with --supervisors".into())
    };
    let (baseline, load) = match theirs {
        Ok(theirs) => (
            theirs.median(),
            format!("{times} times; baseline: `npx claude-flow hooks pre-task`, installed before"),
        ),
        Err(why) => (
            f64::NAN,
            format!("{times} times; baseline: `npx claude-flow hooks pre-task` is missing: {why}"),
        ),
    };
    Ok(Figure {
        what: "`worknode hooks pre-task` beside claude-flow's, median".to_owned(),
        unit: Unit::Seconds,
        ours: ours.median(),
        baseline,
        load,
    })
}

fn flow(times: usize) -> Result<Samples, Failure> {
    let dir = tempfile::tempdir()?;
    let hook = || {
        // Its own time limit: a registry that does not answer ends nothing of ours.
        let mut command = Command::new("timeout");
        command
            .args([INSTALL, "npx", "--yes", "claude-flow@latest"])
            .args(COMMANDS[1])
            .current_dir(dir.path());
        to_the_end(&mut command)
    };
    hook()?;
    let taken = (0..times).map(|_| hook());
    Ok(taken.collect::<Result<Vec<_>, _>>()?.into_iter().collect())
}

/// How long the program takes until it has ended and said all it has to say.
fn to_the_end(command: &mut Command) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let time = begun.elapsed();
    if output.status.success() {
        Ok(time)
    } else {
        Err(format!("{command:?}: {}", output.status).into())
    }
}
