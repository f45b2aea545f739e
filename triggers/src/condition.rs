//! Conditions in CEL, and the names that each may use.

use std::sync::{Arc, LazyLock};

use worknode_query::{EvalError, Facts, Predicate, QueryError, Scope, Shape};

/// A checked condition. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Arc<Predicate>);

// Equal when they say the same, which is an equivalence.
impl Eq for Condition {}

impl Condition {
    /// Reads and checks a condition.
    ///
    /// # Errors
    /// [`QueryError`] says what is wrong, where, and what was probably meant.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, QueryError> {
        Predicate::compile(source, scope).map(|predicate| Self(Arc::new(predicate)))
    }

    /// Does it hold? What it asks for and is not there makes it false.
    ///
    /// # Errors
    /// [`EvalError`] when it costs too much on these facts, or does not fit their types.
    pub fn holds(&self, facts: &Facts) -> Result<bool, EvalError> {
        self.0.matches(facts)
    }

    /// Does it use that name of its scope?
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        self.0.uses(name)
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        self.0.source()
    }
}

/// `event`, `node`, `agent` and `now`: for triggers that watch events.
#[must_use]
pub fn event_scope() -> &'static Scope {
    static SCOPE: LazyLock<Scope> = LazyLock::new(Scope::event);
    &SCOPE
}

/// The names of a task, and `now`: for tasks of a ladder.
#[must_use]
pub fn task_scope() -> &'static Scope {
    static SCOPE: LazyLock<Scope> = LazyLock::new(Scope::node);
    &SCOPE
}

/// `agent` and `now`: for choosing agents.
#[must_use]
pub fn agent_scope() -> &'static Scope {
    static SCOPE: LazyLock<Scope> = LazyLock::new(|| {
        let agent = Shape::Record(Scope::node());
        Scope::empty().with("agent", agent, "an agent of the team").with(
            "now",
            Shape::Time,
            "the present instant",
        )
    });
    &SCOPE
}
