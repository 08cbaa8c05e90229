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

pub mod arguments;
mod clients;
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
