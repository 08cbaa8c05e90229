//! A client's connection.

use super::PaxosOptions;
use crate::system::{ConnectError, Connection, FrameInfo, NodeId, Target};
use std::io;

pub(super) fn frame_info(_frame: &[u8]) -> Option<FrameInfo> {
    None
}

pub(super) async fn connect(
    _options: PaxosOptions,
    targets: Vec<Target>,
) -> Result<Box<dyn Connection>, ConnectError> {
    let (target_node, address) = targets
        .first()
        .map_or((NodeId(0), ([127, 0, 0, 1], 0).into()), |target| (target.node, target.address));
    Err(ConnectError { target_node, address, source: io::ErrorKind::Unsupported.into() })
}
