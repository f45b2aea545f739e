//! `worknode decision`: what was decided, and why.

use serde_json::{Value, json};
use worknode_actors::notes::{Alternative, Decision as Decided};
use worknode_core::error::Error;

use super::search::Question;
use crate::{
    args::notes::{AddDecision, Decision, ListNotes, SearchNotes},
    client::escaped,
    output::{self, Form, bold, cell, dim, paint, table},
    place::Place,
};

pub(crate) async fn decision(place: &Place, args: Decision, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    match args {
        Decision::Add(args) => show(&client.post("/decisions", &new(&args)).await?, form),
        Decision::List(ListNotes { on, limit }) => {
            let mut question = Question::default();
            question.set("on", on);
            question.set("limit", Some(limit));
            list(
                &client.get(&format!("/decisions?{}", question.text())).await?,
                form,
            )
        }
        Decision::Show { decision } => show(
            &client.get(&format!("/decisions/{}", escaped(&decision))).await?,
            form,
        ),
        Decision::Search(SearchNotes { words, limit }) => {
            let mut question = Question::default();
            question.set("q", Some(words.join(" ")));
            question.set("limit", Some(limit));
            list(
                &client.get(&format!("/decisions?{}", question.text())).await?,
                form,
            )
        }
    }
}

fn new(args: &AddDecision) -> Value {
    let alternative = |text: &String| {
        let (option, because) = text.split_once(':').unwrap_or((text, ""));
        Alternative {
            option: option.trim().to_owned(),
            because: because.trim().to_owned(),
        }
    };
    let alternatives: Vec<Alternative> = args.alternatives.iter().map(alternative).collect();
    json!({
        "question": args.question,
        "decision": args.decision,
        "rationale": args.because,
        "alternatives": alternatives,
        "confidence": args.confidence,
        "supersedes": args.supersedes,
        "on": args.on,
    })
}

/// As the daemon answered: what was searched for has a score, too.
fn list(found: &Value, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(found);
    }
    let mut rows = table(&["QUESTION", "DECISION", "BY", "ID"]);
    let decisions: Vec<Decided> = serde_json::from_value(found.clone()).unwrap_or_default();
    for decision in &decisions {
        let gone = if decision.superseded_by.is_some() {
            " (superseded)"
        } else {
            ""
        };
        rows.add_row([
            cell(&decision.question),
            cell(format!("{}{gone}", decision.decision)),
            cell(&decision.by),
            cell(decision.id.to_string()),
        ]);
    }
    output::rows(&rows, "no decisions; `worknode decision add` writes one down");
    Ok(())
}

fn show(decision: &Decided, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(decision);
    }
    output::line(paint(&decision.question, bold()));
    let say = |what: &str, text: &str| {
        if !text.is_empty() {
            output::line(format!("  {:<13} {text}", paint(what, dim())));
        }
    };
    say("decided", &decision.decision);
    say("because", &decision.rationale);
    for Alternative { option, because } in &decision.alternatives {
        let because = if because.is_empty() {
            String::new()
        } else {
            format!(": {because}")
        };
        say("instead of", &format!("{option}{because}"));
    }
    say(
        "confidence",
        &decision
            .confidence
            .map_or_else(String::new, |sure| sure.to_string()),
    );
    say("by", &format!("{}, {}", decision.by, decision.at));
    let id = |id: Option<_>| id.map_or_else(String::new, |id: worknode_core::ids::NodeId| id.to_string());
    say("supersedes", &id(decision.supersedes));
    say("superseded by", &id(decision.superseded_by));
    say("id", &decision.id.to_string());
    Ok(())
}
