//! Coming back to work with a million events behind: `continue`, and the searches for decisions and
//! issues. Each stands beside the plainest way to find the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use worknode_actors::{clock::SystemClock, notes, system::System};
use worknode_core::{
    event::{Draft, Event, Principal},
    ids::{NodeId, RunId},
    node::{Detail, Kind, NodeSpec},
    run::{Purpose, RunLimits, RunSpec},
    task::TaskSpec,
};
use worknode_daemon::{daemon::journal_path, view};
use worknode_journal::{Durability, Journal};
use worknode_policies::signature;
use worknode_tests::program;

use crate::{
    Bench, Failure,
    measure::Samples,
    report::{Figure, Unit},
    scene::{AGENT, Stage},
};

/// Events stored in one transaction.
const CHUNK: usize = 5_000;
/// Issues and decisions, each.
const NOTES: usize = 20_000;
/// The parent of so many notes.
const BELOW_ONE: usize = 5_000;
const WORDS: [&str; 12] = [
    "store", "lock", "timeout", "parser", "socket", "schema", "thread", "config", "token", "branch", "cache",
    "index",
];

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let events = bench.load(1_000_000, 20_000);
    let notes = bench.load(NOTES, 500);
    let times = bench.load(200, 5);
    let stage = Stage::new("")?;
    let mut figures = bench.tokio.block_on(async {
        let few = measure_few(&stage, times).await?;
        populate(&stage, events, notes).await?;
        measure(&stage, few, (events, notes, times)).await
    })?;
    figures.extend(programs(&stage, bench.load(20, 3), events)?);
    Ok(figures)
}

/// How long each of the looks back takes: `continue`, `why` and `report`.
type LooksBack = [Samples; 3];

fn looks_back(system: &System, times: usize) -> Result<LooksBack, Failure> {
    let reader = system.reader();
    let seldom = times.div_ceil(10);
    Ok([
        repeated(times, || continued(system))?,
        repeated(seldom, || {
            std::hint::black_box(view::why(reader, AGENT)?);
            Ok(())
        })?,
        repeated(seldom, || {
            let report = view::report(reader, system.team().node(), system.now())?;
            std::hint::black_box(report);
            Ok(())
        })?,
    ])
}

/// The same with next to nothing behind them.
async fn measure_few(stage: &Stage, times: usize) -> Result<LooksBack, Failure> {
    let runtime = stage.start().await?;
    let system = runtime.system().clone();
    let samples = looks_back(&system, times);
    runtime.shutdown("the benchmark goes on").await;
    // Somebody else writes next.
    system.journal().close().await?;
    samples
}

fn continued(system: &System) -> Result<(), Failure> {
    let stands = view::continuation(system.reader(), Some(AGENT), system.now())?;
    if stands.agent.is_some() {
        Ok(())
    } else {
        Err("the agent is not there".into())
    }
}

fn repeated(times: usize, mut work: impl FnMut() -> Result<(), Failure>) -> Result<Samples, Failure> {
    let mut samples = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        work()?;
        samples.push(begun.elapsed());
    }
    Ok(samples.into_iter().collect())
}

async fn measure(
    stage: &Stage,
    [few, why_few, report_few]: LooksBack,
    (events, notes, times): (usize, usize, usize),
) -> Result<Vec<Figure>, Failure> {
    let runtime = stage.start().await?;
    let system = runtime.system().clone();
    let [many, why, report] = looks_back(&system, times)?;
    let again = error(notes / 2, 999);
    let search = repeated(times, || {
        let hits = notes::search_issues(&system, NodeId::ROOT, &again, 10)?;
        match hits.first() {
            Some(hit) if hit.fits == notes::Fits::Signature => Ok(()),
            _ => Err("the earlier solution was not found".into()),
        }
    })?;
    let scan = repeated(times.min(5), || scanned(&system, &again))?;
    let words = repeated(times, || {
        let found = notes::search_decisions(&system, NodeId::ROOT, "which parser cache", 10)?;
        if found.is_empty() {
            Err("no decision was found".into())
        } else {
            Ok(())
        }
    })?;
    runtime.shutdown("the benchmark is over").await;
    system.journal().close().await?;
    let line = |what: &str, ours: f64, baseline: f64, load: String| Figure {
        what: what.to_owned(),
        unit: Unit::Seconds,
        ours,
        baseline,
        load,
    };
    let behind = format!(
        "{events} events behind it, a tenth of them the agent's own; baseline: the same with next to none"
    );
    let among = format!("among {notes}, {events} events; baseline: reading through the issues' texts");
    Ok(vec![
        line("`continue`, median", many.median(), few.median(), behind.clone()),
        line("`continue`, p99", many.p99(), few.p99(), behind.clone()),
        line(
            "`why` of an agent, median",
            why.median(),
            why_few.median(),
            behind.clone(),
        ),
        line(
            "`report` on a team, median",
            report.median(),
            report_few.median(),
            behind,
        ),
        line(
            "search of issues by an error, median",
            search.median(),
            scan.median(),
            among.clone(),
        ),
        line(
            "search of issues by an error, p99",
            search.p99(),
            scan.p99(),
            among.clone(),
        ),
        line(
            "search of decisions by words, median",
            words.median(),
            scan.median(),
            among.clone(),
        ),
        line(
            "search of decisions by words, p99",
            words.p99(),
            scan.p99(),
            among,
        ),
    ])
}

/// The same question without an index.
fn scanned(system: &System, error: &str) -> Result<(), Failure> {
    let wanted = signature::signature(error);
    for folder in 0..=(NOTES / BELOW_ONE) {
        for issue in notes::issues(system.reader(), Some(place(folder)), None, BELOW_ONE)? {
            std::hint::black_box(issue.signature == wanted);
        }
    }
    Ok(())
}

/// An error that is another one for each `n`, and the same one for each `at`.
fn error(n: usize, at: usize) -> String {
    let word = |of: usize| WORDS[of % WORDS.len()];
    // A number in letters: digits make no difference.
    let name: String = n
        .to_string()
        .bytes()
        .map(|digit| char::from(digit - b'0' + b'a'))
        .collect();
    format!(
        "/work/{at}/src/{}.rs:{at}: the {} of {} failed in stage{name} after {at} ms",
        word(n),
        word(n / 12),
        word(n / 144)
    )
}

fn place(n: usize) -> NodeId {
    NodeId::derived(NodeId::ROOT, &format!("notes {n}"))
}

fn draft(node: NodeId, event: Event) -> Draft {
    Draft {
        node,
        by: Principal::Operator,
        cause: None,
        event,
    }
}

fn created(id: NodeId, parent: NodeId, kind: Kind, name: String) -> (NodeId, NodeSpec) {
    (id, NodeSpec::new(Some(parent), kind, name, Detail::Plain))
}

fn issue(n: usize) -> Draft {
    let text = error(n, n);
    let sign = signature::signature(&text);
    let digest = signature::digest(&sign);
    let (id, mut node) = created(
        place(1_000_000 + n),
        place(n / BELOW_ONE),
        Kind::Issue,
        format!("issue {n}"),
    );
    node.body.tags = BTreeSet::from([format!("signature:{digest}")]);
    node.body.attributes = BTreeMap::from([
        ("error".to_owned(), json!(text)),
        ("signature".to_owned(), json!(sign)),
        ("fix".to_owned(), json!("do it otherwise")),
        ("resolved".to_owned(), json!(true)),
    ]);
    draft(id, Event::NodeCreated { node })
}

fn decision(n: usize) -> Draft {
    let word = |of: usize| WORDS[of % WORDS.len()];
    let (id, mut node) = created(
        place(2_000_000 + n),
        place(n / BELOW_ONE),
        Kind::Decision,
        format!("decision {n}"),
    );
    let question = format!("which {} for the {} of {n}?", word(n), word(n / 12));
    node.body.attributes = BTreeMap::from([
        ("question".to_owned(), json!(question)),
        ("decision".to_owned(), json!(word(n / 144))),
    ]);
    draft(id, Event::NodeCreated { node })
}

/// Stores the notes, a task that the agent worked on, and so many events: a tenth of them the
/// agent's, a tenth its task's.
async fn populate(stage: &Stage, events: usize, notes: usize) -> Result<(), Failure> {
    let journal = Journal::open(&journal_path(stage.scene.path()), Arc::new(SystemClock))?;
    let team = NodeId::derived(NodeId::ROOT, "team:bench");
    let agent = journal
        .reader()
        .child(team, &Kind::Agent, AGENT)?
        .ok_or("there is no agent")?
        .id;
    let task = place(3_000_000);
    let folder = |n| created(place(n), NodeId::ROOT, Kind::Document, format!("notes {n}"));
    let mut drafts: Vec<Draft> = (0..=notes / BELOW_ONE)
        .map(folder)
        .map(|(id, node)| draft(id, Event::NodeCreated { node }))
        .collect();
    drafts.push(worked_on(task, team)?);
    drafts.push(draft(agent, queued(task)));
    drafts.extend((0..notes).flat_map(|n| [issue(n), decision(n)]));
    let emitted = |n: usize| {
        let node = match n % 10 {
            0 => agent,
            1 => task,
            _ => place(1_000_000 + n % notes),
        };
        let data: Map<String, Value> = Map::from_iter([("n".to_owned(), json!(n))]);
        let name = "seen".to_owned();
        draft(
            node,
            Event::Emitted {
                name,
                version: 1,
                data,
            },
        )
    };
    drafts.extend((drafts.len()..events).map(emitted));
    for chunk in drafts.chunks(CHUNK) {
        journal.append(chunk.to_vec(), Durability::Durable).await?;
    }
    Ok(journal.close().await?)
}

fn worked_on(id: NodeId, team: NodeId) -> Result<Draft, Failure> {
    // As it is stored: what a task may be given beside this has its default.
    let spec: TaskSpec = serde_json::from_value(json!({
        "key": "long", "title": "A long task", "prompt": "Go on", "files": ["src/**"], "may_delete": [],
        "depends_on": [], "agent": "nobody", "deadline": null, "gates": [], "approval": "none",
        "max_attempts": 3, "priority": 0, "max_duration": null,
    }))?;
    let node = NodeSpec::new(Some(team), Kind::Task, "long", Detail::Task(Box::new(spec)));
    Ok(draft(id, Event::NodeCreated { node }))
}

/// A run that nobody saw start: the next runtime settles it, and it stays the agent's last one.
fn queued(task: NodeId) -> Event {
    Event::RunQueued {
        run: RunSpec {
            raised: Vec::new(),
            id: RunId::from_parts(1, [7; 10]),
            purpose: Purpose::Work { task, epoch: 1 },
            limits: RunLimits::default(),
        },
    }
}

/// The commands as a person or an agent runs them.
fn programs(stage: &Stage, times: usize, events: usize) -> Result<Vec<Figure>, Failure> {
    stage.scene.worknode(&["up", "-d"]).ok();
    let again = error(1, 999);
    let commands: [&[&str]; 4] = [
        &["continue", AGENT],
        &["hooks", "pre-task", "--description", "mend the parser cache"],
        &["issue", "search", &again],
        &["decision", "search", "which", "parser", "cache"],
    ];
    let mut figures = Vec::new();
    for args in commands {
        let mut ours = Vec::new();
        for _ in 0..times {
            ours.push(to_the_end(program::command(stage.scene.path()).args(args))?);
        }
        let bare = (0..times).map(|_| to_the_end(&mut Command::new("/bin/true")));
        let bare: Samples = bare.collect::<Result<Vec<_>, _>>()?.into_iter().collect();
        let ours: Samples = ours.into_iter().collect();
        figures.push(Figure {
            what: format!("`worknode {}`, from start to end, median", args[..2].join(" ")),
            unit: Unit::Seconds,
            ours: ours.median(),
            baseline: bare.median(),
            load: format!("{times} times, {events} events behind it; baseline: /bin/true"),
        });
    }
    stage.scene.worknode(&["down"]).ok();
    Ok(figures)
}

fn to_the_end(command: &mut Command) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let time = begun.elapsed();
    if output.status.success() {
        Ok(time)
    } else {
        Err(format!(
            "{command:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into())
    }
}
