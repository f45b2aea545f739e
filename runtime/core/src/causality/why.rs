//! Why something happened: its causes, one by one, back to the first.

use serde::{Deserialize, Serialize};

use super::{History, implied::implied};
use crate::{event::Record, hlc::Hlc};

/// Links of one chain at the most. A team's longest are a tenth of it.
pub const LINKS: usize = 100;

/// How a link of the chain was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is what was asked about.
    Asked,
    /// The event that it led to names it as its cause.
    Stated,
    /// It follows from what the event that it led to is: a run ends because it was stopped, a
    /// claim is taken because the task was ready.
    Implied,
}

/// One event of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Link {
    /// How it was found.
    pub how: How,
    /// What happened.
    pub record: Record,
}

/// How the chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// With an event that has no cause: somebody asked for it, a limit was reached, a time came.
    Origin,
    /// With an event whose cause is not stored here.
    Missing {
        /// The cause.
        cause: Hlc,
    },
    /// With an event that names a cause that is not before it. No clock gives such a stamp.
    Backwards {
        /// What it names.
        cause: Hlc,
    },
    /// There is more: [`LINKS`] are told.
    More,
}

/// The causes of an event: each link is the cause of the one before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Why {
    /// First what was asked about.
    pub links: Vec<Link>,
    /// How it ends.
    #[serde(flatten)]
    pub end: End,
}

/// Walks the causes of `asked`.
///
/// # Errors
/// When the history cannot be read.
pub fn why<H: History>(history: &H, asked: Record) -> Result<Why, H::Error> {
    let mut links = Vec::new();
    let mut next = Link {
        how: How::Asked,
        record: asked,
    };
    loop {
        if links.len() == LINKS {
            return Ok(Why {
                links,
                end: End::More,
            });
        }
        let found = step(history, &next.record)?;
        links.push(next);
        next = match found {
            Ok(link) => link,
            Err(end) => return Ok(Why { links, end }),
        };
    }
}

fn step<H: History>(history: &H, record: &Record) -> Result<Result<Link, End>, H::Error> {
    let link = |how, record| Ok(Ok(Link { how, record }));
    match record.cause {
        Some(cause) if cause >= record.at => Ok(Err(End::Backwards { cause })),
        Some(cause) => match history.event(cause)? {
            Some(found) => link(How::Stated, found),
            None => Ok(Err(End::Missing { cause })),
        },
        None => match implied(history, record)? {
            // A rule that looked ahead would make a circle.
            Some(found) if found.at < record.at => link(How::Implied, found),
            _ => Ok(Err(End::Origin)),
        },
    }
}
