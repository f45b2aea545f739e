//! What is said in the small world, in the commands and principals of the real one.

use std::collections::BTreeSet;

use worknode_core::{
    agent::{AgentCommand, Share},
    bounds,
    event::Principal,
    run::{Ending, ProcessIdentity, Receipt, StopCause},
    task::{Progress, Task, TaskCommand},
    time::Timestamp,
    verdict::Finding,
};
use worknode_policies::{
    authority::Authority,
    capability::{Limits, TaskHold, operations_of},
    verdict::{Judgement, sign},
};

use super::{
    book::Book,
    names,
    words::{AgentWord, End, Land, Run, TaskWord, Who},
};

/// A command to a task in this state.
pub(super) fn task_command(book: &Book, task: u8, known: &Task, word: TaskWord) -> TaskCommand {
    let lease = bounds::LEASE;
    match word {
        TaskWord::MarkReady => TaskCommand::MarkReady,
        TaskWord::Claim { agent } => TaskCommand::Claim {
            agent: book.agent_ids[usize::from(agent)],
            run: Some(names::run_id(Run::Work {
                task,
                epoch: u8::try_from(known.epoch + 1).unwrap(),
            })),
            lease,
        },
        TaskWord::Start { epoch } => TaskCommand::Start { epoch: epoch.into() },
        TaskWord::Renew { epoch } => TaskCommand::Renew {
            epoch: epoch.into(),
            lease,
        },
        TaskWord::Progress { epoch } => TaskCommand::Progress {
            epoch: epoch.into(),
            progress: Progress::default(),
        },
        TaskWord::Submit { epoch } => TaskCommand::Submit {
            epoch: epoch.into(),
            commit: names::submitted(task, epoch),
        },
        TaskWord::Release { epoch, cause } => TaskCommand::Release {
            epoch: epoch.into(),
            cause: cause.into(),
            detail: String::new(),
        },
        TaskWord::Block { epoch } => TaskCommand::Block {
            epoch: epoch.into(),
            reason: String::new(),
        },
        TaskWord::Verdict { land, passed } => verdict(book, land, passed),
        TaskWord::RequestReview { land } => TaskCommand::RequestReview {
            candidate: names::candidate(land),
        },
        TaskWord::Approve { epoch } => TaskCommand::Approve {
            commit: names::submitted(task, epoch),
            note: String::new(),
            shown: String::new(),
        },
        TaskWord::Reject { epoch } => TaskCommand::Reject {
            commit: names::submitted(task, epoch),
            findings: vec![Finding::new("review", "no")],
        },
        TaskWord::BeginLanding { land } => TaskCommand::BeginLanding {
            landing: names::landing(land),
        },
        TaskWord::AbandonLanding => TaskCommand::AbandonLanding {
            reason: String::new(),
        },
        TaskWord::Complete { land } => TaskCommand::Complete {
            tree: names::tree(land),
            commit: names::candidate(land),
        },
        TaskWord::Cancel => TaskCommand::Cancel {
            reason: String::new(),
        },
        TaskWord::Retry => TaskCommand::Retry,
    }
}

fn verdict(book: &Book, land: Land, passed: bool) -> TaskCommand {
    let findings = if passed {
        Vec::new()
    } else {
        vec![Finding::new("tests.failed", "no")]
    };
    let judgement = Judgement {
        gate: names::GATE.to_owned(),
        tree: names::tree(land),
        commit: names::candidate(land),
        findings,
        took_ms: 1,
        bound: None,
    };
    TaskCommand::RecordVerdict {
        verdict: sign(&book.keys, judgement),
    }
}

/// What they may do: of an agent, what the capability of its run says.
pub(super) fn authority(book: &Book, who: Who) -> Authority {
    match who {
        Who::Runtime => Authority::whole(Principal::Runtime),
        Who::Operator => Authority::whole(Principal::Operator),
        Who::Agent(agent, run) => {
            let definition = &book.team.agents[usize::from(agent)];
            let tier = definition.spec.tier;
            let task = match run {
                Run::Work { task, epoch } => Some((task, epoch)),
                Run::Review { task, .. } => Some((task, 0)),
                Run::Fired { .. } => None,
            };
            Authority {
                principal: Principal::Agent {
                    node: book.agent_ids[usize::from(agent)],
                    name: definition.name.clone(),
                    run: names::run_id(run),
                    tier,
                },
                operations: operations_of(tier),
                subtree: book.team.node(),
                task: task.map(|(task, epoch)| TaskHold {
                    node: names::task_id(task),
                    epoch: epoch.into(),
                }),
                raised: BTreeSet::new(),
                limits: Limits::default(),
                through: None,
            }
        }
    }
}

/// A command to an agent.
pub(super) fn agent_command(word: AgentWord, now: Timestamp) -> AgentCommand {
    match word {
        AgentWord::Start { run } => AgentCommand::Start {
            raised: Vec::new(),
            run: names::run_id(run),
            purpose: names::purpose(run),
            share: Share::default(),
        },
        AgentWord::Started { run } => AgentCommand::Started {
            run: names::run_id(run),
            process: ProcessIdentity {
                pid: 7,
                start_time: 7,
                boot_id: "boot".to_owned(),
            },
        },
        AgentWord::Stop => AgentCommand::StopRun {
            cause: StopCause::TaskGone,
            grace: None,
        },
        AgentWord::Exited { run, end } => AgentCommand::Exited {
            run: names::run_id(run),
            receipt: Box::new(receipt(end, now)),
            random: 0,
        },
        AgentWord::BackoffOver => AgentCommand::BackoffOver,
        AgentWord::Kill => AgentCommand::Kill {
            reason: String::new(),
            grace: None,
        },
    }
}

fn receipt(end: End, now: Timestamp) -> Receipt {
    let ending = match end {
        End::Well => Ending::Code { code: 0 },
        End::Badly => Ending::Code { code: 1 },
        End::Stopped | End::Orphaned => Ending::Signal { signal: 15 },
        End::NotStarted => Ending::NotStarted {
            reason: String::new(),
        },
    };
    Receipt {
        cause: (end == End::Orphaned).then_some(StopCause::Orphaned),
        ..Receipt::new(ending, now)
    }
}
