//! The same server over HTTP: `POST /mcp`.
//!
//! There are no sessions. Every request comes with its own capability, is answered with what that
//! may do at this moment, and leaves nothing behind: so there is nothing to bound and nothing that
//! outlives a run. The tools ask the API inside this process, as whoever sent the request.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
    routing::any,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use serde_json::Value;
use tower::ServiceExt;
use worknode_core::{
    agent::Tier,
    error::{Code, Error},
    event::Principal,
};

use super::{Door, Method, Server, Speaker};
use crate::http::{self, Api, ApiError, BODY, Caller, Peer, in_full};

/// How long one call of a tool may take. Longer than any the API itself takes to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Bytes of an answer that is handed on; a tree of the largest page is far below.
const LARGEST: usize = 64 * 1024 * 1024;
/// Pages of other sites must not speak for whoever looks at them: a browser says where a page is from,
/// and only one from this machine may ask.
const ORIGINS: [&str; 3] = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];

/// The door for MCP, before the API that its tools ask.
pub(crate) fn routes(api: &Arc<Api>, inner: Router) -> Router {
    Router::new()
        .route("/mcp", any(answer))
        .with_state((Arc::clone(api), inner))
}

async fn answer(
    State((api, inner)): State<(Arc<Api>, Router)>,
    peer: Option<Extension<Peer>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::known(&mut parts, &api).await?;
    api.limits
        .count(&caller.0.principal, api.runtime.system().now())?;
    // A call takes a place when it asks the API, and not two.
    let body = in_full(&api, &caller, body).await?;
    let peer = peer.map(|Extension(peer)| peer);
    let door = Arc::new(Inside {
        inner,
        headers: own_headers(&parts.headers),
        peer,
    });
    let speaker = speaker(&api, &caller);
    let serve = move || {
        Ok(Server {
            door: Arc::clone(&door),
            speaker: speaker.clone(),
        })
    };
    let service = StreamableHttpService::new(serve, Arc::new(NeverSessionManager::default()), config(peer));
    let answered = service.handle(Request::from_parts(parts, Body::from(body))).await;
    Ok(answered.map(Body::new))
}

/// A name that leads to this machine in a browser may be anybody's; no browser speaks to a Unix socket.
fn config(peer: Option<Peer>) -> StreamableHttpServerConfig {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(BODY)
        .with_allowed_origins(ORIGINS)
        .enforce_origin_validation();
    match peer {
        Some(peer) if peer.door == http::Door::Socket => config.disable_allowed_hosts(),
        _ => config,
    }
}

/// For whom it speaks: what the capability says, and where its run keeps its brief.
fn speaker(api: &Api, caller: &Caller) -> Speaker {
    let authority = &caller.0;
    let (agent, brief, leads) = match &authority.principal {
        Principal::Agent { node, run, tier, .. } => {
            let runs = &api.runtime.system().context().paths;
            let brief = runs.run(*run).join("brief.md");
            (Some(node.to_string()), Some(brief), *tier == Tier::Executive)
        }
        Principal::Outside { .. } => (None, None, false),
        Principal::Operator | Principal::Runtime | Principal::Trigger { .. } => (None, None, true),
    };
    Speaker {
        agent,
        task: authority.task.as_ref().map(|hold| hold.node.to_string()),
        epoch: authority.task.as_ref().map(|hold| hold.epoch),
        brief: brief.filter(|path| path.is_file()),
        leads,
    }
}

/// What says who asks, and nothing else.
fn own_headers(headers: &HeaderMap) -> HeaderMap {
    let mut own = HeaderMap::new();
    if let Some(bearer) = headers.get(header::AUTHORIZATION) {
        own.insert(header::AUTHORIZATION, bearer.clone());
    }
    own
}

/// The API inside this process, asked as whoever sent the request.
#[derive(Debug)]
struct Inside {
    inner: Router,
    headers: HeaderMap,
    peer: Option<Peer>,
}

impl Door for Inside {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let asked = self.asked(method, path, body);
        let late = |_| Error::new(Code::TimedOut, "the daemon did not answer in time");
        tokio::time::timeout(ANSWER, asked).await.map_err(late)?
    }

    /// Where the caller's workspace is, is not known here: it says the commit.
    fn head(&self) -> Option<String> {
        None
    }
}

impl Inside {
    async fn asked(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let request = self.request(method, path, body)?;
        let answer = match self.inner.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let is_done = answer.status().is_success();
        let failed = |error: String| Error::new(Code::Failed, format!("the answer cannot be read: {error}"));
        let bytes = to_bytes(answer.into_body(), LARGEST).await;
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
        if is_done { Ok(value) } else { Err(refusal(&value)) }
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request, Error> {
        let method = match method {
            Method::Get => axum::http::Method::GET,
            Method::Post => axum::http::Method::POST,
            Method::Put => axum::http::Method::PUT,
            Method::Delete => axum::http::Method::DELETE,
        };
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .body(body);
        let mut request =
            request.map_err(|error| Error::new(Code::Usage, format!("this cannot be asked: {error}")))?;
        request.headers_mut().clone_from(&self.headers);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        Ok(request)
    }
}

/// A problem as the error that it was made of.
fn refusal(problem: &Value) -> Error {
    let code = serde_json::from_value(problem["code"].clone()).unwrap_or(Code::Failed);
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    Error {
        code,
        message: text("detail").unwrap_or_else(|| problem.to_string()),
        hint: text("hint"),
        retry_after_ms: problem["retry_after_ms"].as_u64(),
    }
}
