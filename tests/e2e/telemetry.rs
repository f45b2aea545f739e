//! Traces and numbers, as a collector and Prometheus get them from the program.

mod collector;
mod endpoint;
mod path;

use std::net::TcpListener;

use worknode_tests::wait::wait_for;

use self::{
    endpoint::{Endpoint, hex, text},
    path::{is_one_trace, scene, walk},
};

#[test]
fn a_task_is_one_trace_from_the_firing_that_asked_for_it_to_its_landing() {
    let endpoint = Endpoint::start();
    let scene = scene(&format!("[telemetry]\notlp = \"{}\"", endpoint.address));
    walk(&scene);
    is_one_trace(&scene, &endpoint.spans());
}

#[test]
fn requests_are_spans_below_whoever_asks() {
    let endpoint = Endpoint::start();
    let scene = scene(&format!(
        "[telemetry]\notlp = \"{}\"\nservice = \"mine\"",
        endpoint.address
    ));
    scene.worknode(&["up", "-d"]).ok();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    scene
        .door()
        .ask("GET", "/api/v1/nodes/root", &[("traceparent", &parent)], "")
        .is(200);
    scene.worknode(&["down"]).ok();
    let spans = endpoint.spans();
    let request = spans.iter().find(|span| hex(&span.trace_id) == trace);
    let request = request.unwrap_or_else(|| panic!("no request in {spans:?}"));
    assert_eq!(request.name, "GET /api/v1/nodes/{id}");
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(
        text(&request.attributes, "http.response.status_code").as_deref(),
        Some("200")
    );
    let resource = endpoint.resource();
    assert_eq!(text(&resource, "service.name").as_deref(), Some("mine"));
    assert_eq!(text(&resource, "worknode.team").as_deref(), Some("t"));
}

#[test]
fn a_collector_that_is_not_there_holds_nobody_up() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scene = scene(&format!("[telemetry]\notlp = \"http://{free}\""));
    walk(&scene);
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
    scene.worknode(&["emit", "go"]).ok();
    wait_for("the task has landed, and the run is over", || {
        let numbers = scene.door().get("/metrics").body;
        ["{kind=\"task\",status=\"completed\"} 1", "{ending=\"ok\"} 1"]
            .iter()
            .all(|number| numbers.contains(number))
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
