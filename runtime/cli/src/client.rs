//! Asking the daemon: HTTP over its Unix socket, or with TLS from another machine.

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
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
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

/// How long a server may take to let somebody in.
const LET_IN: Duration = Duration::from_secs(10);

/// A connection, whatever it is made of.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A daemon on another machine.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    host: String,
    port: u16,
    ca: Option<PathBuf>,
}

impl Server {
    /// The one at `url`, which is to prove itself by an authority in the file `ca`, or by one that the
    /// system trusts.
    pub(crate) fn at(url: &str, ca: Option<&Path>) -> Result<Self, Error> {
        let odd = |why: &str| {
            Error::new(Code::Usage, format!("`{url}` is no address of a daemon: {why}"))
                .hint("write it as in https://worknode.example:7077")
        };
        let uri: hyper::Uri = url.parse().map_err(|_| odd("it cannot be read"))?;
        if uri.scheme_str() != Some("https") {
            return Err(odd("it must begin with https://"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(odd("it has something behind the port"));
        }
        let host = uri.host().filter(|host| !host.is_empty());
        Ok(Self {
            host: host.ok_or_else(|| odd("it names no machine"))?.to_owned(),
            port: uri.port_u16().unwrap_or(443),
            ca: ca.map(Path::to_owned),
        })
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Error> {
        let host = self.host.trim_matches(['[', ']']);
        let cannot = |error: &dyn std::fmt::Display| {
            let what = format!("no daemon answers at `https://{self}`: {error}");
            Error::new(Code::Unreachable, what).hint("is it there, and is its authority the one in `--ca`?")
        };
        let connected = tokio::time::timeout(LET_IN, async {
            let stream = TcpStream::connect((host, self.port))
                .await
                .map_err(|error| cannot(&error))?;
            worknode_actors::tls::connect(stream, host, self.ca.clone())
                .await
                .map_err(|error| match error.code {
                    Code::InvalidConfig => error,
                    _ => cannot(&error),
                })
        });
        let stream = connected.await.map_err(|_| cannot(&"it takes too long"))??;
        Ok(Box::new(stream))
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Where a daemon is.
#[derive(Clone, Debug)]
enum Way {
    Socket(PathBuf),
    Server(Server),
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Server(server) => write!(f, "https://{server}"),
        }
    }
}

/// The way to a daemon.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    way: Way,
    token: Option<String>,
}

impl Client {
    /// To the daemon behind `socket`, with a capability or as its owner.
    pub(crate) const fn new(socket: PathBuf, token: Option<String>) -> Self {
        Self {
            way: Way::Socket(socket),
            token,
        }
    }

    /// To a daemon elsewhere, which takes nobody without a capability.
    pub(crate) const fn of_server(server: Server, token: String) -> Self {
        Self {
            way: Way::Server(server),
            token: Some(token),
        }
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
            .map_err(|error| unreachable(&self.way, &error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the daemon ended");
            }
        });
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, self.host())
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
            .map_err(|error| unreachable(&self.way, &error))
    }

    fn host(&self) -> String {
        match &self.way {
            Way::Socket(_) => "worknode".to_owned(),
            Way::Server(server) => server.to_string(),
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Error> {
        let socket = match &self.way {
            Way::Socket(socket) => socket,
            Way::Server(server) => return server.connect().await,
        };
        let (short, _handle) = short_path(socket).map_err(|error| unreachable(&self.way, &error))?;
        let begun = std::time::Instant::now();
        loop {
            match UnixStream::connect(&short).await {
                // More knock at once than the kernel lets wait at the door.
                Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < DOOR_WAIT => {
                    tokio::time::sleep(KNOCK_AGAIN).await;
                }
                Ok(stream) => return Ok(Box::new(stream)),
                Err(error) => return Err(unreachable(&self.way, &error)),
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

fn unreachable(way: &Way, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::Unreachable,
        format!("no daemon answers at `{way}`: {error}"),
    )
    .hint(match way {
        Way::Socket(_) => "`worknode up -d` starts one",
        Way::Server(_) => "is it there, and may it be reached from here?",
    })
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
