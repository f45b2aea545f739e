//! Requests to a daemon as any program would send them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::Value;

use crate::scene::Scene;

/// Longer than any answer takes; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A door of a daemon, and who knocks.
#[derive(Clone, Debug)]
pub enum Door {
    /// The Unix socket, as its owner.
    Socket(std::path::PathBuf),
    /// TCP, with a capability or without.
    Tcp(String, Option<String>),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its head, as it came.
    pub head: String,
    /// Its body, as it came.
    pub body: String,
}

impl Answer {
    /// The header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// Its body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Asserts its status, and hands it on.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Asserts that it is a problem of this status and code that says so, and hands it on.
    #[track_caller]
    pub fn refuses(self, status: u16, code: &str, says: &str) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:#?}"
        );
        let problem = self.json();
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&code.into(), &status.into())
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(says),
            "{says}: {problem:#}"
        );
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        self
    }
}

/// Says it, and hears until the other end has said all.
fn exchange(mut stream: impl Read + Write, request: &str, body: &str) -> Vec<u8> {
    // Who refuses a body need not read it.
    let _ = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()));
    let mut raw = Vec::new();
    let _ = stream.read_to_end(&mut raw);
    raw
}

impl Scene {
    /// The daemon's socket here.
    pub fn door(&self) -> Door {
        Door::Socket(self.file(".worknode/worknode.sock"))
    }
}

impl Door {
    /// Asks, and waits for the whole answer.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
        if let Self::Tcp(_, Some(token)) = self {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        let is_said = |name: &str| headers.iter().any(|(said, _)| said.eq_ignore_ascii_case(name));
        if !body.is_empty() && !is_said("content-type") {
            request += "Content-Type: application/json\r\n";
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        let raw = match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                exchange(stream, &request, body)
            }
            Self::Tcp(address, _) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                exchange(stream, &request, body)
            }
        };
        let text = String::from_utf8(raw).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("no answer to {method} {path}: {text:?}")),
            head: head.to_owned(),
            body: plain(head, body),
        }
    }

    /// `GET path`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// `POST path` with a body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &[], &body.to_string())
    }
}

/// The body without the lengths of its chunks.
fn plain(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut plain, mut rest) = (String::new(), body);
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        plain.push_str(&behind[..size]);
        rest = behind[size..].trim_start_matches("\r\n");
    }
    plain
}
