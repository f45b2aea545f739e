//! Asking the daemon: HTTP over its Unix socket.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::net::UnixStream;
use worknode_core::{
    error::{Code, Error},
    hlc::Hlc,
};
use worknode_daemon::door::short_path;

/// Bytes of one answer at the most.
const ANSWER: usize = 64 * 1024 * 1024;

/// How long to knock at a daemon's door while others stand before it.
const DOOR_WAIT: Duration = Duration::from_secs(5);
/// When to knock again.
const KNOCK_AGAIN: Duration = Duration::from_millis(10);

/// The way to a daemon.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    socket: PathBuf,
    token: Option<String>,
}

impl Client {
    /// To the daemon behind `socket`, with a capability or as its owner.
    pub(crate) const fn new(socket: PathBuf, token: Option<String>) -> Self {
        Self { socket, token }
    }

    /// Asks for something.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.ask(Method::GET, path, None, None).await
    }

    /// Asks for something to be done.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        self.post_if(path, body, None).await
    }

    /// The same, only if the Worknode has not changed since.
    pub(crate) async fn post_if<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        if_match: Option<Hlc>,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(failed)?;
        self.ask(Method::POST, path, Some(body), if_match).await
    }

    /// Asks for something to be different.
    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        if_match: Option<Hlc>,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(failed)?;
        self.ask(Method::PUT, path, Some(body), if_match).await
    }

    /// Asks for something to be gone.
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.ask(Method::DELETE, path, None, None).await
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(&self, path: &str) -> Result<Incoming, Error> {
        let response = self
            .send(Method::GET, path, None, None, "text/event-stream")
            .await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(refusal(response).await)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        if_match: Option<Hlc>,
    ) -> Result<T, Error> {
        let response = self
            .send(method, path, body, if_match, "application/json")
            .await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let bytes = whole(response.into_body()).await?;
        let bytes = if bytes.is_empty() {
            Bytes::from_static(b"null")
        } else {
            bytes
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| failed(format!("the daemon's answer is not understood: {error}")))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        if_match: Option<Hlc>,
        accept: &str,
    ) -> Result<Response<Incoming>, Error> {
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(&self.socket, &error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the daemon ended");
            }
        });
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, "worknode")
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(stamp) = if_match {
            request = request.header(header::IF_MATCH, format!("\"{stamp}\""));
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(failed)?;
        sender
            .send_request(request)
            .await
            .map_err(|error| unreachable(&self.socket, &error))
    }

    async fn connect(&self) -> Result<UnixStream, Error> {
        let (short, _handle) = short_path(&self.socket).map_err(|error| unreachable(&self.socket, &error))?;
        let begun = std::time::Instant::now();
        loop {
            match UnixStream::connect(&short).await {
                // More knock at once than the kernel lets wait at the door.
                Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < DOOR_WAIT => {
                    tokio::time::sleep(KNOCK_AGAIN).await;
                }
                outcome => return outcome.map_err(|error| unreachable(&self.socket, &error)),
            }
        }
    }
}

/// Percent-encoding of all that a name in a path or a query value may not hold.
pub(crate) fn escaped(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b',');
    text.bytes()
        .map(|b| {
            if keep(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Failed, error.to_string())
}

fn unreachable(socket: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::Unreachable,
        format!("no daemon answers at `{}`: {error}", socket.display()),
    )
    .hint("`worknode up -d` starts one")
}

async fn whole(body: Incoming) -> Result<Bytes, Error> {
    let limited = Limited::new(body, ANSWER).collect().await;
    Ok(limited
        .map_err(|error| failed(format!("the daemon's answer broke off: {error}")))?
        .to_bytes())
}

/// The daemon's own words, as an error of ours.
async fn refusal(response: Response<Incoming>) -> Error {
    let status = response.status();
    let body = match whole(response.into_body()).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let Ok(problem) = serde_json::from_slice::<Value>(&body) else {
        let code = if status.is_client_error() {
            Code::Usage
        } else {
            Code::Failed
        };
        return Error::new(code, String::from_utf8_lossy(&body).trim().to_owned());
    };
    let code = problem
        .get("code")
        .cloned()
        .and_then(|code| serde_json::from_value(code).ok());
    let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
    Error {
        code: code.unwrap_or(Code::Failed),
        message: text("detail").unwrap_or_else(|| status.to_string()),
        hint: text("hint"),
        retry_after_ms: problem.get("retry_after_ms").and_then(Value::as_u64),
    }
}
