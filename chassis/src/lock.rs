//! Locks around plain data.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, also when somebody panicked who held it.
///
/// For data that every holder leaves whole at each step, so that a panic does it no harm
/// and need not become everybody's.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
