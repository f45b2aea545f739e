//! `worknode logs`: what agents wrote. One comes to the byte; several come line by line, each with
//! the name of who wrote it.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Write},
    ops::ControlFlow,
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use worknode_core::{
    error::{Code, Error},
    ids::RunId,
};
use worknode_daemon::{
    daemon::paths,
    view::{self, AgentView, Live, RunRef},
};

use super::{ask_or_read, now, tail::Tail};
use crate::{
    answers::own::LogLine,
    args::look::Logs,
    client::escaped,
    output::{self, Form},
    place::Place,
};

/// How often files that grow are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes of a line that has no end. More of it goes on in a line of its own.
const LINE: usize = 64 * 1024;
/// Logs that are read at once: each is an open file.
const LOGS: usize = 256;
/// Colours of names, in turn.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightRed,
];

/// One that is read.
struct Source {
    name: String,
    run: RunRef,
    tail: Tail,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// Before each line; nothing when there is only one.
    lead: String,
}

pub(crate) async fn logs(place: &Place, args: &Logs, form: Form) -> Result<(), Error> {
    let mut sources = sources(place, args).await?;
    let whole = sources.len() == 1 && !args.all && form == Form::Text;
    loop {
        let ControlFlow::Continue(moved) = show_new(&mut sources, whole, form)? else {
            // `worknode logs x | head`: the reader has what it wanted.
            return Ok(());
        };
        if moved {
            continue;
        }
        if !args.follow || sources.iter().all(|source| source.run.over) {
            break;
        }
        look_again(place, &mut sources).await?;
    }
    show_rest(&mut sources, form)
}

/// Shows what has no end of a line.
fn show_rest(sources: &mut [Source], form: Form) -> Result<(), Error> {
    for source in sources {
        if source.rest(form)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Waits a little, and asks what is over by then: what it wrote before that is read once more. Of
/// several, one question tells which live; only those that do not are asked for.
async fn look_again(place: &Place, sources: &mut [Source]) -> Result<(), Error> {
    tokio::time::sleep(LOOK).await;
    let mut left: Vec<&mut Source> = sources.iter_mut().filter(|source| !source.run.over).collect();
    if left.len() > 1 {
        let agents = agents(place).await?;
        let live: BTreeSet<RunId> = agents
            .into_iter()
            .filter_map(|agent| agent.run.map(|run| run.id))
            .collect();
        left.retain(|source| !live.contains(&source.run.id));
    }
    for source in left {
        source.run = last_run(place, &source.run.id.to_string()).await?;
    }
    Ok(())
}

/// Shows what came since the last look, and says whether that was anything. Breaks when nobody reads on.
fn show_new(sources: &mut [Source], whole: bool, form: Form) -> Result<ControlFlow<(), bool>, Error> {
    let mut moved = false;
    for source in sources {
        let read = source.tail.read();
        let read = read.map_err(|error| unreadable(&source.name, &error))?;
        moved |= !read.is_empty();
        let shown = if whole {
            raw(&read)
        } else {
            source.lines(&read, form)
        };
        if shown?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(moved))
}

async fn sources(place: &Place, args: &Logs) -> Result<Vec<Source>, Error> {
    let names = if args.all {
        let agents = agents(place).await?;
        agents.into_iter().map(|agent| agent.name).collect()
    } else {
        args.of.clone()
    };
    if names.len() > LOGS {
        let message = format!("{} logs at once are too many: {LOGS} at most", names.len());
        return Err(Error::new(Code::Usage, message).hint("name those that you want"));
    }
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or_default();
    let file = if args.stderr { "stderr.log" } else { "stdout.log" };
    let mut sources = Vec::new();
    for (at, name) in names.into_iter().enumerate() {
        let run = match last_run(place, &name).await {
            // Of all agents, those that have run.
            Err(error) if args.all && error.code == Code::NotFound => continue,
            run => run?,
        };
        let colour = COLOURS
            .get(at % COLOURS.len())
            .copied()
            .unwrap_or(AnsiColor::Cyan);
        let style = Style::new().fg_color(Some(colour.into()));
        sources.push(Source {
            lead: output::paint(&format!("{name:<width$} |"), style),
            tail: Tail::of(paths(&place.dir).run(run.id).join(file)),
            begun: Vec::new(),
            name,
            run,
        });
    }
    Ok(sources)
}

async fn agents(place: &Place) -> Result<Vec<AgentView>, Error> {
    let client = place.client()?;
    ask_or_read(place, client.get("/agents"), |reader| {
        view::agents(reader, now(), &Live::new())
    })
    .await
}

async fn last_run(place: &Place, of: &str) -> Result<RunRef, Error> {
    let client = place.client()?;
    let path = format!("/runs/{}", escaped(of));
    ask_or_read(place, client.get(&path), |reader| view::last_run(reader, of)).await
}

fn unreadable(name: &str, error: &std::io::Error) -> Error {
    Error::new(Code::Failed, format!("cannot read the log of {name}: {error}"))
}

/// As it was written, to the byte.
fn raw(bytes: &[u8]) -> Result<ControlFlow<()>, Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Error::new(
            Code::Failed,
            format!("cannot write what was read: {error}"),
        )),
    }
}

impl Source {
    /// Shows the lines that are whole by now, and keeps the rest.
    fn lines(&mut self, bytes: &[u8], form: Form) -> Result<ControlFlow<()>, Error> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            let whole = part.ends_with(b"\n") || self.begun.len() >= LINE;
            if whole && self.rest(form)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows what is kept, as a line.
    fn rest(&mut self, form: Form) -> Result<ControlFlow<()>, Error> {
        if self.begun.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let bytes = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        Ok(match form {
            Form::Json => {
                let line = LogLine {
                    of: &self.name,
                    run: self.run.id,
                    line: &text,
                };
                let line = serde_json::to_string(&line)
                    .map_err(|error| Error::new(Code::Failed, error.to_string()))?;
                output::stream_line(line)
            }
            Form::Text => output::stream_line(format!("{} {text}", self.lead)),
        })
    }
}
