//! Frames to and from one node, over one TCP connection.

use crate::system::{FrameInfo, NodeId};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use paxos_node::kv::{ClientReply, ClientRequest};
use paxos_node::wire::{Frame, FrameError, FrameReader, Header, Kind, ReadError, client};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tokio_util::codec::FramedRead;

/// How long dialling may take: a proxy on this machine answers at once.
const DIAL_PATIENCE: Duration = Duration::from_secs(2);

/// What a proxy may know about a frame.
pub(super) fn frame_info(frame: &[u8]) -> Option<FrameInfo> {
    let header = Header::peek(frame)?;
    let node = |id: paxos_node::paxos::NodeId| (id.0 != 0).then_some(NodeId(id.0));
    Some(FrameInfo {
        kind: header.kind.name(),
        from: node(header.from),
        to: node(header.to),
        ballot: (header.ballot.round, header.ballot.node.0),
        slots: (header.slot_first.0, header.slot_last.0),
        message_id: header.message_id,
    })
}

/// An answer that breaks the protocol: told apart from a lost connection by its kind.
fn nonsense(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// One TCP connection to a node.
pub(super) struct Wire {
    reader: FramedRead<OwnedReadHalf, FrameReader>,
    writer: OwnedWriteHalf,
    /// Of the request under way: at least one byte was given to the kernel.
    pub(super) sent: bool,
    /// This side's port.
    pub(super) port: u16,
}

impl Wire {
    pub(super) async fn dial(address: SocketAddr) -> io::Result<Wire> {
        let stream = timeout(DIAL_PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let port = stream.local_addr()?.port();
        let (reader, writer) = stream.into_split();
        Ok(Wire { reader: FramedRead::new(reader, FrameReader::new()), writer, sent: false, port })
    }

    /// One request and its answer. After an error, or if dropped before it ends, [`Wire::sent`]
    /// tells whether the request can have left, and the connection is of no more use.
    pub(super) async fn ask(&mut self, cluster: u64, request: &ClientRequest) -> io::Result<ClientReply> {
        self.sent = false;
        let mut out = BytesMut::new();
        client::encode_request(&mut out, cluster, request).map_err(io::Error::other)?;
        self.send(&out).await?;
        loop {
            let frame = self.receive().await?;
            if frame.header.kind != Kind::ClientReply {
                return Err(nonsense(format!("with a frame of kind {}", frame.header.kind.name())));
            }
            // Anything else answers an earlier request whose answer nobody waits for any more.
            if frame.header.message_id == request.id {
                return client::decode_reply(&frame).map_err(nonsense);
            }
        }
    }

    pub(super) async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.writer.writable().await?;
            match self.writer.try_write(bytes) {
                Ok(written) => {
                    self.sent |= written > 0;
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next frame that is not a refusal of the whole connection.
    pub(super) async fn receive(&mut self) -> io::Result<Frame> {
        match self.reader.next().await {
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the node closed the connection")),
            // A node that is killed, or a link that is cut, may end a stream in the middle of a frame.
            Some(Err(error @ (ReadError::Io(_) | ReadError::Frame(FrameError::Truncated { .. })))) => {
                Err(io::Error::other(error))
            }
            Some(Err(error)) => Err(nonsense(error)),
            Some(Ok(frame)) if frame.header.kind == Kind::Error => {
                Err(io::Error::other(format!("the node refuses: {}", client::decode_error(&frame))))
            }
            Some(Ok(frame)) => Ok(frame),
        }
    }
}
