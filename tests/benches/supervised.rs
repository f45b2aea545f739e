//! What a shim, and a sandbox, add to the start of the smallest program.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use worknode_process::{RunRequest, sandbox};

use crate::{
    Bench, Failure,
    measure::Samples,
    report::{Figure, Unit},
    runs,
};

const TRUE: &str = "/bin/true";

/// Seconds until the program was executed, and until its end was seen.
#[derive(Default)]
struct Times {
    started: Vec<f64>,
    over: Vec<f64>,
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let starts = bench.load(300, 5);
    let dir = tempfile::tempdir()?;
    let root = dir.path();
    let [mut bare, mut plain, mut boxed] = [const {
        Times {
            started: Vec::new(),
            over: Vec::new(),
        }
    }; 3];
    bench.tokio.block_on(async {
        for number in 0..starts {
            bare_run(&mut bare, root)?;
            supervised(&mut plain, runs::request(root, 2 * number, &[TRUE])?).await?;
            supervised(&mut boxed, runs::boxed(root, 2 * number + 1, &[TRUE])?).await?;
        }
        Ok::<_, Failure>(())
    })?;
    let baseline = "baseline: a bare posix_spawn of it, and its wait";
    let missing = sandbox::support().landlock == 0;
    let kind = if missing {
        "which this kernel lacks in part"
    } else {
        "Landlock and seccomp"
    };
    let plain_load = format!("{starts} times, {TRUE} under a shim; {baseline}");
    let boxed_load = format!("{starts} times, {TRUE} under a shim in a box ({kind}); {baseline}");
    let [bare_started, bare_over] = [bare.started, bare.over].map(Samples::from_iter);
    let mut figures = Vec::new();
    for (how, times, load) in [
        ("supervised", plain, plain_load),
        ("supervised and boxed", boxed, boxed_load),
    ] {
        let [started, over] = [times.started, times.over].map(Samples::from_iter);
        for (what, ours, baseline) in [
            (
                "start until exec, median",
                started.median(),
                bare_started.median(),
            ),
            ("start until exec, p99", started.p99(), bare_started.p99()),
            ("whole run, median", over.median(), bare_over.median()),
            ("whole run, p99", over.p99(), bare_over.p99()),
        ] {
            figures.push(Figure {
                what: format!("{how} {what}"),
                unit: Unit::Seconds,
                ours,
                baseline,
                load: load.clone(),
            });
        }
    }
    Ok(figures)
}

async fn supervised(times: &mut Times, request: RunRequest) -> Result<(), Failure> {
    let begun = Instant::now();
    let shim = runs::start(request).await?;
    times.started.push(begun.elapsed().as_secs_f64());
    let exit = shim.wait().await;
    times.over.push(begun.elapsed().as_secs_f64());
    if exit.status.success() {
        Ok(())
    } else {
        Err(format!("{TRUE}: {}", exit.status).into())
    }
}

fn bare_run(times: &mut Times, root: &Path) -> Result<(), Failure> {
    let mut command = Command::new(TRUE);
    command
        .env_clear()
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    times.started.push(begun.elapsed().as_secs_f64());
    child.wait()?;
    times.over.push(begun.elapsed().as_secs_f64());
    Ok(())
}
