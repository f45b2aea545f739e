//! Random lives: what `decide` decides is accepted, and folding all events again gives what is
//! stored.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use worknode_core::{
    agent::{self, AgentCommand, Share},
    event::{Event, Principal},
    git::{CommitId, TreeId},
    ids::NodeId,
    node::Node,
    run::{Ending, ProcessIdentity, Purpose, Receipt, StopCause},
    task::{self, Landing, Progress, ReleaseCause, TaskCommand},
    time::{Clock, Timestamp},
    verdict::{Finding, Outcome, Verdict},
};

use super::support::{Store, agent as an_agent, draft, node, run_id, task as a_task};

const TASKS: [u128; 2] = [1, 2];
const AGENTS: [u128; 2] = [11, 12];

fn commit() -> CommitId {
    "1".repeat(40).parse().unwrap()
}

fn tree() -> TreeId {
    "2".repeat(40).parse().unwrap()
}

fn task_command(choice: u8, epoch: u64, serial: u128) -> TaskCommand {
    let lease = Duration::from_secs(60);
    let landing = Landing {
        tree: tree(),
        commit: commit(),
        base: "3".repeat(40).parse().unwrap(),
    };
    let verdict = Verdict {
        gate: "tests".into(),
        tree: tree(),
        commit: commit(),
        outcome: Outcome::Passed,
        findings: Vec::new(),
        more_findings: 0,
        took_ms: 1,
        bound: None,
        signature: String::new(),
    };
    let reason = "because".to_owned();
    match choice % 16 {
        0 | 1 => TaskCommand::MarkReady,
        2 => TaskCommand::Claim {
            agent: node(AGENTS[0]),
            run: (choice < 128).then(|| run_id(serial)),
            lease,
        },
        3 => TaskCommand::Start { epoch },
        4 => TaskCommand::Renew { epoch, lease },
        5 => TaskCommand::Progress {
            epoch,
            progress: Progress {
                percent: Some(choice),
                message: "on my way".into(),
            },
        },
        6 => TaskCommand::Submit {
            epoch,
            commit: commit(),
        },
        7 => TaskCommand::Release {
            epoch,
            cause: ReleaseCause::Crashed,
            detail: reason,
        },
        8 => TaskCommand::Block { epoch, reason },
        9 | 10 => TaskCommand::RecordVerdict { verdict },
        11 => TaskCommand::Reject {
            commit: commit(),
            findings: vec![Finding::new("tests.failed", "no")],
        },
        12 => TaskCommand::BeginLanding { landing },
        13 => TaskCommand::Complete {
            tree: tree(),
            commit: commit(),
        },
        14 => TaskCommand::Cancel { reason },
        _ => TaskCommand::Retry,
    }
}

fn agent_command(
    choice: u8,
    current: worknode_core::ids::RunId,
    serial: u128,
    now: Timestamp,
) -> AgentCommand {
    let process = ProcessIdentity {
        pid: 42,
        start_time: 7,
        boot_id: "boot".into(),
    };
    let receipt = Receipt::new(
        Ending::Code {
            code: i32::from(choice % 2),
        },
        now,
    );
    match choice % 8 {
        0 | 1 => AgentCommand::Start {
            raised: Vec::new(),
            run: run_id(serial),
            purpose: Purpose::Standing,
            share: Share::default(),
        },
        2 | 3 => AgentCommand::Started {
            run: current,
            process,
        },
        4 => AgentCommand::StopRun {
            cause: StopCause::TimeLimit,
            grace: None,
        },
        5 => AgentCommand::Exited {
            run: current,
            receipt: Box::new(receipt),
            random: 0,
        },
        6 => AgentCommand::BackoffOver,
        _ => AgentCommand::Resume,
    }
}

/// What one command comes to in the state that the journal holds.
fn decided(state: &Node, choice: u8, serial: u128, now: Timestamp) -> Vec<Event> {
    let by = Principal::Operator;
    if let Some(task) = state.task() {
        let command = task_command(choice, task.epoch, serial);
        return task::decide(task, &command, &by, now).map_or_else(|_| Vec::new(), |d| d.events);
    }
    let agent = state.agent().unwrap();
    let current = agent
        .status
        .run()
        .map_or_else(|| run_id(serial), |run| run.spec.id);
    let command = agent_command(choice, current, serial, now);
    agent::decide(agent, &command, &by, now).map_or_else(|_| Vec::new(), |d| d.events)
}

async fn live(choices: Vec<(usize, u8, u16)>) {
    let mut store = Store::new().await;
    let mut ids: Vec<NodeId> = TASKS.iter().chain(&AGENTS).map(|n| node(*n)).collect();
    let mut drafts: Vec<_> = TASKS.iter().map(|n| a_task(node(*n), &n.to_string())).collect();
    drafts.extend(AGENTS.iter().map(|n| an_agent(node(*n), &n.to_string())));
    let created = store.append(drafts).await.unwrap();
    let mut model: HashMap<NodeId, Node> = created
        .iter()
        .filter_map(Node::created_by)
        .map(|node| (node.id, node))
        .collect();
    for (serial, (who, choice, millis)) in choices.into_iter().enumerate() {
        store.clock.advance(Duration::from_millis(millis.into()));
        let id = ids[who % ids.len()];
        let state = store.journal.reader().node(id).unwrap().unwrap();
        let events = decided(&state, choice, 1_000 + serial as u128, store.clock.now());
        let drafts = events.into_iter().map(|event| draft(id, event)).collect();
        for record in store.append(drafts).await.unwrap() {
            let next = model[&id].apply(&record).unwrap();
            model.insert(id, next);
        }
    }
    store.reopen().await;
    ids.sort_unstable();
    for id in ids {
        assert_eq!(store.journal.reader().node(id).unwrap().as_ref(), model.get(&id));
    }
    store.assert_sound().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_stored_is_what_the_events_lead_to(
        choices in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u16>()), 1..120),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(live(choices));
    }
}
