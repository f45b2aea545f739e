//! Cobertura and JaCoCo.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{Covered, NotRead};

/// Where the reading is.
#[derive(Default)]
struct At {
    /// Folders in which Cobertura's files are.
    sources: Vec<String>,
    in_source: bool,
    package: String,
    file: Option<String>,
    known: bool,
}

pub(super) fn read(text: &str) -> Result<Covered, NotRead> {
    let mut reader = Reader::from_str(text);
    let mut covered = Covered::default();
    let mut at = At::default();
    let mut depth = 0_usize;
    loop {
        let broken =
            |error: quick_xml::Error, place: u64| NotRead::Broken(format!("{error} at byte {place}"));
        let event = reader
            .read_event()
            .map_err(|error| broken(error, reader.error_position()))?;
        match event {
            Event::Start(element) => {
                depth += 1;
                begin(&element, &mut at, &mut covered);
            }
            Event::Empty(element) => {
                begin(&element, &mut at, &mut covered);
                end(element.local_name().as_ref(), &mut at);
            }
            Event::Text(text) if at.in_source => {
                at.sources.push(String::from_utf8_lossy(&text).trim().to_owned());
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                end(element.local_name().as_ref(), &mut at);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    whole(at.known, depth)?;
    Ok(covered)
}

/// Was it a report that is known, and is its end there?
fn whole(known: bool, depth: usize) -> Result<(), NotRead> {
    match (known, depth) {
        (false, _) => Err(NotRead::Unknown),
        (true, 0) => Ok(()),
        (true, _) => Err(NotRead::Broken("it ends in the middle".to_owned())),
    }
}

fn begin(element: &BytesStart<'_>, at: &mut At, covered: &mut Covered) {
    match element.local_name().as_ref() {
        b"coverage" | b"report" => at.known = true,
        b"source" => at.in_source = true,
        b"package" => at.package = value(element, b"name").unwrap_or_default(),
        // Cobertura: a class says which file it is in.
        b"class" => {
            let file = value(element, b"filename").map(|file| below(&at.sources, file));
            enter(file, at, covered);
        }
        // JaCoCo: files are in folders of the name of their package.
        b"sourcefile" => {
            let file = value(element, b"name").map(|name| format!("{}/{name}", at.package));
            enter(
                file.map(|file| file.trim_start_matches('/').to_owned()),
                at,
                covered,
            );
        }
        b"line" => line(element, at, covered),
        _ => {}
    }
}

/// What comes now is about this file. What does not say which one goes on with the last.
fn enter(file: Option<String>, at: &mut At, covered: &mut Covered) {
    if let Some(file) = file {
        covered.files.entry(file.clone()).or_default();
        at.file = Some(file);
    }
}

fn end(element: &[u8], at: &mut At) {
    match element {
        b"source" => at.in_source = false,
        b"class" | b"sourcefile" => at.file = None,
        _ => {}
    }
}

/// Cobertura: `number`, `hits`. JaCoCo: `nr`, and `ci`, the instructions of it that were run.
fn line(element: &BytesStart<'_>, at: &At, covered: &mut Covered) {
    let number = |key: &[u8]| value(element, key).and_then(|text| text.parse::<u64>().ok());
    let Some(file) = &at.file else { return };
    let place = number(b"number")
        .or_else(|| number(b"nr"))
        .and_then(|line| u32::try_from(line).ok());
    let hits = number(b"hits").or_else(|| number(b"ci"));
    if let (Some(place), Some(hits)) = (place, hits) {
        // Cobertura tells a line once for its method and once for its class.
        let lines = covered.files.entry(file.clone()).or_default();
        let most = lines.entry(place).or_default();
        *most = (*most).max(hits);
    }
}

fn below(sources: &[String], file: String) -> String {
    match sources {
        [one] if !one.is_empty() && !file.starts_with('/') => format!("{}/{file}", one.trim_end_matches('/')),
        _ => file,
    }
}

fn value(element: &BytesStart<'_>, key: &[u8]) -> Option<String> {
    let found = element
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.as_ref() == key)?;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}
