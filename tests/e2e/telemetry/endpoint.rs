//! A place for traces that a test owns.

use std::{
    io::{BufRead, BufReader, Read, Seek, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;

/// Takes OTLP over HTTP on loopback, and keeps it.
pub(super) struct Endpoint {
    pub(super) address: String,
    heard: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Endpoint {
    pub(super) fn start() -> Self {
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

    /// All spans that have come.
    pub(super) fn spans(&self) -> Vec<Span> {
        let heard = self.heard.lock().unwrap();
        let scopes = heard
            .iter()
            .flat_map(|request| &request.resource_spans)
            .flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// What is said of the program that sends.
    pub(super) fn resource(&self) -> Vec<KeyValue> {
        let heard = self.heard.lock().unwrap();
        let resource = heard[0].resource_spans[0].resource.clone();
        resource.unwrap().attributes
    }
}

/// Answers requests on one connection until the other end has no more.
fn serve(stream: &TcpStream, kept: &Mutex<Vec<ExportTraceServiceRequest>>) {
    let mut from = BufReader::new(stream);
    while let Some(head) = head(&mut from) {
        assert_eq!(head[0], "post /v1/traces http/1.1");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        from.read_exact(&mut body).unwrap();
        if head.iter().any(|line| line == "content-encoding: gzip") {
            body = unpacked(&body);
        }
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        kept.lock().unwrap().push(request);
        (&mut &*stream)
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
    }
}

/// Our own program never packs what it sends; others do.
fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut packed = tempfile::tempfile().unwrap();
    packed.write_all(body).unwrap();
    packed.rewind().unwrap();
    let done = Command::new("gzip").arg("-dc").stdin(packed).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    done.stdout
}

/// The lines of a request before its body; nothing when there is no further request.
fn head(from: &mut impl BufRead) -> Option<Vec<String>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line.trim().is_empty() {
            return Some(head);
        }
        head.push(line.trim().to_lowercase());
    }
}

/// The value of an attribute, as words.
pub(super) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
