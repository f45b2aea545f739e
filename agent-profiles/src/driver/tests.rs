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
        "-p --input-format stream-json --output-format stream-json --verbose --permission-prompt-tool stdio \
         --permission-mode acceptEdits --allowedTools Bash,WebFetch,WebSearch,mcp__worknode --model sonnet \
         --strict-mcp-config --session-id 5c8d0d2e-0000-7000-8000-000000000000"
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
        "-p --input-format stream-json --output-format stream-json --verbose --permission-prompt-tool stdio \
         --permission-mode acceptEdits --allowedTools Bash,WebFetch,WebSearch,mcp__worknode --strict-mcp-config"
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
        let own = strings(&["x", "{brief}"]);
        let line = shipped("command").command_line(&own, &launch).unwrap();
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

fn server() -> McpServer {
    McpServer {
        name: "worknode".into(),
        command: "/bin/worknode".into(),
        args: strings(&["mcp", "a \"quoted\" \u{7f}"]),
        env: BTreeMap::from([("A".into(), "1".into())]),
    }
}

#[test]
fn mcp_servers_are_given_as_each_program_takes_them() {
    let servers = [server()];
    let extras = Extras {
        asks: false,
        mcp: &servers,
        hooks: None,
        resume: false,
    };
    let claude = shipped("claude-code")
        .command_line_with(&[], &LAUNCH, &extras)
        .unwrap();
    let at = claude.args.iter().position(|arg| arg == "--mcp-config").unwrap();
    let config: serde_json::Value = serde_json::from_str(&claude.args[at + 1]).unwrap();
    assert_eq!(config["mcpServers"]["worknode"]["command"], "/bin/worknode");
    assert_eq!(config["mcpServers"]["worknode"]["env"]["A"], "1");

    let codex = shipped("codex").command_line_with(&[], &LAUNCH, &extras).unwrap();
    let config = codex
        .args
        .iter()
        .find_map(|arg| arg.strip_prefix("--config=mcp_servers="))
        .unwrap();
    let config: toml::Table = toml::from_str(&format!("servers = {config}")).unwrap();
    let args = config["servers"]["worknode"]["args"].as_array().unwrap();
    assert_eq!(args[1].as_str(), Some("a \"quoted\" \u{7f}"));
    assert_eq!(codex.args.last().unwrap(), "app-server");
    let none = shipped("codex").command_line(&[], &LAUNCH).unwrap();
    assert!(!none.args.iter().any(|arg| arg.contains("mcp")), "{none:?}");
}

#[test]
fn a_session_is_gone_on_with_where_the_program_can() {
    let extras = Extras {
        asks: false,
        mcp: &[],
        hooks: None,
        resume: true,
    };
    let resumed = |name: &str, own: &[&str]| shipped(name).command_line_with(&strings(own), &LAUNCH, &extras);
    let claude = resumed("claude-code", &[]).unwrap();
    assert!(
        claude
            .args
            .ends_with(&strings(&["--resume", LAUNCH.session.unwrap()]))
    );
    assert!(!claude.args.iter().any(|arg| arg == "--session-id"));
    // The protocol says it, so the command is the same.
    for name in ["codex", "gemini", "opencode"] {
        let anew = shipped(name).command_line(&[], &LAUNCH).unwrap();
        assert_eq!(resumed(name, &[]).unwrap(), anew, "{name}");
    }
    let none = DriverError::NoResume {
        driver: "command".into(),
    };
    assert_eq!(resumed("command", &["x"]), Err(none));
}

#[test]
fn keys_that_do_not_go_together_are_told() {
    let driver = |text: &str| -> Vec<String> {
        let driver: Driver = toml::from_str(text).unwrap();
        driver.mistakes().iter().map(ToString::to_string).collect()
    };
    for (text, expected) in [
        (
            "stream = \"gemini\"\ntransport = \"two_way\"\nprompt = \"stdin\"",
            "`transport`: this stream is only read",
        ),
        ("stream = \"acp\"", "`transport`: `acp` is a conversation"),
        ("prompt = \"stdin\"", "`prompt`: `stdin` and"),
        ("stop = { cancel = true }", "`stop`: to `cancel` needs"),
        (
            "resume = [\"x\", \"{session}\"]",
            "`resume`: a driver without a command",
        ),
        (
            "command = [\"x\"]\nresume = [\"x\"]",
            "`resume`: no argument has `{session}`",
        ),
        (
            "exit_codes = { 300 = \"input\" }",
            "`exit_codes`: an exit code is",
        ),
        (
            "exit_codes = { 042 = \"input\" }",
            "`exit_codes`: an exit code is",
        ),
        ("pool = \" \"", "`pool`: the name is empty"),
        ("native = [\"\"]", "`native`: a path is empty"),
        ("sandbox = { write = [\"work\"] }", "`sandbox`: a place to write"),
        (
            "sandbox = { write = [\"~/../x\"] }",
            "`sandbox`: a place to write",
        ),
        (
            "models = { executive = \"-x\" }",
            "`-x` is not the name of a model",
        ),
    ] {
        let told = driver(text);
        assert!(
            told.len() == 1 && told[0].starts_with(expected),
            "{text}: {told:?}"
        );
    }
    for text in [
        "stpo = {}",
        "stop = { signl = \"int\" }",
        "sandbox = { read = [] }",
        "models = { boss = \"x\" }",
    ] {
        assert!(toml::from_str::<Driver>(text).is_err(), "{text}");
    }
}

#[test]
fn a_user_s_driver_may_only_read_what_the_shipped_one_speaks_to() {
    for (name, text) in [
        (
            "claude-code",
            r#"command = ["claude", "-p", "--output-format", "stream-json", "--verbose", "--session-id", "{session}", "--", "{brief}"]
               resume = ["claude", "-p", "--output-format", "stream-json", "--verbose", "--resume", "{session}", "--", "{brief}"]"#,
        ),
        (
            "codex",
            r#"command = ["codex", "exec", "--json", "--skip-git-repo-check", "{brief}"]
               resume = ["codex", "exec", "resume", "--json", "{session}", "{brief}"]"#,
        ),
        (
            "gemini",
            r#"command = ["gemini", "-o", "stream-json", "--approval-mode", "yolo", "-m", "{model}", "-p", "{brief}"]"#,
        ),
        (
            "opencode",
            r#"command = ["opencode", "run", "--format", "json", "--auto", "-m", "{model}", "{brief}"]
               resume = ["opencode", "run", "--format", "json", "--auto", "-s", "{session}", "{brief}"]"#,
        ),
    ] {
        let text = format!("{text}\nprompt = \"argument\"\nstream = \"{name}\"\ntransport = \"lines\"");
        let file = format!("drivers/{name}.toml");
        let catalogue = Catalogue::with_overrides([(file.as_str(), text.as_str())]).unwrap();
        let driver = catalogue.driver(name).unwrap();
        assert_eq!(driver.can_resume(), name != "gemini");
        let line = driver.command_line(&[], &LAUNCH).unwrap();
        assert_eq!(line.args.last().unwrap(), "Do it.");
    }
}

#[test]
fn p9_a_program_writes_in_its_own_places_and_never_in_a_whole_home() {
    let driver = Driver {
        sandbox: Writes {
            write: strings(&[
                "~/.x",
                "$X_HOME",
                "$UNSET/x",
                "/var/x",
                "~/.x",
                "~/",
                "$SLASH",
                "$RELATIVE",
            ]),
        },
        ..Driver::default()
    };
    let variable = |name: &str| match name {
        "HOME" => Some("/home/dev".to_owned()),
        "X_HOME" => Some("/data/x/".to_owned()),
        "SLASH" => Some("/".to_owned()),
        "RELATIVE" => Some("x".to_owned()),
        _ => None,
    };
    assert_eq!(driver.writes(variable), ["/home/dev/.x", "/data/x", "/var/x"]);
}

#[test]
fn the_program_proper_is_looked_for_beside_its_launcher() {
    let found = shipped("codex").native_candidates("/lib/node_modules/@openai/codex/bin", "aarch64");
    assert_eq!(
        found[1],
        "/lib/node_modules/@openai/codex/bin/../../codex-linux-arm64/vendor/aarch64-unknown-linux-musl/bin/codex"
    );
}

#[test]
fn every_tier_has_a_model_where_the_driver_knows_one() {
    use worknode_core::agent::Tier;
    let model = |name: &str, tier| shipped(name).models.of(tier).map(str::to_owned);
    assert_eq!(model("claude-code", Tier::Executive).as_deref(), Some("opus"));
    assert_eq!(
        model("claude-code", Tier::Implementation).as_deref(),
        Some("sonnet")
    );
    assert_eq!(model("opencode", Tier::Validation), None);
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

#[test]
fn what_a_person_is_asked_for_is_not_granted_beforehand() {
    let allowed = |asks| {
        let extras = Extras {
            asks,
            ..Extras::default()
        };
        let line = shipped("claude-code")
            .command_line_with(&[], &LAUNCH, &extras)
            .unwrap();
        let at = line.args.iter().position(|arg| arg == "--allowedTools").unwrap();
        line.args[at + 1].clone()
    };
    assert_eq!(allowed(false), "Bash,WebFetch,WebSearch,mcp__worknode");
    assert_eq!(allowed(true), "mcp__worknode");
}
