//! Each rule, broken and kept. What is here is about files; see `tests/report` and
//! `coverage/read` for what tools write.

use std::collections::BTreeMap;

use worknode_core::time::Timestamp;
use worknode_policies::change::ChangeKind;

use super::*;
use crate::{
    change::{ChangeSet, Content, File},
    finding::{Finding, Measure, Severity},
    judge::{Profiles, of_files, settle},
    settings::{self, All, PathProfile, Waiver},
    testing::{change, of_kind},
};

fn rules(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule.as_str()).collect()
}

fn complexity_of(change: &ChangeSet) -> Vec<Finding> {
    complexity::judge(change, &settings::Complexity::default(), &Profiles::default())
}

/// A function of Python with so many ways.
fn python(name: &str, ways: u32) -> String {
    let ifs: String = (1..ways)
        .map(|n| format!("    if a == {n}:\n        return {n}\n"))
        .collect();
    format!("def {name}(a):\n    \"\"\"Says.\"\"\"\n{ifs}    return 0\n")
}

#[test]
fn a_function_has_at_most_eight_ways() {
    assert_eq!(complexity_of(&change(&[("a.py", "", &python("f", 8))])), []);
    let found = complexity_of(&change(&[("a.py", "", &python("f", 9))]));
    assert_eq!(rules(&found), ["complexity.cyclomatic"]);
    assert_eq!(
        (found[0].measured, found[0].limit),
        (Some(Measure::Count(9)), Some(Measure::Count(8)))
    );
    assert_eq!(
        (found[0].line, found[0].function.as_deref()),
        (Some(1), Some("f"))
    );
}

#[test]
fn only_what_the_change_touches_is_measured() {
    let old = python("old", 20);
    let with_new = format!("{old}\n{}", python("new", 20));
    let found = complexity_of(&change(&[("a.py", &old, &with_new)]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].function.as_deref(), Some("new"));
    // Moving a function to another file does not touch it.
    assert_eq!(
        complexity_of(&change(&[("a.py", &old, "x = 1\n"), ("b.py", "", &old)])),
        []
    );
}

#[test]
fn p3_a_new_name_does_not_hide_what_grew() {
    let found = complexity_of(&change(&[("a.py", &python("f", 20), &python("g", 21))]));
    assert_eq!(found[0].measured, Some(Measure::Count(21)));
    assert_eq!(
        complexity_of(&change(&[("a.py", &python("f", 20), &python("g", 20))])).len(),
        1
    );
}

#[test]
fn p3_a_comment_silences_nothing() {
    let body = python("f", 12);
    for silence in [
        "# noqa",
        "# noqa: C901",
        "# pylint: disable=all",
        "# lizard forgives",
        "# type: ignore",
        "#lint:skip",
    ] {
        let text = format!(
            "{silence}\n{}",
            body.replacen(":\n", &format!(":  {silence}\n"), 1)
        );
        assert_eq!(
            rules(&complexity_of(&change(&[("a.py", "", &text)]))),
            ["complexity.cyclomatic"],
            "{silence}"
        );
    }
    let rust = "#[allow(clippy::all)]\n// NOLINT\npub fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) {}\n";
    assert_eq!(
        rules(&complexity_of(&change(&[("a.rs", "", rust)]))),
        ["complexity.parameters"]
    );
    assert_eq!(
        rules(&docs::judge(&change(&[("a.rs", "", rust)]))),
        ["docs.function"]
    );
}

#[test]
fn length_and_nesting_have_limits() {
    let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(60));
    assert_eq!(
        rules(&complexity_of(&change(&[("a.rs", "", &long)]))),
        ["complexity.length"]
    );
    let deep = "void f(int a) { if (a) { for (;;) { while (a) { if (a) { do { a--; } while (a); } } } } }";
    assert_eq!(
        rules(&complexity_of(&change(&[("a.c", "", deep)]))),
        ["complexity.nesting"]
    );
}

#[test]
fn p3_what_cannot_be_read_is_told() {
    let junk = format!("fn f() {{}}\n{}", "%% $ ) ( } {{ ;;\n".repeat(40));
    let found = complexity_of(&change(&[("a.rs", "", &junk)]));
    assert!(
        found
            .iter()
            .any(|f| f.rule == "complexity.unread" && f.severity == Severity::Warning)
    );
    let huge = "x = 1\n".repeat(500_000);
    let found = complexity_of(&change(&[("a.py", "", &huge)]));
    assert_eq!(rules(&found), ["complexity.unread"]);
    assert!(found[0].fails());
}

#[test]
fn public_things_are_documented() {
    let before = "/// A.\npub fn a() {}\n\npub fn b() {}\n";
    assert_eq!(docs::judge(&change(&[("a.rs", before, before)])), []);
    let bare = before.replace("/// A.\n", "");
    let found = docs::judge(&change(&[("a.rs", before, &bare)]));
    assert_eq!((found.len(), found[0].function.as_deref()), (1, Some("a")));
    let header = "#include \"list.h\"\nint list(void) { return 0; }\n";
    assert_eq!(docs::judge(&change(&[("src/list.c", "", header)])), []);
    assert_eq!(
        rules(&docs::judge(&change(&[("src/other.c", "", header)]))),
        ["docs.function"]
    );
    assert_eq!(
        rules(&docs::judge(&change(&[("a.py", "", "import b\n")]))),
        ["docs.module"]
    );
    assert_eq!(
        docs::judge(&change(&[
            ("_a.py", "", "import b\n"),
            ("b/__init__.py", "", "\n")
        ])),
        []
    );
}

#[test]
fn large_changes_and_files_are_told() {
    let told = settings::Size::default();
    let many = "x\n".repeat(801);
    assert_eq!(
        rules(&size::judge(&change(&[("a.txt", "", &many)]), &told)),
        ["size.change"]
    );
    assert_eq!(
        size::judge(&change(&[("a.txt", "", &"x\n".repeat(800))]), &told),
        []
    );
    let mut big = change(&[("a.bin", "", "x")]);
    big.files[0].after = Content::TooLarge { bytes: 9_000_000 };
    assert_eq!(rules(&size::judge(&big, &told)), ["size.file"]);
}

#[test]
fn p3_a_binary_under_the_name_of_a_text_is_told() {
    let as_file = |path: &str| ChangeSet {
        files: vec![File::new(
            of_kind(path, ChangeKind::Added),
            Content::Nothing,
            Content::of_bytes(b"def f():\0".to_vec()),
        )],
        ..ChangeSet::default()
    };
    let told = settings::Size::default();
    assert_eq!(rules(&size::judge(&as_file("a.py"), &told)), ["size.binary"]);
    assert_eq!(size::judge(&as_file("a.png"), &told), []);
}

#[test]
fn secrets_are_found_and_not_repeated() {
    let token = format!("ghp_{}", "a1B2".repeat(10));
    let lines = [
        format!("token = '{token}'"),
        "-----BEGIN RSA PRIVATE KEY-----".to_owned(),
        "AWS = \"AKIAIOSFODNN7ABCDEFG\"".to_owned(),
        "password: \"hV7#kP2q9Zx!m4\"".to_owned(),
    ];
    for line in &lines {
        let found = secrets::judge(&change(&[("a.cfg", "x\n", &format!("x\n{line}\n"))]));
        assert_eq!((found.len(), found[0].line), (1, Some(2)), "{line}");
        assert!(!found[0].message.contains(&token));
    }
    for harmless in [
        "password = \"changeme\"",
        "password: \"${SECRET}\"",
        "secret = os.environ['X']",
        "api_key = 'your-key-here'",
    ] {
        assert_eq!(
            secrets::judge(&change(&[("a.cfg", "", harmless)])),
            [],
            "{harmless}"
        );
    }
    assert_eq!(secrets::judge(&change(&[("a.cfg", &lines[0], &lines[0])])), []);
}

#[test]
fn p9_paths_that_no_change_may_touch() {
    let at = |path: &str| rules(&paths::judge(&change(&[(path, "", "x")]))).join(" ");
    assert_eq!(at("src/a.rs"), "");
    assert_eq!(at(".git/hooks/pre-commit"), "plan.protected");
    assert_eq!(at("a/.Worknode/x"), "plan.protected");
    let link = |path: &str, target: &str| {
        let mut change = change(&[(path, "", "x")]);
        change.files[0].after = Content::Link(target.to_owned());
        rules(&paths::judge(&change)).join(" ")
    };
    assert_eq!(link("a/b", "../c"), "");
    for out in ["../../c", "/etc/passwd", "../.git/config", "c/../../../d"] {
        assert_eq!(link("a/b", out), "plan.link", "{out}");
    }
}

#[test]
fn p9_paths_that_differ_only_in_case_are_one_on_many_machines() {
    let mut twins = change(&[("Src/b.rs", "", "x")]);
    twins.tree = vec!["src/a.rs".into(), "Src/b.rs".into()];
    assert_eq!(rules(&paths::judge(&twins)), ["plan.twin"]);
    let mut makefile = change(&[("makefile", "", "x")]);
    makefile.tree = vec!["Makefile".into(), "makefile".into()];
    assert_eq!(rules(&paths::judge(&makefile)), ["plan.twin"]);
    let mut alone = change(&[("src/b.rs", "", "x")]);
    alone.tree = vec!["src/a.rs".into(), "src/b.rs".into()];
    assert_eq!(paths::judge(&alone), []);
}

fn power(path: &str, text: &str) -> Vec<String> {
    let found = power::judge(&change(&[(path, "", text)]), &settings::PowerOfTen::default());
    let rule = |finding: Finding| finding.rule.trim_start_matches("power-of-ten.").to_owned();
    let mut rules: Vec<String> = found
        .into_iter()
        .map(rule)
        .filter(|rule| rule != "assertions")
        .collect();
    rules.dedup();
    rules
}

#[test]
fn recursion_is_found_in_every_language() {
    let cases = [
        (
            "a.c",
            "int f(int n) { return f(n - 1); }",
            "int f(int n) { return g(n); }",
        ),
        (
            "a.cpp",
            "class A { int f() { return f(); } };",
            "class A { int f() { return b.f(); } };",
        ),
        (
            "a.rs",
            "impl A { fn f(&self) { self.f(); } }",
            "impl A { fn f(&self) { self.inner.f(); } }",
        ),
        (
            "a.py",
            "class A:\n    def f(self):\n        self.f()\n",
            "class A:\n    def f(self):\n        self.b.f()\n",
        ),
        ("a.js", "function f() { f() }", "function f() { b.f() }"),
        (
            "a.ts",
            "class A { f() { this.f() } }",
            "class A { f() { super.f() } }",
        ),
        (
            "a.go",
            "package a\nfunc f() { f() }\n",
            "package a\nfunc f() { b.f() }\n",
        ),
        (
            "A.java",
            "class A { void f() { f(); } }",
            "class A { void f() { b.f(); } }",
        ),
    ];
    for (path, recursive, not) in cases {
        assert_eq!(power(path, recursive), ["recursion"], "{path}");
        assert_eq!(power(path, not), [] as [String; 0], "{path}");
    }
    assert_eq!(
        power(
            "a.rs",
            "fn a() { b() }\nfn b() { c() }\nfn c() { a() }\nfn d() { a() }\n"
        ),
        ["recursion"]
    );
    let both = change(&[
        ("a.c", "", "void a(void) { b(); }"),
        ("b.c", "", "void b(void) { a(); }"),
    ]);
    assert_eq!(power::judge(&both, &settings::PowerOfTen::default()).len(), 2);
}

#[test]
fn loops_without_a_bound_are_found_in_every_language() {
    let cases = [
        (
            "a.c",
            "void f(void) { for (;;) {} }",
            "void f(void) { for (int i = 0; i < 9; i++) {} while (a < 3) {} }",
        ),
        (
            "a.cpp",
            "void f() { while (true) {} }",
            "void f() { for (auto a : b) {} }",
        ),
        (
            "a.rs",
            "fn f() { loop {} }",
            "fn f() { for a in b {} while a < 3 {} }",
        ),
        (
            "a.py",
            "def f():\n    while True:\n        pass\n",
            "def f():\n    for a in b:\n        pass\n",
        ),
        (
            "a.js",
            "function f() { while (a) {} }",
            "function f() { for (const a of b) {} for (let i = 0; i < 3; i++) {} }",
        ),
        (
            "a.ts",
            "function f() { do {} while (true) }",
            "function f() { while (a !== 3) {} }",
        ),
        (
            "a.go",
            "package a\nfunc f() { for {} }\n",
            "package a\nfunc f() { for i := range a {}\nfor i := 0; i < 3; i++ {}\n}\n",
        ),
        (
            "A.java",
            "class A { void f() { for (;;) {} } }",
            "class A { void f() { for (B b : c) {} } }",
        ),
    ];
    for (path, endless, bounded) in cases {
        assert_eq!(power(path, endless), ["loops"], "{path}");
        assert_eq!(power(path, bounded), [] as [String; 0], "{path}");
    }
}

#[test]
fn jumps_late_memory_and_lost_results_are_found() {
    assert_eq!(
        power("a.c", "void f(void) { if (setjmp(b)) goto end; end: ; }"),
        ["flow"]
    );
    assert_eq!(
        power("a.c", "void f(void) { char *p = malloc(3); }"),
        ["allocation"]
    );
    assert_eq!(
        power("a.c", "void buffer_init(void) { char *p = malloc(3); }"),
        [] as [String; 0]
    );
    assert_eq!(power("a.cpp", "void f() { auto p = new A; }"), ["allocation"]);
    assert_eq!(power("a.c", "void f(void) { fwrite(a, 1, 1, b); }"), ["results"]);
    assert_eq!(
        power("a.c", "int f(void) { return fwrite(a, 1, 1, b); }"),
        [] as [String; 0]
    );
    assert_eq!(power("a.rs", "fn f() { let _ = g(); }"), ["results"]);
    assert_eq!(power("a.rs", "fn f() { g().ok(); }"), ["results"]);
    assert_eq!(power("a.go", "package a\nfunc f() { _ = g() }\n"), ["results"]);
    assert_eq!(
        power(
            "a.go",
            "package a\nfunc g() error { return nil }\nfunc f() { g() }\n"
        ),
        ["results"]
    );
    assert_eq!(
        power("A.java", "class A { void f() { file.delete(); } }"),
        ["results"]
    );
    assert_eq!(
        power("a.ts", "async function g() {}\nfunction f() { g() }"),
        ["results"]
    );
    assert_eq!(
        power("a.ts", "async function g() {}\nasync function f() { await g() }"),
        [] as [String; 0]
    );
}

#[test]
fn two_assertions_are_wanted_of_functions_of_some_length() {
    let told = settings::PowerOfTen::default();
    let long = |inner: &str| format!("fn f() {{\n{inner}{}}}\n", "    g();\n".repeat(10));
    let found = power::judge(&change(&[("a.rs", "", &long("    assert!(a);\n"))]), &told);
    assert_eq!(rules(&found), ["power-of-ten.assertions"]);
    assert_eq!(
        power::judge(
            &change(&[(
                "a.rs",
                "",
                &long("    assert!(a);\n    debug_assert_eq!(b, c);\n")
            )]),
            &told
        ),
        []
    );
    let off = settings::PowerOfTen {
        off: BTreeMap::from([(crate::code::Language::Rust, vec![settings::PowerRule::Assertions])]),
        ..told
    };
    assert_eq!(power::judge(&change(&[("a.rs", "", &long(""))]), &off), []);
}

#[test]
fn conditions_see_the_facts_of_the_change() {
    let of = |require: &str| settings::RuleGate {
        require: require.to_owned(),
        message: None,
        severity: Severity::Error,
        hint: None,
    };
    let change = change(&[("src/a.rs", "", "fn f() {}\n"), ("b.md", "x\n", "")]);
    for holds in [
        "change.lines_added == 1",
        "change.files.exists(f, f.startsWith('src/'))",
        "change.deleted == ['b.md']",
        "'Rust' in change.languages",
    ] {
        assert_eq!(rule::judge("r", &of(holds), &change), [], "{holds}");
    }
    for not in [
        "change.files_changed < 2",
        "change.complexity_max > 5",
        "change.nothing == 1",
        "1 +",
    ] {
        assert_eq!(rules(&rule::judge("r", &of(not), &change)), ["r.rule"], "{not}");
    }
}

fn command(answer: settings::Answer) -> settings::CommandGate {
    settings::CommandGate {
        command: vec!["lint".into()],
        answer,
        report: None,
        files: vec![],
        timeout: None,
        severity: Severity::Error,
        hint: None,
    }
}

#[test]
fn programs_answer_by_their_end_and_in_two_forms() {
    use command::{End, judge};
    use settings::Answer;
    let told = |answer| command(answer);
    assert_eq!(judge("lint", &told(Answer::Exit), &End::Code(0), b"", b""), []);
    assert_eq!(
        rules(&judge("lint", &told(Answer::Exit), &End::Code(1), b"", b"no\n")),
        ["lint.failed"]
    );
    let json = br#"{"findings":[{"rule":"a","file":"b.py","line":3,"message":"m","severity":"warning"},{"rule":"lint.c","message":"n","measured":2,"limit":1}]}"#;
    let found = judge("lint", &told(Answer::Json), &End::Code(0), json, b"");
    assert_eq!(rules(&found), ["lint.a", "lint.c"]);
    assert_eq!(
        (found[0].line, found[0].fails(), found[1].fails()),
        (Some(3), false, true)
    );
    let sarif = br#"{"runs":[{"results":[{"ruleId":"x","level":"error","message":{"text":"m"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.c"},"region":{"startLine":7}}}]}]}]}"#;
    let found = judge("lint", &told(Answer::Sarif), &End::Code(0), sarif, b"");
    assert_eq!(
        (found[0].rule.as_str(), found[0].file.as_deref(), found[0].line),
        ("lint.x", Some("a.c"), Some(7))
    );
    for broken in [&b""[..], b"[", b"passed", b"{}"] {
        assert_eq!(
            rules(&judge("lint", &told(Answer::Json), &End::Code(0), broken, b"")),
            ["lint.answer"]
        );
        assert_eq!(
            rules(&judge("lint", &told(Answer::Sarif), &End::Code(2), broken, b"")),
            ["lint.failed"]
        );
    }
}

fn covered(report: &[u8], files: &ChangeSet) -> Vec<Finding> {
    let reports = BTreeMap::from([("lcov.info".to_owned(), Some(report.to_vec()))]);
    coverage::judge(files, &settings::Coverage::default(), &reports, "/work")
}

#[test]
fn changed_lines_and_functions_are_covered() {
    let change = change(&[(
        "src/a.py",
        "",
        "def f():\n    return 1\n\n\ndef g():\n    return 2\n",
    )]);
    let report = |hits: [u8; 4]| {
        let [a, b, c, d] = hits;
        format!("SF:/work/src/a.py\nDA:1,{a}\nDA:2,{b}\nDA:5,{c}\nDA:6,{d}\nend_of_record\n")
    };
    assert_eq!(covered(report([1, 1, 1, 1]).as_bytes(), &change), []);
    let found = covered(report([1, 1, 0, 0]).as_bytes(), &change);
    assert_eq!(
        rules(&found),
        ["coverage.function", "coverage.changed", "coverage.component"]
    );
    assert_eq!(found[1].measured, Some(Measure::Percent(50.0)));
}

#[test]
fn p3_a_report_that_is_stale_foreign_or_forged_proves_nothing() {
    let mut files = change(&[
        ("src/a.py", "", "def f():\n    return 1\n"),
        ("src/b.py", "", "def g():\n    return 1\n"),
    ]);
    let stale = b"SF:src/a.py\nDA:1,1\nDA:99,1\nend_of_record\nSF:src/b.py\nDA:1,1\nDA:2,1\nend_of_record\n";
    assert!(rules(&covered(stale, &files)).contains(&"coverage.stale"));
    let foreign = b"SF:/elsewhere/x.py\nDA:1,1\nend_of_record\n";
    assert_eq!(rules(&covered(foreign, &files)), ["coverage.foreign"]);
    let missing = b"SF:src/a.py\nDA:1,1\nDA:2,1\nend_of_record\n";
    assert_eq!(rules(&covered(missing, &files)), ["coverage.missing"]);
    assert_eq!(rules(&covered(b"100 % covered", &files)), ["coverage.unread"]);
    let none = BTreeMap::from([("lcov.info".to_owned(), None)]);
    assert_eq!(
        rules(&coverage::judge(
            &files,
            &settings::Coverage::default(),
            &none,
            ""
        )),
        ["coverage.unread"]
    );
    files.tree.push("lcov.info".to_owned());
    assert_eq!(rules(&covered(missing, &files)), ["coverage.forged"]);
}

const TWO: &str = "def test_a():\n    assert f()\n\n\ndef test_b():\n    assert g()\n";

#[test]
fn p3_tests_that_are_gone_skipped_or_not_run_are_told() {
    let ran = tests::read(b"tests/test_x.py::test_a PASSED [100%]\n1 passed in 0.01s\n");
    let one = "def test_a():\n    assert f()\n";
    let found = tests::judge(&change(&[("test_x.py", TWO, one)]), ran.as_ref(), None);
    assert_eq!(rules(&found), ["tests.removed"]);
    assert!(found[0].message.contains("`test_b`"));
    let skipped = TWO.replace("def test_b", "@pytest.mark.skip\ndef test_b");
    assert_eq!(
        rules(&tests::judge(
            &change(&[("test_x.py", TWO, &skipped)]),
            ran.as_ref(),
            None
        )),
        ["tests.skipped"]
    );
    assert_eq!(
        rules(&tests::judge(
            &change(&[("test_x.py", one, TWO)]),
            ran.as_ref(),
            None
        )),
        ["tests.not_run"]
    );
    let renamed = TWO.replace("test_b", "test_c");
    let moved = change(&[("test_x.py", TWO, ""), ("test_y.py", "", &renamed)]);
    assert!(!rules(&tests::judge(&moved, ran.as_ref(), None)).contains(&"tests.removed"));
}

#[test]
fn p3_tests_of_a_file_that_the_plan_lets_go_may_go_with_it() {
    let one = "def test_a():\n    assert f()\n";
    let skipped = TWO.replace("def test_b", "@pytest.mark.skip\ndef test_b");
    for after in [one, &skipped, ""] {
        let mut change = change(&[("test_x.py", TWO, after), ("a.py", "A = 1\n", "A = 2\n")]);
        assert_eq!(tests::of_source(&change).len(), 1, "{after}");
        change.may_go.insert("a.py".to_owned());
        assert_eq!(tests::of_source(&change).len(), 1, "{after}");
        change.may_go.insert("test_x.py".to_owned());
        assert_eq!(tests::of_source(&change), [], "{after}");
    }
}

#[test]
fn p3_passed_printed_by_nothing_is_no_test_run() {
    let nothing = change(&[]);
    assert_eq!(
        rules(&tests::judge(
            &nothing,
            tests::read(b"all tests passed\nOK\n").as_ref(),
            None
        )),
        ["tests.unread"]
    );
    let none = tests::read(b"running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n");
    assert_eq!(
        rules(&tests::judge(&nothing, none.as_ref(), None)),
        ["tests.none"]
    );
    let lied = tests::read(b"test a ... FAILED\ntest result: FAILED. 3 passed; 1 failed; 0 ignored\n");
    assert_eq!(
        rules(&tests::judge(&nothing, lied.as_ref(), None)),
        ["tests.contradicted"]
    );
    let (few, many) = (
        tests::read(b"1..1\nok 1 - a\n"),
        tests::read(b"1..2\nok 1 - a\nok 2 - b\n"),
    );
    assert_eq!(
        rules(&tests::judge(
            &nothing,
            few.as_ref(),
            many.map(tests::Counted::Ran).as_ref()
        )),
        ["tests.fewer"]
    );
}

fn day(text: &str) -> Timestamp {
    format!("{text}T12:00:00Z").parse().unwrap()
}

#[test]
fn a_waiver_holds_to_its_last_day_and_is_always_shown() {
    let waiver = Waiver {
        rule: "complexity.*".into(),
        file: Some("a.py".into()),
        function: Some("f".into()),
        by: "Ada".into(),
        reason: "a parser".into(),
        until: "2026-12-31".into(),
    };
    let settings = settings::Settings {
        waiver: vec![waiver],
        ..settings::Settings::default()
    };
    let profiles = Profiles::of(&settings).unwrap();
    let change = change(&[("a.py", "", &format!("{}{}", python("f", 9), python("g", 9)))]);
    let judged = |on: &str| of_files("complexity", &change, &All::default(), &profiles, day(on)).unwrap();
    let waived = |on: &str| judged(on).findings.iter().filter(|f| f.waived.is_some()).count();
    assert_eq!(
        (
            judged("2026-12-31").findings.len(),
            waived("2026-12-31"),
            waived("2027-01-01")
        ),
        (2, 1, 0)
    );
    assert!(!judged("2026-12-31").passed, "the other function is not waived");
    let bad = settings::Settings {
        waiver: vec![Waiver {
            by: " ".into(),
            until: "soon".into(),
            ..settings.waiver[0].clone()
        }],
        ..settings::Settings::default()
    };
    assert_eq!(Profiles::of(&bad).unwrap_err().len(), 2);
}

#[test]
fn profiles_of_paths_change_limits_and_gravity() {
    let settings = settings::Settings {
        profile: vec![PathProfile {
            files: vec!["tests/**".into()],
            skip: vec!["docs".into()],
            warn: vec!["complexity.length".into()],
            complexity: Some(settings::Limits {
                cyclomatic: Some(20),
                ..settings::Limits::default()
            }),
        }],
        ..settings::Settings::default()
    };
    let profiles = Profiles::of(&settings).unwrap();
    let text = python("f", 15).replace("    \"\"\"Says.\"\"\"\n", "");
    let at = |path: &str, gate: &str| {
        of_files(
            gate,
            &change(&[(path, "", &text)]),
            &All::default(),
            &profiles,
            day("2026-01-01"),
        )
        .unwrap()
        .passed
    };
    assert!(at("tests/a.py", "complexity") && !at("src/a.py", "complexity"));
    assert!(at("tests/a.py", "docs") && !at("src/a.py", "docs"));
    let warned = settle(
        "complexity",
        vec![Finding::new("complexity.length", "x").in_file("tests/a.py")],
        Severity::Error,
        &profiles,
        day("2026-01-01"),
    );
    assert!(warned.passed && warned.findings.len() == 1);
}
