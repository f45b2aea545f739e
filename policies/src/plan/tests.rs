//! Plans as people write them, right and wrong.

use proptest::prelude::*;
use worknode_core::{
    bounds,
    ids::NodeId,
    node::{Detail, Kind},
    task::TaskSpec,
};

use super::*;
use crate::gate::{PLAN, TESTS};

const AGENTS: [&str; 3] = ["coder-1", "coder-2", "reviewer"];

fn plan(text: &str) -> Plan {
    toml::from_str(text).unwrap()
}

/// A plan of one phase with these tasks, given as `id` or `id:dep,dep`.
fn tasks(list: &[&str]) -> PhaseSpec {
    let task = |entry: &&str| {
        let (id, deps) = entry.split_once(':').unwrap_or((entry, ""));
        let depends_on: Vec<String> = deps
            .split(',')
            .filter(|d| !d.is_empty())
            .map(str::to_owned)
            .collect();
        PlanTask {
            depends_on,
            ..simple(id)
        }
    };
    PhaseSpec {
        name: format!("phase of {}", list.first().unwrap_or(&"none")),
        description: None,
        task: list.iter().map(task).collect(),
    }
}

fn simple(id: &str) -> PlanTask {
    PlanTask {
        id: id.to_owned(),
        title: id.to_owned(),
        prompt: "Do it.".to_owned(),
        files: vec!["src/**".to_owned()],
        ..PlanTask::default()
    }
}

fn problems(plan: &Plan) -> Vec<Problem> {
    check(plan, &[PLAN, TESTS], &AGENTS)
}

fn messages(plan: &Plan) -> Vec<String> {
    problems(plan)
        .into_iter()
        .map(|p| format!("{}: {} | {}", p.path, p.message, p.hint.unwrap_or_default()))
        .collect()
}

fn with(change: impl Fn(&mut PlanTask)) -> Plan {
    let mut task = simple("t");
    change(&mut task);
    Plan {
        phase: vec![PhaseSpec {
            task: vec![task],
            ..tasks(&[])
        }],
    }
}

#[test]
fn a_plan_is_read_as_people_write_it() {
    let plan = plan(
        r#"
        [[phase]]
        name = "foundation"
        description = "What all else stands on"
        [[phase.task]]
        id = "schema"
        title = "Design the database schema"
        files = ["schema.sql", "!docs/**"]
        may_delete = ["old.sql"]
        prompt = "…"
        deadline = "2026-12-01T18:00:00+01:00"
        gates = ["plan", "tests"]
        approval = "operator"
        agent = "coder-*"
        max_attempts = 2
        priority = -1
        max_duration = "10m"
        limits = { tokens = 5_000, usd = 1.5, memory = "1GiB", processes = 8 }
        [[phase.task]]
        id = "api"
        title = "The API"
        prompt = "…"
        files = ["src/**"]
        depends_on = ["schema"]
        "#,
    );
    assert_eq!(problems(&plan), []);
    let task = &plan.phase[0].task[0];
    assert_eq!(task.approval, Some(Approval::Operator));
    assert_eq!(task.max_duration, Some(Span::secs(600)));
    let share = task.limits.unwrap().share();
    assert_eq!(
        (share.tokens, share.memory, share.processes),
        (Some(5_000), Some(1 << 30), Some(8))
    );
    assert!(share.usd.is_some());
    assert_eq!(plan.tasks().count(), 2);
}

#[test]
fn unknown_keys_are_errors() {
    let error = toml::from_str::<Plan>("[[phase]]\nname = \"x\"\ntaks = []").unwrap_err();
    assert!(error.to_string().contains("taks"), "{error}");
}

#[test]
fn every_key_of_the_schema_is_described() {
    fn undescribed(value: &serde_json::Value, path: &str, out: &mut Vec<String>) {
        if let Some(properties) = value.get("properties").and_then(|p| p.as_object()) {
            for (name, property) in properties {
                if property.get("description").is_none() {
                    out.push(format!("{path}.{name}"));
                }
            }
        }
        for (name, inner) in value
            .get("$defs")
            .and_then(|d| d.as_object())
            .into_iter()
            .flatten()
        {
            undescribed(inner, name, out);
        }
    }
    let schema = serde_json::to_value(schemars::schema_for!(Plan)).unwrap();
    let mut missing = Vec::new();
    undescribed(&schema, "Plan", &mut missing);
    assert_eq!(missing, Vec::<String>::new());
    assert!(schema["$defs"]["PlanTask"]["properties"]["files"].is_object());
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mut phase = tasks(&["a", "a", "Bad Id", "b:shema,a,a"]);
    phase.task[0].files = vec!["/etc/passwd".into(), "../x".into(), "a[".into()];
    phase.task[1].files.clear();
    phase.task[2].gates = Some(vec!["coverage".into(), "test".into()]);
    phase.task[3].agent = Some("coder".into());
    let twin = PhaseSpec {
        task: vec![simple("schema")],
        ..phase.clone()
    };
    let found = messages(&Plan {
        phase: vec![phase, twin],
    });
    let expected = [
        "phase[0].task[0].files: `/etc/passwd` is an absolute path",
        "phase[0].task[0].files: `../x` has a part `..`",
        "phase[0].task[0].files: `a[` cannot be read",
        "phase[0].task[1].id: task `a` is there already, as phase[0].task[0]",
        "phase[0].task[1].files: `files` is empty",
        "phase[0].task[2].id: `Bad Id` cannot be an id",
        "phase[0].task[2].gates: there is no gate `coverage` | there are: plan, tests",
        "phase[0].task[2].gates: there is no gate `test` | did you mean `tests`?",
        "phase[0].task[3].depends_on: there is no task `shema` | did you mean `schema`?",
        "phase[0].task[3].depends_on: `a` stands there twice",
        "phase[0].task[3].agent: no agent has the name `coder` | did you mean `coder-*`?",
        "phase[1].name: phase `phase of a` is there already, as phase[0]",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn single_mistakes_are_found() {
    let one = |change: fn(&mut PlanTask), expected: &str| {
        let found = messages(&with(change));
        assert!(
            matches!(&found[..], [only] if only.contains(expected)),
            "{expected}: {found:?}"
        );
    };
    one(|t| t.id = String::new(), "the id is empty");
    one(|t| t.id = "-x".into(), "cannot be an id");
    one(|t| t.id = "x".repeat(NAME + 1), "cannot be an id");
    one(|t| t.title = " ".into(), "the title is empty");
    one(|t| t.prompt = String::new(), "the prompt is empty");
    one(|t| t.prompt = "x".repeat(bounds::PROMPT + 1), "the prompt has");
    one(|t| t.files = vec!["!src/**".into()], "only excludes");
    one(|t| t.may_delete = vec!["/x".into()], "absolute");
    one(|t| t.agent = Some("nobody".into()), "no agent has the name");
    one(|t| t.max_attempts = Some(0), "never tried");
    one(|t| t.max_duration = Some(Span::default()), "lasts no time");
    one(
        |t| {
            t.limits = Some(TaskLimits {
                tokens: Some(0),
                ..TaskLimits::default()
            });
        },
        "has nothing of it",
    );
    assert_eq!(
        messages(&with(|t| t.agent = Some("coder-?".into()))),
        Vec::<String>::new()
    );
}

#[test]
fn cycles_are_named() {
    let found = messages(&Plan {
        phase: vec![tasks(&["a:b", "b:c", "c:a", "d:a", "e:e"])],
    });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`a` → `b` → `c` → `a`"), "{found:?}");
    assert!(found[1].contains("`e` → `e`"), "{found:?}");
}

#[test]
fn p8_a_cycle_of_ten_thousand_tasks_is_found_and_told_shortly() {
    let size = bounds::PENDING_TASKS;
    let list: Vec<String> = (0..size).map(|n| format!("t{n}:t{}", (n + 1) % size)).collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let found = messages(&Plan {
        phase: vec![tasks(&list)],
    });
    assert_eq!(found.len(), 1);
    assert!(found[0].len() < 400, "{}", found[0]);
}

#[test]
fn a_task_cannot_wait_for_a_later_phase() {
    let plan = Plan {
        phase: vec![tasks(&["a:b"]), tasks(&["b"])],
    };
    let found = messages(&plan);
    assert!(
        matches!(&found[..], [only] if only.contains("later phase")),
        "{found:?}"
    );
}

#[test]
fn p8_too_many_tasks_and_too_many_dependencies_are_refused() {
    let many = |prefix: &str, n: usize| {
        let ids: Vec<String> = (0..n).map(|i| format!("{prefix}{i}")).collect();
        tasks(&ids.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let found = messages(&Plan {
        phase: vec![many("a", bounds::PENDING_TASKS + 1)],
    });
    assert!(found[0].contains("tasks are too many"), "{found:?}");
    let found = messages(&Plan {
        phase: vec![many("a", DEPENDENCIES + 1), tasks(&["b"])],
    });
    assert!(
        matches!(&found[..], [only] if only.contains("would wait for 1001")),
        "{found:?}"
    );
    let found = messages(&Plan {
        phase: vec![many("a", 500), many("b", 500)],
    });
    assert!(
        matches!(&found[..], [only] if only.contains("250000 dependencies")),
        "{found:?}"
    );
}

fn resolved(plan: &Plan) -> Vec<(NodeId, TaskSpec)> {
    resolve(plan, NodeId::ROOT, &Defaults::default())
        .into_iter()
        .filter_map(|planned| match planned.spec.detail {
            Detail::Task(spec) => Some((planned.id, *spec)),
            Detail::Plain | Detail::Agent(_) => None,
        })
        .collect()
}

#[test]
fn p6_loading_a_plan_twice_means_the_same_worknodes() {
    let plan = Plan {
        phase: vec![tasks(&["a", "b:a"])],
    };
    let team = NodeId::ROOT;
    let once = resolve(&plan, team, &Defaults::default());
    assert_eq!(once, resolve(&plan, team, &Defaults::default()));
    assert_eq!(once[1].id, NodeId::derived(team, "task:a"));
    assert_eq!(once[0].spec.kind, Kind::Phase);
    assert_eq!(once[1].spec.parent, Some(once[0].id));
    assert_ne!(resolve(&plan, once[0].id, &Defaults::default())[1].id, once[1].id);
}

#[test]
fn a_later_phase_waits_for_the_whole_phase_before() {
    let empty = PhaseSpec {
        name: "empty".into(),
        ..tasks(&[])
    };
    let plan = Plan {
        phase: vec![tasks(&["a", "b:a", "c"]), empty, tasks(&["d", "e:d,c"])],
    };
    assert_eq!(problems(&plan), []);
    let id = |name| Planned::task_id(NodeId::ROOT, name);
    let all = resolved(&plan);
    let deps = |name| {
        all.iter()
            .find(|(of, _)| *of == id(name))
            .unwrap()
            .1
            .depends_on
            .clone()
    };
    assert_eq!(deps("a"), []);
    assert_eq!(deps("b"), [id("a")]);
    // `a` is not named: whoever waits for `b` waits for `a`.
    assert_eq!(deps("d"), [id("b"), id("c")]);
    assert_eq!(deps("e"), [id("d"), id("c"), id("b")]);
}

#[test]
fn p3_the_plan_gate_cannot_be_left_out() {
    for (gates, expected) in [
        (None, vec!["plan"]),
        (Some(vec![]), vec!["plan"]),
        (Some(vec!["tests"]), vec!["plan", "tests"]),
        (Some(vec!["tests", "plan", "tests"]), vec!["plan", "tests"]),
    ] {
        let gates: Option<Vec<String>> =
            gates.map(|list: Vec<&str>| list.into_iter().map(str::to_owned).collect());
        let plan = with(|t| t.gates.clone_from(&gates));
        assert_eq!(resolved(&plan)[0].1.gates, expected);
    }
}

#[test]
fn what_a_task_says_wins_over_the_team() {
    let defaults = Defaults {
        gates: vec!["tests".into()],
        approval: Approval::Operator,
        max_attempts: 7,
    };
    let spec = |plan: &Plan| match &resolve(plan, NodeId::ROOT, &defaults)[1].spec.detail {
        Detail::Task(spec) => (spec.approval, spec.max_attempts, spec.gates.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(spec(&with(|_| {})), (Approval::Operator, 7, 2));
    let own = with(|t| {
        t.approval = Some(Approval::None);
        t.max_attempts = Some(1);
        t.gates = Some(vec![]);
    });
    assert_eq!(spec(&own), (Approval::None, 1, 1));
}

#[test]
fn the_digest_is_of_the_meaning_not_of_the_layout() {
    let text = "[[phase]]\nname = \"x\"\n[[phase.task]]\nid = \"a\"\ntitle = \"t\"\nprompt = \"p\"\nfiles = [\"f\"]\n";
    let other = "# a comment\nphase = [{ name = \"x\", task = [{ title = \"t\", id = \"a\", files = [\"f\"], prompt = \"p\", priority = 0 }] }]";
    assert_eq!(digest(&plan(text)), digest(&plan(other)));
    assert_ne!(
        digest(&plan(text)),
        digest(&plan(&text.replace("\"p\"", "\"q\"")))
    );
    assert!(digest(&Plan::default()).starts_with("sha256:"));
    assert_eq!(digest(&Plan::default()).len(), 7 + 64);
}

proptest! {
    #[test]
    fn a_plan_that_passes_resolves_without_a_cycle(
        edges in prop::collection::vec((0_usize..9, 0_usize..9), 0..14),
    ) {
        let mut phases = vec![tasks(&["t0", "t1", "t2"]), tasks(&["t3", "t4", "t5"]), tasks(&["t6", "t7", "t8"])];
        for (from, to) in edges {
            let deps = &mut phases[from / 3].task[from % 3].depends_on;
            if !deps.contains(&format!("t{to}")) {
                deps.push(format!("t{to}"));
            }
        }
        let plan = Plan { phase: phases };
        let all = resolved(&plan);
        // Completes whatever can be completed, again and again.
        let mut done: Vec<NodeId> = Vec::new();
        for _ in 0..all.len() {
            done.extend(all.iter().filter(|(_, spec)| spec.depends_on.iter().all(|d| done.contains(d))).map(|(id, _)| *id).collect::<Vec<_>>());
        }
        let workable = all.iter().all(|(id, _)| done.contains(id));
        prop_assert_eq!(problems(&plan).is_empty(), workable);
    }

    #[test]
    fn no_plan_makes_the_check_panic(ids in prop::collection::vec(".{0,8}", 0..6), deps in prop::collection::vec(".{0,8}", 0..4), files in prop::collection::vec(".{0,12}", 0..4)) {
        let task = |id: &String| PlanTask { id: id.clone(), depends_on: deps.clone(), files: files.clone(), agent: deps.first().cloned(), ..simple("x") };
        let plan = Plan { phase: vec![PhaseSpec { task: ids.iter().map(task).collect(), ..tasks(&[]) }] };
        let _ = problems(&plan);
        let _ = resolve(&plan, NodeId::ROOT, &Defaults::default());
        let _ = digest(&plan);
    }
}

#[test]
fn what_a_task_may_make_and_must_deliver_is_checked() {
    let one = |change: fn(&mut PlanTask), expected: &str| {
        let found = messages(&with(change));
        assert!(
            matches!(&found[..], [only] if only.contains(expected)),
            "{expected}: {found:?}"
        );
    };
    assert!(messages(&with(|t| t.may_create = Some(vec![]))).is_empty());
    assert!(messages(&with(|t| t.deliverables = vec!["src/a.rs".into()])).is_empty());
    let only_new = |t: &mut PlanTask| {
        t.files.clear();
        t.may_create = Some(vec!["docs/*".into()]);
        t.deliverables = vec!["docs/a.md".into()];
    };
    assert!(messages(&with(only_new)).is_empty());
    one(|t| t.may_create = Some(vec!["/x".into()]), "may_create: `/x`");
    one(|t| t.may_create = Some(vec!["!x".into()]), "only excludes");
    one(|t| t.deliverables = vec!["docs/a.md".into()], "may not change");
    one(
        |t| t.deliverables = vec!["src/*".into()],
        "not the path of one file",
    );
    one(
        |t| t.deliverables = vec!["../x".into()],
        "not the path of one file",
    );
    one(|t| t.deliverables = vec!["src/a".into(); 300], "too many");
    one(|t| t.estimate = Some(Span::secs(0)), "takes no time");
    one(|t| t.approval = Some(Approval::Quorum(1)), "a quorum of 1");
    one(|t| t.approval = Some(Approval::Quorum(10)), "a quorum of 10");
}

#[test]
fn a_role_is_the_profile_of_an_agent() {
    let roles = ["implementation", "validation"].into();
    let plan = with(|t| t.role = Some("implementatoin".into()));
    let found = check_roles(&plan, &roles);
    assert_eq!(found[0].path, "phase[0].task[0].role");
    assert_eq!(found[0].hint.as_deref(), Some("did you mean `implementation`?"));
    assert!(check_roles(&with(|t| t.role = Some("validation".into())), &roles).is_empty());
}

#[test]
fn an_approval_is_a_word_or_a_quorum() {
    let read = |approval: &str| {
        let text = format!(
            "[[phase]]\nname = \"p\"\n[[phase.task]]\nid = \"a\"\ntitle = \"a\"\nprompt = \"a\"\napproval = {approval}"
        );
        toml::from_str::<Plan>(&text).map(|plan| plan.phase[0].task[0].approval)
    };
    assert_eq!(read("\"operator\"").unwrap(), Some(Approval::Operator));
    assert_eq!(read("{ quorum = 2 }").unwrap(), Some(Approval::Quorum(2)));
    assert!(read("\"quorum\"").is_err());
}
