//! The locks and atomics of the crate as the scheduler provides them; the counterpart of `src/sync.rs`.

use std::sync::PoisonError;

pub(crate) use shuttle::sync::Mutex;
use shuttle::sync::MutexGuard;
pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};

/// Locks, as the crate does.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
