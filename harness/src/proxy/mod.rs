//! The network between the processes under test: one user-space proxy per *directed* link.
//!
//! A [`Mesh`] binds a listener on 127.0.0.1 for every ordered pair of nodes, and one from the
//! clients to each node; those addresses are what nodes and clients are given, and they stay the
//! same for the whole run, wherever the nodes themselves listen after a restart. A node sends
//! peer messages only on connections that it dialled, so that a directed link is a connection and
//! a one-way partition is one entry in a map. A link node→node carries data one way (the way back
//! carries at most a word of refusal); a link client→node carries requests and answers, and its
//! policy applies to each of the two directions.
//!
//! # Faults
//! [`LinkPolicy`] is the whole vocabulary; [`Mesh::set_links`] swaps the policies of all links in
//! one step: every frame decided afterwards sees the new map, whatever its link.
//!
//! - **cut** (tcp-legal): the link is a black hole. Nothing is delivered in either direction of
//!   its connections, no FIN or RST passes, and nobody is told. Bytes that arrive are kept, up to
//!   [`STALL_BYTES_MAX`] per direction; beyond that the proxy stops reading, and the sender feels
//!   a full socket. New connections find a listening socket (the kernel answers the handshake:
//!   a user-space proxy can't hide that) but are not dialled onwards before the link heals, and
//!   are dropped if their dialler gave up in the meantime.
//!   When the link heals, what was kept flows again, in order, as after a real partition. If it
//!   was cut for longer than [`CUT_STALL_MAX`], the connections of before have been reset on both
//!   sides at that point, as TCP's own patience would have ended.
//! - **delay and jitter** (tcp-legal): each unit is held for `delay_us` plus a random part of
//!   `jitter_us`; order is kept.
//! - **drop, duplicate, reorder** (message-lossy): whole frames vanish, come twice, or are held back
//!   until later ones have overtaken them. Only where the system's frames are known: losing bytes
//!   of an unknown stream would make false bugs, so such a map is refused. `kinds` restricts these
//!   three (and delay) to frames of some kinds. Clients' requests too come
//!   twice: a node that called the first copy a failure must not carry out the second.
//!
//! # What TCP shows is mirrored
//! The proxy dials onwards before it relays a byte. A refusal becomes a reset of the accepted
//! connection; FIN and RST pass on to the other side, after the bytes before them. When a node is
//! down ([`Mesh::set_upstream`] with `None`) connections to it are reset at once.
//! Buffers are bounded everywhere: a slow reader slows its writer down.
//!
//! # Evidence
//! [`Mesh::counters`] tells per link what was forwarded, and how often each fault bit.

pub mod counters;
pub mod frame;
pub mod link;
pub mod mesh;
pub mod policy;
pub mod pump;

pub use counters::Counters;
pub use link::CUT_STALL_MAX;
pub use mesh::{FrameReader, Mesh, MeshError};
pub use policy::{Endpoint, Link, LinkPolicy, Links, PolicyError};
pub use pump::STALL_BYTES_MAX;
