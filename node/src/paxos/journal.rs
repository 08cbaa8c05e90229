//! The core's view of the log: what it has asked to be written, and how far that is safe.

use super::{Lsn, Record};

/// Numbers records as the core produces them and remembers how far the disk has confirmed.
#[derive(Debug)]
pub(crate) struct Journal {
    pending: Vec<Record>,
    written: Lsn,
    durable: Lsn,
}

impl Journal {
    /// Continues after `recovered` records, all of them durable.
    pub(crate) fn new(recovered: u64) -> Journal {
        Journal { pending: Vec::new(), written: Lsn(recovered), durable: Lsn(recovered) }
    }

    /// Appends a record; what reveals it must wait for the number returned.
    pub(crate) fn append(&mut self, record: Record) -> Lsn {
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
