//! Claims by those whom the runtime does not run: each verb, the queue, leases, contention.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use serde_json::json;
use worknode_actors::{
    claims::{Steal, Wanted, Won, claim, claim_next},
    new_task::{NewTask, add_task},
    system::System,
};
use worknode_core::{
    body::{Link, Relation},
    bounds,
    command::Command,
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    node::{Kind, NodeChange},
    task::{ReleaseCause, TaskCommand, TaskSpec},
    time::Timestamp,
};
use worknode_journal::Durability;
use worknode_policies::authority::Authority;
use worknode_tests::{
    made,
    program::{Done, command},
    scene::Scene,
    within::Within,
};

/// A team whose agents start by nothing that happens here: they stand for people.
const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "ada"
profile = "executive"
driver = "command"
command = ["/bin/true"]
start = "trigger"
restart = { kind = "temporary" }

[[agent]]
name = "bob"
profile = "executive"
driver = "command"
command = ["/bin/true"]
start = "trigger"
restart = { kind = "temporary" }
"#;

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

async fn within(scene: &Scene) -> Within {
    Within::start(scene, NOW).await
}

fn operator() -> Arc<Authority> {
    Arc::new(Authority::whole(Principal::Operator))
}

async fn add(system: &System, key: &str, priority: i32) -> NodeId {
    let new = NewTask {
        key: Some(key.to_owned()),
        title: key.to_owned(),
        priority,
        gates: Some(Vec::new()),
        ..NewTask::default()
    };
    add_task(system, &Authority::whole(Principal::Operator), new)
        .await
        .unwrap()
}

/// Waits until the team has made it ready.
async fn ready(system: &System, task: NodeId) {
    let mut follower = system.journal().follow(system.journal().last_stamp());
    while system.reader().node(task).unwrap().unwrap().status() != "ready" {
        follower.next(1).await.unwrap();
    }
}

/// Waits until the team, too, knows that it is ready: who asks is shown it, and turns it down.
async fn known(system: &System, task: NodeId) {
    let shown = Arc::new(AtomicBool::new(false));
    while !shown.load(Ordering::Relaxed) {
        let shown = Arc::clone(&shown);
        let look = Wanted {
            fits: Some(Arc::new(move |node| {
                shown.fetch_or(node.id == task, Ordering::Relaxed);
                false
            })),
            ..wanted(system, "ada", Duration::ZERO)
        };
        let nothing = claim_next(system, &operator(), look).await.unwrap_err();
        assert_eq!(nothing.code, Code::NotFound);
        tokio::task::yield_now().await;
    }
}

fn wanted(system: &System, name: &str, wait: Duration) -> Wanted {
    Wanted {
        holder: system.team().agent_node(name),
        name: name.to_owned(),
        lease: bounds::LEASE,
        scope: NodeId::ROOT,
        skills: BTreeSet::new(),
        fits: None,
        steal: None,
        wait,
    }
}

type Waiter = Pin<Box<dyn Future<Output = Result<Won, Error>> + Send>>;

/// Asks, and returns once the question is in the queue.
async fn asked(system: &System, wanted: Wanted) -> Waiter {
    let system = system.clone();
    let mut waiter: Waiter = Box::pin(async move { claim_next(&system, &operator(), wanted).await });
    let first = std::future::poll_fn(|context: &mut Context<'_>| Poll::Ready(waiter.as_mut().poll(context)));
    assert!(first.await.is_pending(), "there is nothing to be had yet");
    waiter
}

async fn on_task(system: &System, task: NodeId, command: TaskCommand) -> Result<(), Error> {
    let command = Command::Task(command);
    system.ask(&operator(), task, command, None).await.map(drop)
}

fn release(epoch: u64) -> TaskCommand {
    TaskCommand::Release {
        epoch,
        cause: ReleaseCause::GivenBack,
        detail: String::new(),
    }
}

#[test]
fn p1_every_verb_through_the_program_and_an_old_epoch_is_refused_by_each() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene
        .worknode(&["task", "add", "Write it", "--key", "one", "--file", "one.txt"])
        .ok();
    scene.wait_for_task("one", "ready");
    let claim = scene
        .worknode(&["task", "claim", "one", "--as", "ada", "--json"])
        .ok()
        .json();
    assert_eq!((&claim["key"], &claim["epoch"]), (&"one".into(), &1.into()));
    assert!(claim["lease_until"].is_string());
    scene.worknode(&["task", "claim", "one", "--as", "bob"]).fails(5);
    scene
        .worknode(&["task", "claim", "one", "--as", "nobody"])
        .fails(3)
        .says(&["Worknode"]);
    scene
        .worknode(&["task", "progress", "--task", "one", "--epoch", "1", "begun"])
        .ok();
    scene
        .worknode(&["task", "renew", "one", "--epoch", "1", "--lease", "90s"])
        .ok();
    scene
        .worknode(&["task", "renew", "one", "--epoch", "1", "--lease", "1ms"])
        .fails(2);
    let over = &[
        "task",
        "hand-over",
        "one",
        "--epoch",
        "1",
        "--to",
        "bob",
        "--json",
    ];
    assert_eq!(scene.worknode(over).ok().json()["epoch"], 2);
    let seen = scene.worknode(&["task", "show", "one", "--json"]).ok().json();
    assert_eq!((&seen["agent"], &seen["attempts"]), (&"bob".into(), &1.into()));
    let commit = scene.git(&["rev-parse", "HEAD"]);
    for late in [
        &["task", "progress", "--task", "one", "--epoch", "1", "late"][..],
        &["task", "renew", "one", "--epoch", "1"],
        &["task", "hand-over", "one", "--epoch", "1", "--to", "ada"],
        &["task", "release", "--task", "one", "--epoch", "1"],
        &["task", "fail", "--task", "one", "--epoch", "1"],
        &["task", "block", "--task", "one", "--epoch", "1", "late"],
        &["task", "submit", "--task", "one", "--epoch", "1", &commit],
    ] {
        scene.worknode(late).fails(5);
    }
    scene
        .worknode(&["task", "release", "--task", "one", "--epoch", "2"])
        .ok();
    let next = scene
        .worknode(&["task", "next", "--as", "ada", "--json"])
        .ok()
        .json();
    assert_eq!(next["epoch"], 3);
    scene
        .worknode(&["task", "fail", "--task", "one", "--epoch", "3", "no idea"])
        .ok();
    // It rests for a moment, and whoever waits gets it then.
    let again = scene
        .worknode(&["task", "next", "--as", "ada", "--wait", "60s", "--json"])
        .ok()
        .json();
    assert_eq!(again["epoch"], 4);
    scene.worknode(&["task", "next", "--as", "bob"]).fails(3);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p3_work_from_outside_lands_only_through_the_gates() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene
        .worknode(&["task", "add", "Write it", "--key", "one", "--file", "one.txt"])
        .ok();
    scene.wait_for_task("one", "ready");
    scene.git(&["switch", "--quiet", "--create", "work"]);
    scene.write("other.txt", "not mine\n");
    scene.commit("beside the task");
    let wrong = scene.git(&["rev-parse", "HEAD"]);
    scene.git(&["switch", "--quiet", "--create", "better", "main"]);
    scene.write("one.txt", "one\n");
    scene.commit("the task");
    let right = scene.git(&["rev-parse", "HEAD"]);
    scene.git(&["switch", "--quiet", "main"]);
    scene.worknode(&["task", "claim", "one", "--as", "ada"]).ok();
    scene
        .worknode(&["task", "submit", "--task", "one", "--epoch", "1", &wrong])
        .ok();
    let refused = scene.wait_for_task("one", "ready");
    assert!(!refused["findings"].as_array().unwrap().is_empty(), "{refused}");
    scene.worknode(&["task", "claim", "one", "--as", "ada"]).ok();
    scene
        .worknode(&["task", "submit", "--task", "one", "--epoch", "2", &right])
        .ok();
    scene.wait_for_task("one", "completed");
    assert_eq!(scene.git(&["show", "main:one.txt"]), "one");
    scene.worknode(&["down"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_ten_thousand_claims_on_one_task_have_one_winner() {
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    let task = add(&system, "one", 0).await;
    ready(&system, task).await;
    let holder = system.team().agent_node("ada");
    let claims: Vec<_> = (0..10_000)
        .map(|_| {
            let system = system.clone();
            tokio::spawn(async move { claim(&system, &operator(), task, holder, bounds::LEASE).await })
        })
        .collect();
    let mut won = 0;
    for made in claims {
        match made.await.unwrap() {
            Ok(claim) => {
                assert_eq!(claim.epoch, 1);
                won += 1;
            }
            Err(error) => assert!(matches!(error.code, Code::Held | Code::Backpressure), "{error}"),
        }
    }
    assert_eq!(won, 1);
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_starved_and_no_task_is_claimed_twice() {
    const TASKS: usize = 200;
    const CLAIMERS: usize = 50;
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    for n in 0..TASKS {
        add(&system, &format!("t{n}"), 0).await;
    }
    let claimers: Vec<_> = (0..CLAIMERS)
        .map(|_| {
            let system = system.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                for _ in 0..TASKS / CLAIMERS {
                    let wanted = wanted(&system, "ada", Duration::from_secs(60));
                    got.push(claim_next(&system, &operator(), wanted).await.unwrap().task);
                }
                got
            })
        })
        .collect();
    let mut seen = BTreeSet::new();
    for claimer in claimers {
        for task in claimer.await.unwrap() {
            assert!(seen.insert(task), "claimed twice");
        }
    }
    assert_eq!(seen.len(), TASKS);
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_longest_is_served_first_and_who_leaves_leaves_nothing_behind() {
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    let minute = Duration::from_secs(60);
    let first = asked(&system, wanted(&system, "ada", minute)).await;
    let second = asked(&system, wanted(&system, "bob", minute)).await;
    let third = asked(&system, wanted(&system, "ada", minute)).await;
    let one = add(&system, "one", 0).await;
    assert_eq!(first.await.unwrap().task, one, "who came first");
    drop(second);
    let two = add(&system, "two", 0).await;
    let won = third.await.unwrap();
    assert_eq!((won.task, won.epoch), (two, 1), "nothing went to who has left");
    let open = add(&system, "three", 0).await;
    ready(&system, open).await;
    assert_eq!(system.reader().node(open).unwrap().unwrap().status(), "ready");
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn priority_counts_first_then_age_then_skills_and_a_scope_is_kept() {
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    let old = add(&system, "old", 0).await;
    within.clock.advance(Duration::from_secs(1));
    let (plain, skilled) = (add(&system, "plain", 0).await, add(&system, "skilled", 0).await);
    let urgent = add(&system, "urgent", 5).await;
    let tag = Command::Node {
        change: NodeChange::Tag {
            tag: "rust".to_owned(),
        },
        unless_changed_since: None,
    };
    system.ask(&operator(), skilled, tag, None).await.unwrap();
    for task in [old, plain, skilled, urgent] {
        ready(&system, task).await;
        known(&system, task).await;
    }
    let elsewhere = Wanted {
        scope: system.team().agent_node("bob"),
        ..wanted(&system, "ada", Duration::ZERO)
    };
    let nothing = claim_next(&system, &operator(), elsewhere.clone())
        .await
        .unwrap_err();
    assert_eq!(nothing.code, Code::NotFound);
    let rusty = || Wanted {
        skills: ["rust".to_owned()].into(),
        ..wanted(&system, "ada", Duration::ZERO)
    };
    let mut order = Vec::new();
    for _ in 0..3 {
        order.push(claim_next(&system, &operator(), rusty()).await.unwrap().task);
    }
    assert_eq!(order, [urgent, old, skilled]);
    // An idle team takes from a busy one only what is too much there.
    let steal = |above| Wanted {
        steal: Some(Steal {
            from: vec![system.team().node()],
            above,
        }),
        ..elsewhere.clone()
    };
    assert!(claim_next(&system, &operator(), steal(1)).await.is_err());
    // And only what the membranes of both let through.
    for (node, says) in [
        (system.team().node(), json!({ "emit": ["task_completed"] })),
        (elsewhere.scope, json!({ "accept": ["build_*"] })),
    ] {
        put_membrane(&system, node, Some(says)).await;
        let kept = claim_next(&system, &operator(), steal(0)).await.unwrap_err();
        assert_eq!(kept.code, Code::NotFound, "{node}");
        put_membrane(&system, node, None).await;
    }
    assert_eq!(
        claim_next(&system, &operator(), steal(0)).await.unwrap().task,
        plain
    );
    within.runtime.shutdown("test").await;
}

async fn put_membrane(system: &System, node: NodeId, says: Option<serde_json::Value>) {
    let membrane = says.map(|says| serde_json::from_value(says).unwrap());
    let command = Command::Node {
        change: NodeChange::SetMembrane { membrane },
        unless_changed_since: None,
    };
    system.ask(&operator(), node, command, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_three_missed_heartbeats_and_the_task_goes_on_with_the_last_word_kept() {
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    let task = add(&system, "one", 0).await;
    ready(&system, task).await;
    let (ada, bob) = (system.team().agent_node("ada"), system.team().agent_node("bob"));
    let won = claim(&system, &operator(), task, ada, bounds::LEASE)
        .await
        .unwrap();
    let word = worknode_core::task::Progress {
        percent: Some(40),
        message: "so far".to_owned(),
    };
    system
        .report_progress(&operator(), task, won.epoch, word)
        .await
        .unwrap();
    within.clock.advance(bounds::HEARTBEAT);
    let renew = TaskCommand::Renew {
        epoch: 1,
        lease: bounds::LEASE,
    };
    on_task(&system, task, renew.clone()).await.unwrap();
    within.clock.advance(bounds::LEASE - Duration::from_millis(1));
    look(&system).await;
    let held = system.reader().node(task).unwrap().unwrap();
    assert!(held.task().unwrap().status.claim().is_some(), "{}", held.status());
    within.clock.advance(Duration::from_millis(1));
    look(&system).await;
    ready(&system, task).await;
    let node = system.reader().node(task).unwrap().unwrap();
    let lapsed = node.task().unwrap();
    assert_eq!((lapsed.attempts, &lapsed.lost_by), (1, &vec![ada]));
    assert_eq!(lapsed.progress.as_ref().unwrap().percent, Some(40));
    let late = on_task(&system, task, renew).await.unwrap_err();
    assert_eq!(late.code, Code::StaleEpoch);
    let won = claim(&system, &operator(), task, bob, bounds::LEASE)
        .await
        .unwrap();
    assert_eq!(won.epoch, 2);
    within.runtime.shutdown("test").await;
}

/// Lets the team look at the clock, as anything that happens does.
async fn look(system: &System) {
    let emit = Command::Emit {
        name: "look".to_owned(),
        version: 1,
        data: serde_json::Map::new(),
    };
    let team = system.team().node();
    system.ask(&operator(), team, emit, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_claims_outlive_the_runtime_and_waiting_claims_are_told_of_its_end() {
    let scene = Scene::with_team(TEAM);
    let first = within(&scene).await;
    let system = first.system().clone();
    let task = add(&system, "one", 0).await;
    ready(&system, task).await;
    let ada = system.team().agent_node("ada");
    claim(&system, &operator(), task, ada, bounds::LEASE)
        .await
        .unwrap();
    let waiter = asked(&system, wanted(&system, "bob", Duration::from_secs(60))).await;
    first.runtime.shutdown("test").await;
    assert_eq!(waiter.await.unwrap_err().code, Code::Failed);
    system.journal().close().await.unwrap();
    drop((first, system));

    let second = within(&scene).await;
    let system = second.system().clone();
    let held = claim(&system, &operator(), task, ada, bounds::LEASE)
        .await
        .unwrap_err();
    assert_eq!(held.code, Code::Held);
    on_task(&system, task, release(1)).await.unwrap();
    let won = claim_next(
        &system,
        &operator(),
        wanted(&system, "bob", Duration::from_secs(60)),
    )
    .await;
    assert_eq!(won.unwrap().epoch, 2);
    second.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_a_dependency_and_its_completion_is_waited_for() {
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    let (base, on_top) = (add(&system, "base", 0).await, add(&system, "on-top", 0).await);
    ready(&system, on_top).await;
    let link = Command::Node {
        change: NodeChange::Link {
            link: Link {
                relation: Relation::DependsOn,
                to: base,
            },
        },
        unless_changed_since: None,
    };
    system.ask(&operator(), on_top, link, None).await.unwrap();
    ready(&system, base).await;
    let won = claim_next(
        &system,
        &operator(),
        wanted(&system, "ada", Duration::from_secs(60)),
    )
    .await;
    assert_eq!(won.unwrap().task, base);
    assert!(
        claim_next(&system, &operator(), wanted(&system, "bob", Duration::ZERO))
            .await
            .is_err()
    );
    assert_eq!(system.reader().node(on_top).unwrap().unwrap().status(), "pending");
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_too_many_open_tasks_are_backpressure_with_a_time_to_wait() {
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    let shelf = |n: usize| NodeId::derived(NodeId::ROOT, &format!("shelf {n}"));
    let team = system.team().node();
    let phase = |n| made::plain(shelf(n), team, Kind::Phase, format!("shelf {n}"));
    system
        .journal()
        .append((0..2).map(phase).collect(), Durability::Durable)
        .await
        .unwrap();
    let waits = |n: usize| {
        let key = format!("waits-{n}");
        let spec = TaskSpec {
            depends_on: vec![NodeId::derived(NodeId::ROOT, "never")],
            ..made::bare_task(&*key)
        };
        made::task(NodeId::derived(NodeId::ROOT, &key), shelf(n % 2), spec)
    };
    let all: Vec<_> = (0..bounds::PENDING_TASKS).map(waits).collect();
    for chunk in all.chunks(5_000) {
        system
            .journal()
            .append(chunk.to_vec(), Durability::Durable)
            .await
            .unwrap();
    }
    let new = NewTask {
        title: "one more".to_owned(),
        ..NewTask::default()
    };
    let refused = add_task(&system, &Authority::whole(Principal::Operator), new)
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Backpressure);
    assert!(refused.retry_after_ms.is_some_and(|wait| wait > 0));
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_the_embedded_coordinator_keeps_the_contract() {
    let scene = Scene::with_team(TEAM);
    let within = within(&scene).await;
    let system = within.system().clone();
    let task = add(&system, "one", 0).await;
    ready(&system, task).await;
    let holders = [system.team().agent_node("ada"), system.team().agent_node("bob")];
    let embedded = worknode_actors::coordinator::Embedded::new(system, operator());
    worknode_tests::coordinator::contract(embedded, task, holders).await;
    within.runtime.shutdown("test").await;
}

#[test]
fn p9_somebody_outside_claims_with_a_capability_and_for_nobody_else() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    for key in ["one", "two"] {
        scene.worknode(&["task", "add", key, "--key", key]).ok();
        scene.wait_for_task(key, "ready");
    }
    let issue = &["capability", "issue", "ada", "--for", "1h", "--json"];
    let token = scene.worknode(issue).ok().json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.write("token", &token);
    let as_ada = |args: &[&str]| -> Done {
        let mut program = command(scene.path());
        program
            .env("WORKNODE_SOCKET", scene.file(".worknode/worknode.sock"))
            .env("WORKNODE_TOKEN_FILE", scene.file("token"))
            .args(args);
        program.output().unwrap().into()
    };
    let won = as_ada(&["task", "next", "--json"]).ok().json();
    assert_eq!(won["key"], "one");
    as_ada(&["task", "progress", "--task", "one", "--epoch", "1", "half of it"]).ok();
    as_ada(&["task", "claim", "two", "--as", "bob"]).fails(4);
    scene.worknode(&["task", "claim", "two", "--as", "bob"]).ok();
    as_ada(&["task", "next", "--where", "status == \"completed\""]).fails(3);
    as_ada(&["task", "next", "--where", "status =="]).fails(2);
    // Knowing an epoch is not holding it.
    as_ada(&["task", "progress", "--task", "two", "--epoch", "1", "mine"]).fails(5);
    as_ada(&["task", "release", "--task", "two", "--epoch", "1"]).fails(5);
    as_ada(&["task", "cancel", "two"]).fails(4);
    as_ada(&["capability", "issue", "bob"]).fails(4);
    as_ada(&["task", "release", "--task", "one", "--epoch", "1"]).ok();
    scene.worknode(&["down"]).ok();
}
