//! Where somebody stands, as Markdown for a prompt.

use std::fmt::Write;

use worknode_actors::notes::Decision;

use super::ContinueView;

/// Characters of one text in a list. What is longer is there as JSON.
const LINE: usize = 300;

impl ContinueView {
    /// As Markdown: sections that have nothing to say are left out.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let who = self.agent.as_ref().map_or(&self.team, |agent| &agent.name);
        let _ = writeln!(out, "# Where {} stands", line(who));
        if let Some(agent) = &self.agent {
            let _ = writeln!(
                out,
                "\nAgent of the {} tier in the team {}: {}.",
                agent.tier.name(),
                line(&self.team),
                agent.status
            );
        }
        self.task_as_markdown(&mut out);
        section(&mut out, "Next", self.next.iter().map(|what| line(what)));
        section(
            &mut out,
            "In the way",
            self.blockers.iter().map(|what| line(what)),
        );
        let findings = self.findings.iter().map(|finding| {
            let place = finding
                .file
                .as_deref()
                .map_or_else(String::new, |file| format!(" in `{file}`"));
            format!("{}{place}: {}", finding.rule, line(&finding.message))
        });
        section(&mut out, "What was objected to", findings);
        let messages = self.messages.iter().map(|message| {
            format!(
                "{} says (`{}`): {}",
                line(&message.from),
                message.message,
                line(&message.said.text)
            )
        });
        section(&mut out, "Messages", messages);
        let done = self
            .done
            .iter()
            .map(|step| format!("{} {}: {}", step.at, line(&step.by), line(&step.what)));
        section(&mut out, "What was done", done);
        section(
            &mut out,
            "Files edited",
            self.files.iter().map(|file| format!("`{}`", line(file))),
        );
        section(
            &mut out,
            "Files that may change",
            self.may_change.iter().map(|file| format!("`{}`", line(file))),
        );
        self.notes_as_markdown(&mut out);
        out
    }

    /// The task that is under way, and what it asks.
    fn task_as_markdown(&self, out: &mut String) {
        let Some(task) = &self.task else { return };
        let _ = writeln!(out, "\n## Task: {}\n", line(&task.title));
        let _ = writeln!(
            out,
            "`{}` is {}; attempt {} of {}, epoch {}.",
            task.key, task.status, task.attempts, task.max_attempts, task.epoch
        );
        if let Some(deadline) = task.deadline {
            let _ = writeln!(out, "It should be completed by {deadline}.");
        }
        if !self.prompt.is_empty() {
            let _ = writeln!(out, "\n{}", quoted(&self.prompt));
        }
    }

    /// What was decided, and what went wrong before.
    fn notes_as_markdown(&self, out: &mut String) {
        decided(out, &self.decisions);
        let issues = self.issues.iter().map(|issue| {
            let fix = if issue.solution.fix.is_empty() {
                "not solved yet".to_owned()
            } else {
                format!("fix: {}", line(&issue.solution.fix))
            };
            format!("`{}` — {fix}", line(&issue.signature))
        });
        section(out, "Errors that came up", issues);
    }
}

pub(super) fn section(out: &mut String, title: &str, items: impl Iterator<Item = String>) {
    for (at, item) in items.enumerate() {
        if at == 0 {
            let _ = writeln!(out, "\n## {title}\n");
        }
        let _ = writeln!(out, "- {item}");
    }
}

/// What was decided, and why.
pub(super) fn decided(out: &mut String, decisions: &[Decision]) {
    let items = decisions.iter().map(|decision| {
        let why = if decision.rationale.is_empty() {
            String::new()
        } else {
            format!(" Because: {}", line(&decision.rationale))
        };
        format!(
            "{} {}.{why} ({})",
            line(&decision.question),
            line(&decision.decision),
            line(&decision.by)
        )
    });
    section(out, "Decided", items);
}

/// One line of somebody else's words: nothing in it begins a heading or a list.
pub(super) fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    if text.chars().count() <= LINE {
        return text;
    }
    let mut cut: String = text.chars().take(LINE).collect();
    cut.push('…');
    cut
}

/// Somebody else's words, as they are.
fn quoted(text: &str) -> String {
    let lines = text.trim_end().lines();
    lines
        .map(|line| format!("> {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
