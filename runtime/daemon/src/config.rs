//! The configuration of a team: read from all its sources, checked as a whole, and turned into
//! the terms of the runtime.
//!
//! Layers, each over the one before: built-in defaults, the user's file, `worknode.toml` with
//! `plan.toml` beside it, variables `WORKNODE_SECTION__KEY`, flags. Tables are joined; a list
//! or a value of a higher layer takes the place of the lower.
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

use worknode_actors::definition::TeamDefinition;

mod check;
mod definition;
mod document;
mod file;
mod merge;
mod mistake;
pub mod model;
mod path;
mod profiles;
mod schema;
mod semantic;
mod sources;
#[cfg(test)]
mod tests;

pub use mistake::{ConfigErrors, KEPT, Mistake, Place};
pub use model::Config;
pub use profiles::FOLDER as PROFILES_FOLDER;
pub use schema::{SchemaKind, schema};
pub use sources::{CONFIG_FILE, Overrides, PLAN_FILE, Sources};

use document::{Document, Origin};
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
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new()
            .name("config".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, || read_and_check(sources));
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

fn read_and_check(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let mut mistakes = Mistakes::default();
    let dir = sources.dir.canonicalize().unwrap_or_else(|_| sources.dir.clone());
    let mut layers = sources::read(sources, &mut mistakes);
    let profiles = Profiles::read(&dir, &mut mistakes);
    one_plan(&layers, &mut mistakes);
    // What one source says cannot be judged while another cannot be read at all; and after so
    // many mistakes nobody knows what was meant.
    if !layers.readable || mistakes.is_full() {
        return Err(mistakes.sorted());
    }
    let Some(config) = merge::merge(&mut layers, &dir, &mut mistakes) else {
        return Err(mistakes.sorted());
    };
    let world = World {
        dir: &dir,
        search: sources.variable("PATH").unwrap_or_default(),
        sources,
        profiles: &profiles,
    };
    let mut problems = Problems::beside(std::mem::take(&mut layers.checker.mended));
    let definition = semantic::understand(&config, &world, &mut problems);
    for problem in problems.mistakes {
        mistakes.add(placed(problem, &layers.documents));
    }
    mistakes.leave_out(problems.left_out);
    if !mistakes.is_empty() {
        return Err(mistakes.sorted());
    }
    let mut warnings: Vec<Mistake> = problems
        .warnings
        .into_iter()
        .map(|problem| placed(problem, &layers.documents))
        .collect();
    warnings.sort();
    Ok(Loaded {
        config,
        definition,
        warnings,
    })
}

fn placed(problem: Problem, documents: &[Document]) -> Mistake {
    Mistake {
        place: merge::place(documents, &Path::parse(&problem.path)),
        key: problem.path,
        message: problem.message,
        hint: problem.hint,
    }
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
