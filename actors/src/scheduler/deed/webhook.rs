//! A server is told something. One attempt: whether there is another one is the trigger's retry.
//!
//! `https` asks the server to prove who it is (`tls.rs`); in the clear only this machine is told.
//!
//! Bounded in time from the first look for the address to the answer. No redirect is followed: who
//! is told is what the configuration says. Of the answer only its status counts; its body is not
//! read.
//!
//! A server that has answered may still be asked once more, when the daemon dies before the answer
//! is stored. `Idempotency-Key` is the same then.

use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, body::Bytes, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use worknode_core::{
    error::{Code, Error},
    time::Timestamp,
};
use worknode_triggers::spec::WebhookSpec;

use super::signature::hmac_sha256;
use crate::{
    outside::{bounded_file, failed},
    scheduler::job::{Came, Job},
    system::System,
    tls,
};

/// How long an attempt may take when nothing is said.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that can be said.
const MOST: Duration = Duration::from_secs(120);
/// Bytes of a key.
const KEY: u64 = 4 * 1024;
/// Who signed the body: `t=<milliseconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hexadecimal>`.
const SIGNATURE: &str = "worknode-signature";

/// Sends `body`.
pub(super) async fn send(
    system: &System,
    job: &Job,
    spec: &WebhookSpec,
    body: &Value,
) -> Result<Came, Error> {
    let body = serde_json::to_vec(body).map_err(failed)?;
    let signature = match &spec.key {
        Some(key) => Some(sign(system, key, &body).await?),
        None => None,
    };
    let limit = spec.timeout.map_or(TIMEOUT, |span| span.0).min(MOST);
    let key = job.occurrence.to_string();
    let message = Message {
        key: &key,
        signature,
        body,
    };
    let asked = tokio::time::timeout(limit, post(system, spec, message)).await;
    Ok(match asked {
        Err(_) => Came::Failed(format!("{}: no answer within {limit:?}", place(&spec.url))),
        Ok(Err(error)) => Came::Failed(format!("{}: {}", place(&spec.url), error.message)),
        Ok(Ok(status)) if status.is_success() => {
            Came::Done(format!("{} answered {}", place(&spec.url), status.as_u16()))
        }
        Ok(Ok(status)) if status.is_redirection() => Came::Failed(format!(
            "{} answered {}: redirects are not followed",
            place(&spec.url),
            status.as_u16()
        )),
        Ok(Ok(status)) => Came::Failed(format!("{} answered {}", place(&spec.url), status.as_u16())),
    })
}

/// The address without what stands after `?`: that may be a secret.
fn place(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

async fn sign(system: &System, name: &str, body: &[u8]) -> Result<String, Error> {
    let path = system.context().paths.state.join("keys").join(name);
    let cannot = |why: String| {
        Error::new(
            Code::InvalidConfig,
            format!("the key `{name}` cannot be used: {why}"),
        )
        .hint(format!(
            "put it into `{}`, readable for you alone",
            path.display()
        ))
    };
    let file = path.clone();
    let read = tokio::task::spawn_blocking(move || bounded_file(&file, KEY));
    let key = read.await.map_err(failed)?.map_err(cannot)?;
    // Editors end a file with a line break, which nobody means.
    let key = key.trim_ascii_end();
    if key.is_empty() {
        return Err(cannot("it is empty".to_owned()));
    }
    Ok(signature(key, system.now(), body))
}

fn signature(key: &[u8], now: Timestamp, body: &[u8]) -> String {
    let time = now.as_millis().to_string();
    let mac = hmac_sha256(key, &[time.as_bytes(), b".", body]);
    format!("t={time},v1={mac}")
}

/// What is sent.
struct Message<'a> {
    /// The same for each attempt.
    key: &'a str,
    signature: Option<String>,
    body: Vec<u8>,
}

/// Connects to the address that the configuration names, and to no other.
async fn post(system: &System, spec: &WebhookSpec, message: Message<'_>) -> Result<StatusCode, Error> {
    let uri: Uri = spec.url.parse().map_err(failed)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let safe = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if safe { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    if !safe {
        return ask(stream, &uri, message).await;
    }
    let dir = system.context().paths.state.parent();
    let ca = spec.ca.as_ref().zip(dir).map(|(file, dir)| dir.join(file));
    let stream = tls::connect(stream, host, ca).await?;
    ask(stream, &uri, message).await
}

async fn ask<S>(stream: S, uri: &Uri, message: Message<'_>) -> Result<StatusCode, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Message { key, signature, body } = message;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let authority = uri.authority().map_or_else(String::new, ToString::to_string);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method("POST")
        .uri(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("worknode/", env!("CARGO_PKG_VERSION")),
        )
        .header("idempotency-key", key);
    if let Some(signature) = signature {
        request = request.header(SIGNATURE, signature);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(failed)?;
    let asking = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        Ok(response.status())
    };
    // The connection lives as long as the question, and ends with it. One that is closed with the
    // answer has brought it.
    let (mut asking, mut connection) = (std::pin::pin!(asking), std::pin::pin!(connection));
    tokio::select! {
        answer = &mut asking => answer,
        ended = &mut connection => {
            ended.map_err(failed)?;
            asking.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_an_address_is_not_told() {
        assert_eq!(
            place("http://localhost:9/hook?token=1"),
            "http://localhost:9/hook"
        );
    }

    #[test]
    fn the_signature_covers_time_and_body() {
        let at = Timestamp::from_millis(17);
        let one = signature(b"k", at, b"{}");
        assert!(one.starts_with("t=17,v1="), "{one}");
        assert_ne!(one, signature(b"k", Timestamp::from_millis(18), b"{}"));
        assert_ne!(one, signature(b"k", at, b"{ }"));
        assert_ne!(one, signature(b"other", at, b"{}"));
    }
}
