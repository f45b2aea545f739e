use proptest::prelude::*;
use serde_json::json;

use super::*;

fn translation(json: Value) -> Translation {
    serde_json::from_value(json).unwrap()
}

fn applied(how: Value, data: Value) -> Value {
    apply(&translation(how), data).unwrap()
}

#[test]
fn an_inner_report_becomes_one_number() {
    let how = json!({
        "from": "subtask_progress",
        "rename": { "worker.done.percent": "percent" },
        "keep": ["percent"],
        "convert": { "percent": "integer" },
    });
    let data = json!({
        "worker": { "done": { "percent": "42" }, "secret": "s" }, "log": ["a", "b"],
    });
    assert_eq!(applied(how, data), json!({ "percent": 42 }));
}

#[test]
fn each_part_sees_what_the_one_before_made() {
    let how = json!({
        "rename": { "a": "b", "b": "a" },
        "drop": ["gone.x"],
        "map": { "a": { "1": "one" }, "level": { "true": "high" } },
        "constant": { "gone.y": 1, "kind": "outer" },
        "convert": { "b": "string" },
    });
    let data = json!({ "a": 2, "b": 1, "gone": { "x": 1 }, "level": true });
    let after = json!({ "a": "one", "b": "2", "gone": { "y": 1 }, "level": "high", "kind": "outer" });
    assert_eq!(applied(how, data), after);
}

#[test]
fn a_part_is_taken_out_of_what_goes_elsewhere_itself() {
    let how = json!({ "rename": { "a": "z", "a.b": "b" } });
    assert_eq!(
        applied(how, json!({ "a": { "b": 1, "c": 2 } })),
        json!({ "b": 1, "z": { "c": 2 } })
    );
}

#[test]
fn lists_are_not_touched_except_by_redaction() {
    let how = json!({ "rename": { "l.x": "y" }, "drop": ["l.x"], "constant": {} });
    let data = json!({ "l": [{ "x": 1 }, { "x": 2, "y": 3 }] });
    assert_eq!(applied(how, data.clone()), data);
    let Value::Object(mut table) = data else {
        unreachable!()
    };
    assert!(Path::new("l.x").redact(&mut table));
    assert_eq!(Value::Object(table), json!({ "l": [{}, { "y": 3 }] }));
}

#[test]
fn types_change_where_they_can() {
    let rows = [
        ("integer", json!("7"), Some(json!(7))),
        ("integer", json!(7.0), Some(json!(7))),
        ("integer", json!("7.5"), None),
        ("integer", json!(true), None),
        ("number", json!("7.5"), Some(json!(7.5))),
        ("number", json!("NaN"), None),
        ("boolean", json!("true"), Some(json!(true))),
        ("boolean", json!(2), None),
        ("string", json!(7.5), Some(json!("7.5"))),
        ("string", json!([]), None),
        ("string", json!(null), Some(json!(null))),
    ];
    for (to, value, wanted) in rows {
        let how = translation(json!({ "convert": { "a": to } }));
        let found = apply(&how, json!({ "a": value }));
        assert_eq!(found.ok(), wanted.map(|value| json!({ "a": value })), "{to}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let blocked = apply(
        &translation(json!({ "constant": { "a.b": 1 } })),
        json!({ "a": 7 }),
    );
    assert_eq!(
        blocked,
        Err(Why::Blocked {
            path: "a.b".to_owned()
        })
    );
    assert_eq!(apply(&Translation::default(), json!([1])), Err(Why::NotATable));
    let long = json!({ "a": "x".repeat(1_000) });
    let said = apply(&translation(json!({ "convert": { "a": "integer" } })), long).unwrap_err();
    assert!(said.to_string().len() < 200, "{said}");
}

#[test]
fn mistakes_are_told_with_their_keys() {
    let how = translation(json!({
        "from": "a b", "rename": { "x": "..", "": "y" }, "keep": ["ok", "a..b"], "convert": { ".": "string" },
    }));
    let keys: Vec<String> = mistakes(&how, true).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["from", "rename.", "rename.x", "keep[1]", "convert.."]);
}

fn any_data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-c]", 1..4).prop_map(|steps| steps.join("."))
}

fn any_translation() -> impl Strategy<Value = Translation> {
    let to = prop::sample::select(vec![
        Convert::String,
        Convert::Integer,
        Convert::Number,
        Convert::Boolean,
    ]);
    (
        prop::collection::btree_map(path(), path(), 0..3),
        prop::option::of(prop::collection::vec(path(), 0..3)),
        prop::collection::vec(path(), 0..3),
        prop::collection::btree_map(path(), any_data(), 0..2),
        prop::collection::btree_map(path(), to, 0..2),
    )
        .prop_map(|(rename, keep, drop, constant, convert)| Translation {
            rename,
            keep,
            drop,
            constant,
            convert,
            ..Translation::default()
        })
}

/// Every path in `data` that leads through tables, with what is there.
fn paths(data: &Map<String, Value>, way: &str, found: &mut Vec<String>) {
    for (key, value) in data {
        let path = if way.is_empty() {
            key.clone()
        } else {
            format!("{way}.{key}")
        };
        if let Value::Object(inner) = value {
            paths(inner, &path, found);
        }
        found.push(path);
    }
}

proptest! {
    #[test]
    fn no_translation_and_no_data_makes_it_panic(how in any_translation(), data in any_data()) {
        let _ = apply(&how, data);
    }

    #[test]
    fn p9_what_is_dropped_is_gone_and_only_what_is_kept_is_there(
        mut how in any_translation(), data in any_data(),
    ) {
        how.constant.clear();
        let (kept, dropped) = (how.keep.clone(), how.drop.clone());
        let Ok(Value::Object(after)) = apply(&how, data) else { return Ok(()) };
        let mut found = Vec::new();
        paths(&after, "", &mut found);
        let within = |path: &str, of: &str| path == of || path.starts_with(&format!("{of}."));
        for path in &found {
            prop_assert!(!dropped.iter().any(|dropped| within(path, dropped)), "{path}");
            // A table on the way to what is kept is there too.
            prop_assert!(kept.iter().flatten().any(|kept| within(path, kept) || within(kept, path)) || kept.is_none());
        }
    }

    #[test]
    fn p9_what_is_redacted_is_nowhere(path in path(), data in any_data()) {
        let Value::Object(mut table) = data else { return Ok(()) };
        let redacted = Path::new(&path);
        redacted.redact(&mut table);
        prop_assert!(!redacted.redact(&mut table), "the second time there is nothing left");
    }
}
