//! `worknode estimates`: how long work took, and what that says about the next estimate.

use std::time::Duration;

use worknode_core::error::Error;
use worknode_daemon::view::EstimatesView;

use super::search::Question;
use crate::{
    args::notes::Estimates,
    output::{self, Form, cell, length, table},
    place::Place,
};

pub(crate) async fn estimates(place: &Place, args: &Estimates, form: Form) -> Result<(), Error> {
    let mut question = Question::default();
    question.set("under", args.under.as_ref());
    let path = format!("/estimates?{}", question.text());
    let found: EstimatesView = place.client()?.get(&path).await?;
    if form == Form::Json {
        return output::json(&found);
    }
    let mut rows = table(&[
        "BY",
        "NAME",
        "TASKS",
        "HALF WITHIN",
        "90 % WITHIN",
        "ESTIMATED",
        "RATIO",
        "",
    ]);
    let time = |seconds: f64| length(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    for row in &found.rows {
        rows.add_row([
            cell(&row.by),
            cell(&row.name),
            cell(row.tasks.to_string()),
            cell(time(row.median_s)),
            cell(time(row.p90_s)),
            cell(row.estimated.to_string()),
            cell(row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))),
            cell(row.advice.clone().unwrap_or_default()),
        ]);
    }
    output::rows(&rows, "nothing is completed yet");
    if found.cut {
        output::line("there are more completed tasks than one answer looks at");
    }
    Ok(())
}
