//! `worknode ps`: the agents, and what each is doing.

use std::time::Duration;

use worknode_core::{error::Error, time::Timestamp, usage::Usd};
use worknode_daemon::view::{self, AgentView, Live, UseView};

use super::{ask_or_read, now, watch};
use crate::{
    args::look::Again,
    output::{self, Form, cell, length, state, table},
    place::Place,
};

pub(crate) async fn ps(place: &Place, again: &Again, form: Form) -> Result<(), Error> {
    watch::again(again, async || once(place, form).await).await
}

pub(super) async fn once(place: &Place, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let agents: Vec<AgentView> = ask_or_read(place, client.get("/agents"), |reader| {
        view::agents(reader, now(), &Live::new())
    })
    .await?;
    match form {
        Form::Json => output::json(&agents),
        Form::Text => {
            print(&agents, now());
            Ok(())
        }
    }
}

pub(crate) fn print(agents: &[AgentView], now: Timestamp) {
    let mut table = table(&[
        "AGENT", "TIER", "STATUS", "SINCE", "RUN", "TASK", "PID", "TIME", "NOTE",
    ]);
    for (depth, agent) in arranged(agents) {
        let run = agent.run.as_ref();
        let text = |value: Option<String>| cell(value.unwrap_or_else(|| "-".to_owned()));
        let shown = run.map_or(agent.status.as_str(), |run| run.status.as_str());
        table.add_row([
            cell(beneath(depth, &agent.name)),
            cell(agent.tier.name()),
            state(shown),
            cell(output::ago(now, agent.since)),
            text(run.map(|run| run.id.to_string())),
            text(run.map(|run| run.task.clone().unwrap_or_else(|| run.purpose.clone()))),
            text(run.and_then(|run| run.pid).map(|pid| pid.to_string())),
            text(
                run.and_then(|run| run.running_ms)
                    .map(|ms| length(Duration::from_millis(ms))),
            ),
            cell(note(agent)),
        ]);
    }
    output::rows(&table, "no agents; `[[agent]]` in worknode.toml makes one");
}

/// Each agent with how far it is beneath the first that spawned, right after its parent.
fn arranged(agents: &[AgentView]) -> Vec<(usize, &AgentView)> {
    let is_child = |agent: &AgentView, parent: &AgentView| {
        agent.id != parent.id && agent.parent.as_ref() == Some(&parent.name)
    };
    let is_top = |agent: &AgentView| !agents.iter().any(|parent| is_child(agent, parent));
    let mut left: Vec<_> = agents
        .iter()
        .filter(|agent| is_top(agent))
        .map(|top| (0, top))
        .collect();
    left.reverse();
    let mut arranged = Vec::new();
    while let Some((depth, agent)) = left.pop() {
        arranged.push((depth, agent));
        let children = agents.iter().rev().filter(|child| is_child(child, agent));
        left.extend(children.map(|child| (depth + 1, child)));
    }
    arranged
}

fn beneath(depth: usize, name: &str) -> String {
    match depth {
        0 => name.to_owned(),
        _ => format!("{}└ {name}", "  ".repeat(depth - 1)),
    }
}

/// A run whose process is not there is never shown as simply running.
fn note(agent: &AgentView) -> String {
    let run = agent.run.as_ref();
    let evidence = run.and_then(|run| run.evidence.as_deref());
    let stuck = run.and_then(|run| run.stuck.as_ref());
    match (evidence, stuck, &agent.reason) {
        (Some("gone"), ..) => "no such process: it ended unseen".to_owned(),
        (Some("unknown"), ..) => "whether it runs cannot be told".to_owned(),
        (_, Some(stuck), _) => format!("gets nowhere: {}", stuck.name()),
        (_, None, Some(reason)) => reason.clone(),
        // A box that is open, or half open, is never shown as closed.
        (_, None, None) => match agent.sandbox.as_deref() {
            None | Some("enforce") => String::new(),
            Some(other) => format!("sandbox: {other}"),
        },
    }
}

/// What a run or an agent uses, of what it may, one line each.
pub(crate) fn print_uses(title: &str, uses: &[UseView]) {
    let mut table = table(&[title, "NOW", "LIMIT"]);
    for entry in uses {
        let amount = |value| amount(value, &entry.unit);
        table.add_row([
            cell(&entry.what),
            cell(amount(entry.used)),
            cell(entry.limit.map_or_else(|| "-".to_owned(), amount)),
        ]);
    }
    output::rows(&table, "nothing is counted");
}

/// `usd $1.20 of $20.00`; nothing for what has no limit and is not used.
pub(crate) fn used_of(entry: &UseView) -> Option<String> {
    let amount = |value| amount(value, &entry.unit);
    let used = amount(entry.used);
    match entry.limit {
        Some(limit) => Some(format!("{} {used} of {}", entry.what, amount(limit))),
        None => (entry.used > 0).then(|| format!("{} {used}", entry.what)),
    }
}

pub(super) fn amount(value: u64, unit: &str) -> String {
    match unit {
        "ms" => length(Duration::from_millis(value)),
        "bytes" => indicatif::HumanBytes(value).to_string(),
        "micro_usd" => Usd::from_micros(value).to_string(),
        _ => value.to_string(),
    }
}
