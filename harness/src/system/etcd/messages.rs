//! The few messages of etcd's v3 API that are needed, as its `rpc.proto` and `kv.proto` number their
//! fields. Fields that nobody here looks at are left out: protobuf skips what it does not know.

use bytes::Bytes;

/// `etcdserverpb.ResponseHeader`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResponseHeader {
    /// Who answers.
    #[prost(uint64, tag = "2")]
    pub(super) member_id: u64,
}

/// `etcdserverpb.PutRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
}

/// `etcdserverpb.PutResponse`: that it came is all there is to know.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PutResponse {}

/// `etcdserverpb.RangeRequest` for a single key.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    /// Whether a stale answer will do.
    #[prost(bool, tag = "7")]
    pub(super) serializable: bool,
}

/// `etcdserverpb.RangeResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RangeResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) kvs: Vec<KeyValue>,
}

/// `mvccpb.KeyValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyValue {
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) value: Bytes,
}

/// `etcdserverpb.StatusRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusRequest {}

/// `etcdserverpb.StatusResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<ResponseHeader>,
    /// The leader's member id; 0: none is known.
    #[prost(uint64, tag = "4")]
    pub(super) leader: u64,
    #[prost(uint64, tag = "5")]
    pub(super) raft_index: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    /// As `protoc` would have it: tag and wire type, length, bytes.
    #[test]
    fn golden_bytes() {
        let put = PutRequest { key: Bytes::from_static(b"k"), value: Bytes::from_static(b"vw") };
        assert_eq!(put.encode_to_vec(), [0x0a, 1, b'k', 0x12, 2, b'v', b'w']);
        let get = RangeRequest { key: Bytes::from_static(b"k"), serializable: true };
        assert_eq!(get.encode_to_vec(), [0x0a, 1, b'k', 0x38, 1]);
        // cluster_id, member_id and revision; then leader, raft index, raft term.
        let status = [0x0a, 6, 0x08, 9, 0x10, 7, 0x18, 1, 0x20, 7, 0x28, 0x80, 1, 0x30, 2];
        let status = StatusResponse::decode(status.as_slice()).unwrap();
        let expected =
            StatusResponse { header: Some(ResponseHeader { member_id: 7 }), leader: 7, raft_index: 128 };
        assert_eq!(status, expected);
        // header; one pair with key, create_revision, mod_revision, version and value; count.
        let range =
            [0x0a, 2, 0x08, 9, 0x12, 12, 0x0a, 1, b'k', 0x10, 5, 0x18, 5, 0x20, 1, 0x2a, 1, b'v', 0x20, 1];
        let range = RangeResponse::decode(range.as_slice()).unwrap();
        assert_eq!(range.kvs, [KeyValue { value: Bytes::from_static(b"v") }]);
    }
}
