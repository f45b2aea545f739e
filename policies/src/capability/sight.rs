//! Tokens that were seen before: their signatures are not checked again.
//!
//! What is remembered is the outcome for exactly these bytes and this ring of keys; whether the
//! token counts now is asked each time. Only good tokens are remembered, so that nobody fills the
//! memory with rubbish, and only so many.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{LENGTH, Refusal, Ring, chain};
use crate::signing::{Message, digest};

/// Tokens that are remembered.
pub const MOST: usize = 4_096;

/// What was seen, with the keys of which it was seen.
#[derive(Debug)]
pub struct Sight {
    ring: Ring,
    known: HashMap<String, Arc<chain::Opened>>,
    /// The oldest first.
    order: VecDeque<String>,
    most: usize,
}

impl Sight {
    /// Nothing seen so far.
    #[must_use]
    pub fn new(ring: Ring) -> Self {
        Self::holding(ring, MOST)
    }

    /// The same with room for so many.
    #[must_use]
    pub fn holding(ring: Ring, most: usize) -> Self {
        Self {
            ring,
            known: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// The keys of which it is.
    #[must_use]
    pub const fn ring(&self) -> &Ring {
        &self.ring
    }

    /// From now on with other keys: what was seen is forgotten.
    pub fn turn(&mut self, ring: Ring) {
        *self = Self::holding(ring, self.most);
    }

    /// As [`chain::open`].
    ///
    /// # Errors
    /// As [`chain::open`].
    pub fn open(&mut self, token: &str) -> Result<Arc<chain::Opened>, Refusal> {
        if token.len() > LENGTH {
            return Err(Refusal::TooLong);
        }
        let name = digest(&Message::of("worknode capability sight").bytes(token.as_bytes()));
        if let Some(opened) = self.known.get(&name) {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(chain::open(token, &self.ring)?);
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        if self.most > 0 {
            self.order.push_back(name.clone());
            self.known.insert(name, Arc::clone(&opened));
        }
        Ok(opened)
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Is nothing remembered?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
