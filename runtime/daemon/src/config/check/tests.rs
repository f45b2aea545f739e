use serde_json::json;

use super::*;
use crate::config::{
    document::parse,
    schema::{SchemaKind, schema},
};

/// The findings for `text`, and what was made of it.
fn check(schema: &serde_json::Value, text: &str) -> (Vec<String>, toml::Value) {
    let mut root = parse(text).unwrap();
    let mut checker = Checker::default();
    checker.layer(&mut root, Schema::root(schema));
    let told = checker.findings.iter().map(|finding| {
        let hint = finding
            .hint
            .as_deref()
            .map_or_else(String::new, |hint| format!(" ({hint})"));
        format!("{}: {}{hint}", finding.key, finding.message)
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    (told, root.to_toml())
}

fn config(text: &str) -> Vec<String> {
    let schema = schema(SchemaKind::Config);
    let (found, mended) = check(&schema, text);
    // What is mended is always fit to be read.
    mended.try_into::<crate::config::Config>().unwrap();
    found
}

#[test]
fn what_is_right_is_left_alone() {
    let text = "[team]\nname = \"a\"\n[[agent]]\nname = \"x\"\ncount = 2\nenv = { A = \"b\" }\n";
    let (found, mended) = check(&schema(SchemaKind::Config), text);
    assert_eq!(found, [""; 0]);
    assert_eq!(mended, toml::Value::Table(text.parse().unwrap()));
}

#[test]
fn many_mistakes_in_one_element_are_all_told() {
    let found = config(
        "[[agent]]\nnmae = \"x\"\ncommand = \"sh\"\ncount = -1\nstart = \"lunch\"\nlimits = { time = 5, outptu = 1 }\nrestart = []\nenv = { A = 1 }\n",
    );
    assert_eq!(
        found,
        [
            "agent[0].command: found a string, want a list of strings (write [\"sh\"])",
            "agent[0].count: -1 is too small; at least 1",
            "agent[0].env.A: found an integer, want a string (write it in quotes)",
            "agent[0].limits.outptu: there is no key `outptu` (did you mean `output`?)",
            "agent[0].limits.time: found an integer, want a length of time, as in \"30m\" (write it with its unit in quotes)",
            "agent[0].nmae: there is no key `nmae` (did you mean `name`?)",
            "agent[0].restart: found a list, want a table (write [agent.restart])",
            "agent[0].start: `lunch` is none of: launch, task, trigger (did you mean `launch`?)",
        ]
    );
}

#[test]
fn common_slips_come_with_advice() {
    for (text, expected) in [
        (
            "[agent]\nname = \"x\"",
            "agent: found a table, want a list of tables (write [[agent]])",
        ),
        (
            "[team]\nstrategy = \"one_for_one\"",
            "team.strategy: `one_for_one` is none of: one-for-one, rest-for-one, one-for-all (did you mean `one-for-one`?)",
        ),
        (
            "[limits]\nagents = \"8\"",
            "limits.agents: found a string, want an integer (write it without quotes)",
        ),
        (
            "[limits]\nagents = 0",
            "limits.agents: 0 is too small; at least 1",
        ),
        (
            "[limits]\nagents = 99999999999999999999999999",
            "limits.agents: the number is too large; at most 4294967295",
        ),
        (
            "[limits]\nusd = 0",
            "limits.usd: this is not an amount of dollars above zero, as in 20 or 0.5",
        ),
        (
            "[limits]\nusd = -0.5",
            "limits.usd: this is not an amount of dollars above zero, as in 20 or 0.5",
        ),
        (
            "[limits]\nusd = \"20\"",
            "limits.usd: found a string, want an amount of dollars, as in 0.5 (write it without quotes)",
        ),
        (
            "[limits]\ntokens = 0",
            "limits.tokens: 0 is too small; at least 1",
        ),
        (
            "[limits]\nspawn_depth = -1",
            "limits.spawn_depth: -1 is too small; at least 0",
        ),
        (
            "[[agent]]\nname = \"x\"\nlimits = { memory = \"2 apples\" }",
            "agent[0].limits.memory: `2 apples` is not a number of bytes, as in 1048576, \"512MB\" or \"2GiB\"",
        ),
        (
            "[[agent]]\nname = \"x\"\nlimits = { memory = -1 }",
            "agent[0].limits.memory: -1 is too small; at least 0",
        ),
        (
            "[[agent]]\nname = \"x\"\nlimits = { memory = 1.5 }",
            "agent[0].limits.memory: found a number with a fraction, want an integer or a number of bytes, as in \"2GiB\"",
        ),
        (
            "[[agent]]\nname = \"x\"\non_stuck = { silent = \"kil\" }",
            "agent[0].on_stuck.silent: `kil` is none of: wait, notify, freeze, kill, escalate (did you mean `kill`?)",
        ),
        (
            "[[agent]]\nname = \"x\"\nsandbox = \"besteffort\"",
            "agent[0].sandbox: `besteffort` is none of: enforce, best-effort, off (did you mean `best-effort`?)",
        ),
        (
            "[[agent]]\nname = \"x\"\nports = [443, 70000]",
            "agent[0].ports[1]: the number is too large; at most 65535",
        ),
        (
            "[limits]\nagents = 1.5",
            "limits.agents: found a number with a fraction, want an integer",
        ),
        ("[[agent]]\nprofile = \"x\"", "agent[0].name: `name` is missing"),
        ("agent = [1]", "agent[0]: found an integer, want a table"),
        (
            "[team]\ngates = [\"plan\", 1]",
            "team.gates[1]: found an integer, want a string (write it in quotes)",
        ),
        (
            "[[trigger]]\nname = \"x\"\nevery = \"soon\"\nnotify = \"operator\"",
            "trigger[0].every: `soon` is not a length of time, as in \"30m\", \"1h 30m\" or \"500ms\"",
        ),
        (
            "[[trigger]]\nname = \"x\"\nevery = \"1h\"\nnotify = 1",
            "trigger[0].notify: found an integer, want a string or a table (write it in quotes)",
        ),
    ] {
        assert_eq!(config(text), [expected], "{text}");
    }
}

#[test]
fn dates_may_stand_without_quotes() {
    let schema =
        json!({"type": "object", "properties": {"d": {"type": ["string", "null"], "format": "date-time"}}});
    let (found, mended) = check(&schema, "d = 2026-12-01T18:00:00+01:00");
    assert_eq!(
        (found.len(), mended["d"].as_str()),
        (0, Some("2026-12-01T18:00:00+01:00"))
    );
    let (found, _) = check(&schema, "d = 2026-12-01");
    assert!(
        found[0].contains("is not a date and time with an offset"),
        "{found:?}"
    );
}

#[test]
fn a_misspelt_key_beside_the_right_one_is_dropped() {
    let found = config("[team]\nname = \"a\"\nnaem = \"b\"\n");
    assert_eq!(
        found,
        ["team.naem: there is no key `naem` (did you mean `name`?)"]
    );
}

#[test]
fn p8_findings_are_bounded() {
    let text: String = (0..3_000).map(|n| format!("k{n} = 1\n")).collect();
    let mut root = parse(&text).unwrap();
    let mut checker = Checker::default();
    let schema = schema(SchemaKind::Config);
    checker.layer(&mut root, Schema::root(&schema));
    assert_eq!(checker.findings.len() + checker.left_out, 3_000);
    assert_eq!(checker.findings.len(), crate::config::mistake::KEPT);
}
