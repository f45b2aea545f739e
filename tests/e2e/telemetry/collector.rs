//! Traces by way of a collector that others made: rotel, which takes OTLP and hands it on.
//!
//! Not part of the ordinary tests: it is installed with pip, once, into the target folder.
//! `just test-collector` runs it. Apart from that nothing leaves the machine: the collector gets an
//! empty environment, and has nobody on its list but the test.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use worknode_tests::{running::Running, wait::until};

use super::{
    endpoint::{Endpoint, text},
    path,
};

/// There are only releases before the first, so it is named in full.
const ROTEL: &str = "rotel==0.0.1a15";

#[test]
#[ignore = "installs a collector; `just test-collector` runs it"]
fn a_collector_understands_the_trace_and_hands_it_on_whole() {
    let endpoint = Endpoint::start();
    let (collector, address) = collect_for(&endpoint);
    let scene = path::scene(&format!(
        "[telemetry]\notlp = \"http://{address}\"\nservice = \"mine\""
    ));
    path::walk(&scene);
    // It gathers what comes before it hands it on; the firing is sent first, the run or the task last.
    until("the last of the spans", || {
        let spans = endpoint.spans();
        let names: Vec<String> = spans.into_iter().map(|span| span.name).collect();
        let last = ["firing ", "task ", "invoke_agent ", "execute_tool "];
        let all = last
            .iter()
            .all(|last| names.iter().any(|name| name.starts_with(last)));
        if all {
            Ok(())
        } else {
            Err((names, collector.so_far()))
        }
    });
    path::is_one_trace(&scene, &endpoint.spans());
    let resource = endpoint.resource();
    assert_eq!(text(&resource, "service.name").as_deref(), Some("mine"));
    assert_eq!(text(&resource, "worknode.team").as_deref(), Some("t"));
}

/// Starts a collector that hands on to `endpoint`; answers where it listens.
fn collect_for(endpoint: &Endpoint) -> (Running, String) {
    let (grpc, http) = (free(), free());
    let mut command = Command::new(installed());
    command
        .env_clear()
        .args([
            "start",
            "--otlp-grpc-endpoint",
            &grpc,
            "--otlp-http-endpoint",
            &http,
        ])
        .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .args(["--otlp-exporter-endpoint", &endpoint.address]);
    let collector = Running::start(command);
    until("the collector", || {
        TcpStream::connect(&http).map_err(|error| (error, collector.so_far()))
    });
    (collector, http)
}

/// An address that nobody listens at now.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The collector's program, in a folder of its own. What is there is used.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(ROTEL);
    let python = folder.join("bin/python");
    let mark = folder.join("installed");
    if !mark.exists() {
        said(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder),
        );
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        said(Command::new(&python).args(pip).arg(ROTEL));
        std::fs::write(&mark, "").unwrap();
    }
    let place = "import rotel; print(rotel.__path__[0])";
    let place = said(Command::new(&python).args(["-c", place]));
    Path::new(place.trim()).join("rotel-agent")
}

/// What a program printed, which has to succeed.
fn said(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {words}");
    String::from_utf8(done.stdout).unwrap()
}
