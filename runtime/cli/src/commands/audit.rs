//! `worknode audit verify`: is the journal what it was when it was written?

use worknode_core::error::{Code, Error};
use worknode_daemon::{daemon::STATE, verdicts::check};

use crate::{
    answers::own::Audited,
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
    let verdicts = check(&reader, &place.dir.join(STATE))?;
    let forged = verdicts.as_ref().map_or(&[][..], |verdicts| &verdicts.problems);
    let sound = report.is_sound() && forged.is_empty();
    if form == Form::Json {
        let problems = report.problems.iter().map(ToString::to_string);
        output::json(&Audited {
            events: report.events,
            verdicts: verdicts.as_ref().map(|verdicts| verdicts.verdicts),
            sound,
            problems: problems.chain(forged.iter().cloned()).collect(),
        })?;
    }
    if sound {
        if form == Form::Text {
            let signed = match &verdicts {
                Some(verdicts) => format!("{} verdicts carry the runtime's signature", verdicts.verdicts),
                None => "there is no key to check verdicts with".to_owned(),
            };
            output::line(format!(
                "{} events: the chain is whole, and the state follows from it; {signed}",
                report.events
            ));
        }
        return Ok(());
    }
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(ToString::to_string)
        .chain(forged.iter().cloned())
        .map(|problem| format!("\n  {problem}"))
        .collect();
    Err(Error::new(
        Code::CorruptJournal,
        format!("the journal is not what was written:{}", problems.concat()),
    )
    .hint("keep a copy of .worknode/ as evidence before anything else"))
}
