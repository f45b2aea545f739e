//! The matrix, for people and for programs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::promises::{COUNT, Held};

/// What became of one scene.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether the fault happened.
    pub(crate) reached: bool,
    pub(crate) held: [Held; COUNT],
    pub(crate) problems: Vec<String>,
    /// What happened in it, in words; empty when its name says it.
    pub(crate) note: String,
}

impl Outcome {
    pub(crate) fn reached(held: [Held; COUNT], problems: Vec<String>) -> Self {
        Self {
            reached: true,
            held,
            problems,
            note: String::new(),
        }
    }

    /// The fault did not happen: the row says nothing, which is a fault of the matrix.
    pub(crate) fn not_reached(also: Option<String>) -> Self {
        let never = "end: the step was not reached".to_owned();
        Self {
            reached: false,
            held: [Held::Untried; COUNT],
            problems: std::iter::once(never).chain(also).collect(),
            note: String::new(),
        }
    }
}

/// One line of the matrix.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

impl Row {
    /// Plays a scene. One that cannot be played is a row that failed.
    pub(crate) fn of(name: String, play: impl FnOnce() -> Outcome) -> Self {
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|_| Outcome {
            reached: false,
            held: [Held::Untried; COUNT],
            problems: vec!["end: the scene could not be played".to_owned()],
            note: String::new(),
        });
        Self {
            name,
            outcome,
            took: begun.elapsed(),
        }
    }

    fn holds(&self) -> bool {
        self.outcome.problems.is_empty()
    }

    /// The last column: did the plan come to its end?
    fn end(&self) -> &'static str {
        if !self.outcome.reached {
            "NOT REACHED"
        } else if self.outcome.problems.iter().any(|what| !what.starts_with('P')) {
            "FAIL"
        } else {
            "ok"
        }
    }

    /// For the progress: in one line.
    pub(crate) fn line(&self) -> String {
        let verdict = if self.holds() { "ok" } else { "FAIL" };
        let mut line = format!("{verdict:<4} {:>5.1}s {}", self.took.as_secs_f64(), self.name);
        for problem in &self.outcome.problems {
            line.push_str("\n        ");
            line.push_str(problem);
        }
        line
    }
}

const fn word(held: Held) -> &'static str {
    match held {
        Held::Kept => "ok",
        Held::Broken => "FAIL",
        Held::Untried => "-",
    }
}

/// The whole matrix.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// Did everything hold?
    pub(crate) fn holds(&self) -> bool {
        self.rows.iter().all(Row::holds)
    }

    pub(crate) fn print_table(&self) {
        let names = self.rows.iter().map(|row| row.name.len());
        let width = names.max().unwrap_or(0).max(4);
        let promises: String = (1..=COUNT)
            .map(|number| format!("  {:<4}", format!("P{number}")))
            .collect();
        println!("{:width$}{promises}  end     time", "step");
        for row in &self.rows {
            let held: String = row
                .outcome
                .held
                .map(|held| format!("  {:<4}", word(held)))
                .concat();
            let (name, end, note) = (&row.name, row.end(), &row.outcome.note);
            println!(
                "{name:width$}{held}  {end:<4} {:>6.1}s  {note}",
                row.took.as_secs_f64()
            );
        }
        for row in self.rows.iter().filter(|row| !row.holds()) {
            println!("\n{}", row.name);
            for problem in &row.outcome.problems {
                println!("  {problem}");
            }
        }
        let failed = self.rows.iter().filter(|row| !row.holds()).count();
        println!(
            "\n{} scenes, {failed} failed, {:.0}s, seed {}",
            self.rows.len(),
            self.took.as_secs_f64(),
            self.seed
        );
    }

    pub(crate) fn print_json(&self) {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let held = (1..).zip(row.outcome.held);
                let held: serde_json::Map<_, _> = held
                    .map(|(number, held): (usize, _)| (format!("P{number}"), word(held).into()))
                    .collect();
                json!({
                    "step": row.name,
                    "reached": row.outcome.reached,
                    "held": held,
                    "end": row.end(),
                    "problems": row.outcome.problems,
                    "note": row.outcome.note,
                    "seconds": row.took.as_secs_f64(),
                })
            })
            .collect();
        println!(
            "{}",
            json!({
                "seed": self.seed,
                "seconds": self.took.as_secs_f64(),
                "holds": self.holds(),
                "rows": rows,
            })
        );
    }
}
