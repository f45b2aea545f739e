//! Membranes: what comes in, what is seen from outside, and what is kept of what was refused. In
//! this process, on a clock that the tests move.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value, json};
use worknode_actors::{
    membrane::Reply,
    new_task::{NewTask, add_task},
    nodes::{self, NewNode},
    system::System,
};
use worknode_core::{
    command::Command,
    error::{Code, Error},
    event::{Draft, Event, Principal},
    hlc::Hlc,
    ids::NodeId,
    letter::LetterAction,
    membrane::MembraneSpec,
    node::{Detail, Kind, NodeChange, NodeSpec},
    time::Timestamp,
};
use worknode_journal::Durability;
use worknode_policies::authority::Authority;
use worknode_tests::{scene::Scene, within::Within};

const BATCH: usize = 256;
const TEAM: &str = "[team]\nname = \"t\"\n";
const START: Timestamp = Timestamp::from_millis(1_000_000);

async fn started() -> (Scene, Within, System) {
    let scene = Scene::with_team(TEAM);
    let within = Within::start(&scene, START).await;
    let system = within.system().clone();
    (scene, within, system)
}

fn operator() -> Arc<Authority> {
    Arc::new(Authority::whole(Principal::Operator))
}

fn emission(name: &str, data: Value) -> Command {
    let Value::Object(data) = data else {
        panic!("{data} is no table")
    };
    Command::Emit {
        name: name.to_owned(),
        version: 1,
        data,
    }
}

async fn emit(system: &System, node: NodeId, name: &str, data: Value) -> Result<Reply, Error> {
    system.ask(&operator(), node, emission(name, data), None).await
}

async fn change(system: &System, node: NodeId, change: NodeChange) -> Result<Reply, Error> {
    let command = Command::Node {
        change,
        unless_changed_since: None,
    };
    system.ask(&operator(), node, command, None).await
}

async fn put_membrane(system: &System, node: NodeId, says: Value) {
    let spec: MembraneSpec = serde_json::from_value(says).unwrap();
    let membrane = Some(Box::new(spec));
    change(system, node, NodeChange::SetMembrane { membrane })
        .await
        .unwrap();
}

async fn create(system: &System, parent: NodeId, name: &str) -> NodeId {
    let id = NodeId::derived(parent, name);
    let kind = "worker".parse().unwrap();
    let node = NodeSpec::new(Some(parent), kind, name, Detail::Plain);
    let made = Event::NodeCreated { node };
    system.record(Principal::Runtime, id, vec![made]).await.unwrap();
    id
}

fn stored(system: &System, topic: &str) -> usize {
    let filter = worknode_journal::EventFilter {
        types: vec![topic.to_owned()],
        ..Default::default()
    };
    system.reader().events(&filter).unwrap().len()
}

async fn letters(system: &System, node: NodeId) -> Vec<Hlc> {
    let node = system.command(node, Command::Get).await.unwrap().node().unwrap();
    node.body.letters.iter().copied().collect()
}

/// A thousand agents that report what they do, and end: what their coordinator sees is the ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_sees_only_how_its_agents_end() {
    const AGENTS: usize = 1_000;
    const REPORTS: usize = 10;
    let (_scene, within, system) = started().await;
    let coordinator = create(&system, system.team().node(), "coordinator").await;
    put_membrane(
        &system,
        coordinator,
        json!({ "emit": ["*_completed", "*_failed", "agent_disconnected"] }),
    )
    .await;
    let mut watcher = system.journal().follow(system.journal().last_stamp());
    let ends = ["task_completed", "task_failed", "agent_disconnected"];
    let mut drafts = Vec::new();
    let mut agents = Vec::new();
    for n in 0..AGENTS {
        let (id, name) = (NodeId::derived(coordinator, &format!("a{n}")), format!("a{n}"));
        let node = NodeSpec::new(Some(coordinator), "worker".parse().unwrap(), name, Detail::Plain);
        drafts.push(draft(id, Event::NodeCreated { node }));
        agents.push(id);
    }
    for round in 0..REPORTS {
        for id in &agents {
            drafts.push(draft(*id, own("subtask_progress", json!({ "step": round }))));
        }
    }
    for (n, id) in agents.iter().enumerate() {
        drafts.push(draft(*id, own(ends[n % ends.len()], json!({ "n": n }))));
    }
    let outside = draft(
        system.team().node(),
        own("task_completed", json!({ "elsewhere": true })),
    );
    drafts.push(outside);
    let all = drafts.len();
    for chunk in drafts.chunks(1_000) {
        system
            .journal()
            .append(chunk.to_vec(), Durability::Durable)
            .await
            .unwrap();
    }
    let (mut looked_at, mut seen) = (0, BTreeMap::<String, usize>::new());
    while looked_at < all {
        for record in watcher.next(BATCH).await.unwrap() {
            looked_at += 1;
            if let Some(record) = system.boundaries().seen(&record, coordinator, system.now()) {
                *seen.entry(record.event.topic().to_owned()).or_default() += 1;
            }
        }
    }
    let expected = [
        ("agent_disconnected", 333),
        ("task_completed", 334),
        ("task_failed", 333),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(seen, BTreeMap::from(expected));
    assert_eq!(
        stored(&system, "subtask_progress"),
        1_000,
        "inside it is all there (one page of it)"
    );
    within.runtime.shutdown("test").await;
}

fn own(name: &str, data: Value) -> Event {
    Event::Emitted {
        name: name.to_owned(),
        version: 1,
        data: data.as_object().cloned().unwrap_or_else(Map::new),
    }
}

fn draft(node: NodeId, event: Event) -> Draft {
    Draft {
        node,
        by: Principal::Runtime,
        cause: None,
        event,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_begins_late_or_lags_misses_nothing_and_sees_nothing_twice() {
    let (_scene, within, system) = started().await;
    let team = system.team().node();
    let early = system.journal().last_stamp();
    let mut first = system.journal().follow(early);
    for n in 0..300 {
        system
            .record(Principal::Runtime, team, vec![own("tick", json!({ "n": n }))])
            .await
            .unwrap();
    }
    let mut late = system.journal().follow(early);
    for n in 300..1_000 {
        system
            .record(Principal::Runtime, team, vec![own("tick", json!({ "n": n }))])
            .await
            .unwrap();
    }
    for watcher in [&mut first, &mut late] {
        let mut ticks = Vec::new();
        while ticks.len() < 1_000 {
            for record in watcher.next(BATCH).await.unwrap() {
                if let Event::Emitted { data, .. } = &record.event {
                    ticks.push(data["n"].as_u64().unwrap());
                }
            }
        }
        assert_eq!(ticks, (0..1_000).collect::<Vec<_>>());
    }
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_beyond_the_rate_is_refused_with_the_time_to_wait() {
    let (_scene, within, system) = started().await;
    let team = system.team().node();
    put_membrane(&system, team, json!({ "rate": { "events": 2, "per": "10s" } })).await;
    for _ in 0..2 {
        emit(&system, team, "tick", json!({})).await.unwrap();
    }
    let refused = emit(&system, team, "tick", json!({})).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.retry_after_ms),
        (Code::Backpressure, Some(5_000))
    );
    within.clock.advance(Duration::from_secs(5));
    emit(&system, team, "tick", json!({})).await.unwrap();
    assert_eq!(stored(&system, "tick"), 3);
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_beyond_the_rate_the_last_of_a_type_waits() {
    let (_scene, within, system) = started().await;
    let team = system.team().node();
    let says = json!({ "rate": { "events": 1, "per": "50ms" }, "overflow": "conflate" });
    put_membrane(&system, team, says).await;
    emit(&system, team, "tick", json!({ "n": 0 })).await.unwrap();
    // Each comes after the one before it: they are asked in this order, and a question that came
    // last is answered last.
    let (older, last, ()) = tokio::join!(
        emit(&system, team, "tick", json!({ "n": 1 })),
        emit(&system, team, "tick", json!({ "n": 2 })),
        async {
            system.command(team, Command::Get).await.unwrap();
            within.clock.advance(Duration::from_secs(1));
        },
    );
    assert!(matches!(older, Ok(Reply::Conflated)), "{older:?}");
    let Ok(Reply::Done { records, .. }) = last else {
        panic!("{last:?}")
    };
    assert_eq!(records[0].event, own("tick", json!({ "n": 2 })));
    assert_eq!(stored(&system, "tick"), 2);
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_beyond_the_rate_is_kept_as_a_dead_letter_and_of_these_the_newest() {
    let (_scene, within, system) = started().await;
    let team = system.team().node();
    let says = json!({ "rate": { "events": 1, "per": "1h" }, "overflow": "dead_letter" });
    put_membrane(&system, team, says).await;
    emit(&system, team, "tick", json!({})).await.unwrap();
    for n in 0..worknode_core::bounds::DEAD_LETTERS + 3 {
        let kept = emit(&system, team, "tick", json!({ "n": n })).await.unwrap();
        assert!(matches!(kept, Reply::PutAside { .. }), "{kept:?}");
    }
    let node = system.command(team, Command::Get).await.unwrap().node().unwrap();
    assert_eq!(node.body.letters.len(), worknode_core::bounds::DEAD_LETTERS);
    assert_eq!(node.body.letters_lost, 3);
    assert_eq!(stored(&system, "tick"), 1);
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_dead_letter_comes_in_once_and_only_when_the_membrane_agrees() {
    let (_scene, within, system) = started().await;
    let team = system.team().node();
    let says = |wanted: &str| json!({ "schema": [{ "type": "build", "schema": { "required": [wanted] } }] });
    put_membrane(&system, team, says("code")).await;
    let refused = emit(&system, team, "build", json!({ "exit": 1 }))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Refused, "{refused}");
    let [letter] = letters(&system, team).await[..] else {
        panic!()
    };
    assert!(refused.message.contains(&letter.to_string()) && refused.message.contains("lacks `code`"));
    let settle = |action| {
        let system = system.clone();
        let command = Command::Letter { letter, action };
        async move { system.ask(&operator(), team, command, None).await }
    };
    let still = settle(LetterAction::Replay).await.unwrap_err();
    assert_eq!(still.code, Code::Refused);
    assert_eq!(letters(&system, team).await, [letter], "it stays");
    put_membrane(&system, team, says("exit")).await;
    let both = tokio::join!(settle(LetterAction::Replay), settle(LetterAction::Replay));
    let ends: Vec<_> = [both.0, both.1]
        .into_iter()
        .map(|end| end.map(drop).map_err(|e| e.code))
        .collect();
    assert!(
        ends.contains(&Ok(())) && ends.contains(&Err(Code::NotFound)),
        "{ends:?}"
    );
    assert_eq!(stored(&system, "build"), 1);
    assert_eq!(letters(&system, team).await, []);
    assert_eq!(
        settle(LetterAction::Discard).await.unwrap_err().code,
        Code::NotFound
    );
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_what_moves_comes_under_the_membranes_of_its_new_place() {
    let (_scene, within, system) = started().await;
    let open = create(&system, system.team().node(), "open").await;
    let closed = create(&system, system.team().node(), "closed").await;
    let child = create(&system, open, "child").await;
    put_membrane(&system, closed, json!({ "accept": ["known_*"], "emit": [] })).await;
    emit(&system, child, "unknown", json!({})).await.unwrap();
    change(&system, child, NodeChange::Move { to: closed })
        .await
        .unwrap();
    assert_eq!(
        emit(&system, child, "unknown", json!({})).await.unwrap_err().code,
        Code::Refused
    );
    emit(&system, child, "known_1", json!({})).await.unwrap();
    let last = system.journal().last_stamp();
    let record = system.reader().event(last).unwrap().unwrap();
    let seen = |top| system.boundaries().seen(&record, top, system.now()).is_some();
    assert!(seen(child), "below the membrane that holds it back it is seen");
    assert!(!seen(closed) && !seen(system.team().node()));
    assert!(!seen(open), "it is not there any more");
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membrane_with_mistakes_is_refused_with_all_of_them() {
    let (_scene, within, system) = started().await;
    let spec = json!({ "filter": "event.typ == 1", "redact": [".."], "capacity": 0 });
    let membrane = Some(Box::new(serde_json::from_value(spec).unwrap()));
    let refused = change(
        &system,
        system.team().node(),
        NodeChange::SetMembrane { membrane },
    )
    .await
    .unwrap_err();
    assert_eq!(refused.code, Code::Usage);
    for key in ["`filter`", "`redact[0]`", "`capacity`"] {
        assert!(refused.message.contains(key), "{refused}");
    }
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_beyond_the_capacity_is_refused_and_every_sender_is_answered() {
    let (_scene, within, system) = started().await;
    let team = system.team().node();
    put_membrane(&system, team, json!({ "capacity": 4 })).await;
    let flood: Vec<_> = (0..500)
        .map(|n| {
            let system = system.clone();
            tokio::spawn(async move { emit(&system, team, "tick", json!({ "n": n })).await })
        })
        .collect();
    let (mut let_in, mut refused) = (0, 0);
    for asked in flood {
        match asked.await.unwrap() {
            Ok(_) => let_in += 1,
            Err(error) => {
                assert_eq!(error.code, Code::Backpressure, "{error}");
                refused += 1;
            }
        }
    }
    assert_eq!(let_in + refused, 500);
    assert!(let_in >= 4 && refused > 0, "{let_in} came in");
    assert_eq!(stored(&system, "tick"), let_in);
    within.runtime.shutdown("test").await;
}

#[test]
fn p5_events_of_an_older_version_are_still_read() {
    let old = json!({ "type": "emitted", "data": { "name": "build", "data": { "code": "1" } } });
    let read: Event = serde_json::from_value(old).unwrap();
    assert_eq!(read, own("build", json!({ "code": "1" })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_below_a_membrane_passes_it() {
    let (_scene, within, system) = started().await;
    let team = system.team().node();
    put_membrane(
        &system,
        team,
        json!({ "accept": ["node_created", "build_*"], "filter": "event.data.node.name != 'secret'" }),
    )
    .await;
    let make = async |name: &str| {
        let new = NewNode {
            parent: team,
            kind: Kind::Document,
            name: name.to_owned(),
            attributes: BTreeMap::new(),
            tags: BTreeSet::new(),
            assignees: BTreeSet::new(),
            links: BTreeSet::new(),
            task: None,
        };
        nodes::create(&system, &operator(), new).await
    };
    make("open").await.unwrap();
    assert_eq!(make("secret").await.unwrap_err().code, Code::Refused);
    put_membrane(&system, team, json!({ "accept": ["build_*"] })).await;
    let refused = make("late").await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(refused.message.contains("`accept`"), "{refused}");
    let task = NewTask {
        title: "one".to_owned(),
        ..NewTask::default()
    };
    let added = add_task(&system, &Authority::whole(Principal::Operator), task).await;
    assert_eq!(added.unwrap_err().code, Code::Refused);
    within.runtime.shutdown("test").await;
}
