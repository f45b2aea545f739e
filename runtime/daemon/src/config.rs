//! The configuration of a team: read from all its sources, checked as a whole, and turned into
//! the terms of the runtime.
//!
//! Layers, each over the one before: built-in defaults, the user's file, `worknode.toml` with
//! `plan.toml` beside it, variables `WORKNODE_SECTION__KEY`, flags. Tables are joined; a list
//! or a value of a higher layer takes the place of the lower. Triggers in files of their own
//! (`.worknode/triggers/`) come after those of the layers.
//!
//! ```text
//! sources  read and take apart, with positions      file, document
//!    ↓     check against the JSON Schema, and mend   schema, check
//! merge    one configuration out of the layers      model
//!    ↓
//! semantic what it means: names, programs, plan     profiles, definition
//! ```
//!
//! Every mistake in all sources is told at once, because a person who mends them one by one
//! gives up. So a mistake never stops the reading: what is wrong is noted and mended with
//! something harmless, and what the rest means is checked too. What was mended is thrown away:
//! where there is a mistake, nothing is started.

use std::sync::Arc;

use worknode_actors::definition::TeamDefinition;

mod advice;
mod check;
mod definition;
mod document;
mod file;
mod included;
mod leave_out;
mod merge;
mod mistake;
pub mod model;
mod path;
mod profiles;
mod reread;
mod schema;
mod semantic;
mod sources;
#[cfg(test)]
mod tests;

pub use advice::PlanAdvice;
pub use included::{TRIGGERS_FOLDER, file_of as triggers_file_of};
pub use leave_out::LeftOut;
pub use mistake::{ConfigErrors, KEPT, Mistake, Place};
pub use model::Config;
pub use profiles::FOLDER as PROFILES_FOLDER;
pub use reread::{Reread, reread};
pub use schema::{SchemaKind, schema};
pub use sources::{CONFIG_FILE, Overrides, PLAN_FILE, Pending, Sources};

use document::{Document, Origin};
use included::Included;
use leave_out::LeaveOut;
use mistake::Mistakes;
use path::Path;
use profiles::Profiles;
use semantic::{Problem, Problems, World};
use sources::Layers;

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says, all layers merged.
    pub config: Config,
    /// What it means.
    pub definition: TeamDefinition,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Mistake>,
    /// Where each trigger stands, in their order.
    pub trigger_places: Vec<Place>,
    /// Where it was read from, so that it can be read again.
    pub sources: Sources,
    /// Where each thing stands.
    documents: Arc<Vec<Document>>,
}

/// Stack for the reading. The TOML parser bounds the nesting of values and the length of dotted
/// keys to 80 each, but not their product, and walks it recursively: that is 6,400 levels of a
/// few hundred bytes, which is more than the two megabytes of an ordinary thread.
const STACK: usize = 64 * 1024 * 1024;

/// Reads the configuration from all its sources. Waits for the disk and for nothing else.
///
/// # Errors
/// Every mistake in all sources.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    load_without(sources, &LeaveOut::default()).map(|(loaded, _)| loaded)
}

/// The same without what is to be left out. Answers what that was, too.
fn load_without(sources: &Sources, leave_out: &LeaveOut) -> Result<(Loaded, Vec<LeftOut>), ConfigErrors> {
    on_large_stack(|| read_and_check(sources, leave_out))
}

fn on_large_stack<T: Send>(read: impl FnOnce() -> Result<T, ConfigErrors> + Send) -> Result<T, ConfigErrors> {
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new()
            .name("config".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, read);
        match reading.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => {
                let mut mistakes = Mistakes::default();
                mistakes.about_file(CONFIG_FILE, format!("cannot be read: no thread: {error}"), None);
                Err(mistakes.sorted())
            }
        }
    })
}

/// Reads the configuration as far as gates need it: agents, plan and triggers are read, and whether
/// they could be started here is not asked. A machine that only checks has none of their programs.
///
/// # Errors
/// Every mistake in the form of all sources, and in what the gates are told.
pub fn load_for_gates(sources: &Sources) -> Result<Config, ConfigErrors> {
    on_large_stack(|| {
        let mut mistakes = Mistakes::default();
        let dir = sources.dir.canonicalize().unwrap_or_else(|_| sources.dir.clone());
        let mut layers = sources::read(sources, &LeaveOut::default(), &mut mistakes);
        if !layers.readable || mistakes.is_full() {
            return Err(mistakes.sorted());
        }
        let Some(config) = merge::merge(&mut layers, &dir, &mut mistakes) else {
            return Err(mistakes.sorted());
        };
        let mut problems = Problems::beside(std::mem::take(&mut layers.checker.mended));
        semantic::gates_only(&config, &mut problems);
        for problem in problems.mistakes {
            mistakes.add(placed(problem, &layers.documents, &Included::default()));
        }
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(mistakes.sorted())
        }
    })
}

fn read_and_check(sources: &Sources, leave_out: &LeaveOut) -> Result<(Loaded, Vec<LeftOut>), ConfigErrors> {
    let mut mistakes = Mistakes::default();
    let dir = sources.dir.canonicalize().unwrap_or_else(|_| sources.dir.clone());
    let mut layers = sources::read(sources, leave_out, &mut mistakes);
    let mut included = Included::read(sources, leave_out, &mut mistakes);
    let profiles = Profiles::read(&dir, &mut mistakes);
    one_plan(&layers, &mut mistakes);
    // What one source says cannot be judged while another cannot be read at all; and after so
    // many mistakes nobody knows what was meant.
    if !layers.readable || !included.readable() || mistakes.is_full() {
        return Err(mistakes.sorted());
    }
    let Some(mut config) = merge::merge(&mut layers, &dir, &mut mistakes) else {
        return Err(mistakes.sorted());
    };
    let mut mended = std::mem::take(&mut layers.checker.mended);
    included.join(&mut config, &mut mended, &mut mistakes);
    let world = World {
        dir: &dir,
        search: sources.variable("PATH").unwrap_or_default(),
        sources,
        profiles: &profiles,
        included: &included,
    };
    let placed = |problem: Problem| placed(problem, &layers.documents, &included);
    let mut problems = Problems::beside(mended);
    let definition = semantic::understand(&config, &world, &mut problems);
    for problem in problems.mistakes {
        mistakes.add(placed(problem));
    }
    mistakes.leave_out(problems.left_out);
    if !mistakes.is_empty() {
        return Err(mistakes.sorted());
    }
    let mut warnings: Vec<Mistake> = problems.warnings.into_iter().map(placed).collect();
    warnings.sort();
    let triggers = 0..config.trigger.len();
    let place = |at| place(&format!("trigger[{at}]"), &layers.documents, &included).0;
    let left_out = layers.left_out.iter().chain(included.left_out());
    let left_out = left_out.cloned().collect();
    let loaded = Loaded {
        trigger_places: triggers.map(place).collect(),
        sources: sources.clone(),
        config,
        definition,
        warnings,
        documents: Arc::new(layers.documents),
    };
    Ok((loaded, left_out))
}

fn placed(problem: Problem, documents: &[Document], included: &Included) -> Mistake {
    let (place, key) = place(&problem.path, documents, included);
    Mistake {
        place,
        key,
        message: problem.message,
        hint: problem.hint,
    }
}

/// Where this path of the whole configuration stands, and what it is called there.
fn place(path: &str, documents: &[Document], included: &Included) -> (Place, String) {
    let parsed = Path::parse(path);
    included
        .placed(&parsed)
        .unwrap_or_else(|| (merge::place(documents, &parsed), path.to_owned()))
}

/// A plan may stand in one of the two files. In both, nobody would know which is worked.
fn one_plan(layers: &Layers, mistakes: &mut Mistakes) {
    let place = |wanted: &str| {
        layers.documents.iter().find_map(|document| {
            let is_it = matches!(&document.origin, Origin::File { name, .. } if name == wanted);
            let plan = document.root.get("phase").filter(|_| is_it)?;
            Some(document.origin.place(plan.at))
        })
    };
    if let (Some(_), Some(place)) = (place(CONFIG_FILE), place(PLAN_FILE)) {
        mistakes.add(Mistake {
            place,
            key: "phase".to_owned(),
            message: format!("there is a plan in {CONFIG_FILE} too"),
            hint: Some("keep one of the two".to_owned()),
        });
    }
}
