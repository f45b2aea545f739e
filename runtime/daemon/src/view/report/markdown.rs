//! A report as Markdown, for people.

use std::{fmt::Write, time::Duration};

use worknode_core::time::Span;

use super::{ReportPhase, ReportTask, ReportUse, ReportView};
use crate::view::markdown::{decided, line, section};

/// Letters of a commit's name that are shown.
const COMMIT: usize = 10;

impl ReportView {
    /// As Markdown: sections that have nothing to say are left out.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "# Report: {}\n", line(&self.name));
        let _ = writeln!(out, "{}", self.summary());
        for phase in &self.phases {
            phase.write(&mut out);
        }
        self.who(&mut out);
        let landed = self.landed.iter().map(|landing| {
            let commit = landing.commit.get(..COMMIT).unwrap_or(&landing.commit);
            let by = landing.by.as_deref().unwrap_or("somebody");
            format!(
                "{} `{commit}` {} by {}",
                landing.at,
                line(&landing.task),
                line(by)
            )
        });
        section(&mut out, "Landed", landed);
        let trouble = self
            .trouble
            .iter()
            .map(|one| format!("{} {}: {}", one.at, line(&one.of), line(&one.what)));
        section(&mut out, "Not as planned", trouble);
        self.notes(&mut out);
        if self.cut {
            let _ = writeln!(
                out,
                "\nThere is more than one report holds: ask for a part of the tree."
            );
        }
        out
    }

    fn summary(&self) -> String {
        let when = match (self.begun, self.finished) {
            (None, _) => "Nothing is begun".to_owned(),
            (Some(begun), None) => format!("Begun {begun}, not finished"),
            (Some(begun), Some(finished)) => {
                let took = length(finished.since(begun));
                format!("Begun {begun}, finished {finished}: {took}")
            }
        };
        let used = in_words(&self.used);
        format!(
            "{} of {} tasks completed. {when}. {used}.\n\nAs of {}.",
            self.completed, self.tasks, self.at
        )
    }

    fn who(&self, out: &mut String) {
        if self.agents.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n## Who did what\n");
        let _ = writeln!(out, "| agent | tier | completed | used |");
        let _ = writeln!(out, "|---|---|---|---|");
        for agent in &self.agents {
            let completed: Vec<String> = agent.completed.iter().map(|key| cell(key)).collect();
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                cell(&agent.name),
                agent.tier.name(),
                completed.join(", "),
                in_words(&agent.used)
            );
        }
    }

    fn notes(&self, out: &mut String) {
        decided(out, &self.decisions);
        let issues = self.issues.iter().map(|issue| {
            let fix = if issue.solution.fix.is_empty() {
                "not solved".to_owned()
            } else {
                format!("fix: {}", line(&issue.solution.fix))
            };
            format!("{} ({} times): {fix}", line(&issue.error), issue.seen)
        });
        section(out, "Errors that came up", issues);
    }
}

impl ReportPhase {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "\n## {}\n", line(&self.name));
        let when = match (self.begun, self.finished) {
            (None, _) => "Not begun.".to_owned(),
            (Some(begun), None) => format!("Begun {begun}, not finished."),
            (Some(begun), Some(finished)) => {
                format!("{begun} to {finished}: {}.", length(finished.since(begun)))
            }
        };
        let _ = writeln!(out, "{when}\n");
        let _ = writeln!(out, "| task | | by | attempts | took | estimate | deliverables |");
        let _ = writeln!(out, "|---|---|---|---|---|---|---|");
        for task in &self.tasks {
            let _ = writeln!(out, "{}", task.row());
        }
    }
}

impl ReportTask {
    fn row(&self) -> String {
        let span = |ms: Option<u64>| ms.map_or_else(String::new, |ms| length(Duration::from_millis(ms)));
        let deliverables: Vec<String> = self
            .deliverables
            .iter()
            .map(|path| format!("`{}`", cell(path)))
            .collect();
        format!(
            "| {}: {} | {} | {} | {} | {} | {} | {} |",
            cell(&self.key),
            cell(&self.title),
            self.status,
            cell(self.by.as_deref().unwrap_or_default()),
            self.attempts,
            span(self.took_ms),
            span(self.estimate_ms),
            deliverables.join(", ")
        )
    }
}

fn in_words(used: &ReportUse) -> String {
    let runs = if used.runs == 1 { "run" } else { "runs" };
    let mut words = format!(
        "{} {runs}, {}",
        used.runs,
        length(Duration::from_millis(used.busy_ms))
    );
    let tokens = used.usage.tokens();
    if tokens > 0 {
        let _ = write!(words, ", {tokens} tokens");
    }
    if used.usage.cost > worknode_core::usage::Usd::ZERO {
        let _ = write!(words, ", {}", used.usage.cost);
    }
    words
}

/// Whole seconds; below one, milliseconds.
fn length(span: Duration) -> String {
    if span.as_secs() == 0 {
        format!("{} ms", span.as_millis())
    } else {
        Span::secs(span.as_secs()).to_string()
    }
}

/// Somebody else's words in a cell of a table.
fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use worknode_core::{ids::NodeId, time::Timestamp};

    use super::*;

    fn empty() -> ReportView {
        ReportView {
            under: NodeId::ROOT,
            name: "team".to_owned(),
            at: Timestamp::from_millis(90_000),
            begun: None,
            finished: None,
            tasks: 0,
            completed: 0,
            used: ReportUse::default(),
            phases: Vec::new(),
            agents: Vec::new(),
            landed: Vec::new(),
            trouble: Vec::new(),
            decisions: Vec::new(),
            issues: Vec::new(),
            cut: false,
        }
    }

    #[test]
    fn what_has_nothing_to_say_is_left_out() {
        let text = empty().markdown();
        assert!(
            text.contains("0 of 0 tasks completed. Nothing is begun."),
            "{text}"
        );
        assert!(!text.contains("##"), "{text}");
    }

    #[test]
    fn words_of_others_stay_within_their_cell() {
        let task = ReportTask {
            key: "a".to_owned(),
            title: "one | two\n# three".to_owned(),
            status: "completed".to_owned(),
            by: Some("coder".to_owned()),
            attempts: 2,
            took_ms: Some(61_000),
            estimate_ms: Some(250),
            deliverables: vec!["docs/a.md".to_owned()],
        };
        assert_eq!(
            task.row(),
            "| a: one \\| two # three | completed | coder | 2 | 1m 1s | 250 ms | `docs/a.md` |"
        );
    }

    #[test]
    fn p8_what_is_left_out_is_told() {
        let mut cut = empty();
        cut.cut = true;
        assert!(cut.markdown().ends_with("ask for a part of the tree.\n"));
    }
}
