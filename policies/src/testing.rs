//! What the tests of several modules need.

use worknode_core::{
    agent::Tier,
    event::Principal,
    git::{CommitId, TreeId},
    ids::{NodeId, RunId},
    task::{Approval, TaskSpec},
};

use crate::signing::SigningKeys;

pub(crate) fn commit(n: u8) -> CommitId {
    format!("{n:040x}").parse().unwrap()
}

pub(crate) fn tree(n: u8) -> TreeId {
    format!("{n:040x}").parse().unwrap()
}

pub(crate) fn node(n: u8) -> NodeId {
    NodeId::from_parts(1, [n; 10])
}

pub(crate) fn keys() -> SigningKeys {
    SigningKeys::from_seed([7; 32])
}

pub(crate) fn agent(n: u8, tier: Tier) -> Principal {
    Principal::Agent {
        node: node(n),
        name: format!("agent-{n}"),
        run: RunId::from_parts(1, [n; 10]),
        tier,
    }
}

pub(crate) fn spec(key: &str) -> TaskSpec {
    TaskSpec {
        key: key.to_owned(),
        title: key.to_owned(),
        prompt: String::new(),
        files: vec!["src/**".to_owned()],
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: None,
        deadline: None,
        gates: vec!["plan".to_owned(), "tests".to_owned()],
        approval: Approval::Validation,
        max_attempts: 3,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    }
}
