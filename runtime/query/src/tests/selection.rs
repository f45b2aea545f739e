//! An index never hides what matches.

use std::time::Duration;

use proptest::prelude::*;

use super::samples::{NOW, ago, rich};
use crate::{Facts, Field, Predicate, Scope, Selection, Term};

fn selection(source: &str) -> Selection {
    Predicate::compile(source, &Scope::node())
        .unwrap_or_else(|e| panic!("{source}: {e}"))
        .selection(NOW)
}

fn millis(at: worknode_core::time::Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap()
}

#[test]
fn what_an_index_can_answer_is_taken_out() {
    let found = selection(
        r#"kind == "task" && (status == "ready" || "pending" == status) && "urgent" in tags
           && completed_at > now - duration("168h") && priority >= 3 && !archived
           && name.startsWith("a") && parent in ["x", "y"]"#,
    );
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let expected = [
        Term::OneOf {
            field: Field::Kind,
            texts: texts(&["task"]),
        },
        Term::OneOf {
            field: Field::Status,
            texts: texts(&["pending", "ready"]),
        },
        Term::Contains {
            field: Field::Tags,
            texts: texts(&["urgent"]),
        },
        Term::Between {
            field: Field::CompletedAt,
            from: Some(millis(ago(Duration::from_secs(168 * 3600))) + 1),
            to: None,
        },
        Term::Between {
            field: Field::Priority,
            from: Some(3),
            to: None,
        },
        Term::Is {
            field: Field::Archived,
            truth: false,
        },
        Term::Prefix {
            field: Field::Name,
            prefix: "a".to_owned(),
        },
        Term::OneOf {
            field: Field::Parent,
            texts: texts(&["x", "y"]),
        },
    ];
    for term in &expected {
        assert!(found.terms.contains(term), "{term:?} is not in {:?}", found.terms);
    }
    assert_eq!(found.terms.len(), expected.len());
    assert!(found.exact);
}

#[test]
fn what_no_index_can_answer_is_left_to_evaluation() {
    for source in [
        r#"kind != "task""#,
        r#"kind == name"#,
        r#"kind == "task" || priority > 3"#,
        r#"!(kind == "task")"#,
        r#"priority > 2.5"#,
        r#"tags.exists(t, t == "x")"#,
        r#"attributes.value == 3"#,
        r#"created_at > updated_at"#,
        r#"created_at > now - duration("2000000h")"#,
        r#"kind > "a""#,
        r#"archived ? true : true"#,
    ] {
        let found = selection(source);
        assert!(found.terms.is_empty() && !found.exact, "{source}: {found:?}");
    }
    let mixed = selection(r#"kind == "task" && attributes.value == 3"#);
    assert_eq!((mixed.terms.len(), mixed.exact), (1, false));
}

#[test]
fn bounds_are_exact_to_the_millisecond() {
    let at = |source: &str| {
        let term = selection(source).terms.remove(0);
        match term {
            Term::Between { from, to, .. } => (from, to),
            other => panic!("{other:?}"),
        }
    };
    let instant = |operator: &str, fraction: &str| {
        at(&format!(
            "created_at {operator} timestamp(\"1970-01-01T00:00:01{fraction}Z\")"
        ))
    };
    assert_eq!(instant(">", ""), (Some(1001), None));
    assert_eq!(instant(">=", ""), (Some(1000), None));
    assert_eq!(instant("<", ""), (None, Some(999)));
    assert_eq!(instant("<=", ""), (None, Some(1000)));
    assert_eq!(instant("==", ""), (Some(1000), Some(1000)));
    assert_eq!(instant(">", ".0005"), (Some(1001), None));
    assert_eq!(instant(">=", ".0005"), (Some(1001), None));
    assert_eq!(instant("<", ".0005"), (None, Some(1000)));
    assert_eq!(instant("<=", ".0005"), (None, Some(1000)));
    assert!(selection("created_at == timestamp(\"1970-01-01T00:00:01.0005Z\")").is_empty());
    assert_eq!(at("3 < priority"), (Some(4), None));
    assert!(selection("priority > 9223372036854775807").is_empty());
    assert!(selection("priority < -9223372036854775808").is_empty());
}

/// Conditions, most of which an index knows something about.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("kind == \"task\"".to_owned()),
        Just("\"issue\" == kind".to_owned()),
        Just("kind in [\"task\", \"agent\"]".to_owned()),
        Just("kind in []".to_owned()),
        Just("status == \"ready\"".to_owned()),
        Just("status != \"ready\"".to_owned()),
        Just("status == \"\"".to_owned()),
        Just("name.startsWith(\"a\")".to_owned()),
        Just("name.startsWith(\"\")".to_owned()),
        Just("parent == \"p\"".to_owned()),
        Just("\"x\" in tags".to_owned()),
        Just("\"y\" in tags".to_owned()),
        Just("\"ann\" in assignees".to_owned()),
        Just("archived".to_owned()),
        Just("archived == false".to_owned()),
        Just("has(attributes.value)".to_owned()),
        Just("tags.size() > 1".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        (
            prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]),
            prop::sample::select(vec!["created_at", "completed_at", "updated_at"]),
            0_u32..5,
            prop::sample::select(vec!["", ".0005"]),
            any::<bool>(),
        )
            .prop_map(|(operator, field, seconds, fraction, turned)| {
                let moment = format!("now - duration(\"{seconds}{fraction}s\")");
                if turned {
                    format!("{moment} {operator} {field}")
                } else {
                    format!("{field} {operator} {moment}")
                }
            }),
        (prop::sample::select(vec!["<", "<=", ">", ">=", "=="]), -3_i32..4)
            .prop_map(|(operator, number)| format!("priority {operator} {number}")),
        (-3_i32..4).prop_map(|number| format!("{number} <= priority")),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} && {b}")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            1 => inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

prop_compose! {
    fn worknode()(
        kind in prop::sample::select(vec!["task", "issue", "agent"]),
        status in prop::sample::select(vec!["ready", "completed", ""]),
        name in "[ab]{0,3}",
        parent in prop::option::of("[pq]"),
        tags in prop::collection::vec("[xyz]", 0..3),
        assignees in prop::collection::vec("ann|bob", 0..2),
        archived: bool,
        created in 0_u64..5_000,
        completed in prop::option::of(0_u64..5_000),
        priority in prop::option::of(-3_i32..4),
    ) -> Facts {
        let at = |millis| ago(Duration::from_millis(millis));
        rich()
            .with("kind", kind)
            .with("status", status)
            .with("name", name)
            .with("parent", parent)
            .with("tags", tags)
            .with("assignees", assignees)
            .with("archived", archived)
            .with("created_at", at(created / 500 * 500))
            .with("updated_at", at(created))
            .with("completed_at", completed.map(at))
            .with("priority", priority)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_matches_is_selected_and_exact_selections_need_nothing_else(source in condition(), node in worknode()) {
        let predicate = Predicate::compile(&source, &Scope::node()).unwrap();
        let selection = predicate.selection(NOW);
        let matches = predicate.matches(&node).unwrap();
        let selected = selection.selects(&node);
        prop_assert!(!matches || selected, "{} hides a match: {:?}", source, selection);
        if selection.exact {
            prop_assert_eq!(matches, selected, "{} is not exact: {:?}", source, selection);
        }
        if selection.is_empty() {
            prop_assert!(!matches);
        }
    }
}
