//! A task that a trigger asks for, from there to its landing, and what its trace has to be.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use worknode_tests::scene::{Resumes, Scene};

use super::endpoint::{hex, text};

/// A client that calls one tool, hands in what its place in the trace is, and says what it used.
const CLIENT: &str = r#"
say() { echo "$1"; }
say '{"type":"system","subtype":"init","session_id":"'"$1"'","model":"m"}'
say '{"type":"assistant","message":{"id":"m1","role":"assistant","model":"m","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}}],"usage":{"input_tokens":700,"output_tokens":1}},"session_id":"s"}'
say '{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"ok"}]},"session_id":"s"}'
echo "$TRACEPARENT" > one.txt; git add . && git commit -qm work >&2
say '{"type":"result","subtype":"success","is_error":false,"terminal_reason":"completed","result":"done","num_turns":1,"session_id":"s","total_cost_usd":0.25,"usage":{"input_tokens":700,"output_tokens":30}}'
"#;

const TEAM: &str = r#"
[team]
name = "t"

TELEMETRY

[[agent]]
name = "worker"
driver = "scripted"

[[trigger]]
name = "asked"
event = "go"
[trigger.spawn]
agent = "worker"
task = { title = "Asked", prompt = "Write one.txt", files = ["*.txt"] }
"#;

/// A team whose traces go where `telemetry` says.
pub(super) fn scene(telemetry: &str) -> Scene {
    let scene = Scene::new();
    scene.scripted_client(CLIENT, Resumes::Never);
    scene.and_team(&TEAM.replace("TELEMETRY", telemetry))
}

/// Has the task worked on under a daemon until it has landed, and ends the daemon: what it had to
/// send is sent then.
pub(super) fn walk(scene: &Scene) {
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "go"]).ok();
    scene.wait_for_event("the end of the task", |event| event["type"] == "task_completed");
    scene.worknode(&["down"]).ok();
}

/// The spans of the task are one trace, each below what caused it, with the attributes that
/// OpenTelemetry has for agents.
pub(super) fn is_one_trace(scene: &Scene, spans: &[Span]) {
    let by_name: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    let named = |name: &str| {
        let found = by_name.get(name);
        *found.unwrap_or_else(|| panic!("no {name} in {:?}", by_name.keys()))
    };
    let task = *by_name
        .iter()
        .find_map(|(name, span)| name.starts_with("task ").then_some(span))
        .unwrap_or_else(|| panic!("no task in {:?}", by_name.keys()));
    let firing = named("firing asked");
    let run = named("invoke_agent worker");
    assert!(firing.parent_span_id.is_empty(), "{firing:?}");
    is_below(task, firing);
    for name in [
        "create_agent worker",
        "invoke_agent worker",
        "gate plan",
        "landing",
    ] {
        is_below(named(name), task);
    }
    is_below(named("execute_tool Bash"), run);
    has(
        named("create_agent worker"),
        &[("gen_ai.operation.name", "create_agent")],
    );
    has(
        run,
        &[
            ("gen_ai.operation.name", "invoke_agent"),
            ("gen_ai.agent.name", "worker"),
            ("gen_ai.usage.input_tokens", "700"),
            ("gen_ai.usage.output_tokens", "30"),
            ("worknode.usage.cost_micro_usd", "250000"),
        ],
    );
    has(
        named("execute_tool Bash"),
        &[
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "Bash"),
        ],
    );
    // What the agent was told is where it is.
    let told = scene.read("one.txt");
    let is = format!("00-{}-{}-01", hex(&run.trace_id), hex(&run.span_id));
    assert_eq!(told.trim(), is);
    let ids: BTreeSet<String> = spans.iter().map(|span| hex(&span.span_id)).collect();
    assert_eq!(ids.len(), spans.len(), "every span has an id of its own");
}

/// It is in the same trace right below, and is well.
#[track_caller]
fn is_below(span: &Span, above: &Span) {
    assert_eq!(hex(&span.trace_id), hex(&above.trace_id), "{span:?}");
    assert_eq!(hex(&span.parent_span_id), hex(&above.span_id), "{span:?}");
    assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
    let code = span.status.as_ref().map(|status| status.code());
    assert_ne!(code, Some(StatusCode::Error), "{span:?}");
}

#[track_caller]
fn has(span: &Span, attributes: &[(&str, &str)]) {
    for (key, value) in attributes {
        let found = text(&span.attributes, key);
        assert_eq!(found.as_deref(), Some(*value), "{key} of {span:?}");
    }
}
