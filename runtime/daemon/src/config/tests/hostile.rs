//! Whatever else may stand in a file.

use std::fs;

use super::{sample, sources};
use crate::config::{CONFIG_FILE, PLAN_FILE, PROFILES_FOLDER, load};

/// What is told about `files`.
fn told(files: &[(&str, &[u8])]) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    load(&sources(dir.path())).map_or_else(|errors| errors.to_string(), |_| String::new())
}

#[test]
fn p8_files_that_are_no_text_say_why() {
    assert!(
        told(&[(CONFIG_FILE, b"a\nb = \"\xff\"")])
            .starts_with("worknode.toml: the file is not UTF-8: byte 6 of line 2")
    );
    let large = vec![b'#'; 17 * 1024 * 1024];
    assert!(told(&[(CONFIG_FILE, &large)]).starts_with("worknode.toml: the file is larger than 16 MiB"));
    assert!(
        told(&[(CONFIG_FILE, b"\xef\xbb\xbf[team]\n")]).is_empty(),
        "a byte order mark does no harm"
    );
    assert!(
        told(&[(CONFIG_FILE, b"[team]\r\nname = \"a\"\r\n")]).is_empty(),
        "nor does the other line ending"
    );
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(CONFIG_FILE)).unwrap();
    let told = load(&sources(dir.path())).unwrap_err().to_string();
    assert!(
        told.starts_with("worknode.toml: this is a directory, not a file"),
        "{told}"
    );
}

#[test]
fn p8_a_file_of_ten_megabytes_is_read_and_its_mistakes_are_bounded() {
    let good = format!(
        "[team]\n{}",
        "# a comment, and nothing more than that\n".repeat(260_000)
    );
    assert!(told(&[(CONFIG_FILE, good.as_bytes())]).is_empty());
    let bad: String = (0..400_000).map(|n| format!("key_number_{n} = {n}\n")).collect();
    let told = told(&[(CONFIG_FILE, bad.as_bytes())]);
    assert!(
        told.ends_with("… and 399000 more\n400000 mistakes in 1 file; nothing was started"),
        "{}",
        told.len()
    );
}

#[test]
fn p8_deep_nesting_does_not_cost_the_stack() {
    let keys = vec!["a"; 79].join(".");
    let deep = (0..79).fold("1".to_owned(), |inner, _| format!("{{ {keys} = {inner} }}"));
    let deep = format!("{keys} = {deep}\n");
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(PROFILES_FOLDER)).unwrap();
    fs::write(
        dir.path().join(PROFILES_FOLDER).join("x.toml"),
        format!("tier = \"executive\"\n{deep}"),
    )
    .unwrap();
    fs::write(dir.path().join(CONFIG_FILE), &deep).unwrap();
    let mut sources = sources(dir.path());
    sources.env.push((
        "WORKNODE_LIMITS__AGENTS".to_owned(),
        format!("{{ {} }}", deep.trim()),
    ));
    let told = load(&sources).unwrap_err().to_string();
    assert!(told.contains("nested deeper than 32 levels"), "{told}");
}

#[test]
fn p8_a_long_name_of_a_variable_is_harmless() {
    let mut sources = sources(&sample("smallest"));
    sources
        .env
        .push((format!("WORKNODE_{}", "A__".repeat(30_000)), String::new()));
    assert!(load(&sources).is_err());
}

/// Pieces of which text is made that comes near to a configuration.
const PIECES: [&str; 60] = [
    "[team]\n",
    "[limits]\n",
    "[daemon]\n",
    "[gate.tests]\n",
    "[[agent]]\n",
    "[agent.limits]\n",
    "[[trigger]]\n",
    "[trigger.spawn]\n",
    "[[phase]]\n",
    "[[phase.task]]\n",
    "name = ",
    "id = ",
    "title = ",
    "prompt = ",
    "files = ",
    "command = ",
    "agent = ",
    "agents = ",
    "count = ",
    "every = ",
    "cron = ",
    "event = ",
    "deadline = ",
    "of = ",
    "steps = ",
    "at = ",
    "spawn = ",
    "notify = ",
    "terminate = ",
    "profile = ",
    "driver = ",
    "limits = ",
    "env.",
    "gates = ",
    "depends_on = ",
    "\"a\"",
    "\"b*\"",
    "\"1h\"",
    "\"* * * * *\"",
    "\"task:*\"",
    "\"\"",
    "[\"a\", \"b\"]",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'''",
    "1",
    "-99999999999999999999",
    "1.5",
    "nan",
    "true",
    "2026-12-01",
    "=",
    ",",
    ".",
    "\n",
    "é\u{202e}",
    "\0",
];

/// Numbers that look random and are the same in each run, so that a failure can be repeated.
/// The generator is Marsaglia's xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn text(&mut self) -> String {
        let count = self.below(40);
        let piece = |_| {
            format!(
                "{}{}",
                PIECES[self.below(PIECES.len())],
                ["", "\n"][self.below(2)]
            )
        };
        (0..count).map(piece).collect()
    }
}

#[test]
fn no_text_makes_the_loader_panic() {
    let mut numbers = Numbers(0x5eed);
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(PROFILES_FOLDER)).unwrap();
    for _ in 0..500 {
        let files = [
            CONFIG_FILE.to_owned(),
            PLAN_FILE.to_owned(),
            format!("{PROFILES_FOLDER}/x.toml"),
        ];
        let texts = files.map(|file| (file, numbers.text()));
        for (file, text) in &texts {
            fs::write(dir.path().join(file), text).unwrap();
        }
        let mut sources = sources(dir.path());
        sources
            .env
            .push(("WORKNODE_TEAM__GATES".to_owned(), numbers.text()));
        if let Err(errors) = load(&sources) {
            assert!(!errors.mistakes.is_empty(), "{texts:?}");
            let told = errors.to_string();
            assert!(!told.contains("not-read"), "{told}\n{texts:?}");
        }
    }
}

/// A good file with one place changed: it loads, or there is a mistake with its line.
#[test]
fn a_changed_place_is_fine_or_told_with_its_line() {
    let text = fs::read_to_string(sample("everything").join(CONFIG_FILE)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut numbers = Numbers(0xc0_ffee);
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..500 {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let at = numbers.below(lines.len());
        let keep = numbers.below(lines[at].chars().count() + 1);
        let change = PIECES[numbers.below(PIECES.len())];
        lines[at] = lines[at].chars().take(keep).collect::<String>() + change;
        fs::write(dir.path().join(CONFIG_FILE), lines.join("\n")).unwrap();
        if let Err(errors) = load(&sources(dir.path())) {
            for mistake in &errors.mistakes {
                let place = mistake.place.to_string();
                assert!(
                    place.starts_with("worknode.toml:"),
                    "line {at}: `{}`: {mistake}",
                    lines[at]
                );
                assert!(
                    !mistake.message.contains("not-read"),
                    "line {at}: `{}`: {mistake}",
                    lines[at]
                );
            }
        }
    }
}
