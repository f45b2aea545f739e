use super::*;

/// The examples of the documentation, as they stand in a configuration file.
const EXAMPLES: &str = r#"
[[trigger]]
name = "daily-review"
cron = "0 9 * * MON-FRI"
timezone = "Europe/Berlin"
misfire = "once"
overlap = "forbid"
[trigger.spawn]
profile = "validation"
task = { title = "Review what landed since yesterday", prompt = "Read the log.", files = [], gates = ["docs"] }
max_duration = "30m"

[[trigger]]
name = "deadline-ladder"
deadline = { of = "task:*", steps = [
  { at = "24h", notify = "assignee" },
  { at = "12h", notify = { to = "executive", message = "Half a day left." } },
  { at = "6h",  spawn = { profile = "emergency" } } ] }

[[trigger]]
name = "build-broken"
event = "compilation_failed"
consecutive = 2
cooldown = "10m"
[trigger.spawn]
agent = "debugger"

[[trigger]]
name = "nightly-stop"
every = "2h"
enabled = false
terminate = { agents = "temp-*", reason = "idle" }

[[trigger]]
name = "alarm"
event = "gate.failed"
emit = { event = "alarm_raised", data = { level = "high", gate = "{{event.data.gate}}" } }

[[trigger]]
name = "idle-agents"
every = "2h"
baseline = "2026-11-21T08:15:00Z"
jitter = "5m"
where = "agent.idle > duration('4h')"
terminate = { agents = "matching", reason = "idle", grace = "10s" }

[[trigger]]
name = "silent"
event = "task_progressed"
under = "webapp/agents"
absent_for = "4h"
count_by = "source"
notify = { webhook = { url = "http://127.0.0.1:8080/hook", key = "pager" }, message = "{{trigger.name}}: nothing since {{now}}" }

[[trigger]]
name = "flaky"
event = "gate_*"
where = "event.data.code != 0"
count = 5
within = "1h"
cooldown = "1d"
start = "2026-01-01T00:00:00Z"
end = "2027-01-01T00:00:00+01:00"
max_firings = 10
on_quota = "skip"
on_panic = "wait"
alarm_after = 2
retry = { attempts = 3, backoff = "30s" }
run = { command = ["sh", "-c", "true", "{{event.data.gate}}"], timeout = "1m" }

[[trigger]]
name = "month-end"
cron = "CRON_TZ=Europe/Berlin 0 18 LW * *"
misfire = "all"
catch_up = 3
overlap = "allow"
max_concurrent = 2
gate = { gates = ["tests"], on = "main" }

[[trigger]]
name = "late"
deadline = { of = "task:*", where = "priority > 2", steps = [
  { elapsed = "80%", done_below = "50%", escalate = { priority = 9, for = "2h" } },
  { after = "1h", run = { command = ["page"] } } ] }

[[trigger]]
name = "queue"
cron = "@every 90m"
overlap = "queue"
spawn = { profile = "p", driver = "claude-code", prompt = "go on", auto_terminate = true, budget = { usd = 2.5, tokens = 1000 } }
"#;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct File {
    trigger: Vec<TriggerSpec>,
}

#[test]
fn the_examples_are_read_and_valid_and_survive_a_round_trip() {
    let file: File = toml::from_str(EXAMPLES).unwrap();
    for spec in &file.trigger {
        assert_eq!(spec.validate(), [], "{}", spec.name);
    }
    let written = toml::to_string(&file).unwrap();
    assert_eq!(toml::from_str::<File>(&written).unwrap(), file);
}

#[test]
fn what_is_left_out_has_its_default() {
    let spec: TriggerSpec = toml::from_str("name = \"t\"").unwrap();
    assert_eq!(
        (spec.misfire, spec.overlap, spec.enabled),
        (Misfire::Once, Overlap::Forbid, true)
    );
}

#[test]
fn a_recipient_may_stand_alone() {
    let notify = |text: &str| {
        toml::from_str::<TriggerSpec>(&format!("name = \"t\"\nnotify = {text}"))
            .map(|spec| spec.notify.unwrap())
    };
    let (short, long) = (
        notify("\"operator\"").unwrap(),
        notify("{ to = \"operator\" }").unwrap(),
    );
    assert_eq!(short, long);
    assert!(
        notify("3")
            .unwrap_err()
            .to_string()
            .contains("a recipient, or a table")
    );
    assert!(
        notify("{ to = \"operator\", mesage = \"x\" }")
            .unwrap_err()
            .to_string()
            .contains("mesage")
    );
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    for text in [
        "name = \"t\"\ncorn = \"x\"",
        "name = \"t\"\nspawn = { profil = \"x\" }",
        "name = \"t\"\nspawn = { task = { title = \"t\", file = [] } }",
        "name = \"t\"\nterminate = { agents = \"*\", reason = \"r\", gracious = \"1s\" }",
        "name = \"t\"\nnotify = { webhook = { url = \"https://x\", method = \"PUT\" } }",
        "name = \"t\"\nretry = { attempts = 2, waits = 3 }",
        "name = \"t\"\ndeadline = { of = \"task:*\", steps = [], step = [] }",
        "name = \"t\"\nemit = { event = \"e\", payload = {} }",
    ] {
        let error = toml::from_str::<TriggerSpec>(text).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{text}: {error}");
    }
}

/// Every property in the schema, wherever it is, with its description.
fn properties<'a>(schema: &'a serde_json::Value, found: &mut Vec<(&'a str, bool)>) {
    match schema {
        serde_json::Value::Object(object) => {
            if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                for (name, property) in properties {
                    found.push((name, property.get("description").is_some()));
                }
            }
            for value in object.values() {
                properties(value, found);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
        _ => {}
    }
}

#[test]
fn the_schema_describes_every_key() {
    let schema = serde_json::to_value(schemars::schema_for!(TriggerSpec)).unwrap();
    let mut found = Vec::new();
    properties(&schema, &mut found);
    assert!(found.len() > 30, "{found:?}");
    for (name, described) in found {
        assert!(described, "`{name}` has no description");
    }
    assert_eq!(schema["additionalProperties"], false);
}
