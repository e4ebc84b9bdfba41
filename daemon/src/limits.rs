//! How much one caller may have in hand at once.
//!
//! A call counts from the moment it is read until it is answered. Everything counted here is given
//! back by dropping it, so memory returns to where it was. Jobs have their own limit in `jobs`.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Unanswered calls of one connection.
pub const MAX_CALLS_PER_CONNECTION: usize = 8;
/// Unanswered calls of one user.
pub const MAX_CALLS_PER_UID: usize = 16;

/// Too many calls are unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls of this caller are unanswered: wait for the answers")]
pub struct TooMany;

/// Counts what is in use by key, up to a maximum.
#[derive(Debug)]
pub struct Quota<K> {
    max: usize,
    used: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq + Clone> Quota<K> {
    /// At most `max` per key.
    pub fn new(max: usize) -> Quota<K> {
        Quota {
            max,
            used: Arc::default(),
        }
    }

    /// Takes one; dropping it gives it back.
    ///
    /// # Errors
    /// [`TooMany`] if the key has its maximum.
    pub fn take(&self, key: K) -> Result<Slot<K>, TooMany> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let count = used.get(&key).copied().unwrap_or(0);
        if count >= self.max {
            return Err(TooMany);
        }
        used.insert(key.clone(), count + 1);
        Ok(Slot {
            key,
            used: self.used.clone(),
        })
    }
}

/// One unit of a quota, until dropped.
#[derive(Debug)]
pub struct Slot<K: Hash + Eq> {
    key: K,
    used: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match used.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                used.remove(&self.key);
            }
        }
        if used.is_empty() {
            used.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_per_key_and_given_back() {
        let quota = Quota::new(2);
        let held = (quota.take(1).unwrap(), quota.take(1).unwrap());
        assert_eq!(quota.take(1).unwrap_err(), TooMany);
        assert!(quota.take(2).is_ok());
        drop(held);
        assert!(quota.take(1).is_ok());
        assert_eq!(quota.used.lock().unwrap().capacity(), 0);
    }
}
