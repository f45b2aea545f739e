//! The kill and fault matrix: the daemon, the shims and the agents are killed at every step of
//! their work, and what is promised must hold all the same.
//!
//! ```text
//! just faults                       all steps, then a minute of random kills
//! just faults --only run_started    the steps with this word in their name
//! just faults --time 10m --seed 7   longer chance, and the choices of an earlier one
//! just faults --json                for programs
//! ```
//!
//! Each row is a scene of its own: a small team, one fault, another daemon, the plan worked to
//! its end. A promise is `ok` when something in the scene could have broken it and nothing did,
//! `-` when nothing was there to break, `FAIL` otherwise.

#![expect(
    clippy::unwrap_used,
    reason = "a scene that cannot be prepared has failed, and its row says so"
)]

mod act;
mod case;
mod chance;
mod daemon;
mod history;
mod processes;
mod promises;
mod report;
mod steps;
mod team;

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hasher},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use worknode_core::time::Span;

use crate::report::{Report, Row};

/// Scenes that are played at the same time.
const AT_ONCE: usize = 2;

/// What the command line asks for.
struct Wanted {
    seed: u64,
    only: Option<String>,
    time: Duration,
    json: bool,
}

impl Wanted {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wanted = Self {
            seed: std::hash::RandomState::new().build_hasher().finish() >> 32,
            only: None,
            time: Duration::from_secs(60),
            json: false,
        };
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or(format!("`{flag}` wants a value"));
            match flag.as_str() {
                "--seed" => wanted.seed = value()?.parse().map_err(|_| "a seed is a number")?,
                "--only" => wanted.only = Some(value()?),
                "--time" => {
                    let span: Span = value()?.parse().map_err(|_| "a time is like 60s or 10m")?;
                    wanted.time = span.0;
                }
                "--json" => wanted.json = true,
                _ => {
                    return Err(format!(
                        "`{flag}` is not known; there are --seed N, --only STEP, --time TIME and --json"
                    ));
                }
            }
        }
        Ok(wanted)
    }
}

fn main() -> ExitCode {
    let wanted = match Wanted::parse(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(mistake) => {
            eprintln!("{mistake}");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let cases = steps::all(wanted.only.as_deref());
    let by_chance = wanted.only.as_deref().is_none_or(|only| "chance".contains(only));
    if cases.is_empty() && !by_chance {
        eprintln!("no step has that name; there are:");
        for case in steps::all(None) {
            eprintln!("  {}", case.name());
        }
        return ExitCode::from(2);
    }
    eprintln!("{} scenes, seed {}", cases.len(), wanted.seed);
    let mut rows = play(cases);
    if by_chance && !wanted.time.is_zero() {
        rows.extend(chance::play(wanted.seed, wanted.time));
    }
    let report = Report {
        seed: wanted.seed,
        took: begun.elapsed(),
        rows,
    };
    if wanted.json {
        report.print_json();
    } else {
        report.print_table();
    }
    if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Plays every case, some at a time; the rows are in the order of the cases.
fn play(cases: Vec<steps::Case>) -> Vec<Row> {
    let total = cases.len();
    let waiting = Mutex::new(cases.into_iter().enumerate().collect::<VecDeque<_>>());
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = locked(&waiting).pop_front();
                    let Some((place, case)) = next else { return };
                    let row = Row::of(case.name(), || case::play(&case));
                    let mut rows = locked(&rows);
                    rows.push((place, row));
                    if let Some((_, row)) = rows.last() {
                        eprintln!("{:>3}/{total} {}", rows.len(), row.line());
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
