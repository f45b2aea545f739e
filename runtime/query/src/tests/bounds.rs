//! No expression that is accepted runs for long, on any facts.

use serde_json::json;
use worknode_core::bounds;

use super::samples::rich;
use crate::{EvalError, Fact, Facts, Predicate, QueryCode, Scope};

fn code(source: &str) -> Option<QueryCode> {
    Predicate::compile(source, &Scope::node())
        .err()
        .map(|error| error.code)
}

#[test]
fn p8_size_and_depth_are_limited_when_an_expression_is_compiled() {
    let ands = |n: usize| format!("true{}", " && true".repeat(n));
    assert_eq!(code(&ands(200)), None);
    let nested_loops =
        |n: usize| (0..n).fold("true".to_owned(), |inner, i| format!("[1, 2].all(v{i}, {inner})"));
    assert_eq!(code(&nested_loops(bounds::EXPRESSION_LOOPS)), None);
    for bomb in [
        "x".repeat(bounds::EXPRESSION + 1),
        ands(400),
        nested_loops(bounds::EXPRESSION_LOOPS + 1),
        format!("{}true{}", "(".repeat(90), ")".repeat(90)),
        format!("{}1{} == 1", "[".repeat(1000), "]".repeat(1000)),
        format!("{}true", "!".repeat(4000)),
        format!("{}1 == 1", "-".repeat(4000)),
        format!("attributes{} == 1", ".a".repeat(2000)),
        format!("attributes{} == 1", ".a".repeat(60)),
        format!("true{}", " ? true : true".repeat(200)),
        format!("{}true", "true ? ".repeat(300)),
        format!("attributes{} == 1", "[0]".repeat(1000)),
        format!("1{} == 1", " + 1".repeat(900)),
        format!("name{} == \"x\"", " + name".repeat(17)),
        format!("tags{}", ".filter(t, true)".repeat(50)),
        format!("{} == 1", "size(".repeat(500)),
        "\"\\u0041".repeat(500),
        "name.matches(\"a\") && ".repeat(17) + "true",
        "name.matches(\"(a{1000}){1000}\")".to_owned(),
        "name.matches(\"\\\\w{200}\")".to_owned(),
    ] {
        let start: String = bomb.chars().take(60).collect();
        let code = code(&bomb);
        assert!(
            matches!(code, Some(QueryCode::TooComplex | QueryCode::Syntax)),
            "{start}: {code:?}"
        );
    }
}

/// As long and as deep as what the parser is still given.
fn longest_chains() -> Vec<String> {
    let nested = |open: &str, close: &str| {
        let depth = bounds::EXPRESSION_BRACKETS;
        format!("{}true{}", open.repeat(depth), close.repeat(depth))
    };
    vec![
        format!("{}true", "!".repeat(512)),
        format!("{}1 == 1", "- ".repeat(512)),
        format!("attributes{} == 1", ".a".repeat(511)),
        format!("attributes{} == 1", "[0]".repeat(300)),
        format!("name{} == 1", ".size()".repeat(300)),
        format!("true{}", " ? true : true".repeat(250)),
        format!("true{}", " && true".repeat(255)),
        format!("1{} == 1", " + 1".repeat(250)),
        nested("(", ")"),
        nested("!(", ")"),
        nested("true && (true || ", ")"),
        nested("true ? true : (", ")"),
        nested("[", "]"),
        nested("{1: ", "}"),
        nested("size(", ")"),
        nested("attributes[", "]"),
        nested("tags.all(t, ", ")"),
    ]
}

/// A thread has 2 MiB, and whoever compiles has used some of it.
#[test]
fn p8_the_longest_chains_do_not_exhaust_a_small_stack() {
    let small = std::thread::Builder::new().stack_size(1_500 * 1024);
    let compile_all = || {
        for chain in longest_chains() {
            if let Ok(predicate) = Predicate::compile(&chain, &Scope::node()) {
                let _ = predicate.matches(&rich());
            }
        }
    };
    small.spawn(compile_all).unwrap().join().unwrap();
}

#[test]
fn p8_values_cannot_be_made_to_grow() {
    for bomb in [
        "[1].map(x, [x, x]).size() > 1",
        "[[1]].map(x, x + x).size() > 1",
        "[\"ab\"].map(x, x + x).size() > 1",
        "[1].map(x, {\"a\": x, \"b\": x}).size() > 1",
        "[1].map(x, [1].map(y, y)).size() > 1",
        "[1].map(x, archived ? [1].map(y, y) : [2]).size() > 1",
        "[[tags, tags], [tags, tags]].size() > 1",
        "{\"a\": [tags]}.size() > 1",
        "tags.exists(t, [t, t].size() > 1)",
        "tags.exists(t, t + name == \"x\")",
        "[tags.map(t, t)].size() == 1",
    ] {
        assert_eq!(code(bomb), Some(QueryCode::TooComplex), "{bomb}");
    }
}

/// Facts that are as costly as a payload at its limit can be.
fn heavy() -> Facts {
    let text = "ab".repeat(500);
    let items: Vec<_> = (0..400)
        .map(|i| json!({ "name": text.get(..80), "at": i }))
        .collect();
    let tags: Vec<String> = (0..2_000).map(|i| format!("tag-{i}")).collect();
    rich()
        .with("title", "a".repeat(bounds::EVENT_PAYLOAD))
        .with("tags", tags)
        .with(
            "attributes",
            Fact::json(&json!({ "items": items, "numbers": vec![1; 2_000] })).unwrap(),
        )
}

#[test]
fn p8_what_costs_too_much_ends_with_an_error() {
    let tens = "[0,1,2,3,4,5,6,7,8,9]";
    let hundred = format!("[{}1]", "1,".repeat(99));
    for bomb in [
        "tags.all(a, tags.all(b, true))".to_owned(),
        "tags.all(a, tags.all(b, tags.all(c, true)))".to_owned(),
        "!tags.exists(a, tags.exists(b, a == b + b && false))".replace("b + b", "b"),
        "tags.all(a, title.contains(a) || true)".to_owned(),
        "tags.all(a, title.matches(\"(a|b)*c\") || true)".to_owned(),
        "tags.map(t, attributes).size() > 0".to_owned(),
        "tags.map(t, title).map(t, title).size() > 0".to_owned(),
        "tags.filter(t, tags.exists(u, false)).size() == 0".to_owned(),
        "attributes.items.all(i, attributes.items.all(j, i == j || true))".to_owned(),
        "tags.exists_one(t, tags.all(u, t in tags))".to_owned(),
        format!("{hundred}.all(a, {hundred}.all(b, {tens}.all(c, title == title)))"),
    ] {
        let predicate = Predicate::compile(&bomb, &Scope::node()).unwrap_or_else(|e| panic!("{bomb}: {e}"));
        let result = predicate.matches(&heavy());
        assert!(
            matches!(result, Err(EvalError::TooCostly { .. })),
            "{bomb}: {result:?}"
        );
    }
}

#[test]
fn ordinary_questions_about_large_facts_are_answered() {
    for (source, holds) in [
        ("tags.exists(t, t == \"tag-1999\")", true),
        ("tags.filter(t, t.endsWith(\"7\")).size() == 200", true),
        (
            "attributes.items.exists(i, i.at == 399 && i.name.startsWith(\"ab\"))",
            true,
        ),
        ("attributes.numbers.all(n, n + 1 == 2)", true),
        ("attributes.numbers.map(n, n * 2).exists(n, n > 2)", false),
        (
            "\"tag-77\" in tags && title.contains(\"aaa\") && !title.matches(\"b\")",
            true,
        ),
        ("tags.exists(t, assignees.exists(a, a == t))", false),
        ("tags.exists(t, string(created_at) == t)", false),
    ] {
        let predicate = Predicate::compile(source, &Scope::node()).unwrap();
        assert_eq!(predicate.matches(&heavy()), Ok(holds), "{source}");
    }
}

#[test]
fn a_loop_that_ran_out_of_budget_is_not_taken_for_an_answer() {
    // What follows a loop would absorb its error.
    let source = "tags.all(a, tags.all(b, true)) || kind == \"task\"";
    let predicate = Predicate::compile(source, &Scope::node()).unwrap();
    assert!(matches!(
        predicate.matches(&heavy()),
        Err(EvalError::TooCostly { .. })
    ));
}

#[test]
fn facts_that_nest_too_deeply_are_refused() {
    let deep = (0..bounds::FACTS_DEPTH).fold(json!(1), |inner, _| json!([inner]));
    assert!(Fact::json(&deep).is_ok());
    assert!(Fact::json(&json!({ "a": deep })).is_err());
}
