//! A model provider on loopback: it speaks the protocols of four, and says what a test wants.
//!
//! Its answers follow from the conversation alone: the request with `n` results of tools gets the
//! step `n` of the script, and when there is none left, a last word. So it does not matter which of
//! several runs asks, or how often one is begun anew.

mod anthropic;
mod chat;
mod gemini;
mod http;
mod responses;

use std::{
    collections::VecDeque,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// What the model says when it is done.
pub(crate) const LAST_WORDS: &str = "Done: the file is committed.";

/// A request that does not go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429, to be tried again after so many seconds.
    RateLimit(u32),
    /// 529.
    Overloaded,
    /// No answer until the client hangs up.
    Hang,
    /// A page in place of an answer.
    Garbage,
}

/// What the model is asked, in whatever protocol.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The tools that it is offered, and what they take.
    pub(crate) tools: Vec<(String, Value)>,
    /// Results of tools that the conversation has.
    pub(crate) results: usize,
    /// The answer is to be JSON: a question of the client itself.
    pub(crate) json: bool,
}

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Text(String),
    Call { tool: String, input: Value },
}

/// The provider. It ends with the test's process.
#[derive(Clone, Debug)]
pub(crate) struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Commands for the client's shell tool, one after the other.
    script: Mutex<Vec<String>>,
    faults: Mutex<VecDeque<Fault>>,
    /// What happened to each request that was the agent's own.
    served: Mutex<Vec<String>>,
}

impl Stub {
    /// Starts it, with nothing to do yet.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stub = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::default(),
        };
        let own = Arc::clone(&stub.shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = Arc::clone(&own);
                // A client that hangs up in the middle is none of the test's concern.
                thread::spawn(move || drop(own.serve(stream)));
            }
        });
        stub
    }

    /// The commands that the agent is to run in its shell.
    pub(crate) fn says(&self, script: &[&str]) {
        *self.shared.script.lock().unwrap() = script.iter().map(|command| (*command).to_owned()).collect();
    }

    /// The next of the agent's own requests fails like this.
    pub(crate) fn fail_next(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back(fault);
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What became of the agent's own requests so far.
    pub(crate) fn served(&self) -> Vec<String> {
        self.shared.served.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let request = http::read(&mut stream)?;
        let Some(protocol) = Protocol::of(&request.path) else {
            return http::answer(
                &mut stream,
                200,
                &[],
                &json!({ "data": [], "models": [] }).to_string(),
            );
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let asked = protocol.asked(&body);
        // Titles and the like are asked for without tools.
        if shell(&asked).is_none() {
            let words = if asked.json {
                r#"{"next_speaker":"user","reasoning":"-"}"#
            } else {
                "A title"
            };
            return protocol.say(&mut stream, &request.path, &body, &Answer::Text(words.to_owned()));
        }
        let fault = self.faults.lock().unwrap().pop_front();
        let answer = self.next(&asked);
        self.served
            .lock()
            .unwrap()
            .push(fault.map_or_else(|| format!("step {}", asked.results), |fault| format!("{fault:?}")));
        match fault {
            Some(fault) => fail(&mut stream, protocol, fault),
            None => protocol.say(&mut stream, &request.path, &body, &answer),
        }
    }

    fn next(&self, asked: &Asked) -> Answer {
        let script = self.script.lock().unwrap();
        match (script.get(asked.results), shell(asked)) {
            (Some(command), Some((tool, schema))) => Answer::Call {
                tool: tool.clone(),
                input: call(schema, command),
            },
            _ => Answer::Text(LAST_WORDS.to_owned()),
        }
    }
}

/// The client's shell tool.
fn shell(asked: &Asked) -> Option<&(String, Value)> {
    const NAMES: [&str; 6] = [
        "Bash",
        "bash",
        "exec_command",
        "shell_command",
        "run_shell_command",
        "shell",
    ];
    asked
        .tools
        .iter()
        .find(|(name, _)| NAMES.contains(&name.as_str()))
}

/// What the tool takes, with the command where it belongs.
fn call(schema: &Value, command: &str) -> Value {
    let has = |name: &str| schema["properties"].get(name).is_some();
    let mut input = json!({});
    if has("cmd") {
        input["cmd"] = json!(command);
    } else if schema["properties"]["command"]["type"] == "array" {
        input["command"] = json!(["sh", "-c", command]);
    } else {
        input["command"] = json!(command);
    }
    if has("description") {
        input["description"] = json!("Do the task");
    }
    if has("yield_time_ms") {
        // The longest that it waits for a command before it goes on without it.
        input["yield_time_ms"] = json!(30_000);
    }
    input
}

fn fail(stream: &mut TcpStream, protocol: Protocol, fault: Fault) -> std::io::Result<()> {
    let error = |kind: &str, message: &str| protocol.error(kind, message).to_string();
    match fault {
        Fault::RateLimit(seconds) => {
            let message = "This request would exceed your rate limit.";
            let after = [("retry-after", seconds.to_string())];
            http::answer(stream, 429, &after, &error("rate_limit_error", message))
        }
        Fault::Overloaded => http::answer(stream, 529, &[], &error("overloaded_error", "Overloaded")),
        Fault::Hang => http::until_hung_up(stream),
        Fault::Garbage => {
            let page = "<html><body>please log in to this network \u{0}</body></html>";
            http::head(stream, 200, &[("content-type", "text/html".to_owned())])?;
            stream.write_all(page.as_bytes())
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Anthropic,
    Responses,
    Chat,
    Gemini,
}

impl Protocol {
    fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if path.ends_with("enerateContent") {
            Some(Self::Gemini)
        } else {
            None
        }
    }

    fn asked(self, body: &Value) -> Asked {
        match self {
            Self::Anthropic => anthropic::asked(body),
            Self::Responses => responses::asked(body),
            Self::Chat => chat::asked(body),
            Self::Gemini => gemini::asked(body),
        }
    }

    fn error(self, kind: &str, message: &str) -> Value {
        let plain = json!({ "type": kind, "code": kind, "message": message });
        match self {
            Self::Anthropic => json!({ "type": "error", "error": plain, "request_id": "req_stub" }),
            Self::Gemini => json!({ "error": { "code": 429, "message": message, "status": kind } }),
            Self::Responses | Self::Chat => json!({ "error": plain }),
        }
    }

    fn say(self, stream: &mut TcpStream, path: &str, body: &Value, answer: &Answer) -> std::io::Result<()> {
        let frames = match self {
            Self::Anthropic => anthropic::frames(body, answer),
            Self::Responses => responses::frames(body, answer),
            Self::Chat => chat::frames(body, answer),
            Self::Gemini => gemini::frames(answer),
        };
        let streams = body["stream"] == true || path.contains("stream");
        if !streams {
            let whole = match self {
                Self::Anthropic => anthropic::whole(body, answer),
                Self::Responses => responses::whole(body, answer),
                Self::Chat => chat::whole(body, answer),
                Self::Gemini => gemini::whole(answer),
            };
            return http::answer(stream, 200, &[], &whole.to_string());
        }
        http::head(stream, 200, &[("content-type", "text/event-stream".to_owned())])?;
        for frame in frames {
            stream.write_all(frame.as_bytes())?;
        }
        stream.flush()
    }
}

/// One server-sent event.
fn frame(data: &Value) -> String {
    match data["type"].as_str() {
        Some(kind) => format!("event: {kind}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}
