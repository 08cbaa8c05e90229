//! The seam between the bench and what it measures.
//!
//! A [`Contender`] is a kind of replicated store: it knows how a node of it is started, which node
//! leads, and how to speak with one. A [`Line`] is one connection that any number of clients share; a
//! [`Client`] asks for one thing at a time. Nothing here retries: what a store refuses is counted.

use super::BenchError;
use crate::process::CommandSpec;
use bytes::Bytes;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

/// Where one node lives.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which node, from 1.
    pub node: u16,
    /// Where it serves clients.
    pub address: SocketAddr,
    /// Where it serves its peers, if that is apart.
    pub peer_address: SocketAddr,
    /// Its data folder.
    pub data: PathBuf,
    /// The folder for its stdout and stderr.
    pub log: PathBuf,
}

/// What a node says of itself.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Standing {
    /// Whether it leads.
    pub leads: bool,
    /// Whether it knows of a leader.
    pub knows_leader: bool,
    /// Records in its log, if it tells.
    pub records: Option<u64>,
}

/// A kind of replicated store.
pub trait Contender: Send + Sync {
    /// A word for tables.
    fn name(&self) -> &str;

    /// What it calls itself: name and version.
    ///
    /// # Errors
    /// It can't be measured here; says why.
    fn version(&self) -> Result<String, BenchError>;

    /// How the node at `place` is started, for the first time or again; `all` are the cluster's places.
    fn command(&self, place: &Place, all: &[Place]) -> CommandSpec;

    /// Asks a node how it is. An error: it does not serve.
    fn standing<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Standing, String>>;

    /// Opens a connection to a node.
    fn connect(&self, address: SocketAddr) -> LocalBoxFuture<'_, Result<Rc<dyn Line>, String>>;
}

/// One connection.
pub trait Line {
    /// A client of its own, with whatever the store wants of one (a session, say).
    fn client(self: Rc<Self>) -> LocalBoxFuture<'static, Result<Box<dyn Client>, String>>;

    /// Whether it can still be used, as far as is known.
    fn is_open(&self) -> bool;

    /// One write under no client's name; any number may be under way.
    fn put<'a>(&'a self, key: Bytes, value: Bytes) -> LocalBoxFuture<'a, Result<(), String>>;
}

/// One client, with at most one request under way. Reads are linearizable. A request that was not done
/// gives the reason in a few words: it is counted under them.
pub trait Client {
    /// Writes.
    fn put<'a>(&'a mut self, key: Bytes, value: Bytes) -> LocalBoxFuture<'a, Result<(), String>>;

    /// Reads; the length of what was read.
    fn get<'a>(&'a mut self, key: Bytes) -> LocalBoxFuture<'a, Result<usize, String>>;
}
