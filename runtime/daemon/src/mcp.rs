//! The Model Context Protocol: what an agent can do here, as tools of its own.
//!
//! Every tool is a request to the daemon's API with the caller's own capability: what it may not do
//! there, it may not do here. So there is one door, and one set of rules.

use std::{borrow::Cow, future::Future, path::PathBuf, sync::Arc};

use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
        ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ServerCapabilities,
        ServerConfig,
    },
    service::RequestContext,
    transport::async_rw::AsyncRwTransport,
};
use serde_json::{Map, Value};
use worknode_core::{
    bounds,
    error::{Code, Error},
};

mod calls;
pub(crate) mod http;
mod tools;

pub use self::tools::Method;
use crate::view::ContinueView;

/// What the server says of itself to whoever connects.
const INSTRUCTIONS: &str = "Your team's runtime. Call `brief` first: it says what you work on, what was decided and what is \
next. Report with `progress`, hand in with `submit`. Before you mend an error, `search` in issues; what you learn, record \
with `record_issue`, `record_decision` and `remember`.";

/// Bytes of one line that a client may send: more than the largest thing that any tool takes. A longer
/// one is dropped and answered with an error; the conversation goes on.
const LINE: usize = 2 * bounds::PROMPT + 64 * 1024;

/// The way to a daemon's API, in the caller's name.
pub trait Door: Send + Sync + 'static {
    /// Asks, and answers what comes back as JSON.
    fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> impl Future<Output = Result<Value, Error>> + Send;

    /// The last commit of the present directory, when it is known here.
    fn head(&self) -> Option<String>;
}

/// For whom the server speaks, as far as it was told.
#[derive(Clone, Debug, Default)]
pub struct Speaker {
    /// The agent; nothing for a person.
    pub agent: Option<String>,
    /// The task that its run is about.
    pub task: Option<String>,
    /// Its claim of it.
    pub epoch: Option<u64>,
    /// The file with its brief.
    pub brief: Option<PathBuf>,
    /// May it lead others? Tools that only leaders have are left out for all else.
    pub leads: bool,
}

/// A server for one caller.
#[derive(Debug)]
pub struct Server<D> {
    door: Arc<D>,
    speaker: Speaker,
}

impl<D: Door> Server<D> {
    /// A server that asks at `door` in the name of `speaker`.
    #[must_use]
    pub fn new(door: D, speaker: Speaker) -> Self {
        Self {
            door: Arc::new(door),
            speaker,
        }
    }

    /// Speaks over standard input and output until the client goes away.
    ///
    /// # Errors
    /// When the client does not speak the protocol.
    pub async fn over_stdio(self) -> Result<(), Error> {
        let failed = |what: String| Error::new(Code::Failed, what);
        let (from, to) = rmcp::transport::stdio();
        let lines = AsyncRwTransport::new(from, to).with_max_line_length(LINE);
        let running = match self.serve(lines).await {
            Ok(running) => running,
            // A client that went away before it said anything wanted nothing.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(failed(format!("the client does not speak MCP: {error}"))),
        };
        let ended = running.waiting().await;
        ended
            .map(drop)
            .map_err(|error| failed(format!("the conversation broke off: {error}")))
    }

    async fn call(&self, name: &str, arguments: &Map<String, Value>) -> Result<CallToolResult, ErrorData> {
        let known = tools::all(self.speaker.leads).find(|tool| tool.name == name);
        let Some(tool) = known else {
            let message = format!("there is no tool `{name}`");
            return Err(ErrorData::invalid_params(message, None));
        };
        let asked = calls::request(tool.name, &self.speaker, arguments, || self.door.head());
        let answer = match asked {
            Ok(request) => {
                self.door
                    .ask(request.method, &request.path, request.body.as_ref())
                    .await
            }
            Err(error) => Err(error),
        };
        Ok(match answer {
            Ok(value) if tool.name == "brief" => as_text(value),
            // A list is no object, which some clients expect of what is structured.
            Ok(Value::Array(found)) => CallToolResult::structured(serde_json::json!({ "found": found })),
            Ok(Value::Null) => CallToolResult::structured(serde_json::json!({ "done": true })),
            Ok(value) => CallToolResult::structured(value),
            Err(error) => refused(&error),
        })
    }

    async fn resource(&self, uri: &str) -> Result<ResourceContents, Error> {
        let answer = |text: String, form: &str| ResourceContents::text(text, uri).with_mime_type(form);
        match uri {
            BRIEF => match &self.speaker.brief {
                Some(path) => {
                    let text = std::fs::read_to_string(path).map_err(|error| {
                        Error::new(Code::NotFound, format!("the brief cannot be read: {error}"))
                    })?;
                    Ok(answer(text, "text/markdown"))
                }
                None => {
                    let path = calls::own(&self.speaker);
                    let stands = self.door.ask(Method::Get, &path, None).await?;
                    Ok(answer(markdown(&stands), "text/markdown"))
                }
            },
            PLAN => {
                let plan = self.door.ask(Method::Get, "/plan", None).await?;
                Ok(answer(plan.to_string(), "application/json"))
            }
            TREE => {
                let nodes = self.door.ask(Method::Get, "/nodes?limit=1000", None).await?;
                Ok(answer(nodes.to_string(), "application/json"))
            }
            _ => Err(Error::new(
                Code::NotFound,
                format!("there is no resource `{uri}`"),
            )),
        }
    }
}

const BRIEF: &str = "worknode://brief";
const PLAN: &str = "worknode://plan";
const TREE: &str = "worknode://tree";

impl<D: Door> ServerHandler for Server<D> {
    fn get_info(&self) -> ServerConfig {
        let can = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .build();
        let mut info = ServerConfig::new(can);
        info.server_info = Implementation::new("worknode", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(INSTRUCTIONS.to_owned());
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = tools::all(self.speaker.leads).map(tools::Tool::described);
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        Ok(self.call(&request.name, &arguments).await?.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let one = |uri: &str, name: &str, what: &str, form: &str| {
            Resource::new(uri, name)
                .with_description(what)
                .with_mime_type(form)
        };
        Ok(ListResourcesResult::with_all_items(vec![
            one(
                BRIEF,
                "brief",
                "What you were told at the start of this run.",
                "text/markdown",
            ),
            one(
                PLAN,
                "plan",
                "The plan: its phases and tasks, and where each stands.",
                "application/json",
            ),
            one(
                TREE,
                "tree",
                "The Worknodes that you may see.",
                "application/json",
            ),
        ]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match self.resource(&request.uri).await {
            Ok(contents) => Ok(ReadResourceResult::new(vec![contents]).into()),
            Err(error) => Err(ErrorData::resource_not_found(error.message, None)),
        }
    }
}

fn as_text(value: Value) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(markdown(&value))]);
    result.structured_content = Some(value);
    result
}

fn markdown(value: &Value) -> String {
    match serde_json::from_value::<ContinueView>(value.clone()) {
        Ok(view) => view.markdown(),
        Err(_) => value.to_string(),
    }
}

/// A refusal is an answer that the model reads: what went wrong, and what to do.
fn refused(error: &Error) -> CallToolResult {
    let hint: Cow<'_, str> = match &error.hint {
        Some(hint) => format!("\nhint: {hint}").into(),
        None => "".into(),
    };
    let mut result = CallToolResult::error(vec![ContentBlock::text(format!("{}{hint}", error.message))]);
    result.structured_content = serde_json::to_value(error).ok();
    result
}

#[cfg(test)]
mod tests;
