//! The simulated provider's books, in a file: what tests count charges by.
//!
//! Invariant: a line is a charge, and a key has one line, over restarts and
//! between processes that share the file. Each booking holds the file's lock,
//! reads what others wrote since, and only then writes, as one append.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    sync::Mutex,
};

use chassis::lock::locked;
use proto::{event::PaymentResult, events::v1::DeclineCode, id::PaymentId, money::Money};

use super::ledger::Entry;

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read, locked or written.
    #[error("the journal {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A line is not `order_id amount currency outcome`.
    #[error("the journal {}: not a charge: {line:?}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: String,
    },
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    file: File,
    /// How far the file is read.
    read: u64,
    /// Every charge; a journal is for tests, which do not make too many.
    entries: HashMap<PaymentId, Entry>,
}

impl Journal {
    /// Opens or makes the file and reads it.
    pub(super) fn open(path: PathBuf) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path);
        let file = file.map_err(|source| JournalError::File {
            path: path.clone(),
            source,
        })?;
        let books = Books {
            file,
            read: 0,
            entries: HashMap::new(),
        };
        let journal = Self {
            path,
            books: Mutex::new(books),
        };
        journal.locked(|_| Ok(()))?;
        Ok(journal)
    }

    /// Books a charge unless its key has one, in this process or another. Blocks.
    pub(super) fn book(&self, key: PaymentId, entry: Entry) -> Result<Entry, JournalError> {
        self.locked(|books| {
            if let Some(there) = books.entries.get(&key) {
                return Ok(*there);
            }
            let line = to_line(&entry);
            books.file.write_all(line.as_bytes())?;
            books.read += line.len() as u64;
            books.entries.insert(key, entry);
            Ok(entry)
        })
    }

    /// Works on the books with the file's lock held and all of it read.
    fn locked<T>(&self, work: impl FnOnce(&mut Books) -> io::Result<T>) -> Result<T, JournalError> {
        let failed = |source| JournalError::File {
            path: self.path.clone(),
            source,
        };
        // A panic elsewhere leaves the books behind the file, never ahead of it.
        let mut books = locked(&self.books);
        books.file.lock().map_err(failed)?;
        let result = match books.catch_up() {
            Ok(None) => work(&mut books).map_err(failed),
            Ok(Some(line)) => Err(JournalError::Line {
                path: self.path.clone(),
                line,
            }),
            Err(source) => Err(failed(source)),
        };
        books.file.unlock().map_err(failed)?;
        result
    }
}

impl Books {
    /// Reads what was written since; gives back a line that is no charge.
    fn catch_up(&mut self) -> io::Result<Option<String>> {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(self.read))?;
        self.file.read_to_string(&mut text)?;
        for line in text.lines() {
            let Some(entry) = from_line(line) else {
                return Ok(Some(line.to_owned()));
            };
            // A key's first line counts, and an order has one key.
            self.entries
                .entry(PaymentId::of(entry.order_id))
                .or_insert(entry);
        }
        self.read += text.len() as u64;
        Ok(None)
    }
}

fn to_line(entry: &Entry) -> String {
    let outcome = match entry.result {
        PaymentResult::Captured => "captured",
        PaymentResult::Declined(code) => code.as_str_name(),
    };
    let Money { minor, currency } = entry.amount;
    format!("{} {minor} {currency} {outcome}\n", entry.order_id)
}

fn from_line(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let entry = Entry {
        order_id: words.next()?.parse().ok()?,
        amount: Money::new(words.next()?.parse().ok()?, words.next()?.parse().ok()?),
        result: match words.next()? {
            "captured" => PaymentResult::Captured,
            code => PaymentResult::Declined(DeclineCode::from_str_name(code)?),
        },
    };
    words.next().is_none().then_some(entry)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proto::{id::OrderId, money::Currency};

    use super::*;

    fn entry(result: PaymentResult) -> Entry {
        Entry {
            order_id: OrderId::random(),
            amount: Money::new(999, Currency::USD),
            result,
        }
    }

    #[test]
    fn a_charge_is_known_after_a_restart_with_its_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let declined = entry(PaymentResult::Declined(DeclineCode::ExpiredCard));
        let key = PaymentId::of(declined.order_id);
        Journal::open(path.clone())
            .unwrap()
            .book(key, declined)
            .unwrap();

        let later = Journal::open(path.clone()).unwrap();
        let other = Entry {
            result: PaymentResult::Captured,
            ..declined
        };
        assert_eq!(later.book(key, other).unwrap(), declined);
        let expected = format!("{} 999 USD DECLINE_CODE_EXPIRED_CARD\n", declined.order_id);
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    }

    #[test]
    fn processes_that_share_the_file_make_one_charge_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let entries: Vec<_> = (0..50).map(|_| entry(PaymentResult::Captured)).collect();
        thread::scope(|scope| {
            for _ in 0..4 {
                // A lock belongs to an open file, so this is like four processes.
                let journal = Journal::open(path.clone()).unwrap();
                let entries = &entries;
                scope.spawn(move || {
                    for entry in entries {
                        journal.book(PaymentId::of(entry.order_id), *entry).unwrap();
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 50);
    }

    #[test]
    fn another_key_for_the_same_order_is_another_charge() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(path.clone()).unwrap();
        let entry = entry(PaymentResult::Captured);
        for _ in 0..2 {
            journal
                .book(PaymentId::of(OrderId::random()), entry)
                .unwrap();
        }
        let lines = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            lines.lines().count(),
            2,
            "a broken key must show in the count"
        );
    }

    #[test]
    fn a_file_that_is_no_journal_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        for line in [
            "hello",
            "x 1 USD captured",
            "",
            &format!("{} 1 USD maybe", OrderId::random()),
        ] {
            std::fs::write(&path, format!("{line}\n")).unwrap();
            let refused = Journal::open(path.clone());
            assert!(
                matches!(refused, Err(JournalError::Line { .. })),
                "{line:?}"
            );
        }
    }
}
