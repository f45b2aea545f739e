//! One page of events, looked for or waited for.

use std::time::Duration;

use worknode_core::{error::Error, event::Record};
use worknode_journal::{EventFilter, ReadError};

use super::{super::Api, BATCH, Lens, matches};
use crate::view::events::Scan;

/// The longest that a page is waited for: proxies give up a little later.
const LONGEST: Duration = Duration::from_secs(60);
/// Events looked at for one page, once there is something on it.
const SCANNED: usize = 20_000;

/// One page, the oldest first. When there is nothing on it, what comes next within `wait`.
///
/// # Errors
/// When the store cannot be read.
pub(in crate::http) async fn page(
    api: &Api,
    filter: EventFilter,
    lens: &Lens,
    wait: Option<Duration>,
) -> Result<Vec<Record>, Error> {
    // Whatever is there by now is looked at first, and not again while we wait.
    let there = api.runtime.system().journal().last_stamp();
    let mut records = if lens.is_clear() {
        let wanted = filter.clone();
        api.reader().ask(move |reader| reader.events(&wanted)).await?
    } else {
        seen(api, &filter, lens).await?
    };
    if filter.newest_first {
        records.reverse();
    }
    match wait {
        Some(wait) if records.is_empty() => {
            let onward = EventFilter {
                after: filter.after.max(there),
                ..filter
            };
            waited(api, &onward, lens, wait).await
        }
        _ => Ok(records),
    }
}

/// One page of what is seen. The type of an event outside may be another one than inside, so that
/// types are looked at last. Only an empty page is the end, so one is looked for until there is
/// something, or nothing more.
async fn seen(api: &Api, filter: &EventFilter, lens: &Lens) -> Result<Vec<Record>, Error> {
    let mut scan = Scan::of(EventFilter {
        types: Vec::new(),
        ..filter.clone()
    });
    let (mut found, mut scanned) = (Vec::new(), 0);
    loop {
        let wanted = scan.next().clone();
        let read = api.reader().ask(move |reader| reader.events(&wanted)).await?;
        let page = scan.passed(read);
        if page.is_empty() {
            return Ok(found);
        }
        scanned += page.len();
        let visible = page.iter().filter_map(|record| lens.see(record));
        let left = filter.limit.saturating_sub(found.len());
        found.extend(visible.filter(|record| matches(filter, record)).take(left));
        if found.len() >= filter.limit || (!found.is_empty() && scanned >= SCANNED) {
            return Ok(found);
        }
    }
}

/// What comes next, for those who follow no stream: as soon as there is something, or nothing once
/// the time is over.
async fn waited(api: &Api, filter: &EventFilter, lens: &Lens, wait: Duration) -> Result<Vec<Record>, Error> {
    let mut follower = api.runtime.system().journal().follow(filter.after);
    let mut stop = api.stop.subscribe();
    let looked = async {
        loop {
            let records = tokio::select! {
                records = follower.next(BATCH) => records?,
                // Whoever waits must not hold up a graceful stop.
                _ = stop.wait_for(Option::is_some) => return Ok(Vec::new()),
            };
            let seen = records.iter().filter_map(|record| lens.see(record));
            let found: Vec<_> = seen
                .filter(|record| matches(filter, record))
                .take(filter.limit)
                .collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
    };
    let found: Result<_, ReadError> = match tokio::time::timeout(wait.min(LONGEST), looked).await {
        Ok(found) => found,
        Err(_) => Ok(Vec::new()),
    };
    Ok(found?)
}
