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
    ring: Arc<Ring>,
    known: HashMap<String, Arc<chain::Opened>>,
    /// The oldest first.
    order: VecDeque<String>,
    most: usize,
}

/// What a look at a token comes to.
#[derive(Debug)]
pub enum Look {
    /// It was opened before.
    Known(Arc<chain::Opened>),
    /// Its signatures are to be checked; that takes its time, and so is not done here, where others
    /// wait to look.
    New(Unseen),
}

/// A token that is not remembered.
#[derive(Debug)]
pub struct Unseen {
    name: String,
    ring: Arc<Ring>,
}

impl Unseen {
    /// As [`chain::open`], with the keys that counted at the look.
    ///
    /// # Errors
    /// As [`chain::open`].
    pub fn open(&self, token: &str) -> Result<Arc<chain::Opened>, Refusal> {
        chain::open(token, &self.ring).map(Arc::new)
    }
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
            ring: Arc::new(ring),
            known: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// The keys of which it is.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// From now on with other keys: what was seen is forgotten.
    pub fn turn(&mut self, ring: Ring) {
        *self = Self::holding(ring, self.most);
    }

    /// What is remembered of a token, or what it takes to open it.
    ///
    /// # Errors
    /// [`Refusal::TooLong`]
    pub fn look(&self, token: &str) -> Result<Look, Refusal> {
        if token.len() > LENGTH {
            return Err(Refusal::TooLong);
        }
        let name = digest(&Message::of("worknode capability sight").bytes(token.as_bytes()));
        Ok(match self.known.get(&name) {
            Some(opened) => Look::Known(Arc::clone(opened)),
            None => Look::New(Unseen {
                name,
                ring: Arc::clone(&self.ring),
            }),
        })
    }

    /// Remembers a token that was opened, unless the keys are other ones meanwhile.
    pub fn remember(&mut self, unseen: Unseen, opened: &Arc<chain::Opened>) {
        if !Arc::ptr_eq(&unseen.ring, &self.ring) || self.most == 0 {
            return;
        }
        if self
            .known
            .insert(unseen.name.clone(), Arc::clone(opened))
            .is_some()
        {
            return;
        }
        self.order.push_back(unseen.name);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Looks, opens and remembers, for whoever is alone with it.
    ///
    /// # Errors
    /// As [`chain::open`].
    pub fn open(&mut self, token: &str) -> Result<Arc<chain::Opened>, Refusal> {
        match self.look(token)? {
            Look::Known(opened) => Ok(opened),
            Look::New(unseen) => {
                let opened = unseen.open(token)?;
                self.remember(unseen, &opened);
                Ok(opened)
            }
        }
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
