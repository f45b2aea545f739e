//! The loader as a whole, on the samples.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use worknode_core::{
    agent::{Share, StartWhen, Tier},
    budget::{Budget, SpawnLimits},
    error::{Code, Error},
    node::Detail,
    restart::{RestartKind, Strategy},
    run::RunLimits,
    task::Approval,
    time::{Span, Timestamp},
    usage::{Stuck, Usd},
};
use worknode_profiles::profile::{SandboxMode, StuckAction, StuckPolicy};

use super::*;

mod hostile;

fn samples(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(kind);
    let mut samples: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    samples.sort();
    assert!(!samples.is_empty());
    samples
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("samples/valid")
        .join(name)
}

/// The sources of a sample: nothing of this machine but its programs.
fn sources(dir: &Path) -> Sources {
    let env = fs::read_to_string(dir.join("env")).unwrap_or_default();
    let env = env.lines().filter_map(|line| line.split_once('='));
    let path = ("PATH", "/usr/bin:/bin");
    Sources {
        dir: dir.to_owned(),
        user_file: Some(dir.join("user.toml")),
        env: env
            .chain([path])
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        overrides: Overrides::default(),
        pending: Vec::new(),
    }
}

fn loaded(dir: &Path) -> Loaded {
    load(&sources(dir)).unwrap_or_else(|errors| panic!("{}: {errors}", dir.display()))
}

#[test]
fn valid_samples_load() {
    for dir in samples("valid") {
        let loaded = loaded(&dir);
        // Whether the programs of drivers are installed differs from machine to machine.
        let mut warnings = loaded
            .warnings
            .iter()
            .filter(|warning| !warning.message.contains("cannot start"));
        assert_eq!(warnings.next(), None, "{}", dir.display());
        // What was read can be written and read again.
        let text = toml::to_string(&loaded.config).unwrap();
        assert_eq!(
            toml::from_str::<Config>(&text).unwrap(),
            loaded.config,
            "{}",
            dir.display()
        );
    }
}

#[test]
fn invalid_samples_are_told_as_expected() {
    let mut wrong = Vec::new();
    for dir in samples("invalid") {
        let errors = load(&sources(&dir)).expect_err(&dir.display().to_string());
        let told = format!("{errors}\n").replace(&dir.display().to_string(), "DIR");
        let expected = dir.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &told).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", dir.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE_EXPECT=1 writes them anew",
        wrong.join("\n")
    );
}

#[test]
fn five_mistakes_in_two_files_are_five_errors() {
    let dir = samples("invalid")
        .into_iter()
        .find(|dir| dir.ends_with("five-mistakes-two-files"))
        .unwrap();
    let errors = load(&sources(&dir)).unwrap_err();
    let files: BTreeSet<_> = errors
        .mistakes
        .iter()
        .map(|mistake| format!("{:?}", mistake.place))
        .collect();
    assert_eq!((errors.mistakes.len(), files.len()), (5, 5), "{errors}");
    let error = Error::from(errors);
    assert_eq!(error.code, Code::InvalidConfig);
    assert!(
        error
            .message
            .ends_with("5 mistakes in 2 files; nothing was started")
    );
}

/// The keys of a schema, lists left out: `agent.limits.time`.
fn keys_of_schema(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    at: &str,
    keys: &mut BTreeSet<String>,
) {
    if let Some(pointer) = schema.get("$ref").and_then(|pointer| pointer.as_str()) {
        keys_of_schema(
            root,
            root.pointer(pointer.trim_start_matches('#')).unwrap(),
            at,
            keys,
        );
    }
    for choice in ["anyOf", "oneOf"]
        .iter()
        .filter_map(|choice| schema.get(choice)?.as_array())
    {
        choice
            .iter()
            .for_each(|form| keys_of_schema(root, form, at, keys));
    }
    if let Some(items) = schema.get("items") {
        keys_of_schema(root, items, at, keys);
    }
    for (key, property) in schema
        .get("properties")
        .and_then(|p| p.as_object())
        .into_iter()
        .flatten()
    {
        let at = if at.is_empty() {
            key.clone()
        } else {
            format!("{at}.{key}")
        };
        keys_of_schema(root, property, &at, keys);
        keys.insert(at);
    }
}

fn keys_of_value(value: &toml::Value, at: &str, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Array(items) => items.iter().for_each(|item| keys_of_value(item, at, keys)),
        toml::Value::Table(entries) => {
            for (key, value) in entries {
                let at = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                keys_of_value(value, &at, keys);
                keys.insert(at);
            }
        }
        // A recipient alone is the short form of a table.
        toml::Value::String(_) if at.ends_with("notify") => drop(keys.insert(format!("{at}.to"))),
        _ => {}
    }
}

#[test]
fn one_sample_uses_every_documented_key() {
    let (mut documented, mut used) = (BTreeSet::new(), BTreeSet::new());
    let schema = schema(SchemaKind::Config);
    keys_of_schema(&schema, &schema, "", &mut documented);
    let text = fs::read_to_string(sample("everything").join(CONFIG_FILE)).unwrap();
    keys_of_value(&toml::from_str(&text).unwrap(), "", &mut used);
    // An action in a ladder is the same type as one beside a schedule.
    let of_action = |key: &str| {
        key.strip_prefix("trigger.deadline.steps.")
            .is_some_and(|rest| rest.contains('.'))
    };
    // A key must be its owner's alone, which git does not keep.
    let of_certificate = |key: &str| ["daemon.certificate", "daemon.key"].contains(&key);
    let missing: Vec<&String> = documented
        .difference(&used)
        .filter(|key| !of_action(key) && !of_certificate(key))
        .collect();
    assert!(documented.len() > 80 && missing.is_empty(), "{missing:?}");
}

#[test]
fn triggers_of_files_of_their_own_come_after_the_others() {
    let loaded = loaded(&sample("included"));
    let names: Vec<_> = loaded
        .definition
        .triggers
        .iter()
        .map(worknode_triggers::Trigger::name)
        .collect();
    assert_eq!(names, ["nightly", "weekly"]);
    let places: Vec<_> = loaded.trigger_places.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        ["worknode.toml:1:1", ".worknode/triggers/weekly.toml:2:1"]
    );
}

/// What `reread` makes of a sample: the triggers that can be used, those left out, the mistakes.
fn reread_sample(name: &str) -> (Option<Vec<String>>, Vec<LeftOut>, usize) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("samples/invalid")
        .join(name);
    let reread = reread(&sources(&dir));
    let names = reread.loaded.map(|loaded| {
        let triggers = loaded.definition.triggers.iter();
        triggers.map(|trigger| trigger.name().to_owned()).collect()
    });
    (names, reread.left_out, reread.mistakes.len())
}

#[test]
fn a_trigger_with_a_mistake_is_left_out_and_the_others_can_be_used() {
    let (names, left_out, mistakes) = reread_sample("triggers");
    assert_eq!(names.unwrap(), ["twice"], "the first of that name has no mistake");
    assert_eq!((left_out.len(), mistakes), (8, 16), "{left_out:?}");
    assert!(
        left_out
            .iter()
            .all(|left| left.file == CONFIG_FILE && left.name.is_some())
    );
}

#[test]
fn a_file_of_triggers_with_other_things_in_it_is_left_out_as_a_whole() {
    let (names, mut left_out, _) = reread_sample("included");
    assert_eq!(names.unwrap(), ["nightly"]);
    left_out.sort();
    let left: Vec<_> = left_out
        .iter()
        .map(|left| (left.file.rsplit('/').next().unwrap(), left.name.as_deref()))
        .collect();
    assert_eq!(left, [("a.toml", None), ("b.toml", Some("weekly"))]);
}

#[test]
fn any_other_mistake_keeps_all_of_it_from_being_used() {
    for name in ["agents", "syntax", "limits", "types"] {
        let (names, _, mistakes) = reread_sample(name);
        assert!(names.is_none() && mistakes > 0, "{name}");
    }
}

#[test]
fn everything_means_what_it_says() {
    let Loaded { definition, .. } = loaded(&sample("everything"));
    assert_eq!(
        (definition.name.as_str(), definition.base.as_str()),
        ("webapp", "main")
    );
    assert_eq!(
        (definition.live_agents, definition.strategy),
        (4, Strategy::RestForOne)
    );
    let names: Vec<&str> = definition
        .agents
        .iter()
        .map(|agent| agent.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "coder-1",
            "coder-2",
            "trigger-daily-review",
            "trigger-deadline-ladder",
            "trigger-helpers"
        ]
    );
    let coder = &definition.agents[0];
    assert_eq!(
        (coder.driver.name.as_str(), coder.model.as_deref()),
        ("command", Some("large"))
    );
    assert_eq!(Span(coder.spec.limits.time), Span::secs(45 * 60));
    assert_eq!(
        (coder.spec.restart.kind, coder.spec.restart.max_restarts),
        (RestartKind::Permanent, 5)
    );
    let budget = Share {
        time: Some(Duration::from_secs(100 * 3_600)),
        tokens: Some(5_000_000),
        usd: Usd::from_dollars(20.0),
        cpu: Some(Duration::from_secs(50 * 3_600)),
        memory: Some(16 << 30),
        processes: Some(4_000),
    };
    assert_eq!(definition.budget, Budget::from(budget));
    assert_eq!(definition.spawn_limits(), SpawnLimits { depth: 2, fan_out: 4 });
    let of_trigger = &definition.agents[2];
    assert_eq!(
        (of_trigger.spec.start, of_trigger.spec.tier),
        (StartWhen::Trigger, Tier::Validation)
    );
    assert_eq!(definition.triggers.len(), 15);
    let tests = definition.tests.as_ref().unwrap();
    assert_eq!((tests.command.len(), Span(tests.timeout)), (3, Span::secs(300)));
    assert_eq!(
        (tests.sandbox, tests.writes.as_slice()),
        (
            SandboxMode::BestEffort,
            &[PathBuf::from("/var/cache/team/tests")][..]
        )
    );
    let approvals: Vec<_> = definition
        .plan
        .iter()
        .filter_map(|(_, node)| match &node.detail {
            Detail::Task(task) => Some((
                task.key.as_str(),
                task.approval,
                task.gates.len(),
                task.deadline.is_some(),
            )),
            Detail::Plain | Detail::Agent(_) => None,
        })
        .collect();
    let expected = [
        ("schema", Approval::Quorum(2), 2, true),
        ("api", Approval::Validation, 2, true),
    ];
    assert_eq!(approvals, expected);
}

#[test]
fn p8_every_limit_of_an_agent_reaches_its_runs() {
    let Loaded { definition, .. } = loaded(&sample("everything"));
    let coder = &definition.agents[0];
    let expected = RunLimits {
        time: Duration::from_secs(45 * 60),
        silence: Duration::from_secs(480),
        start: Duration::from_secs(20),
        grace: Duration::from_secs(7),
        output: 1 << 19,
        memory: Some(2 << 30),
        processes: Some(200),
        cpu: Some(Duration::from_secs(3_600)),
        tokens: Some(200_000),
        usd: Usd::from_dollars(1.5),
        orphan_grace: Duration::from_secs(120),
    };
    assert_eq!(
        coder.spec.limits, expected,
        "the team's silence, grace and output are stricter"
    );
    let asks = Share {
        time: Some(expected.time),
        tokens: expected.tokens,
        usd: expected.usd,
        cpu: expected.cpu,
        memory: expected.memory,
        processes: expected.processes,
    };
    assert_eq!(coder.spec.asks, asks);
    let budget = Share {
        time: Some(Duration::from_secs(20 * 3_600)),
        tokens: Some(2_000_000),
        usd: Usd::from_dollars(8.0),
        cpu: Some(Duration::from_secs(10 * 3_600)),
        memory: Some(6 << 30),
        processes: Some(600),
    };
    assert_eq!(coder.budget, Some(Budget::from(budget)));
    let reviewer = &definition.agents[2];
    assert_eq!(reviewer.budget, None);
    assert_eq!(
        reviewer.spec.asks,
        Share::time(Some(Duration::from_secs(15 * 60))),
        "only what its profile says is a wish"
    );
    assert_eq!(reviewer.spec.limits.silence, RunLimits::default().silence);
    assert_eq!(reviewer.spec.limits.output, 1 << 19);
}

#[test]
fn p9_what_an_agent_may_reach_is_what_was_written() {
    let Loaded { definition, .. } = loaded(&sample("everything"));
    let coder = &definition.agents[0];
    assert_eq!(
        (coder.sandbox, coder.strict_files, coder.resume),
        (SandboxMode::BestEffort, true, false)
    );
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(
        coder.writes,
        paths(&[
            "/home/somebody/.cargo/registry",
            "/var/cache/team/tool",
            "/var/cache/tool"
        ])
    );
    assert_eq!(coder.reads, paths(&["/opt/datasets"]));
    assert_eq!(coder.ports.as_deref(), Some(&[443, 8080][..]));
    assert_eq!(coder.pool, "team-key");
    let silent = Stuck::Silent {
        since: Timestamp::default(),
    };
    assert_eq!(coder.on_stuck.action(&silent), StuckAction::Freeze);

    // One that says nothing has what its profile has, and a reviewer's profile has nothing.
    let reviewer = &definition.agents[2];
    assert_eq!(
        (reviewer.sandbox, reviewer.strict_files, reviewer.resume),
        (SandboxMode::Enforce, false, true)
    );
    assert_eq!((reviewer.writes.len(), reviewer.reads.len()), (0, 0));
    assert_eq!(
        (&reviewer.ports, reviewer.on_stuck),
        (&None, StuckPolicy::default())
    );
}

#[test]
fn caches_of_the_profile_are_those_of_this_home() {
    let mut sources = sources(&sample("plan-beside"));
    let of = |sources: &Sources| load(sources).unwrap().definition.agents[0].writes.clone();
    assert!(of(&sources).is_empty(), "without a home there are none");
    sources.env.push(("HOME".to_owned(), "/home/somebody".to_owned()));
    let writes = of(&sources);
    assert!(
        writes.contains(&PathBuf::from("/home/somebody/.cargo/registry")),
        "{writes:?}"
    );
    assert!(
        writes
            .iter()
            .all(|path| path.starts_with("/home/somebody") && path.components().count() > 3),
        "{writes:?}"
    );
}

#[test]
fn what_is_left_out_has_a_default() {
    let Loaded {
        config, definition, ..
    } = loaded(&sample("smallest"));
    assert_eq!(
        (config.team.name.as_deref(), config.team.base.as_str()),
        (Some("smallest"), "main")
    );
    assert_eq!(
        (definition.live_agents, definition.default_gates),
        (8, vec!["plan".to_owned()])
    );
    assert!(definition.agents.is_empty() && definition.repository.ends_with("samples/valid/smallest"));

    let Loaded { definition, .. } = loaded(&sample("plan-beside"));
    let Detail::Task(task) = &definition.plan[1].1.detail else {
        panic!("no task")
    };
    assert_eq!(task.approval, Approval::Validation, "the team has a reviewer");
    assert_eq!(definition.agents[0].spec.driver, "command", "it has a command");
}

#[test]
fn the_team_s_own_profiles_are_used_and_what_an_agent_says_wins() {
    let Loaded { definition, .. } = loaded(&sample("own-profiles"));
    let [fixer, trigger] = &definition.agents[..] else {
        panic!("two agents")
    };
    assert_eq!(
        (fixer.driver.name.as_str(), fixer.brief.as_str()),
        ("shell", "Fix: {{prompt}}")
    );
    assert_eq!(Span(fixer.spec.limits.time), Span::secs(300));
    assert_eq!(Span(fixer.spec.limits.silence), Span::secs(120));
    assert_eq!(
        (fixer.spec.restart.kind, fixer.pass_env.as_slice()),
        (RestartKind::Temporary, &["CI".to_owned()][..])
    );
    assert_eq!(
        (trigger.name.as_str(), Span(trigger.spec.limits.time)),
        ("trigger-broken", Span::secs(600))
    );
}

#[test]
fn layers_lie_over_each_other() {
    let dir = sample("layers");
    let mut sources = sources(&dir);
    let loaded = load(&sources).unwrap();
    let config = &loaded.config;
    assert_eq!(config.limits.agents, 3, "a variable over the user's file");
    assert_eq!(config.team.base, "develop", "a variable over the default");
    assert_eq!(config.team.name.as_deref(), Some("42"), "a text stays a text");
    assert_eq!(
        config.team.gates.as_deref(),
        Some(&["plan".to_owned()][..]),
        "a list in a variable"
    );
    assert_eq!(
        config.daemon.listen.as_deref(),
        Some("127.0.0.1:2"),
        "the team's file over the user's"
    );
    let tests = config.gate.tests.as_ref().unwrap();
    assert_eq!(
        (tests.command.as_slice(), tests.timeout),
        (&["true".to_owned()][..], Span::secs(60)),
        "tables are joined"
    );
    let names: Vec<&str> = config.agent.iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(names, ["ours"], "lists are not");

    sources.overrides = Overrides {
        listen: Some("[::1]:3".to_owned()),
        base: Some("release".to_owned()),
        agents: Some(5),
    };
    let config = load(&sources).unwrap().config;
    let listen = config.daemon.listen.as_deref();
    assert_eq!(
        (listen, config.team.base.as_str(), config.limits.agents),
        (Some("[::1]:3"), "release", 5)
    );
}

/// Loads `config` where `PATH` leads to nothing.
fn warnings(config: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(CONFIG_FILE), config).unwrap();
    let mut sources = sources(dir.path());
    sources.env = Vec::new();
    load(&sources)
        .unwrap()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn p9_an_agent_without_a_sandbox_is_a_warning() {
    let told = warnings("[[agent]]\nname = \"a\"\ncommand = [\"/bin/sh\"]\nsandbox = \"off\"\n");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("worknode.toml:4:1: agent[0].sandbox: without a sandbox"),
        "{told:?}"
    );
    let told = warnings("[[agent]]\nname = \"a\"\ncommand = [\"/bin/sh\"]\nwrites = [\"$NOT_SET/x\"]\n");
    assert!(
        told[0].contains("agent[0].writes[0]: `$NOT_SET/x` is nowhere"),
        "{told:?}"
    );
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let told = warnings("[[agent]]\nname = \"a\"\n");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("worknode.toml:1:1: agent[0].driver: driver `claude-code` cannot start"),
        "{told:?}"
    );
    let told = warnings("[[agent]]\nname = \"a\"\nmodel = \"m\"\ncommand = [\"/bin/sh\"]\n");
    assert!(
        told[0].starts_with("worknode.toml:3:1: agent[0].model: driver `command` takes no model"),
        "{told:?}"
    );
    let told = warnings(
        "[[trigger]]\nname = \"t\"\ndeadline = { of = \"task:x\", steps = [{ at = \"1h\", notify = \"operator\" }] }\n\
         [[phase]]\nname = \"p\"\ntask = [{ id = \"y\", title = \"Y\", prompt = \"y\", files = [\"y\"] }]\n",
    );
    assert!(
        told[0].starts_with("worknode.toml:3:14: trigger[0].deadline.of: `task:x` fits no task"),
        "{told:?}"
    );
}

#[test]
fn mistakes_in_flags_name_the_flag() {
    let mut sources = sources(&sample("smallest"));
    sources.overrides.listen = Some("everywhere".to_owned());
    sources.overrides.agents = Some(0);
    let told = load(&sources).unwrap_err().to_string();
    assert!(
        told.starts_with("--agents: limits.agents: 0 is too small; at least 1\n"),
        "{told}"
    );
    assert!(
        told.contains("\n--listen: daemon.listen: `everywhere` is not an address"),
        "{told}"
    );
    assert!(
        told.ends_with("2 mistakes in 2 flags; nothing was started"),
        "{told}"
    );
}
