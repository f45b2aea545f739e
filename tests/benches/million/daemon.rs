//! The real program on the tree: how long until it answers after it was killed, and what it takes of
//! the machine's memory. The baseline is the same program on an empty store.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use worknode_tests::{
    program,
    running::{Running, send_signal},
};

use super::tree::Tree;
use crate::{
    Failure, population,
    report::{Figure, Unit},
    scene::Stage,
};

/// How long a start may take.
const START: Duration = Duration::from_secs(120);
/// How long the program is left alone before its memory is read.
const REST: Duration = Duration::from_secs(3);
/// Worknodes that are read through the socket, and Worknodes that are made through it.
const READ: usize = 5_000;
const MADE: usize = 200;

/// What was found of one store.
struct Found {
    /// From the start of the process to its first answer, after `kill -9`.
    answered: Duration,
    /// Bytes in memory when it has rested.
    resident: u64,
    /// The same after it was asked for many Worknodes.
    asked: u64,
}

pub(super) fn start_and_kill(tree: &Tree, stage: &Stage) -> Result<Vec<Figure>, Failure> {
    let full = on(tree, stage, true)?;
    let empty = on(tree, &Stage::new("")?, false)?;
    let figure = |what: &str, unit, ours, baseline, load: &str| Figure {
        what: what.to_owned(),
        unit,
        ours,
        baseline,
        load: format!(
            "{} Worknodes stored, the real program; {load}; baseline: an empty store",
            tree.size()
        ),
    };
    let bytes = |found: &Found| (found.resident as f64, found.asked as f64);
    let ((rests, asked), (rests_empty, asked_empty)) = (bytes(&full), bytes(&empty));
    Ok(vec![
        figure(
            "start after kill -9 to the first answer",
            Unit::Seconds,
            full.answered.as_secs_f64(),
            empty.answered.as_secs_f64(),
            "from the start of the process; it was killed after 200 writes",
        ),
        figure(
            "memory of the daemon that rests",
            Unit::Bytes,
            rests,
            rests_empty,
            "3 s after its first answer",
        ),
        figure(
            "memory of the daemon that was asked",
            Unit::Bytes,
            asked,
            asked_empty,
            "after 5000 Worknodes were read and 200 made through the socket; the baseline only made",
        ),
    ])
}

fn on(tree: &Tree, stage: &Stage, full: bool) -> Result<Found, Failure> {
    let dir = stage.scene.path();
    let socket = stage.scene.file(".worknode/worknode.sock");
    let (first, _) = start(dir, &socket)?;
    for n in 0..MADE {
        let body = format!("{{\"parent\":\"root\",\"kind\":\"document\",\"name\":\"note-{n}\"}}");
        ask(&socket, "POST", "/nodes", &body)?;
    }
    send_signal("KILL", first.pid());
    first.kill();
    let (second, answered) = start(dir, &socket)?;
    std::thread::park_timeout(REST);
    let resident = population::resident_of(second.pid())?;
    for id in tree.some_tasks(if full { READ } else { 0 }) {
        ask(&socket, "GET", &format!("/nodes/{id}"), "")?;
    }
    std::thread::park_timeout(REST);
    let asked = population::resident_of(second.pid())?;
    program::worknode(dir, ["down"]);
    Ok(Found {
        answered,
        resident,
        asked,
    })
}

/// Starts the program, and waits until it answers.
fn start(dir: &Path, socket: &Path) -> Result<(Running, Duration), Failure> {
    let begun = Instant::now();
    let mut command = program::command(dir);
    command.arg("up");
    let running = Running::start(command);
    while ask(socket, "GET", "/nodes/root", "").is_err() {
        if begun.elapsed() > START {
            return Err(format!("the daemon does not answer: {:?}", running.so_far()).into());
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    Ok((running, begun.elapsed()))
}

/// One question on a connection of its own. Anything but success is an error.
fn ask(socket: &Path, method: &str, path: &str, body: &str) -> Result<(), Failure> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(START))?;
    write!(
        stream,
        "{method} /api/v1{path} HTTP/1.1\r\nhost: worknode\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 2") {
        Ok(())
    } else {
        Err(format!("{method} {path}: {answer}").into())
    }
}
