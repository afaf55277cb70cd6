//! The one way a lock is taken in this crate.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a thread panicked while it held the lock: what the locks here protect is never left half-changed
/// by code that can panic, and one failed request must not end the service for everyone.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
