//! What a person sees while `worknode run` works: live lines at a terminal, plain ones elsewhere.

use std::{collections::BTreeMap, io::IsTerminal, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use worknode_core::{
    event::{Event, Record},
    ids::NodeId,
};

use crate::{
    events::Names,
    output::{self, length},
};

/// How often the moving parts of the screen move.
const TICK: Duration = Duration::from_millis(120);

/// The screen of one run.
pub(crate) struct Screen {
    live: Option<Live>,
    begun: tokio::time::Instant,
}

/// The moving part: a bar for the plan, a line for each live agent.
struct Live {
    all: MultiProgress,
    plan: ProgressBar,
    agents: BTreeMap<NodeId, ProgressBar>,
}

impl Screen {
    /// A screen for a plan of `tasks`, of which `done` are completed.
    pub(crate) fn new(tasks: usize, done: usize) -> Self {
        let at_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self {
            live: at_terminal.then(|| Live::new(tasks, done)),
            begun: tokio::time::Instant::now(),
        }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, record: &Record, names: &Names) {
        if let Some(news) = names.news(record) {
            self.say(&news);
        }
        if let Some(live) = &mut self.live {
            live.take(record, names);
        }
    }

    /// Prints a line above what moves.
    pub(crate) fn say(&self, text: &str) {
        let line = format!("{:>6} {text}", length(self.begun.elapsed()));
        match &self.live {
            // Standard output is a terminal here; a line that cannot be drawn is lost with it.
            Some(live) => drop(live.all.println(line)),
            None => output::line(line),
        }
    }

    /// How long it took so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Takes away what moves.
    pub(crate) fn end(&mut self) {
        if let Some(live) = self.live.take() {
            // The same: nothing to be done about a terminal that is gone.
            let _ = live.all.clear();
        }
    }
}

impl Live {
    fn new(tasks: usize, done: usize) -> Self {
        let all = MultiProgress::new();
        let plan = all.add(ProgressBar::new(tasks as u64));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} tasks  {elapsed}") {
            plan.set_style(style);
        }
        plan.set_position(done as u64);
        plan.enable_steady_tick(TICK);
        Self {
            all,
            plan,
            agents: BTreeMap::new(),
        }
    }

    fn take(&mut self, record: &Record, names: &Names) {
        match &record.event {
            Event::TaskCompleted { .. } => self.plan.inc(1),
            Event::RunQueued { .. } => {
                let bar = self.all.add(ProgressBar::new_spinner());
                if let Ok(style) =
                    ProgressStyle::with_template("{spinner} {prefix:<16} {elapsed:>4}  {wide_msg}")
                {
                    bar.set_style(style);
                }
                bar.set_prefix(names.of(record.node));
                bar.set_message(names.words(&record.event));
                bar.enable_steady_tick(TICK);
                self.agents.insert(record.node, bar);
            }
            Event::RunExited { .. } => {
                if let Some(bar) = self.agents.remove(&record.node) {
                    bar.finish_and_clear();
                }
            }
            Event::RunStopping { .. } => {
                if let Some(bar) = self.agents.get(&record.node) {
                    bar.set_message(format!("stopping: {}", names.words(&record.event)));
                }
            }
            Event::TaskProgressed { .. } => self.note_progress(record, names),
            _ => {}
        }
    }

    /// Progress is a task's event; it shows on the line of whoever made it.
    fn note_progress(&self, record: &Record, names: &Names) {
        let worknode_core::event::Principal::Agent { node, .. } = &record.by else {
            return;
        };
        if let Some(bar) = self.agents.get(node) {
            bar.set_message(format!(
                "{}: {}",
                names.of(record.node),
                names.words(&record.event)
            ));
        }
    }
}
