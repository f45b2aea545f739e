use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn wrong(schema: &Value, value: &Value) -> String {
    match validate(schema, value) {
        Ok(()) => String::new(),
        Err(violations) => in_words(&violations),
    }
}

/// Schema, what it allows, what it does not, and a word of the reason.
fn rows() -> Vec<(Value, Value, Value, &'static str)> {
    vec![
        (json!({"type": "integer"}), json!(3.0), json!(3.5), "not integer"),
        (
            json!({"type": ["string", "null"]}),
            json!(null),
            json!(1),
            "not string or null",
        ),
        (json!({"enum": ["a", 1]}), json!(1.0), json!("b"), "none of"),
        (
            json!({"const": {"a": 1}}),
            json!({"a": 1.0}),
            json!({"a": 2}),
            "none of",
        ),
        (
            json!({"required": ["id"], "properties": {"id": {"minLength": 2}}, "additionalProperties": false}),
            json!({"id": "ab"}),
            json!({"id": "a"}),
            "`id` has 1 characters",
        ),
        (
            json!({"properties": {"id": true}, "additionalProperties": false}),
            json!({"id": 1}),
            json!({"other": 1}),
            "`other`",
        ),
        (
            json!({"required": ["id"]}),
            json!({"id": null}),
            json!({}),
            "lacks `id`",
        ),
        (
            json!({"patternProperties": {"^x_": {"type": "number"}}}),
            json!({"x_a": 1, "y": "text"}),
            json!({"x_a": "text"}),
            "`x_a` is text",
        ),
        (
            json!({"propertyNames": {"pattern": "^[a-z]+$"}}),
            json!({"a": 1}),
            json!({"A": 1}),
            "`A`",
        ),
        (
            json!({"dependentRequired": {"card": ["cvc"]}}),
            json!({"x": 1}),
            json!({"card": 1}),
            "lacks `cvc`",
        ),
        (
            json!({"minProperties": 1, "maxProperties": 1}),
            json!({"a": 1}),
            json!({}),
            "at least 1",
        ),
        (
            json!({"items": {"type": "string"}}),
            json!(["a"]),
            json!(["a", 1]),
            "`[1]` is a number",
        ),
        (
            json!({"prefixItems": [{"type": "string"}], "items": false}),
            json!(["a"]),
            json!(["a", 1]),
            "`[1]` is not allowed",
        ),
        (
            json!({"contains": {"const": 1}}),
            json!([0, 1]),
            json!([0]),
            "no item",
        ),
        (
            json!({"uniqueItems": true}),
            json!([1, 2]),
            json!([1, 1.0]),
            "twice",
        ),
        (json!({"maxItems": 1}), json!([1]), json!([1, 2]), "at most 1"),
        (json!({"pattern": "^a+$"}), json!("aaa"), json!("ab"), "pattern"),
        (json!({"maxLength": 2}), json!("äö"), json!("abc"), "3 characters"),
        (
            json!({"minimum": 0, "exclusiveMaximum": 1}),
            json!(0),
            json!(1),
            "below 1",
        ),
        (json!({"multipleOf": 0.1}), json!(0.3), json!(0.35), "multiple"),
        (
            json!({"anyOf": [{"const": 1}, {"const": 2}]}),
            json!(2),
            json!(3),
            "none of the forms",
        ),
        (
            json!({"oneOf": [{"minimum": 1}, {"minimum": 5}]}),
            json!(2),
            json!(6),
            "fits 2",
        ),
        (
            json!({"allOf": [{"minimum": 1}, {"maximum": 5}]}),
            json!(2),
            json!(6),
            "at most 5",
        ),
        (
            json!({"not": {"type": "string"}}),
            json!(2),
            json!("a"),
            "may not have",
        ),
        (
            json!({"if": {"const": 1}, "then": {"maximum": 0}, "else": {"type": "string"}}),
            json!("a"),
            json!(2),
            "not string",
        ),
        (
            json!({"$defs": {"n": {"type": "number"}}, "items": {"$ref": "#/$defs/n"}}),
            json!([1]),
            json!(["a"]),
            "not number",
        ),
        (
            json!({"properties": {"next": {"$ref": "#"}}, "required": ["v"]}),
            json!({"v": 1, "next": {"v": 2}}),
            json!({"v": 1, "next": {}}),
            "`next` lacks `v`",
        ),
        (json!(true), json!(1), json!(null), ""),
    ]
}

#[test]
fn every_keyword_allows_and_refuses() {
    for (schema, good, bad, word) in rows() {
        assert_eq!(wrong(&schema, &good), "", "{schema}");
        if word.is_empty() {
            continue;
        }
        let said = wrong(&schema, &bad);
        assert!(said.contains(word), "{schema} {bad}: {said}");
    }
}

#[test]
fn a_schema_that_is_not_understood_is_a_mistake_and_all_are_told() {
    let schema = json!({
        "type": "strin",
        "propertis": {},
        "properties": { "a": { "minLength": -1, "pattern": "(" } },
        "items": { "$ref": "https://example.com/schema" },
        "allOf": [{ "$ref": "#/$defs/gone" }],
        "unevaluatedProperties": false,
    });
    let mistakes = Schema::compile(&schema).unwrap_err();
    let told: Vec<String> = mistakes.iter().map(SchemaMistake::to_string).collect();
    for wanted in [
        "`type`: `strin` is no type",
        "did you mean `properties`?",
        "`properties.a.minLength`: must be a whole number",
        "`properties.a.pattern`: is no pattern",
        "nothing is fetched",
        "no definition `gone`",
        "`unevaluatedProperties`: this keyword is not understood",
    ] {
        assert!(
            told.iter().any(|told| told.contains(wanted)),
            "{wanted}: {told:#?}"
        );
    }
}

#[test]
fn p8_a_reference_to_itself_ends() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    ] {
        assert!(wrong(&schema, &json!(1)).contains("too long"), "{schema}");
    }
}

#[test]
fn p8_what_multiplies_is_cut_short() {
    let mut schema = json!(true);
    for _ in 0..11 {
        schema = json!({"anyOf": [schema, schema]});
    }
    let mistakes = Schema::compile(&schema).unwrap_err();
    assert!(mistakes[0].message.contains("more than"), "{mistakes:?}");

    let defs: Value = (0..20)
        .map(|n| {
            let next = format!("#/$defs/d{}", n + 1);
            (
                format!("d{n}"),
                json!({"anyOf": [{"$ref": next}, {"$ref": next}]}),
            )
        })
        .chain([("d20".to_owned(), json!({"type": "string"}))])
        .collect::<serde_json::Map<_, _>>()
        .into();
    let schema = json!({"$defs": defs, "$ref": "#/$defs/d0"});
    assert!(wrong(&schema, &json!(1)).contains("too long"));
}

#[test]
fn p8_a_schema_has_a_size() {
    let large = json!({"description": "x".repeat(BYTES)});
    assert!(
        Schema::compile(&large).unwrap_err()[0]
            .message
            .contains("larger than")
    );
    let mut deep = json!(true);
    for _ in 0..100 {
        deep = json!({"items": deep});
    }
    assert!(Schema::compile(&deep).unwrap_err()[0].message.contains("deeper"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "type",
        "enum",
        "properties",
        "items",
        "$ref",
        "#",
        "string",
        "required",
        "anyOf",
        "pattern",
        "a",
        "not",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(words.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_schema_and_no_value_makes_it_panic(schema in any_json(), value in any_json()) {
        let _ = validate(&schema, &value);
    }

    #[test]
    fn a_schema_of_one_value_allows_that_value(value in any_json()) {
        prop_assert_eq!(wrong(&json!({ "const": value }), &value), "");
        prop_assert_ne!(wrong(&json!({ "not": { "const": value } }), &value), "");
    }
}
