//! The gates: checks that the runtime itself makes on a named tree.
//!
//! A gate reads what git and the runtime produced, never what an agent says. What is here is
//! the judging; getting the changes and running the commands is done elsewhere.

pub mod plan_gate;
pub mod tests_gate;

use crate::names;

/// The gate that compares what changed with what the plan names. Every task has it.
pub const PLAN: &str = "plan";
/// The gate that runs the team's own test command on the tree.
pub const TESTS: &str = "tests";
/// The gate that looks at the licences of added dependencies.
pub const LICENCE: &str = "licence";

/// The gates that come with the program. A team may have others of its own.
pub const GATES: [&str; 9] = [
    PLAN,
    TESTS,
    "complexity",
    "coverage",
    "docs",
    "power-of-ten",
    "secrets",
    "size",
    "licence",
];

/// There is no such gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no gate `{name}`")]
pub struct UnknownGate {
    /// As written.
    pub name: String,
    /// What to do instead.
    pub hint: String,
}

/// Checks that `name` is one of `known`.
///
/// # Errors
/// [`UnknownGate`] with advice.
pub fn check_name(name: &str, known: &[&str]) -> Result<(), UnknownGate> {
    if known.contains(&name) {
        return Ok(());
    }
    let hint = if let Some(near) = names::nearest(name, known.iter().copied()) {
        format!("did you mean `{near}`?")
    } else {
        format!("there are: {}", known.join(", "))
    };
    Err(UnknownGate {
        name: name.to_owned(),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_gates_come_with_advice() {
        let gates = [PLAN, TESTS];
        let hint = |name| check_name(name, &gates).unwrap_err().hint;
        assert!(check_name("plan", &gates).is_ok());
        assert_eq!(hint("test"), "did you mean `tests`?");
        assert_eq!(hint("beauty"), "there are: plan, tests");
    }
}
