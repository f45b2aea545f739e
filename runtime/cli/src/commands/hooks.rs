//! `worknode hooks`: the hooks that Claude Flow calls, doing the real thing here.
//!
//! An agent of the team acts on its own task and below its own name. Anybody else has a place of
//! its own in the memory, `session/…`.

use std::env;

use serde_json::{Value, json};
use worknode_core::error::Error;
use worknode_daemon::view::{ContinueView, files_namespace};

use super::task::{head_here, path_of};
use crate::{
    answers::own::HookTold,
    args::hooks::{Flow, Notify, PostEdit, PostTask, PreTask, Session, SessionEnd},
    client::{Client, escaped},
    output::{self, Form},
    place::Place,
};

/// Where those remember who are no agent of the team.
const NOBODY: &str = "session";

pub(crate) async fn hooks(place: &Place, hook: Flow, form: Form) -> Result<(), Error> {
    let me = Me::here(place)?;
    let (what, told) = match hook {
        Flow::PreTask(args) => ("pre-task", pre_task(&me, args).await?),
        Flow::SessionRestore(args) => ("session-restore", restore(&me, args).await?),
        Flow::PostEdit(args) => ("post-edit", post_edit(&me, args).await?),
        Flow::Notify(args) => ("notify", notify(&me, args).await?),
        Flow::PostTask(args) => ("post-task", post_task(&me, args).await?),
        Flow::SessionEnd(args) => ("session-end", session_end(&me, args).await?),
    };
    if form == Form::Json {
        return output::json(&HookTold {
            hook: what,
            told: told.value,
        });
    }
    output::line(told.text.trim_end());
    Ok(())
}

/// What a hook answers.
struct Told {
    text: String,
    value: Value,
}

impl Told {
    fn new(text: impl Into<String>, value: Value) -> Self {
        Self {
            text: text.into(),
            value,
        }
    }
}

/// Who calls, and on which task.
struct Me {
    client: Client,
    agent: Option<String>,
    task: Option<String>,
    epoch: Option<u64>,
}

impl Me {
    fn here(place: &Place) -> Result<Self, Error> {
        let said = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Ok(Self {
            client: place.client()?,
            agent: said("WORKNODE_AGENT"),
            task: said("WORKNODE_TASK"),
            epoch: said("WORKNODE_EPOCH").and_then(|epoch| epoch.parse().ok()),
        })
    }

    /// Where the caller remembers.
    fn name(&self) -> &str {
        self.agent.as_deref().unwrap_or(NOBODY)
    }

    async fn remember(&self, key: &str, value: Value) -> Result<Value, Error> {
        let parts: Vec<String> = key.split('/').map(escaped).collect();
        let body = json!({ "value": value });
        self.client
            .put(&format!("/memory/{}", parts.join("/")), &body, None)
            .await
    }

    async fn stands(&self) -> Result<ContinueView, Error> {
        let path = self.agent.as_deref().map_or_else(
            || "/continue".to_owned(),
            |agent| format!("/agents/{}/continue", escaped(agent)),
        );
        self.client.get(&path).await
    }

    /// Says how far the caller's task is, when it has one. Answers whether it has.
    async fn report(&self, message: &str) -> Result<bool, Error> {
        let (Some(task), Some(epoch)) = (&self.task, self.epoch) else {
            return Ok(false);
        };
        let body = json!({ "epoch": epoch, "message": message });
        let said: Result<Value, Error> = self.client.post(&path_of(task, "progress"), &body).await;
        said.map(|_| true)
    }
}

async fn pre_task(me: &Me, args: PreTask) -> Result<Told, Error> {
    let registered = me.report(&args.description).await?;
    if let Some(id) = args.task_id.as_ref().filter(|_| !registered) {
        let begun = json!({ "description": args.description, "status": "begun" });
        me.remember(&format!("{}/tasks/{}", me.name(), one_part(id)), begun)
            .await?;
    }
    let about = escaped(&args.description);
    let decisions: Value = me.client.get(&format!("/decisions?q={about}&limit=3")).await?;
    let issues: Value = me.client.get(&format!("/issues?q={about}&limit=3")).await?;
    let mut text = format!("begun: {}", args.description);
    for decision in list(&decisions) {
        text.push_str(&format!(
            "\ndecided: {} {}",
            word(&decision["question"]),
            word(&decision["decision"])
        ));
    }
    for issue in list(&issues).iter().filter(|issue| issue["resolved"] == true) {
        text.push_str(&format!(
            "\nknown: {}: {}",
            word(&issue["signature"]),
            word(&issue["fix"])
        ));
    }
    let value = json!({ "registered": registered, "decisions": decisions, "issues": issues });
    Ok(Told::new(text, value))
}

async fn restore(me: &Me, args: Session) -> Result<Told, Error> {
    let stands = me.stands().await?;
    let mut text = stands.markdown();
    let mut remembered = Value::Null;
    if args.load_memory {
        let namespace = format!("{}/{}", me.name(), args.session_id);
        remembered = me
            .client
            .get(&format!("/memory?namespace={}", escaped(&namespace)))
            .await?;
        for entry in list(&remembered) {
            text.push_str(&format!("\n- {}: {}", word(&entry["key"]), entry["value"]));
        }
    }
    Ok(Told::new(
        text,
        json!({ "continue": stands, "memory": remembered }),
    ))
}

async fn post_edit(me: &Me, args: PostEdit) -> Result<Told, Error> {
    let edited = json!({ "file": args.file, "task": me.task });
    // A name has no `/` of its own: behind it a namespace would begin.
    let key = format!("{}/{}", files_namespace(me.name()), one_part(&args.file));
    me.remember(&key, edited.clone()).await?;
    let kept = match &args.memory_key {
        Some(key) => me.remember(key, edited).await?,
        None => Value::Null,
    };
    Ok(Told::new(
        format!("recorded: {}", args.file),
        json!({ "file": args.file, "memory": kept }),
    ))
}

async fn notify(me: &Me, args: Notify) -> Result<Told, Error> {
    if !me.report(&args.message).await? {
        let event =
            json!({ "name": "notification", "data": { "message": args.message, "level": args.level } });
        me.client.post::<Value>("/events", &event).await?;
    }
    Ok(Told::new(
        format!("told: {}", args.message),
        json!({ "message": args.message }),
    ))
}

async fn post_task(me: &Me, args: PostTask) -> Result<Told, Error> {
    let own = me
        .task
        .as_ref()
        .zip(me.epoch)
        .filter(|(task, _)| **task == args.task_id);
    let performance: Value = if args.analyze_performance == Some(true) {
        me.client.get("/estimates").await?
    } else {
        Value::Null
    };
    let Some((task, epoch)) = own else {
        let done = json!({ "status": "done" });
        me.remember(&format!("{}/tasks/{}", me.name(), one_part(&args.task_id)), done)
            .await?;
        let value = json!({ "recorded": args.task_id, "performance": performance });
        return Ok(Told::new(format!("recorded as done: {}", args.task_id), value));
    };
    let body = json!({ "epoch": epoch, "commit": head_here()? });
    let task: Value = me.client.post(&path_of(task, "submit"), &body).await?;
    let value = json!({ "submitted": task, "performance": performance });
    Ok(Told::new(format!("handed in: {}", args.task_id), value))
}

async fn session_end(me: &Me, args: SessionEnd) -> Result<Told, Error> {
    let stands = me.stands().await?;
    let metrics: Value = if args.export_metrics == Some(true) {
        me.client.get("/analytics/agents").await?
    } else {
        Value::Null
    };
    let summary = json!({
        "task": stands.task.as_ref().map(|task| &task.key),
        "next": stands.next,
        "files": stands.files,
    });
    let key = format!("{}/{}/summary", me.name(), one_part(&args.session_id));
    me.remember(&key, summary.clone()).await?;
    let text = format!("{}\nkept under {key}", stands.markdown().trim_end());
    Ok(Told::new(text, json!({ "summary": summary, "metrics": metrics })))
}

/// As one part of a key.
fn one_part(text: &str) -> String {
    text.replace('/', ":")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
