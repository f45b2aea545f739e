//! What each field of a template stands for.

use worknode_core::{
    agent::Tier,
    task::{Approval, TaskSpec},
    verdict::{Finding, Weight},
};

use super::{
    Artefact, Brief, Duty, Field, LISTED, LastRun, Review, Said, Work,
    markdown::{block, code, line, list, section},
};

pub(super) fn value(field: Field, brief: &Brief<'_>) -> String {
    match field {
        Field::Title => title(brief),
        Field::Agent => line(brief.agent),
        Field::Tier => brief.tier.name().to_owned(),
        Field::Team => line(brief.team),
        Field::Task => task(brief).map(|task| line(&task.key)).unwrap_or_default(),
        Field::Rules => rules(brief.tier).to_owned(),
        Field::Attempt => work(brief).map(attempt).unwrap_or_default(),
        Field::Prompt => prompt(brief),
        Field::Review => review(brief).map(what_to_look_at).unwrap_or_default(),
        Field::Findings => work(brief)
            .map(|work| findings(work.findings))
            .unwrap_or_default(),
        Field::LastRun => work(brief)
            .and_then(|work| work.last_run)
            .map(last_run)
            .unwrap_or_default(),
        Field::Messages => messages(brief.messages),
        Field::Files => task(brief).map(files).unwrap_or_default(),
        Field::MayDelete => task(brief).map(may_delete).unwrap_or_default(),
        Field::Gates => work(brief).map(|work| gates(work.task)).unwrap_or_default(),
        Field::Start => work(brief).map(start).unwrap_or_default(),
        Field::Artefacts => work(brief)
            .map(|work| artefacts(work.artefacts))
            .unwrap_or_default(),
        Field::Deadline => task(brief).map(deadline).unwrap_or_default(),
        Field::Report => report(brief),
    }
}

const fn work<'a>(brief: &'a Brief<'_>) -> Option<&'a Work<'a>> {
    match &brief.duty {
        Duty::Work(work) => Some(work),
        Duty::Review(_) | Duty::Standing { .. } | Duty::Fired { .. } | Duty::Spawned { .. } => None,
    }
}

const fn review<'a>(brief: &'a Brief<'_>) -> Option<&'a Review<'a>> {
    match &brief.duty {
        Duty::Review(review) => Some(review),
        Duty::Work(_) | Duty::Standing { .. } | Duty::Fired { .. } | Duty::Spawned { .. } => None,
    }
}

const fn task<'a>(brief: &'a Brief<'_>) -> Option<&'a TaskSpec> {
    match &brief.duty {
        Duty::Work(work) => Some(work.task),
        Duty::Review(review) => Some(review.task),
        Duty::Standing { .. } | Duty::Fired { .. } | Duty::Spawned { .. } => None,
    }
}

fn title(brief: &Brief<'_>) -> String {
    match &brief.duty {
        Duty::Work(work) => line(&work.task.title),
        Duty::Review(review) => format!("Review: {}", line(&review.task.title)),
        Duty::Standing { .. } => format!("Your duty in the team {}", line(brief.team)),
        Duty::Fired { title, .. } | Duty::Spawned { title, .. } => line(title),
    }
}

const fn rules(tier: Tier) -> &'static str {
    match tier {
        Tier::Executive => {
            "You may see everything, write decisions, and start and stop agents. You never change code."
        }
        Tier::Implementation => {
            "You work in your own clone of the repository, which is your working directory. Only what is \
             committed there and named below can count."
        }
        Tier::Validation => "You may read everything. You change nothing; your decision is your work.",
    }
}

fn attempt(work: &Work<'_>) -> String {
    let most = work.task.max_attempts.max(work.attempt);
    let last = if work.attempt >= most {
        " There is no other after it."
    } else {
        ""
    };
    format!(
        "This is attempt {} of {most} at the task {}.{last}",
        work.attempt,
        code(&work.task.key)
    )
}

fn prompt(brief: &Brief<'_>) -> String {
    match &brief.duty {
        Duty::Work(work) => section("What to do", &work.task.prompt),
        Duty::Review(review) => section("What the task asked for", &review.task.prompt),
        Duty::Standing { prompt } => section("What to do", prompt),
        Duty::Fired { trigger, prompt, .. } => section(
            "What to do",
            &format!("The trigger {} asks for this.\n\n{prompt}", code(trigger)),
        ),
        Duty::Spawned { by, prompt, .. } => {
            section("What to do", &format!("{} asks for this.\n\n{prompt}", code(by)))
        }
    }
}

fn what_to_look_at(review: &Review<'_>) -> String {
    let (base, candidate) = (review.base, review.candidate);
    let changed = list(review.files.iter().map(String::as_str), LISTED);
    section(
        "What to look at",
        &format!(
            "{} has handed in commit `{}`. Put on top of the base branch it is `{candidate}`: exactly this \
             would land. All gates have passed on it.\n\nSee what differs with `git diff {base} {candidate}`. \
             These files do:\n\n{changed}",
            code(review.by),
            review.submission
        ),
    )
}

fn findings(findings: &[Finding]) -> String {
    let items: Vec<String> = findings.iter().map(finding).collect();
    section("Why the last attempt did not count", &items.join("\n"))
}

fn last_run(last: &LastRun) -> String {
    let mut text = format!(
        "{} worked on this before. That run: {}.",
        code(&last.agent),
        line(&last.ended)
    );
    if let Some(patch) = &last.patch {
        text.push_str(&format!(
            " What it had changed and not committed is kept in {}; `git apply` takes it.",
            code(patch)
        ));
    }
    if !last.output.is_empty() {
        text.push_str("\n\nThe last of what it wrote:\n\n");
        text.push_str(&block(&last.output, 0));
    }
    section("How the last run ended", &text)
}

/// What others say is quoted: it is told, not asked by whoever wrote the rest.
fn messages(messages: &[Said]) -> String {
    let one = |said: &Said| {
        format!(
            "- {} ({}):\n\n{}",
            code(&said.from),
            code(&said.message),
            block(&said.text, 2)
        )
    };
    let shown: Vec<String> = messages.iter().take(LISTED).map(one).collect();
    let text = format!(
        "{}\n\nSay that you have read one with `worknode message ack`, and its stamp.",
        shown.join("\n")
    );
    section("Messages", if messages.is_empty() { "" } else { &text })
}

fn finding(finding: &Finding) -> String {
    let message = match finding.message.split_once('\n') {
        None => line(&finding.message),
        Some((first, rest)) => format!("{}\n\n{}\n", line(first), block(rest, 2)),
    };
    let message = match finding.weight {
        Weight::Error => message,
        Weight::Warning => format!("(a warning; it does not count) {message}"),
        Weight::Waived => format!("(waived; it does not count) {message}"),
    };
    let hint = finding
        .hint
        .as_ref()
        .map(|hint| format!("\n  What to do: {}", line(hint)));
    format!(
        "- {}{}: {message}{}{}",
        code(&finding.rule),
        place(finding),
        measured(finding),
        hint.unwrap_or_default()
    )
}

/// Where it was found, as far as that is known.
fn place(finding: &Finding) -> String {
    let file = finding.file.as_ref().map(|file| format!(" in {}", code(file)));
    let line = finding
        .file
        .as_ref()
        .and(finding.line)
        .map(|line| format!(", line {line}"));
    let function = finding
        .function
        .as_ref()
        .map(|name| format!(", function {}", code(name)));
    [file, line, function].into_iter().flatten().collect()
}

fn measured(finding: &Finding) -> String {
    match (finding.measured, finding.limit) {
        (Some(measured), Some(limit)) => format!("\n  Measured: {measured}; the limit: {limit}"),
        (Some(measured), None) => format!("\n  Measured: {measured}"),
        (None, _) => String::new(),
    }
}

fn files(task: &TaskSpec) -> String {
    let list = list(task.files.iter().map(String::as_str), LISTED);
    let text = format!(
        "{list}\n\n`*` stays within a folder, `**` does not, and what begins with `!` is excluded. A change \
         anywhere else makes the whole submission fail."
    );
    section(
        "Files that may change",
        if task.files.is_empty() { "None." } else { &text },
    )
}

fn may_delete(task: &TaskSpec) -> String {
    let list = list(task.may_delete.iter().map(String::as_str), LISTED);
    section(
        "Files that may be deleted",
        if task.may_delete.is_empty() {
            "None."
        } else {
            &list
        },
    )
}

fn gates(task: &TaskSpec) -> String {
    let names: Vec<String> = task.gates.iter().map(|gate| code(gate)).collect();
    let then = match task.approval {
        Approval::None => "Then it lands.".to_owned(),
        Approval::Validation => "Then a reviewer decides.".to_owned(),
        Approval::Operator => "Then a person decides.".to_owned(),
        Approval::Quorum(wanted) => format!("Then {wanted} others must agree."),
    };
    let text = format!(
        "The runtime itself checks what you hand in, on exactly the files of your commit: {}. {then}",
        names.join(", ")
    );
    section("What it must pass", if names.is_empty() { "" } else { &text })
}

fn start(work: &Work<'_>) -> String {
    let base = work.base;
    let text = match work.continues {
        None => format!("Your workspace starts from commit `{base}` of the base branch."),
        Some(last) => format!(
            "Your workspace goes on from `{last}`, the submission that did not count. The base branch is at \
             `{base}`; `git diff {base}` shows all that you have changed."
        ),
    };
    section("Where you start", &text)
}

fn artefacts(artefacts: &[Artefact]) -> String {
    let one = |artefact: &Artefact| {
        let files = list(artefact.files.iter().map(String::as_str), LISTED);
        format!(
            "Task {} ({}) landed as `{}`:\n\n{files}",
            code(&artefact.task),
            line(&artefact.title),
            artefact.commit
        )
    };
    let shown: Vec<String> = artefacts.iter().take(LISTED).map(one).collect();
    section("What the tasks before have left", &shown.join("\n\n"))
}

fn deadline(task: &TaskSpec) -> String {
    let text = task
        .deadline
        .map(|deadline| format!("It should be done by {deadline}."));
    section("Deadline", &text.unwrap_or_default())
}

fn report(brief: &Brief<'_>) -> String {
    let text = match &brief.duty {
        Duty::Work(_) => {
            "- While you work: `worknode task progress \"what you are doing\"`.\n\
             - When it is done: commit, then `worknode task submit`. Or commit and exit with code 0; your last \
             commit is then handed in.\n\
             - When you cannot go on: `worknode task block \"what is missing\"`.\n\
             - When something goes wrong: `worknode issue search \"the error\"` finds how it was mended before; \
             `worknode issue add` and `worknode decision add` tell those who come later.\n\n\
             What is not committed does not count."
                .to_owned()
        }
        Duty::Review(review) => {
            let key = line(&review.task.key);
            format!(
                "- When it does what the task asked for, and does it well: `worknode approve {key}`.\n\
                 - Otherwise: `worknode reject {key} --reason \"what is wrong, and what would be right\"`. \
                 The next attempt begins with your words.\n\n\
                 Decide on what you see in the files, not on what is claimed about them."
            )
        }
        Duty::Standing { .. } | Duty::Fired { .. } | Duty::Spawned { .. } => {
            "Do what is asked, say what you found, and exit with code 0.".to_owned()
        }
    };
    section("How to report", &text)
}
