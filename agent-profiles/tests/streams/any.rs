//! Whatever comes, in whatever pieces.

use proptest::prelude::*;
use worknode_profiles::{
    Conversation, Driver,
    stream::{Action, End, Pipe},
};

use crate::scene::{OPENING, claude, codex, gemini, now, opencode, shipped, transcripts};

fn drivers() -> Vec<Driver> {
    let mut drivers = vec![claude(), codex(), gemini(), opencode()];
    drivers.extend(["claude-code", "codex", "gemini", "opencode", "command"].map(shipped));
    drivers
}

/// Each recording with a driver that understands it.
fn recordings() -> Vec<(Driver, Vec<u8>)> {
    let mut recordings = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(transcripts())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let driver = match name.split(['-', '.']).next().unwrap() {
            "claude" | "ce" if name.ends_with("jsonl") => shipped("claude-code"),
            "codex" if name.ends_with("jsonl") => shipped("codex"),
            "acp" => shipped("gemini"),
            "claude" | "ce" => claude(),
            "codex" => codex(),
            "gemini" => gemini(),
            _ => opencode(),
        };
        let bytes = std::fs::read(&file).unwrap();
        if name.ends_with(".out") {
            recordings.push((driver, bytes));
        } else if name.ends_with(".jsonl") {
            let text = String::from_utf8(bytes).unwrap();
            let said = text.lines().filter_map(|line| line.strip_prefix("<< "));
            let said: String = said.map(|line| format!("{line}\n")).collect();
            recordings.push((
                driver,
                said.replace("\"request_id\":\"r0\"", "\"request_id\":\"initialize\"")
                    .into_bytes(),
            ));
        }
    }
    recordings
}

fn in_pieces<'a>(
    driver: &Driver,
    from: Pipe,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Conversation, Vec<Action>) {
    let mut conversation = Conversation::new(driver, &OPENING);
    let mut actions = conversation.begin();
    for piece in pieces {
        actions.extend(conversation.output(from, piece, now()));
    }
    (conversation, actions)
}

fn judge(conversation: &Conversation) {
    for end in [
        End::Code(0),
        End::Code(1),
        End::Code(255),
        End::Signal(9),
        End::Unknown,
        End::Code(i32::MIN),
    ] {
        let _ = conversation.ended(end);
    }
}

#[test]
fn every_recording_gives_the_same_in_any_pieces_and_when_it_is_read_again() {
    for (driver, bytes) in recordings() {
        let (whole, expected) = in_pieces(&driver, Pipe::Stdout, std::iter::once(bytes.as_slice()));
        for size in [3, 4096] {
            let (conversation, actions) = in_pieces(&driver, Pipe::Stdout, bytes.chunks(size));
            assert_eq!(actions, expected);
            assert_eq!(conversation.usage(), whole.usage());
            assert_eq!(conversation.ended(End::Code(0)), whole.ended(End::Code(0)));
        }
    }
}

#[test]
fn p6_a_recording_that_is_read_again_asks_for_the_same_inputs_whenever_that_is() {
    let inputs = |actions: Vec<Action>| -> Vec<Action> {
        let is_input = |action: &Action| matches!(action, Action::Input { .. });
        actions.into_iter().filter(is_input).collect()
    };
    for (driver, bytes) in recordings() {
        let (_, first) = in_pieces(&driver, Pipe::Stdout, bytes.chunks(1000));
        let mut conversation = Conversation::new(&driver, &OPENING);
        let mut again = conversation.begin();
        let later = now().plus(std::time::Duration::from_secs(86_400));
        // What came on stderr meanwhile changes nothing of it.
        again.extend(conversation.output(Pipe::Stderr, b"Attempt 1 failed. Retrying\n", later));
        again.extend(conversation.output(Pipe::Stdout, &bytes, later));
        assert_eq!(inputs(again), inputs(first));
    }
}

#[test]
fn ids_of_inputs_are_never_used_twice_in_a_recording() {
    for (driver, bytes) in recordings() {
        let (_, actions) = in_pieces(&driver, Pipe::Stdout, std::iter::once(bytes.as_slice()));
        let mut seen = std::collections::BTreeSet::new();
        for action in actions {
            if let Action::Input { id, .. } = action {
                assert!(seen.insert(id.clone()), "{id}");
            }
        }
    }
}

#[test]
fn every_recording_may_end_anywhere() {
    for (driver, bytes) in recordings() {
        let step = (bytes.len() / 40).max(1);
        for end in (0..bytes.len()).step_by(step) {
            let (conversation, _) = in_pieces(&driver, Pipe::Stdout, std::iter::once(&bytes[..end]));
            judge(&conversation);
        }
    }
}

/// Lines that look like events, with values of any kind in any place.
fn lines() -> impl Strategy<Value = String> {
    const WORDS: &str = "(type|subtype|result|assistant|system|message|content|usage|id|method|params|item|update|\
                         sessionUpdate|tool_call|status|error|step_finish|part|tokens|turn/completed|session/update|\
                         item/started|control_request|request|request_id|can_use_tool|api_retry|1|2|3|-1|1e99|null|\\{|\\}|\\[|\\]|:|,|\"|\n)";
    proptest::string::string_regex(&format!("({WORDS}){{0,60}}")).unwrap()
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "(result|assistant|system|tool_use|tool_result|success|init|api_retry|turn/completed|session/update|tool_call|error|.{0,6})"
            .prop_map(Into::into),
    ];
    let key = "(type|subtype|message|content|usage|id|method|params|result|error|item|part|update|sessionUpdate|toolCallId|\
               status|request|request_id|turn|tokens|modelUsage|tokenUsage|total|code|.{0,4})";
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), text in lines(), cut in 1_usize..50) {
        for driver in drivers() {
            for from in [Pipe::Stdout, Pipe::Stderr] {
                for bytes in [bytes.as_slice(), text.as_bytes()] {
                    let (whole, expected) = in_pieces(&driver, from, std::iter::once(bytes));
                    let (conversation, actions) = in_pieces(&driver, from, bytes.chunks(cut));
                    prop_assert_eq!(actions, expected);
                    prop_assert_eq!(conversation.ended(End::Code(0)), whole.ended(End::Code(0)));
                    judge(&conversation);
                }
            }
        }
    }

    #[test]
    fn no_events_make_it_panic(values in prop::collection::vec(value(), 0..12)) {
        let text: String = values.iter().map(|value| format!("{value}\n")).collect();
        for driver in drivers() {
            let (mut conversation, _) = in_pieces(&driver, Pipe::Stdout, std::iter::once(text.as_bytes()));
            judge(&conversation);
            let _ = conversation.cancel();
        }
    }
}
