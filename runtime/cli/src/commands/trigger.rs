//! `worknode trigger`: triggers for people.

mod offline;
mod shown;

use std::{io::Read as _, path::Path};

use serde::Serialize;
use serde_json::{Value, json};
use worknode_core::error::{Code, Error};
use worknode_daemon::{
    config::Sources,
    triggers::{self, AddedView, ExplainedView, FiringPage, RemovedView, TriggerPage, TriggerView},
};

use super::{ask_or_read, is_off, now};
use crate::{
    answers::own::TriggerShown,
    args::trigger::Trigger,
    client::{Client, escaped},
    output::{self, Form},
    place::Place,
};

/// Bytes of a file of triggers at the most.
const FILE: u64 = 1024 * 1024;
/// Triggers that are asked for at once.
const PAGE: usize = 10_000;

pub(crate) async fn trigger(place: &Place, args: Trigger, form: Form) -> Result<(), Error> {
    match args {
        Trigger::List => list(place, form).await,
        Trigger::Show { name } => show(place, &name, form).await,
        Trigger::Next(args) => offline::next(place, &args, form),
        Trigger::Explain(args) => offline::explain(place, &args, form),
        Trigger::Simulate(args) => offline::simulate(place, &args, form),
        Trigger::Runs { name, last } => runs(place, name.as_deref(), last, form).await,
        Trigger::Fire { name } => fire(place, &name, form).await,
        Trigger::Pause { name } => hold(place, &name, "pause", form).await,
        Trigger::Resume { name } => hold(place, &name, "resume", form).await,
        Trigger::Add { file, dry_run } => add(place, &file, dry_run, form).await,
        Trigger::Remove { name, dry_run } => remove(place, &name, dry_run, form).await,
    }
}

fn print<T: Serialize>(value: &T, form: Form, text: impl FnOnce(&T)) -> Result<(), Error> {
    match form {
        Form::Json => output::json(value),
        Form::Text => {
            text(value);
            Ok(())
        }
    }
}

fn path(name: &str, verb: &str) -> String {
    format!("/triggers/{}{verb}", escaped(name))
}

async fn list(place: &Place, form: Form) -> Result<(), Error> {
    let all = match pages(&place.client()?).await {
        Err(error) if is_off(place, &error) => offline::stored(place)?,
        answer => answer?,
    };
    let page = TriggerPage {
        triggers: all,
        next: None,
    };
    print(&page, form, |page| shown::list(&page.triggers, now()))
}

/// All of them, page by page.
async fn pages(client: &Client) -> Result<Vec<TriggerView>, Error> {
    let mut all = Vec::new();
    let mut query = format!("/triggers?limit={PAGE}");
    loop {
        let page: TriggerPage = client.get(&query).await?;
        all.extend(page.triggers);
        let Some(next) = page.next else { return Ok(all) };
        query = format!("/triggers?limit={PAGE}&cursor={}", escaped(&next));
    }
}

async fn show(place: &Place, name: &str, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let view = match client.get::<TriggerView>(&path(name, "")).await {
        Err(error) if is_off(place, &error) => offline::stored_one(place, name)?,
        answer => answer?,
    };
    let explained = match client.get::<ExplainedView>(&path(name, "/explain")).await {
        Err(error) if is_off(place, &error) => offline::explained(place, name)?,
        answer => answer?,
    };
    match form {
        Form::Json => output::json(&TriggerShown {
            trigger: view,
            text: explained.text,
        }),
        Form::Text => {
            shown::one(&view, &explained, now());
            Ok(())
        }
    }
}

async fn runs(place: &Place, name: Option<&str>, last: usize, form: Form) -> Result<(), Error> {
    let query = match name {
        Some(name) => path(name, &format!("/runs?n={last}")),
        None => format!("/triggers/runs?n={last}"),
    };
    let client = place.client()?;
    let page: FiringPage = ask_or_read(place, client.get(&query), |reader| match name {
        Some(name) => triggers::firings_of(reader, name, None, last),
        None => triggers::firings(reader, None, last),
    })
    .await?;
    print(&page, form, |page| shown::runs(&page.runs))
}

async fn fire(place: &Place, name: &str, form: Form) -> Result<(), Error> {
    let fired: Value = place.client()?.post(&path(name, "/fire"), &json!({})).await?;
    print(&fired, form, |fired| {
        let firing = fired["firing"].as_str().unwrap_or_default();
        output::line(format!("fired by hand: {firing}"));
        output::line(format!("`worknode trigger runs {name}` shows what comes of it"));
    })
}

async fn hold(place: &Place, name: &str, verb: &str, form: Form) -> Result<(), Error> {
    let view: TriggerView = place
        .client()?
        .post(&path(name, &format!("/{verb}")), &json!({}))
        .await?;
    print(&view, form, |view| shown::list(std::slice::from_ref(view), now()))
}

async fn add(place: &Place, file: &Path, dry_run: bool, form: Form) -> Result<(), Error> {
    let (name, text) = read(file)?;
    let body = json!({ "toml": text, "file": name, "dry_run": dry_run });
    let added: AddedView = match place.client()?.post("/triggers", &body).await {
        Err(error) if is_off(place, &error) && is_person() => {
            triggers::add(&Sources::of_dir(&place.dir), &name, &text, dry_run)?
        }
        answer => answer?,
    };
    print(&added, form, |added| {
        for warning in &added.warnings {
            output::line(format!("warning: {warning}"));
        }
        for (name, file) in added.added.iter().zip(&added.files) {
            let what = if added.dry_run { "would add" } else { "added" };
            output::line(format!("{what} {name}, in {file}"));
        }
    })
}

async fn remove(place: &Place, name: &str, dry_run: bool, form: Form) -> Result<(), Error> {
    let query = path(name, if dry_run { "?dry_run=true" } else { "" });
    let removed: RemovedView = match place.client()?.delete(&query).await {
        Err(error) if is_off(place, &error) && is_person() => {
            triggers::remove(&Sources::of_dir(&place.dir), name, dry_run)?
        }
        answer => answer?,
    };
    print(&removed, form, |removed| {
        let what = if removed.dry_run {
            "would remove"
        } else {
            "removed"
        };
        output::line(format!("{what} {}: {} is gone", removed.removed, removed.file));
    })
}

/// Without a daemon the files are written here. An agent has one, and only that decides for it.
fn is_person() -> bool {
    std::env::var_os("WORKNODE_SOCKET").is_none()
}

/// A file of triggers and what mistakes in it are told under.
fn read(file: &Path) -> Result<(String, String), Error> {
    let (name, bytes) = if file == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(FILE + 1).read_to_end(&mut bytes);
        ("-".to_owned(), read.map(|_| bytes))
    } else {
        let read = std::fs::File::open(file).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(FILE + 1).read_to_end(&mut bytes).map(|_| bytes)
        });
        (file.display().to_string(), read)
    };
    let bytes = bytes.map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::NotFound,
            _ => Code::Failed,
        };
        Error::new(code, format!("cannot read `{name}`: {error}"))
    })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE {
        return Err(Error::new(
            Code::Usage,
            format!("`{name}` has more than {FILE} bytes"),
        ));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Error::new(Code::Usage, format!("`{name}` is not UTF-8")))?;
    Ok((name, text))
}
