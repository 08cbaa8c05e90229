//! One directed link: accepts, dials onwards, relays both directions under the link's policy.
//!
//! Everything here runs on the mesh's single thread; a connection is one task with two
//! [`Pump`]s.

use super::counters::{Tally, count};
use super::mesh::FrameReader;
use super::policy::{Link, Links};
use super::pump::Pump;
use futures_util::FutureExt as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
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

/// What a link's tasks share.
pub(super) struct LinkContext {
    pub(super) link: Link,
    pub(super) policies: watch::Receiver<Arc<Links>>,
    pub(super) upstream: watch::Receiver<Option<SocketAddr>>,
    pub(super) tally: Arc<Tally>,
    pub(super) frames: Option<FrameReader>,
    /// Zero of the mesh's clock.
    pub(super) epoch: Instant,
    pub(super) seed: u64,
    /// [`CUT_STALL_MAX`], but in tests.
    pub(super) cut_stall_max: Duration,
}

/// A connection ended by RST, or as if by one.
pub(super) struct Reset;

/// Serves one link for as long as the mesh lives.
pub(super) async fn serve(context: Arc<LinkContext>, listener: TcpListener) {
    let mut connections = JoinSet::new();
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
        }
    }
}

async fn connection(context: Arc<LinkContext>, mut accepted: TcpStream, ordinal: u64) {
    if context.relay(&mut accepted, ordinal).await.is_err() {
        // With a linger time of zero, closing sends RST. If it can't be set, a FIN must do.
        let _ = accepted.set_zero_linger();
    }
}

impl LinkContext {
    async fn relay(&self, accepted: &mut TcpStream, ordinal: u64) -> Result<(), Reset> {
        if !self.healed(accepted).await? {
            return Ok(());
        }
        let Some(mut upstream) = self.dial().await else {
            count(&self.tally.refused, 1);
            return Err(Reset);
        };
        count(&self.tally.connections, 1);
        // Small frames must not wait for each other's acknowledgements; failing that, they do.
        let _ = accepted.set_nodelay(true);
        let _ = upstream.set_nodelay(true);
        let result = {
            let (from_dialler, to_dialler) = accepted.split();
            let (from_node, to_node) = upstream.split();
            let there = Pump::new(self, ordinal * 2, from_dialler, to_node);
            let back = Pump::new(self, ordinal * 2 + 1, from_node, to_dialler);
            tokio::try_join!(there.run(), back.run())
        };
        if result.is_err() {
            count(&self.tally.resets, 1);
            let _ = upstream.set_zero_linger();
        }
        result.map(|_| ())
    }

    /// Waits until the link is not cut. False if the dialler gave up in the meantime: across a
    /// real partition, its connection would never have come to be.
    async fn healed(&self, accepted: &TcpStream) -> Result<bool, Reset> {
        let mut policies = self.policies.clone();
        if !self.is_cut(&mut policies) {
            return Ok(true);
        }
        count(&self.tally.stalled_connections, 1);
        let healed = async {
            while self.is_cut(&mut policies) {
                policies.changed().await.map_err(|_| Reset)?;
            }
            Ok(())
        };
        timeout(self.cut_stall_max, healed).await.map_err(|_| Reset)??;
        let ready = accepted.ready(Interest::READABLE).now_or_never();
        Ok(!matches!(ready, Some(Ok(ready)) if ready.is_read_closed()))
    }

    fn is_cut(&self, policies: &mut watch::Receiver<Arc<Links>>) -> bool {
        policies.borrow_and_update().get(&self.link).is_some_and(|policy| policy.cut)
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
