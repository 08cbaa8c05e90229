//! The proxies against real sockets: what TCP shows is mirrored, and each fault does what it says.

use harness::proxy::policy::PPM;
use harness::proxy::{Counters, FrameReader, Link, LinkPolicy, Links, Mesh, PolicyError, STALL_BYTES_MAX};
use harness::system::{FrameInfo, NodeId};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const N1: NodeId = NodeId(1);
pub(crate) const N2: NodeId = NodeId(2);

/// Longer than any machine in distress needs; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough that something that flows would have come.
pub(crate) const SILENCE: Duration = Duration::from_millis(100);

/// A mesh of two nodes, of which node 2 listens here.
pub(crate) struct Bench {
    pub(crate) mesh: Mesh,
    pub(crate) node: TcpListener,
    pub(crate) link: Link,
}

impl Bench {
    /// The kind of a frame is its first byte: 'a' or anything else.
    pub(crate) fn framed() -> Bench {
        let reader: FrameReader = Arc::new(|frame: &[u8]| {
            let kind = if frame.first() == Some(&b'a') { "a" } else { "other" };
            Some(FrameInfo { kind, from: None, to: None, ballot: (0, 0), slots: (0, 0), message_id: 0 })
        });
        Bench::new(Some(reader))
    }

    pub(crate) fn plain() -> Bench {
        Bench::new(None)
    }

    pub(crate) fn new(frames: Option<FrameReader>) -> Bench {
        let mesh = Mesh::with_frames(&[N1, N2], frames, 42).unwrap();
        let node = TcpListener::bind("127.0.0.1:0").unwrap();
        mesh.set_upstream(N2, Some(node.local_addr().unwrap()));
        Bench { mesh, node, link: Link::between(N1, N2) }
    }

    pub(crate) fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.mesh.address(self.link).unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn accept(&self) -> TcpStream {
        let (stream, _) = self.node.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn connected(&self) -> (TcpStream, TcpStream) {
        let dialler = self.dial();
        (dialler, self.accept())
    }

    pub(crate) fn set(&self, policy: LinkPolicy) {
        self.mesh.set_links(Links::from([(self.link, policy)])).unwrap();
    }

    pub(crate) fn heal(&self) {
        self.mesh.set_links(Links::new()).unwrap();
    }

    pub(crate) fn counters(&self) -> Counters {
        self.mesh.counters(self.link)
    }

    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Counters) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.counters()) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.counters());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

pub(crate) fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).unwrap();
    let mut body = vec![0; u32::from_le_bytes(prefix) as usize];
    stream.read_exact(&mut body).unwrap();
    body
}

/// Everything up to FIN.
pub(crate) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

pub(crate) fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let result = stream.read(&mut [0; 1]);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    matches!(result, Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

pub(crate) fn is_reset(result: io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::ConnectionReset)
}

/// Closes with RST, as the kernel does for a killed process that had not read everything.
pub(crate) fn close_with_reset(stream: TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _inside = runtime.enter();
    tokio::net::TcpStream::from_std(stream).unwrap().set_zero_linger().unwrap();
}

#[test]
fn bytes_flow_both_ways_and_fin_follows_them() {
    for bench in [Bench::framed(), Bench::plain()] {
        let (mut dialler, mut node) = bench.connected();
        dialler.write_all(&frame(b"hello")).unwrap();
        // A frame cut short by the end of the stream arrives as it is.
        dialler.write_all(&frame(b"truncated")[..7]).unwrap();
        dialler.shutdown(std::net::Shutdown::Write).unwrap();
        let expected = [&frame(b"hello")[..], &frame(b"truncated")[..7]].concat();
        assert_eq!(read_all(&mut node), expected);
        node.write_all(&frame(b"answer")).unwrap();
        drop(node);
        assert_eq!(read_all(&mut dialler), frame(b"answer"));
        assert_eq!(bench.counters().connections, 1);
        assert_eq!(bench.counters().resets, 0);
    }
}

#[test]
fn a_reset_passes_on_both_ways() {
    let bench = Bench::framed();
    let (dialler, mut node) = bench.connected();
    close_with_reset(dialler);
    assert!(is_reset(node.read(&mut [0; 1])));
    let (mut dialler, node) = bench.connected();
    close_with_reset(node);
    assert!(is_reset(dialler.read(&mut [0; 1])));
    // A node that resets before the proxy has seen its dial succeed counts as refusing.
    assert_eq!(bench.counters().resets + bench.counters().refused, 2);
}

#[test]
fn a_node_that_is_down_refuses_and_may_come_back_elsewhere() {
    let mut bench = Bench::framed();
    bench.mesh.set_upstream(N2, None);
    assert!(is_reset(bench.dial().read(&mut [0; 1])), "known to be down");
    bench.mesh.set_upstream(N2, Some(bench.node.local_addr().unwrap()));
    bench.node = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(is_reset(bench.dial().read(&mut [0; 1])), "nobody listens where it was");
    bench.mesh.set_upstream(N2, Some(bench.node.local_addr().unwrap()));
    let (mut dialler, mut node) = bench.connected();
    dialler.write_all(&frame(b"again")).unwrap();
    assert_eq!(read_frame(&mut node), b"again");
    assert_eq!(bench.counters().refused, 2);
}

#[test]
fn a_cut_stalls_both_directions_and_healing_lets_everything_flow() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    dialler.write_all(&frame(b"before")).unwrap();
    assert_eq!(read_frame(&mut node), b"before");
    let earlier = bench.counters();
    bench.set(LinkPolicy::cut());
    assert!(!bench.counters().since(&earlier).shows_cut(), "nothing came, nothing was stalled");
    dialler.write_all(&frame(b"during")).unwrap();
    node.write_all(&frame(b"back")).unwrap();
    assert!(is_silent(&mut node));
    assert!(is_silent(&mut dialler));
    bench.wait_for("both frames stalled", |now| now.since(&earlier).stalled_bytes == (4 + 6) + (4 + 4));
    // Not even the end of the connection shows.
    dialler.write_all(&frame(b"last")).unwrap();
    dialler.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(is_silent(&mut node));
    bench.heal();
    assert_eq!(read_frame(&mut node), b"during");
    assert_eq!(read_frame(&mut node), b"last");
    assert_eq!(read_frame(&mut dialler), b"back");
    assert_eq!(read_all(&mut node), b"");
}

#[test]
fn a_reset_during_a_cut_shows_only_when_it_heals() {
    let bench = Bench::framed();
    let (dialler, mut node) = bench.connected();
    bench.set(LinkPolicy::cut());
    close_with_reset(dialler);
    assert!(is_silent(&mut node));
    bench.heal();
    assert!(is_reset(node.read(&mut [0; 1])));
}

#[test]
fn a_connection_made_during_a_cut_reaches_the_node_when_it_heals() {
    let bench = Bench::framed();
    bench.set(LinkPolicy::cut());
    let mut patient = bench.dial();
    patient.write_all(&frame(b"patient")).unwrap();
    let mut hasty = bench.dial();
    hasty.write_all(&frame(b"hasty")).unwrap();
    bench.wait_for("both wait", |now| now.stalled_connections == 2);
    drop(hasty);
    bench.node.set_nonblocking(true).unwrap();
    thread::sleep(SILENCE);
    assert_eq!(bench.node.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    bench.node.set_nonblocking(false).unwrap();
    bench.heal();
    let mut node = bench.accept();
    assert_eq!(read_frame(&mut node), b"patient");
    // The other dialler had given up: a real partition would never have let it through.
    bench.node.set_nonblocking(true).unwrap();
    thread::sleep(SILENCE);
    assert_eq!(bench.node.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_cut_link_pushes_back_after_a_bounded_amount() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy::cut());
    dialler.set_write_timeout(Some(SILENCE)).unwrap();
    let message = frame(&[7; 1000]);
    let mut written = 0;
    let refused = loop {
        match dialler.write(&message[written % message.len()..]) {
            Ok(bytes) => written += bytes,
            Err(error) => break error,
        }
        assert!(written < 64 << 20, "no back-pressure");
    };
    assert!(matches!(refused.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    let stalled = bench.counters().stalled_bytes as usize;
    assert!((STALL_BYTES_MAX..STALL_BYTES_MAX * 3).contains(&stalled), "{stalled}");
    bench.heal();
    let reader = thread::spawn(move || read_all(&mut node).len());
    drop(dialler);
    assert_eq!(reader.join().unwrap(), written, "nothing was lost");
}

#[test]
fn a_slow_reader_slows_its_writer_down() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    dialler.set_write_timeout(Some(SILENCE)).unwrap();
    let message = frame(&[7; 10_000]);
    let mut written = 0;
    while let Ok(bytes) = dialler.write(&message[written % message.len()..]) {
        written += bytes;
        assert!(written < 256 << 20, "no back-pressure");
    }
    let reader = thread::spawn(move || read_all(&mut node).len());
    drop(dialler);
    assert_eq!(reader.join().unwrap(), written, "nothing was lost");
}

#[test]
fn delay_keeps_order_and_takes_its_time() {
    for bench in [Bench::framed(), Bench::plain()] {
        let (mut dialler, mut node) = bench.connected();
        bench.set(LinkPolicy { delay_us: 50_000, jitter_us: 30_000, ..LinkPolicy::default() });
        let start = Instant::now();
        for number in 0..100u8 {
            dialler.write_all(&frame(&[number])).unwrap();
        }
        for number in 0..100u8 {
            assert_eq!(read_frame(&mut node), [number]);
        }
        assert!(start.elapsed() >= Duration::from_millis(50), "{:?}", start.elapsed());
        assert!(bench.counters().delayed > 0);
        assert_eq!(bench.counters().reordered, 0);
    }
}

#[test]
fn only_frames_of_the_kinds_named_are_dropped() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    let kinds = Some(["a".to_owned()].into());
    bench.set(LinkPolicy { drop_ppm: PPM, kinds, ..LinkPolicy::default() });
    for body in [b"a1", b"b1", b"a2", b"b2"] {
        dialler.write_all(&frame(body)).unwrap();
    }
    drop(dialler);
    assert_eq!(read_all(&mut node), [frame(b"b1"), frame(b"b2")].concat());
    assert_eq!(bench.counters().dropped, 2);
}

#[test]
fn duplicates_come_whole_and_exactly_twice() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy { duplicate_ppm: PPM, ..LinkPolicy::default() });
    for number in 0..50u8 {
        dialler.write_all(&frame(&[number])).unwrap();
    }
    drop(dialler);
    let mut seen = [0; 50];
    for chunk in read_all(&mut node).chunks(5) {
        assert_eq!(chunk[..4], [1, 0, 0, 0]);
        seen[usize::from(chunk[4])] += 1;
    }
    assert_eq!(seen, [2; 50]);
    assert_eq!(bench.counters().duplicated, 50);
    assert_eq!(bench.counters().forwarded, 100);
}

#[test]
fn reordering_loses_nothing_and_is_counted_only_where_it_bit() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy { reorder_ppm: PPM / 2, ..LinkPolicy::default() });
    for number in 0..100u8 {
        dialler.write_all(&frame(&[number])).unwrap();
    }
    drop(dialler);
    let order: Vec<u8> = read_all(&mut node).chunks(5).map(|chunk| chunk[4]).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<u8>>());
    assert_ne!(order, sorted);
    assert!(bench.counters().reordered > 0);
}

#[test]
fn clients_requests_and_their_answers_are_doubled() {
    let mut bench = Bench::framed();
    bench.link = Link::clients(N2);
    let (mut client, mut node) = bench.connected();
    bench.set(LinkPolicy { duplicate_ppm: PPM, ..LinkPolicy::default() });
    client.write_all(&frame(b"ask")).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut node), [frame(b"ask"), frame(b"ask")].concat());
    node.write_all(&frame(b"answer")).unwrap();
    drop(node);
    assert_eq!(read_all(&mut client), [frame(b"answer"), frame(b"answer")].concat());
}

#[test]
fn a_map_that_asks_too_much_is_refused_as_a_whole() {
    let bench = Bench::plain();
    bench.set(LinkPolicy::cut());
    let lossy = LinkPolicy { drop_ppm: 1, ..LinkPolicy::default() };
    let other = Link::clients(N1);
    let refused = bench.mesh.set_links(Links::from([(other, LinkPolicy::cut()), (bench.link, lossy)]));
    assert_eq!(refused, Err(PolicyError::NeedsFrames(bench.link)));
    let nowhere = Link::between(N1, NodeId(9));
    let refused = bench.mesh.set_links(Links::from([(nowhere, LinkPolicy::cut())]));
    assert_eq!(refused, Err(PolicyError::NoSuchLink(nowhere)));
    assert_eq!(*bench.mesh.policies(), Links::from([(bench.link, LinkPolicy::cut())]));
}

#[test]
fn garbage_passes_unharmed_so_that_the_node_can_refuse_it() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy { drop_ppm: PPM, ..LinkPolicy::default() });
    let garbage = b"GET / HTTP/1.1\r\n\r\n";
    dialler.write_all(garbage).unwrap();
    drop(dialler);
    assert_eq!(read_all(&mut node), garbage);
}

#[test]
fn every_ordered_pair_and_every_client_has_its_own_address() {
    let mesh = Mesh::with_frames(&[N1, N2, NodeId(3)], None, 1).unwrap();
    let mut addresses: Vec<_> = mesh.links().map(|link| mesh.address(link).unwrap()).collect();
    assert_eq!(addresses.len(), 3 * 2 + 3);
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 9);
    let peers: Vec<NodeId> = mesh.peers(N2).into_iter().map(|(node, _)| node).collect();
    assert_eq!(peers, [N1, NodeId(3)]);
    assert!(mesh.is_running());
}

#[test]
fn a_cut_that_lasts_too_long_resets_what_it_found_on_both_sides() {
    let limit = Duration::from_millis(200);
    let mesh = Mesh::with_cut_limit(&[N1, N2], None, 1, limit).unwrap();
    let bench = Bench { mesh, ..Bench::plain() };
    bench.mesh.set_upstream(N2, Some(bench.node.local_addr().unwrap()));
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy::cut());
    let start = Instant::now();
    let mut waiting = bench.dial();
    dialler.write_all(b"lost").unwrap();
    assert!(is_reset(dialler.read(&mut [0; 1])));
    assert!(is_reset(node.read(&mut [0; 1])));
    assert!(is_reset(waiting.read(&mut [0; 1])));
    assert!(start.elapsed() >= limit);
    bench.heal();
    let (mut dialler, mut node) = bench.connected();
    dialler.write_all(b"again").unwrap();
    drop(dialler);
    assert_eq!(read_all(&mut node), b"again");
}
