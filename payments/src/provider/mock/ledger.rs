//! What the simulated provider has charged.
//!
//! Invariant: there is one entry a key, and [`Ledger::book`] returns it, whoever
//! made it. Looking and booking are one step, so calls at the same time cannot
//! both charge.

use std::{
    collections::{HashMap, VecDeque, hash_map},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use chassis::lock::locked;
use proto::{
    event::PaymentResult,
    id::{OrderId, PaymentId},
    money::Money,
};

use super::{
    ChargeError,
    journal::{Journal, JournalError},
};

/// Keys kept without a journal: some 10 MB. At a thousand orders a second that
/// is longer than the loop's attempts take, and it is a mock.
const RECENT: usize = 100_000;

/// A charge that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) order_id: OrderId,
    pub(super) amount: Money,
    pub(super) result: PaymentResult,
}

#[derive(Debug)]
pub(super) enum Ledger {
    Memory(Mutex<Recent>),
    Journal(Arc<Journal>),
}

impl Ledger {
    pub(super) fn new(journal: Option<PathBuf>) -> Result<Self, JournalError> {
        Ok(match journal {
            None => Self::Memory(Mutex::new(Recent::keeping(RECENT))),
            Some(path) => Self::Journal(Arc::new(Journal::open(path)?)),
        })
    }

    /// Books a charge unless its key has one.
    pub(super) async fn book(&self, key: PaymentId, entry: Entry) -> Result<Entry, ChargeError> {
        match self {
            Self::Memory(recent) => Ok(locked(recent).book(key, entry)),
            Self::Journal(journal) => {
                let journal = Arc::clone(journal);
                // Waits for other processes at the file. No lock is held over
                // the await: a charge that nobody polls must stop no other.
                tokio::task::spawn_blocking(move || journal.book(key, entry))
                    .await
                    .map_err(|error| ChargeError::Unavailable(error.to_string()))?
                    .map_err(|error| ChargeError::Unavailable(error.to_string()))
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Memory(recent) => recent.lock().unwrap().entries.len(),
            Self::Journal(_) => unreachable!("tests of the journal read its file"),
        }
    }
}

/// The latest entries, the oldest of which are forgotten.
#[derive(Debug)]
pub(super) struct Recent {
    entries: HashMap<PaymentId, Entry>,
    by_age: VecDeque<PaymentId>,
    keeping: usize,
}

impl Recent {
    fn keeping(keeping: usize) -> Self {
        Self {
            entries: HashMap::new(),
            by_age: VecDeque::new(),
            keeping,
        }
    }

    fn book(&mut self, key: PaymentId, entry: Entry) -> Entry {
        match self.entries.entry(key) {
            hash_map::Entry::Occupied(there) => *there.get(),
            hash_map::Entry::Vacant(room) => {
                room.insert(entry);
                self.by_age.push_back(key);
                if self.by_age.len() > self.keeping
                    && let Some(oldest) = self.by_age.pop_front()
                {
                    self.entries.remove(&oldest);
                }
                entry
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::money::Currency;

    use super::*;

    #[test]
    fn the_oldest_keys_are_forgotten_first() {
        let mut recent = Recent::keeping(2);
        let entry = |minor| Entry {
            order_id: OrderId::random(),
            amount: Money::new(minor, Currency::USD),
            result: PaymentResult::Captured,
        };
        let keys: Vec<_> = (0..3).map(|_| PaymentId::of(OrderId::random())).collect();
        for key in &keys {
            recent.book(*key, entry(1));
        }
        assert_eq!(recent.book(keys[2], entry(2)).amount.minor, 1, "remembered");
        assert_eq!(recent.book(keys[1], entry(2)).amount.minor, 1, "remembered");
        assert_eq!(recent.book(keys[0], entry(2)).amount.minor, 2, "forgotten");
    }
}
