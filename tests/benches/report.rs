//! The figures, for people and for programs.

use serde_json::json;

use crate::Failure;

/// What is counted, and so which way is better.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// How many in a second: more is better.
    PerSecond,
    /// Bytes: less is better.
    Bytes,
    /// Seconds: less is better.
    Seconds,
    /// How many of them: less is better.
    Processes,
    /// Processor time as a part of what one core has: less is better.
    OfOneCore,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) ours: f64,
    pub(crate) baseline: f64,
    /// What was done, and what the baseline is, in words.
    pub(crate) load: String,
}

impl Figure {
    /// None to a baseline of nothing, or to none at all.
    fn ratio(&self) -> Option<f64> {
        (self.baseline != 0.0 && !self.baseline.is_nan()).then(|| self.ours / self.baseline)
    }
}

/// All figures of one run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figure>,
    busy_before: String,
}

impl Report {
    pub(crate) fn begin() -> Self {
        Self {
            figures: Vec::new(),
            busy_before: busy(),
        }
    }

    pub(crate) fn print_table(&self) {
        let head = ["what", "ours", "baseline", "ratio", "load"].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(head)
            .chain(self.figures.iter().map(row))
            .collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let (what, ours, baseline, ratio) = (width(0), width(1), width(2), width(3));
        for [a, b, c, d, e] in &rows {
            println!("{a:what$}  {b:>ours$}  {c:>baseline$}  {d:>ratio$}  {e}");
        }
        println!("\n{}", self.circumstances());
    }

    pub(crate) fn print_json(&self) -> Result<(), Failure> {
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|figure| {
                let (unit, better) = match figure.unit {
                    Unit::PerSecond => ("1/s", "more"),
                    Unit::Bytes => ("B", "less"),
                    Unit::Seconds => ("s", "less"),
                    Unit::Processes => ("processes", "less"),
                    Unit::OfOneCore => ("cores", "less"),
                };
                json!({
                    "what": figure.what, "ours": figure.ours, "baseline": figure.baseline,
                    "ratio": figure.ratio(), "unit": unit, "better": better, "load": figure.load,
                })
            })
            .collect();
        let report = json!({ "machine": self.circumstances(), "benchmarks": figures });
        println!("{}", serde_json::to_string_pretty(&report)?);
        Ok(())
    }

    /// The same program on a busy machine gives other figures.
    fn circumstances(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        format!(
            "{cores} cores; load average {} before, {} after; {}; medians unless said otherwise",
            self.busy_before,
            busy(),
            if cfg!(debug_assertions) {
                "built for debugging"
            } else {
                "built for release"
            },
        )
    }
}

fn row(figure: &Figure) -> [String; 5] {
    [
        figure.what.clone(),
        shown(figure.ours, figure.unit),
        shown(figure.baseline, figure.unit),
        figure
            .ratio()
            .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        figure.load.clone(),
    ]
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        // There is no such figure.
        _ if value.is_nan() => "-".to_owned(),
        Unit::PerSecond => format!("{} /s", grouped(value)),
        Unit::Bytes => format!("{} B", grouped(value)),
        Unit::Processes => grouped(value),
        Unit::OfOneCore => format!("{:.2} %", value * 100.0),
        Unit::Seconds if value < 1e-3 => format!("{:.1} us", value * 1e6),
        Unit::Seconds if value < 1.0 => format!("{:.2} ms", value * 1e3),
        Unit::Seconds => format!("{value:.2} s"),
    }
}

/// 1234567 as 1,234,567.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value <= -0.5 {
        String::from("-")
    } else {
        String::new()
    };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many processes wanted to run in the last minute, on average.
fn busy() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}
