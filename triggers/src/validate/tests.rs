use proptest::prelude::*;

use super::*;
use crate::trigger::{Action, Recipient};

fn spec(text: &str) -> TriggerSpec {
    toml::from_str(text).unwrap()
}

/// The keys and messages of all problems.
fn problems(text: &str) -> Vec<(String, String)> {
    let problems = spec(text).validate();
    problems
        .into_iter()
        .map(|problem| (problem.key, problem.message))
        .collect()
}

/// The only problem there is.
fn problem(text: &str) -> Problem {
    let mut problems = spec(text).validate();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

const ACTION: &str = "notify = \"operator\"";

#[test]
fn names_that_stand_for_something_else_are_refused() {
    for name in ["next", "runs", "simulate"] {
        let problem = problem(&format!("name = \"{name}\"\nevery = \"1h\"\n{ACTION}"));
        assert_eq!(problem.key, "name");
        assert!(
            problem.message.contains(&format!("`worknode trigger {name}`")),
            "{problem:?}"
        );
    }
    assert!(problems(&format!("name = \"next-week\"\nevery = \"1h\"\n{ACTION}")).is_empty());
}

#[test]
fn a_digest_is_of_what_is_said() {
    let of = |text: &str| {
        crate::trigger::compile(&spec(&format!("name = \"t\"\n{text}\n{ACTION}")))
            .unwrap()
            .digest()
    };
    assert_eq!(of("every = \"1h\""), of("every = \"60m\""));
    assert_ne!(of("every = \"1h\""), of("every = \"2h\""));
    // Stored by one daemon and compared by the next, perhaps of another version.
    assert_eq!(of("every = \"1h\""), 17_089_615_042_028_999_762);
}

#[test]
fn every_mistake_is_found_at_once() {
    let keys: Vec<String> = problems(
        r#"
        name = "my trigger"
        cron = "0 25 * * *"
        timezone = "Berlin"
        every = "0s"
        consecutive = 2
        cooldown = "1m"
        spawn = { agent = "a", profile = "p", max_duration = "0s", task = { title = " ", files = ["/etc/passwd", "../x", "ok"] } }
        terminate = { agents = "[a]", reason = "" }
        "#,
    )
    .into_iter()
    .map(|(key, _)| key)
    .collect();
    assert_eq!(
        keys,
        [
            "name",
            "every",
            "timezone",
            "cron",
            "every",
            "consecutive",
            "cooldown",
            "terminate",
            "spawn.profile",
            "spawn.task.title",
            "spawn.task.files[0]",
            "spawn.task.files[1]",
            "spawn.max_duration",
            "terminate.reason",
            "terminate.agents",
        ]
    );
}

#[test]
fn a_trigger_needs_one_schedule_and_one_action() {
    let nothing = spec("name = \"t\"").validate();
    assert_eq!(
        nothing
            .iter()
            .map(|problem| problem.message.as_str())
            .collect::<Vec<_>>(),
        ["no schedule", "no action"]
    );
    assert_eq!(
        nothing[0].hint.as_deref().unwrap(),
        "set one of `cron`, `every`, `event`, `deadline`"
    );
    let two = problem(&format!(
        "name = \"t\"\ncron = \"@daily\"\nevery = \"1h\"\n{ACTION}"
    ));
    assert_eq!(
        (two.key.as_str(), two.message.as_str()),
        ("every", "more than one schedule: `cron` and `every`")
    );
}

#[test]
fn schedules_are_checked_where_they_stand() {
    for (schedule, key, words) in [
        ("cron = \"0 25 * * *\"", "cron", "hour field: found `25`"),
        ("cron = \"0 0 31 2 *\"", "cron", "never fires"),
        (
            "cron = \"@daily\"\ntimezone = \"Mars/Base\"",
            "timezone",
            "not a time zone",
        ),
        ("every = \"999ms\"", "every", "one second"),
        ("every = \"1h\"\ntimezone = \"UTC\"", "timezone", "`cron`"),
        ("every = \"1h\"\nconsecutive = 2", "consecutive", "`event`"),
        ("event = \"a b\"", "event", "stands in no name"),
        ("event = \"a\"\nwhere = \"event.typo == 1\"", "where", "typo"),
        ("every = \"1h\"\nwhere = \"event.type == 'a'\"", "where", "event"),
        (
            "event = \"a\"\ncount = 2\nconsecutive = 2",
            "count",
            "consecutive",
        ),
        ("event = \"a\"\nwithin = \"1h\"", "within", "count"),
        (
            "event = \"a\"\ncount = 1001\nwithin = \"1h\"",
            "count",
            "at most 1000",
        ),
        (
            "event = \"a\"\nabsent_for = \"1h\"\ndebounce = \"1s\"",
            "debounce",
            "absent_for",
        ),
        ("event = \"a\"\nunder = \"a//b\"", "under", "empty"),
        ("event = \"a\"\njitter = \"1s\"", "jitter", "`cron` or `every`"),
        ("cron = \"@every 1h\"\ntimezone = \"UTC\"", "cron", "elapsed"),
        ("cron = \"@every soon\"", "cron", "length of time"),
        (
            "cron = \"CRON_TZ=Asia/Tokyo @daily\"\ntimezone = \"UTC\"",
            "timezone",
            "another zone",
        ),
        ("cron = \"CRON_TZ=Tokyo @daily\"", "cron", "not a time zone"),
        (
            "every = \"1h\"\nmax_firings = 0",
            "max_firings",
            "switch the trigger off",
        ),
        ("every = \"1h\"\nmax_concurrent = 2", "max_concurrent", "only one"),
        ("every = \"1h\"\ncatch_up = 5", "catch_up", "misfire"),
        (
            "every = \"1h\"\nretry = { attempts = 99 }",
            "retry.attempts",
            "from 2 to 10",
        ),
        (
            "every = \"1h\"\nstart = \"2026-01-02T00:00:00Z\"\nend = \"2026-01-01T00:00:00Z\"",
            "end",
            "not after",
        ),
        ("event = \"a\"\nconsecutive = 0", "consecutive", "starts at 1"),
        ("event = \"a\"\nmisfire = \"all\"", "misfire", "no meaning"),
    ] {
        let problem = problem(&format!("name = \"t\"\n{schedule}\n{ACTION}"));
        assert_eq!(problem.key, key, "{schedule}");
        assert!(problem.message.contains(words), "{schedule}: {}", problem.message);
    }
}

#[test]
fn actions_are_checked_where_they_stand() {
    for (action, key, words) in [
        ("notify = { message = \"x\" }", "notify", "no recipient"),
        (
            "notify = { to = \"operator\", command = [\"x\"] }",
            "notify.command",
            "more than one",
        ),
        (
            "notify = { webhook = { url = \"ftp://x\" } }",
            "notify.webhook.url",
            "not an http",
        ),
        (
            "notify = { webhook = { url = \"http://example.org/\" } }",
            "notify.webhook.url",
            "in the clear",
        ),
        (
            "notify = { webhook = { url = \"https://me:secret@example.org/\" } }",
            "notify.webhook.url",
            "password",
        ),
        ("notify = { command = [] }", "notify.command", "needs a program"),
        (
            "notify = { to = \"operator\", message = \"{{event.type}}\" }",
            "notify.message",
            "event",
        ),
        (
            "run = { command = [\"{{now}}\"] }",
            "run.command",
            "cannot be a value",
        ),
        (
            "run = { command = [\"x\"], timeout = \"0s\" }",
            "run.timeout",
            "some time",
        ),
        (
            "spawn = { agent = \"a\", driver = \"d\" }",
            "spawn.driver",
            "already",
        ),
        (
            "spawn = { agent = \"a\", prompt = \"p\", task = { title = \"t\" } }",
            "spawn.prompt",
            "`task`",
        ),
        (
            "spawn = { agent = \"a\", prompt = \"{{nothing}}\" }",
            "spawn.prompt",
            "nothing",
        ),
        (
            "spawn = { agent = \"a\", budget = { tokens = 0 } }",
            "spawn.budget.tokens",
            "some tokens",
        ),
        (
            "terminate = { agents = \"matching\", reason = \"r\" }",
            "terminate.agents",
            "there is none",
        ),
        (
            "terminate = { agents = \"*\", where = \"agent.idel == 1\", reason = \"r\" }",
            "terminate.where",
            "idel",
        ),
        ("escalate = { for = \"1h\" }", "escalate", "raises nothing"),
        (
            "spawn = { agent = \"a\", raise = { tier = \"executive\", for = \"30d\" } }",
            "spawn.raise.for",
            "seven days",
        ),
        ("escalate = { priority = 9, for = \"1h\" }", "escalate", "no task"),
        (
            "escalate = { agents = \"coder\", tier = \"executive\", for = \"1h\" }",
            "escalate.agents",
            "by task",
        ),
        (
            "spawn = { agent = \"a\", raise = { for = \"1h\" } }",
            "spawn.raise",
            "raises nothing",
        ),
        (
            "spawn = { agent = \"a\", raise = { tier = \"validation\", for = \"1h\" } }",
            "spawn.raise.tier",
            "tier `validation` itself",
        ),
        (
            "spawn = { agent = \"a\", raise = { tier = \"implementation\", for = \"1h\" } }",
            "spawn.raise.tier",
            "raises nothing",
        ),
        (
            "spawn = { agent = \"a\", raise = { permissions = [\"kill\"], for = \"0s\" } }",
            "spawn.raise.for",
            "seven days",
        ),
        (
            "notify = { webhook = { url = \"http://127.0.0.1/\", ca = \"ca.pem\" } }",
            "notify.webhook.ca",
            "https",
        ),
        (
            "notify = { webhook = { url = \"https://example.org/\", ca = \"\" } }",
            "notify.webhook.ca",
            "no file",
        ),
        (
            "notify = { webhook = { url = \"http://example.org/\" } }",
            "notify.webhook.url",
            "in the clear",
        ),
        ("gate = { gates = [] }", "gate.gates", "no gate"),
        (
            "gate = { gates = [\"tests\"], on = \"--upload-pack=x\" }",
            "gate.on",
            "no commit",
        ),
        (
            "gate = { gates = [\"tests\"], diff = \"\" }",
            "gate.diff",
            "no time",
        ),
        (
            "emit = { event = \"a\", data = { x = \"{{\" } }",
            "emit.data.x",
            "without its",
        ),
    ] {
        let problem = problem(&format!("name = \"t\"\nevery = \"1h\"\n{action}"));
        assert_eq!(problem.key, key, "{action}");
        assert!(problem.message.contains(words), "{action}: {}", problem.message);
    }
}

#[test]
fn those_that_match_are_those_for_which_the_condition_holds() {
    let spec = "name = \"t\"\nevery = \"2h\"\nwhere = \"agent.idle > duration('4h')\"\nterminate = { agents = \"matching\", reason = \"idle\" }";
    let trigger = compile(&self::spec(spec)).unwrap();
    let Some(Action::Terminate {
        agents,
        condition: Some(condition),
        ..
    }) = trigger.action().map(AsRef::as_ref)
    else {
        panic!("it would stop everybody");
    };
    assert!(agents.matches("any") && condition.source().contains("idle"));
}

#[test]
fn names_are_plain_and_the_hint_is_one() {
    let odd = problem(&format!("name = \"my trigger@home\"\nevery = \"1h\"\n{ACTION}"));
    assert_eq!(odd.hint.as_deref(), Some("write `my-trigger-home`"));
    let long = format!("name = \"{}\"\nevery = \"1h\"\n{ACTION}", "x".repeat(65));
    assert!(problem(&long).message.contains("at most 64"));
    assert!(
        problem(&format!("name = \"\"\nevery = \"1h\"\n{ACTION}"))
            .message
            .contains("at least one")
    );
}

#[test]
fn ladders_are_checked_step_by_step() {
    let found = problems(
        r#"
        name = "t"
        notify = "operator"
        deadline = { of = "phase:x", steps = [
            { at = "6h", notify = "assignee" },
            { at = "360m", notify = "executive" },
            { at = "1h" },
            { at = "2h", notify = "who ever" },
        ] }"#,
    );
    let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "deadline.of",
            "deadline.steps[1].at",
            "deadline.steps[2]",
            "deadline.steps[3].notify.to",
            "notify"
        ]
    );
    assert!(
        problem("name = \"t\"\ndeadline = { of = \"task:*\", steps = [] }")
            .message
            .contains("at least one")
    );
    let many = vec!["{ at = \"1h\", notify = \"operator\" }"; MAX_STEPS + 1].join(",");
    let many = problem(&format!(
        "name = \"t\"\ndeadline = {{ of = \"task:*\", steps = [{many}] }}"
    ));
    assert!(many.message.contains("at most 32"));
}

#[test]
fn only_a_deadline_has_an_assignee() {
    let problem = problem("name = \"t\"\nevery = \"1h\"\nnotify = \"assignee\"");
    assert_eq!(problem.key, "notify.to");
}

#[test]
fn a_trigger_that_feeds_itself_is_refused() {
    let problem = problem("name = \"t\"\nevent = \"a\"\nemit = { event = \"a\" }");
    assert_eq!(problem.key, "emit.event");
}

#[test]
fn what_compiles_holds_what_was_written() {
    let trigger = compile(&spec(
        r#"
        name = "t"
        overlap = "replace"
        deadline = { of = "task:api-*", steps = [
            { at = "1h", notify = "assignee" },
            { at = "1d", terminate = { agents = "temp-*", reason = "make room" } },
        ] }"#,
    ))
    .unwrap();
    assert_eq!(trigger.overlap(), crate::spec::Overlap::Replace);
    assert!(trigger.action().is_none());
    let When::Deadline(ladder) = trigger.when() else {
        panic!("not a ladder");
    };
    // The earliest step first, whatever the order in the file.
    assert!(matches!(&*ladder.steps[0].action, Action::Terminate { agents, .. } if agents.matches("temp-1")));
    assert!(matches!(
        &*ladder.steps[1].action,
        Action::Notify {
            to: Recipient::Assignee,
            message: None
        }
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_in_any_place_makes_it_panic(name in ".{0,80}", cron in ".{0,30}", zone in ".{0,20}", of in ".{0,20}", agents in ".{0,20}") {
        let mut any = spec("name = \"t\"\nterminate = { agents = \"*\", reason = \"r\" }\ndeadline = { of = \"\", steps = [] }");
        any.name = name;
        any.cron = Some(cron.clone());
        any.timezone = Some(zone);
        any.event = Some(cron);
        if let Some(deadline) = &mut any.deadline {
            deadline.of = of;
        }
        if let Some(terminate) = &mut any.terminate {
            terminate.agents = agents;
        }
        prop_assert!(!any.validate().is_empty());
    }
}
