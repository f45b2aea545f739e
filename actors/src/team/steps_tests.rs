//! What follows from a view, state by state. No runtime, no clock, no store.

use std::collections::HashSet;

use worknode_core::{
    agent::{AgentSpec, AgentStatus},
    body::Body,
    hlc::Hlc,
    ids::RunId,
    node::{Kind, NodeState, Times},
    restart::{RestartPolicy, Strategy},
    run::{ProcessIdentity, Run, RunLimits, RunSpec},
    task::{Claim, TaskSpec},
};

use worknode_profiles::profile::{SandboxMode, StuckPolicy};

use super::*;
use crate::definition::{AgentDefinition, DeviationLimit};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// A team of these agents, of which so many may live.
pub(crate) fn team(agents: &[(&str, Tier, StartWhen)], live_agents: usize) -> TeamDefinition {
    let agent = |(name, tier, start): &(&str, Tier, StartWhen)| AgentDefinition {
        name: (*name).to_owned(),
        spec: agent_spec(*tier, *start),
        driver: worknode_profiles::Driver::default(),
        command: Vec::new(),
        model: None,
        prompt: String::new(),
        env: std::collections::BTreeMap::new(),
        pass_env: Vec::new(),
        brief: String::new(),
        sandbox: SandboxMode::Enforce,
        strict_files: false,
        writes: Vec::new(),
        reads: Vec::new(),
        driver_writes: Vec::new(),
        ports: None,
        pool: "command".to_owned(),
        resume: true,
        on_stuck: StuckPolicy::default(),
        budget: None,
        asks: None,
    };
    TeamDefinition {
        name: "t".to_owned(),
        repository: std::path::PathBuf::new(),
        base: "main".to_owned(),
        live_agents,
        budget: worknode_core::budget::Budget::default(),
        attempts: bounds::ATTEMPTS,
        spawn_depth: bounds::SPAWN_DEPTH,
        spawn_fan_out: bounds::SPAWN_FAN_OUT,
        steal_from: 0,
        strategy: Strategy::OneForOne,
        agents: agents.iter().map(agent).collect(),
        triggers: Vec::new(),
        plan: Vec::new(),
        plan_digest: String::new(),
        tests: None,
        gates: Arc::default(),
        gate_writes: Vec::new(),
        default_gates: Vec::new(),
        kinds: Arc::default(),
        membranes: Vec::new(),
        deviation: DeviationLimit::default(),
    }
}

fn agent_spec(tier: Tier, start: StartWhen) -> AgentSpec {
    AgentSpec {
        profile: "p".to_owned(),
        driver: "command".to_owned(),
        tier,
        start,
        restart: RestartPolicy::default(),
        limits: RunLimits::default(),
        asks: worknode_core::agent::Share::default(),
        like: None,
        lineage: None,
    }
}

fn node(id: NodeId, kind: Kind, name: &str, state: NodeState) -> Node {
    let stamp = Hlc {
        wall: at(1),
        counter: 0,
        origin: 1,
    };
    Node {
        id,
        parent: None,
        kind,
        name: name.to_owned(),
        state,
        body: Body::default(),
        times: Times::default(),
        created: stamp,
        updated: stamp,
    }
}

fn id(name: &str) -> NodeId {
    NodeId::derived(NodeId::ROOT, name)
}

fn run() -> RunId {
    RunId::derived(NodeId::ROOT, "run")
}

fn task(name: &str, depends_on: &[&str], status: TaskStatus) -> Node {
    let spec = TaskSpec {
        key: name.to_owned(),
        title: name.to_owned(),
        prompt: String::new(),
        files: Vec::new(),
        may_delete: Vec::new(),
        depends_on: depends_on.iter().map(|name| id(name)).collect(),
        agent: None,
        deadline: None,
        gates: Vec::new(),
        approval: Approval::None,
        max_attempts: 3,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    };
    let task = Task {
        status,
        ..Task::new(spec)
    };
    node(id(name), Kind::Task, name, NodeState::Task(Box::new(task)))
}

fn agent(team: &TeamDefinition, name: &str, status: AgentStatus) -> Node {
    let definition = team.agents.iter().find(|agent| agent.name == name).unwrap();
    let agent = Agent {
        status,
        ..Agent::new(definition.spec.clone())
    };
    node(
        team.agent_node(name),
        Kind::Agent,
        name,
        NodeState::Agent(Box::new(agent)),
    )
}

fn working_on(name: &str) -> AgentStatus {
    let process = ProcessIdentity {
        pid: 7,
        start_time: 7,
        boot_id: "b".to_owned(),
    };
    let spec = RunSpec {
        raised: Vec::new(),
        id: run(),
        purpose: Purpose::Work {
            task: id(name),
            epoch: 1,
        },
        limits: RunLimits::default(),
    };
    AgentStatus::Busy {
        run: Box::new(Run {
            status: RunStatus::Running {
                process,
                since: at(1),
            },
            ..Run::queued(spec)
        }),
    }
}

fn held_by(agent: NodeId) -> TaskStatus {
    TaskStatus::InProgress(Claim {
        agent,
        run: Some(run()),
        epoch: 1,
        lease_until: at(60),
    })
}

fn completed() -> TaskStatus {
    let name = "0".repeat(40);
    TaskStatus::Completed {
        tree: name.parse().unwrap(),
        commit: name.parse().unwrap(),
        base: name.parse().unwrap(),
    }
}

fn view(nodes: Vec<Node>) -> View {
    let nodes: Vec<_> = nodes.into_iter().map(Arc::new).collect();
    let mut view = View::default();
    for node in &nodes {
        view.put(Arc::clone(node));
    }
    view.look_up(|id| Ok(nodes.iter().find(|node| node.id == id).cloned()))
        .unwrap();
    view
}

fn steps(team: &TeamDefinition, nodes: Vec<Node>) -> Vec<Step> {
    decide(&view(nodes), team, &HashSet::new(), at(10))
}

fn coders() -> TeamDefinition {
    let coder = |name| (name, Tier::Implementation, StartWhen::Task);
    team(&[coder("a"), coder("b")], 8)
}

#[test]
fn a_task_becomes_ready_when_all_before_it_are_completed() {
    let team = coders();
    let ready = Step::MarkReady { task: id("two") };
    let two = || task("two", &["one"], TaskStatus::Pending);
    assert!(steps(&team, vec![task("one", &[], completed()), two()]).contains(&ready));
    for status in [
        TaskStatus::Pending,
        TaskStatus::Ready,
        TaskStatus::Failed {
            reason: String::new(),
        },
    ] {
        assert!(!steps(&team, vec![task("one", &[], status), two()]).contains(&ready));
    }
}

#[test]
fn p6_p8_ready_tasks_go_to_idle_agents_within_the_limit_and_once() {
    let team = coders();
    let idle = |name| agent(&team, name, AgentStatus::Idle);
    let ready = |name| task(name, &[], TaskStatus::Ready);
    let all = || vec![idle("a"), idle("b"), ready("one"), ready("two"), ready("three")];
    assert_eq!(steps(&team, all()).len(), 2, "one task each");
    let narrow = TeamDefinition {
        live_agents: 1,
        ..team.clone()
    };
    assert_eq!(steps(&narrow, all()).len(), 1, "no more than may live");
    let busy = HashSet::from([id("one"), team.agent_node("a")]);
    let left = decide(&view(all()), &team, &busy, at(10));
    assert!(
        left.iter()
            .all(|step| step.touches().iter().all(|touched| !busy.contains(touched))),
        "{left:?}"
    );
}

#[test]
fn p5_nobody_gets_other_work_before_the_work_of_its_last_run_is_settled() {
    let team = coders();
    let idle = |name| agent(&team, name, AgentStatus::Idle);
    let last = task("one", &[], held_by(team.agent_node("a")));
    let decided = steps(
        &team,
        vec![idle("a"), idle("b"), last, task("two", &[], TaskStatus::Ready)],
    );
    let other = team.agent_node("b");
    assert!(decided.contains(&Step::Settle { task: id("one") }), "{decided:?}");
    assert!(
        decided.contains(&Step::Work {
            task: id("two"),
            agent: other
        }),
        "the other one takes it: {decided:?}"
    );
    // A pause and an empty purse keep an agent from work, and only the second for good.
    for (readiness, finished) in [(Readiness::Later, false), (Readiness::Never, true)] {
        let mut view = view(vec![
            agent(&team, "a", AgentStatus::Idle),
            agent(&team, "b", AgentStatus::Idle),
            task("two", &[], TaskStatus::Ready),
        ]);
        view.unready = ["a", "b"].map(|name| (team.agent_node(name), readiness)).into();
        let decided = decide(&view, &team, &HashSet::new(), at(10));
        assert_eq!(
            decided.iter().any(|step| matches!(step, Step::Finish { .. })),
            finished,
            "{decided:?}"
        );
        assert!(!decided.iter().any(|step| matches!(step, Step::Work { .. })));
    }
}

#[test]
fn p2_a_task_whose_run_is_over_is_settled_and_one_whose_run_lives_is_left_alone() {
    let team = coders();
    let held = || task("one", &[], held_by(team.agent_node("a")));
    let settle = vec![Step::Settle { task: id("one") }];
    assert_eq!(
        steps(&team, vec![agent(&team, "a", AgentStatus::Idle), held()]),
        settle
    );
    assert!(steps(&team, vec![agent(&team, "a", working_on("one")), held()]).is_empty());
}

#[test]
fn p2_a_task_that_is_wanted_again_waits_for_the_end_of_its_old_run() {
    let team = coders();
    let again = || task("one", &[], TaskStatus::Pending);
    let stop = Step::StopRun {
        agent: team.agent_node("a"),
    };
    assert_eq!(
        steps(&team, vec![agent(&team, "a", working_on("one")), again()]),
        vec![stop]
    );
    assert_eq!(
        steps(&team, vec![agent(&team, "a", working_on("two")), again()])[0],
        Step::MarkReady { task: id("one") }
    );
}

#[test]
fn p1_a_run_whose_task_was_taken_away_is_stopped() {
    let team = coders();
    let cancelled = task(
        "one",
        &[],
        TaskStatus::Cancelled {
            reason: String::new(),
        },
    );
    let stop = Step::StopRun {
        agent: team.agent_node("a"),
    };
    assert!(steps(&team, vec![agent(&team, "a", working_on("one")), cancelled]).contains(&stop));
}

#[test]
fn p1_a_spawned_agent_gets_no_work_but_is_stopped_when_its_own_was_taken_away() {
    let team = team(&[("a", Tier::Validation, StartWhen::Task)], 8);
    let spawned = |status| {
        let mut spec = agent_spec(Tier::Implementation, StartWhen::Trigger);
        spec.like = Some("gone".to_owned());
        let agent = Agent {
            status,
            ..Agent::new(spec)
        };
        let id = team.agent_node("a-x1");
        node(id, Kind::Agent, "a-x1", NodeState::Agent(Box::new(agent)))
    };
    let decided = steps(
        &team,
        vec![task("one", &[], TaskStatus::Ready), spawned(AgentStatus::Idle)],
    );
    assert!(
        matches!(decided.as_slice(), [Step::Finish { open: 1, .. }]),
        "{decided:?}"
    );
    let cancelled = TaskStatus::Cancelled {
        reason: String::new(),
    };
    let stop = Step::StopRun {
        agent: team.agent_node("a-x1"),
    };
    let decided = steps(
        &team,
        vec![task("one", &[], cancelled), spawned(working_on("one"))],
    );
    assert!(decided.contains(&stop), "{decided:?}");
}

#[test]
fn backoffs_end_when_they_are_over_and_quarantine_does_not() {
    let team = coders();
    let wake = |until| {
        steps(
            &team,
            vec![agent(&team, "a", AgentStatus::Backoff { until: at(until) })],
        )
    };
    assert!(wake(10).contains(&Step::Wake {
        agent: team.agent_node("a")
    }));
    assert!(!wake(11).contains(&Step::Wake {
        agent: team.agent_node("a")
    }));
    let quarantined = AgentStatus::Quarantined {
        reason: String::new(),
    };
    assert!(
        steps(&team, vec![agent(&team, "a", quarantined)])
            .iter()
            .all(|step| matches!(step, Step::Finish { .. }))
    );
}

#[test]
fn standing_duties_begin_with_the_team_and_end_for_good() {
    let team = team(&[("chief", Tier::Executive, StartWhen::Launch)], 8);
    let duty = vec![Step::Duty {
        agent: team.agent_node("chief"),
    }];
    assert_eq!(steps(&team, vec![agent(&team, "chief", AgentStatus::Idle)]), duty);
    let stopped = AgentStatus::Stopped {
        reason: String::new(),
    };
    assert!(!steps(&team, vec![agent(&team, "chief", stopped)]).contains(&duty[0]));
}

#[test]
fn the_plan_is_finished_when_nothing_goes_on_by_itself_and_only_then() {
    let team = coders();
    let finish = |open| {
        vec![Step::Finish {
            team: team.node(),
            open,
        }]
    };
    let idle = || agent(&team, "a", AgentStatus::Idle);
    let failed = || {
        task(
            "one",
            &[],
            TaskStatus::Failed {
                reason: String::new(),
            },
        )
    };
    assert_eq!(
        steps(&team, vec![idle(), task("one", &[], completed())]),
        finish(0)
    );
    assert_eq!(
        steps(
            &team,
            vec![idle(), failed(), task("two", &["one"], TaskStatus::Pending)]
        ),
        finish(1)
    );
    // Nobody is left who could take it.
    let stopped = || AgentStatus::Stopped {
        reason: String::new(),
    };
    let gone = vec![
        agent(&team, "a", stopped()),
        agent(&team, "b", stopped()),
        task("one", &[], TaskStatus::Ready),
    ];
    assert_eq!(steps(&team, gone), finish(1));
    // Somebody still works.
    let at_work = vec![
        agent(&team, "a", working_on("one")),
        task("one", &[], held_by(team.agent_node("a"))),
    ];
    assert!(steps(&team, at_work).is_empty());
    // Said once.
    let mut known = view(vec![idle(), task("one", &[], completed())]);
    known.finished = true;
    assert!(decide(&known, &team, &HashSet::new(), at(10)).is_empty());
}

#[test]
fn p8_what_is_over_is_known_only_as_long_as_somebody_names_it() {
    let team = coders();
    let nodes = vec![
        task("past", &[], completed()),
        task("one", &[], completed()),
        task("two", &["one"], TaskStatus::Pending),
    ];
    let mut known = view(nodes.clone());
    let names = |view: &View| -> Vec<String> { view.tasks.values().map(|node| node.name.clone()).collect() };
    assert_eq!(names(&known).len(), 2, "{:?}", names(&known));
    assert!(known.task(id("past")).is_none());
    let free = decide(&known, &team, &HashSet::new(), at(10));
    assert!(free.contains(&Step::MarkReady { task: id("two") }), "{free:?}");
    let mut over = task("two", &["one"], completed());
    over.updated.counter += 1;
    known.put(Arc::new(over));
    assert!(names(&known).is_empty(), "{:?}", names(&known));
    // The run that worked on it still lives.
    let mut known = view(vec![agent(&team, "a", working_on("past")), nodes[0].clone()]);
    assert!(known.task(id("past")).is_some());
    assert!(
        !decide(&known, &team, &HashSet::new(), at(10)).contains(&Step::StopRun {
            agent: team.agent_node("a")
        })
    );
    let mut idle = agent(&team, "a", AgentStatus::Idle);
    idle.updated.counter += 1;
    known.put(Arc::new(idle));
    assert!(known.task(id("past")).is_none());
}
