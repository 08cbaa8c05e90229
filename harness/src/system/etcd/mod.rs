//! etcd as the bench drives it: the yardstick. Behind the feature `etcd`, for its client is gRPC's, and
//! gRPC weighs on a build.
//!
//! Nodes are started with etcd's own defaults. The client speaks the v3 API by hand-written messages
//! ([`messages`]), so that nothing needs `protoc`; a connection is one HTTP/2 channel that any number of
//! requests share, as etcd's own clients do it.

mod messages;

use crate::bench::BenchError;
use crate::bench::contender::{Client, Contender, Line, Place, Standing};
use crate::process::CommandSpec;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::uri::PathAndQuery;
use messages::{PutRequest, PutResponse, RangeRequest, RangeResponse, StatusRequest, StatusResponse};
use prost::Message;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// How long a connection may take.
const DIAL_PATIENCE: Duration = Duration::from_secs(2);

/// How long a node may take to say how it is.
const STATUS_PATIENCE: Duration = Duration::from_secs(1);

/// A cluster of etcds.
#[derive(Clone, Debug)]
pub struct EtcdContender {
    program: PathBuf,
    /// Keeps clusters apart.
    token: String,
}

impl EtcdContender {
    /// The etcd that the search path finds.
    ///
    /// # Errors
    /// There is none; says how to get it.
    pub fn find(token: String) -> Result<EtcdContender, BenchError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            std::env::split_paths(&path).map(|folder| folder.join("etcd")).find(|file| file.is_file());
        let program = found.ok_or_else(|| {
            BenchError("there is no etcd on the PATH (Debian has it in the package etcd-server)".to_owned())
        })?;
        Ok(EtcdContender { program, token })
    }
}

impl Contender for EtcdContender {
    fn name(&self) -> &str {
        "etcd"
    }

    fn version(&self) -> Result<String, BenchError> {
        let failed = |why: &dyn std::fmt::Display| {
            BenchError::new(format!("{} --version", self.program.display()), why)
        };
        let output = Command::new(&self.program).arg("--version").output().map_err(|error| failed(&error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.lines().next().filter(|line| line.starts_with("etcd Version"));
        version
            .map(str::to_owned)
            .ok_or_else(|| failed(&format!("says {said:?}, which is no etcd's version")))
    }

    fn command(&self, place: &Place, all: &[Place]) -> CommandSpec {
        let clients = format!("http://{}", place.address);
        let peers = format!("http://{}", place.peer_address);
        let cluster: Vec<String> =
            all.iter().map(|place| format!("n{}=http://{}", place.node, place.peer_address)).collect();
        let flags = [
            ("--name", format!("n{}", place.node)),
            ("--listen-client-urls", clients.clone()),
            ("--advertise-client-urls", clients),
            ("--listen-peer-urls", peers.clone()),
            ("--initial-advertise-peer-urls", peers),
            ("--initial-cluster", cluster.join(",")),
            ("--initial-cluster-state", "new".to_owned()),
            ("--initial-cluster-token", self.token.clone()),
            ("--log-level", "warn".to_owned()),
        ];
        let mut args = vec!["--data-dir".into(), place.data.clone().into()];
        args.extend(flags.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
        CommandSpec { program: self.program.clone(), args }
    }

    fn standing<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Standing, String>> {
        async {
            let asked = async {
                let channel = channel(place.address).await?;
                unary(&channel, "/etcdserverpb.Maintenance/Status", StatusRequest {}).await
            };
            let answer = tokio::time::timeout(STATUS_PATIENCE, asked).await;
            let status: StatusResponse = answer.map_err(|_| "no answer in time".to_owned())??;
            let member = status.header.map_or(0, |header| header.member_id);
            Ok(Standing {
                leads: status.leader != 0 && status.leader == member,
                knows_leader: status.leader != 0,
                records: Some(status.raft_index),
            })
        }
        .boxed()
    }

    fn connect(&self, address: SocketAddr) -> LocalBoxFuture<'_, Result<Rc<dyn Line>, String>> {
        async move {
            let line: Rc<dyn Line> = Rc::new(EtcdLine { channel: channel(address).await? });
            Ok(line)
        }
        .boxed_local()
    }
}

struct EtcdLine {
    channel: Channel,
}

impl Line for EtcdLine {
    fn client(self: Rc<Self>) -> LocalBoxFuture<'static, Result<Box<dyn Client>, String>> {
        async move {
            let client: Box<dyn Client> = Box::new(EtcdClient { channel: self.channel.clone() });
            Ok(client)
        }
        .boxed_local()
    }

    /// A channel connects again by itself.
    fn is_open(&self) -> bool {
        true
    }

    fn put<'a>(&'a self, key: Bytes, value: Bytes) -> LocalBoxFuture<'a, Result<(), String>> {
        put(&self.channel, key, value).boxed_local()
    }
}

struct EtcdClient {
    channel: Channel,
}

impl Client for EtcdClient {
    fn put<'a>(&'a mut self, key: Bytes, value: Bytes) -> LocalBoxFuture<'a, Result<(), String>> {
        put(&self.channel, key, value).boxed_local()
    }

    fn get<'a>(&'a mut self, key: Bytes) -> LocalBoxFuture<'a, Result<usize, String>> {
        async move {
            // Linearizable, which is etcd's default.
            let request = RangeRequest { key, serializable: false };
            let found: RangeResponse = unary(&self.channel, "/etcdserverpb.KV/Range", request).await?;
            Ok(found.kvs.first().map_or(0, |pair| pair.value.len()))
        }
        .boxed_local()
    }
}

async fn put(channel: &Channel, key: Bytes, value: Bytes) -> Result<(), String> {
    let _: PutResponse = unary(channel, "/etcdserverpb.KV/Put", PutRequest { key, value }).await?;
    Ok(())
}

async fn channel(address: SocketAddr) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    let endpoint = endpoint.tcp_nodelay(true).connect_timeout(DIAL_PATIENCE);
    endpoint.connect().await.map_err(|error| error.to_string())
}

async fn unary<Q, A>(channel: &Channel, path: &'static str, request: Q) -> Result<A, String>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| error.to_string())?;
    let codec = ProstCodec::<Q, A>::default();
    let answer = grpc.unary(tonic::Request::new(request), PathAndQuery::from_static(path), codec).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| format!("{:?}: {}", status.code(), status.message()))
}
