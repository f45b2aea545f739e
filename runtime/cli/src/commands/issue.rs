//! `worknode issue`: what went wrong, and how it was mended.

use std::path::Path;

use serde_json::{Value, json};
use worknode_actors::notes::Issue as Found;
use worknode_core::error::{Code, Error};

use super::{search::Question, task::prompt};
use crate::{
    args::notes::{AddIssue, Issue, Solution},
    client::escaped,
    output::{self, Form, bold, cell, dim, paint, table},
    place::Place,
};

pub(crate) async fn issue(place: &Place, args: Issue, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    match args {
        Issue::Add(args) => added(&client.post("/issues", &new(args)?).await?, form),
        Issue::List { which, open } => {
            let mut question = Question::default();
            question.set("on", which.on);
            question.set("limit", Some(which.limit));
            question.set("resolved", open.then_some(false));
            list(&client.get(&format!("/issues?{}", question.text())).await?, form)
        }
        Issue::Show { issue } => show(&client.get(&path(&issue, "")).await?, form),
        Issue::Search { error, limit } => {
            let body = json!({ "error": said(error)?, "limit": limit });
            list(&client.post("/issues/search", &body).await?, form)
        }
        Issue::Resolve { issue, solution } => show(
            &client.post(&path(&issue, "/resolve"), &known(solution)?).await?,
            form,
        ),
        Issue::Helped { issue } => show(&client.post(&path(&issue, "/helped"), &json!({})).await?, form),
    }
}

fn path(issue: &str, rest: &str) -> String {
    format!("/issues/{}{rest}", escaped(issue))
}

/// The text itself, or what standard input has.
fn said(text: String) -> Result<String, Error> {
    prompt(Some(text))
}

fn new(args: AddIssue) -> Result<Value, Error> {
    let mut body = known(args.solution)?;
    body["error"] = json!(said(args.error)?);
    body["file"] = json!(args.file);
    if let Some(on) = args.on {
        body["on"] = json!(on);
    }
    Ok(body)
}

fn known(solution: Solution) -> Result<Value, Error> {
    let patch = solution.patch.as_deref().map(read).transpose()?;
    Ok(json!({ "cause": solution.cause, "fix": solution.fix, "patch": patch.unwrap_or_default() }))
}

fn read(path: &Path) -> Result<String, Error> {
    if path == Path::new("-") {
        return said("-".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read `{}`: {error}", path.display());
        Error::new(Code::NotFound, message)
    })
}

fn added(report: &Value, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(report);
    }
    if report["known"] == true {
        output::line("this is known:");
    }
    show(&serde_json::from_value(report.clone()).map_err(unread)?, form)
}

fn unread(error: serde_json::Error) -> Error {
    Error::new(
        Code::Failed,
        format!("the daemon's answer is not understood: {error}"),
    )
}

/// As the daemon answered: what was searched for says how it was found, too.
fn list(found: &Value, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(found);
    }
    let mut rows = table(&["ERROR", "FIX", "HELPED", "FOUND BY", "ID"]);
    for hit in found.as_array().map_or(&[][..], Vec::as_slice) {
        let issue: Found = serde_json::from_value(hit.clone()).map_err(unread)?;
        let first = issue.signature.lines().next().unwrap_or_default();
        let fix = if issue.resolved {
            issue.solution.fix
        } else {
            "not solved".to_owned()
        };
        rows.add_row([
            cell(first),
            cell(fix),
            cell(issue.helped.to_string()),
            cell(hit["fits"].as_str().unwrap_or_default()),
            cell(issue.id.to_string()),
        ]);
    }
    output::rows(&rows, "no issues; `worknode issue add` writes one down");
    Ok(())
}

fn show(issue: &Found, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(issue);
    }
    output::line(paint(issue.error.trim_end(), bold()));
    let say = |what: &str, text: &str| {
        if !text.is_empty() {
            output::line(format!("  {:<9} {text}", paint(what, dim())));
        }
    };
    say("file", &issue.file);
    say("cause", &issue.solution.cause);
    say("fix", &issue.solution.fix);
    say("resolved", if issue.resolved { "yes" } else { "no" });
    say(
        "counts",
        &format!("seen {} times, helped {} times", issue.seen, issue.helped),
    );
    say("by", &format!("{}, {}", issue.by, issue.at));
    say("id", &issue.id.to_string());
    if !issue.solution.patch.is_empty() {
        output::line(format!("\n{}", issue.solution.patch.trim_end()));
    }
    Ok(())
}
