//! An event of the user's own, through the team's membrane.

use std::sync::Arc;

use worknode_core::{
    command::Command,
    error::Error,
    event::{Event, Principal},
};
use worknode_journal::EventFilter;
use worknode_policies::authority::Authority;
use worknode_triggers::spec::EmitSpec;

use super::text::filled;
use crate::{
    membrane::Reply,
    scheduler::job::{Came, Job},
    system::System,
};

/// Emits it, unless an earlier daemon came as far as that.
pub(super) async fn event(system: &System, job: &Job, spec: &EmitSpec) -> Result<Came, Error> {
    let done = || Came::Done(format!("emitted {}", spec.event));
    if job.again && has_emitted(system, job)? {
        return Ok(done());
    }
    let data = spec.data.iter().flatten();
    let data = data.map(|(key, text)| (key.clone(), filled(system, job, text).into()));
    let emit = Command::Emit {
        name: spec.event.clone(),
        version: 1,
        data: data.collect(),
    };
    let authority = Arc::new(Authority::whole(Principal::Trigger {
        name: job.trigger.name().to_owned(),
    }));
    let reply = system
        .ask(&authority, system.team().node(), emit, Some(job.fired))
        .await?;
    Ok(match reply {
        Reply::Done { .. } | Reply::Conflated => done(),
        Reply::PutAside { letter, reason } => {
            Came::Failed(format!("the event is kept as dead letter {letter}: {reason}"))
        }
    })
}

/// Is there an event that this firing led to?
fn has_emitted(system: &System, job: &Job) -> Result<bool, Error> {
    let mut filter = EventFilter {
        node: Some(system.team().node()),
        after: job.fired,
        ..EventFilter::default()
    };
    loop {
        let page = system.reader().events(&filter)?;
        let Some(last) = page.last() else { return Ok(false) };
        filter.after = last.at;
        let ours = page.iter().any(|record| {
            let is_event = matches!(record.event, Event::Emitted { .. } | Event::DeadLettered { .. });
            is_event && record.cause == Some(job.fired)
        });
        if ours {
            return Ok(true);
        }
    }
}
