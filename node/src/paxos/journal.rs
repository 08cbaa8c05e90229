//! The core's view of the log: what it has asked to be written, and how far that is safe.

use super::{Lsn, Record};

/// Numbers records as the core produces them and remembers how far the disk has confirmed.
#[derive(Debug)]
pub(crate) struct Journal {
    pending: Vec<Record>,
    written: Lsn,
    durable: Lsn,
    /// Roughly how many bytes the log has grown by since the last checkpoint.
    bytes: u64,
}

impl Journal {
    /// Continues after the record `last`; all up to there are durable.
    pub(crate) fn new(last: Lsn) -> Journal {
        Journal { pending: Vec::new(), written: last, durable: last, bytes: 0 }
    }

    /// A record of an earlier life, for the count of bytes.
    pub(crate) fn recover(&mut self, record: &Record) {
        self.count(record);
    }

    /// Whatever was written up to here is the last checkpoint and what it says again: that it takes
    /// so many bytes is no reason for another.
    pub(crate) fn is_checkpoint(&mut self) {
        self.bytes = 0;
    }

    /// Roughly how many bytes the log has grown by since its last checkpoint.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn count(&mut self, record: &Record) {
        /// About what each record costs besides its value.
        const RECORD_BYTES: u64 = 24;
        let value = match record {
            Record::Accepted { value, .. } | Record::Learned { value, .. } => value.len() as u64,
            Record::Checkpoint { .. } => {
                self.bytes = 0;
                return;
            }
            Record::Kept { .. } => return,
            Record::Pledged(configuration) | Record::Founded(configuration) => {
                configuration.encoded_len() as u64
            }
            Record::BallotUsed(_) | Record::Promised(_) | Record::ChosenUpto(_) => 0,
        };
        self.bytes += RECORD_BYTES + value;
    }

    /// Appends a record; what reveals it must wait for the number returned.
    pub(crate) fn append(&mut self, record: Record) -> Lsn {
        self.count(&record);
        self.pending.push(record);
        self.written = Lsn(self.written.0 + 1);
        self.written
    }

    /// The disk is safe up to `lsn`.
    pub(crate) fn confirm(&mut self, lsn: Lsn) {
        assert!(lsn <= self.written, "the disk confirmed {lsn:?}, but only {:?} was written", self.written);
        self.durable = self.durable.max(lsn);
    }

    pub(crate) fn written(&self) -> Lsn {
        self.written
    }

    pub(crate) fn durable(&self) -> Lsn {
        self.durable
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.pending)
    }
}
