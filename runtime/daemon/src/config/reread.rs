//! The configuration read anew, for a daemon that runs: triggers with mistakes are left out, so
//! that the others can be used.

use super::{ConfigErrors, KEPT, LeaveOut, LeftOut, Loaded, Mistake, Sources, load_without};

/// How often what has mistakes is left out and the rest looked at again. What is left out may be
/// what something else leans on, which then is a mistake of its own.
const ROUNDS: usize = 8;

/// What came of reading the configuration anew.
#[derive(Clone, Debug)]
pub struct Reread {
    /// What can be used: everything but what was left out. `None` when nothing can be.
    pub loaded: Option<Box<Loaded>>,
    /// Every mistake.
    pub mistakes: Vec<Mistake>,
    /// How many there are beyond.
    pub more: usize,
    /// The triggers that were left out because of mistakes.
    pub left_out: Vec<LeftOut>,
}

/// Reads the configuration, and leaves out triggers with mistakes. Waits for the disk and for
/// nothing else.
#[must_use]
pub fn reread(sources: &Sources) -> Reread {
    let mut out = LeaveOut::default();
    let mut all = ConfigErrors {
        mistakes: Vec::new(),
        left_out: 0,
    };
    for _ in 0..ROUNDS {
        match load_without(sources, &out) {
            Ok((loaded, left_out)) => {
                return Reread {
                    loaded: Some(Box::new(loaded)),
                    mistakes: all.mistakes,
                    more: all.left_out,
                    left_out,
                };
            }
            Err(mut errors) => {
                let goes_on = out.add(&mut errors);
                join(&mut all, errors);
                if !goes_on {
                    break;
                }
            }
        }
    }
    Reread {
        loaded: None,
        mistakes: all.mistakes,
        more: all.left_out,
        left_out: Vec::new(),
    }
}

fn join(all: &mut ConfigErrors, more: ConfigErrors) {
    all.mistakes.extend(more.mistakes);
    all.mistakes.sort();
    all.mistakes.dedup();
    all.left_out += more.left_out + all.mistakes.len().saturating_sub(KEPT);
    all.mistakes.truncate(KEPT);
}
