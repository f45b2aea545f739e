//! Command lines and environments.

use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::catalogue::Catalogue;

const LAUNCH: Launch<'_> = Launch {
    brief: "Do it.",
    brief_file: "/runs/1/brief.md",
    model: Some("sonnet"),
    session: Some("5c8d0d2e-0000-7000-8000-000000000000"),
};

fn shipped(name: &str) -> Driver {
    Catalogue::shipped().driver(name).unwrap().clone()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn args(own: &[&str], launch: &Launch<'_>) -> Vec<String> {
    shipped("command")
        .command_line(&strings(own), launch)
        .unwrap()
        .args
}

#[test]
fn claude_code_is_started_as_measured() {
    let line = shipped("claude-code").command_line(&[], &LAUNCH).unwrap();
    assert_eq!(line.program, "claude");
    assert_eq!(
        line.args.join(" "),
        "-p --output-format stream-json --verbose --model sonnet --permission-mode acceptEdits --allowedTools Bash \
         --session-id 5c8d0d2e-0000-7000-8000-000000000000 -- Do it."
    );
    let env: Vec<_> = line
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        env,
        [
            "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"
        ]
    );
    assert!(shipped("claude-code").wants_session());
}

#[test]
fn what_stands_for_nothing_goes_with_its_option() {
    let none = Launch {
        model: None,
        session: None,
        ..LAUNCH
    };
    let line = shipped("claude-code").command_line(&[], &none).unwrap();
    assert_eq!(
        line.args.join(" "),
        "-p --output-format stream-json --verbose --permission-mode acceptEdits --allowedTools Bash -- Do it."
    );
    for (own, expected) in [
        (&["x", "--model={model}", "end"][..], &["end"][..]),
        (&["x", "sub", "{model}", "end"], &["sub", "end"]),
        (&["x", "-m", "{model}", "-s", "{session}"], &[]),
        (&["x", "{model}", "{session}"], &[]),
        (&["x", "-a", "{model}-{brief_file}"], &["-a"]),
    ] {
        assert_eq!(args(own, &none), expected, "{own:?}");
    }
}

#[test]
fn other_braces_and_values_are_left_as_they_are() {
    let odd = Launch {
        model: Some("{session}"),
        ..LAUNCH
    };
    let own = [
        "awk",
        "{print $1}",
        "{modl}",
        "{{model}}",
        "{",
        "}{",
        "",
        "{model",
    ];
    assert_eq!(
        args(&own, &odd),
        ["{print $1}", "{modl}", "{{session}}", "{", "}{", "", "{model"]
    );
}

#[test]
fn p8_a_brief_too_long_for_an_argument_stays_in_its_file() {
    let long = "x".repeat(1024 * 1024);
    for brief in [long.as_str(), "zero\0byte"] {
        let launch = Launch { brief, ..LAUNCH };
        let line = shipped("claude-code").command_line(&[], &launch).unwrap();
        assert_eq!(
            line.args.last().unwrap(),
            "Read your brief in the file `/runs/1/brief.md` and do what it says."
        );
    }
}

#[test]
fn p8_the_longest_argument_is_one_that_the_kernel_takes() {
    let longest = "x".repeat(ARGUMENT);
    let launch = Launch {
        brief: &longest,
        ..LAUNCH
    };
    let line = shipped("command")
        .command_line(&strings(&["true", "{brief}"]), &launch)
        .unwrap();
    assert_eq!(line.args[0].len(), ARGUMENT);
    let run = |args: &[String]| Command::new(&line.program).args(args).status();
    assert!(run(&line.args).unwrap().success());
    assert!(run(&[format!("{longest}x")]).is_err());
}

#[test]
fn p9_the_brief_never_becomes_part_of_another_text() {
    let own = strings(&["sh", "-c", "agent '{brief}'"]);
    let driver = shipped("command");
    let expected = DriverError::BriefInside {
        argument: "agent '{brief}'".into(),
    };
    assert_eq!(driver.command_line(&own, &LAUNCH), Err(expected.clone()));
    assert_eq!(driver.mistakes_in(&own), [expected]);
}

#[test]
fn a_command_must_be_one() {
    let driver = shipped("command");
    let error = |own: &[&str], launch: &Launch<'_>| driver.command_line(&strings(own), launch).unwrap_err();
    assert!(matches!(error(&[], &LAUNCH), DriverError::NoCommand { .. }));
    assert!(matches!(error(&[" "], &LAUNCH), DriverError::NotAProgram { .. }));
    assert!(matches!(
        error(&["{model}"], &LAUNCH),
        DriverError::NotAProgram { .. }
    ));
    assert!(matches!(
        error(&["x", "a\0b"], &LAUNCH),
        DriverError::NotAnArgument { .. }
    ));
    assert!(matches!(
        error(&["x"; ARGUMENTS + 1], &LAUNCH),
        DriverError::TooMany { .. }
    ));
    let option = Launch {
        model: Some("--dangerous"),
        ..LAUNCH
    };
    assert!(matches!(error(&["x"], &option), DriverError::NotAModel { .. }));
    let two = shipped("claude-code").command_line(&strings(&["x"]), &LAUNCH);
    assert!(matches!(two, Err(DriverError::TwoCommands { .. })));
}

#[test]
fn mistakes_in_a_driver_are_all_found() {
    let driver = Driver {
        name: "mine".into(),
        command: strings(&["x", "--prompt={brief}"]),
        prompt: PromptBy::Argument,
        env: BTreeMap::from([("A-B".into(), "1".into()), ("P".into(), "{brief}".into())]),
        pass_env: strings(&["*", "WORKNODE_*", "OK_*"]),
        never_env: strings(&["1X"]),
        ..Driver::default()
    };
    let mistakes: Vec<_> = driver.mistakes().iter().map(ToString::to_string).collect();
    assert_eq!(mistakes.len(), 7, "{mistakes:#?}");
    let silent = Driver {
        prompt: PromptBy::None,
        command: strings(&["x", "{brief}"]),
        ..Driver::default()
    };
    assert!(matches!(
        silent.mistakes()[..],
        [DriverError::BriefNotPassed { .. }]
    ));
}

#[test]
fn p9_variables_pass_only_when_named_and_never_when_forbidden() {
    let driver = shipped("claude-code");
    let extra = strings(&["MY_TOKEN", "CLAUDE*"]);
    for name in [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CONFIG_DIR",
        "HOME",
        "MY_TOKEN",
    ] {
        assert!(driver.inherits(&extra, name), "{name}");
    }
    for name in [
        "CLAUDECODE",
        "CLAUDE_PID",
        "AWS_SECRET_ACCESS_KEY",
        "MY_TOKEN_2",
        "WORKNODE_TOKEN_FILE",
        "",
    ] {
        assert!(!driver.inherits(&extra, name), "{name}");
    }
    assert!(!driver.inherits(&strings(&["W*"]), "WORKNODE_TOKEN_FILE"));
}

#[test]
fn a_profile_cannot_ask_for_what_the_driver_forbids() {
    let driver = shipped("claude-code");
    let mistakes = driver.mistakes_in_env(&strings(&["CLAUDECODE", "*", "GOOD", "a b"]));
    assert_eq!(
        mistakes,
        [
            DriverError::NeverPassed {
                driver: "claude-code".into(),
                name: "CLAUDECODE".into()
            },
            DriverError::Everything,
            DriverError::NotAVariable { name: "a b".into() },
        ]
    );
}

proptest! {
    #[test]
    fn no_command_makes_it_panic_and_what_comes_out_can_be_executed(
        own in prop::collection::vec(r"(\{(brief|model|session|brief_file|x)\}|[-a{}= ]){0,6}|.{0,8}", 0..6),
        brief in ".{0,40}",
        model in proptest::option::of(".{0,8}"),
    ) {
        let launch = Launch { brief: &brief, model: model.as_deref(), session: None, ..LAUNCH };
        if let Ok(line) = shipped("command").command_line(&own, &launch) {
            prop_assert!(line.args.len() < own.len());
            prop_assert!(line.args.iter().all(|argument| fits(argument)));
        }
    }
}
