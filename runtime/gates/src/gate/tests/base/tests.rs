use super::{super::read, *};
use crate::testing::change;

/// A run of these tests; one that ends with `!` was skipped.
fn ran(names: &[&str]) -> Report {
    let mut tap = format!("1..{}\n", names.len());
    for name in names {
        tap.push_str(&match name.strip_suffix('!') {
            Some(name) => format!("ok - {name} # SKIP\n"),
            None => format!("ok - {name}\n"),
        });
    }
    read(tap.as_bytes()).unwrap()
}

/// What is found in a change of files whose tests ran so. Each file says what it held and holds,
/// and whether the plan lets it go.
fn found(files: &[(&str, &str, &str, bool)], base: &[&str], now: &[&str]) -> Vec<Finding> {
    let plain: Vec<_> = files
        .iter()
        .map(|(path, before, after, _)| (*path, *before, *after))
        .collect();
    let mut change = change(&plain);
    let may_go = files.iter().filter(|(.., may_go)| *may_go);
    change.may_go = may_go.map(|(path, ..)| (*path).to_owned()).collect();
    compare(&change, &ran(now), &Counted::Ran(ran(base)))
}

fn told(findings: &[Finding]) -> Vec<(&str, bool)> {
    let one = |finding: &'_ Finding| finding.severity == Severity::Error;
    findings
        .iter()
        .map(|finding| (finding.rule.as_str(), one(finding)))
        .collect()
}

#[test]
fn p3_those_that_do_not_run_any_more_are_named() {
    let many: Vec<String> = (0..30).map(|nth| format!("test {nth}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let findings = found(&[("run.sh", "all", "one", false)], &many, &many[..1]);
    assert_eq!(told(&findings), [("tests.fewer", true)]);
    let message = &findings[0].message;
    assert!(
        message.contains("`test 1`") && message.ends_with("and 9 more"),
        "{message}"
    );
}

#[test]
fn p3_a_test_that_is_called_otherwise_is_no_test_less() {
    assert_eq!(found(&[], &["a", "b"], &["a", "c"]), []);
    assert_eq!(
        told(&found(&[], &["a", "b", "c"], &["a", "d"])),
        [("tests.fewer", true)]
    );
}

#[test]
fn p3_skipped_ones_do_not_run_and_are_told_once() {
    assert_eq!(
        told(&found(&[], &["a", "b"], &["a", "b!"])),
        [("tests.skipped", true)]
    );
    assert_eq!(found(&[], &["a", "b!"], &["a", "b!"]), []);
    assert_eq!(
        found(&[], &["a"], &["a", "new!"]),
        [],
        "one that never ran is not skipped anew"
    );
}

#[test]
fn what_the_plan_lets_go_may_go_and_nothing_else() {
    let files = |may_go| [("t/a.sh", "check a_test", "", may_go), ("run.sh", "b", "", false)];
    let (base, now) = (["a_test", "b_test"], ["b_test"]);
    assert_eq!(found(&files(true), &base, &now), []);
    assert_eq!(told(&found(&files(false), &base, &now)), [("tests.fewer", true)]);
    let findings = found(&files(true), &base, &[]);
    assert_eq!(told(&findings), [("tests.fewer", true)]);
    assert!(!findings[0].message.contains("a_test"), "{findings:?}");
    // `a` stands in no file by itself.
    assert_eq!(
        told(&found(&files(true), &["a", "b"], &["b"])),
        [("tests.fewer", true)]
    );
    assert_eq!(found(&files(true), &base, &["a_test!", "b_test"]), []);
}

#[test]
fn when_every_changed_file_may_go_so_may_every_test() {
    let files = [("table.csv", "1\n2\n", "1\n", true), ("src/a.rs", "a", "b", true)];
    assert_eq!(found(&files, &["row 1", "row 2"], &["row 1"]), []);
}

#[test]
fn without_names_numbers_decide_as_far_as_they_can() {
    let plain = |count: u32| read(format!("{count} passed in 0.1s\n").as_bytes()).unwrap();
    let base = Counted::Ran(plain(5));
    let mut change = change(&[("test_x.py", "def test_a():\n    f()\n", ""), ("b.py", "1", "2")]);
    assert_eq!(told(&compare(&change, &plain(4), &base)), [("tests.fewer", true)]);
    change.may_go.insert("test_x.py".to_owned());
    assert_eq!(
        told(&compare(&change, &plain(4), &base)),
        [("tests.fewer", false)]
    );
    assert_eq!(compare(&change, &plain(5), &base), []);
}

#[test]
fn a_base_that_nobody_could_count_is_told_and_fails_nothing() {
    let findings = compare(&change(&[]), &ran(&[]), &Counted::Not("it has no tests".into()));
    assert_eq!(told(&findings), [("tests.uncompared", false)]);
    assert!(findings[0].message.contains("it has no tests"));
    assert!(!misses(&change(&[]), &ran(&[]), &Counted::Not(String::new())));
    assert!(misses(
        &change(&[]),
        &ran(&["a"]),
        &Counted::Ran(ran(&["a", "b"]))
    ));
}
