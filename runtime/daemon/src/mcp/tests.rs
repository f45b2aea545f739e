//! What calls of tools ask, and what comes of it.

use std::sync::Mutex;

use serde_json::json;

use super::*;

/// Answers the same to everything, and remembers what was asked.
#[derive(Debug)]
struct Echo {
    asked: Mutex<Vec<(Method, String, Option<Value>)>>,
    answer: Result<Value, Error>,
}

impl Door for Echo {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        self.asked
            .lock()
            .unwrap()
            .push((method, path.to_owned(), body.cloned()));
        self.answer.clone()
    }

    fn head(&self) -> Option<String> {
        Some("c0ffee".to_owned())
    }
}

fn server(answer: Result<Value, Error>) -> Server<Echo> {
    let speaker = Speaker {
        agent: Some("coder".to_owned()),
        task: Some("one".to_owned()),
        epoch: Some(3),
        ..Speaker::default()
    };
    let asked = Mutex::default();
    Server::new(Echo { asked, answer }, speaker)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[tokio::test]
async fn a_report_carries_the_claim_of_the_run() {
    let server = server(Ok(Value::Null));
    let calls = [
        (
            "progress",
            json!({ "message": "half", "percent": 50 }),
            "/tasks/one/progress",
        ),
        ("submit", json!({}), "/tasks/one/submit"),
        ("blocked", json!({ "reason": "no network" }), "/tasks/one/block"),
    ];
    for (tool, arguments, path) in calls {
        let done = server.call(tool, &object(arguments)).await.unwrap();
        assert_eq!(done.is_error, Some(false), "{tool}");
        let asked = server.door.asked.lock().unwrap().pop().unwrap();
        assert_eq!((asked.0, asked.1.as_str()), (Method::Post, path));
        assert_eq!(asked.2.unwrap()["epoch"], 3, "{tool}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_hint() {
    let refusal = Error::new(Code::StaleEpoch, "the claim is over").hint("claim it again");
    let done = server(Err(refusal)).call("status", &Map::new()).await.unwrap();
    assert_eq!(done.is_error, Some(true));
    assert_eq!(done.structured_content.unwrap()["code"], "stale_epoch");
    let text = serde_json::to_string(&done.content).unwrap();
    assert!(text.contains("claim it again"), "{text}");
}

#[tokio::test]
async fn p9_who_leads_nobody_has_no_tools_for_it() {
    let server = server(Ok(Value::Null));
    assert!(
        server
            .call("stop", &object(json!({ "target": "lead", "reason": "" })))
            .await
            .is_err()
    );
    assert!(server.door.asked.lock().unwrap().is_empty());
    assert!(tools::all(true).any(|tool| tool.name == "stop"));
}

#[test]
fn every_tool_asks_something_when_it_has_what_it_needs() {
    let speaker = Speaker {
        task: Some("one".to_owned()),
        epoch: Some(1),
        ..Speaker::default()
    };
    for tool in tools::all(true) {
        let needed = tool.arguments().filter(|(_, needed)| *needed);
        let mut given: Map<String, Value> = needed.map(|(name, _)| (name.to_owned(), json!("x/y"))).collect();
        if tool.name == "record_issue" {
            given.insert("error".to_owned(), json!("it broke"));
        }
        if tool.name == "replan" {
            given.insert("title".to_owned(), json!("Write it"));
        }
        let head = || Some("c0ffee".to_owned());
        let request = calls::request(tool.name, &speaker, &given, head).unwrap();
        assert!(request.path.starts_with('/'), "{}", tool.name);
        assert!(!request.path.contains(' '), "{}", tool.name);
        let described = tool.described();
        assert!(
            described.description.is_some_and(|what| what.len() > 20),
            "{}",
            tool.name
        );
        for (name, _) in tool.arguments().filter(|(_, needed)| *needed) {
            let mut without = given.clone();
            without.remove(name);
            // Some of these the API itself refuses.
            let _ = calls::request(tool.name, &speaker, &without, || None);
        }
    }
}

#[test]
fn a_plan_is_changed_by_its_kind_of_change() {
    let asked = |given: Value| calls::request("replan", &Speaker::default(), &object(given), || None);
    let path = |given: Value| asked(given).map(|request| (request.method, request.path));
    let because = "it was missing";
    let added =
        asked(json!({ "title": "Write", "files": ["a"], "phase": "one", "reason": because })).unwrap();
    assert_eq!((added.method, added.path.as_str()), (Method::Post, "/plan/tasks"));
    let body = added.body.unwrap();
    assert_eq!(body["task"], json!({ "title": "Write", "files": ["a"] }));
    assert_eq!(
        (&body["phase"], &body["reason"]),
        (&json!("one"), &json!(because))
    );
    let changed = path(json!({ "task": "w", "title": "Write", "reason": because })).unwrap();
    assert_eq!(changed, (Method::Put, "/plan/tasks/w".to_owned()));
    let gone = path(json!({ "task": "w", "cancel": true, "reason": because })).unwrap();
    assert_eq!(gone, (Method::Post, "/plan/tasks/w/cancel".to_owned()));
    for wrong in [
        json!({ "title": "Write" }),
        json!({ "reason": because }),
        json!({ "cancel": true, "reason": because }),
    ] {
        assert_eq!(path(wrong.clone()).unwrap_err().code, Code::Usage, "{wrong}");
    }
}
