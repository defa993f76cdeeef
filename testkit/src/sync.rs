//! Locks around plain data.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data is whole even if a holder panicked, because every
/// holder in this crate changes it in one step. A panic is the test's failure;
/// it must not become that of the next test or of the tear-down.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
