//! `worknode report`: what happened, for people who were not there.

use worknode_core::{error::Error, node::Kind};
use worknode_daemon::view::{self, ReportView};
use worknode_journal::Reader;

use super::{ask_or_read, now, search::Question};
use crate::{
    args::notes::Report,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn report(place: &Place, args: &Report, form: Form) -> Result<(), Error> {
    let mut question = Question::default();
    question.set("under", args.under.as_ref());
    let path = format!("/report?{}", question.text());
    let client = place.client()?;
    let read = |reader: &Reader| stored(reader, args.under.as_deref());
    let report: ReportView = ask_or_read(place, client.get(&path), read).await?;
    match form {
        Form::Json => output::json(&report),
        Form::Text => {
            output::line(report.markdown().trim_end());
            Ok(())
        }
    }
}

/// The same without a daemon.
fn stored(reader: &Reader, under: Option<&str>) -> Result<ReportView, Error> {
    let top = match under {
        Some(name) => view::find_among(reader, &[Kind::Team, Kind::Phase, Kind::Task], name)?,
        None => view::find(reader, Kind::Team, &view::status(reader, now(), None)?.team)?,
    };
    view::report(reader, top.id, now())
}
