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
//! [`LinkPolicy`] is the whole vocabulary of what lasts; [`Mesh::set_links`] swaps the policies of all
//! links in one step: every frame decided afterwards sees the new map, whatever its link.
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
//! - **delay and jitter** (tcp-legal): each unit is late by `delay_us` and a random part of
//!   `jitter_us`; order is kept.
//! - **bandwidth** (tcp-legal): at most `bytes_per_s` go each way, shared by the link's connections,
//!   in order; a frame may well arrive in pieces. The queue is short ([`STALL_BYTES_MAX`]), so that
//!   a sender soon feels it.
//! - **half-open** (tcp-legal): while it lasts, bytes pass, but no FIN or RST: when one end goes, the
//!   other believes the connection to stand, and what it sends to nobody is swallowed. At the heal
//!   it is reset, as by a host that knows nothing of the connection; connections whose ends both
//!   live stay. New connections wait as on a cut link. It shows only if an end goes while it lasts.
//! - **drop, duplicate, reorder** (message-lossy): whole frames vanish, come twice, or are put back
//!   until later ones have overtaken them. Clients' requests too come twice: a node that called the
//!   first copy a failure must not carry out the second.
//! - **corrupt** (message-lossy): one byte of a frame changes, never one of its length prefix, so that
//!   the stream stays cut where it was; a second copy carries the same damage. Our node finds the
//!   sum wrong, answers with the reason, and closes the connection; nothing of the frame is
//!   believed, and what followed it on the connection is lost with it. The peer that dialled rests
//!   for a second and dials again (at once, if `kinds` does not keep the damage from the reason).
//! - **hold** (message-lossy): frames are kept, others pass. When the policy changes so that it
//!   no longer holds them, they are let go in the order in which they came, even if their connection
//!   has ended by then: those of a node come first on the next connection of the link (or the one
//!   that stands by then); those of clients are brought to the node on a connection of their own,
//!   whose answers nobody reads, since another client must not hear answers to what it never asked.
//!   Answers whose asker is gone are lost. At most [`HELD_FRAMES_MAX`] and [`HELD_BYTES_MAX`] are kept
//!   per link; what comes beyond that vanishes. Nothing else is done to a held frame.
//!
//! The message-lossy ones are for systems whose frames are known: losing bytes of an unknown stream
//! would make false bugs, so such a map is refused. `kinds` restricts these and delay to frames of
//! some kinds; [`LinkPolicy::add`] lays several over each other.
//!
//! [`Mesh::reset`] does its work once: RST to both sides of all connections that there are.
//!
//! # Watches
//! [`Mesh::watch`] has the mesh tell of frames as it decides their fates ([`Mesh::sightings`]). A watch
//! may name the policies that hold from its n-th frame on ([`Watch::then`]): the proxy swaps them in
//! itself before that frame is decided, so that "the third accept and everything after it" is
//! exactly that. Links without watches pay for none.
//!
//! # What TCP shows is mirrored
//! The proxy dials onwards before it relays a byte. A refusal becomes a reset of the accepted
//! connection; FIN and RST pass on to the other side, after the bytes before them. When a node is
//! down ([`Mesh::set_upstream`] with `None`) connections to it are reset at once.
//! Buffers are bounded everywhere: a slow reader slows its writer down.
//!
//! # Evidence
//! [`Mesh::counters`] tells per link what was forwarded, and how often each fault bit.

pub mod bucket;
pub mod counters;
pub mod decider;
mod ends;
pub mod frame;
mod held;
pub mod link;
pub mod mesh;
mod outbox;
pub mod policy;
pub mod pump;
pub mod regime;

pub use counters::Counters;
pub use held::{HELD_BYTES_MAX, HELD_FRAMES_MAX};
pub use link::CUT_STALL_MAX;
pub use mesh::{FrameReader, Mesh, MeshError};
pub use policy::{Endpoint, Link, LinkPolicy, Links, PolicyError};
pub use pump::STALL_BYTES_MAX;
pub use regime::{SIGHTINGS_MAX, Sighting, Watch};
