//! Briefs as agents get them.

use proptest::prelude::*;
use worknode_core::verdict::Measure;

use super::*;

fn commit(n: u8) -> CommitId {
    format!("{n:040x}").parse().unwrap()
}

fn task() -> TaskSpec {
    TaskSpec {
        key: "schema".into(),
        title: "Design the database schema".into(),
        prompt: "Write schema.sql.\n\nKeep {{braces}} as they are.".into(),
        files: vec!["schema.sql".into(), "!docs/**".into()],
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: None,
        deadline: Some("2026-12-01T18:00:00+01:00".parse().unwrap()),
        gates: vec!["plan".into(), "tests".into()],
        approval: worknode_core::task::Approval::Validation,
        max_attempts: 3,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    }
}

fn work<'a>(task: &'a TaskSpec, base: &'a CommitId) -> Work<'a> {
    Work {
        task,
        attempt: 1,
        findings: &[],
        base,
        continues: None,
        artefacts: &[],
        last_run: None,
    }
}

fn brief(duty: Duty<'_>) -> Brief<'_> {
    let tier = match duty {
        Duty::Work(_) => Tier::Implementation,
        Duty::Review(_) => Tier::Validation,
        Duty::Standing { .. } | Duty::Fired { .. } | Duty::Spawned { .. } => Tier::Executive,
    };
    Brief {
        agent: "coder-1",
        tier,
        team: "webapp",
        duty,
        messages: &[],
    }
}

fn headings(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("## ")).collect()
}

#[test]
fn a_first_attempt_says_what_to_do_and_nothing_that_does_not_apply() {
    let (task, base) = (task(), commit(1));
    let text = brief(Duty::Work(work(&task, &base))).render();
    assert!(text.starts_with("# Design the database schema\n\nYou are `coder-1`, an agent of the implementation tier in the team `webapp`.\n"), "{text}");
    assert_eq!(
        headings(&text),
        [
            "What to do",
            "Files that may change",
            "Files that may be deleted",
            "What it must pass",
            "Where you start",
            "Deadline",
            "How to report"
        ]
    );
    for part in [
        "attempt 1 of 3 at the task `schema`.",
        "Keep {{braces}} as they are.",
        "- `schema.sql`\n- `!docs/**`\n",
        "## Files that may be deleted\n\nNone.",
        "`plan`, `tests`. Then a reviewer decides.",
        &format!("from commit `{base}`"),
        "done by 2026-12-01T17:00:00.000Z",
        "`worknode task submit`",
        "`worknode task block",
        "`worknode task progress",
        "exit with code 0",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    assert!(!text.contains("\n\n\n"), "{text}");
}

#[test]
fn a_later_attempt_hears_why_the_last_one_did_not_count() {
    let (task, base, last) = (task(), commit(1), commit(2));
    let findings = [
        Finding {
            line: Some(7),
            ..Finding::new("plan.outside", "`files` does not name it")
                .in_file("a.rs")
                .hint("restore it")
        },
        Finding::new(
            "tests.failed",
            "exited with code 1; its output ended with:\nassertion ```failed```\n# not a heading",
        ),
        Finding {
            line: Some(3),
            function: Some("parse".into()),
            measured: Some(Measure::Count(9)),
            limit: Some(Measure::Count(8)),
            ..Finding::new("complexity.cyclomatic", "too many ways").in_file("a.rs")
        },
    ];
    let artefacts = [Artefact {
        task: "api".into(),
        title: "The API".into(),
        commit: commit(3),
        files: vec!["src/api.rs".into()],
    }];
    let work = Work {
        attempt: 3,
        findings: &findings,
        continues: Some(&last),
        artefacts: &artefacts,
        last_run: None,
        ..work(&task, &base)
    };
    let text = brief(Duty::Work(work)).render();
    for part in [
        "attempt 3 of 3 at the task `schema`. There is no other after it.",
        "- `plan.outside` in `a.rs`, line 7: `files` does not name it\n  What to do: restore it",
        "  ````text\n  assertion ```failed```\n  # not a heading\n  ````",
        "- `complexity.cyclomatic` in `a.rs`, line 3, function `parse`: too many ways\n  Measured: 9; the limit: 8",
        &format!("goes on from `{last}`"),
        &format!("`git diff {base}`"),
        &format!(
            "Task `api` (The API) landed as `{}`:\n\n- `src/api.rs`",
            commit(3)
        ),
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
}

#[test]
fn a_review_says_what_to_look_at_and_how_to_decide() {
    let (task, base, submission, candidate) = (task(), commit(1), commit(2), commit(3));
    let files = vec!["schema.sql".to_owned()];
    let review = Review {
        task: &task,
        by: "coder-2",
        submission: &submission,
        candidate: &candidate,
        base: &base,
        files: &files,
    };
    let text = brief(Duty::Review(review)).render();
    for part in [
        "# Review: Design the database schema",
        &format!("`coder-2` has handed in commit `{submission}`"),
        &format!("`git diff {base} {candidate}`"),
        "- `schema.sql`",
        "`worknode approve schema`",
        "`worknode reject schema --reason",
        "## What the task asked for\n\nWrite schema.sql.",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    assert!(
        !text.contains("task submit") && !text.contains("This is attempt"),
        "{text}"
    );
}

#[test]
fn standing_duties_and_triggers_have_no_task() {
    let standing = brief(Duty::Standing {
        prompt: "Watch the team.",
    })
    .render();
    assert_eq!(headings(&standing), ["What to do", "How to report"]);
    let fired = brief(Duty::Fired {
        trigger: "daily-review",
        title: "Review the day",
        prompt: "Look.",
    })
    .render();
    assert!(fired.starts_with("# Review the day\n"), "{fired}");
    assert!(
        fired.contains("The trigger `daily-review` asks for this.\n\nLook."),
        "{fired}"
    );
}

#[test]
fn p8_long_lists_are_cut_and_counted() {
    let (mut task, base) = (task(), commit(1));
    task.files = (0..LISTED + 5).map(|n| format!("f{n}")).collect();
    let text = brief(Duty::Work(work(&task, &base))).render();
    assert!(text.contains("- and 5 more"), "{text}");
}

#[test]
fn every_field_can_stand_in_a_template() {
    let (task, base) = (task(), commit(1));
    for field in Field::ALL {
        let template = Template::parse(&format!("<{{{{ {} }}}}>", field.name())).unwrap();
        let text = template.render(&brief(Duty::Work(work(&task, &base))));
        assert!(text.starts_with('<') && text.trim_end().ends_with('>'), "{text}");
    }
    let shipped = Field::ALL
        .iter()
        .filter(|field| DEFAULT_TEMPLATE.contains(&format!("{{{{{}}}}}", field.name())));
    assert_eq!(
        shipped.count(),
        Field::ALL.len() - 1,
        "all but `task`, which `attempt` names"
    );
}

#[test]
fn every_mistake_in_a_template_is_told_with_its_line() {
    let errors = Template::parse("# {{titel}}\n{{prompt}}\n{{ {{agent}} }}\n{{open\n").unwrap_err();
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 3, 4], "{errors:?}");
    assert!(
        errors[0]
            .message
            .starts_with("there is no placeholder `{{titel}}`; there are: title,")
    );
    let long = "x".repeat(template::LENGTH + 1);
    assert_eq!(Template::parse(&long).unwrap_err().len(), 1);
}

#[test]
fn a_line_that_stands_for_nothing_disappears_with_the_empty_line_after_it() {
    let template = Template::parse("a\n\n{{findings}}\n\nb\n  {{findings}}\nc {{findings}}.\n").unwrap();
    let (task, base) = (task(), commit(1));
    assert_eq!(
        template.render(&brief(Duty::Work(work(&task, &base)))),
        "a\n\nb\n  \nc .\n"
    );
}

proptest! {
    #[test]
    fn no_template_and_no_data_make_it_panic(template in "(\\{\\{|\\}\\}|title|prompt|\n| ){0,12}|.{0,40}", prompt in ".{0,60}", message in "(`{1,4}|a|\n){0,8}") {
        let (mut task, base) = (task(), commit(1));
        task.prompt.clone_from(&prompt);
        let findings = [Finding::new("x", &message)];
        let work = Work { findings: &findings, ..work(&task, &base) };
        let brief = brief(Duty::Work(work));
        if let Ok(template) = Template::parse(&template) {
            let _ = template.render(&brief);
        }
        let text = brief.render();
        prop_assert!(text.contains(prompt.trim_end()));
        // Whatever a finding says, what follows it is still ours.
        prop_assert!(text.contains("\n## Files that may change\n"));
    }

    #[test]
    fn inline_code_stays_in_its_line_and_its_ticks(text in "[a`\n ]{0,12}") {
        let code = markdown::code(&text);
        let ticks = code.chars().take_while(|c| *c == '`').count();
        prop_assert!(!code.contains('\n'));
        prop_assert!(code[ticks..code.len() - ticks].split(|c| c != '`').all(|run| run.len() != ticks));
    }
}

#[test]
fn who_was_spawned_is_told_by_whom_and_for_what() {
    let spawned = brief(Duty::Spawned {
        by: "boss",
        title: "Look around",
        prompt: "Look at {{agent}}.",
    })
    .render();
    assert!(spawned.starts_with("# Look around\n"), "{spawned}");
    assert!(
        spawned.contains("`boss` asks for this.\n\nLook at {{agent}}."),
        "{spawned}"
    );
}

#[test]
fn what_was_said_is_quoted_with_its_stamp() {
    let (task, base) = (task(), commit(1));
    let messages = [Said {
        message: "1-0-1".into(),
        from: "lead".into(),
        text: "# Not a heading\n```\nnot a fence".into(),
    }];
    let brief = Brief {
        messages: &messages,
        ..brief(Duty::Work(work(&task, &base)))
    };
    let text = brief.render();
    assert!(headings(&text).contains(&"Messages"), "{text}");
    assert!(!text.contains("\n# Not a heading"), "{text}");
    assert!(text.contains("`1-0-1`"), "{text}");
}
