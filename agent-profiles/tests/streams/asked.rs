//! What a person is asked, and what a program is then told.

use serde_json::{Value, json};
use worknode_core::{bounds, usage::Stuck};
use worknode_profiles::{
    Conversation, Driver,
    stream::{Action, Opening, Pipe},
};

use crate::scene::{OPENING, now, shipped};

const ASKING: Opening<'_> = Opening {
    asks: true,
    ..OPENING
};

fn claude() -> Conversation {
    let mut conversation = Conversation::new(&shipped("claude-code"), &ASKING);
    let _ = conversation.begin();
    conversation
}

fn ask(id: &str, tool: &str, input: &Value) -> Value {
    let request = json!({ "subtype": "can_use_tool", "tool_name": tool, "input": input });
    json!({ "type": "control_request", "request_id": id, "request": request })
}

fn hear(conversation: &mut Conversation, line: &Value) -> Vec<Action> {
    conversation.output(Pipe::Stdout, format!("{line}\n").as_bytes(), now())
}

fn keys(actions: &[Action]) -> Vec<&str> {
    let keys = actions.iter().filter_map(|action| match action {
        Action::Ask { key, .. } => Some(key.as_str()),
        _ => None,
    });
    keys.collect()
}

fn behaviours(actions: &[Action]) -> Vec<Value> {
    let answers = actions.iter().filter_map(|action| match action {
        Action::Input { bytes, .. } => serde_json::from_slice::<Value>(bytes).ok(),
        _ => None,
    });
    answers
        .map(|answer| answer["response"]["response"].clone())
        .collect()
}

#[test]
fn policy_goes_before_a_person() {
    let mut said = claude();
    let own = hear(&mut said, &ask("1", "mcp__worknode__task_submit", &json!({})));
    assert_eq!(behaviours(&own)[0]["behavior"], "allow");
    let forbidden = hear(&mut said, &ask("2", "AskUserQuestion", &json!({})));
    assert_eq!(behaviours(&forbidden)[0]["behavior"], "deny");
    let similar = hear(&mut said, &ask("3", "mcp__worknodeful__x", &json!({})));
    assert_eq!((keys(&similar).len(), behaviours(&similar).len()), (1, 0));
}

#[test]
fn the_program_waits_until_it_is_answered_whatever_it_says_meanwhile() {
    let mut said = claude();
    let asked = hear(&mut said, &ask("1", "Bash", &json!({ "command": "make" })));
    let key = keys(&asked)[0].to_owned();
    let Action::Ask { tool, what, .. } = asked
        .iter()
        .find(|action| matches!(action, Action::Ask { .. }))
        .unwrap()
    else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (tool.as_str(), what.as_str()),
        ("Bash", "{\n  \"command\": \"make\"\n}")
    );
    let text = json!({ "type": "assistant", "message": { "id": "m", "content": [{ "type": "text", "text": "meanwhile" }] } });
    let _ = hear(&mut said, &text);
    assert_eq!(said.stuck(), Some(&Stuck::WaitingOnHuman));
    assert_eq!(
        keys(&hear(
            &mut said,
            &ask("1", "Bash", &json!({ "command": "other" }))
        )),
        [""; 0]
    );
    let answer = said.answer(&key, true, "");
    assert_eq!(
        behaviours(&answer)[0]["updatedInput"]["command"],
        "make",
        "as it was shown"
    );
    assert_eq!(said.stuck(), None);
    assert_eq!(said.answer(&key, false, ""), [], "once");
    let asked = hear(&mut said, &ask("2", "Bash", &json!({})));
    let denied = said.answer(keys(&asked)[0], false, "because");
    assert_eq!(behaviours(&denied)[0]["message"], "because");
}

#[test]
fn p8_what_is_longer_than_a_person_is_shown_is_denied() {
    let mut said = claude();
    let long = json!({ "command": "x".repeat(bounds::PERMISSION) });
    let actions = hear(&mut said, &ask("1", "Bash", &long));
    assert_eq!(
        (keys(&actions), &behaviours(&actions)[0]["behavior"]),
        (vec![], &json!("deny"))
    );
    assert_eq!(said.stuck(), None);
}

#[test]
fn what_was_asked_is_taken_back_with_the_result() {
    let mut said = claude();
    let asked = hear(&mut said, &ask("1", "Bash", &json!({})));
    let key = keys(&asked)[0].to_owned();
    let result = json!({ "type": "result", "subtype": "success", "is_error": false, "result": "done" });
    let ended = hear(&mut said, &result);
    assert!(
        ended.contains(&Action::Withdrawn { key: key.clone() }),
        "{ended:?}"
    );
    assert_eq!(said.answer(&key, true, ""), []);
}

#[test]
fn codex_is_answered_in_its_own_words() {
    let codex = Driver {
        transport: worknode_profiles::driver::Transport::TwoWay,
        ..shipped("codex")
    };
    let mut said = Conversation::new(&codex, &ASKING);
    let _ = said.begin();
    let method = "item/commandExecution/requestApproval";
    let asked = hear(
        &mut said,
        &json!({ "id": 5, "method": method, "params": { "command": "make" } }),
    );
    let answer = said.answer(keys(&asked)[0], false, "no");
    let Action::Input { bytes, .. } = answer.last().unwrap() else {
        panic!("{answer:?}");
    };
    let answer: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(answer, json!({ "id": 5, "result": { "decision": "decline" } }));
}
