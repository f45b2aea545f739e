//! What a boundary costs: events through a chain of three membranes, against the same events through
//! none; and one stream of events to a thousand who watch it, against a bare broadcast channel.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};
use worknode_core::{
    event::{Event, Principal},
    ids::NodeId,
    membrane::MembraneSpec,
    time::Timestamp,
};
use worknode_policies::membrane::{Arrival, Incoming, Outward, Rules, compile_chain};

use crate::{
    Bench, Failure,
    measure::Samples,
    report::{Figure, Unit},
    scene::Stage,
};

const ROUNDS: usize = 3;
/// Records that a watcher takes at once.
const BATCH: usize = 256;
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let mut figures = chain(bench.load(200_000, 2_000))?;
    let (watchers, events) = (bench.load(1_000, 20), bench.load(200, 5));
    figures.extend(bench.tokio.block_on(fan_out(watchers, events))?);
    Ok(figures)
}

/// The membranes of a team, a phase and a task.
fn membranes() -> Result<Vec<MembraneSpec>, Failure> {
    let says = [
        json!({ "emit": ["task_*", "build_*"], "redact": ["worker.token"] }),
        json!({ "filter": "event.data.percent >= 0", "accept": ["*"] }),
        json!({ "translate": [{
            "from": "subtask_progress", "to": "task_progress",
            "rename": { "worker.percent": "percent" }, "keep": ["percent"], "convert": { "percent": "integer" },
        }], "schema": [{
            "type": "subtask_progress",
            "schema": { "type": "object", "required": ["worker"],
                "properties": { "worker": { "type": "object", "required": ["percent"] } } },
        }] }),
    ];
    let read = says.into_iter().map(serde_json::from_value);
    Ok(read.collect::<Result<_, _>>()?)
}

fn chain(events: usize) -> Result<Vec<Figure>, Failure> {
    let specs = membranes()?;
    let node = |n: usize| NodeId::derived(NodeId::ROOT, &n.to_string());
    let named: Vec<_> = specs
        .iter()
        .enumerate()
        .map(|(n, spec)| (node(n), spec))
        .collect();
    let rules = compile_chain(&named).map_err(|mistakes| format!("{mistakes:?}"))?;
    let data = json!({
        "worker": { "percent": "40", "token": "secret" }, "percent": 40,
        "files": ["src/main.rs", "src/lib.rs"], "message": "writes the tests",
    });
    let event = incoming(node(9), data)?;
    let none = Rules::default();
    let (mut into, mut out) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        for (n, rules) in [&rules, &none].into_iter().enumerate() {
            into[n].push(rate(events, || {
                matches!(rules.arrive(event.clone(), &(), NOW), Arrival::Admit(_))
            })?);
            let record = event.as_if_stored(NOW);
            out[n].push(rate(events, || {
                matches!(rules.outward(&record, &|_| true, &(), NOW), Outward::Pass(_))
            })?);
        }
    }
    let load = "redact, CEL filter, translation, schema and types on an event of 150 bytes, one core; \
                baseline: no membrane";
    let figure = |what: &str, [ours, baseline]: [Vec<f64>; 2]| Figure {
        what: what.to_owned(),
        unit: Unit::PerSecond,
        ours: Samples::from_iter(ours).median(),
        baseline: Samples::from_iter(baseline).median(),
        load: load.to_owned(),
    };
    Ok(vec![
        figure("events in through three membranes", into),
        figure("events out through three membranes", out),
    ])
}

fn incoming(node: NodeId, data: Value) -> Result<Incoming, Failure> {
    let Value::Object(data) = data else {
        return Err("the data of an event is a table".into());
    };
    Ok(Incoming {
        node,
        by: Principal::Operator,
        name: "subtask_progress".to_owned(),
        version: 1,
        data,
    })
}

fn rate(events: usize, mut passes: impl FnMut() -> bool) -> Result<f64, Failure> {
    let begun = Instant::now();
    for _ in 0..events {
        if !passes() {
            return Err("an event does not pass".into());
        }
    }
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}

/// From the answer to who recorded an event until each watcher has it.
async fn fan_out(watchers: usize, events: usize) -> Result<Vec<Figure>, Failure> {
    let stage = Stage::new("")?;
    let runtime = stage.start().await?;
    let system = runtime.system().clone();
    let team = system.team().node();
    let (seen, mut arrivals) = mpsc::channel::<Instant>(watchers);
    let mut watching = JoinSet::new();
    for _ in 0..watchers {
        let mut watcher = system.journal().follow(system.journal().last_stamp());
        let (system, seen) = (system.clone(), seen.clone());
        watching.spawn(async move {
            while let Ok(records) = watcher.next(BATCH).await {
                for record in records {
                    let tick = record.event.topic() == "tick";
                    if tick && system.boundaries().seen(&record, team, NOW).is_some() {
                        let _ = seen.send(Instant::now()).await;
                    }
                }
            }
        });
    }
    let mut ours = Vec::new();
    for n in 0..events {
        let event = Event::Emitted {
            name: "tick".to_owned(),
            version: 1,
            data: [("n".to_owned(), n.into())].into_iter().collect(),
        };
        let begun = Instant::now();
        system.record(Principal::Runtime, team, vec![event]).await?;
        let stored = begun.elapsed();
        for _ in 0..watchers {
            let at = arrivals.recv().await.ok_or("the watchers are gone")?;
            ours.push(at.duration_since(begun).saturating_sub(stored));
        }
    }
    watching.abort_all();
    let baseline = bare(watchers, events).await?;
    runtime.shutdown("the benchmark is over").await;
    let (ours, baseline) = (Samples::from_iter(ours), Samples::from_iter(baseline));
    let load = format!(
        "{watchers} watchers through membranes, from the acknowledged append to the hands of each; \
         baseline: tokio's broadcast channel"
    );
    let figure = |what: &str, ours, baseline| Figure {
        what: what.to_owned(),
        unit: Unit::Seconds,
        ours,
        baseline,
        load: load.clone(),
    };
    Ok(vec![
        figure("an event to all who watch, p50", ours.median(), baseline.median()),
        figure("an event to all who watch, p99", ours.p99(), baseline.p99()),
    ])
}

async fn bare(watchers: usize, events: usize) -> Result<Vec<Duration>, Failure> {
    let (sender, _) = broadcast::channel::<Arc<u64>>(256);
    let (seen, mut arrivals) = mpsc::channel::<Instant>(watchers);
    let mut watching = JoinSet::new();
    for _ in 0..watchers {
        let (mut receiver, seen) = (sender.subscribe(), seen.clone());
        watching.spawn(async move {
            while receiver.recv().await.is_ok() {
                let _ = seen.send(Instant::now()).await;
            }
        });
    }
    let mut took = Vec::new();
    for _ in 0..events {
        let begun = Instant::now();
        sender.send(Arc::new(0))?;
        for _ in 0..watchers {
            let at = arrivals.recv().await.ok_or("the watchers are gone")?;
            took.push(at.duration_since(begun));
        }
    }
    watching.abort_all();
    Ok(took)
}
