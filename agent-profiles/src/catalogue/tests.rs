//! The files that ship, and a user's own.

use proptest::prelude::*;
use schemars::SchemaGenerator;
use worknode_core::agent::{StartWhen, Tier};

use super::*;
use crate::driver::PromptBy;

fn load(files: &[(&str, &str)]) -> Result<Catalogue, Vec<ProfileProblem>> {
    Catalogue::with_overrides(files.iter().copied())
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    load(files).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn every_file_that_ships_is_read_and_has_no_mistake() {
    let mut loader = Loader::default();
    let mut files = 0;
    for (folder, dir) in [("drivers", &DRIVERS), ("profiles", &PROFILES)] {
        for file in dir.files() {
            files += 1;
            loader.file(
                &Path::new(folder).join(file.path()),
                file.contents_utf8().unwrap(),
            );
        }
    }
    loader.cross_check();
    assert_eq!(loader.problems, []);
    let shipped = Catalogue::shipped();
    assert_eq!(shipped.profiles().count() + shipped.drivers().count(), files);
    let names: Vec<&str> = shipped.profiles().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, ["executive", "implementation", "validation"]);
    let names: Vec<&str> = shipped.drivers().map(|driver| driver.name.as_str()).collect();
    assert_eq!(names, ["claude-code", "codex", "command", "gemini", "opencode"]);
}

#[test]
fn shipped_profiles_are_what_their_tier_is() {
    let shipped = Catalogue::shipped();
    for (name, tier, start) in [
        ("executive", Tier::Executive, StartWhen::Launch),
        ("implementation", Tier::Implementation, StartWhen::Task),
        ("validation", Tier::Validation, StartWhen::Task),
    ] {
        let profile = shipped.profile(name).unwrap();
        assert_eq!((profile.tier, profile.start_when()), (tier, start));
    }
    let command = shipped.driver("command").unwrap();
    assert!(command.command.is_empty() && command.prompt == PromptBy::Argument);
}

#[test]
fn a_user_s_file_replaces_the_shipped_one_and_others_are_added() {
    let catalogue = load(&[
        (
            "agent-profiles/implementation.toml",
            "tier = \"implementation\"\ndriver = \"mine\"",
        ),
        (
            "agent-profiles/debugger.toml",
            "tier = \"implementation\"\nbrief = \"Fix: {{prompt}}\"",
        ),
        (
            "agent-profiles/drivers/mine.toml",
            "command = [\"mine\", \"{brief}\"]\nprompt = \"argument\"",
        ),
    ])
    .unwrap();
    let own = catalogue.profile("implementation").unwrap();
    assert_eq!(
        (own.driver.as_deref(), own.limits),
        (Some("mine"), crate::profile::LimitsSpec::default())
    );
    assert_eq!(
        catalogue.profile("debugger").unwrap().template(),
        "Fix: {{prompt}}"
    );
    assert_eq!(catalogue.driver("mine").unwrap().command[0], "mine");
    assert!(catalogue.profile("executive").is_some());
}

#[test]
fn every_mistake_in_all_files_is_told_with_its_line() {
    let found = problems(&[
        ("a.toml", "tier = \"validation\"\nmodle = \"x\"\nlimts = 1\n"),
        ("b.toml", "tier = \"validation\"\n\n[limits]\ntime = \"0s\"\n"),
        ("c.toml", "tier = \"boss\"\n"),
        ("d.toml", "tier = \"executive\"\ndriver = \"claud-code\"\n"),
        (
            "e.toml",
            "tier = \"executive\"\nbrief = \"\"\"\nok\n{{titel}}\n\"\"\"\n",
        ),
        (
            "f.toml",
            "tier = \"executive\"\ndriver = \"claude-code\"\nenv = [\"CLAUDECODE\"]\n",
        ),
        ("g.toml", "tier = \n"),
        ("drivers/h.toml", "command = [\"x\"]\nprompt = \"argument\"\n"),
        ("A.toml", ""),
        ("notes.md", ""),
        ("sub/a.toml", "tier = \"validation\""),
    ]);
    let expected = [
        "a.toml:2: there is no key `modle` (there are: answer_within, brief, ",
        "a.toml:3: there is no key `limts` (there are: answer_within, brief, ",
        "b.toml:4: `limits.time`: a run that lasts no time does nothing",
        "c.toml:1: unknown variant `boss`",
        "e.toml:4: `brief`: there is no placeholder `{{titel}}`",
        "g.toml:1: ",
        "drivers/h.toml: driver `h` says `prompt = \"argument\"`, but no argument is `{brief}`",
        "A.toml: this is neither a profile nor a driver",
        "notes.md: this is neither a profile nor a driver",
        "sub/a.toml: `a` is there twice",
        "d.toml:2: `driver`: there is no driver `claud-code` (there are: claude-code, codex, command, gemini, h, opencode)",
        "f.toml:3: `env`: driver `claude-code` never passes `CLAUDECODE`",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn a_mistake_in_a_one_line_brief_is_in_that_line() {
    let found = problems(&[("a.toml", "tier = \"executive\"\n\nbrief = \"{{x}}\"\n")]);
    assert!(found[0].starts_with("a.toml:3: `brief`"), "{found:?}");
    let found = problems(&[("a.toml", "tier = \"executive\"\nbrief = '''a\n{{x}}'''\n")]);
    assert!(found[0].starts_with("a.toml:3: `brief`"), "{found:?}");
}

#[test]
fn p8_large_files_and_many_files_are_refused() {
    let large = "#".repeat(FILE_BYTES + 1);
    assert!(problems(&[("a.toml", &large)])[0].contains("bytes; at most"));
    let many = (0..=FILES).map(|n| (format!("p{n}.toml"), "tier = \"executive\""));
    let found = Catalogue::with_overrides(many).unwrap_err();
    assert_eq!(found.len(), 1);
}

#[test]
fn every_key_of_the_schemas_is_described() {
    let generator = SchemaGenerator::default;
    for schema in [
        generator().into_root_schema_for::<Profile>(),
        generator().into_root_schema_for::<Driver>(),
    ] {
        let schema = serde_json::to_value(schema).unwrap();
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property.get("description").is_some(), "{name}");
            assert_ne!(name, "name", "the name is that of the file");
        }
    }
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(name in "[a-z./]{0,12}(\\.toml)?", text in "(tier|brief|limits|=|\"|'''|\n|\\[|\\]|\\{\\{| |executive){0,16}|.{0,40}") {
        let _ = Catalogue::with_overrides([(name.as_str(), text.as_str()), ("drivers/x.toml", text.as_str())]);
    }
}
