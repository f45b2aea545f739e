//! How long work was thought to take, how long it took, and what that says about the next estimate.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use worknode_core::{
    error::Error,
    ids::NodeId,
    node::{Kind, Node},
    time::Span,
};
use worknode_journal::{Reader, Selector, limits};

/// Completed tasks that are looked at. Those beyond are left out, and that is said.
const TASKS: usize = 20_000;
/// Estimates below which nothing is said about the next one.
const ENOUGH: usize = 3;

/// Estimates against what was, by who did it and what it was.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EstimatesView {
    /// The Worknode below which the tasks are.
    pub under: NodeId,
    /// Completed tasks that were looked at.
    pub tasks: usize,
    /// One row for each agent, driver, tag and phase.
    pub rows: Vec<EstimateRow>,
    /// There were more tasks than one answer looks at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// What one agent, driver, tag or phase took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EstimateRow {
    /// `all`, `agent`, `driver`, `tag` or `phase`.
    pub by: String,
    /// Which.
    pub name: String,
    /// Completed tasks.
    pub tasks: usize,
    /// Seconds from the last claim until it was completed: half took at most so long.
    pub median_s: f64,
    /// Nine of ten took at most so long.
    pub p90_s: f64,
    /// Tasks with an estimate.
    pub estimated: usize,
    /// How often its estimate a task took: half at most so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// What that says about the next estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// One completed task.
struct Done {
    actual: f64,
    estimate: Option<f64>,
    groups: Vec<(&'static str, String)>,
}

/// The estimates of completed tasks at and below `under`.
///
/// # Errors
/// When the store cannot be read.
pub fn estimates(reader: &Reader, under: NodeId) -> Result<EstimatesView, Error> {
    let mut selector = Selector {
        root: under,
        kinds: vec![Kind::Task],
        statuses: vec!["completed".to_owned()],
        limit: limits::PAGE,
        ..Selector::default()
    };
    let mut names = Names::default();
    let (mut groups, mut tasks) = (BTreeMap::<(usize, String), Vec<(f64, Option<f64>)>>::new(), 0);
    loop {
        let page = reader.select(&selector)?;
        for (node, _) in &page.nodes {
            let Some(done) = done(reader, node, &mut names)? else {
                continue;
            };
            tasks += 1;
            for (by, name) in done.groups {
                let order = BY.iter().position(|one| *one == by).unwrap_or_default();
                groups
                    .entry((order, name))
                    .or_default()
                    .push((done.actual, done.estimate));
            }
        }
        selector.after = page.next;
        if page.next.is_none() || tasks >= TASKS {
            break;
        }
    }
    let rows = groups
        .into_iter()
        .map(|((by, name), took)| row(BY[by], name, took));
    Ok(EstimatesView {
        under,
        tasks,
        rows: rows.collect(),
        cut: selector.after.is_some(),
    })
}

const BY: [&str; 5] = ["all", "agent", "driver", "tag", "phase"];

/// Names that many tasks have in common.
#[derive(Default)]
struct Names(HashMap<NodeId, Option<(String, Option<String>)>>);

impl Names {
    /// The name of a Worknode and, of an agent, its driver.
    fn of(&mut self, reader: &Reader, id: NodeId) -> Result<Option<(String, Option<String>)>, Error> {
        if let Some(known) = self.0.get(&id) {
            return Ok(known.clone());
        }
        let name = reader.node(id)?.map(|node| {
            let driver = node.agent().map(|agent| agent.spec.driver.clone());
            (node.name, driver)
        });
        self.0.insert(id, name.clone());
        Ok(name)
    }
}

fn done(reader: &Reader, node: &Node, names: &mut Names) -> Result<Option<Done>, Error> {
    let (Some(task), Some(claimed), Some(finished)) = (node.task(), node.times.claimed, node.times.finished)
    else {
        return Ok(None);
    };
    let mut groups = vec![("all", "all".to_owned())];
    if let Some(agent) = task.done_by
        && let Some((name, driver)) = names.of(reader, agent)?
    {
        groups.push(("agent", name));
        groups.extend(driver.map(|driver| ("driver", driver)));
    }
    groups.extend(node.body.tags.iter().map(|tag| ("tag", tag.clone())));
    if let Some(phase) = node.parent
        && let Some((name, _)) = names.of(reader, phase)?
    {
        groups.push(("phase", name));
    }
    Ok(Some(Done {
        actual: finished.wall.since(claimed.wall).as_secs_f64(),
        estimate: estimate_of(node),
        groups,
    }))
}

/// What the plan says, or the attribute `estimate`: a time as in `2h`, or seconds.
fn estimate_of(node: &Node) -> Option<f64> {
    let planned = node.task().and_then(|task| task.spec.estimate);
    if let Some(planned) = planned.filter(|planned| !planned.is_zero()) {
        return Some(planned.as_secs_f64());
    }
    let value = &node.body.attributes.get(&"estimate".to_owned())?.0;
    let span = value.as_str().and_then(|text| text.parse::<Span>().ok());
    span.map(|span| span.0.as_secs_f64())
        .or_else(|| value.as_f64())
        .filter(|seconds| *seconds > 0.0)
}

fn row(by: &str, name: String, took: Vec<(f64, Option<f64>)>) -> EstimateRow {
    let ratios: Vec<f64> = took
        .iter()
        .filter_map(|(actual, estimate)| estimate.map(|estimate| actual / estimate))
        .collect();
    let actual: Vec<f64> = took.iter().map(|(actual, _)| *actual).collect();
    let ratio = (!ratios.is_empty()).then(|| percentile(&ratios, 50));
    let advice = ratio.filter(|_| ratios.len() >= ENOUGH).map(|ratio| {
        if (0.8..=1.25).contains(&ratio) {
            "estimates fit".to_owned()
        } else {
            format!("multiply the next estimate by {ratio:.1}")
        }
    });
    EstimateRow {
        by: by.to_owned(),
        name,
        tasks: took.len(),
        median_s: percentile(&actual, 50),
        p90_s: percentile(&actual, 90),
        estimated: ratios.len(),
        ratio,
        advice,
    }
}

/// The least value that so many percent of `values` do not exceed; 0 of none.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_says_something_about_the_next() {
        let took = vec![
            (20.0, Some(10.0)),
            (40.0, Some(20.0)),
            (90.0, Some(30.0)),
            (5.0, None),
        ];
        let row = row("agent", "coder".to_owned(), took);
        assert_eq!((row.tasks, row.estimated, row.ratio), (4, 3, Some(2.0)));
        assert_eq!((row.median_s, row.p90_s), (20.0, 90.0));
        assert_eq!(row.advice.as_deref(), Some("multiply the next estimate by 2.0"));
        let few = super::row("agent", "new".to_owned(), vec![(20.0, Some(10.0))]);
        assert_eq!(few.advice, None, "one says nothing yet");
    }
}
