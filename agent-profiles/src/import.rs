//! Definitions of agents as other programs have them, as profiles: Markdown with a head of keys
//! (`.claude/agents/NAME.md`), or without one (`AGENTS.md`, `CLAUDE.md`).
//!
//! What the text says becomes the beginning of the brief; the rest of the brief is the usual one, so
//! that the agent is told its task. What a profile has no place for is told, never dropped unseen.

use serde::Serialize;
use worknode_core::agent::{StartWhen, Tier};

use crate::brief::{DEFAULT_TEMPLATE, Template};

/// Longest text, in bytes: with the usual brief it is still a template.
pub const LENGTH: usize = 128 * 1024;
/// Characters of a name.
const NAME: usize = 64;
/// Tools that change files. Whoever is given tools, and none of these, only looks.
const WRITERS: [&str; 5] = ["Write", "Edit", "MultiEdit", "NotebookEdit", "*"];

/// A profile made of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its name, and that of its file.
    pub name: String,
    /// What it may do.
    pub tier: Tier,
    /// The file.
    pub toml: String,
    /// What was not taken over, in words.
    pub notes: Vec<String>,
}

/// Why a definition cannot be a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Nothing in it.
    #[error("there is nothing in it that an agent could be told")]
    Empty,
    /// Longer than a brief may be.
    #[error("it has {bytes} bytes; at most {LENGTH} are read")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// A head without an end.
    #[error("its head begins with `---` and does not end with it")]
    OpenHead,
    /// No name to call it by.
    #[error("`{name}` cannot be the name of a profile: letters, digits, `.`, `_` and `-`, {NAME} at most")]
    Name {
        /// As it is.
        name: String,
    },
}

/// The file as it is written.
#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    tier: Tier,
    driver: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    start: StartWhen,
    brief: &'a str,
    restart: Restart,
}

#[derive(Serialize)]
struct Restart {
    kind: &'static str,
}

/// Makes a profile of the text of a file. `name` is used where the text has none; `source` is told in
/// the profile.
///
/// # Errors
/// [`ImportError`].
pub fn import(name: &str, text: &str, driver: &str, source: &str) -> Result<Imported, ImportError> {
    if text.len() > LENGTH {
        return Err(ImportError::TooLong { bytes: text.len() });
    }
    let (head, body) = parts(text)?;
    let body = body.trim();
    if body.is_empty() {
        return Err(ImportError::Empty);
    }
    let value = |key: &str| {
        let found = head.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let name = slug(value("name").unwrap_or(name))?;
    let tier = value("tools").map_or(Tier::Implementation, tier_of);
    let mut notes: Vec<String> = head
        .iter()
        .filter(|(key, _)| !["name", "description", "model"].contains(&key.as_str()))
        .map(|(key, value)| match key.as_str() {
            "tools" => format!(
                "tools ({value}): the tier decides instead, which is {}",
                tier.name()
            ),
            _ => format!("{key} ({value})"),
        })
        .collect();
    let brief = format!("{}\n\n{DEFAULT_TEMPLATE}", plain(body, &mut notes));
    let file = File {
        description: value("description").map(first_line),
        tier,
        driver,
        model: value("model").filter(|model| *model != "inherit"),
        start: StartWhen::Task,
        brief: &brief,
        restart: Restart { kind: "transient" },
    };
    // Texts and names: there is nothing in it that TOML could not hold.
    let written = toml::to_string(&file).map_err(|_| ImportError::Empty)?;
    Ok(Imported {
        name,
        tier,
        toml: format!("# Made from {source} by `worknode import`.\n{written}"),
        notes,
    })
}

/// Keys and values.
type Head = Vec<(String, String)>;

/// Keys and values of the head, and what comes after it.
fn parts(text: &str) -> Result<(Head, &str), ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    let Some(rest) = text
        .strip_prefix("---")
        .filter(|rest| rest.starts_with(['\n', '\r']))
    else {
        return Ok((Vec::new(), text));
    };
    let mut head = Head::new();
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        at += line.len();
        let line = line.trim_end();
        if line == "---" {
            return Ok((head, rest.get(at..).unwrap_or_default()));
        }
        take_line(&mut head, line);
    }
    Err(ImportError::OpenHead)
}

/// A key with its value, or more of the value before it: one over several lines, or a list.
fn take_line(head: &mut Head, line: &str) {
    if line.starts_with([' ', '\t', '-']) {
        if let Some((_, value)) = head.last_mut() {
            let more = line.trim().trim_start_matches("- ");
            *value = format!("{value} {more}").trim().to_owned();
        }
        return;
    }
    let Some((key, value)) = line.split_once(':').filter(|(key, _)| !key.starts_with('#')) else {
        return;
    };
    let value = match value.trim() {
        "|" | ">" | "|-" | ">-" => "",
        value => unquoted(value),
    };
    head.push((key.trim().to_owned(), value.to_owned()));
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

fn first_line(text: &str) -> &str {
    text.split("\\n").next().unwrap_or(text).trim()
}

fn tier_of(tools: &str) -> Tier {
    let mut tools = tools
        .split([',', ' ', '[', ']'])
        .map(|tool| tool.split('(').next().unwrap_or(tool));
    if tools.any(|tool| WRITERS.contains(&tool)) {
        Tier::Implementation
    } else {
        Tier::Validation
    }
}

/// A text as the name of a profile, which becomes the name of a file.
///
/// # Errors
/// [`ImportError::Name`] when it cannot be one.
pub fn slug(name: &str) -> Result<String, ImportError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let slug: String = name
        .trim()
        .chars()
        .map(|c| {
            if c.is_whitespace() {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let begins_well = slug.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && slug.len() <= NAME && slug.chars().all(fine) {
        Ok(slug)
    } else {
        let name = name.chars().take(NAME).collect();
        Err(ImportError::Name { name })
    }
}

/// Two braces mean something in a brief; in the text of another program they do not.
fn plain(body: &str, notes: &mut Vec<String>) -> String {
    if Template::parse(body).is_ok() && !body.contains("{{") {
        return body.to_owned();
    }
    notes.push("`{{` is written `{ {`: in a brief it begins a placeholder".to_owned());
    let mut plain = body.to_owned();
    while plain.contains("{{") {
        plain = plain.replace("{{", "{ {");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    const REVIEWER: &str = "---\nname: Code Reviewer\ndescription: \"Looks at changes\"\ntools: Read, Grep, Bash\n\
        model: sonnet\ncolor: red\n---\n\nYou look at changes.\n\n- Be kind.\n";

    /// What the catalogue makes of it.
    fn read(imported: &Imported) -> crate::Profile {
        let name = format!("{}.toml", imported.name);
        let catalogue = Catalogue::with_overrides([(name, imported.toml.clone())]).unwrap();
        catalogue.profile(&imported.name).unwrap().clone()
    }

    #[test]
    fn a_definition_becomes_a_profile_that_is_told_its_task_too() {
        let made = import("file-name", REVIEWER, "claude-code", ".claude/agents/x.md").unwrap();
        assert_eq!(
            (made.name.as_str(), made.tier),
            ("code-reviewer", Tier::Validation)
        );
        assert_eq!(made.notes.len(), 2, "{:?}", made.notes);
        assert!(made.notes[1].contains("color"));
        let profile = read(&made);
        assert_eq!(profile.tier, Tier::Validation);
        assert_eq!(profile.model.as_deref(), Some("sonnet"));
        assert_eq!(profile.description.as_deref(), Some("Looks at changes"));
        let brief = profile.brief.unwrap();
        assert!(brief.starts_with("You look at changes.\n\n- Be kind.\n") && brief.contains("{{prompt}}"));
        assert!(made.toml.starts_with("# Made from .claude/agents/x.md"));
    }

    #[test]
    fn whoever_may_write_changes_code() {
        for (tools, tier) in [
            ("tools: Read, Edit", Tier::Implementation),
            ("tools:\n  - Read\n  - Write", Tier::Implementation),
            ("tools: [Read, Bash(git log:*)]", Tier::Validation),
            ("model: inherit", Tier::Implementation),
            ("description: |\n  One\n  two", Tier::Implementation),
        ] {
            let text = format!("---\n{tools}\n---\nDo it.");
            let made = import("x", &text, "claude-code", "x.md").unwrap();
            assert_eq!(made.tier, tier, "{tools}");
            assert_eq!(read(&made).model, None);
        }
    }

    #[test]
    fn a_file_without_a_head_is_all_instructions() {
        let made = import(
            "AGENTS",
            "# Rules\n\nUse {{braces}} '''and''' \"quotes\"\\n",
            "codex",
            "AGENTS.md",
        )
        .unwrap();
        assert_eq!(made.name, "agents");
        assert!(made.notes[0].contains("placeholder"));
        let profile = read(&made);
        assert_eq!(profile.driver.as_deref(), Some("codex"));
        assert!(
            profile
                .brief
                .unwrap()
                .contains("Use { {braces}} '''and''' \"quotes\"\\n")
        );
    }

    #[test]
    fn what_cannot_be_a_profile_says_why() {
        let refused = |name: &str, text: &str| import(name, text, "codex", "x").unwrap_err();
        assert_eq!(refused("x", "---\nname: x\n---\n  \n"), ImportError::Empty);
        assert_eq!(refused("x", "---\nname: x\n"), ImportError::OpenHead);
        assert!(matches!(refused("../x", "y"), ImportError::Name { .. }));
        assert!(matches!(refused("", "y"), ImportError::Name { .. }));
        assert!(matches!(
            refused("x", &"y".repeat(LENGTH + 1)),
            ImportError::TooLong { .. }
        ));
    }
}
