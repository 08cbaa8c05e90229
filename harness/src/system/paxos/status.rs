//! What a node says about itself.
//!
//! The answer is read with tolerance: an older or newer node that tells less, or tells it in
//! another form, is understood as far as it goes. All of it is kept for the record.

use super::exchange::Wire;
use crate::system::{AppliedState, NodeId, NodeStatus, StatusError};
use bytes::BytesMut;
use paxos_node::shell::LINK_QUEUED_MAX;
use paxos_node::wire::{Kind, client};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// How long a node may take to answer. One that is frozen never does, and whoever asks must know
/// soon.
pub const STATUS_PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn ask(cluster: u64, address: SocketAddr) -> Result<NodeStatus, StatusError> {
    let answer = timeout(STATUS_PATIENCE, exchange(cluster, address)).await;
    let body = answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let raw = serde_json::from_slice(&body).map_err(|error| StatusError::Malformed(error.to_string()))?;
    Ok(parse(raw))
}

async fn exchange(cluster: u64, address: SocketAddr) -> Result<bytes::Bytes, StatusError> {
    const ID: u64 = 1;
    let mut wire = Wire::dial(address).await?;
    let mut out = BytesMut::new();
    client::encode_status_request(&mut out, cluster, ID);
    wire.send(&out).await?;
    let frame = wire.receive().await?;
    if frame.header.kind != Kind::StatusReply {
        return Err(StatusError::Malformed(format!("a frame of kind {}", frame.header.kind.name())));
    }
    Ok(frame.body)
}

fn parse(raw: Value) -> NodeStatus {
    let leader = &raw["leader"];
    let applied = match &raw["applied"] {
        Value::Object(applied) => {
            applied.get("slot").and_then(number).zip(applied.get("hash").and_then(hash))
        }
        slot => number(slot).zip(hash(&raw["applied_hash"])),
    };
    NodeStatus {
        role: raw["role"].as_str().map(str::to_lowercase),
        ballot: ballot(&raw["ballot"]).or_else(|| ballot(leader)).or_else(|| ballot(&raw["promised"])),
        leader: node(leader).or_else(|| node(&leader["node"])),
        chosen_upto: number(&raw["chosen_upto"]),
        applied: applied.map(|(slot, hash)| AppliedState { slot, hash }),
        beyond: beyond(&raw["shell"]["links"]),
        raw,
    }
}

/// The links for which more waits than may.
fn beyond(links: &Value) -> Vec<String> {
    let crowded = |link: &Value| {
        let (to, queued) = (node(&link["to"])?, number(&link["queued"])?);
        let most = LINK_QUEUED_MAX as u64;
        (queued > most).then(|| format!("{queued} messages wait for {to}, where {most} may"))
    };
    links.as_array().into_iter().flatten().filter_map(crowded).collect()
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

/// 2 or "n2"; 0 means none.
fn node(value: &Value) -> Option<NodeId> {
    let id = match value {
        Value::String(text) => text.trim_start_matches('n').parse().ok()?,
        other => u16::try_from(number(other)?).ok()?,
    };
    (id != 0).then_some(NodeId(id))
}

/// {"round": 3, "node": 1}, or "3.n1".
fn ballot(value: &Value) -> Option<(u64, u16)> {
    let (round, owner) = match value {
        Value::String(text) => {
            let (round, owner) = text.split_once('.')?;
            (round.parse().ok()?, node(&Value::from(owner))?)
        }
        other => (number(&other["round"])?, node(&other["node"])?),
    };
    Some((round, owner.0))
}

/// A number, or hexadecimal text.
fn hash(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16).ok(),
        other => number(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_full_answer_is_understood() {
        let status = parse(json!({
            "role": "Leader", "ballot": "3.n2", "leader": 2, "chosen_upto": 9, "applied": {"slot": 8, "hash": 77}
        }));
        assert!(status.is_leader());
        assert_eq!(status.ballot, Some((3, 2)));
        assert_eq!(status.leader, Some(NodeId(2)));
        assert_eq!(status.chosen_upto, Some(9));
        assert_eq!(status.applied, Some(AppliedState { slot: 8, hash: 77 }));
    }

    #[test]
    fn other_forms_are_understood_too() {
        let status = parse(json!({
            "role": "follower", "leader": {"round": 4, "node": 1}, "promised": {"round": 5, "node": 3},
            "applied": 7, "applied_hash": "00000000000000ff"
        }));
        assert_eq!(status.leader, Some(NodeId(1)));
        assert_eq!(status.ballot, Some((4, 1)));
        assert_eq!(status.applied, Some(AppliedState { slot: 7, hash: 255 }));
    }

    #[test]
    fn a_queue_that_is_longer_than_it_may_be_is_told() {
        let links =
            |queued| json!({"shell": {"links": [{"to": 2, "queued": 7}, {"to": 3, "queued": queued}]}});
        assert_eq!(parse(links(LINK_QUEUED_MAX)).beyond, Vec::<String>::new());
        assert_eq!(parse(links(4097)).beyond, ["4097 messages wait for n3, where 4096 may"]);
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        for raw in [json!({}), json!([1]), json!(null), json!({"leader": null, "role": 7, "applied": "x"})] {
            let status = parse(raw.clone());
            assert_eq!(status, NodeStatus { raw, ..NodeStatus::default() });
        }
    }
}
