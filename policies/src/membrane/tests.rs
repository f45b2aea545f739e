use proptest::prelude::*;
use serde_json::{Value, json};
use worknode_core::{
    event::{Event, Principal, Record, SCHEMA_VERSION},
    hlc::Hlc,
    ids::NodeId,
    membrane::{MembraneSpec, Overflow},
    time::{Span, Timestamp},
};

use super::{
    arrive::{Arrival, Incoming},
    outward::Outward,
    *,
};
use crate::testing::{agent, node};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn spec(json: Value) -> MembraneSpec {
    serde_json::from_value(json).unwrap()
}

fn rules(specs: &[Value]) -> Rules {
    let specs: Vec<MembraneSpec> = specs.iter().cloned().map(spec).collect();
    let chain: Vec<(NodeId, &MembraneSpec)> = (1..).map(node).zip(&specs).collect();
    compile_chain(&chain).unwrap()
}

fn incoming(name: &str, version: u32, data: Value) -> Incoming {
    let Value::Object(data) = data else {
        panic!("{data} is no table")
    };
    Incoming {
        node: node(9),
        by: Principal::Operator,
        name: name.to_owned(),
        version,
        data,
    }
}

fn record(name: &str, data: Value) -> Record {
    incoming(name, 1, data).as_if_stored(NOW)
}

fn seen(rules: &Rules, record: &Record) -> Option<(String, Value)> {
    match rules.outward(record, &|_| true, &(), NOW) {
        Outward::Pass(record) => match &record.event {
            Event::Emitted { name, data, .. } => Some((name.clone(), Value::Object(data.clone()))),
            other => Some((other.topic().to_owned(), Value::Null)),
        },
        Outward::Inside(_) => None,
    }
}

fn refusal(rules: &Rules, event: Incoming) -> String {
    match rules.arrive(event, &(), NOW) {
        Arrival::Admit(event) => format!("admitted {} {}", event.version, Value::Object(event.data)),
        Arrival::Refuse(reason) => format!("refused {} {}", reason.rule, reason.why),
        Arrival::DeadLetter(reason) => format!("kept {} {}", reason.rule, reason.why),
    }
}

fn task_progress() -> [Value; 3] {
    [
        json!({ "emit": ["task_*"] }),
        json!({ "redact": ["worker.token"] }),
        json!({ "translate": [{
            "from": "subtask_progress", "to": "task_progress",
            "rename": { "worker.percent": "percent" }, "keep": ["percent"],
        }] }),
    ]
}

#[test]
fn an_inner_event_becomes_an_outer_one_with_one_number() {
    let data = json!({ "worker": { "percent": 40, "token": "s3cret" }, "files": ["a.rs"] });
    let outer = seen(
        &rules(&task_progress()),
        &record("subtask_progress", data.clone()),
    );
    assert_eq!(
        outer,
        Some(("task_progress".to_owned(), json!({ "percent": 40 })))
    );
    assert_eq!(seen(&rules(&task_progress()), &record("heartbeat", data)), None);
}

#[test]
fn only_the_membranes_between_are_passed() {
    let rules = rules(&task_progress());
    let record = record("heartbeat", json!({ "worker": { "token": 1, "percent": 2 } }));
    let Outward::Pass(inside) = rules.outward(&record, &|layer| layer != node(1), &(), NOW) else {
        panic!("the outermost alone holds it back");
    };
    let Event::Emitted { data, .. } = &inside.event else {
        panic!()
    };
    assert_eq!(Value::Object(data.clone()), json!({ "worker": { "percent": 2 } }));
    assert!(matches!(
        rules.outward(&record, &|_| false, &(), NOW),
        Outward::Pass(std::borrow::Cow::Borrowed(_))
    ));
}

#[test]
fn p9_no_translation_carries_past_what_is_redacted_above() {
    let inner = json!({ "translate": [{ "from": "e", "rename": { "user.email": "contact" } }] });
    let outer = json!({ "redact": ["user.email"] });
    let data = json!({ "user": { "email": "a@b.c", "name": "A" } });
    let (_, outside) = seen(&rules(&[outer, inner]), &record("e", data)).unwrap();
    assert_eq!(outside, json!({ "user": { "name": "A" } }));
}

#[test]
fn the_runtimes_own_events_pass_as_they_are_or_with_data_of_their_own() {
    let record = Record {
        event: Event::TaskFailed {
            reason: "path /home/u".to_owned(),
        },
        ..record("x", json!({}))
    };
    let untouched = rules(&[json!({ "emit": ["task_failed"], "redact": ["other"] })]);
    let Outward::Pass(same) = untouched.outward(&record, &|_| true, &(), NOW) else {
        panic!()
    };
    assert_eq!(*same, record);
    let redacted = seen(&rules(&[json!({ "redact": ["reason"] })]), &record);
    assert_eq!(redacted, Some(("task_failed".to_owned(), json!({}))));
}

#[test]
fn p9_a_dead_letter_shows_nothing_of_what_it_keeps() {
    let original = worknode_core::letter::Letter {
        name: "build".to_owned(),
        version: 1,
        data: incoming("x", 1, json!({ "secret": 1 })).data,
        by: Principal::Operator,
    };
    let record = Record {
        event: Event::DeadLettered {
            reason: "why".to_owned(),
            original: Box::new(original),
        },
        ..record("x", json!({}))
    };
    let (_, data) = seen(
        &rules(&[json!({ "rate": { "events": 1, "per": "1s" } })]),
        &record,
    )
    .unwrap();
    assert_eq!(data, json!({ "reason": "why", "original": { "name": "build" } }));
}

#[test]
fn foreign_events_are_checked_and_brought_up() {
    let rules = rules(&[json!({ "schema": [
        { "type": "build", "version": 2, "schema": { "required": ["code"], "properties": { "code": { "type": "integer" } } },
          "upcast": { "rename": { "exit": "code" }, "convert": { "code": "integer" } } },
        { "type": "build", "version": 3, "schema": { "required": ["code", "host"] },
          "upcast": { "constant": { "host": "unknown" } } },
    ] })]);
    let told = |version, data| refusal(&rules, incoming("build", version, data));
    assert_eq!(
        told(1, json!({ "exit": "7" })),
        r#"admitted 3 {"code":7,"host":"unknown"}"#
    );
    assert_eq!(
        told(3, json!({ "code": 7, "host": "h" })),
        r#"admitted 3 {"code":7,"host":"h"}"#
    );
    assert_eq!(
        told(2, json!({})),
        "kept schema `build` is not of version 2: lacks `code`"
    );
    assert!(told(1, json!({ "exit": "x" })).contains("cannot become version 2"));
    assert!(told(4, json!({})).contains("version 4 of `build` is not known; there is 2, 3"));
    assert!(told(0, json!({})).contains("version 0"));
    assert_eq!(refusal(&rules, incoming("other", 9, json!({}))), "admitted 9 {}");
}

#[test]
fn an_agent_is_told_and_what_comes_from_elsewhere_is_kept() {
    let rules = rules(&[json!({ "filter": "event.data.size < 10", "accept": ["build"] })]);
    let mut event = incoming("build", 1, json!({ "size": 12 }));
    assert_eq!(
        refusal(&rules, event.clone()),
        "kept filter `event.data.size < 10` does not hold"
    );
    event.by = agent(1, worknode_core::agent::Tier::Executive);
    assert!(refusal(&rules, event.clone()).starts_with("refused filter"));
    event.name = "other".to_owned();
    assert_eq!(
        refusal(&rules, event),
        "refused accept events of type `other` are not accepted"
    );
}

#[test]
fn the_smallest_counts_and_of_overflow_the_nearest() {
    let rules = rules(&[
        json!({ "rate": { "events": 10, "per": "1s" }, "capacity": 5, "overflow": "conflate" }),
        json!({ "rate": { "events": 100, "per": "1s" }, "capacity": 50, "overflow": "dead_letter" }),
        json!({}),
    ]);
    assert_eq!(rules.rate().unwrap().events, 10);
    assert_eq!(rules.capacity(), Some(5));
    assert_eq!(rules.overflow(), Overflow::DeadLetter);
    assert_eq!(Rules::default().overflow(), Overflow::Refuse);
}

#[test]
fn every_mistake_is_told_with_its_key() {
    let wrong = spec(json!({
        "accept": ["ok_*", "a b"],
        "emit": ["x".repeat(200)],
        "filter": "event.typ == 1",
        "translate": [{ "from": "a", "drop": [""] }, { "from": "a" }],
        "schema": [{ "type": "t", "version": 0, "schema": { "tipe": "x" } }],
        "redact": ["a..b"],
        "rate": { "events": 0, "per": "0s" },
        "capacity": 1_000_000,
    }));
    let mistakes = compile(node(1), &wrong).unwrap_err();
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "accept[1]",
            "emit[0]",
            "filter",
            "translate[0].drop[0]",
            "translate[1].from",
            "schema[0].version",
            "schema[0].schema",
            "redact[0]",
            "rate.events",
            "rate.per",
            "capacity",
        ]
    );
}

fn any_spec() -> impl Strategy<Value = MembraneSpec> {
    let globs = || {
        prop::option::of(prop::collection::vec(
            prop::sample::select(vec!["*", "a*", "b", "?"]),
            0..3,
        ))
    };
    let filters = prop::sample::select(vec![
        None,
        Some("event.type != \"b\""),
        Some("event.data.x == 1"),
        Some("event.data.y.z < 3"),
        Some("false"),
    ]);
    let paths = prop::collection::vec(prop::sample::select(vec!["x", "y", "y.z"]), 0..2);
    let translated = prop::option::of(prop::sample::select(vec!["a", "b"]));
    let limits = (
        prop::option::of(1_u32..5),
        prop::option::of(1_usize..9),
        any::<bool>(),
    );
    (globs(), globs(), filters, paths, translated, limits).prop_map(
        |(accept, emit, filter, redact, translated, (rate, capacity, strict))| {
            let own = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
            let mut spec = spec(json!({
                "translate": translated.map(|from| json!([
                    { "from": from, "to": "b", "rename": { "y": "x", "x": "w" } },
                ])).unwrap_or_else(|| json!([])),
                "schema": if strict { json!([{ "type": "a", "schema": { "required": ["x"] } }]) } else { json!([]) },
            }));
            spec.accept = accept.map(own);
            spec.emit = emit.map(own);
            spec.filter = filter.map(str::to_owned);
            spec.redact = own(redact);
            spec.rate = rate.map(|events| Rate { events, per: Span::secs(1) });
            spec.capacity = capacity;
            spec
        },
    )
}

fn any_event() -> impl Strategy<Value = Incoming> {
    let data = prop::sample::select(vec![
        json!({}),
        json!({ "x": 1 }),
        json!({ "x": 2, "y": { "z": 1 } }),
        json!({ "y": { "z": 9 }, "x": 1 }),
        json!({ "y": [{ "z": 1 }] }),
    ]);
    (
        prop::sample::select(vec!["a", "b", "ab", "c"]),
        data,
        any::<bool>(),
    )
        .prop_map(|(name, data, by_agent)| {
            let mut event = incoming(name, 1, data);
            if by_agent {
                event.by = agent(1, worknode_core::agent::Tier::Executive);
            }
            event
        })
}

proptest! {
    #[test]
    fn p9_a_membrane_further_down_only_narrows(
        above in prop::collection::vec(any_spec(), 1..3), child in any_spec(), event in any_event(),
    ) {
        let mut chain: Vec<(NodeId, &MembraneSpec)> = (1..).map(node).zip(&above).collect();
        let parents = compile_chain(&chain).unwrap();
        chain.push((node(8), &child));
        let with_child = compile_chain(&chain).unwrap();
        // In: what the child lets in, its parents let in; and never more of it.
        if let Arrival::Admit(admitted) = with_child.arrive(event.clone(), &(), NOW) {
            prop_assert_eq!(parents.arrive(event.clone(), &(), NOW), Arrival::Admit(admitted));
        }
        let smaller = |one: Option<u32>, other: Option<u32>| other.is_none_or(|other| one.is_some_and(|one| one <= other));
        let rate = |rules: &Rules| rules.rate().map(|rate| rate.events);
        prop_assert!(smaller(rate(&with_child), rate(&parents)));
        let capacity = |rules: &Rules| rules.capacity().map(|count| u32::try_from(count).unwrap());
        prop_assert!(smaller(capacity(&with_child), capacity(&parents)));
        // Out: the type is one that all parents emit, and what they hide of the event is nowhere.
        let record = event.as_if_stored(NOW);
        if let Some((topic, data)) = seen(&with_child, &record) {
            let outermost = &above[0];
            prop_assert!(outermost.emit.as_ref().is_none_or(|emit| emit.iter().any(|glob| crate::names::fits(glob, &topic))));
            for path in above.iter().flat_map(|spec| &spec.redact) {
                if outermost.redact.contains(path) {
                    let mut left = data.as_object().unwrap().clone();
                    prop_assert!(!Path::new(path).redact(&mut left), "{path} in {data}");
                }
            }
        }
    }
}

#[test]
fn a_stamp_is_not_needed_to_decide() {
    let record = record("x", json!({}));
    assert_eq!(
        (record.at, record.version),
        (
            Hlc {
                wall: NOW,
                ..Hlc::ZERO
            },
            SCHEMA_VERSION
        )
    );
}
