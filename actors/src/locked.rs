//! Taking a lock that is held for a few instructions only.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The value, for as long as the answer is kept. Whoever panics with such a lock has not left its value
/// half changed, so that poison means nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
