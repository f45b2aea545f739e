//! Every benchmark, in one run, as one table.
//!
//! ```text
//! cargo bench -p worknode --bench speed                 all of them, as a table
//! cargo bench -p worknode --bench speed -- --json       the same for programs
//! cargo bench -p worknode --bench speed -- start asks   those whose name has one of these words
//! cargo bench -p worknode --bench speed -- --quick      a small load: do they still work?
//! cargo bench -p worknode --bench speed -- million --size 20000    on fewer Worknodes
//! cargo bench -p worknode --bench speed -- triggers --size 50000   with so many triggers
//! cargo bench -p worknode --bench speed -- kills --supervisors
//!                                     the same load under supervisord, circus and pm2 too
//! cargo bench -p worknode --bench speed -- status --supervisors
//!                                     the same hook of claude-flow too, which npx installs
//! ```
//!
//! Each figure stands beside a baseline: the plainest way to do the same, measured in the same
//! run on the same machine, in turns where the two would disturb each other. A figure alone says
//! more about the machine than about the program.

mod adoption;
mod appends;
mod asks;
mod capabilities;
mod claims;
mod connection;
mod due;
mod exits;
mod gates;
mod keep;
mod kills;
mod landings;
mod live;
mod measure;
mod membranes;
mod memory;
mod million;
mod population;
mod report;
mod requests;
mod role;
mod rules;
mod runs;
mod scene;
mod schedulers;
mod start;
mod status;
mod streams;
mod supervised;
mod supervisors;
mod triggers;

use std::{fmt::Display, process::ExitCode};

use crate::report::{Figure, Report};

/// A benchmark that cannot be carried out says why.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What every benchmark is given.
struct Bench {
    /// A small load: the figures mean little, the way to them is the same.
    quick: bool,
    /// Compare with other supervisors, which are installed for that.
    supervisors: bool,
    /// How many, where a benchmark is about how many there are.
    size: Option<usize>,
    tokio: tokio::runtime::Runtime,
}

impl Bench {
    /// The load for a figure that counts, or the one that only shows that it works.
    fn load<T>(&self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }
}

type Run = fn(&Bench) -> Result<Vec<Figure>, Failure>;

const BENCHMARKS: &[(&str, Run)] = &[
    ("appends", appends::run),
    ("memory-and-activation", population::run),
    ("due-to-exec", due::run),
    ("rules-of-triggers", rules::run),
    ("triggers", triggers::run),
    ("start", start::run),
    ("asks", asks::run),
    ("membranes", membranes::run),
    ("capabilities", capabilities::run),
    ("status", status::run),
    ("requests", requests::run),
    ("streams", streams::run),
    ("supervised", supervised::run),
    ("exits", exits::run),
    ("kills", kills::run),
    ("claims", claims::run),
    ("landings", landings::run),
    ("gates", gates::run),
    ("million", million::run),
    ("live-runs", live::run),
    ("adoption", adoption::run),
    ("continue", memory::run),
];

/// What the command line asks for.
#[derive(Default)]
struct Wanted {
    json: bool,
    quick: bool,
    supervisors: bool,
    size: Option<usize>,
    words: Vec<String>,
}

impl Wanted {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        // Without `--bench` it is `cargo test --all-targets` that asks whether this still works.
        let mut wanted = Self {
            quick: true,
            ..Self::default()
        };
        let mut asked_for_quick = false;
        let mut args = args;
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => wanted.quick = asked_for_quick,
                "--quick" => (wanted.quick, asked_for_quick) = (true, true),
                "--json" => wanted.json = true,
                "--size" => {
                    let size = args.next().ok_or("--size needs a number")?;
                    wanted.size = Some(size.parse().map_err(|_| format!("`{size}` is no number"))?);
                }
                "--supervisors" => wanted.supervisors = true,
                flag if flag.starts_with('-') => {
                    return Err(format!(
                        "`{flag}` is not known; there are --json, --quick, --size N, --supervisors and words"
                    )
                    .into());
                }
                word => wanted.words.push(word.to_owned()),
            }
        }
        Ok(wanted)
    }

    fn has(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    let outcome = if args.next_if(|first| first == role::FLAG).is_some() {
        role::play(args).map(|()| true)
    } else {
        Wanted::parse(args).and_then(|wanted| benchmark(&wanted))
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(error);
            ExitCode::from(2)
        }
    }
}

/// Runs what is wanted and prints it; false when one of them failed.
fn benchmark(wanted: &Wanted) -> Result<bool, Failure> {
    let bench = Bench {
        quick: wanted.quick,
        supervisors: wanted.supervisors,
        size: wanted.size,
        tokio: tokio::runtime::Runtime::new()?,
    };
    let chosen: Vec<_> = BENCHMARKS.iter().filter(|(name, _)| wanted.has(name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = BENCHMARKS.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(format!("no benchmark has that name; there are {names}").into());
    }
    let mut report = Report::begin();
    let mut whole = true;
    for (name, run) in chosen {
        say(format_args!("{name} ..."));
        match run(&bench) {
            Ok(figures) => report.figures.extend(figures),
            Err(error) => {
                say(format_args!("{name} failed: {error}"));
                whole = false;
            }
        }
    }
    if wanted.json {
        report.print_json()?;
    } else {
        report.print_table();
    }
    Ok(whole)
}

/// To people, beside the figures.
fn say(what: impl Display) {
    eprintln!("{what}");
}
