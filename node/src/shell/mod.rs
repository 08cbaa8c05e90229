//! The program around the pure parts: sockets, the disk's thread, the clock, signals.
//!
//! One task, the [`server`], owns the [`Service`](crate::service::Service) and is the only one to
//! touch it. Everything that happens reaches it as an [`event`]; it takes all events that are
//! there (up to a limit), feeds them in, and then once asks for the output: that is how a burst
//! of requests becomes one batch, one log write and one packet per peer. Around it:
//!
//! * [`incoming`]: the listener, and a task per connection that reads and checks frames;
//! * [`clients`]: a task and a bounded queue per client that writes replies;
//! * [`links`]: a task and a bounded queue per peer that dials, and writes messages;
//! * [`held`]: messages that wait for the disk;
//! * [`filing`]: the thread that writes, reads and sends on snapshots;
//! * [`tracer`]: the file that the event trace goes to, if one was asked for;
//! * the log's thread ([`crate::wal::LogThread`]), which answers through a watch channel.
//!
//! Every queue has a limit, and each limit a policy: a client that asks too fast, or doesn't read
//! its answers, is not read from; a message for a peer that doesn't keep up is dropped (the
//! protocol sends again); a disk that doesn't keep up stops the reading of everything but the
//! clock and status questions. A connection that says something that is no frame for us is told
//! so and closed; nothing that arrives on a socket can stop the node.
//!
//! # What a commit costs
//! Three nodes on one machine, 256 B, one client under `strace -c -f`, 64 under `perf record -e cpu-clock -g`. A follower makes 9.5 system calls for each slot: the append and its
//! fdatasync, two to hand the records to the log's thread, one for that thread to wake the loop, a read, a
//! write, and two waits. A leader makes 14.7: it reads and writes three times. A third of the processor time
//! is the log's thread in the kernel (a quarter of all is fdatasync), a quarter the sockets and the waiting,
//! a third is spent in the program, a third of that in the C library, mostly its allocator. So a slot costs some 140 µs of
//! processor time on each node whatever it holds, and a command in it 2 µs more: what makes many clients
//! cheap is that they share slots. A closed loop does so by itself, since its answers come together. To
//! hold a batch back until the log's thread is free, or until the slot before is chosen, was tried and
//! gained nothing: slots were full already, and commands only waited longer.

pub mod arguments;
mod clients;
mod clock;
pub mod console;
mod event;
pub mod failure;
mod filing;
mod held;
mod incoming;
mod links;
mod server;
pub mod start;
pub mod status;
mod tracer;

/// The most messages that may wait for one peer: whoever watches a node may hold it to that.
pub const LINK_QUEUED_MAX: usize = links::QUEUED_MAX;
