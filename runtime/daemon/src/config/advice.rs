//! What a plan without mistakes brings to mind, with its places.

use worknode_core::time::Timestamp;
use worknode_policies::plan::{
    Plan, Problem,
    advice::{Around, advise},
};

use super::{Loaded, Mistake, merge, path::Path};

/// What is probably not meant in a plan, and what it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanAdvice {
    /// What is probably not meant: with file, line and advice.
    pub warnings: Vec<Mistake>,
    /// Files of the repository that no task may touch.
    pub untouched: usize,
    /// The first of them.
    pub first_untouched: Vec<String>,
    /// Not all files were compared with all tasks: there are too many.
    pub incomplete: bool,
}

impl Loaded {
    /// Looks at the plan beside these files of the repository.
    #[must_use]
    pub fn plan_advice(&self, files: &[String], now: Timestamp) -> PlanAdvice {
        let plan = Plan {
            phase: self.config.phase.clone(),
        };
        let advice = advise(&plan, Around { files, now });
        let place = |problem: Problem| Mistake {
            place: merge::place(&self.documents, &Path::parse(&problem.path)),
            key: problem.path,
            message: problem.message,
            hint: problem.hint,
        };
        let mut warnings: Vec<Mistake> = advice.warnings.into_iter().map(place).collect();
        warnings.sort();
        PlanAdvice {
            warnings,
            untouched: advice.untouched,
            first_untouched: advice.first_untouched,
            incomplete: advice.incomplete,
        }
    }
}
