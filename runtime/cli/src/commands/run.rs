//! `worknode run`: works the plan to its end, shows it, and says what came of it.

use std::path::Path;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use worknode_actors::store::{OPEN, all_of_kind, tasks_that_are};
use worknode_core::{
    error::{Code, Error},
    event::{Event, Record},
    hlc::Hlc,
    node::Kind,
    verdict::Outcome,
};
use worknode_daemon::{
    config::{self, Loaded, Sources},
    daemon::{Daemon, Departure},
    view::{self, TaskView},
};

use crate::{
    args::Overrides,
    events::Names,
    output::{self, Form, bold, colour_of, length, paint, state, table},
    place::Place,
    progress::Screen,
};

/// Events taken from the journal at once.
const BATCH: usize = 256;

pub(crate) async fn run(place: &Place, overrides: &Overrides, form: Form) -> Result<(), Error> {
    let loaded = load(place, overrides)?;
    let daemon = Daemon::start(&place.dir, loaded).await?;
    let begun = begun_at(&daemon)?;
    let mut watch = Watch::new(&daemon, form)?;
    let end = tokio::select! {
        end = watch.until_finished(&daemon, begun) => end,
        asked = daemon.stopped() => asked.map(End::Asked),
        () = interrupted() => Ok(End::Asked(Departure::because("interrupted"))),
    };
    let departure = match &end {
        Ok(End::Finished) => Departure::because("the plan is worked off"),
        Ok(End::Asked(departure)) => departure.clone(),
        Err(_) => Departure::because("the runtime gave up"),
    };
    watch.screen.end();
    let summary = Summary::of(&daemon, begun, &watch)?;
    daemon.stop(departure).await?;
    summary.print(form)?;
    match end? {
        End::Finished => summary.verdict(),
        End::Asked(departure) => {
            let message = format!("stopped before the plan was worked off: {}", departure.reason);
            Err(Error::new(Code::Failed, message).hint("`worknode run` goes on where it stopped"))
        }
    }
}

/// Reads and checks the configuration of `place`.
pub(crate) fn load(place: &Place, overrides: &Overrides) -> Result<Loaded, Error> {
    let mut sources = Sources::of_dir(&place.dir);
    sources.overrides = config::Overrides {
        base: overrides.base.clone(),
        agents: overrides.agents,
        listen: overrides.listen.clone(),
    };
    Ok(config::load(&sources)?)
}

/// Resolves when somebody presses Ctrl-C, or the system asks this process to end.
pub(crate) async fn interrupted() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// How a run came to its end.
enum End {
    Finished,
    Asked(Departure),
}

/// The event with which this daemon began.
fn begun_at(daemon: &Daemon) -> Result<Hlc, Error> {
    let filter = worknode_journal::EventFilter {
        types: vec!["daemon_started".to_owned()],
        newest_first: true,
        limit: 1,
        ..worknode_journal::EventFilter::default()
    };
    let newest = daemon.system().reader().events(&filter)?;
    Ok(newest.first().map_or(Hlc::ZERO, |record| record.at))
}

/// What watches a run, and counts what it sees.
struct Watch {
    screen: Screen,
    names: Names,
    form: Form,
    verdicts: [usize; 2],
    attempts: usize,
}

impl Watch {
    fn new(daemon: &Daemon, form: Form) -> Result<Self, Error> {
        let reader = daemon.system().reader();
        let mut names = Names::default();
        for kind in [Kind::Team, Kind::Phase, Kind::Agent] {
            for node in all_of_kind(reader, kind)? {
                names.add(node.id, node.name);
            }
        }
        for node in tasks_that_are(reader, &OPEN)? {
            names.add(node.id, node.name);
        }
        let counts = view::status(reader, daemon.system().now(), None)?.tasks;
        let screen = Screen::new(counts.total, counts.completed);
        if form == Form::Text {
            let team = &daemon.system().team().name;
            screen.say(&format!("team {team}: {}", super::status::counts(&counts)));
        }
        Ok(Self {
            screen,
            names,
            form,
            verdicts: [0, 0],
            attempts: 0,
        })
    }

    /// Follows the journal until nothing goes on by itself any more.
    async fn until_finished(&mut self, daemon: &Daemon, begun: Hlc) -> Result<End, Error> {
        let mut follower = daemon.system().journal().follow(begun);
        loop {
            for record in follower.next(BATCH).await? {
                self.take(&record)?;
                if matches!(record.event, Event::PlanFinished { .. }) {
                    return Ok(End::Finished);
                }
            }
        }
    }

    fn take(&mut self, record: &Record) -> Result<(), Error> {
        self.names.learn(record);
        match &record.event {
            Event::TaskClaimed { .. } => self.attempts += 1,
            Event::VerdictRecorded { verdict } => {
                self.verdicts[usize::from(verdict.outcome == Outcome::Failed)] += 1;
            }
            _ => {}
        }
        match self.form {
            Form::Text => self.screen.show(record, &self.names),
            Form::Json => {
                let line = serde_json::to_string(record)
                    .map_err(|error| Error::new(Code::Failed, error.to_string()))?;
                output::line(line);
            }
        }
        Ok(())
    }
}

/// The last line of a run, for programs.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Summarised<'a> {
    /// What came of it.
    summary: &'a Summary,
}

/// What came of a run.
#[derive(Serialize, schemars::JsonSchema)]
struct Summary {
    team: String,
    elapsed_ms: u64,
    attempts: usize,
    verdicts_passed: usize,
    verdicts_failed: usize,
    commits_landed: usize,
    /// No agent that reports its cost took part.
    cost_usd: Option<f64>,
    tasks: Vec<TaskView>,
    /// What waits for a person.
    attention: Vec<String>,
}

impl Summary {
    fn of(daemon: &Daemon, begun: Hlc, watch: &Watch) -> Result<Self, Error> {
        let reader = daemon.system().reader();
        let landed = reader.events(&worknode_journal::EventFilter {
            after: begun,
            types: vec!["task_completed".to_owned()],
            ..worknode_journal::EventFilter::default()
        })?;
        Ok(Self {
            team: daemon.system().team().name.clone(),
            elapsed_ms: worknode_core::time::millis(watch.screen.elapsed()),
            attempts: watch.attempts,
            verdicts_passed: watch.verdicts[0],
            verdicts_failed: watch.verdicts[1],
            commits_landed: landed.len(),
            cost_usd: None,
            tasks: view::tasks(reader)?,
            attention: view::status(reader, daemon.system().now(), None)?.attention,
        })
    }

    fn print(&self, form: Form) -> Result<(), Error> {
        if form == Form::Json {
            let line = serde_json::to_string(&Summarised { summary: self });
            output::line(line.map_err(|error| Error::new(Code::Failed, error.to_string()))?);
            return Ok(());
        }
        output::line("");
        let mut table = table(&["TASK", "STATUS", "TRIES", "COMMIT", "NOTE"]);
        for task in &self.tasks {
            let commit = task
                .commit
                .as_deref()
                .map_or("-", |commit| commit.get(..10).unwrap_or(commit));
            table.add_row([
                output::cell(&task.key),
                state(&task.status),
                output::cell(task.attempts.to_string()),
                output::cell(commit),
                output::cell(task.reason.as_deref().unwrap_or_default()),
            ]);
        }
        output::rows(&table, "no tasks");
        let completed = self
            .tasks
            .iter()
            .filter(|task| task.status == "completed")
            .count();
        let style = if completed == self.tasks.len() {
            colour_of("completed")
        } else {
            bold()
        };
        output::line(format!(
            "\n{}  {} attempts, {} verdicts passed and {} failed, {} commits landed, {}, cost {}",
            paint(
                &format!("{completed} of {} tasks completed.", self.tasks.len()),
                style
            ),
            self.attempts,
            self.verdicts_passed,
            self.verdicts_failed,
            self.commits_landed,
            length(std::time::Duration::from_millis(self.elapsed_ms)),
            self.cost_usd.map_or_else(
                || "not reported by any agent".to_owned(),
                |usd| format!("${usd:.2}")
            ),
        ));
        Ok(())
    }

    /// Nothing less than the whole plan is a success.
    fn verdict(&self) -> Result<(), Error> {
        let left: Vec<_> = self
            .tasks
            .iter()
            .filter(|task| task.status != "completed")
            .collect();
        match left.first() {
            None => Ok(()),
            Some(first) => {
                let why = first.reason.as_deref().unwrap_or(&first.status);
                let tasks = if left.len() == 1 { "task was" } else { "tasks were" };
                let attention: String = self.attention.iter().map(|item| format!("\n  {item}")).collect();
                let message = format!(
                    "{} {tasks} not completed; {}: {why}{attention}",
                    left.len(),
                    first.key
                );
                Err(Error::new(Code::Failed, message)
                    .hint("`worknode status` says what waits for you, `worknode task show NAME` why"))
            }
        }
    }
}

/// Whether a file of this name is in the directory.
pub(crate) fn has(dir: &Path, name: &str) -> bool {
    dir.join(name).exists()
}
