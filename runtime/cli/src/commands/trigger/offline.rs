//! What is answered from the files alone, and from the store as far as there is one.

use std::time::Duration;

use worknode_core::error::{Code, Error};
use worknode_daemon::{
    config::{self, ConfigErrors, LeftOut, Loaded, Sources},
    triggers::{self, ExplainedView, KnownTasks, TriggerView},
};
use worknode_journal::Reader;

use super::{print, shown};
use crate::{
    args::trigger::{Explain, Next, Simulate, Which},
    commands::now,
    output::Form,
    place::Place,
};

/// A span that nobody gave.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Occurrences that a screen lists, when nobody says.
const SCREEN: usize = 40;
/// The same for programs.
const LIST: usize = 1_000;

/// The configuration, without the triggers that have mistakes.
struct Read {
    loaded: Box<Loaded>,
    left_out: Vec<LeftOut>,
    errors: ConfigErrors,
    reader: Option<Reader>,
}

impl Read {
    fn of(place: &Place) -> Result<Self, Error> {
        let reread = config::reread(&Sources::of_dir(&place.dir));
        let errors = ConfigErrors {
            mistakes: reread.mistakes,
            left_out: reread.more,
        };
        let Some(loaded) = reread.loaded else {
            return Err(errors.into());
        };
        let reader = match place.reader() {
            Ok(reader) => Some(reader),
            // No team has run here yet.
            Err(error) if error.code == Code::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            loaded,
            left_out: reread.left_out,
            errors,
            reader,
        })
    }

    fn tasks(&self) -> Result<KnownTasks, Error> {
        KnownTasks::read(self.reader.as_ref(), &self.loaded.definition, now())
    }

    /// Those that are named; one that has mistakes is told with them.
    fn named(&self, names: &[String]) -> Result<Vec<&triggers::Trigger>, Error> {
        let is_wrong = |left: &LeftOut| left.name.as_ref().is_some_and(|name| names.contains(name));
        let found = triggers::named(&self.loaded.definition.triggers, names);
        if found.is_err() && self.left_out.iter().any(is_wrong) {
            return Err(self.errors.clone().into());
        }
        found
    }

    fn notes(&self) -> Option<String> {
        let count = self.left_out.len();
        let what = if count == 1 {
            "a trigger is"
        } else {
            "triggers are"
        };
        (count > 0).then(|| format!("{what} left out because of mistakes; `worknode check` tells them"))
    }
}

/// A cron expression, when one is given.
fn schedule(which: &Which) -> Result<Option<triggers::Trigger>, Error> {
    let cron = which.cron.as_deref();
    cron.map(|cron| triggers::schedule(cron, which.timezone.as_deref()))
        .transpose()
}

pub(super) fn next(place: &Place, args: &Next, form: Form) -> Result<(), Error> {
    let from = args.from.unwrap_or_else(now);
    let view = if let Some(schedule) = schedule(&args.which)? {
        triggers::next(&[&schedule], &KnownTasks::default(), from, args.count)
    } else {
        let read = Read::of(place)?;
        let names: Vec<String> = args.which.name.iter().cloned().collect();
        let mut view = triggers::next(&read.named(&names)?, &read.tasks()?, from, args.count);
        view.notes.extend(read.notes());
        view
    };
    print(&view, form, shown::next)
}

pub(super) fn explain(place: &Place, args: &Explain, form: Form) -> Result<(), Error> {
    let from = args.from.unwrap_or_else(now);
    let view = match (schedule(&args.which)?, &args.which.name) {
        (Some(schedule), _) => triggers::explain(&schedule, true, &KnownTasks::default(), from),
        (None, Some(name)) => {
            let read = Read::of(place)?;
            let named = read.named(std::slice::from_ref(name))?;
            let [trigger] = named[..] else {
                return Err(Error::new(
                    Code::NotFound,
                    format!("there is no trigger `{name}`"),
                ));
            };
            triggers::explain(trigger, false, &read.tasks()?, from)
        }
        (None, None) => {
            return Err(Error::new(Code::Usage, "which trigger is to be explained?")
                .hint("give its name, or `--cron EXPR`"));
        }
    };
    print(&view, form, shown::explained)
}

pub(super) fn explained(place: &Place, name: &str) -> Result<ExplainedView, Error> {
    let read = Read::of(place)?;
    let named = read.named(&[name.to_owned()])?;
    let tasks = read.tasks()?;
    let explained = named
        .first()
        .map(|trigger| triggers::explain(trigger, false, &tasks, now()));
    explained.ok_or_else(|| Error::new(Code::NotFound, format!("there is no trigger `{name}`")))
}

pub(super) fn simulate(place: &Place, args: &Simulate, form: Form) -> Result<(), Error> {
    let from = args.from.unwrap_or_else(now);
    let to = args.to.unwrap_or_else(|| from.plus(WEEK));
    let read = Read::of(place)?;
    let run_time = args.run_time.map(|span| span.0).unwrap_or_default();
    let list = args.list.unwrap_or(match form {
        Form::Json => LIST,
        Form::Text => SCREEN,
    });
    let named = read.named(&args.names)?;
    let mut view = triggers::simulate(&named, &read.tasks()?, from, to, run_time, list)?;
    view.notes.extend(read.notes());
    print(&view, form, shown::simulation)
}

/// How the triggers stand, as far as it is stored.
pub(super) fn stored(place: &Place) -> Result<Vec<TriggerView>, Error> {
    let read = Read::of(place)?;
    triggers::stored(
        &read.loaded.definition.triggers,
        &read.loaded.trigger_places,
        read.reader.as_ref(),
        &read.tasks()?,
        now(),
    )
}

pub(super) fn stored_one(place: &Place, name: &str) -> Result<TriggerView, Error> {
    let read = Read::of(place)?;
    read.named(&[name.to_owned()])?;
    let all = stored(place)?;
    let found = all.into_iter().find(|trigger| trigger.name == name);
    found.ok_or_else(|| Error::new(Code::NotFound, format!("there is no trigger `{name}`")))
}
