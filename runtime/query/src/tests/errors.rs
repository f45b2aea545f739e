//! What people are told.

use worknode_core::error::{Code, Error};

use crate::{Predicate, QueryCode, QueryError, Scope};

fn refused(source: &str) -> QueryError {
    match Predicate::compile(source, &Scope::node()) {
        Ok(_) => panic!("{source} was accepted"),
        Err(error) => error,
    }
}

/// Code, what is marked, and the hint.
fn told(source: &str) -> (QueryCode, String, String) {
    let error = refused(source);
    let marked = error.place.as_ref().map_or_else(String::new, |place| {
        let text = place.text.chars().skip(place.column - 1);
        text.take(place.width).collect()
    });
    (error.code, marked, error.hint.unwrap_or_default())
}

#[test]
fn mistakes_are_marked_and_explained() {
    use QueryCode as C;
    for (source, code, marked, hint) in [
        (
            "statsu == \"x\"",
            C::UnknownName,
            "statsu",
            "did you mean `status`?",
        ),
        (
            "kind == \"ü\" && nmae == \"x\"",
            C::UnknownName,
            "nmae",
            "did you mean `name`?",
        ),
        (
            "name.startswith(\"x\")",
            C::UnknownFunction,
            "startswith",
            "did you mean `startsWith`?",
        ),
        ("name.size(1) > 1", C::UnknownFunction, "size", "write `x.size()`"),
        (
            "startsWith(name)",
            C::UnknownFunction,
            "startsWith",
            "write `x.startsWith(y)`",
        ),
        (
            "tags.exists(t)",
            C::UnknownFunction,
            "exists",
            "write `list.exists(x, ..)`",
        ),
        ("kind = \"task\"", C::Syntax, "=", "`==` compares"),
        ("\"ü\" = kind", C::Syntax, "=", "`==` compares"),
        ("kind.name == \"x\"", C::UnknownName, "name", ""),
        ("name.matches(\"(\")", C::BadConstant, "\"(\"", ""),
        (
            "now > timestamp(\"today\")",
            C::BadConstant,
            "\"today\"",
            "with date, time and offset, as in `timestamp(\"2026-12-01T18:00:00+01:00\")`",
        ),
        (
            "now - created_at > duration(\"7d\")",
            C::BadConstant,
            "\"7d\"",
            "units are h, m, s and ms, as in `duration(\"1h30m\")`; a week is `168h`",
        ),
        (
            "kind",
            C::NotACondition,
            "kind",
            "compare it with something, as in `kind == \"task\"`",
        ),
        ("priority + 1", C::NotACondition, "priority + 1", ""),
    ] {
        let got = told(source);
        assert_eq!((got.0, got.1.as_str()), (code, marked), "{source}");
        if !hint.is_empty() {
            assert_eq!(got.2, hint, "{source}");
        }
    }
}

#[test]
fn no_such_thing_is_refused_whatever_it_is_called() {
    for source in [
        "",
        "   ",
        "kind ==",
        "1",
        "\"text\"",
        "null",
        "[true]",
        "{}",
        "kind.name == \"x\"",
        "event.type == \"x\"",
        "optional.of(1).hasValue()",
        "kind.?name == 1",
        "Message{a: 1} == 1",
        "type(kind) == string",
        "dyn(kind) == \"x\"",
        "@loop0",
        "kind == `x`",
        "has(kind)",
        "name.matches(kind)",
        "size(kind)",
        "tags.all(t, t == x)",
    ] {
        refused(source);
    }
}

#[test]
fn the_caret_stands_under_the_word_and_the_error_is_one_of_usage() {
    let error = refused("kind == \"task\" &&\n  statsu == \"ready\"");
    assert_eq!(
        error.to_string(),
        "there is no `statsu` (line 2, column 3)\n    statsu == \"ready\"\n    ^^^^^^"
    );
    let error = Error::from(error);
    assert_eq!(error.code, Code::Usage);
    assert_eq!(error.hint.as_deref(), Some("did you mean `status`?"));
}
