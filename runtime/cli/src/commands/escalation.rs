//! `worknode escalation`: what nobody has settled yet.

use serde_json::json;
use worknode_core::error::Error;
use worknode_daemon::view::plan::{EscalationView, escalations};

use super::ask_or_read;
use crate::{
    args::plan::Escalation,
    output::{self, Form, cell, table},
    place::Place,
};

pub(crate) async fn escalation(place: &Place, command: Escalation, form: Form) -> Result<(), Error> {
    let open: Vec<EscalationView> = match command {
        Escalation::List => {
            let client = place.client()?;
            ask_or_read(place, client.get("/escalations"), escalations).await?
        }
        Escalation::Settle { topic, reason } => {
            let body = json!({ "topic": topic, "reason": reason });
            place.client()?.post("/escalations/settle", &body).await?
        }
    };
    if form == Form::Json {
        return output::json(&open);
    }
    let mut rows = table(&["OF", "MATTER", "ASKED", "UNTIL", "TOPIC", "WHY"]);
    for one in &open {
        rows.add_row([
            cell(&one.node),
            cell(one.matter.name()),
            cell(one.to.map_or("-", |to| to.name())),
            cell(one.until.map_or_else(|| "-".to_owned(), |at| at.to_string())),
            cell(&one.topic),
            cell(&one.reason),
        ]);
    }
    output::rows(&rows, "nothing is open");
    Ok(())
}
