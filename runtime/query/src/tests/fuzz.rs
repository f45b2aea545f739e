//! Nothing that is written makes anything panic, or run for long.

use proptest::prelude::*;

use super::samples::rich;
use crate::{Aggregate, Expression, Predicate, Scope};

/// Expressions that are well formed and mostly make no sense.
fn expression() -> impl Strategy<Value = String> {
    let words = vec![
        "kind",
        "tags",
        "attributes",
        "attributes.scores",
        "attributes.value",
        "now",
        "created_at",
        "priority",
        "holder",
        "links",
        "t",
        "null",
        "true",
        "1",
        "-9223372036854775808",
        "1.5",
        "0u",
        "1e308",
        "\"a\"",
        "b\"x\"",
        "[]",
        "[1, \"a\"]",
        "{}",
        "{\"a\": 1}",
        "duration(\"1h\")",
        "timestamp(\"9999-12-31T23:59:59Z\")",
        "timestamp(\"0001-01-01T00:00:00Z\")",
        "duration(\"2562047h\")",
        "title",
    ];
    let leaf = prop::sample::select(words).prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operators = vec!["&&", "||", "==", "!=", "<", ">=", "in", "+", "-", "*", "/", "%"];
        let methods = vec![
            "size()",
            "startsWith(\"a\")",
            "contains(kind)",
            "matches(\"a+\")",
            "getHours(\"Europe/Berlin\")",
            "getDayOfYear()",
            "getMilliseconds()",
            "a",
            "b.c",
            "matches(\"[\")",
        ];
        let functions = vec![
            "size",
            "string",
            "int",
            "uint",
            "double",
            "bool",
            "day",
            "timestamp",
            "duration",
            "!",
            "-",
            "has",
        ];
        let loops = vec!["all", "exists", "exists_one", "filter", "map"];
        prop_oneof![
            (inner.clone(), prop::sample::select(operators), inner.clone())
                .prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            (inner.clone(), prop::sample::select(methods)).prop_map(|(a, m)| format!("({a}).{m}")),
            (prop::sample::select(functions), inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (inner.clone(), prop::sample::select(loops), inner.clone())
                .prop_map(|(a, l, b)| format!("({a}).{l}(t, {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("[{a}, {b}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_expressions_end_well_or_with_an_error(source in expression()) {
        let scope = Scope::node();
        if let Ok(expression) = Expression::compile(&source, &scope) {
            let _ = expression.evaluate(&rich()).map(|value| value.to_json());
        }
        if let Ok(predicate) = Predicate::compile(&source, &scope) {
            let _ = predicate.matches(&rich());
        }
    }

    #[test]
    fn random_text_is_an_error_at_worst(source in ".{0,60}") {
        let _ = Predicate::compile(&source, &Scope::event()).map_err(|error| error.to_string());
        let _ = Aggregate::compile(&source, &Scope::node()).map_err(|error| error.to_string());
    }

    #[test]
    fn random_signs_are_an_error_at_worst(source in r#"[a-c0-9.()\[\]{}"'!?:&|=<>+*/%,@`\\ \n-]{0,80}"#) {
        let _ = Predicate::compile(&source, &Scope::event()).map_err(|error| error.to_string());
    }

    #[test]
    fn a_cut_or_doubled_expression_is_an_error_at_worst(source in expression(), cut in 0_usize..200) {
        let start: String = source.chars().take(cut).collect();
        let _ = Predicate::compile(&start, &Scope::node()).map_err(|error| error.to_string());
        let _ = Predicate::compile(&format!("{source} {start}"), &Scope::node());
    }
}
