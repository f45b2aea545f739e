//! Traces and numbers, as a collector and Prometheus get them from the program.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, status::StatusCode},
};
use prost::Message;
use worknode_tests::{
    scene::{Resumes, Scene},
    wait::wait_for,
};

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
name = "told"
event = "task_completed"
notify = "operator"

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["*.txt"]
"#;

fn scene(telemetry: &str) -> Scene {
    let scene = Scene::new();
    scene.scripted_client(CLIENT, Resumes::Never);
    scene.and_team(&TEAM.replace("TELEMETRY", telemetry))
}

/// Takes OTLP over HTTP, and keeps it.
struct Collector {
    address: String,
    heard: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(&stream.unwrap(), &kept));
            }
        });
        Self { address, heard }
    }

    fn spans(&self) -> Vec<Span> {
        let heard = self.heard.lock().unwrap();
        let scopes = heard
            .iter()
            .flat_map(|request| &request.resource_spans)
            .flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

/// Answers requests on one connection until the other end has no more.
fn serve(stream: &TcpStream, kept: &Mutex<Vec<ExportTraceServiceRequest>>) {
    let mut from = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_lowercase());
        }
        assert_eq!(head[0], "post /v1/traces http/1.1");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        from.read_exact(&mut body).unwrap();
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        kept.lock().unwrap().push(request);
        (&mut &*stream)
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
    }
}

fn text(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_task_is_one_trace_from_its_making_to_its_landing() {
    let collector = Collector::start();
    let scene = scene(&format!("[telemetry]\notlp = \"{}\"", collector.address));
    scene.worknode(&["run"]).ok();
    let spans = collector.spans();
    let by_name: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    let task = by_name["task one"];
    let run = by_name["invoke_agent worker"];
    assert!(task.parent_span_id.is_empty(), "{task:?}");
    for (name, above) in [
        ("create_agent worker", task),
        ("invoke_agent worker", task),
        ("gate plan", task),
        ("landing", task),
        ("execute_tool Bash", run),
    ] {
        let span = by_name
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", by_name.keys()));
        assert_eq!(hex(&span.trace_id), hex(&task.trace_id), "{name}");
        assert_eq!(hex(&span.parent_span_id), hex(&above.span_id), "{name}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        assert!(
            span.status
                .as_ref()
                .is_none_or(|status| status.code() != StatusCode::Error),
            "{span:?}"
        );
    }
    assert!(by_name["firing told"].parent_span_id.is_empty());
    assert_eq!(
        text(run, "gen_ai.operation.name").as_deref(),
        Some("invoke_agent")
    );
    assert_eq!(text(run, "gen_ai.usage.output_tokens").as_deref(), Some("30"));
    assert_eq!(
        text(run, "worknode.usage.cost_micro_usd").as_deref(),
        Some("250000")
    );
    // What the agent was told is where it is.
    let told = scene.read("one.txt");
    let is = format!("00-{}-{}-01", hex(&run.trace_id), hex(&run.span_id));
    assert_eq!(told.trim(), is);
    let ids: BTreeSet<String> = spans.iter().map(|span| hex(&span.span_id)).collect();
    assert_eq!(ids.len(), spans.len(), "every span has an id of its own");
}

#[test]
fn requests_are_spans_below_whoever_asks() {
    let collector = Collector::start();
    let scene = scene(&format!(
        "[telemetry]\notlp = \"{}\"\nservice = \"mine\"",
        collector.address
    ));
    scene.worknode(&["up", "-d"]).ok();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    scene
        .door()
        .ask("GET", "/api/v1/nodes/root", &[("traceparent", &parent)], "")
        .is(200);
    scene.worknode(&["down"]).ok();
    let spans = collector.spans();
    let request = spans.iter().find(|span| hex(&span.trace_id) == trace);
    let request = request.unwrap_or_else(|| panic!("no request in {spans:?}"));
    assert_eq!(request.name, "GET /api/v1/nodes/{id}");
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(text(request, "http.response.status_code").as_deref(), Some("200"));
    let heard = collector.heard.lock().unwrap();
    let resource = format!("{:?}", heard[0].resource_spans[0].resource);
    assert!(
        resource.contains("mine") && resource.contains("worknode.team"),
        "{resource}"
    );
}

#[test]
fn a_collector_that_is_not_there_holds_nobody_up() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scene = scene(&format!("[telemetry]\notlp = \"http://{free}\""));
    scene.worknode(&["run"]).ok();
    assert_eq!(scene.count("task_completed"), 1);
}

#[test]
fn an_endpoint_with_tls_is_a_mistake_of_the_configuration() {
    let scene = scene("[telemetry]\notlp = \"https://collector:4318\"");
    scene
        .worknode(&["check"])
        .fails(2)
        .says(&["worknode.toml:6", "telemetry.otlp", "needs TLS"]);
}

#[test]
fn numbers_are_there_for_prometheus() {
    let scene = scene("");
    scene.worknode(&["up", "-d"]).ok();
    wait_for("the trigger has acted", || {
        let numbers = scene.door().get("/metrics").body;
        numbers.contains("worknode_firings_total{outcome=\"acted\"} 1")
    });
    let answer = scene.door().get("/metrics").is(200);
    scene.worknode(&["down"]).ok();
    let media = answer.header("content-type").unwrap();
    assert!(media.contains("application/openmetrics-text"), "{media}");
    let body = answer.body;
    for line in [
        "worknode_claims_total 1",
        "worknode_nodes{kind=\"task\",status=\"completed\"} 1",
        "worknode_tokens_total{agent=\"worker\",sort=\"output\"} 30",
        "worknode_cost_usd_total{agent=\"worker\"} 0.25",
        "worknode_run_seconds_count{ending=\"ok\"} 1",
        "worknode_gate_seconds_count{gate=\"plan\",outcome=\"passed\"} 1",
        "worknode_firings_total{outcome=\"acted\"} 1",
    ] {
        assert!(body.lines().any(|other| other == line), "no `{line}` in\n{body}");
    }
    assert!(body.ends_with("# EOF\n"), "{body}");
}
