//! `worknode status`: the team at a glance.

use worknode_core::error::Error;
use worknode_daemon::{
    reload::ConfigView,
    view::{self, AgentView, StatusView, TaskCounts, UseView},
};

use super::{ask_or_read, now, ps, watch};
use crate::{
    args::look::Again,
    output::{self, Form, bold, colour_of, paint},
    place::Place,
};

pub(crate) async fn status(place: &Place, again: &Again, form: Form) -> Result<(), Error> {
    watch::again(again, async || once(place, form).await).await
}

async fn once(place: &Place, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let status: StatusView = ask_or_read(place, client.get("/status"), |reader| {
        view::status(reader, now(), None)
    })
    .await?;
    match form {
        Form::Json => output::json(&status),
        Form::Text => {
            print(&status);
            Ok(())
        }
    }
}

fn print(status: &StatusView) {
    let daemon = match &status.daemon {
        Some(daemon) => format!(
            "daemon {} (process {}, up {})",
            daemon.version,
            daemon.pid,
            output::length(status.at.since(daemon.since))
        ),
        None => "no daemon runs; this is what is stored".to_owned(),
    };
    output::line(format!("{}  {daemon}", paint(&status.team, bold())));
    output::line(format!("tasks: {}", counts(&status.tasks)));
    if status.finished {
        output::line("the plan is worked off as far as it goes");
    }
    if !status.panic.is_empty() {
        let blocked: Vec<_> = status.panic.iter().map(|stage| stage.name()).collect();
        let words = format!("panic: {} are blocked (`worknode unpanic`)", blocked.join(", "));
        output::line(format!("{} {words}", paint("!", colour_of("failed"))));
    }
    for pool in &status.pools {
        let words = format!(
            "credentials `{}` pause until {}: {}",
            pool.pool, pool.until, pool.reason
        );
        output::line(format!("{} {words}", paint("!", colour_of("blocked"))));
    }
    let uses: Vec<_> = status.uses.iter().filter_map(ps::used_of).collect();
    if !uses.is_empty() {
        output::line(format!("uses: {}", uses.join(", ")));
    }
    if let Some(config) = &status.config {
        print_config(config);
    }
    if let Some(deviation) = status.deviation.as_ref().filter(|found| found.percent > 0.0) {
        output::line(format!(
            "deviation: {:.1} % from the plan ({:.1} % may be)",
            deviation.percent, deviation.threshold_percent
        ));
    }
    for item in &status.attention {
        output::line(format!("{} {item}", paint("!", colour_of("failed"))));
    }
    output::line("");
    ps::print(&status.agents, status.at);
    for agent in &status.agents {
        print_limited(agent);
    }
}

/// What of the configuration is not in force.
fn print_config(config: &ConfigView) {
    let alert = paint("!", colour_of("failed"));
    for mistake in &config.mistakes {
        output::line(format!("{alert} configuration refused: {mistake}"));
        if let Some(hint) = &mistake.hint {
            output::line(format!("    hint: {hint}"));
        }
    }
    if config.more_mistakes > 0 {
        output::line(format!("{alert} … and {} more mistakes", config.more_mistakes));
    }
    if !config.restart.is_empty() {
        let words = format!(
            "changed since the daemon started, and waits for the next start: {}",
            config.restart.join(", ")
        );
        output::line(format!("{} {words}", paint("!", colour_of("blocked"))));
    }
}

/// What an agent uses of what is limited for it alone, when anything is.
fn print_limited(agent: &AgentView) {
    let of_budget = |entry: &&UseView| entry.limit.is_some() && !matches!(&*entry.what, "spawned" | "depth");
    let uses = agent.uses.iter().filter(of_budget);
    let uses: Vec<_> = uses.filter_map(ps::used_of).collect();
    if !uses.is_empty() {
        output::line(format!("{} uses: {}", agent.name, uses.join(", ")));
    }
}

/// `3 of 7 completed, 2 in_progress, 2 pending`
pub(crate) fn counts(tasks: &TaskCounts) -> String {
    let rest = [
        ("landing or in_review", tasks.in_review),
        ("in_progress", tasks.in_progress + tasks.claimed),
        ("ready", tasks.ready),
        ("pending", tasks.pending),
        ("blocked", tasks.blocked),
        ("failed", tasks.failed),
        ("cancelled", tasks.cancelled),
    ];
    let rest = rest
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!(", {n} {name}"));
    format!(
        "{} of {} completed{}",
        tasks.completed,
        tasks.total,
        rest.collect::<String>()
    )
}
