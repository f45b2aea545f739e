//! What an agent's own program asks before and after it acts: early words about what the gates will
//! say anyway. Nothing rests on them; whoever leaves them out hears the same later, from the gate.
//!
//! The events are those of Claude Code's hooks: `PreToolUse`, `PostToolUse`, `Stop`, `SessionStart`.
//! An event that is not understood is answered with nothing.

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use worknode_core::{git::CommitId, task::TaskSpec};

use crate::{
    change::{Change, ChangeKind},
    gate::plan_gate,
    text,
};

/// Tools that write a file, and the name of the input that says which.
const WRITERS: [(&str, &str); 4] = [
    ("Write", "file_path"),
    ("Edit", "file_path"),
    ("MultiEdit", "file_path"),
    ("NotebookEdit", "notebook_path"),
];
/// Patterns of the plan that a refusal names.
const NAMED: usize = 12;
/// Bytes of a brief that are given at the start of a session; its file has all of it.
const BRIEF: usize = 8 * 1024;
/// Bytes of a path that are looked at.
const PATH: usize = 4 * 1024;

/// What is known of the run that asks.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The plan of its task; `None` for a run without one.
    pub task: Option<&'a TaskSpec>,
    /// Whether it still holds the task, so that something is to be handed in.
    pub holds: bool,
    /// Its clone.
    pub root: &'a Path,
    /// Its brief, and where that is.
    pub brief: Option<(&'a str, &'a str)>,
}

/// What to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing: go on.
    Nothing,
    /// Do not use the tool, and why.
    Deny(String),
    /// A file was edited: this is worth a word of progress.
    Edited(String),
    /// Do not stop yet, and why.
    GoOn(String),
    /// To know from the start.
    Context(String),
}

/// Decides what to say to `event`. `exists` says whether a path of the clone is there. Pure.
#[must_use]
pub fn decide(event: &Value, about: &About<'_>, exists: impl Fn(&str) -> bool) -> Said {
    match event["hook_event_name"].as_str() {
        Some("PreToolUse") => match (written(event, about.root), about.task) {
            (Some(path), Some(task)) => before_write(task, &path, exists(&path)),
            _ => Said::Nothing,
        },
        Some("PostToolUse") => written(event, about.root).map_or(Said::Nothing, Said::Edited),
        Some("Stop") => before_stop(event, about),
        Some("SessionStart") => about.brief.map_or(Said::Nothing, |(brief, file)| {
            let more = format!("Your brief is in `{file}`. It begins so:\n\n");
            Said::Context(more + &text::clipped(brief, BRIEF))
        }),
        _ => Said::Nothing,
    }
}

/// The path below the clone that a tool writes. What is outside is the sandbox's to refuse.
fn written(event: &Value, root: &Path) -> Option<String> {
    let tool = event["tool_name"].as_str()?;
    let (_, input) = WRITERS.iter().find(|(name, _)| *name == tool)?;
    let path = event["tool_input"][input]
        .as_str()
        .filter(|path| path.len() <= PATH)?;
    let cwd = event["cwd"].as_str().map_or(root, Path::new);
    let whole = plain(&cwd.join(path));
    let below = whole.strip_prefix(root).ok()?;
    below.to_str().filter(|path| !path.is_empty()).map(str::to_owned)
}

/// Without `.` and `..`, as it is written: links are not looked at.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

fn before_write(task: &TaskSpec, path: &str, exists: bool) -> Said {
    let change = writing(path, exists);
    // Only named in advice that is not used here.
    let Ok(base) = "0".repeat(40).parse::<CommitId>() else {
        return Said::Nothing;
    };
    let Some(finding) = plan_gate::judge(task, &[change], &base).into_iter().next() else {
        return Said::Nothing;
    };
    let mut may: Vec<String> = task
        .files
        .iter()
        .take(NAMED)
        .map(|glob| format!("`{glob}`"))
        .collect();
    let more = task.files.len().saturating_sub(may.len());
    if more > 0 {
        may.push(format!("{more} more"));
    }
    let create = match &task.may_create {
        None => String::new(),
        Some(list) if list.is_empty() => " No file may be made.".to_owned(),
        Some(list) => format!(" Files that may be made: {}.", list.join(", ")),
    };
    Said::Deny(format!(
        "`{path}` is outside the plan of task `{}`: {} ({}). The task may change: {}.{create} Do it \
         with those. If the task cannot be done so, say why with `worknode task block REASON`, and \
         the plan can be changed.",
        task.key,
        finding.message,
        finding.rule,
        may.join(", ")
    ))
}

/// The change that writing to the file would be.
fn writing(path: &str, exists: bool) -> Change {
    const FILE: u32 = 0o100_644;
    Change {
        path: path.to_owned(),
        utf8: true,
        kind: if exists {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        },
        old_mode: if exists { FILE } else { 0 },
        new_mode: FILE,
    }
}

/// Once: whoever stops again is not asked again.
fn before_stop(event: &Value, about: &About<'_>) -> Said {
    let asked = event["stop_hook_active"].as_bool().unwrap_or(false);
    match about.task {
        Some(task) if about.holds && !asked => Said::GoOn(format!(
            "Task `{}` has not been handed in. Commit your work and run `worknode task submit`; or say \
             with `worknode task block REASON` what is missing.",
            task.key
        )),
        _ => Said::Nothing,
    }
}

/// The answer in the words of the program; `None` when there is nothing to answer.
#[must_use]
pub fn answer(said: &Said) -> Option<Value> {
    match said {
        Said::Nothing | Said::Edited(_) => None,
        Said::Deny(reason) => Some(json!({ "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }})),
        Said::GoOn(reason) => Some(json!({ "decision": "block", "reason": reason })),
        Said::Context(text) => Some(json!({ "hookSpecificOutput": {
            "hookEventName": "SessionStart",
            "additionalContext": text,
        }})),
    }
}

/// The settings with which Claude Code asks `program`, beside those of the user.
#[must_use]
pub fn settings(program: &str) -> Value {
    let hook = json!([{ "type": "command", "command": format!("{program} hook"), "timeout": 10 }]);
    let writers: Vec<&str> = WRITERS.iter().map(|(name, _)| *name).collect();
    let tools = json!([{ "matcher": writers.join("|"), "hooks": hook }]);
    let always = json!([{ "hooks": hook }]);
    json!({ "hooks": {
        "PreToolUse": tools,
        "PostToolUse": tools,
        "Stop": always,
        "SessionStart": always,
    }})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::spec;

    fn about(task: &TaskSpec) -> About<'_> {
        About {
            task: Some(task),
            holds: true,
            root: Path::new("/w/clone"),
            brief: Some(("Do it.", "/w/brief.md")),
        }
    }

    fn tool(event: &str, name: &str, input: Value) -> Value {
        json!({ "hook_event_name": event, "cwd": "/w/clone", "tool_name": name, "tool_input": input })
    }

    fn write(path: &str) -> Said {
        let task = TaskSpec {
            may_create: Some(vec!["docs/*".into()]),
            ..spec("t")
        };
        let event = tool("PreToolUse", "Write", json!({ "file_path": path }));
        decide(&event, &about(&task), |path| {
            path == "src/a.rs" || path == "README.md"
        })
    }

    #[test]
    fn a_write_outside_the_plan_is_denied_with_what_may_be_done_instead() {
        assert_eq!(write("/w/clone/src/a.rs"), Said::Nothing);
        assert_eq!(write("src/a.rs"), Said::Nothing);
        assert_eq!(write("docs/new.md"), Said::Nothing);
        for path in [
            "README.md",
            "src/../README.md",
            "/w/clone/./README.md",
            "src/new.rs",
            ".git/hooks/x",
            "worknode.toml",
        ] {
            let Said::Deny(reason) = write(path) else {
                panic!("{path}")
            };
            assert!(
                reason.contains("`src/**`") && reason.contains("task block"),
                "{reason}"
            );
        }
        let deny = answer(&write("README.md")).unwrap();
        assert_eq!(deny["hookSpecificOutput"]["permissionDecision"], "deny");
    }

    #[test]
    fn what_is_no_write_below_the_clone_is_not_our_business() {
        assert_eq!(write("/tmp/x"), Said::Nothing);
        assert_eq!(write("/w/clone/../other/x"), Said::Nothing);
        let task = spec("t");
        let bash = tool("PreToolUse", "Bash", json!({ "command": "rm -rf /" }));
        assert_eq!(decide(&bash, &about(&task), |_| true), Said::Nothing);
        let free = About {
            task: None,
            ..about(&task)
        };
        let event = tool("PreToolUse", "Write", json!({ "file_path": "README.md" }));
        assert_eq!(decide(&event, &free, |_| true), Said::Nothing);
    }

    #[test]
    fn who_stops_without_a_word_is_asked_once() {
        let task = spec("t");
        let stop = |active: bool, holds| {
            let event = json!({ "hook_event_name": "Stop", "stop_hook_active": active });
            let about = About {
                holds,
                ..about(&task)
            };
            decide(&event, &about, |_| true)
        };
        let Said::GoOn(_) = stop(false, true) else {
            panic!("it is asked")
        };
        assert_eq!(answer(&stop(false, true)).unwrap()["decision"], "block");
        assert_eq!(stop(true, true), Said::Nothing, "not again");
        assert_eq!(stop(false, false), Said::Nothing, "it was handed in");
    }

    #[test]
    fn an_edit_is_told_and_a_session_begins_with_its_brief() {
        let task = spec("t");
        let edit = tool("PostToolUse", "Edit", json!({ "file_path": "src/a.rs" }));
        let said = decide(&edit, &about(&task), |_| true);
        assert_eq!(said, Said::Edited("src/a.rs".into()));
        assert_eq!(answer(&said), None);
        let start = json!({ "hook_event_name": "SessionStart", "source": "compact" });
        let context = answer(&decide(&start, &about(&task), |_| true)).unwrap();
        let text = context["hookSpecificOutput"]["additionalContext"]
            .as_str()
            .unwrap();
        assert!(text.contains("Do it.") && text.contains("/w/brief.md"), "{text}");
        assert!(settings("worknode")["hooks"]["Stop"].is_array());
    }

    proptest! {
        #[test]
        fn p8_no_event_is_too_odd(text in "\\PC{0,60}", name in "Pre|Post|", path in "[a./~\\\\ ]{0,20}") {
            let task = spec("t");
            for event in [
                json!(text),
                json!({ "hook_event_name": text }),
                tool(&format!("{name}ToolUse"), "Write", json!({ "file_path": path })),
                tool("PreToolUse", "Write", json!(text)),
            ] {
                let _ = answer(&decide(&event, &about(&task), |_| false));
            }
        }
    }
}
