//! What can be said, and what it means.

use super::samples::{NOW, rich};
use crate::{EvalError, Expression, Fact, Facts, Predicate, Scope, Shape};

fn holds(source: &str) -> bool {
    let predicate = Predicate::compile(source, &Scope::node()).unwrap_or_else(|e| panic!("{source}: {e}"));
    predicate
        .matches(&rich())
        .unwrap_or_else(|e| panic!("{source}: {e}"))
}

#[test]
fn conditions_hold_on_what_they_describe() {
    for source in [
        r#"kind == "task" && status == "completed" && completed_at > now - duration("168h")"#,
        r#"kind in ["task", "issue"] || false"#,
        r#"name.startsWith("sch") && name.endsWith("ma") && name.contains("hem")"#,
        r#"title.matches("^Design (the|a) s")"#,
        r#"matches(title, "schema$")"#,
        r#""rust" in tags && !("go" in tags)"#,
        r#"tags.exists(t, t.startsWith("r")) && tags.all(t, size(t) == 4)"#,
        r#"tags.exists_one(t, t == "core") && tags.filter(t, t != "core").size() == 1"#,
        r#"tags.map(t, t.size())[0] == 4"#,
        r#"attributes.value >= 1000 && attributes["stage"] == "won" && attributes.ratio < 1"#,
        r#"attributes.scores.exists(s, s + 1 == 4)"#,
        r#"has(attributes.value) && !has(attributes.nothing)"#,
        r#"holder == null && parent != null"#,
        r#"now - created_at == duration("1h") && now - created_at < duration("61m")"#,
        r#"day(created_at) == "2026-11-25""#,
        r#"created_at.getFullYear() == 2026"#,
        r#"priority > 2.5 && priority % 2 == 1 && -priority < 0 && (archived ? 1 : 2) == 2"#,
        r#"tags.exists(t, assignees.all(a, a != t))"#,
        r#"(tags + assignees).size() == 3 && (name + "!") == "schema!""#,
        r#"tags.exists(kind, kind == "core")"#,
        r#"{"a": 1}["a"] == 1 && "a" in {"a": 1}"#,
    ] {
        assert!(holds(source), "{source}");
    }
}

#[test]
fn what_is_not_there_neither_holds_nor_does_its_opposite() {
    for source in [
        r#"lease_until > now"#,
        r#"!(lease_until > now)"#,
        r#"lease_until - now > duration("1s")"#,
        r#"attributes.nothing == 1"#,
        r#"attributes.nothing.more == 1"#,
        r#"holder.startsWith("a")"#,
        r#"attributes.scores[7] == 1"#,
        r#"attributes.value > 1 && holder.size() > 1"#,
        r#"depth > 1"#,
        r#"run_status.matches("x")"#,
    ] {
        assert!(!holds(source), "{source}");
        let predicate = Predicate::compile(source, &Scope::node()).unwrap();
        let strict = predicate.matches_strictly(&rich());
        assert!(
            matches!(strict, Err(EvalError::Absent { .. })),
            "{source}: {strict:?}"
        );
    }
    assert!(holds(r#"lease_until > now || kind == "task""#));
}

#[test]
fn an_operation_that_does_not_fit_is_an_error() {
    for source in [
        r#"title > 5"#,
        r#"attributes.value.startsWith("1")"#,
        r#"1 / (priority - 5) == 1"#,
        r#"9223372036854775807 + priority > 0"#,
        r#"attributes.value && !archived"#,
        r#"timestamp(title) > now"#,
    ] {
        let predicate =
            Predicate::compile(source, &Scope::node()).unwrap_or_else(|e| panic!("{source}: {e}"));
        let error = predicate.matches(&rich()).unwrap_err();
        assert!(matches!(error, EvalError::Mistake { .. }), "{source}: {error:?}");
    }
    let open = Predicate::compile("attributes.value", &Scope::node()).unwrap();
    assert_eq!(
        open.matches(&rich()),
        Err(EvalError::NotACondition {
            got: "int".to_owned()
        })
    );
}

#[test]
fn expressions_give_values() {
    let value = |source: &str| {
        Expression::compile(source, &Scope::node())
            .unwrap()
            .evaluate(&rich())
            .unwrap()
    };
    assert_eq!(value("attributes.value * 2"), Fact::from(2400));
    assert_eq!(value("title"), Fact::from("Design the schema"));
    assert_eq!(value("[kind, status]"), Fact::from(vec!["task", "completed"]));
    assert_eq!(value("now"), Fact::from(NOW));
    assert_eq!(value("completed_at - created_at").as_number(), Some(3000.0));
    assert!(value("holder").is_null());
    assert_eq!(
        value(r#"{"done": status == "completed"}"#).to_json().to_string(),
        r#"{"done":true}"#
    );
}

#[test]
fn a_scope_and_its_facts_can_be_extended() {
    let scope = Scope::event().with(
        "team",
        Shape::Record(Scope::empty().with("load", Shape::Number, "…")),
        "…",
    );
    let predicate = Predicate::compile("team.load > 0.5 && event == null", &scope).unwrap();
    let facts = Facts::new().with("team", Facts::new().with("load", 0.75));
    assert!(predicate.matches(&facts).unwrap());
    let error = Predicate::compile("team.laod > 1", &scope).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `load`?"));
}

#[test]
fn one_predicate_serves_many_threads() {
    let predicate = Predicate::compile(
        r#"title.matches("s.h") && tags.exists(t, t == "core")"#,
        &Scope::node(),
    )
    .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let predicate = predicate.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    assert!(predicate.matches(&rich()).unwrap());
                }
            });
        }
    });
}
