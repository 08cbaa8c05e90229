//! Multi-Paxos: how replicas agree on the order of commands, whatever the network and the power
//! supply do to them.
//!
//! # The problem
//!
//! A replicated state machine: every replica starts in the same state and executes the same
//! commands in the same order. What must be agreed is that order: which command stands in slot 1,
//! in slot 2, and so on. Messages may be lost, duplicated, delayed and reordered, not corrupted;
//! nodes may stop and come back with what their disk holds. 2t + 1 nodes tolerate t of them gone.
//! Agreement on one slot is one instance of Paxos (Lamport, *Paxos Made Simple*, 2001); sharing
//! phase 1 among all slots makes it Multi-Paxos.
//!
//! # Roles
//!
//! Three roles share one process, a [`Replica`]:
//!
//! - an **acceptor** remembers a promise and what it accepted. A value accepted by a majority in
//!   one ballot is **chosen**, whether or not anybody knows;
//! - a **proposer** that finished phase 1 of its [`Ballot`] is its **leader**;
//! - a **learner** knows of slots that they are chosen (**learned**) and hands them on in order,
//!   to be **applied**.
//!
//! # Phase 1, once for all slots
//!
//! "Easy to learn about values already accepted, hard to predict the future: control the future
//! by extracting a promise." A candidate takes a ballot above all it has seen, writes down that it
//! is used, and sends `Prepare`. An acceptor that has promised nothing higher promises to accept
//! nothing lower, *in any slot*, and reports what it holds from the candidate's first unknown slot
//! on: what it accepted with the ballot, and what it knows to be chosen, executed or not. (A
//! candidate may lag behind: were executed slots left out, it would fill them with no-ops. Real
//! systems had this bug.) Long answers come in chunks; an acceptor counts when its last one is in.
//!
//! # Take-over
//!
//! With the complete answers of a majority, the leader knows some slots to be chosen; for others
//! it has reports, for some nothing ("1–134, 138, …"). It proposes, in its own ballot: the value
//! of the highest ballot reported where there is one, a no-op in the gaps, and behind them one
//! no-op of its own, the *barrier*. From then on each command costs one round trip and one
//! parallel disk write.
//!
//! # Phase 2
//!
//! `Accept` carries value, slot and ballot; an acceptor takes it unless it promised higher, and
//! answers `Accepted` when that is on disk. A majority of answers in one ballot: chosen. The
//! leader spreads this with its next message as "everything up to slot s is chosen". A follower
//! may apply that to its own accepted value only if it accepted it in that same ballot; else it
//! asks for the value.
//!
//! # Disk before ACK
//!
//! "Replicas write to disk prior to sending ACK": the core never sends. Each [`Send`] carries the
//! log position that must be durable first. Promises, acceptances, refusals (which reveal a
//! promise) and a new ballot's `Prepare` wait; heartbeats and the leader's `Accept` reveal nothing
//! that is not yet safe, and don't.
//!
//! # Reads
//!
//! See `reads.rs`: a leader serves a read from its own state after a majority has confirmed, in
//! answer to a question asked *after* the read arrived, that nobody was promised a higher ballot,
//! and after the barrier is chosen and applied. Or, if that is wanted, for as long as a majority has
//! promised not to follow anybody else, and clocks keep to a bound: `lease.rs`.
//!
//! # Snapshots, and a log that ends at both ends
//!
//! Once a snapshot of the state after slot s is durable, the values up to s are needed no more:
//! not for a restart, which begins with the snapshot, and not for laggards, which fetch it. What
//! *is* needed of the old records is the acceptor's: its promise, and its votes above s. So the
//! records behind a [`Record::Checkpoint`] say those again, written when the snapshot is taken, and
//! the log is cut before that record once snapshot and record are both durable. Whichever comes
//! first at a crash: snapshot and log may overlap, and never leave a hole ([`LogContradiction`]).
//!
//! A promise over a trimmed range says so: everything up to there is chosen. A candidate that knows
//! less gives up and fetches the snapshot first. (It could lead from there on, since nobody's
//! promise leaves out anything above. But it could execute nothing before it had the state, and
//! whoever told it could lead better.) A proposal for a trimmed slot is voted for like any other if
//! its ballot is not below all that were chosen there: its value is then the one chosen (I9), and
//! a leader may need the vote. See `base.rs`; how a snapshot travels, [`crate::service`].
//!
//! # Members
//!
//! Who makes up the cluster is itself decided in the log: a configuration chosen in slot i governs the
//! slots from i + α on, and every slot is voted on by the configuration that governs it. Nodes join,
//! are promoted, replace others and go, one change at a time, and nobody who is gone has a say any
//! more. See [`configuration`] for the rules, `replica/membership.rs` for who follows them; a snapshot
//! says who governs the slots behind it. How the first configuration comes about, and how a disk that
//! lost its memory is told from the one that promised: `replica/founding.rs`.
//!
//! # Progress
//!
//! Safety never depends on time; progress does (FLP leaves no choice). See `election.rs`. A leader
//! that hears no majority for an election timeout steps down and tells its clients so; and nobody stands
//! against one that a majority hears (`replica/canvass.rs`).
//!
//! # Invariants
//!
//! Asserted where they are made and where they are used; [`invariants`] checks them over whole
//! clusters in the simulation.
//!
//! - **I1** Only a value that was proposed may be chosen.
//! - **I2** Only a single value is chosen in a slot; nobody ever learns two.
//! - **I3** A replica learns a value only if it is chosen.
//! - **I4** An acceptor never accepts or promises below its promise.
//! - **I5** No ballot is used twice, not even across a crash.
//! - **I6** In one ballot, one slot is proposed one value.
//! - **I7** What is applied is a gap-free prefix of the slots.
//! - **I8** Replicas that applied the same prefix have the same state hash.
//! - **I9** If a value is chosen in a ballot, every higher ballot that proposes in that slot
//!   proposes that value (Lamport's P2b).
//! - **I10** Nobody proposes more than α slots beyond the first that is not chosen: who governs there is
//!   not known.
//! - **I11** Who governs which slot follows from what is chosen, and all who know that agree.
//! - **I12** Nobody counts on the vote of a disk that lost its memory.
//!
//! # What is left out, and what it costs
//!
//! Nothing is learned by broadcast. Reads cost a round trip, since there are no leases.

mod acceptor;
mod ballot;
mod base;
mod candidate;
pub mod configuration;
mod effects;
mod election;
pub mod invariants;
mod journal;
mod leader;
mod learner;
pub mod lease;
mod message;
mod quorum;
mod reads;
mod replica;
mod slot;

pub use ballot::{Ballot, NodeId};
pub use base::{Base, Recovered};
pub use configuration::{Change, ChangeRefused, Configuration, Configurations, Governing, Member, Standing};
pub use effects::{Effects, Record, Send};
pub use election::{ElectionMode, Timing};
pub use learner::LogContradiction;
pub use lease::{LeaseTerms, LocalTime};
pub use message::{AppliedHash, Message, SlotReport, Stage, Value};
pub use quorum::{NodeSet, majority};
pub use replica::{
    CHUNK_BYTES_MAX, CHUNK_SLOTS_MAX, Founding, Replica, ReplicaConfig, RoleName, SLOTS_IN_FLIGHT_MAX,
    Stranger,
};
pub use slot::{Lsn, Slot};
