//! What triggers give for a time: to whoever works on a task, and to a run that they start. It ends by
//! itself, whoever lives then.

use std::{fs, time::Duration};

use serde_json::Value;
use worknode_actors::{
    new_task::{NewTask, add_task},
    system::System,
};
use worknode_core::{
    agent::{AgentCommand, Tier},
    command::{Command, Operation},
    event::{Event, Principal},
    ids::NodeId,
    raise::Permission,
    run::RunSpec,
    task::Task,
    time::{Clock, Timestamp},
};
use worknode_journal::EventFilter;
use worknode_policies::authority::Authority;
use worknode_tests::{scene::Scene, within::Within};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const LADDER: &str = r#"
[team]
name = "raised"
[[agent]]
name = "coder"
command = ["/bin/sleep", "600"]
sandbox = "best-effort"
[[trigger]]
name = "hurry"
deadline = { of = "task:*", steps = [
  { at = "2h", escalate = { tier = "executive", permissions = ["workspaces"], priority = 9, for = "1h" } } ] }
"#;

fn begin() -> Timestamp {
    "2026-11-21T08:00:30Z".parse().unwrap()
}

fn task_of(system: &System, task: NodeId) -> Task {
    system
        .reader()
        .node(task)
        .unwrap()
        .unwrap()
        .task()
        .unwrap()
        .clone()
}

/// The first run of the agent, as it was decided.
fn queued(system: &System, agent: NodeId) -> Option<RunSpec> {
    let filter = EventFilter {
        node: Some(agent),
        types: vec!["run_queued".to_owned()],
        limit: 1,
        ..EventFilter::default()
    };
    let events = system.reader().events(&filter).unwrap();
    events.into_iter().find_map(|record| match record.event {
        Event::RunQueued { run } => Some(run),
        _ => None,
    })
}

fn has(system: &System, node: NodeId, kind: &str) -> bool {
    let filter = EventFilter {
        node: Some(node),
        types: vec![kind.to_owned()],
        limit: 1,
        ..EventFilter::default()
    };
    !system.reader().events(&filter).unwrap().is_empty()
}

async fn until(within: &Within, what: &str, is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        within.runtime.look_at_the_clock().await;
        tokio::task::yield_now().await;
        assert!(begun.elapsed() < MINUTE, "{what}");
    }
}

async fn after(within: &Within, by: Duration) {
    within.clock.advance(by);
    within.runtime.look_at_the_clock().await;
}

async fn end(within: Within) -> Timestamp {
    within.runtime.shutdown("test").await;
    within.system().journal().close().await.unwrap();
    within.clock.now()
}

async fn late_task(system: &System) -> NodeId {
    let new = NewTask {
        key: Some("late".to_owned()),
        title: "Late".to_owned(),
        deadline: Some(begin().plus(3 * HOUR)),
        priority: 2,
        ..NewTask::default()
    };
    add_task(system, &Authority::whole(Principal::Operator), new)
        .await
        .unwrap()
}

async fn tell(system: &System, agent: NodeId, command: AgentCommand) {
    system.command(agent, Command::Agent(command)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_a_run_of_an_escalated_task_may_more_until_that_is_over() {
    let scene = Scene::with_team(LADDER);
    let within = Within::start(&scene, begin()).await;
    let system = within.system();
    let agent = system.team().agent_node("coder");
    // Nobody takes the task before it is raised.
    let reason = "not yet".to_owned();
    tell(system, agent, AgentCommand::Kill { reason, grace: None }).await;
    let task = late_task(system).await;
    after(&within, MINUTE).await;
    after(&within, HOUR).await;
    until(&within, "it is raised", || {
        task_of(system, task).spec.priority == 9
    })
    .await;
    let known = task_of(system, task);
    let raised = known.raised.values().next().unwrap();
    assert_eq!(raised.tier, Some(Tier::Executive));
    let over = raised.until;

    tell(system, agent, AgentCommand::Resume).await;
    until(&within, "it begins", || queued(system, agent).is_some()).await;
    let run = queued(system, agent).unwrap();
    assert!(run.raised.iter().any(|raise| raise.gives(Permission::Workspaces)));
    let file = system.context().paths.run(run.id).join("token");
    let read = || fs::read_to_string(&file).unwrap_or_default();
    until(&within, "it has its token", || !read().is_empty()).await;
    let token = read();
    let worth = |now| -> Option<Authority> {
        let capabilities = &system.context().capabilities;
        let opened = capabilities
            .check(&token, now, "raised", |_, _| Some(true))
            .ok()?;
        Some(Authority::from(opened.claims_at(now)))
    };
    let now = worth(within.clock.now()).unwrap();
    assert!(now.operations.contains(&Operation::Kill) && now.operations.contains(&Operation::Work));
    assert!(!now.operations.contains(&Operation::Review) && !now.operations.contains(&Operation::Administer));
    // A run that may read the others' work ends with that, and its capability with it.
    let later = worth(over);
    assert!(later.is_none_or(|later| !later.operations.contains(&Operation::Kill)));
    assert!(worth(over.plus(MINUTE)).is_none());
    end(within).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_raised_falls_back_also_while_no_daemon_is_there() {
    let scene = Scene::with_team(LADDER);
    let within = Within::start(&scene, begin()).await;
    let agent = within.system().team().agent_node("coder");
    let reason = "not yet".to_owned();
    tell(within.system(), agent, AgentCommand::Kill { reason, grace: None }).await;
    let task = late_task(within.system()).await;
    after(&within, MINUTE).await;
    after(&within, HOUR).await;
    until(&within, "it is raised", || {
        task_of(within.system(), task).spec.priority == 9
    })
    .await;
    let now = end(within).await;

    // The next daemon finds it as it was.
    let within = Within::start(&scene, now.plus(MINUTE)).await;
    assert_eq!(task_of(within.system(), task).raised.len(), 1);
    assert!(!has(within.system(), task, "task_lowered"));
    let now = end(within).await;

    // Nobody is there when it ends: it is worth nothing all the same, and that is recorded.
    let within = Within::start(&scene, now.plus(2 * HOUR)).await;
    let system = within.system();
    let known = task_of(system, task);
    assert!(
        known
            .raised
            .values()
            .all(|raise| !raise.holds_at(within.clock.now()))
    );
    until(&within, "it is lowered", || {
        let task = task_of(system, task);
        task.raised.is_empty() && task.spec.priority == 2
    })
    .await;
    assert!(has(system, task, "task_lowered"));
    end(within).await;
}

/// The whole way through the real program: a run that a trigger starts may more than its tier, and
/// ends when that is over because it reaches further.
#[test]
fn p9_an_emergency_agent_may_more_than_its_tier_for_its_time() {
    let scene = Scene::with_team(
        r#"
[team]
name = "raised"
[[agent]]
name = "helper"
profile = "validation"
start = "trigger"
sandbox = "best-effort"
command = ["sh", "-c", "worknode emit helped; grep -q 'For a time you may' $WORKNODE_BRIEF && sleep 600; true"]
[[trigger]]
name = "usual"
event = "look"
spawn = { agent = "helper", prompt = "Look." }
[[trigger]]
name = "emergency"
event = "hurry"
[trigger.spawn]
agent = "helper"
prompt = "Help."
raise = { tier = "executive", permissions = ["network"], for = "10s" }
"#,
    );
    scene.worknode(&["up", "-d"]).ok();
    let ended = |trigger: &'static str| {
        move |event: &Value| event["type"] == "trigger_ended" && event["data"]["trigger"] == trigger
    };
    scene.worknode(&["emit", "look"]).ok();
    scene.wait_for_event("its usual run", ended("usual"));
    let helped = |event: &Value| event["type"] == "emitted" && event["data"]["name"] == "helped";
    let before = scene.events();
    assert!(!before.iter().any(helped), "its tier writes nothing");
    scene.worknode(&["emit", "hurry"]).ok();
    scene.wait_for_event("its word", helped);
    let over = scene.wait_for_event("its end", ended("emergency"));
    let how = over["data"]["outcome"].as_str().unwrap();
    assert!(
        how.contains("could reach further") || how.contains("time limit"),
        "{how}"
    );
    scene.worknode(&["down"]).ok();
}

const PLANNED: &str = r#"
[[phase]]
name = "first"
[[phase.task]]
id = "planned"
title = "Planned"
prompt = "Plan."
files = ["planned.txt"]
approval = "none"
deadline = "2026-11-21T11:00:30Z"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn p9_what_a_trigger_raised_ends_with_the_trigger() {
    for daemon_is_there in [true, false] {
        let scene = Scene::with_team(LADDER);
        let within = Within::start(&scene, begin()).await;
        let task = late_task(within.system()).await;
        after(&within, MINUTE).await;
        after(&within, HOUR).await;
        until(&within, "it is raised", || {
            task_of(within.system(), task).spec.priority == 9
        })
        .await;
        let within = if daemon_is_there {
            within.runtime.replace_triggers(Vec::new()).await.unwrap();
            within
        } else {
            let now = end(within).await;
            let (rest, _) = LADDER.split_once("[[trigger]]").unwrap();
            scene.write("worknode.toml", rest);
            Within::start(&scene, now).await
        };
        until(&within, "it is lowered before its time", || {
            let task = task_of(within.system(), task);
            task.raised.is_empty() && task.spec.priority == 2
        })
        .await;
        assert!(has(
            within.system(),
            within.system().team().node(),
            "trigger_ended"
        ));
        end(within).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_the_plan_stays_raised_through_a_restart() {
    let scene = Scene::with_team(&format!("{LADDER}{PLANNED}"));
    let within = Within::start(&scene, begin()).await;
    let task = |within: &Within| {
        let nodes = &within.system().team().plan;
        let (id, _) = nodes.iter().find(|(_, spec)| spec.name == "planned").unwrap();
        task_of(within.system(), *id)
    };
    after(&within, MINUTE).await;
    after(&within, HOUR).await;
    until(&within, "it is raised", || task(&within).spec.priority == 9).await;
    let now = end(within).await;
    let within = Within::start(&scene, now.plus(MINUTE)).await;
    assert_eq!(task(&within).spec.priority, 9, "the plan says nothing new");
    after(&within, HOUR).await;
    until(&within, "it is lowered", || {
        let task = task(&within);
        task.spec.priority == 0 && task.raised.is_empty()
    })
    .await;
    end(within).await;
}
