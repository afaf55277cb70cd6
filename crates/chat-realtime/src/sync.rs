//! The locks and atomics of this crate, and how a lock is taken.
//!
//! Modules take them from here and not from `std`, so that the test binary `shuttle` can compile the same modules over
//! the types of a scheduler that tries many interleavings.

pub(crate) use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};

/// Locks, also after a thread panicked while it held the lock: what the locks here protect is never left half-changed
/// by code that can panic, and one failed request must not stop the node.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
