//! Event types that tell of the other outcome.

/// Last words of event types that tell of a good end.
const GOOD: [&str; 5] = ["succeeded", "completed", "passed", "approved", "recovered"];
/// Last words of event types that tell of a bad end.
const BAD: [&str; 4] = ["failed", "rejected", "crashed", "broken"];

/// True when both types are of one family, which is all but the last word, and one tells of a
/// good end and the other of a bad one: `compilation_failed` and `compilation_succeeded`.
pub(super) fn is_opposite(one: &str, other: &str) -> bool {
    let (Some((family, end)), Some((other_family, other_end))) = (split(one), split(other)) else {
        return false;
    };
    family == other_family && opposites_of(end).contains(&other_end)
}

/// All types that are opposites of this one, however their last word is joined.
pub(super) fn opposites(kind: &str) -> impl Iterator<Item = String> {
    let (family, ends) = split(kind).map_or(("", &[][..]), |(family, end)| (family, opposites_of(end)));
    ends.iter()
        .flat_map(move |end| JOINS.map(|join| format!("{family}{join}{end}")))
}

/// What stands before the last word.
const JOINS: [char; 3] = ['_', '.', '-'];

fn split(kind: &str) -> Option<(&str, &str)> {
    kind.rsplit_once(JOINS)
}

fn opposites_of(end: &str) -> &'static [&'static str] {
    if GOOD.contains(&end) {
        &BAD
    } else if BAD.contains(&end) {
        &GOOD
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposites_are_of_one_family() {
        assert!(is_opposite("compilation_failed", "compilation_succeeded"));
        assert!(is_opposite("gate.passed", "gate.failed"));
        assert!(!is_opposite("compilation_failed", "tests_succeeded"));
        assert!(!is_opposite("compilation_failed", "compilation_started"));
        assert!(!is_opposite("failed", "succeeded"));
    }

    #[test]
    fn all_opposites_can_be_listed() {
        let listed: Vec<String> = opposites("gate.failed").collect();
        assert_eq!(listed.len(), GOOD.len() * JOINS.len());
        assert!(listed.iter().all(|kind| is_opposite("gate.failed", kind)));
        assert_eq!(opposites("hour_passed_by").count(), 0);
    }
}
