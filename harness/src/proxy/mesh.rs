//! All links of a cluster: their addresses, their policies, their thread.

use super::counters::{Counters, Tally};
use super::held::Shelf;
use super::link::{self, CUT_STALL_MAX, LinkContext, SOCKET_BUFFER_BYTES, Standing, lock};
use super::policy::{Endpoint, Link, Links, PolicyError};
use super::regime::{Post, SIGHTINGS_MAX, Sighting, Watch};
use crate::system::{FrameInfo, NodeId, System};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Connections that may wait to be accepted, per link.
const BACKLOG: u32 = 1024;

/// How long [`Mesh::reset`] waits for its connections to be gone: a matter of microseconds, unless the
/// machine is in distress.
pub const RESET_PATIENCE: Duration = Duration::from_secs(1);

/// Reads what a proxy may know about a frame, from what follows its length prefix.
pub type FrameReader = Arc<dyn Fn(&[u8]) -> Option<FrameInfo> + Send + Sync>;

/// Why a mesh could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// A listener could not be bound.
    #[error("{link}: cannot listen on 127.0.0.1: {source}")]
    Listen {
        /// The link.
        link: Link,
        /// Why.
        source: io::Error,
    },
    /// The thread or its runtime could not be started.
    #[error("cannot start the proxy thread: {0}")]
    Start(io::Error),
}

struct LinkEntry {
    address: SocketAddr,
    context: Arc<LinkContext>,
}

/// The proxies of one run. Closes every connection and ends its thread on drop.
pub struct Mesh {
    links: BTreeMap<Link, LinkEntry>,
    upstreams: BTreeMap<NodeId, watch::Sender<Option<SocketAddr>>>,
    post: Arc<Post>,
    sightings: Mutex<Option<mpsc::Receiver<Sighting>>>,
    frames_known: bool,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh").field("links", &self.links.len()).finish_non_exhaustive()
    }
}

impl Mesh {
    /// Binds a listener for every ordered pair of `nodes` and from the clients to each, and starts
    /// relaying; no node is up yet. `seed` decides the faults' random parts.
    ///
    /// # Errors
    /// [`MeshError`].
    pub fn start(nodes: &[NodeId], system: Arc<dyn System>, seed: u64) -> Result<Mesh, MeshError> {
        let frames =
            system.capabilities().frames.then(|| -> FrameReader { Arc::new(move |body| system.frame(body)) });
        Mesh::with_frames(nodes, frames, seed)
    }

    /// As [`Mesh::start`], for whoever has no whole [`System`]: without a reader of frames the
    /// links are plain byte streams.
    ///
    /// # Errors
    /// [`MeshError`].
    pub fn with_frames(nodes: &[NodeId], frames: Option<FrameReader>, seed: u64) -> Result<Mesh, MeshError> {
        Mesh::with_cut_limit(nodes, frames, seed, CUT_STALL_MAX)
    }

    /// As [`Mesh::with_frames`], with another limit than [`CUT_STALL_MAX`].
    ///
    /// # Errors
    /// [`MeshError`].
    pub fn with_cut_limit(
        nodes: &[NodeId],
        frames: Option<FrameReader>,
        seed: u64,
        cut_stall_max: Duration,
    ) -> Result<Mesh, MeshError> {
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().map_err(MeshError::Start)?;
        let (sighting, sightings) = mpsc::channel(SIGHTINGS_MAX);
        let post = Arc::new(Post::new(sighting));
        let frames_known = frames.is_some();
        let epoch = Instant::now();
        let mut links = BTreeMap::new();
        let mut upstreams = BTreeMap::new();
        let mut serving = Vec::new();
        for &to in nodes {
            let (upstream, upstream_seen) = watch::channel(None);
            upstreams.insert(to, upstream);
            let diallers = nodes.iter().filter(|&&from| from != to).map(|&from| Endpoint::Node(from));
            for from in diallers.chain([Endpoint::Clients]) {
                let link = Link { from, to };
                let (listener, address) = {
                    let _inside = runtime.enter();
                    listen().map_err(|source| MeshError::Listen { link, source })?
                };
                let tally = Arc::new(Tally::default());
                let context = Arc::new(LinkContext {
                    link,
                    post: post.clone(),
                    upstream: upstream_seen.clone(),
                    shelf: Shelf::new(tally.clone()),
                    tally,
                    frames: frames.clone(),
                    epoch,
                    seed: link_seed(seed, link),
                    cut_stall_max,
                    there: Mutex::default(),
                    back: Mutex::default(),
                    connections: Mutex::default(),
                });
                links.insert(link, LinkEntry { address, context: context.clone() });
                serving.push((context, listener));
            }
        }
        let (stop, stopped) = oneshot::channel();
        let body = move || {
            runtime.block_on(async move {
                for (context, listener) in serving {
                    tokio::spawn(link::serve(context, listener));
                }
                // An error says that the mesh is gone, which is the same.
                let _ = stopped.await;
            });
        };
        let thread = thread::Builder::new().name("mesh".into()).spawn(body).map_err(MeshError::Start)?;
        let sightings = Mutex::new(Some(sightings));
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Mesh { links, upstreams, post, sightings, frames_known, stop, thread })
    }

    /// Where `link` is dialled: the same for the whole run.
    #[must_use]
    pub fn address(&self, link: Link) -> Option<SocketAddr> {
        self.links.get(&link).map(|entry| entry.address)
    }

    /// What node `from` is told about its peers: each one's id, and where to dial it.
    #[must_use]
    pub fn peers(&self, from: NodeId) -> Vec<(NodeId, SocketAddr)> {
        let own = |link: &Link| link.from == Endpoint::Node(from);
        self.links
            .iter()
            .filter(|(link, _)| own(link))
            .map(|(link, entry)| (link.to, entry.address))
            .collect()
    }

    /// All links, in order.
    pub fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.links.keys().copied()
    }

    /// Where `node` listens now, or `None` while it is down: connections are then reset as they
    /// come. Connections that stand are left to end by themselves. Unknown nodes are ignored.
    pub fn set_upstream(&self, node: NodeId, address: Option<SocketAddr>) {
        if let Some(upstream) = self.upstreams.get(&node) {
            upstream.send_replace(address);
        }
    }

    /// Replaces the policies of all links at once; links that are not in the map become clean. The
    /// watches stay, and one that has yet to come may replace the map again: see [`Mesh::set`].
    ///
    /// # Errors
    /// [`PolicyError`]: the map is refused as a whole, and the old one stays.
    pub fn set_links(&self, links: Links) -> Result<(), PolicyError> {
        self.check(&links)?;
        self.post.change(Some(links), None);
        Ok(())
    }

    /// Replaces all watches at once; the policies stay. A watch whose id was in force before goes on
    /// counting, from where it is to where it may now look.
    ///
    /// # Errors
    /// [`PolicyError`]: the set is refused as a whole, and the old one stays.
    pub fn watch(&self, watches: Vec<Watch>) -> Result<(), PolicyError> {
        self.check_watches(&watches)?;
        self.post.change(None, Some(watches));
        Ok(())
    }

    /// [`Mesh::set_links`] and [`Mesh::watch`] in one step: no frame sees the new one of these with
    /// the old one of those, and no old watch undoes the new map.
    ///
    /// # Errors
    /// [`PolicyError`]: both are refused, and the old ones stay.
    pub fn set(&self, links: Links, watches: Vec<Watch>) -> Result<(), PolicyError> {
        self.check(&links)?;
        self.check_watches(&watches)?;
        self.post.change(Some(links), Some(watches));
        Ok(())
    }

    fn check(&self, links: &Links) -> Result<(), PolicyError> {
        for (&link, policy) in links {
            self.exists(link)?;
            policy.check(link, self.frames_known)?;
        }
        Ok(())
    }

    fn check_watches(&self, watches: &[Watch]) -> Result<(), PolicyError> {
        let mut ids = BTreeSet::new();
        for watch in watches {
            if !ids.insert(watch.id) {
                return Err(PolicyError::WatchTwice(watch.id));
            }
            for &link in &watch.links {
                self.exists(link)?;
                if !self.frames_known {
                    return Err(PolicyError::NeedsFrames(link));
                }
            }
            if let Some(then) = &watch.then {
                self.check(then)?;
            }
        }
        Ok(())
    }

    fn exists(&self, link: Link) -> Result<(), PolicyError> {
        if self.links.contains_key(&link) { Ok(()) } else { Err(PolicyError::NoSuchLink(link)) }
    }

    /// What the watches saw, in the order in which they saw it; `None` for all but the first to ask.
    pub fn sightings(&self) -> Option<mpsc::Receiver<Sighting>> {
        lock(&self.sightings).take()
    }

    /// How many sightings were lost, because nobody took them in time.
    #[must_use]
    pub fn sightings_lost(&self) -> u64 {
        self.post.sightings_lost()
    }

    /// Resets all connections that there are on these links, on both sides, whatever their policies;
    /// new ones may come at once. Says how many they were; unknown links have none. Blocks until they
    /// are gone (at most [`RESET_PATIENCE`]), so that what comes next does not find them.
    pub fn reset(&self, links: &BTreeSet<Link>) -> usize {
        let entries = links.iter().filter_map(|link| self.links.get(link));
        let standing = entries.flat_map(|entry| std::mem::take(&mut *lock(&entry.context.connections)));
        // One that does not listen any more has just ended by itself.
        let ask = |(_, Standing { reset, gone })| reset.send(()).is_ok().then_some(gone);
        let asked: Vec<_> = standing.filter_map(ask).collect();
        let deadline = Instant::now() + RESET_PATIENCE;
        for gone in &asked {
            // An error says that it is gone, or that the patience is.
            let _ = gone.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        asked.len()
    }

    /// The policies in force.
    #[must_use]
    pub fn policies(&self) -> Arc<Links> {
        self.post.now().links.clone()
    }

    /// What happened on `link` so far; zeros if there is no such link.
    #[must_use]
    pub fn counters(&self, link: Link) -> Counters {
        self.links.get(&link).map(|entry| entry.context.tally.read()).unwrap_or_default()
    }

    /// What happened on every link so far.
    #[must_use]
    pub fn all_counters(&self) -> BTreeMap<Link, Counters> {
        self.links.iter().map(|(&link, entry)| (link, entry.context.tally.read())).collect()
    }

    /// Whether the proxy thread still runs; if not, the harness itself has failed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    // Inherited by accepted connections; a wish, as for those dialled.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A link's own seed: links must not all lose their n-th frame together.
fn link_seed(seed: u64, link: Link) -> u64 {
    let from = match link.from {
        Endpoint::Clients => 0,
        Endpoint::Node(node) => u64::from(node.0),
    };
    let mixed = seed.wrapping_add((from << 16 | u64::from(link.to.0)).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    mixed ^ (mixed >> 31)
}
