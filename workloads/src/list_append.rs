//! Transactions that append to several lists and read them.
//!
//! A list shows in which order its elements came, so that every read orders the transactions that it
//! saw; a transaction that comes before itself was not isolated. Finds what is wrong between keys,
//! where every key alone looks right: half a transaction seen, two that each missed the other.

use crate::Kind;
use crate::transactions::Transactions;
use checker::transactions::ListAppend;

pub(crate) const KIND: Kind = Kind {
    name: "list-append",
    proves: "transactions over several lists happen one after the other, in real-time order",
    ops_per_key: 100,
    generator: |shape| Box::new(Transactions::new(shape, "append")),
    check: || Box::new(ListAppend::default()),
};
