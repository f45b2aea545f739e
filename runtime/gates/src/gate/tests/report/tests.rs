use proptest::prelude::*;

use super::*;

fn numbers(written: &str) -> (Format, u64, u64, u64) {
    let report = read(written.as_bytes()).unwrap();
    (report.format, report.passed, report.failed, report.skipped)
}

#[test]
fn each_runner_is_understood() {
    let cargo = "running 3 tests\ntest a::b ... ok\ntest c ... ignored, slow\ntest d ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n";
    assert_eq!(numbers(cargo), (Format::Cargo, 1, 1, 1));
    let nextest = "    PASS [   0.004s] (1/2) my-crate tests::a\n    FAIL [   0.1s] my-crate tests::b\n     Summary [   0.2s] 2 tests run: 1 passed, 1 failed, 3 skipped\n";
    assert_eq!(numbers(nextest), (Format::Nextest, 1, 1, 3));
    let pytest = "tests/test_a.py::test_x PASSED [ 50%]\ntests/test_a.py::test_y SKIPPED (no) [100%]\n========= 1 passed, 1 skipped, 2 warnings in 0.03s =========\n";
    assert_eq!(numbers(pytest), (Format::Pytest, 1, 0, 1));
    assert_eq!(numbers("no tests ran in 0.01s\n"), (Format::Pytest, 0, 0, 0));
    assert_eq!(
        numbers("2 failed, 5 passed, 1 error in 1.20s\n"),
        (Format::Pytest, 5, 3, 0)
    );
    let go = "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- SKIP: TestA/x (0.00s)\nok  \texample.org/a\t0.01s\n";
    assert_eq!(numbers(go), (Format::Go, 1, 0, 1));
    assert_eq!(
        numbers("ok  \texample.org/a\t0.01s [no tests to run]\n"),
        (Format::Go, 0, 0, 0)
    );
    let json = "{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"TestA\"}\n{\"Action\":\"pass\",\"Package\":\"p\"}\n";
    assert_eq!(numbers(json), (Format::Go, 1, 0, 0));
    assert_eq!(
        numbers("1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no\n"),
        (Format::Tap, 1, 1, 1)
    );
    assert_eq!(numbers("1..5\nok 1 - a\n"), (Format::Tap, 1, 4, 0));
}

#[test]
fn junit_is_understood_and_half_of_it_is_not() {
    let whole = r#"<?xml version="1.0"?><testsuites><testsuite name="s" tests="3">
<testcase classname="a.B" name="c"/><testcase name="d"><failure message="x">y</failure></testcase>
<testcase name="e"><skipped/></testcase></testsuite></testsuites>"#;
    assert_eq!(numbers(whole), (Format::Junit, 1, 1, 1));
    assert!(read(whole.as_bytes()).unwrap().cases.contains_key("a.B::c"));
    for cut in [whole.len() - 5, whole.len() / 2, 60] {
        assert_eq!(read(&whole.as_bytes()[..cut]), None, "{cut}");
    }
    assert_eq!(read(b"<html><body>all tests passed</body></html>"), None);
}

#[test]
fn words_are_no_report() {
    for words in [
        "passed\n",
        "All tests passed!\n",
        "OK\n",
        "5 passed\n",
        "",
        "test result\n",
    ] {
        assert_eq!(read(words.as_bytes()), None, "{words:?}");
    }
}

proptest! {
    #[test]
    fn p8_no_bytes_make_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&bytes);
    }

    #[test]
    fn p8_no_text_makes_a_panic(text in "(<testcase|<testsuite>|name=\"|1\\.\\.|ok |not ok |test | \\.\\.\\. ok|--- PASS: |\n|[a-z<>/\"]){0,60}") {
        let _ = read(text.as_bytes());
    }
}
