//! What gates found in the work of several together, as each of them hears it.
//!
//! A finding in a file belongs to those who changed the file. One that names no file, or a file that
//! nobody changed, may come of anybody's work: all hear it. So nothing that was found is lost, and
//! nobody is told off for a file that only another has touched.

use std::collections::BTreeSet;

use worknode_core::verdict::Finding;

/// The files that each of a group changed, in the order of the group.
pub type Changed = [BTreeSet<String>];

/// The findings that are the business of the one at place `own`.
#[must_use]
pub fn own(findings: &[Finding], changed: &Changed, own: usize) -> Vec<Finding> {
    let concerns = |finding: &&Finding| {
        let those = who(finding, changed);
        those.is_empty() || those.contains(&own)
    };
    findings.iter().filter(concerns).cloned().collect()
}

/// Who is at fault, by place: everybody who changed a file in which something was found that fails.
/// Nobody when something failed that is about no file of theirs: then it has to be found out.
#[must_use]
pub fn at_fault(findings: &[Finding], changed: &Changed) -> BTreeSet<usize> {
    let mut guilty = BTreeSet::new();
    for finding in findings.iter().filter(|finding| finding.weight.fails()) {
        let those = who(finding, changed);
        if those.is_empty() {
            return BTreeSet::new();
        }
        guilty.extend(those);
    }
    guilty
}

fn who(finding: &Finding, changed: &Changed) -> BTreeSet<usize> {
    let Some(file) = &finding.file else {
        return BTreeSet::new();
    };
    let touched = changed
        .iter()
        .enumerate()
        .filter(|(_, files)| files.contains(file));
    touched.map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use worknode_core::verdict::Weight;

    use super::*;

    fn finding(file: Option<u8>, fails: bool) -> Finding {
        Finding {
            file: file.map(|file| file.to_string()),
            weight: if fails { Weight::Error } else { Weight::Warning },
            ..Finding::new("a.b", "it is so")
        }
    }

    fn files(of: &[&[u8]]) -> Vec<BTreeSet<String>> {
        let each = |files: &&[u8]| files.iter().map(ToString::to_string).collect();
        of.iter().map(each).collect()
    }

    #[test]
    fn each_hears_of_its_own_files_and_of_what_is_nobody_s() {
        let changed = files(&[&[1, 2], &[2], &[3]]);
        let found = [
            finding(Some(1), false),
            finding(Some(2), true),
            finding(Some(9), false),
            finding(None, false),
        ];
        let heard = |at| {
            let own = own(&found, &changed, at);
            own.into_iter().map(|finding| finding.file).collect::<Vec<_>>()
        };
        let file = |name: &str| Some(name.to_owned());
        assert_eq!(heard(0), [file("1"), file("2"), file("9"), None]);
        assert_eq!(heard(1), [file("2"), file("9"), None]);
        assert_eq!(heard(2), [file("9"), None]);
    }

    #[test]
    fn only_what_fails_is_anybody_s_fault() {
        let changed = files(&[&[1], &[2], &[3]]);
        let fault = |found: &[Finding]| at_fault(found, &changed).into_iter().collect::<Vec<_>>();
        assert_eq!(fault(&[finding(Some(2), true), finding(Some(1), false)]), [1]);
        assert_eq!(fault(&[finding(Some(2), true), finding(Some(3), true)]), [1, 2]);
        assert!(fault(&[finding(Some(2), true), finding(None, true)]).is_empty());
        assert!(fault(&[finding(Some(9), true)]).is_empty());
        assert!(fault(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn p3_nothing_that_was_found_is_lost_and_a_pass_stays_a_pass(
            changed in prop::collection::vec(prop::collection::btree_set(0_u8..6, 0..4), 1..6),
            found in prop::collection::vec((prop::option::of(0_u8..8), any::<bool>()), 0..12),
        ) {
            let changed: Vec<BTreeSet<String>> = changed
                .iter()
                .map(|files| files.iter().map(ToString::to_string).collect())
                .collect();
            let found: Vec<Finding> = found.iter().map(|(file, fails)| finding(*file, *fails)).collect();
            let heard: Vec<Vec<Finding>> = (0..changed.len()).map(|at| own(&found, &changed, at)).collect();
            for finding in &found {
                prop_assert!(heard.iter().any(|own| own.contains(finding)));
            }
            let fails = |findings: &[Finding]| findings.iter().any(|finding| finding.weight.fails());
            prop_assert_eq!(fails(&found), heard.iter().any(|own| fails(own)));
            for at in at_fault(&found, &changed) {
                prop_assert!(fails(&heard[at]));
            }
        }
    }
}
