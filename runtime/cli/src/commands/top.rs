//! `worknode top`: who uses most, and of what.

use std::{cmp::Reverse, collections::HashMap, io::IsTerminal, time::Instant};

use worknode_core::{error::Error, ids::RunId};
use worknode_daemon::view::{self, AgentView, Live, RunView, UseView};

use super::{ask_or_read, now, ps::amount, watch};
use crate::{
    args::look::{Again, By, Top},
    output::{self, Form, cell, state, table},
    place::Place,
};

/// Processor time of each run when it was last looked at, and when that was.
#[derive(Default)]
struct Before(HashMap<RunId, (Instant, u64)>);

impl Before {
    /// Processors that a run kept busy since the last look; nothing at the first.
    fn busy(&self, run: &RunView) -> Option<f64> {
        let (at, before) = self.0.get(&run.id)?;
        let spent = of(&run.uses, "cpu")?.used.saturating_sub(*before);
        let passed = at.elapsed().as_secs_f64();
        // Milliseconds of a run fit a double many times over.
        let spent = std::time::Duration::from_millis(spent).as_secs_f64();
        (passed > 0.0).then(|| spent / passed)
    }

    fn of(agents: &[AgentView]) -> Self {
        let runs = agents.iter().filter_map(|agent| agent.run.as_ref());
        let seen = |run: &RunView| Some((run.id, (Instant::now(), of(&run.uses, "cpu")?.used)));
        Self(runs.filter_map(seen).collect())
    }
}

pub(crate) async fn top(place: &Place, args: &Top, form: Form) -> Result<(), Error> {
    let mut before = Before::default();
    let again = Again {
        watch: args.again.watch || (form == Form::Text && std::io::stdout().is_terminal()),
        ..args.again.clone()
    };
    watch::again(&again, async || {
        let mut agents = look(place).await?;
        agents.sort_by_key(|agent| (Reverse(used(agent, args.by)), agent.name.clone()));
        if form == Form::Json {
            return output::json(&agents);
        }
        print(&agents, &before);
        before = Before::of(&agents);
        Ok(())
    })
    .await
}

async fn look(place: &Place) -> Result<Vec<AgentView>, Error> {
    let client = place.client()?;
    ask_or_read(place, client.get("/agents"), |reader| {
        view::agents(reader, now(), &Live::new())
    })
    .await
}

fn of<'a>(uses: &'a [UseView], what: &str) -> Option<&'a UseView> {
    uses.iter().find(|entry| entry.what == what)
}

fn used(agent: &AgentView, by: By) -> u64 {
    let what = match by {
        By::Cpu => "cpu",
        By::Memory => "memory",
        By::Tokens => "tokens",
        By::Usd => "usd",
        By::Time => "time",
    };
    let run = agent.run.as_ref().and_then(|run| of(&run.uses, what));
    run.map_or(0, |entry| entry.used)
}

fn print(agents: &[AgentView], before: &Before) {
    let mut rows = table(&[
        "AGENT",
        "STATUS",
        "BUSY",
        "CPU",
        "MEMORY",
        "PROCESSES",
        "TOKENS",
        "USD",
        "TIME",
        "TASK",
    ]);
    for agent in agents {
        let run = agent.run.as_ref();
        let part = |what| {
            let entry = run.and_then(|run| of(&run.uses, what));
            cell(entry.map_or_else(|| "-".to_owned(), |entry| amount(entry.used, &entry.unit)))
        };
        let busy = run.and_then(|run| before.busy(run));
        let busy = busy.map_or_else(|| "-".to_owned(), |busy| format!("{:.0} %", busy * 100.0));
        let task = run.map(|run| run.task.as_ref().unwrap_or(&run.purpose).clone());
        rows.add_row([
            cell(&agent.name),
            state(run.map_or(agent.status.as_str(), |run| run.status.as_str())),
            cell(busy),
            part("cpu"),
            part("memory"),
            part("processes"),
            part("tokens"),
            part("usd"),
            part("time"),
            cell(task.unwrap_or_else(|| "-".to_owned())),
        ]);
    }
    output::rows(&rows, "no agents");
}
