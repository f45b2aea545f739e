//! Two streams of events become one.

use std::iter::Peekable;

use crate::{event::Record, hlc::Hlc};

/// A stream is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A stream went back.
    #[error("event {at} came after event {after} in one stream; a stream of events runs forwards")]
    OutOfOrder {
        /// What came.
        at: Hlc,
        /// After what.
        after: Hlc,
    },
    /// One stamp, two events: somebody gave a stamp twice, or changed an event.
    #[error("the two streams have different events at {at}; one of them was changed, or its node was copied")]
    Forked {
        /// The stamp.
        at: Hlc,
    },
}

/// Both streams in one, in the order of stamps, what is in both of them once. Each has to be in
/// order itself. Ends at the first error.
pub fn merge_streams<A, B>(a: A, b: B) -> impl Iterator<Item = Result<Record, StreamError>>
where
    A: IntoIterator<Item = Record>,
    B: IntoIterator<Item = Record>,
{
    Merged {
        a: a.into_iter().peekable(),
        b: b.into_iter().peekable(),
        last: None,
        over: false,
    }
}

struct Merged<A: Iterator, B: Iterator> {
    a: Peekable<A>,
    b: Peekable<B>,
    last: Option<Hlc>,
    over: bool,
}

impl<A, B> Merged<A, B>
where
    A: Iterator<Item = Record>,
    B: Iterator<Item = Record>,
{
    fn take(&mut self) -> Option<Result<Record, StreamError>> {
        let from_a = match (self.a.peek(), self.b.peek()) {
            (Some(a), Some(b)) if a.at == b.at => {
                if a != b {
                    return Some(Err(StreamError::Forked { at: a.at }));
                }
                self.b.next();
                true
            }
            (Some(a), Some(b)) => a.at < b.at,
            (one, _) => one.is_some(),
        };
        let record = if from_a { self.a.next() } else { self.b.next() }?;
        match self.last.replace(record.at) {
            Some(after) if after >= record.at => Some(Err(StreamError::OutOfOrder { at: record.at, after })),
            _ => Some(Ok(record)),
        }
    }
}

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = Record>,
    B: Iterator<Item = Record>,
{
    type Item = Result<Record, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.take();
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}
