//! Whole clusters in virtual time: the same core, service and log as the real node, around them a
//! simulated network, disks, clocks and clients, and one seed from which everything follows.
//!
//! "Asynchronous: messages are delayed, duplicated, lost, reordered; nodes stop and come back with
//! what their disk holds." A test on real machines sees a few such days; here a thousand go by in
//! seconds, and any of them can be had again, event by event.
//!
//! Read [`World`] first: it is a cluster and the physics around it. [`simulate`] puts clients into
//! it and a schedule of faults over it, checks every invariant of [`crate::paxos::invariants`]
//! after every event, heals everything, demands progress, and judges what the clients were told.
//! [`Setup::draw`] says what a seed means.
//!
//! [`walk`] is the other half: replicas alone, without time, and an adversary that picks what
//! happens next. Shorter and stranger, and a million steps go by in a second.
//!
//! What is real: the protocol, the service, the state machine, the log's format, writing and
//! recovery, and in some seeds the wire's codec. What is not: sockets, threads, the file system.
//! The group commit and the holding back of messages are the shell's duties, done here the same
//! way: see `machine.rs`.

mod clients;
mod clock;
mod conditions;
mod dice;
mod disk;
mod fault;
mod history;
mod machine;
mod model;
mod network;
mod operator;
mod oracle;
mod run;
mod schedule;
mod setup;
mod trace;
mod walk;
mod world;

pub use clients::{CLIENT_ALARMS, Clients, Habits};
pub use clock::Time;
pub use conditions::Conditions;
pub use dice::{Dice, Ppm};
pub use disk::SimDisk;
pub use fault::Fault;
pub use history::{Call, History, Told};
pub use model::Model;
pub use network::{Carriage, Postman, Weather};
pub use oracle::{judge_by_log, judge_lists};
pub use run::{Failure, Summary, simulate, simulate_setup, simulate_traced, simulate_with_event_traces};
pub use schedule::{FaultKind, Plan};
pub use setup::Setup;
pub use trace::Trace;
pub use walk::{walk, walk_traced};
pub use world::{Happening, World};
