//! Webhooks to servers that prove who they are, on this machine, with a certificate of the test.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use worknode_tests::scene::Scene;

/// Answers whoever believes it; tells what it was asked. Its certificate is for `localhost`.
fn server() -> (u16, String, mpsc::Receiver<String>) {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(&certificate)
    );
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, questions) = mpsc::channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            // Who does not believe it says nothing.
            if let Some(request) = read(&mut stream) {
                let _ = asked.send(request);
                let _ = stream.write_all(b"HTTP/1.1 204 Done\r\nconnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    (port, pem, questions)
}

fn read(stream: &mut impl Read) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        text.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8(body).ok()?)
}

#[test]
fn a_server_is_told_when_it_proves_who_it_is_and_no_other() {
    let (port, pem, asked) = server();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = silent.local_addr().unwrap().port();
    let scene = Scene::new();
    scene.write("ca.pem", &pem);
    scene.write("empty.pem", "nothing\n");
    scene.write(
        "worknode.toml",
        &format!(
            r#"
[team]
name = "safe"
[[trigger]]
name = "good"
event = "go"
notify = {{ webhook = {{ url = "https://localhost:{port}/hook?secret=1", ca = "ca.pem" }}, message = "it goes" }}
[[trigger]]
name = "stranger"
event = "go"
notify = {{ webhook = {{ url = "https://localhost:{port}/stranger" }} }}
[[trigger]]
name = "another"
event = "go"
notify = {{ webhook = {{ url = "https://127.0.0.1:{port}/another", ca = "ca.pem" }} }}
[[trigger]]
name = "empty"
event = "go"
notify = {{ webhook = {{ url = "https://localhost:{port}/empty", ca = "empty.pem" }} }}
[[trigger]]
name = "silent"
event = "go"
notify = {{ webhook = {{ url = "https://localhost:{nobody}/silent", ca = "ca.pem", timeout = "500ms" }} }}
"#
        ),
    );
    scene.commit("team");
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "go"]).ok();
    let came = |trigger: &'static str| {
        let event = scene.wait_for_event(trigger, |event| {
            event["type"] == "trigger_acted" && event["data"]["trigger"] == trigger
        });
        let outcome = event["data"]["outcome"].as_str().unwrap().to_owned();
        (outcome, event["data"]["failed"] == Value::Bool(true))
    };
    let (outcome, failed) = came("good");
    assert!(outcome.ends_with("/hook answered 204") && !failed, "{outcome}");
    assert!(came("stranger").1, "no authority of the system knows it");
    let (outcome, failed) = came("another");
    assert!(
        failed && outcome.contains("certificate"),
        "its name is another: {outcome}"
    );
    let (outcome, failed) = came("empty");
    assert!(failed && outcome.contains("no certificate in it"), "{outcome}");
    let (outcome, failed) = came("silent");
    assert!(failed && outcome.contains("no answer within 500ms"), "{outcome}");
    let request = asked.recv().unwrap();
    assert!(request.starts_with("POST /hook?secret=1 HTTP/1.1"), "{request}");
    assert!(request.contains("it goes"), "{request}");
    assert!(asked.try_recv().is_err(), "nobody else said anything to it");
    scene.worknode(&["down"]).ok();
}

#[test]
fn authorities_that_are_not_there_are_a_mistake() {
    let scene = Scene::with_team(
        r#"
[team]
name = "safe"
[[trigger]]
name = "good"
every = "1h"
notify = { webhook = { url = "https://localhost/hook", ca = "ca.pem" } }
"#,
    );
    scene.worknode(&["check"]).fails(2).says(&[
        "trigger[0].notify.webhook.ca",
        "there is no file `ca.pem`",
        "hint:",
    ]);
}
