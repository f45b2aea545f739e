//! From the end of an agent until its daemon has seen it: one at a time, and many at once.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use worknode_process::{Input, Shim};

use crate::{
    Bench, Failure,
    measure::{Samples, seconds_between, wall_nanos},
    report::{Figure, Unit},
    role, runs,
    scene::{program, read_stamps},
};

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let times = bench.load(200, 5);
    let crowds: &[usize] = bench.load(&[100, 1_000], &[5]);
    bench.tokio.block_on(async {
        let mut figures = alone(times).await?;
        for count in crowds {
            figures.push(at_once(*count).await?);
        }
        Ok(figures)
    })
}

async fn alone(times: usize) -> Result<Vec<Figure>, Failure> {
    let dir = tempfile::tempdir()?;
    let (mut ours, mut baseline) = (Vec::new(), Vec::new());
    for number in 0..times {
        baseline.push(bare_end(dir.path())?);
        ours.push(seen_end(dir.path(), number).await?);
    }
    let (ours, baseline) = (Samples::from_iter(ours), Samples::from_iter(baseline));
    let figure = |what, ours, baseline| Figure {
        what: format!("agent's exit to the daemon's view, {what}"),
        unit: Unit::Seconds,
        ours,
        baseline,
        load: format!(
            "{times} times, from the agent's last word to `Shim::wait`: swept, drained, recorded; \
             baseline: `wait` of a bare child"
        ),
    };
    Ok(vec![
        figure("median", ours.median(), baseline.median()),
        figure("p99", ours.p99(), baseline.p99()),
    ])
}

/// Seconds from the last thing that an agent does until its end has been seen.
pub(crate) async fn seen_end(root: &Path, number: usize) -> Result<f64, Failure> {
    let stamps = root.join(format!("{number}.stamps"));
    let (program, file) = (program()?, stamps.to_string_lossy());
    let command = [&program.to_string_lossy(), role::FLAG, role::LAST, file.as_ref()];
    let mut request = runs::request(root, number, &command)?;
    request.command.stdin = Input::Held;
    let shim = runs::start(request).await?;
    shim.input("end", b"\n".to_vec()).await?;
    shim.wait().await;
    since_stamp(&stamps)
}

fn bare_end(root: &Path) -> Result<f64, Failure> {
    let stamps = root.join("bare.stamps");
    let mut command = Command::new(program()?);
    command
        .args([role::FLAG, role::LAST])
        .arg(&stamps)
        .stdin(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(b"\n")?;
    }
    child.wait()?;
    since_stamp(&stamps)
}

fn since_stamp(file: &Path) -> Result<f64, Failure> {
    let now = wall_nanos();
    let (_, last) = read_stamps(file)?.pop().ok_or("the agent left no stamp")?;
    Ok(seconds_between(last, now))
}

/// Many that end by themselves in the same moment.
async fn at_once(count: usize) -> Result<Figure, Failure> {
    let dir = tempfile::tempdir()?;
    let root = dir.path();
    // Each takes one line, which is one byte: a lot of them read from the same pipe.
    let script = |gate: &str| format!("read line < {gate}");
    runs::gate(&root.join("gate"))?;
    runs::gate(&root.join("bare-gate"))?;

    let mut children = Vec::new();
    for _ in 0..count {
        children.push(runs::bare(root, &script("bare-gate"))?);
    }
    let mut gate = OpenOptions::new().write(true).open(root.join("bare-gate"))?;
    let begun = Instant::now();
    gate.write_all(&vec![b'\n'; count])?;
    for child in &mut children {
        child.wait()?;
    }
    let baseline = begun.elapsed();

    let shims = runs::start_all(root, 0..count, &script("gate")).await?;
    let mut gate = OpenOptions::new().write(true).open(root.join("gate"))?;
    let begun = Instant::now();
    gate.write_all(&vec![b'\n'; count])?;
    runs::each(&shims, |shim: Shim| async move { shim.wait().await }).await?;
    let ours = begun.elapsed();
    Ok(Figure {
        what: format!("{count} agents exit at once, all seen"),
        unit: Unit::Seconds,
        ours: ours.as_secs_f64(),
        baseline: baseline.as_secs_f64(),
        load: "until the last end is swept, stored and synced, and `Shim::wait` returns; baseline: `wait` of as \
               many bare children"
            .to_owned(),
    })
}
