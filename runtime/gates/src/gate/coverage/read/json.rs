//! coverage.py's JSON, and llvm-cov's export.

use serde_json::Value;

use super::{Covered, NotRead, bounded};

pub(super) fn read(text: &str) -> Result<Covered, NotRead> {
    let value: Value = serde_json::from_str(text).map_err(|error| NotRead::Broken(error.to_string()))?;
    if let Some(files) = value.get("files").and_then(Value::as_object) {
        return Ok(coverage_py(files));
    }
    if let Some(data) = value.get("data").and_then(Value::as_array) {
        return Ok(llvm(data));
    }
    Err(NotRead::Unknown)
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn coverage_py(files: &serde_json::Map<String, Value>) -> Covered {
    let mut covered = Covered::default();
    for (path, file) in files {
        covered.files.entry(path.clone()).or_default();
        for (key, hits) in [("executed_lines", 1), ("missing_lines", 0)] {
            let lines = file.get(key).and_then(Value::as_array).into_iter().flatten();
            for line in lines.filter_map(number) {
                covered.hit(path, line, hits);
            }
        }
    }
    covered
}

/// One segment of llvm-cov: from here on, so often; until the next.
struct Segment {
    line: u32,
    hits: u64,
    counts: bool,
    begins: bool,
}

fn segment(value: &Value) -> Option<Segment> {
    let parts = value.as_array()?;
    Some(Segment {
        line: number(parts.first()?)?,
        hits: parts.get(2)?.as_u64()?,
        counts: parts.get(3)?.as_bool()?,
        begins: parts.get(4).and_then(Value::as_bool).unwrap_or(false),
    })
}

/// A line was run as often as the part of it that was run most: the part that goes on from the
/// line before, or one that begins on it.
fn llvm(data: &[Value]) -> Covered {
    let mut covered = Covered::default();
    let files = data
        .iter()
        .filter_map(|export| export.get("files")?.as_array())
        .flatten();
    for file in files {
        let Some(path) = file.get("filename").and_then(Value::as_str) else {
            continue;
        };
        covered.files.entry(path.to_owned()).or_default();
        let segments = file
            .get("segments")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let segments: Vec<Segment> = segments.filter_map(segment).collect();
        for pair in segments.windows(2) {
            let [here, next] = pair else { continue };
            if !here.counts {
                continue;
            }
            let (first, last) = lines_of(here, next);
            for line in bounded(first, last) {
                let lines = covered.files.entry(path.to_owned()).or_default();
                let most = lines.entry(line).or_default();
                *most = (*most).max(here.hits);
            }
        }
    }
    covered
}

/// First and last line of a segment that goes on until the next.
fn lines_of(here: &Segment, next: &Segment) -> (u32, u32) {
    let first = here.line.saturating_add(u32::from(!here.begins));
    let last = if next.line > here.line {
        next.line.saturating_sub(u32::from(next.begins))
    } else {
        here.line
    };
    (first, last)
}
