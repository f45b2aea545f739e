//! Issues: what went wrong, why, and how it was mended, so that nobody looks for it twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    node::{Kind, Node},
    time::Timestamp,
};
use worknode_journal::{Reader, Selector};
use worknode_policies::{authority::Authority, signature};

use super::{
    Making, TRIES, attribute, author, change, check_texts, is_covered, make, name_of, number, place, text,
};
use crate::system::System;

/// The folder of issues that belong to no task.
const FOLDER: &str = "issues";
/// What the tag begins with that names the signature.
const SIGNATURE: &str = "signature:";

/// An issue as somebody reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewIssue {
    /// The text of the error.
    pub error: String,
    /// Where it came up.
    pub file: String,
    /// What is known of it already.
    #[serde(flatten)]
    pub solution: Solution,
}

/// What is known of an issue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Solution {
    /// The root cause.
    pub cause: String,
    /// What mends it, in words.
    pub fix: String,
    /// What mends it, as a patch.
    pub patch: String,
}

/// An issue as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Issue {
    /// Its identity.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// The task or folder that it is below.
    pub on: Option<NodeId>,
    /// The text of the error, as it was first reported.
    pub error: String,
    /// What all texts of this error have in common.
    pub signature: String,
    /// Where it came up.
    #[serde(default)]
    pub file: String,
    /// What is known of it.
    #[serde(flatten)]
    pub solution: Solution,
    /// Is it solved?
    pub resolved: bool,
    /// How often it was reported.
    pub seen: u64,
    /// How often its solution helped.
    pub helped: u64,
    /// Who reported it first.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Issue {
    /// Reads an issue.
    #[must_use]
    pub fn read(node: &Node) -> Self {
        Self {
            id: node.id,
            name: node.name.clone(),
            on: node.parent,
            error: text(node, "error"),
            signature: text(node, "signature"),
            file: text(node, "file"),
            solution: Solution {
                cause: text(node, "cause"),
                fix: text(node, "fix"),
                patch: text(node, "patch"),
            },
            resolved: attribute(node, "resolved")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            seen: number(node, "seen").max(1),
            helped: number(node, "helped"),
            by: text(node, "by"),
            at: node.created.wall,
        }
    }
}

/// What a report came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    /// The issue.
    #[serde(flatten)]
    pub issue: Issue,
    /// Was it known before?
    pub known: bool,
}

/// How an issue was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fits {
    /// It is the same error.
    Signature,
    /// The same words are in it.
    Words,
}

/// An issue that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Hit {
    /// The issue.
    #[serde(flatten)]
    pub issue: Issue,
    /// How it was found.
    pub fits: Fits,
    /// How well its words fit: more is better.
    pub score: f64,
}

/// Reports an issue. The same error again is the issue that is there, seen once more: the answer
/// says what is known of it.
///
/// # Errors
/// `usage` for what makes no sense or is too long, `forbidden` where the caller may not note.
pub async fn report(
    system: &System,
    authority: &Arc<Authority>,
    on: Option<NodeId>,
    new: NewIssue,
) -> Result<Report, Error> {
    let sign = signature::signature(&new.error);
    if sign.is_empty() {
        return Err(Error::new(Code::Usage, "an issue needs the text of its error"));
    }
    let solution = &new.solution;
    check_texts(&[
        ("the error", &new.error),
        ("the file", &new.file),
        ("the cause", &solution.cause),
        ("the fix", &solution.fix),
        ("the patch", &solution.patch),
    ])?;
    let digest = signature::digest(&sign);
    if let Some(known) = with_signature(system.reader(), &digest)? {
        return seen_again(system, authority, &known).await;
    }
    let parent = place(system, authority, on, FOLDER).await?;
    let making = Making {
        id: NodeId::derived(system.team().node(), &format!("issue:{digest}")),
        parent,
        kind: Kind::Issue,
        name: name_of(&sign, &digest),
        attributes: attributes(authority, &new, &sign),
        tags: BTreeSet::from([format!("{SIGNATURE}{digest}")]),
    };
    match make(system, authority, making).await? {
        (node, true) => Ok(Report {
            issue: Issue::read(&node),
            known: false,
        }),
        (node, false) => seen_again(system, authority, &node).await,
    }
}

fn attributes(authority: &Authority, new: &NewIssue, sign: &str) -> BTreeMap<String, Value> {
    let mut attributes = BTreeMap::from(author(&authority.principal));
    attributes.extend([
        ("error".to_owned(), json!(new.error)),
        ("signature".to_owned(), json!(sign)),
        ("file".to_owned(), json!(new.file)),
        ("resolved".to_owned(), json!(!new.solution.fix.is_empty())),
        ("seen".to_owned(), json!(1)),
        ("helped".to_owned(), json!(0)),
    ]);
    attributes.extend(known(&new.solution));
    attributes
}

/// What is said of a solution; what is not said is left as it is.
fn known(solution: &Solution) -> BTreeMap<String, Value> {
    let said = [
        ("cause", &solution.cause),
        ("fix", &solution.fix),
        ("patch", &solution.patch),
    ];
    let said = said.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| (name.to_owned(), json!(text))).collect()
}

async fn seen_again(system: &System, authority: &Arc<Authority>, node: &Node) -> Result<Report, Error> {
    let issue = count(system, authority, node.id, "seen").await?;
    Ok(Report { issue, known: true })
}

/// Says how an issue is solved.
///
/// # Errors
/// `forbidden` when it is another's, `usage` for texts that are too long.
pub async fn resolve(
    system: &System,
    authority: &Arc<Authority>,
    issue: NodeId,
    solution: Solution,
) -> Result<Issue, Error> {
    check_texts(&[
        ("the cause", &solution.cause),
        ("the fix", &solution.fix),
        ("the patch", &solution.patch),
    ])?;
    let mut attributes = known(&solution);
    attributes.insert("resolved".to_owned(), json!(true));
    Ok(Issue::read(
        &change(system, authority, issue, attributes, None).await?,
    ))
}

/// Says that the solution of an issue helped once more.
///
/// # Errors
/// `not_found` when there is no such issue.
pub async fn helped(system: &System, authority: &Arc<Authority>, issue: NodeId) -> Result<Issue, Error> {
    count(system, authority, issue, "helped").await
}

/// One more of something that is counted, whoever else counts at the same time.
async fn count(
    system: &System,
    authority: &Arc<Authority>,
    issue: NodeId,
    what: &str,
) -> Result<Issue, Error> {
    for _ in 0..TRIES {
        let gone = || Error::new(Code::NotFound, format!("there is no issue {issue}"));
        let node = system.reader().node(issue)?.ok_or_else(gone)?;
        let more = number(&node, what).saturating_add(1);
        let attributes = BTreeMap::from([(what.to_owned(), json!(more))]);
        match change(system, authority, issue, attributes, Some(node.updated)).await {
            Err(error) if error.code == Code::Changed => {}
            changed => return Ok(Issue::read(&changed?)),
        }
    }
    Err(Error::backpressure("the issue"))
}

fn with_signature(reader: &Reader, digest: &str) -> Result<Option<Node>, Error> {
    let selector = Selector {
        kinds: vec![Kind::Issue],
        tag: Some(format!("{SIGNATURE}{digest}")),
        archived: Some(false),
        limit: 1,
        ..Selector::default()
    };
    Ok(reader.select(&selector)?.nodes.pop().map(|(node, _)| node))
}

/// The newest issues, or those of one Worknode; only those that are solved, or are not, when that
/// is said.
///
/// # Errors
/// When the store cannot be read.
pub fn issues(
    reader: &Reader,
    on: Option<NodeId>,
    resolved: Option<bool>,
    limit: usize,
) -> Result<Vec<Issue>, Error> {
    let nodes = match on {
        Some(parent) => reader.newest_below(parent, &Kind::Issue, limit)?,
        None => reader.newest(&Kind::Issue, limit)?,
    };
    let all = nodes.iter().map(Issue::read);
    Ok(all
        .filter(|issue| resolved.is_none_or(|wanted| issue.resolved == wanted))
        .collect())
}

/// The issues below `subtree` that an error's text may be about: the same error first, then those
/// whose words fit best, solved ones before others that fit as well.
///
/// # Errors
/// When the store cannot be read.
pub fn search_issues(system: &System, subtree: NodeId, error: &str, limit: usize) -> Result<Vec<Hit>, Error> {
    let reader = system.reader();
    let sign = signature::signature(error);
    let mut nodes = Vec::new();
    if !sign.is_empty()
        && let Some(node) = with_signature(reader, &signature::digest(&sign))?
    {
        nodes.push((node, Fits::Signature, 0.0));
    }
    for (node, score) in reader.ranked(&Kind::Issue, &signature::words(error), limit)? {
        match nodes.first_mut().filter(|(first, ..)| first.id == node.id) {
            Some(first) => first.2 = score,
            None => nodes.push((node, Fits::Words, score)),
        }
    }
    let mut hits = Vec::new();
    for (node, fits, score) in nodes {
        if is_covered(system, subtree, &node)? {
            let issue = Issue::read(&node);
            hits.push(Hit { issue, fits, score });
        }
    }
    hits.sort_by(|one, other| rank(other).total_cmp(&rank(one)));
    hits.truncate(limit);
    Ok(hits)
}

/// The same error before all; then how well it fits, a little better when it is solved.
fn rank(hit: &Hit) -> f64 {
    let same = if hit.fits == Fits::Signature { 1e9 } else { 0.0 };
    let solved = if hit.issue.resolved { 1.1 } else { 1.0 };
    same + hit.score * solved
}
