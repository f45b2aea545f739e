//! The help of every command, as it was looked at: one file for each command at the top.

use std::{fs, path::PathBuf};

use clap::{Command, error::ErrorKind};

use super::command;

/// Each command below `command` and itself, with its path.
fn all(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    found.push((path.to_owned(), command.clone()));
    for sub in command.get_subcommands() {
        all(sub, format!("{path} {}", sub.get_name()).trim_start(), found);
    }
}

fn every() -> Vec<(String, Command)> {
    let mut whole = command().disable_help_subcommand(true).term_width(100);
    whole.build();
    let mut found = Vec::new();
    all(&whole, "", &mut found);
    found
}

fn after_help(command: &Command) -> String {
    command
        .get_after_help()
        .map_or_else(String::new, ToString::to_string)
}

#[test]
fn every_command_teaches_with_an_example() {
    let without = every().into_iter().filter(|(path, command)| {
        let leads_on = command.has_subcommands();
        !path.is_empty() && !leads_on && !after_help(command).contains("Example")
    });
    let without: Vec<_> = without.map(|(path, _)| path).collect();
    assert_eq!(without, [""; 0], "no example for these");
}

#[test]
fn every_example_is_one_that_the_program_understands() {
    let mut seen = 0;
    for (path, told) in every() {
        for line in after_help(&told).lines().map(str::trim) {
            let begin = if line.starts_with("worknode ") {
                Some(0)
            } else {
                line.find("| worknode ").map(|at| at + 2)
            };
            let begin = begin.or_else(|| line.find("&& worknode ").map(|at| at + 3));
            let Some(begin) = begin else { continue };
            for part in commands(&line[begin..]) {
                let refused = refusal(&part).filter(|error| {
                    // What an agent has in its environment.
                    let given = ["--task", "t", "--epoch", "1"].map(str::to_owned);
                    let all = [part.as_slice(), &given].concat();
                    let file = [part.as_slice(), &["file".to_owned()]].concat();
                    let lacks = error.kind() == ErrorKind::MissingRequiredArgument;
                    !lacks
                        || [&all[..], &all[..all.len() - 2], &file[..]]
                            .iter()
                            .all(|more| refusal(more).is_some())
                });
                assert!(
                    refused.is_none(),
                    "help of `{path}`: {part:?}\n{}",
                    refused.unwrap()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 120, "{seen}");
}

fn refusal(words: &[String]) -> Option<clap::Error> {
    command().try_get_matches_from(words).err()
}

/// The words of each `worknode` command in a line of a shell.
fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut parts, mut words) = (vec![Vec::new()], String::new());
    let (mut quote, mut in_word) = (None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => words.push(c),
            (None, '\'' | '"') => (quote, in_word) = (Some(c), true),
            (None, ' ') => {
                if in_word {
                    parts.last_mut().unwrap().push(std::mem::take(&mut words));
                }
                in_word = false;
            }
            (None, c) => {
                words.push(c);
                in_word = true;
            }
        }
        if quote.is_none()
            && parts
                .last()
                .unwrap()
                .last()
                .is_some_and(|word| ["|", "&&", ">", "<"].contains(&word.as_str()))
        {
            parts.last_mut().unwrap().pop();
            parts.push(Vec::new());
        }
    }
    if in_word {
        parts.last_mut().unwrap().push(words);
    }
    parts.retain(|words| words.first().is_some_and(|first| first == "worknode"));
    parts
}

#[test]
fn help_is_as_it_was_looked_at() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("help");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut files = std::collections::BTreeMap::<String, String>::new();
    for (path, mut told) in every() {
        let name = path
            .split(' ')
            .next()
            .filter(|name| !name.is_empty())
            .unwrap_or("worknode");
        let title = if path.is_empty() {
            "worknode".to_owned()
        } else {
            format!("worknode {path}")
        };
        let help = told.render_long_help().to_string();
        let help: String = help
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        let text = files.entry(name.to_owned()).or_default();
        text.push_str(&format!("$ {title} --help\n{help}\n"));
    }
    let mut other = Vec::new();
    for (name, text) in &files {
        let path = dir.join(format!("{name}.txt"));
        if update {
            fs::create_dir_all(&dir).unwrap();
            fs::write(&path, text).unwrap();
        }
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            other.push(name);
        }
    }
    assert!(
        other.is_empty(),
        "the help of {other:?} is another one\nUPDATE_EXPECT=1 writes it anew"
    );
    let known = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let stale: Vec<_> = known
        .filter(|name| !files.contains_key(name.to_string_lossy().trim_end_matches(".txt")))
        .collect();
    assert!(stale.is_empty(), "{stale:?} are of commands that are gone");
}

#[test]
fn help_fits_a_narrow_terminal() {
    let mut whole = command().term_width(60);
    whole.build();
    let mut found = Vec::new();
    all(&whole, "", &mut found);
    for (path, mut told) in found {
        let examples = after_help(&told);
        let wide = told.render_long_help().to_string();
        // What can be copied is not broken.
        let wide = wide.lines().find(|line| {
            line.chars().count() > 60
                && !examples.contains(line.trim())
                && !line.contains("Usage:")
                && line.trim().contains(' ')
        });
        assert_eq!(wide, None, "{path}");
    }
}
