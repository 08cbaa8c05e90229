pub mod consistency;
pub(crate) mod cycles;
pub(crate) mod graph;
pub(crate) mod inferred;
pub(crate) mod list_append;
pub(crate) mod rw_register;
pub(crate) mod time;
pub(crate) mod txn;
