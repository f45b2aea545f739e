//! Processes that this daemon did not start: an earlier one did, and noted who they are.

use std::{io, time::Duration};

use tokio::time::{Instant, sleep_until};

use worknode_core::run::ProcessIdentity;

use crate::{
    group::{Group, GroupId},
    identity::{Look, vanished},
    procfs::Stat,
    report::StopReport,
    stop::{bring_down, instant_after},
    watch::{Held, open_pidfd},
};

/// Stops the process `id`, with its group when it leads one: TERM, then KILL after `grace`.
///
/// Succeeds when it is already gone. Then its group is left alone, since nothing proves any more
/// whose it is; look for the rest with [`find_marked`](crate::find_marked).
///
/// Nothing is signalled when it cannot be established that this is the process meant; the
/// report then holds the doubt. A process that leads no group is stopped alone.
pub async fn stop_identity(id: &ProcessIdentity, grace: Duration) -> StopReport {
    if id.pid == std::process::id() {
        return StopReport::in_doubt("this is the process that was asked to stop it");
    }
    match hold(id) {
        Ok(Some(mut group)) => {
            let deadline = instant_after(Instant::now(), grace);
            bring_down(&mut group, !grace.is_zero(), sleep_until(deadline)).await
        }
        Ok(None) => StopReport::nothing_to_stop(),
        Err(error) => StopReport::in_doubt(format!("process {} cannot be identified: {error}", id.pid)),
    }
}

/// Takes hold of the process, and only then checks that it is the one meant: the check is about
/// the process that is held, whatever becomes of the number.
fn hold(id: &ProcessIdentity) -> io::Result<Option<Group>> {
    let fd = match open_pidfd(id.pid) {
        Ok(fd) => fd,
        Err(error) if vanished(&error) => return Ok(None),
        // Perhaps the number is of no process any more; the look below says so.
        Err(error) => return id.look()?.map_or(Ok(None), |_| Err(error)),
    };
    let Some(stat) = id.look()? else {
        return Ok(None);
    };
    let held = Held::new(&stat, fd)?;
    // Never the group of this process, even when the process meant leads it.
    let ours = Stat::read(std::process::id())?.group;
    let leads = GroupId::new(stat.group).filter(|_| stat.group == stat.pid && stat.group != ours);
    Ok(Some(match leads {
        Some(group) => Group::of_leader(group, held),
        None => Group::of_one(held),
    }))
}
