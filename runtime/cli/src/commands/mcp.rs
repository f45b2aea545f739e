//! `worknode mcp`: the team's tools for an agent that speaks the Model Context Protocol.

use std::{env, future::Future, time::Duration};

use serde_json::Value;
use worknode_core::error::{Code, Error};
use worknode_daemon::mcp::{Door, Method, Server, Speaker};

use super::task::head_here;
use crate::{client::Client, place::Place};

/// How long one call may take. Longer than any the daemon itself takes to answer.
const ANSWER: Duration = Duration::from_secs(60);

pub(crate) async fn mcp(place: &Place) -> Result<(), Error> {
    let said = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let agent = said("WORKNODE_AGENT");
    let speaker = Speaker {
        // A person leads; an agent does when its tier says so.
        leads: agent.is_none() || said("WORKNODE_TIER").as_deref() == Some("executive"),
        agent,
        task: said("WORKNODE_TASK"),
        epoch: said("WORKNODE_EPOCH").and_then(|epoch| epoch.parse().ok()),
        brief: env::var_os("WORKNODE_BRIEF").map(Into::into),
    };
    Server::new(Socket(place.client()?), speaker).over_stdio().await
}

/// The daemon behind its socket.
struct Socket(Client);

impl Door for Socket {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let nothing = Value::Null;
        let body = body.unwrap_or(&nothing);
        let client = &self.0;
        let asked = async {
            match method {
                Method::Get => client.get(path).await,
                Method::Post => client.post(path, body).await,
                Method::Put => client.put(path, body, None).await,
                Method::Delete => client.delete(path).await,
            }
        };
        within(asked).await
    }

    fn head(&self) -> Option<String> {
        head_here().ok().map(|commit| commit.to_string())
    }
}

async fn within(asked: impl Future<Output = Result<Value, Error>>) -> Result<Value, Error> {
    let late = |_| Error::new(Code::TimedOut, "the daemon did not answer in time");
    tokio::time::timeout(ANSWER, asked).await.map_err(late)?
}
