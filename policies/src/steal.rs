//! When an idle team may take tasks of a busy one.

/// May a team with `own` ready tasks take one of a team that has `theirs`, when it is told to take
/// `above` so many only? Never while it has work of its own, and never so much that the other would
/// stand idle.
#[must_use]
pub const fn may_take(own: usize, theirs: usize, above: usize) -> bool {
    own == 0 && theirs > above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_idle_take_and_only_what_is_too_much() {
        assert!(may_take(0, 9, 8));
        assert!(!may_take(0, 8, 8), "what is left is for those who are there");
        assert!(!may_take(1, 100, 8), "own work comes first");
        assert!(!may_take(0, 0, 0), "nothing to take");
    }
}
