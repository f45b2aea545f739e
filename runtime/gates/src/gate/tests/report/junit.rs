//! JUnit's XML: `testcase` elements with `failure`, `error` or `skipped` inside.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{Case, Format, Report};

/// Reads a report. One that is cut off is none: what is missing may be what failed.
pub(super) fn read(text: &str) -> Option<Report> {
    let mut reader = Reader::from_str(text);
    let mut report = Report::new(Format::Junit);
    let mut open: Option<(String, Case)> = None;
    let (mut depth, mut known) = (0_usize, false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                depth += 1;
                known |= begin(&element, &mut open);
            }
            Event::Empty(element) if element.local_name().as_ref() == b"testcase" => {
                report.add(name(&element), Case::Passed);
            }
            Event::Empty(element) => known |= begin(&element, &mut open),
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                let ended = open.take_if(|_| element.local_name().as_ref() == b"testcase");
                ended.into_iter().for_each(|(name, case)| report.add(name, case));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    (known && depth == 0).then(|| report.counted())
}

/// Takes the beginning of an element in. Answers whether only JUnit has such.
fn begin(element: &BytesStart<'_>, open: &mut Option<(String, Case)>) -> bool {
    match element.local_name().as_ref() {
        b"testsuites" | b"testsuite" => return true,
        b"testcase" => *open = Some((name(element), Case::Passed)),
        other => inside(other, open),
    }
    false
}

fn inside(element: &[u8], open: &mut Option<(String, Case)>) {
    if let Some((_, case)) = open {
        match element {
            b"failure" | b"error" => *case = Case::Failed,
            b"skipped" if *case != Case::Failed => *case = Case::Skipped,
            _ => {}
        }
    }
}

fn name(element: &BytesStart<'_>) -> String {
    let of = |key: &[u8]| {
        let found = element
            .attributes()
            .flatten()
            .find(|attribute| attribute.key.as_ref() == key);
        found.map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned())
    };
    let name = of(b"name").unwrap_or_default();
    match of(b"classname") {
        Some(class) if !class.is_empty() => format!("{class}::{name}"),
        _ => name,
    }
}
