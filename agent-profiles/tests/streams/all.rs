//! All recordings that there are, where somebody has more of them than are kept here.

use std::{fs, path::Path};

use serde_json::Value;
use worknode_profiles::{
    Driver,
    stream::{Cause, Outcome},
};

use crate::scene::{OPENING, claude, codex, end_of, gemini, hear_bytes, opencode};

/// The variable that names the directory.
const DIRECTORY: &str = "WORKNODE_TRANSCRIPTS";

fn driver_of(name: &str) -> Option<Driver> {
    let name = name.strip_prefix("par-").unwrap_or(name);
    match name.split('-').next()? {
        "claude" | "ce" => Some(claude()),
        "codex" => Some(codex()),
        "gemini" => Some(gemini()),
        "oc" | "opencode" => Some(opencode()),
        _ => None,
    }
}

/// What the last event says, read with as little code as possible.
fn claims_success(out: &str) -> bool {
    let last = out.lines().rev().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let is_last = matches!(
            event["type"].as_str()?,
            "result" | "turn.completed" | "turn.failed" | "step_finish" | "error"
        );
        is_last.then_some(event)
    });
    let Some(event) = last else { return false };
    match event["type"].as_str() {
        Some("result") if event["status"].is_string() => event["status"] == "success",
        Some("result") => event["is_error"] == false && event["terminal_reason"] == "completed",
        Some("step_finish") => event["part"]["reason"] == "stop",
        other => other == Some("turn.completed"),
    }
}

fn check(directory: &Path, meta: &Path) -> Option<String> {
    let name = meta.file_name()?.to_str()?.strip_suffix(".meta.json")?;
    let driver = driver_of(name)?;
    let read = |ending: &str| fs::read(directory.join(format!("{name}.{ending}"))).unwrap_or_default();
    let meta: Value = serde_json::from_slice(&fs::read(meta).unwrap()).unwrap();
    let code = i32::try_from(meta["rc"].as_i64()?).unwrap();
    let (out, err) = (read("out"), read("err"));
    let heard = hear_bytes(&driver, &OPENING, &out, &err, end_of(code));
    let outcome = heard.outcome();
    let claims = claims_success(&String::from_utf8_lossy(&out));
    match &outcome {
        Outcome::Done => assert!(claims && (code == 0 || heard.finished()), "{name}: {code}"),
        Outcome::Failed { cause, .. } => {
            assert!(!claims || code != 0, "{name}: {outcome:?}");
            assert!((code == 0) <= (*cause != Cause::Crashed), "{name}: {outcome:?}");
        }
    }
    Some(format!("{name:28} {code:4}  {outcome:?}"))
}

#[test]
fn every_recording_is_judged_as_its_end_and_last_event_say() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let judged: Vec<String> = files
        .iter()
        .filter(|file| file.to_string_lossy().ends_with(".meta.json"))
        .filter_map(|file| check(directory, file))
        .collect();
    println!("{}", judged.join("\n"));
    assert!(!judged.is_empty(), "no recordings in {}", directory.display());
}
