//! Transactions that write several registers and read them.
//!
//! The same question as `list-append` of what most systems store: values that replace each other. A
//! read tells less here, but writes that come from reading, and real time, order most of it.

use crate::Kind;
use crate::transactions::Transactions;
use checker::transactions::RwRegister;

pub(crate) const KIND: Kind = Kind {
    name: "rw-register",
    proves: "transactions over several registers happen one after the other, in real-time order",
    ops_per_key: 100,
    generator: |shape| Box::new(Transactions::new(shape, "w")),
    check: || Box::new(RwRegister::default()),
};
