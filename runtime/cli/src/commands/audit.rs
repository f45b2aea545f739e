//! `worknode audit verify`: is the journal what it was when it was written?

use worknode_core::error::{Code, Error};

use crate::{
    args::Audit,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn audit(place: &Place, audit: &Audit, form: Form) -> Result<(), Error> {
    match audit {
        Audit::Verify => verify(place, form).await,
    }
}

async fn verify(place: &Place, form: Form) -> Result<(), Error> {
    let reader = place.reader()?;
    let report = reader.ask(worknode_journal::Reader::verify).await?;
    if form == Form::Json {
        output::json(&serde_json::json!({
            "events": report.events,
            "sound": report.is_sound(),
            "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
    }
    if report.is_sound() {
        if form == Form::Text {
            output::line(format!(
                "{} events: the chain is whole, and the state follows from it",
                report.events
            ));
        }
        return Ok(());
    }
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect();
    Err(Error::new(
        Code::CorruptJournal,
        format!("the journal is not what was written:{}", problems.concat()),
    )
    .hint("keep a copy of .worknode/ as evidence before anything else"))
}
