//! Decisions: what was asked, what was decided, why, and what was not.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worknode_core::{
    bounds,
    error::{Code, Error},
    ids::NodeId,
    node::{Kind, Node},
    time::Timestamp,
};
use worknode_journal::{Reader, Selector};
use worknode_policies::{authority::Authority, signature};

use super::{
    Making, Ranked, attribute, author, check_texts, is_covered, make, name_of, place, text, words_of,
};
use crate::system::System;

/// The folder of decisions that belong to no task.
const FOLDER: &str = "decisions";
/// What a tag begins with that names the decision before.
const SUPERSEDES: &str = "supersedes:";

/// What was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// What.
    pub option: String,
    /// Why not.
    #[serde(default)]
    pub because: String,
}

/// A decision as somebody records it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewDecision {
    /// What was asked.
    pub question: String,
    /// What was decided.
    pub decision: String,
    /// Why.
    pub rationale: String,
    /// What was not chosen, and why.
    pub alternatives: Vec<Alternative>,
    /// How sure, from 0 to 1.
    pub confidence: Option<f64>,
}

/// A decision as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Decision {
    /// Its identity.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// The task or folder that it is below.
    pub on: Option<NodeId>,
    /// What was asked.
    pub question: String,
    /// What was decided.
    pub decision: String,
    /// Why.
    #[serde(default)]
    pub rationale: String,
    /// What was not chosen, and why.
    #[serde(default)]
    pub alternatives: Vec<Alternative>,
    /// How sure, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The decision that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<NodeId>,
    /// The decision that replaced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<NodeId>,
}

impl Decision {
    /// Reads a decision, and what became of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(reader: &Reader, node: &Node) -> Result<Self, Error> {
        let alternatives = attribute(node, "alternatives").cloned().unwrap_or_default();
        let superseded = Selector {
            tag: Some(format!("{SUPERSEDES}{}", node.id)),
            limit: 1,
            ..Selector::default()
        };
        let after = reader.select(&superseded)?.nodes.into_iter().next();
        let before = node.body.tags.iter().find_map(|tag| tag.strip_prefix(SUPERSEDES));
        Ok(Self {
            id: node.id,
            name: node.name.clone(),
            on: node.parent,
            question: text(node, "question"),
            decision: text(node, "decision"),
            rationale: text(node, "rationale"),
            alternatives: serde_json::from_value(alternatives).unwrap_or_default(),
            confidence: attribute(node, "confidence").and_then(Value::as_f64),
            by: text(node, "by"),
            at: node.created.wall,
            supersedes: before.and_then(|id| id.parse().ok()),
            superseded_by: after.map(|(node, _)| node.id),
        })
    }
}

/// Records a decision: below `on`, below the task that the caller works on, or in the team's folder.
/// The same decision again is the one that is there.
///
/// # Errors
/// `usage` for what makes no sense or is too long, `forbidden` where the caller may not decide.
pub async fn decide(
    system: &System,
    authority: &Authority,
    on: Option<NodeId>,
    new: NewDecision,
    supersedes: Option<&Node>,
) -> Result<Decision, Error> {
    check(&new, supersedes)?;
    let parent = place(system, authority, on, FOLDER).await?;
    let said = json!([
        new.question,
        new.decision,
        new.rationale,
        new.alternatives,
        supersedes.map(|node| node.id)
    ]);
    let digest = signature::digest(&said.to_string());
    let tags = supersedes.map(|node| format!("{SUPERSEDES}{}", node.id));
    let mut attributes = BTreeMap::from(author(&authority.principal));
    attributes.extend([
        ("question".to_owned(), json!(new.question)),
        ("decision".to_owned(), json!(new.decision)),
        ("rationale".to_owned(), json!(new.rationale)),
        ("confidence".to_owned(), json!(new.confidence)),
    ]);
    if !new.alternatives.is_empty() {
        attributes.insert("alternatives".to_owned(), json!(new.alternatives));
    }
    let making = Making {
        id: NodeId::derived(parent, &format!("decision:{digest}")),
        parent,
        kind: Kind::Decision,
        name: name_of(&new.question, &digest),
        attributes,
        tags: tags.into_iter().collect::<BTreeSet<_>>(),
    };
    let (node, _) = make(system, authority, making).await?;
    Decision::read(system.reader(), &node)
}

fn check(new: &NewDecision, supersedes: Option<&Node>) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::new(Code::Usage, what));
    if new.question.trim().is_empty() || new.decision.trim().is_empty() {
        return wrong("a decision needs a question and what was decided".to_owned());
    }
    if new.confidence.is_some_and(|sure| !(0.0..=1.0).contains(&sure)) {
        return wrong("confidence is a number from 0 to 1".to_owned());
    }
    if new.alternatives.len() > bounds::ALTERNATIVES {
        return wrong(format!(
            "a decision has at most {} alternatives",
            bounds::ALTERNATIVES
        ));
    }
    if let Some(node) = supersedes.filter(|node| node.kind != Kind::Decision) {
        return wrong(format!(
            "`{}` is of kind {}, not a decision",
            node.name, node.kind
        ));
    }
    let mut texts = vec![
        ("the question", new.question.as_str()),
        ("the decision", &new.decision),
        ("the rationale", &new.rationale),
    ];
    for alternative in &new.alternatives {
        texts.extend([
            ("an alternative", alternative.option.as_str()),
            ("an alternative", &alternative.because),
        ]);
    }
    check_texts(&texts)
}

/// The newest decisions, or those about one Worknode.
///
/// # Errors
/// When the store cannot be read.
pub fn decisions(reader: &Reader, on: Option<NodeId>, limit: usize) -> Result<Vec<Decision>, Error> {
    let nodes = match on {
        Some(parent) => reader.newest_below(parent, &Kind::Decision, limit)?,
        None => reader.newest(&Kind::Decision, limit)?,
    };
    nodes.iter().map(|node| Decision::read(reader, node)).collect()
}

/// The decisions below `subtree` in which these words are, those that fit best first.
///
/// # Errors
/// When the store cannot be read.
pub fn search_decisions(
    system: &System,
    subtree: NodeId,
    question: &str,
    limit: usize,
) -> Result<Vec<Ranked<Decision>>, Error> {
    let mut found = Vec::new();
    for (node, score) in system
        .reader()
        .ranked(&Kind::Decision, &words_of(question), limit)?
    {
        if is_covered(system, subtree, &node)? {
            let decision = Decision::read(system.reader(), &node)?;
            found.push(Ranked {
                found: decision,
                score,
            });
        }
    }
    Ok(found)
}
