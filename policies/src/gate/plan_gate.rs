//! The `plan` gate: did the work change only what the plan names?
//!
//! | rule | what breaks it |
//! |---|---|
//! | `plan.empty` | nothing changed |
//! | `plan.outside` | a path that `files` does not name, or excludes |
//! | `plan.created` | a new file that `may_create` does not name, where the plan has it |
//! | `plan.undelivered` | a path of `deliverables` that is not there |
//! | `plan.deleted` | a deletion that `may_delete` does not name |
//! | `plan.protected` | anything below `.git` or `.worknode`; the team's own configuration, unless named exactly |
//! | `plan.symlink`, `plan.submodule` | one that is not named exactly |
//! | `plan.encoding` | a path that is not UTF-8 |
//! | `plan.pattern` | a pattern of the plan that cannot be read; then nothing is allowed |

use worknode_core::{git::CommitId, task::TaskSpec, verdict::Finding};

use crate::{
    change::{Change, ChangeKind},
    pattern::Patterns,
    text,
};

/// Folders that no task may touch, at any depth and in any case: some file systems ignore case.
const PROTECTED: [&str; 2] = [".git", ".worknode"];
/// The files at the root that say what agents may do. A task may change one only when the plan
/// names exactly it: `**` is not meant to let an agent rewrite its own rules.
const CONFIGURATION: [&str; 5] = [
    "worknode.toml",
    "plan.toml",
    ".gitlab-ci.yml",
    ".gitmodules",
    "jenkinsfile",
];
/// Folders at the root of which the same is true: profiles of agents, and what others check with.
const RULES: [&str; 5] = [
    "agent-profiles/",
    ".github/",
    ".circleci/",
    ".buildkite/",
    ".claude/",
];

/// Judges what changed between `base` and the tree in question. No finding means: passed.
///
/// `base` is only named in the advice.
#[must_use]
pub fn judge(spec: &TaskSpec, changes: &[Change], base: &CommitId) -> Vec<Finding> {
    if changes.is_empty() {
        let nothing = Finding::new("plan.empty", "nothing changed")
            .hint("commit your work, or say with `worknode task block` why there is nothing to do");
        return vec![nothing];
    }
    let rules = match Rules::of(spec, base) {
        Ok(rules) => rules,
        Err(findings) => return findings,
    };
    changes.iter().filter_map(|change| rules.judge(change)).collect()
}

/// The deliverables that are `missing` in the tree in question.
#[must_use]
pub fn undelivered(missing: &[String]) -> Vec<Finding> {
    let finding = |path: &String| {
        Finding::new(
            "plan.undelivered",
            "the plan asks for this file, and it is not there",
        )
        .in_file(shown(path))
        .hint("make it, commit it, and submit again")
    };
    missing.iter().map(finding).collect()
}

struct Rules<'a> {
    files: Patterns,
    /// When it says less or more than `files`.
    may_create: Option<Patterns>,
    may_delete: Patterns,
    base: &'a CommitId,
}

impl<'a> Rules<'a> {
    fn of(spec: &TaskSpec, base: &'a CommitId) -> Result<Self, Vec<Finding>> {
        let unreadable = |key: &'static str| {
            move |errors: Vec<crate::pattern::PatternError>| -> Vec<Finding> {
                errors
                    .iter()
                    .map(|error| {
                        Finding::new("plan.pattern", format!("in `{key}` of the plan: {error}"))
                            .hint("only the plan's author can mend this: `worknode task block`")
                    })
                    .collect()
            }
        };
        Ok(Self {
            files: Patterns::parse(&spec.files).map_err(unreadable("files"))?,
            may_create: spec
                .may_create
                .as_deref()
                .map(Patterns::parse)
                .transpose()
                .map_err(unreadable("may_create"))?,
            may_delete: Patterns::parse(&spec.may_delete).map_err(unreadable("may_delete"))?,
            base,
        })
    }

    /// The first rule that the change breaks, the gravest first.
    fn judge(&self, change: &Change) -> Option<Finding> {
        let path = change.path.as_str();
        if !change.utf8 {
            let finding = Finding::new("plan.encoding", "the path is not UTF-8")
                .hint("give the file a name that is UTF-8");
            return Some(finding.in_file(shown(path)));
        }
        self.protected(path)
            .or_else(|| self.special(change))
            .or_else(|| match change.kind {
                ChangeKind::Deleted => self.deleted(path),
                ChangeKind::Added => self.created(path),
                ChangeKind::Modified | ChangeKind::TypeChanged | ChangeKind::ModeChanged => {
                    self.outside(path)
                }
            })
            .map(|finding| {
                let hint = self.way_back(change);
                finding.in_file(shown(path)).hint(hint)
            })
    }

    fn protected(&self, path: &str) -> Option<Finding> {
        let below = |folder: &str| path.split('/').any(|part| part.eq_ignore_ascii_case(folder));
        if let Some(folder) = PROTECTED.iter().find(|folder| below(folder)) {
            let message = format!("`{folder}` belongs to git and to the runtime, not to a task");
            return Some(Finding::new("plan.protected", message));
        }
        let below_rules = |folder: &&str| {
            let start = path.get(..folder.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(folder))
        };
        let configuration =
            CONFIGURATION.iter().any(|file| path.eq_ignore_ascii_case(file)) || RULES.iter().any(below_rules);
        (configuration && !self.files.names_exactly(path)).then(|| {
            let message = "this file says what agents may do; the plan does not name exactly it";
            Finding::new("plan.protected", message)
        })
    }

    /// A symlink can lead anywhere and a submodule can hold anything, so a wildcard never
    /// means one. A deletion of either needs no more than any deletion.
    fn special(&self, change: &Change) -> Option<Finding> {
        let (rule, what) = if change.is_symlink() {
            ("plan.symlink", "a symlink")
        } else if change.is_submodule() {
            ("plan.submodule", "a submodule")
        } else {
            return None;
        };
        if change.kind == ChangeKind::Deleted || self.files.names_exactly(&change.path) {
            return None;
        }
        let message = format!("{what} may change only where `files` of the plan names exactly this path");
        Some(Finding::new(rule, message))
    }

    fn deleted(&self, path: &str) -> Option<Finding> {
        if self.files.excludes(path) {
            return Some(Finding::new(
                "plan.deleted",
                "`files` of the plan excludes this file",
            ));
        }
        (!self.may_delete.matches(path))
            .then(|| Finding::new("plan.deleted", "`may_delete` of the plan does not name this file"))
    }

    fn created(&self, path: &str) -> Option<Finding> {
        let Some(may_create) = &self.may_create else {
            return self.outside(path);
        };
        (!may_create.matches(path) || self.files.excludes(path))
            .then(|| Finding::new("plan.created", "`may_create` of the plan does not name this file"))
    }

    fn outside(&self, path: &str) -> Option<Finding> {
        if self.files.matches(path) {
            return None;
        }
        let message = if self.files.excludes(path) {
            "`files` of the plan excludes this file"
        } else {
            "`files` of the plan does not name this file"
        };
        Some(Finding::new("plan.outside", message))
    }

    /// The command that undoes the change, ready to be run.
    fn way_back(&self, change: &Change) -> String {
        let path = quoted(&change.path);
        match change.kind {
            ChangeKind::Added => format!("take it out with `git rm -r -- {path}` and commit"),
            ChangeKind::Modified
            | ChangeKind::Deleted
            | ChangeKind::TypeChanged
            | ChangeKind::ModeChanged => {
                format!(
                    "restore it with `git checkout {} -- {path}` and commit",
                    self.base
                )
            }
        }
    }
}

/// The path as people and JSON can take it: without control characters, and bounded.
fn shown(path: &str) -> String {
    text::clipped(&path.replace(char::is_control, "\u{fffd}"), 1024)
}

/// The path as one word of a POSIX shell, which git reads as exactly this path: a leading `:`
/// and wildcards mean more to it than themselves.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+@%".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    let magic = path.starts_with(':') || path.contains(['*', '?', '[', '\\']);
    let literal = if magic { ":(literal)" } else { "" };
    format!("'{literal}{}'", shown(path).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        change::{SUBMODULE, SYMLINK},
        testing::{commit, spec},
    };

    const FILE: u32 = 0o100_644;

    fn change(kind: ChangeKind, path: &str) -> Change {
        let (old_mode, new_mode) = match kind {
            ChangeKind::Added => (0, FILE),
            ChangeKind::Deleted => (FILE, 0),
            ChangeKind::ModeChanged => (FILE, 0o100_755),
            ChangeKind::Modified => (FILE, FILE),
            ChangeKind::TypeChanged => (FILE, SYMLINK),
        };
        Change {
            path: path.to_owned(),
            utf8: true,
            kind,
            old_mode,
            new_mode,
        }
    }

    fn task(files: &[&str], may_delete: &[&str]) -> TaskSpec {
        let owned = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect();
        TaskSpec {
            files: owned(files),
            may_delete: owned(may_delete),
            ..spec("schema")
        }
    }

    /// The rule that a single change breaks, or `""`.
    fn rule(task: &TaskSpec, change: Change) -> String {
        let findings = judge(task, &[change], &commit(1));
        assert!(findings.len() <= 1);
        findings.first().map_or_else(String::new, |f| f.rule.clone())
    }

    #[test]
    fn only_what_the_plan_names_may_change() {
        let task = task(&["src/**", "!src/secret.rs"], &["src/old.rs"]);
        for kind in [ChangeKind::Added, ChangeKind::Modified, ChangeKind::ModeChanged] {
            assert_eq!(rule(&task, change(kind, "src/lib.rs")), "");
            assert_eq!(rule(&task, change(kind, "README.md")), "plan.outside");
            assert_eq!(rule(&task, change(kind, "src/secret.rs")), "plan.outside");
        }
    }

    #[test]
    fn deletions_need_a_permission_of_their_own() {
        let task = task(
            &["src/**", "!src/secret.rs"],
            &["src/old.rs", "junk/*", "src/secret.rs"],
        );
        let deleted = |path| rule(&task, change(ChangeKind::Deleted, path));
        assert_eq!(deleted("src/lib.rs"), "plan.deleted");
        assert_eq!(deleted("src/old.rs"), "");
        assert_eq!(deleted("junk/a"), "");
        assert_eq!(deleted("src/secret.rs"), "plan.deleted");
    }

    #[test]
    fn p9_the_runtime_s_and_git_s_own_folders_are_out_of_reach() {
        let task = task(&["**", ".git/hooks/x", ".worknode/keys/k"], &["**"]);
        for path in [
            ".git/hooks/x",
            ".worknode/keys/k",
            "sub/.git/config",
            ".GIT/config",
            ".git",
        ] {
            for kind in [ChangeKind::Added, ChangeKind::Deleted] {
                assert_eq!(rule(&task, change(kind, path)), "plan.protected", "{path}");
            }
        }
        assert_eq!(rule(&task, change(ChangeKind::Added, ".gitignore")), "");
    }

    #[test]
    fn p9_a_wildcard_does_not_let_an_agent_rewrite_its_own_rules() {
        let wide = task(&["**"], &["**"]);
        assert_eq!(
            rule(&wide, change(ChangeKind::Modified, "worknode.toml")),
            "plan.protected"
        );
        assert_eq!(
            rule(&wide, change(ChangeKind::Deleted, "plan.toml")),
            "plan.protected"
        );
        assert_eq!(
            rule(&wide, change(ChangeKind::Modified, "examples/plan.toml")),
            ""
        );
        let named = task(&["worknode.toml"], &[]);
        assert_eq!(rule(&named, change(ChangeKind::Modified, "worknode.toml")), "");
    }

    #[test]
    fn p9_what_others_check_with_must_be_named_exactly() {
        let wide = task(&["**", ".github/workflows/ci.yml"], &["**"]);
        for path in [
            ".github/workflows/other.yml",
            ".GitHub/workflows/x",
            "agent-profiles/validation.toml",
            ".gitlab-ci.yml",
            ".gitmodules",
            ".claude/settings.json",
        ] {
            assert_eq!(
                rule(&wide, change(ChangeKind::Added, path)),
                "plan.protected",
                "{path}"
            );
        }
        let named = change(ChangeKind::Modified, ".github/workflows/ci.yml");
        assert_eq!(rule(&wide, named), "");
        assert_eq!(rule(&wide, change(ChangeKind::Added, "src/agent-profiles/x")), "");
    }

    #[test]
    fn new_files_are_those_that_the_plan_lets_be_made() {
        let mut none = task(&["src/**"], &[]);
        none.may_create = Some(vec![]);
        assert_eq!(rule(&none, change(ChangeKind::Added, "src/a.rs")), "plan.created");
        assert_eq!(rule(&none, change(ChangeKind::Modified, "src/a.rs")), "");
        let mut only = task(&["src/a.rs", "!docs/secret.md"], &[]);
        only.may_create = Some(vec!["docs/*".into()]);
        assert_eq!(rule(&only, change(ChangeKind::Added, "docs/a.md")), "");
        assert_eq!(
            rule(&only, change(ChangeKind::Added, "docs/secret.md")),
            "plan.created"
        );
        assert_eq!(rule(&only, change(ChangeKind::Added, "src/a.rs")), "plan.created");
        assert_eq!(
            rule(&only, change(ChangeKind::Modified, "docs/a.md")),
            "plan.outside"
        );
    }

    #[test]
    fn what_is_to_be_delivered_must_be_there() {
        let findings = undelivered(&["docs/a.md".to_owned()]);
        assert_eq!((findings.len(), &*findings[0].rule), (1, "plan.undelivered"));
    }

    #[test]
    fn symlinks_and_submodules_must_be_named_exactly() {
        let task = task(&["links/*", "links/named", "vendor/lib"], &["links/*"]);
        let added = |path, new_mode| {
            rule(
                &task,
                Change {
                    new_mode,
                    ..change(ChangeKind::Added, path)
                },
            )
        };
        assert_eq!(added("links/other", SYMLINK), "plan.symlink");
        assert_eq!(added("links/named", SYMLINK), "");
        assert_eq!(added("links/other", SUBMODULE), "plan.submodule");
        assert_eq!(added("vendor/lib", SUBMODULE), "");
        assert_eq!(
            rule(&task, change(ChangeKind::TypeChanged, "links/a")),
            "plan.symlink"
        );
        let gone = Change {
            old_mode: SYMLINK,
            ..change(ChangeKind::Deleted, "links/other")
        };
        assert_eq!(rule(&task, gone), "");
    }

    #[test]
    fn names_that_are_not_utf8_and_patterns_that_are_none_are_refused() {
        let task_all = task(&["**"], &[]);
        let odd = Change {
            utf8: false,
            ..change(ChangeKind::Added, "a\u{fffd}")
        };
        assert_eq!(rule(&task_all, odd), "plan.encoding");
        assert_eq!(
            rule(&task(&["a["], &[]), change(ChangeKind::Added, "a[")),
            "plan.pattern"
        );
        assert_eq!(judge(&task_all, &[], &commit(1))[0].rule, "plan.empty");
    }

    #[test]
    fn the_advice_is_a_command_that_can_be_run() {
        let hint = |kind, path| {
            let findings = judge(&task(&["x"], &[]), &[change(kind, path)], &commit(1));
            findings[0].hint.clone().unwrap()
        };
        assert_eq!(
            hint(ChangeKind::Modified, "README.md"),
            format!(
                "restore it with `git checkout {} -- README.md` and commit",
                commit(1)
            )
        );
        assert_eq!(
            hint(ChangeKind::Added, "it's; rm -rf"),
            r"take it out with `git rm -r -- 'it'\''s; rm -rf'` and commit"
        );
        assert_eq!(
            hint(ChangeKind::Added, "a*"),
            "take it out with `git rm -r -- ':(literal)a*'` and commit"
        );
    }

    proptest! {
        #[test]
        fn whatever_passes_was_named(path in "[a-c./]{1,12}", files in prop::collection::vec("[a-c*?./!]{1,8}", 1..4)) {
            let task = TaskSpec { files, ..spec("t") };
            let findings = judge(&task, &[change(ChangeKind::Modified, &path)], &commit(1));
            if findings.is_empty() {
                prop_assert!(Patterns::parse(&task.files).unwrap().matches(&path));
            }
        }
    }
}
