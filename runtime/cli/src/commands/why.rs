//! `worknode why`: what led to something, cause by cause.

use worknode_core::{
    causality::{End, How, Link},
    error::Error,
    event::{Event, Principal},
};
use worknode_daemon::view::{self, WhyView};

use super::ask_or_read;
use crate::{
    args::Why,
    client::escaped,
    events::Names,
    output::{self, Form, dim, paint},
    place::Place,
};

pub(crate) async fn why(place: &Place, args: &Why, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let path = format!("/why/{}", escaped(&args.of));
    let told: WhyView = ask_or_read(place, client.get(&path), |reader| view::why(reader, &args.of)).await?;
    match form {
        Form::Json => output::json(&told),
        Form::Text => {
            for line in lines(&told) {
                output::line(line);
            }
            Ok(())
        }
    }
}

fn lines(told: &WhyView) -> Vec<String> {
    let mut names = Names::default();
    for (id, name) in &told.names {
        names.add(*id, name.clone());
    }
    let line = |link: &Link| {
        let because = if link.how == How::Asked { "" } else { "  because  " };
        format!("{}{}", paint(because, dim()), names.line(&link.record))
    };
    let mut lines: Vec<String> = told.why.links.iter().map(line).collect();
    lines.extend(end(told).map(|words| paint(&format!("  {words}"), dim())));
    if told.cut {
        let words = "  (so much happened to one of these that not all of it was looked at)";
        lines.push(paint(words, dim()));
    }
    lines
}

/// What is to be said of the first cause.
fn end(told: &WhyView) -> Option<String> {
    match told.why.end {
        End::Origin => first_cause(told.why.links.last()?).map(str::to_owned),
        End::Missing { cause } => Some(format!("because of {cause}, which is not stored here")),
        End::Backwards { cause } => Some(format!(
            "it names {cause} as its cause, which is not before it: the journal is damaged"
        )),
        End::More => Some("and so on".to_owned()),
    }
}

fn first_cause(link: &Link) -> Option<&'static str> {
    match (&link.record.event, &link.record.by) {
        (Event::TriggerFired { by: Some(_), .. }, _) => Some("somebody fired it by hand"),
        (Event::TriggerFired { .. }, _) => Some("its time had come"),
        (_, Principal::Operator) => Some("the operator asked for it"),
        _ => None,
    }
}
