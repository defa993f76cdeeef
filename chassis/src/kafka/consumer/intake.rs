//! What a worker has taken of its partition, and not yet begun.
//!
//! Invariant: every record that is taken is worked on or given up with the
//! assignment. An offset that is behind those before it is no exception: librdkafka
//! gives each record once, so the partition has begun again, because its log was cut
//! (an unclean election) or its topic made anew. Then nothing more is taken until all
//! before it is settled, and the ledger begins again, too.

use super::ledger::Ledger;
use crate::kafka::Record;

/// Bytes of a partition's unsettled records from which on no more are taken.
/// Records are counted as well; this bounds large ones.
const MAX_OPEN_BYTES: usize = 8 * 1024 * 1024;

/// Records that wait for a batch, and the ledger of all that are not settled.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) ledger: Ledger,
    waiting: Vec<Record>,
    batch_max: usize,
    /// Where the partition began again.
    again: Option<Record>,
}

impl Intake {
    pub(super) fn new(batch_max: usize) -> Self {
        Self {
            ledger: Ledger::default(),
            waiting: Vec::new(),
            batch_max,
            again: None,
        }
    }

    /// Takes a record; says whether the next may be taken, too.
    pub(super) fn take(&mut self, record: Record) -> bool {
        if self.ledger.deliver(record.offset(), record.size()) {
            self.waiting.push(record);
        } else {
            self.again = Some(record);
        }
        !self.is_full()
    }

    /// Whether no more may be taken for now.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.batch_max || !self.has_room() || self.again.is_some()
    }

    /// Whether records are open in moderate size.
    pub(super) fn has_room(&self) -> bool {
        self.ledger.open_bytes() < MAX_OPEN_BYTES
    }

    /// What waits for a batch.
    pub(super) fn waiting(&self) -> &[Record] {
        &self.waiting
    }

    /// A batch of all that waits.
    pub(super) fn batch(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.waiting)
    }

    /// Begins again where the partition did, once all before it is settled; says at
    /// which offset.
    pub(super) fn begin_again(&mut self) -> Option<i64> {
        let record = self.again.take_if(|_| self.ledger.open() == 0)?;
        self.ledger = Ledger::default();
        let offset = record.offset();
        self.take(record);
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Content;

    fn record(offset: i64) -> Record {
        Record::new("orders.v1", 0, offset, 0, Content::default())
    }

    fn offsets(records: &[Record]) -> Vec<i64> {
        records.iter().map(Record::offset).collect()
    }

    #[test]
    fn a_batch_is_all_that_waits_and_no_more_than_it_may_hold() {
        let mut intake = Intake::new(3);
        assert!(intake.take(record(4)) && intake.take(record(6)));
        assert!(!intake.is_full());
        assert!(!intake.take(record(7)));
        assert_eq!(offsets(&intake.batch()), [4, 6, 7]);
        assert!(!intake.is_full() && intake.waiting().is_empty());
    }

    #[test]
    fn a_partition_that_begins_again_is_read_again_after_what_was_before() {
        let mut intake = Intake::new(10);
        assert!(intake.take(record(998)) && intake.take(record(999)));
        assert!(!intake.take(record(0)), "nothing is taken meanwhile");
        assert!(intake.is_full());
        assert_eq!(intake.begin_again(), None, "two are not settled");
        assert_eq!(offsets(&intake.batch()), [998, 999]);
        assert_eq!(intake.begin_again(), None, "two are not settled");
        assert_eq!(intake.ledger.finish(998, 999), Some(1_000));
        assert_eq!(intake.begin_again(), Some(0));
        assert!(intake.take(record(1)));
        assert_eq!(offsets(&intake.batch()), [0, 1]);
        assert_eq!(intake.ledger.finish(0, 1), Some(2));
        assert_eq!(intake.begin_again(), None);
    }
}
