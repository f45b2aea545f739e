//! `worknode status` and `worknode hooks pre-task` from their start to their end, with a daemon that
//! answers, against `/bin/true`: what a person, or an agent in a loop, waits for.

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
    stage.scene.worknode(&["down"]).ok();
    Ok(figures)
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
