//! Reports of coverage, in the forms that tools write. All come down to one thing: how often each
//! line of each file was run.

mod json;
mod xml;

use std::collections::BTreeMap;

/// How often lines were run, by file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// By path as the report writes it, then by line.
    pub files: BTreeMap<String, BTreeMap<u32, u64>>,
}

/// The largest report that is read.
const MOST_BYTES: usize = 256 * 1024 * 1024;
/// Lines that are kept; a report of more is about something else.
const MOST_LINES: usize = 20_000_000;
/// Lines that one entry may span: a function, not a file of nothing.
const SPAN: u32 = 100_000;

/// A report that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// Its form is not known.
    #[error("it is neither lcov, Cobertura, JaCoCo, coverage.py JSON, llvm-cov JSON nor a Go profile")]
    Unknown,
    /// It is broken, or cut off.
    #[error("it is broken: {0}")]
    Broken(String),
    /// It is larger than what is read.
    #[error("it is too large")]
    TooLarge,
}

impl Covered {
    /// Counts one line.
    fn hit(&mut self, file: &str, line: u32, hits: u64) {
        let lines = match self.files.get_mut(file) {
            Some(lines) => lines,
            None => self.files.entry(file.to_owned()).or_default(),
        };
        let sum = lines.entry(line).or_default();
        *sum = sum.saturating_add(hits);
    }

    /// Adds another report of the same run.
    pub fn add(&mut self, other: Self) {
        for (file, lines) in other.files {
            for (line, hits) in lines {
                self.hit(&file, line, hits);
            }
        }
    }
}

/// Reads a report, whatever its form.
///
/// # Errors
/// [`NotRead`]: a report that cannot be read as a whole says nothing.
pub fn read(bytes: &[u8]) -> Result<Covered, NotRead> {
    if bytes.len() > MOST_BYTES {
        return Err(NotRead::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| NotRead::Broken(error.to_string()))?;
    let covered = by_form(text.trim_start_matches('\u{feff}').trim_start())?;
    let lines: usize = covered.files.values().map(BTreeMap::len).sum();
    if lines > MOST_LINES {
        Err(NotRead::TooLarge)
    } else {
        Ok(covered)
    }
}

/// The form is told from how the text begins.
fn by_form(text: &str) -> Result<Covered, NotRead> {
    let begins = |marks: &[&str]| marks.iter().any(|mark| text.starts_with(mark));
    if begins(&["<"]) {
        xml::read(text)
    } else if begins(&["{"]) {
        json::read(text)
    } else if begins(&["mode:"]) {
        go(text)
    } else if begins(&["TN:", "SF:", "VER:"]) {
        lcov(text)
    } else {
        Err(NotRead::Unknown)
    }
}

/// lcov: `SF:` begins a file, `DA:line,hits` a line, `end_of_record` ends it. Other records tell of
/// functions and branches, in ways that differ between tools.
fn lcov(text: &str) -> Result<Covered, NotRead> {
    let mut covered = Covered::default();
    let mut file: Option<&str> = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(path) = line.strip_prefix("SF:") {
            file = Some(path);
            covered.files.entry(path.to_owned()).or_default();
        } else if line == "end_of_record" {
            file = None;
        } else if let Some(data) = line.strip_prefix("DA:") {
            let broken = || NotRead::Broken(format!("the line `{line}`"));
            let path = file.ok_or_else(broken)?;
            let mut parts = data.split(',');
            let at = parts.next().and_then(|at| at.parse().ok()).ok_or_else(broken)?;
            let hits: f64 = parts
                .next()
                .and_then(|hits| hits.parse().ok())
                .ok_or_else(broken)?;
            covered.hit(path, at, u64::from(hits > 0.0));
        }
    }
    match file {
        Some(path) => Err(NotRead::Broken(format!("it ends inside of `{path}`"))),
        None => Ok(covered),
    }
}

/// Go: `file:from.column,to.column statements hits`.
fn go(text: &str) -> Result<Covered, NotRead> {
    let mut covered = Covered::default();
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let broken = || {
            NotRead::Broken(format!(
                "the line `{}`",
                line.chars().take(100).collect::<String>()
            ))
        };
        let (place, rest) = line.rsplit_once(':').ok_or_else(broken)?;
        let mut parts = rest.split_whitespace();
        let span = parts.next().ok_or_else(broken)?;
        let hits: u64 = parts
            .nth(1)
            .and_then(|hits| hits.parse().ok())
            .ok_or_else(broken)?;
        let (from, to) = span.split_once(',').ok_or_else(broken)?;
        let row = |place: &str| place.split('.').next().and_then(|row| row.parse::<u32>().ok());
        let (from, to) = (row(from).ok_or_else(broken)?, row(to).ok_or_else(broken)?);
        for at in bounded(from, to) {
            covered.hit(place, at, hits);
        }
    }
    Ok(covered)
}

/// The lines of an entry, not more than one can have.
fn bounded(from: u32, to: u32) -> impl Iterator<Item = u32> {
    from..=to.min(from.saturating_add(SPAN))
}

#[cfg(test)]
mod tests;
