//! One directed link: accepts, dials onwards, relays both directions under the link's policy.
//!
//! Everything here runs on the mesh's single thread; a connection is one task with two
//! [`Pump`]s.

use super::bucket::Bucket;
use super::counters::{Tally, count};
use super::ends::{Ends, Side};
use super::held::{HeldFrame, Shelf};
use super::mesh::FrameReader;
use super::policy::{Endpoint, Link};
use super::pump::Pump;
use super::regime::{Post, Regime};
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tokio::io::{AsyncWriteExt as _, Interest, copy, sink};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// A cut that lasts longer resets the connections it found, on both sides. Longer than any
/// partition that is meant to be survived in one piece, shorter than TCP's own quarter of an hour.
pub const CUT_STALL_MAX: Duration = Duration::from_secs(60);

/// The kernel's buffers on the proxy's sockets, so that a stall is felt after a bounded amount.
pub(super) const SOCKET_BUFFER_BYTES: u32 = 256 << 10;

/// Connections of one link at a time; more wait in the kernel's queue. A leak must not eat the
/// harness's file descriptors.
const CONNECTIONS_MAX: usize = 1024;

/// How long a dial may take: on this machine only a full accept queue makes one wait.
const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// How long to let file descriptors come free after accepting has failed.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// How long a node may take to answer the held requests of clients that are gone.
const LATE_PATIENCE: Duration = Duration::from_secs(5);

/// What a link's tasks share.
pub(super) struct LinkContext {
    pub(super) link: Link,
    pub(super) post: Arc<Post>,
    pub(super) upstream: watch::Receiver<Option<SocketAddr>>,
    pub(super) tally: Arc<Tally>,
    pub(super) frames: Option<FrameReader>,
    /// Zero of the mesh's clock.
    pub(super) epoch: Instant,
    pub(super) seed: u64,
    /// [`CUT_STALL_MAX`], but in tests.
    pub(super) cut_stall_max: Duration,
    /// Frames that are held, and those of them that have no connection any more.
    pub(super) shelf: Shelf,
    /// What may go to the node, and what may come back.
    pub(super) there: Mutex<Bucket>,
    /// See `there`.
    pub(super) back: Mutex<Bucket>,
    /// The connections that there are, by ordinal.
    pub(super) connections: Mutex<BTreeMap<u64, Standing>>,
}

/// A connection that there is.
pub(super) struct Standing {
    /// A word resets it.
    pub(super) reset: oneshot::Sender<()>,
    /// Hears nothing, but notices when both its sockets are closed.
    pub(super) gone: mpsc::Receiver<()>,
}

/// A connection ended by RST, or as if by one.
pub(super) struct Reset;

/// Serves one link for as long as the mesh lives.
pub(super) async fn serve(context: Arc<LinkContext>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let mut regimes = context.post.subscribe();
    let mut ordinal = 0;
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((accepted, _)) => {
                    ordinal += 1;
                    connections.spawn(connection(context.clone(), accepted, ordinal));
                }
                // The dialler went away, or file descriptors ran out: neither ends the link.
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
            Some(_) = connections.join_next() => {}
            Ok(()) = regimes.changed() => {
                let requests = context.late_requests(&regimes.borrow_and_update());
                if !requests.is_empty() {
                    connections.spawn(carry(context.clone(), requests));
                }
            }
        }
    }
}

async fn connection(context: Arc<LinkContext>, mut accepted: TcpStream, ordinal: u64) {
    let (reset, asked) = oneshot::channel();
    let (here, gone) = mpsc::channel();
    lock(&context.connections).insert(ordinal, Standing { reset, gone });
    let result = context.relay(&mut accepted, ordinal, asked).await;
    lock(&context.connections).remove(&ordinal);
    if result.is_err() {
        // With a linger time of zero, closing sends RST. If it can't be set, a FIN must do.
        let _ = accepted.set_zero_linger();
    }
    drop(accepted);
    drop(here);
}

/// Brings the node requests that were held for longer than their clients' connections lived, on a
/// connection of their own: another client's would be answered what it never asked.
async fn carry(context: Arc<LinkContext>, requests: Vec<HeldFrame>) {
    let carried = async {
        let mut node = context.dial().await?;
        let (mut from_node, mut to_node) = node.split();
        let ask = async {
            for request in &requests {
                to_node.write_all(&request.bytes).await.ok()?;
            }
            to_node.shutdown().await.ok()
        };
        let mut nobody = sink();
        let (asked, _) = tokio::join!(ask, copy(&mut from_node, &mut nobody));
        asked
    };
    let tally = &context.tally;
    match timeout(LATE_PATIENCE, carried).await {
        Ok(Some(())) => {
            count(&tally.released, requests.len());
            count(&tally.released_later, requests.len());
        }
        Ok(None) | Err(_) => count(&tally.held_lost, requests.len()),
    }
}

impl LinkContext {
    async fn relay(
        &self,
        accepted: &mut TcpStream,
        ordinal: u64,
        mut asked: oneshot::Receiver<()>,
    ) -> Result<(), Reset> {
        let upstream = tokio::select! {
            upstream = self.open(accepted) => upstream?,
            _ = &mut asked => {
                count(&self.tally.resets, 1);
                return Err(Reset);
            }
        };
        let Some(mut upstream) = upstream else { return Ok(()) };
        count(&self.tally.connections, 1);
        // Small frames must not wait for each other's acknowledgements; failing that, they do.
        let _ = accepted.set_nodelay(true);
        let _ = upstream.set_nodelay(true);
        let result = {
            let ends = Ends::default();
            let (from_dialler, to_dialler) = accepted.split();
            let (from_node, to_node) = upstream.split();
            let there = Pump::new(self, Side::Dialler, ordinal, &ends, from_dialler, to_node);
            let back = Pump::new(self, Side::Node, ordinal, &ends, from_node, to_dialler);
            let pumps = async { tokio::try_join!(there.run(), back.run()).map(|_| ()) };
            tokio::select! {
                result = pumps => result,
                _ = asked => Err(Reset),
            }
        };
        if result.is_err() {
            count(&self.tally.resets, 1);
            let _ = upstream.set_zero_linger();
        }
        result
    }

    /// The connection onwards; `None` if the dialler gave up waiting for it.
    async fn open(&self, accepted: &TcpStream) -> Result<Option<TcpStream>, Reset> {
        if !self.healed(accepted).await? {
            return Ok(None);
        }
        let upstream = self.dial().await;
        count(&self.tally.refused, usize::from(upstream.is_none()));
        upstream.map(Some).ok_or(Reset)
    }

    /// Waits until connections get through. False if the dialler gave up in the meantime: across a
    /// real partition, its connection would never have come to be.
    async fn healed(&self, accepted: &TcpStream) -> Result<bool, Reset> {
        let mut regimes = self.post.subscribe();
        if !self.stalls(&regimes.borrow_and_update()) {
            return Ok(true);
        }
        count(&self.tally.stalled_connections, 1);
        let healed = async {
            while self.stalls(&regimes.borrow_and_update()) {
                regimes.changed().await.map_err(|_| Reset)?;
            }
            Ok(())
        };
        timeout(self.cut_stall_max, healed).await.map_err(|_| Reset)??;
        let ready = accepted.ready(Interest::READABLE).now_or_never();
        Ok(!matches!(ready, Some(Ok(ready)) if ready.is_read_closed()))
    }

    /// Whether new connections have to wait.
    fn stalls(&self, regime: &Regime) -> bool {
        let policy = regime.policy(self.link);
        policy.cut || policy.half_open
    }

    /// Takes the clients' requests that are held no longer and have no connection. (Those of nodes
    /// wait for their next one.)
    fn late_requests(&self, regime: &Regime) -> Vec<HeldFrame> {
        if self.link.from != Endpoint::Clients || self.stalls(regime) {
            return Vec::new();
        }
        self.shelf.take(regime.policy(self.link))
    }

    async fn dial(&self) -> Option<TcpStream> {
        let address = (*self.upstream.borrow())?;
        let socket = TcpSocket::new_v4().ok()?;
        // A wish: the kernel's own bounds serve if it is not granted.
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        timeout(DIAL_PATIENCE, socket.connect(address)).await.ok()?.ok()
    }

    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Locks what only a panic could have left locked: all of it is whole between two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
