//! From arguments to a serving node: open the log, recover, listen, announce, serve.

use super::arguments::Options;
use super::clients::Clients;
use super::clock;
use super::console;
use super::event::{Inbox, LogProgress};
use super::failure::Failure;
use super::filing::Filing;
use super::held::Held;
use super::incoming::Gate;
use super::links::{Links, Own};
use super::server::{Said, Server};
use super::tracer::Tracer;
use crate::BUILD_ID;
use crate::paxos::{Configuration, Founding, Lsn, NodeId, SLOTS_IN_FLIGHT_MAX};
use crate::service::{Config, Disk, Service};
use crate::snapshot::{Files, Found, Loaded};
use crate::trace::Life;
use crate::wal::{self, Folder, Identity, KeeperThread, LogThread, Outcome, Recovery, Room, Wal, WalError};
use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How many segments the log fills between two snapshots, about.
const SEGMENTS_PER_SNAPSHOT: u64 = 8;

/// Trimmed segments kept for use: as many as are trimmed at once, and the one that is cut off at each end.
const SEGMENTS_READY_MAX: u64 = SEGMENTS_PER_SNAPSHOT + 2;

/// Segments are never shorter: each costs a new file.
const SEGMENT_BYTES_MIN: u64 = 64 << 10;

/// Runs a node until a signal stops it.
///
/// # Errors
/// When it can't start, or can't go on.
pub fn run(options: Options) -> Result<(), Failure> {
    remove_rule(&options)?;
    retract(&options)?;
    let (wal, recovery, files, snapshot) = recover(&options)?;
    // One thread for everything but the disk: the core is one state machine, and a node that
    // leaves the other processors to its neighbours is the better neighbour.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Io(format!("can't start the runtime: {error}")))?;
    // As a task like those that wake it: the runtime looks at the sockets, a system call, before it goes
    // on with the future that it was started with, however ready that is.
    let served =
        runtime.block_on(async { tokio::spawn(serve(options, wal, recovery, files, snapshot)).await });
    served.unwrap_or_else(|error| Err(Failure::Internal(format!("the server's task ended: {error}"))))
}

async fn serve(
    options: Options,
    wal: Wal<Folder>,
    recovery: Recovery,
    files: Files<Folder>,
    snapshot: Found,
) -> Result<(), Failure> {
    let Options { id, cluster, .. } = options;
    let life = random_bits();
    let incarnation = recovery.incarnation;
    let nodes = nodes(&options);
    let config = Config {
        cluster,
        id,
        incarnation,
        founding: match options.join {
            true => Founding::Known(Configuration::unknown()),
            false => Founding::Meeting(nodes.clone()),
        },
        window: SLOTS_IN_FLIGHT_MAX as u64,
        timing: options.timing,
        election: options.election,
        reads: options.reads,
        lease: options.lease,
        tick_ms: u64::try_from(options.tick.as_millis()).unwrap_or(u64::MAX),
        life,
        snapshot_every_bytes: options.snapshot_every_bytes,
    };
    let durable = wal.durable();
    let seed = options.seed.unwrap_or(life ^ u64::from(id.0) << 48);
    let disk = Disk { snapshot, trimmed: recovery.trimmed, records: &recovery.records };
    let service = Service::restore(config, disk, seed, clock::now()).map_err(|error| {
        Failure::LogRefused(format!("{}: the log contradicts itself: {error}", options.data.display()))
    })?;
    drop(recovery);
    let told = Life { node: id, nodes: &nodes, pid: std::process::id(), incarnation: life };
    let trace = |file| Tracer::open(file, told, durable, &service);
    let tracer = options.trace.as_deref().map(trace).transpose()?;

    let listener = TcpListener::bind(&options.listen)
        .await
        .map_err(|error| Failure::Io(format!("can't listen on {}: {error}", options.listen)))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::Io(format!("can't tell where {} is: {error}", options.listen)))?;

    let progress = Arc::new(watch::Sender::new(LogProgress { durable, room: Room::Enough, failed: None }));
    let keeper = wal.keeper(wal.disk().beside());
    let told = Arc::clone(&progress);
    let keeper = KeeperThread::spawn(keeper, Box::new(move |result| tell_room(&told, result)))
        .map_err(|error| Failure::Io(format!("can't start the segments' thread: {error}")))?;
    let (filing, filed) = Filing::start(files)
        .map_err(|error| Failure::Io(format!("can't start the snapshots' thread: {error}")))?;
    let (senders, mut inbox) = Inbox::new(Arc::clone(&progress), filed, options.tick)
        .map_err(|error| Failure::Io(format!("can't wait for signals: {error}")))?;
    let log = LogThread::spawn(wal, Box::new(move |result| tell(&progress, result)))
        .map_err(|error| Failure::Io(format!("can't start the log's thread: {error}")))?;
    let clients = Arc::new(Clients::new(cluster, id));
    let gate = Arc::new(Gate::new(cluster, id, senders.clone(), Arc::clone(&clients)));
    tokio::spawn(Arc::clone(&gate).accept(listener));
    let own = Own { cluster, id, incarnation };
    let links = Links::start(own, &options.peers, life, &senders.events);
    announce(&options, address)?;

    let said = Said::of(&service);
    let (held, started) = (Held::new(durable), Instant::now());
    let released = Vec::new();
    let mut server = Server {
        id,
        service,
        log,
        keeper,
        room: Room::Enough,
        filing,
        held,
        released,
        tracer,
        links,
        peers: options.peers.clone(),
        dialled: (0, 0),
        clients,
        gate,
        senders,
        started,
        said,
    };
    match server.run(&mut inbox).await {
        Ok(signal) => server.stop(signal, &mut inbox).await,
        Err(failure) => {
            // At once: a disk that hangs must not keep a node alive that knows itself to be wrong.
            std::mem::forget(server);
            Err(failure)
        }
    }
}

fn nodes(options: &Options) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = options.peers.keys().copied().chain([options.id]).collect();
    nodes.sort_unstable();
    nodes
}

/// Runs on the log's thread: sets a value, waits for nobody.
fn tell(progress: &watch::Sender<LogProgress>, result: Result<Lsn, WalError>) {
    progress.send_modify(|progress| match result {
        Ok(durable) => progress.durable = durable,
        Err(error) => progress.failed = Some(error.to_string()),
    });
}

/// The same on the keeper's thread.
fn tell_room(progress: &watch::Sender<LogProgress>, result: Result<Room, WalError>) {
    progress.send_modify(|progress| match result {
        Ok(room) => progress.room = room,
        Err(error) => progress.failed = Some(error.to_string()),
    });
}

/// A number that differs in each life, whatever the clock does, with room to count on from there:
/// the standard library seeds its hash maps from the system's randomness.
fn random_bits() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) >> 1
}

/// Opens snapshots and log and says what was found.
fn recover(options: &Options) -> Result<(Wal<Folder>, Recovery, Files<Folder>, Found), Failure> {
    let refused = |error: WalError| {
        let text = error.to_string();
        if error.is_refusal() { Failure::LogRefused(text) } else { Failure::Io(text) }
    };
    let identity = Identity { cluster: options.cluster, node: options.id };
    let folder = Folder::open(&options.data).map_err(refused)?;
    let (files, snapshot) = Files::open(folder.beside(), identity).map_err(|error| {
        let text = error.to_string();
        if error.is_refusal() { Failure::LogRefused(text) } else { Failure::Io(text) }
    })?;
    // A segment is removed as a whole, so several make up what lies between two snapshots.
    let segment_bytes = (options.snapshot_every_bytes / SEGMENTS_PER_SNAPSHOT)
        .clamp(SEGMENT_BYTES_MIN, wal::Options::default().segment_bytes);
    let options_of_log = wal::Options {
        segment_bytes,
        ready_max: SEGMENTS_READY_MAX,
        incarnation: random_bits(),
        ..wal::Options::default()
    };
    let (wal, recovery) = Wal::open(folder, identity, options_of_log).map_err(refused)?;
    if !wal.disk().reads_directly() {
        console::say(
            options.id,
            "recovery: the file system can't be read past the page cache, which may show what the disk lacks",
        );
    }
    if let Some(Loaded { base, bytes, .. }) = &snapshot {
        let (slot, trimmed) = (base.slot, recovery.trimmed);
        console::say(
            options.id,
            format_args!(
                "recovery: a snapshot of slot {slot}, {bytes} bytes; {trimmed} records were trimmed"
            ),
        );
    }
    let count = recovery.records.len();
    let place = options.data.display();
    match (&recovery.outcome, recovery.fresh) {
        (_, true) => {
            console::say(options.id, format_args!("recovery: {place} is fresh, this node knows nothing"))
        }
        (Outcome::Clean, false) => {
            console::say(options.id, format_args!("recovery: {place} is clean, {count} records"));
        }
        (Outcome::TornTailCut(tail), false) => console::say(
            options.id,
            format_args!("recovery: {count} records; a torn tail, never acknowledged, was cut: {tail}"),
        ),
    }
    Ok((wal, recovery, files, snapshot))
}

/// Removes what an earlier life announced: until this one serves, nobody should look for it there.
fn retract(options: &Options) -> Result<(), Failure> {
    let Some(file) = &options.announce else { return Ok(()) };
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::Io(format!("can't remove the old {}: {error}", file.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Tells the world where the node serves: a file for programs, stdout and stderr for people.
fn announce(options: &Options, address: SocketAddr) -> Result<(), Failure> {
    if let Some(file) = &options.announce {
        write_whole(file, &address.to_string())
            .map_err(|error| Failure::Io(format!("can't write {}: {error}", file.display())))?;
    }
    let Options { id, cluster, .. } = options;
    console::say(*id, format_args!("serves cluster {cluster} at {address}, build {BUILD_ID}"));
    // Whoever closed our stdout doesn't want to know.
    let _ = writeln!(io::stdout(), "{id} of cluster {cluster} serves at {address}");
    Ok(())
}

/// All of it or nothing, for whoever polls the file.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".tmp");
    File::create(&draft)?.write_all(text.as_bytes())?;
    std::fs::rename(&draft, file)
}

#[cfg(feature = "mutants")]
fn remove_rule(options: &Options) -> Result<(), Failure> {
    use crate::mutants::{Mutant, activate};
    let Some(name) = &options.mutant else { return Ok(()) };
    let Some(mutant) = Mutant::by_name(name) else {
        return Err(Failure::Usage(format!("--mutant: no `{name}`; --list-mutants lists them")));
    };
    // The service will run on this thread, and only there; the log's threads take it over from here.
    activate(Some(mutant));
    console::say(options.id, format_args!("MUTANT {name}: {}", mutant.rule()));
    Ok(())
}

#[cfg(not(feature = "mutants"))]
fn remove_rule(options: &Options) -> Result<(), Failure> {
    match &options.mutant {
        None => Ok(()),
        Some(_) => Err(Failure::Usage("--mutant: this build has no mutants".to_owned())),
    }
}
