//! Who may what, and the rule that says no.

use worknode_core::{
    agent::{AgentCommand, Tier},
    permission::Word,
    task::Progress,
};

use super::*;
use crate::{
    capability::{Limits, operations_of, usual_outside},
    testing::{agent, commit, node},
};

const TEAM: u8 = 1;
const TASK: u8 = 10;

fn agent_authority(tier: Tier, task: Option<(u8, u64)>) -> Authority {
    Authority {
        principal: agent(5, tier),
        operations: operations_of(tier),
        subtree: node(TEAM),
        task: task.map(|(task, epoch)| TaskHold {
            node: node(task),
            epoch,
        }),
        raised: BTreeSet::new(),
        limits: Limits::default(),
        through: None,
    }
}

fn ask(authority: &Authority, command: &Command, of: u8) -> Option<Rule> {
    let target = Target {
        node: node(of),
        ancestors: &[node(TEAM), NodeId::ROOT],
        submitted_by: Some(node(6)),
    };
    first_objection(authority, command, &target)
}

fn submit(epoch: u64) -> Command {
    Command::Task(TaskCommand::Submit {
        epoch,
        commit: commit(1),
    })
}

fn approve() -> Command {
    Command::Task(TaskCommand::Approve {
        shown: String::new(),
        commit: commit(1),
        note: String::new(),
    })
}

fn kill() -> Command {
    Command::Agent(AgentCommand::Kill {
        reason: String::new(),
        grace: None,
    })
}

/// One command of each operation.
fn commands() -> Vec<Command> {
    vec![
        Command::Get,
        submit(3),
        approve(),
        Command::Emit {
            name: "x".into(),
            version: 1,
            data: serde_json::Map::default(),
        },
        Command::Task(TaskCommand::Retry),
        kill(),
        Command::Task(TaskCommand::MarkReady),
    ]
}

#[test]
fn p9_each_tier_may_do_its_own_and_nothing_else() {
    let allowed = |authority: &Authority| -> Vec<Operation> {
        commands()
            .iter()
            .filter(|command| ask(authority, command, TASK).is_none())
            .map(Command::operation)
            .collect()
    };
    use Operation as O;
    let tier = |tier, task| allowed(&agent_authority(tier, task));
    assert_eq!(tier(Tier::Implementation, Some((TASK, 3))), [O::Read, O::Work]);
    assert_eq!(tier(Tier::Validation, None), [O::Read, O::Review]);
    assert_eq!(
        tier(Tier::Executive, None),
        [O::Read, O::Write, O::Spawn, O::Kill]
    );
    let operator = allowed(&Authority::whole(Principal::Operator));
    assert_eq!(
        operator,
        [O::Read, O::Work, O::Review, O::Write, O::Spawn, O::Kill]
    );
    assert_eq!(allowed(&Authority::whole(Principal::Runtime)).len(), 7);
}

#[test]
fn p9_a_capability_cannot_hold_more_than_its_tier() {
    let mut greedy = agent_authority(Tier::Implementation, Some((TASK, 3)));
    greedy.operations.insert(Operation::Kill);
    assert_eq!(ask(&greedy, &kill(), TASK), Some(Rule::Tier));
}

#[test]
fn p9_a_raise_adds_what_it_names_for_its_time_and_no_verdict() {
    use worknode_core::{raise::Permission, time::Timestamp};

    use crate::{
        capability::{Claims, VERSION, issue, open},
        testing::keys,
    };
    let claims = |tier, permissions: &[Permission]| Claims {
        version: VERSION,
        principal: agent(5, Tier::Implementation),
        operations: operations_of(Tier::Implementation),
        subtree: node(TEAM),
        task: Some(TaskHold {
            node: node(TASK),
            epoch: 3,
        }),
        raised: vec![Raise {
            tier,
            permissions: permissions.iter().copied().collect(),
            until: Timestamp::from_millis(500),
        }],
        expires: Timestamp::from_millis(1_000),
        issued: Timestamp::default(),
        limits: Limits::default(),
        from: Vec::new(),
    };
    let at = |claims: &Claims, now| -> Authority {
        let token = issue(&keys(), claims).unwrap();
        let opened = open(token.reveal(), &keys().public().into()).unwrap();
        opened.claims_at(Timestamp::from_millis(now)).into()
    };
    let killer = claims(None, &[Permission::Kill]);
    assert_eq!(ask(&at(&killer, 499), &kill(), TASK), None);
    assert_eq!(ask(&at(&killer, 500), &kill(), TASK), Some(Rule::Operation));
    assert_eq!(
        ask(&at(&killer, 500), &submit(3), TASK),
        None,
        "its own work goes on"
    );
    let most = at(&claims(Some(Tier::Executive), &[Permission::Network]), 0);
    let allowed = commands()
        .iter()
        .filter(|command| ask(&most, command, TASK).is_none())
        .count();
    assert_eq!(allowed, 5, "read, work, write, spawn, kill");
    assert_eq!(ask(&most, &approve(), TASK), Some(Rule::Operation));
    assert_eq!(ask(&most, &kill(), TASK), None);
}

#[test]
fn p1_a_run_writes_only_under_its_own_claim() {
    let own = agent_authority(Tier::Implementation, Some((TASK, 3)));
    assert_eq!(ask(&own, &submit(3), TASK), None);
    assert_eq!(ask(&own, &submit(2), TASK), Some(Rule::OwnTask));
    assert_eq!(ask(&own, &submit(3), TASK + 1), Some(Rule::OwnTask));
    let none = agent_authority(Tier::Implementation, None);
    assert_eq!(ask(&none, &submit(3), TASK), Some(Rule::OwnTask));
    let progress = Command::Task(TaskCommand::Progress {
        epoch: 3,
        progress: Progress::default(),
    });
    assert_eq!(ask(&own, &progress, TASK), None);
}

#[test]
fn p3_nobody_reviews_their_own_work_or_somebody_else_s_assignment() {
    let mut reviewer = agent_authority(Tier::Validation, None);
    assert_eq!(ask(&reviewer, &approve(), TASK), None);
    reviewer.principal = agent(6, Tier::Validation);
    assert_eq!(ask(&reviewer, &approve(), TASK), Some(Rule::Submitter));
    let assigned = agent_authority(Tier::Validation, Some((TASK, 0)));
    assert_eq!(ask(&assigned, &approve(), TASK), None);
    assert_eq!(ask(&assigned, &approve(), TASK + 1), Some(Rule::OwnReview));
    let coder = agent_authority(Tier::Implementation, None);
    assert_eq!(ask(&coder, &approve(), TASK), Some(Rule::Operation));
    let person = |n| {
        Authority::whole(Principal::Outside {
            node: node(n),
            name: "ada".into(),
        })
    };
    assert_eq!(ask(&person(106), &approve(), TASK), None);
    assert_eq!(ask(&person(6), &approve(), TASK), Some(Rule::Submitter));
    let usual = Authority {
        operations: usual_outside(),
        ..person(106)
    };
    assert_eq!(
        ask(&usual, &approve(), TASK),
        Some(Rule::Operation),
        "who was not asked to"
    );
}

#[test]
fn p9_what_is_not_below_the_subtree_is_out_of_reach() {
    let mut elsewhere = agent_authority(Tier::Executive, None);
    elsewhere.subtree = node(99);
    for command in [Command::Get, kill()] {
        assert_eq!(ask(&elsewhere, &command, TASK), Some(Rule::Subtree));
    }
    elsewhere.subtree = node(TASK);
    assert_eq!(ask(&elsewhere, &kill(), TASK), None);
}

#[test]
fn a_refusal_says_who_lacks_what_by_which_rule() {
    let coder = agent_authority(Tier::Implementation, None);
    let target = Target {
        node: node(TASK),
        ancestors: &[],
        submitted_by: None,
    };
    let error = authorise(&coder, &kill(), &target).unwrap_err();
    assert_eq!(error.code, Code::Forbidden);
    assert_eq!(
        error.message,
        "agent-5 may not kill: its capability does not list it (rule `operation`)"
    );
    assert!(error.hint.is_some());
}

#[test]
fn p9_what_a_program_asks_a_person_for_no_agent_answers() {
    let word = Word {
        request: "r".into(),
        allow: true,
        reason: String::new(),
        shown: "d".into(),
        through: None,
    };
    let answer = Command::Agent(AgentCommand::AnswerPermission(Box::new(word)));
    assert_eq!(ask(&Authority::whole(Principal::Operator), &answer, 7), None);
    for tier in [Tier::Executive, Tier::Implementation, Tier::Validation] {
        assert!(
            ask(&agent_authority(tier, None), &answer, 7).is_some(),
            "{tier:?}"
        );
    }
    let reviewer = agent_authority(Tier::Validation, None);
    assert_eq!(ask(&reviewer, &answer, 7), Some(Rule::Person));
    let person = |n| {
        Authority::whole(Principal::Outside {
            node: node(n),
            name: "ada".into(),
        })
    };
    assert_eq!(ask(&person(106), &answer, 7), None);
    assert_eq!(ask(&person(7), &answer, 7), Some(Rule::Person), "who asks");
}
