use std::time::Duration;

use proptest::prelude::*;
use worknode_core::bounds;

use super::*;
use crate::QueryCode;

fn task(status: &str, value: i64) -> Facts {
    Facts::new()
        .with("kind", "task")
        .with("status", status)
        .with("priority", value)
        .with("attributes", Facts::new().with("value", value))
}

fn compiled(source: &str) -> Aggregate {
    Aggregate::compile(source, &Scope::node()).unwrap_or_else(|e| panic!("{source}: {e}"))
}

fn over(source: &str, facts: &[Facts]) -> Outcome {
    let mut aggregation = compiled(source).start();
    for facts in facts {
        aggregation.add(facts);
    }
    aggregation.finish()
}

fn single(source: &str, facts: &[Facts]) -> Option<Value> {
    over(source, facts).groups.remove(0).value
}

#[test]
fn measures_are_what_they_say() {
    let facts: Vec<Facts> = (1..=100).map(|n| task("ready", n)).collect();
    assert_eq!(single("count", &facts), Some(Value::Whole(100)));
    assert_eq!(single("sum(attributes.value)", &facts), Some(Value::Whole(5_050)));
    assert_eq!(single("min(priority)", &facts), Some(Value::Whole(1)));
    assert_eq!(single("max(priority * 2)", &facts), Some(Value::Whole(200)));
    assert_eq!(single("avg(priority)", &facts), Some(Value::Real(50.5)));
    assert_eq!(single("p50(priority)", &facts), Some(Value::Real(50.0)));
    assert_eq!(single("p95(priority)", &facts), Some(Value::Real(95.0)));
    assert_eq!(
        over("sum(priority + 0.5)", &facts).failed,
        100,
        "whole numbers and others do not add"
    );
    assert_eq!(
        single("sum(double(priority) + 0.5)", &facts),
        Some(Value::Real(5_100.0))
    );
}

#[test]
fn nothing_has_a_count_and_no_average() {
    assert_eq!(single("count", &[]), Some(Value::Whole(0)));
    assert_eq!(single("sum(priority)", &[]), Some(Value::Whole(0)));
    assert_eq!(single("avg(priority)", &[]), None);
    assert_eq!(single("p99(priority)", &[]), None);
    assert!(over("count by kind", &[]).groups.is_empty());
}

#[test]
fn groups_have_the_texts_they_are_grouped_by() {
    let facts = [task("ready", 1), task("completed", 2), task("completed", 4)];
    let outcome = over("sum(priority) by kind, status", &facts);
    let groups: Vec<_> = outcome
        .groups
        .iter()
        .map(|g| (g.key.join("/"), g.count, g.value))
        .collect();
    assert_eq!(
        groups,
        [
            ("task/completed".to_owned(), 2, Some(Value::Whole(6))),
            ("task/ready".to_owned(), 1, Some(Value::Whole(1))),
        ]
    );
    let json = serde_json::to_string(&outcome).unwrap();
    assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome);
}

#[test]
fn progress_counts_the_tasks_that_are_wanted() {
    let other = Facts::new().with("kind", "agent");
    let facts = [
        task("ready", 1),
        task("completed", 2),
        task("cancelled", 4),
        other,
    ];
    let outcome = over("progress", &facts);
    let expected = Progress {
        done: 1,
        total: 2,
        percent: 50.0,
    };
    assert_eq!(outcome.groups[0].value, Some(Value::Progress(expected)));
    assert_eq!(outcome.without, 2);
}

#[test]
fn what_has_no_number_is_counted_apart() {
    let spans = Facts::new().with("idle", Duration::from_millis(1_500));
    let facts = [spans, Facts::new(), Facts::new().with("idle", "text")];
    let outcome = over("max(idle)", &facts);
    assert_eq!(outcome.groups[0].value, Some(Value::Real(1.5)));
    assert_eq!((outcome.without, outcome.failed), (1, 1));
    assert_eq!(
        outcome.first_failure.as_deref(),
        Some("`idle` gives string, not a number")
    );
}

#[test]
fn p8_groups_and_samples_are_bounded() {
    let mut aggregation = compiled("count by priority").start();
    for n in 0..5_000 {
        aggregation.add(&task("ready", n));
    }
    let outcome = aggregation.finish();
    assert_eq!(outcome.groups.len(), bounds::GROUPS);
    assert_eq!(outcome.others, 4_000);

    let facts: Vec<Facts> = (1..=10_000).map(|n| task("ready", n)).collect();
    let outcome = over("p90(priority)", &facts);
    assert!(!outcome.exact);
    let Some(Value::Real(estimate)) = outcome.groups[0].value else {
        panic!("{outcome:?}");
    };
    assert!((estimate - 9_000.0).abs() <= 90.0, "{estimate}");
}

#[test]
fn what_is_no_aggregate_is_refused() {
    let refused = |source: &str| Aggregate::compile(source, &Scope::node()).unwrap_err();
    assert_eq!(refused("cuont").hint.as_deref(), Some("did you mean `count`?"));
    for source in [
        "",
        "sum",
        "sum(",
        "count(kind)",
        "count kind",
        "count by",
        "count bykind",
        "sum(1) by",
        "avg(x)",
        "progress by )",
    ] {
        refused(source);
    }
    assert_eq!(refused("sum").code, QueryCode::BadAggregate);
    assert_eq!(refused("sum(priorty)").code, QueryCode::UnknownName);
    assert_eq!(
        compiled(" count()  by  kind ,status ").to_string(),
        "count by kind ,status"
    );
    assert_eq!(
        compiled("sum(size(\")\")) by kind").to_string(),
        "sum(size(\")\")) by kind"
    );
}

#[test]
fn only_the_same_can_be_merged() {
    let mut one = compiled("count").start();
    assert!(one.merge(compiled("count by kind").start()).is_err());
}

proptest! {
    #[test]
    fn halves_merge_into_the_whole(
        values in prop::collection::vec((-50_i64..50, prop::sample::select(vec!["ready", "completed"])), 0..80),
        cut in 0_usize..80,
        measure in prop::sample::select(vec!["count", "progress", "sum(priority)", "min(priority)", "max(priority)", "avg(priority)", "p50(priority)", "p99(priority)"]),
        by in prop::sample::select(vec!["", " by status", " by priority"]),
    ) {
        let facts: Vec<Facts> = values.iter().map(|(value, status)| task(status, *value)).collect();
        let aggregate = compiled(&format!("{measure}{by}"));
        let run = |facts: &[Facts]| {
            let mut aggregation = aggregate.start();
            facts.iter().for_each(|facts| aggregation.add(facts));
            aggregation
        };
        let (left, right) = facts.split_at(cut.min(facts.len()));
        let whole = run(&facts).finish();
        let (mut forward, mut backward) = (run(left), run(right));
        forward.merge(run(right)).unwrap();
        backward.merge(run(left)).unwrap();
        prop_assert_eq!(&forward.finish(), &whole);
        prop_assert_eq!(&backward.finish(), &whole);
    }

    #[test]
    fn estimates_are_within_one_percent(mut values in prop::collection::vec(-1e6_f64..1e6, 1_100..1_500), cut in 0_usize..1_100) {
        let sample = |values: &[f64]| {
            let mut sample = percentile::Sample::default();
            sample.extend(values.iter().copied());
            sample
        };
        let whole = sample(&values);
        let mut merged = sample(&values[cut..]);
        merged.merge(sample(&values[..cut]));
        prop_assert_eq!(&merged, &whole);
        values.sort_by(f64::total_cmp);
        for percent in [50_u8, 90, 95, 99] {
            let rank = (values.len() * usize::from(percent)).div_ceil(100) - 1;
            let estimate = whole.percentile(percent).unwrap();
            let error = (estimate - values[rank]).abs();
            prop_assert!(error <= values[rank].abs() * 0.010_001, "p{}: {} for {}", percent, estimate, values[rank]);
        }
    }
}
