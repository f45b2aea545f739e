//! `worknode reload`: the configuration of a daemon that runs, read anew.

use worknode_core::error::{Code, Error};
use worknode_daemon::reload::ReloadView;

use crate::{
    events::reloaded_words,
    output::{self, Form, colour_of, paint},
    place::Place,
};

pub(crate) async fn reload(place: &Place, form: Form) -> Result<(), Error> {
    let view: ReloadView = place.client()?.post("/reload", &serde_json::json!({})).await?;
    match form {
        Form::Json => output::json(&view)?,
        Form::Text => print(&view),
    }
    refused(&view)
}

fn print(view: &ReloadView) {
    if !view.rejected {
        let lists = [&view.added, &view.changed, &view.removed, &view.taken_up].map(Vec::as_slice);
        let [added, changed, removed, taken_up] = lists;
        let words = reloaded_words([added, changed, removed, taken_up, &[]]);
        output::line(format!("{words}; {} as before", view.unchanged));
    }
    if !view.restart.is_empty() {
        output::line(format!(
            "{} changed, too: that is taken up at the next start",
            view.restart.join(", ")
        ));
    }
    for mistake in &view.mistakes {
        output::line(format!("{} {mistake}", paint("!", colour_of("failed"))));
        if let Some(hint) = &mistake.hint {
            output::line(format!("  hint: {hint}"));
        }
    }
    if !view.kept.is_empty() {
        output::line(format!(
            "as before, until that is mended: {}",
            view.kept.join(", ")
        ));
    }
}

/// Mistakes are told by the exit code, too.
fn refused(view: &ReloadView) -> Result<(), Error> {
    let count = view.mistakes.len() + view.more_mistakes;
    if count == 0 {
        return Ok(());
    }
    let mistakes = if count == 1 { "a mistake" } else { "mistakes" };
    let what = if view.rejected {
        "all goes on as it was"
    } else {
        "what has none is in force"
    };
    Err(Error::new(
        Code::InvalidConfig,
        format!("the configuration has {mistakes}; {what}"),
    )
    .hint("mend them; the daemon sees when the file changes"))
}
