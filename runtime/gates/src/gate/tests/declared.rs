//! Tests as the source declares them.

use std::sync::LazyLock;

use regex::Regex;

/// A test that stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) line: u32,
    /// The line before the next test.
    pub(super) end: u32,
    pub(super) skipped: bool,
}

/// How one language declares tests. The first group is the name.
struct Form {
    endings: &'static [&'static str],
    test: Option<Regex>,
    /// A line before, which makes the next function a test.
    mark: Option<Regex>,
    /// A line before or the same line, which makes the test be skipped.
    skip: Option<Regex>,
    /// The same inside of it.
    skip_inside: Option<Regex>,
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(pattern).ok();
    vec![
        Form {
            endings: &["rs"],
            test: regex(r"^\s*(?:pub )?(?:async )?fn (\w+)"),
            mark: regex(r"^\s*#\[(?:\w+::)*(?:test|rstest|test_case)\b"),
            skip: regex(r"^\s*#\[ignore"),
            skip_inside: None,
        },
        Form {
            endings: &["py"],
            test: regex(r"^\s*(?:async )?def (test\w*)\("),
            mark: None,
            skip: regex(r"^\s*@(?:pytest\.mark\.(?:skip|xfail)|unittest\.(?:skip|expectedFailure)|skip)"),
            skip_inside: regex(r"^\s+(?:pytest\.skip\(|self\.skipTest\(|raise (?:unittest\.)?SkipTest)"),
        },
        Form {
            endings: &["go"],
            test: regex(r"^func (Test\w*)\("),
            mark: None,
            skip: None,
            skip_inside: regex(r"^\s+t\.(?:Skip|SkipNow|Skipf)\("),
        },
        Form {
            endings: &["java"],
            test: regex(r"^\s*(?:public |protected |private )?(?:static )?(?:final )?void (\w+)\("),
            mark: regex(r"^\s*@(?:Test|ParameterizedTest|RepeatedTest)\b"),
            skip: regex(r"^\s*@(?:Disabled|Ignore)\b"),
            skip_inside: None,
        },
        Form {
            endings: &["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"],
            test: regex(r#"^\s*(?:x?it|x?test|test\.\w+|it\.\w+)\(\s*["'`]([^"'`]+)["'`]"#),
            mark: None,
            skip: regex(r"^\s*(?:xit|xtest|(?:it|test|describe)\.(?:skip|todo))\("),
            skip_inside: None,
        },
    ]
});

/// The tests of a file.
pub(super) fn tests(path: &str, text: &str) -> Vec<Declared> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    let Some(form) = FORMS.iter().find(|form| form.endings.contains(&ending)) else {
        return Vec::new();
    };
    let is = |pattern: &Option<Regex>, line: &str| pattern.as_ref().is_some_and(|p| p.is_match(line));
    let mut found: Vec<Declared> = Vec::new();
    let (mut marked, mut skipped) = (form.mark.is_none(), false);
    for (at, line) in (1_u32..).zip(text.lines()) {
        marked |= is(&form.mark, line);
        skipped |= is(&form.skip, line);
        if is(&form.skip_inside, line)
            && let Some(last) = found.last_mut()
        {
            last.skipped = true;
        }
        let name = form.test.as_ref().and_then(|test| test.captures(line));
        if let Some(name) = name.as_ref().and_then(|found| found.get(1)) {
            if marked {
                found.push(Declared {
                    name: name.as_str().to_owned(),
                    line: at,
                    end: at,
                    skipped,
                });
            }
            (marked, skipped) = (form.mark.is_none(), false);
        }
        if let Some(last) = found.last_mut() {
            last.end = at;
        }
    }
    found
}

/// The last part of the name of a case: `tests/test_a.py::T::test_b[1]` is `test_b`.
pub(super) fn last(name: &str) -> &str {
    let plain = name.split('[').next().unwrap_or(name);
    let plain = plain.rsplit("::").next().unwrap_or(plain);
    let plain = plain.split('/').next().unwrap_or(plain);
    let plain = plain.rsplit(" > ").next().unwrap_or(plain);
    plain.split('(').next().unwrap_or(plain).trim()
}

#[cfg(test)]
mod tests_of_this {
    use super::*;

    fn names(path: &str, text: &str) -> Vec<(String, bool)> {
        tests(path, text)
            .into_iter()
            .map(|test| (test.name, test.skipped))
            .collect()
    }

    #[test]
    fn each_language_declares_in_its_way() {
        let one = |name: &str, skipped| vec![(name.to_owned(), skipped)];
        assert_eq!(names("a.rs", "#[test]\nfn a() {}\nfn b() {}\n"), one("a", false));
        assert_eq!(
            names("a.rs", "#[tokio::test]\n#[ignore = \"slow\"]\nasync fn a() {}\n"),
            one("a", true)
        );
        assert_eq!(
            names("a.py", "def test_a():\n    pass\ndef b(): pass\n"),
            one("test_a", false)
        );
        assert_eq!(
            names("a.py", "@pytest.mark.skip\ndef test_a(): pass\n"),
            one("test_a", true)
        );
        assert_eq!(
            names("a_test.go", "func TestA(t *testing.T) {\n\tt.Skip(\"no\")\n}\n"),
            one("TestA", true)
        );
        assert_eq!(
            names("A.java", "@Test\n@Disabled\nvoid a() {}\nvoid b() {}\n"),
            one("a", true)
        );
        assert_eq!(
            names("a.test.ts", "it('does it', () => {})\n"),
            one("does it", false)
        );
        assert_eq!(names("a.test.ts", "test.skip(\"x\", () => {})\n"), one("x", true));
        assert_eq!(last("tests/test_a.py::T::test_b[1-2]"), "test_b");
    }
}
