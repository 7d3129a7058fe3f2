//! Locks that no panic makes useless: what they guard is whole between any two of its changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
