use serde_json::json;
use worknode_core::{
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Detail, NodeSpec},
};

use super::*;

fn spec(version: u32, upcast: Vec<Upcast>) -> KindSpec {
    let schema = json!({
        "type": "object",
        "required": ["email"],
        "properties": { "email": { "type": "string" }, "level": { "type": "integer", "minimum": 1 } },
        "additionalProperties": false
    });
    KindSpec {
        name: "person".into(),
        version,
        schema: Some(schema),
        upcast,
    }
}

fn person() -> Kind {
    "person".parse().unwrap()
}

fn attributes(value: Value) -> Attributes {
    match value {
        Value::Object(map) => map.into_iter().collect(),
        other => panic!("{other}"),
    }
}

/// A person whose attributes were stored as `value`, by version `version`.
fn stored_as(version: u32, value: Value) -> Node {
    let mut spec = NodeSpec::new(Some(NodeId::ROOT), person(), "Ada", Detail::Plain);
    spec.body.version = version;
    spec.body.attributes = attributes(value);
    let record = Record {
        at: Hlc::ZERO,
        node: crate::testing::node(1),
        by: Principal::Operator,
        cause: None,
        version: 1,
        event: Event::NodeCreated { node: spec },
    };
    Node::created_by(&record).unwrap()
}

fn renames(from: u32, old: &str, new: &str) -> Upcast {
    Upcast {
        from,
        rename: [(old.to_owned(), new.to_owned())].into(),
        ..Upcast::default()
    }
}

#[test]
fn attributes_are_checked_when_they_are_new() {
    let kinds = Kinds::declare(&[spec(3, vec![])]).unwrap();
    let ok = attributes(json!({ "email": "ada@example.org", "level": null }));
    assert_eq!(kinds.check_new(&person(), &ok), Ok(3));
    for wrong in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": 7 }),
        json!({ "email": "a", "level": 0 }),
        json!({ "email": "a", "more": 1 }),
    ] {
        let refused = kinds.check_new(&person(), &attributes(wrong)).unwrap_err();
        assert_eq!(refused.code, Code::Usage);
    }
    // What is not declared carries anything.
    assert_eq!(
        kinds.check_new(&Kind::Team, &attributes(json!({ "any": [1] }))),
        Ok(0)
    );
}

#[test]
fn an_unknown_kind_is_told_what_was_meant() {
    let kinds = Kinds::declare(&[spec(1, vec![])]).unwrap();
    let hint = |kind: &str| {
        kinds
            .check_known(&kind.parse().unwrap())
            .unwrap_err()
            .hint
            .unwrap()
    };
    assert_eq!(hint("persn"), "did you mean `person`?");
    assert_eq!(hint("proyect"), "did you mean `project`?");
    assert!(
        hint("zzzzzz").contains("person; `[[kind]]`"),
        "{}",
        hint("zzzzzz")
    );
}

#[test]
fn old_versions_are_read_through_all_upcasts() {
    let upcasts = vec![renames(3, "contact", "email"), renames(1, "mail", "contact")];
    let kinds = Kinds::declare(&[spec(4, upcasts)]).unwrap();
    let read = |version, value| kinds.read(&stored_as(version, value)).unwrap();
    let now = attributes(json!({ "email": "a" }));
    assert_eq!(read(1, json!({ "mail": "a" })), (now.clone(), 4));
    assert_eq!(read(2, json!({ "contact": "a" })), (now.clone(), 4));
    assert_eq!(read(4, json!({ "email": "a" })), (now, 4));
    // A newer one is left as it is.
    let newer = json!({ "address": { "mail": "a" } });
    assert_eq!(read(5, newer.clone()), (attributes(newer), 5));
}

#[test]
fn a_change_writes_all_of_it_in_the_current_version() {
    let kinds = Kinds::declare(&[spec(2, vec![renames(1, "mail", "email")])]).unwrap();
    let old = stored_as(1, json!({ "mail": "a" }));
    let (written, version) = kinds.change(&old, &attributes(json!({ "level": 2 }))).unwrap();
    assert_eq!(version, 2);
    assert_eq!(
        written,
        attributes(json!({ "email": "a", "level": 2, "mail": null }))
    );
    let current = stored_as(2, json!({ "email": "a", "level": 2 }));
    let (written, _) = kinds
        .change(&current, &attributes(json!({ "level": null })))
        .unwrap();
    assert_eq!(written, attributes(json!({ "level": null })));
    assert!(
        kinds
            .change(&current, &attributes(json!({ "email": null })))
            .is_err()
    );
    // The decision refuses what a newer version wrote: what is asked comes out as it went in.
    let newer = stored_as(3, json!({ "address": 1 }));
    let asked = attributes(json!({ "email": "b" }));
    assert_eq!(kinds.change(&newer, &asked), Ok((asked, 2)));
}

#[test]
fn every_mistake_of_every_declaration_is_told() {
    let wrong = KindSpec {
        name: "Person".into(),
        version: 0,
        schema: Some(json!(7)),
        upcast: vec![renames(5, "a", "b"), renames(5, "a", "b")],
    };
    let mistakes = Kinds::declare(&[spec(1, vec![]), wrong, spec(1, vec![])]).unwrap_err();
    let keys: Vec<_> = mistakes
        .iter()
        .map(|mistake| (mistake.at, mistake.key.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            (1, "version"),
            (1, "upcast[0].from"),
            (1, "upcast[1].from"),
            (1, "upcast[1].from"),
            (1, "schema"),
            (1, "name"),
            (2, "name"),
        ]
    );
}

#[test]
fn p8_kinds_and_upcasts_are_bounded() {
    let many: Vec<_> = (0..=KINDS)
        .map(|n| KindSpec {
            name: format!("kind_{n}"),
            ..spec(1, vec![])
        })
        .collect();
    assert!(Kinds::declare(&many[..KINDS]).is_ok());
    assert_eq!(Kinds::declare(&many).unwrap_err().len(), 1);
    let upcasts = |count: u32| (1..=count).map(|from| renames(from, "a", "b")).collect();
    assert!(Kinds::declare(&[spec(100, upcasts(64))]).is_ok());
    assert!(Kinds::declare(&[spec(100, upcasts(65))]).is_err());
}
