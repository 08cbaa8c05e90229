//! The proxies' other faults against real sockets: damage, bandwidth, half-open connections, held
//! frames, resets; and the watches, which see frames and may change what becomes of them.

use crate::proxy::{
    Bench, N1, N2, SILENCE, close_with_reset, frame, is_reset, is_silent, read_all, read_frame,
};
use harness::proxy::policy::PPM;
use harness::proxy::{
    HELD_BYTES_MAX, Link, LinkPolicy, Links, PolicyError, SIGHTINGS_MAX, STALL_BYTES_MAX, Watch,
};
use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

fn kinds(kind: &str) -> Option<BTreeSet<String>> {
    Some([kind.to_owned()].into())
}

fn hold(kinds: Option<BTreeSet<String>>) -> LinkPolicy {
    LinkPolicy { hold: true, kinds, ..LinkPolicy::default() }
}

fn half_open() -> LinkPolicy {
    LinkPolicy { half_open: true, ..LinkPolicy::default() }
}

fn nobody_comes(bench: &Bench) {
    bench.node.set_nonblocking(true).unwrap();
    thread::sleep(SILENCE);
    assert_eq!(bench.node.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    bench.node.set_nonblocking(false).unwrap();
}

// ---- Corrupt -------------------------------------------------------------------------------------

#[test]
fn damage_leaves_length_and_order_as_they_were() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy { corrupt_ppm: PPM, kinds: kinds("a"), ..LinkPolicy::default() });
    for number in 0..100u8 {
        dialler.write_all(&frame(&[b'a', number, 0])).unwrap();
        dialler.write_all(&frame(&[b'b', number, 0])).unwrap();
    }
    drop(dialler);
    let all = read_all(&mut node);
    assert_eq!(all.len(), 200 * 7);
    for (pair, number) in all.chunks(14).zip(0u8..) {
        assert_eq!(pair[..4], [3, 0, 0, 0]);
        let changed = pair[4..7].iter().zip([b'a', number, 0]).filter(|&(&is, was)| is != was);
        assert_eq!(changed.count(), 1, "frame {number}: {pair:?}");
        assert_eq!(pair[7..], frame(&[b'b', number, 0]));
    }
    assert_eq!(bench.counters().corrupted, 100);
}

// ---- Bandwidth -----------------------------------------------------------------------------------

#[test]
fn bandwidth_takes_its_time_each_way_and_loses_nothing() {
    for bench in [Bench::framed(), Bench::plain()] {
        let (mut dialler, mut node) = bench.connected();
        bench.set(LinkPolicy { bytes_per_s: NonZeroU64::new(20_000), ..LinkPolicy::default() });
        let messages: Vec<u8> = (0..100u8).flat_map(|number| frame(&[number; 96])).collect();
        let start = Instant::now();
        dialler.write_all(&messages).unwrap();
        node.write_all(&messages).unwrap();
        dialler.shutdown(Shutdown::Write).unwrap();
        node.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut node), messages);
        assert_eq!(read_all(&mut dialler), messages);
        // 10,000 bytes each way at 20,000 per second, and 400 at once.
        assert!(start.elapsed() >= Duration::from_millis(480), "{:?}", start.elapsed());
        let counters = bench.counters();
        assert!((10_000..=20_000).contains(&counters.throttled_bytes), "{counters:?}");
    }
}

#[test]
fn the_connections_of_a_link_share_its_bandwidth() {
    let bench = Bench::framed();
    let (mut first, mut first_node) = bench.connected();
    let (mut second, mut second_node) = bench.connected();
    bench.set(LinkPolicy { bytes_per_s: NonZeroU64::new(20_000), ..LinkPolicy::default() });
    let start = Instant::now();
    first.write_all(&frame(&[1; 4996])).unwrap();
    second.write_all(&frame(&[2; 4996])).unwrap();
    assert_eq!(read_frame(&mut first_node), [1; 4996]);
    assert_eq!(read_frame(&mut second_node), [2; 4996]);
    assert!(start.elapsed() >= Duration::from_millis(480), "{:?}", start.elapsed());
}

#[test]
fn a_throttled_link_is_felt_by_its_sender_and_flows_at_full_speed_again() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy { bytes_per_s: NonZeroU64::new(1), ..LinkPolicy::default() });
    dialler.set_write_timeout(Some(SILENCE)).unwrap();
    let message = frame(&[7; 1000]);
    let mut written = 0;
    while let Ok(bytes) = dialler.write(&message[written % message.len()..]) {
        written += bytes;
        assert!(written < 64 << 20, "no back-pressure");
    }
    let throttled = bench.counters().throttled_bytes as usize;
    assert!((STALL_BYTES_MAX / 2..STALL_BYTES_MAX * 3).contains(&throttled), "{throttled}");
    bench.heal();
    let reader = thread::spawn(move || read_all(&mut node).len());
    drop(dialler);
    assert_eq!(reader.join().unwrap(), written, "nothing was lost");
}

#[test]
fn a_burst_beyond_the_short_queue_flows_without_another_byte_to_wake_it() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy { bytes_per_s: NonZeroU64::new(1 << 40), ..LinkPolicy::default() });
    for _ in 0..20 {
        let burst = frame(&[7; 1000]).repeat(200);
        dialler.write_all(&burst).unwrap();
        let mut all = vec![0; burst.len()];
        node.read_exact(&mut all).unwrap();
        assert_eq!(all, burst);
    }
}

// ---- Half-open -----------------------------------------------------------------------------------

#[test]
fn while_half_open_neither_end_hears_of_the_others_end() {
    // How an end goes, and which one.
    for (with_reset, node_goes) in [(false, false), (false, true), (true, false), (true, true)] {
        let bench = Bench::framed();
        let (mut dialler, mut node) = bench.connected();
        bench.set(half_open());
        dialler.write_all(&frame(b"both live")).unwrap();
        assert_eq!(read_frame(&mut node), b"both live");
        let (goes, mut stays) = if node_goes { (node, dialler) } else { (dialler, node) };
        if with_reset {
            close_with_reset(goes)
        } else {
            drop(goes)
        }
        bench.wait_for("the end is swallowed", |now| now.swallowed_ends == 1);
        stays.write_all(&frame(b"to nobody")).unwrap();
        bench.wait_for("so are bytes", |now| now.swallowed_bytes == 13);
        assert!(is_silent(&mut stays));
        bench.heal();
        assert!(is_reset(stays.read(&mut [0; 1])), "with reset {with_reset}, node goes {node_goes}");
        assert_eq!(bench.counters().resets, 1);
    }
}

#[test]
fn what_was_sent_before_an_end_that_is_swallowed_still_arrives() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(LinkPolicy { delay_us: 50_000, ..half_open() });
    dialler.write_all(&frame(b"last words")).unwrap();
    drop(dialler);
    assert_eq!(read_frame(&mut node), b"last words");
    assert!(is_silent(&mut node));
}

#[test]
fn half_open_connections_with_both_ends_alive_survive_the_heal() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(half_open());
    let mut waiting = bench.dial();
    waiting.write_all(&frame(b"waited")).unwrap();
    bench.wait_for("the new one waits", |now| now.stalled_connections == 1);
    nobody_comes(&bench);
    bench.heal();
    assert_eq!(read_frame(&mut bench.accept()), b"waited");
    dialler.write_all(&frame(b"still here")).unwrap();
    assert_eq!(read_frame(&mut node), b"still here");
    assert_eq!((bench.counters().resets, bench.counters().swallowed_ends), (0, 0));
}

#[test]
fn a_half_open_connection_that_loses_both_ends_is_gone() {
    let bench = Bench::framed();
    let (dialler, node) = bench.connected();
    bench.set(half_open());
    drop(dialler);
    bench.wait_for("one end is swallowed", |now| now.swallowed_ends == 1);
    drop(node);
    bench.wait_for("and the other", |now| now.swallowed_ends == 2);
    bench.heal();
    let (mut dialler, mut node) = bench.connected();
    dialler.write_all(&frame(b"anew")).unwrap();
    assert_eq!(read_frame(&mut node), b"anew");
    assert_eq!(bench.counters().resets, 0);
}

// ---- Hold ----------------------------------------------------------------------------------------

#[test]
fn held_frames_are_let_go_in_order_each_exactly_once() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(hold(kinds("a")));
    for number in 0..100u8 {
        dialler.write_all(&frame(&[b'a', number])).unwrap();
        dialler.write_all(&frame(&[b'b', number])).unwrap();
    }
    for number in 0..100u8 {
        assert_eq!(read_frame(&mut node), [b'b', number]);
    }
    assert!(is_silent(&mut node));
    // Another change that still holds them changes nothing.
    bench.set(LinkPolicy { delay_us: 1, ..hold(kinds("a")) });
    assert!(is_silent(&mut node));
    bench.heal();
    for number in 0..100u8 {
        assert_eq!(read_frame(&mut node), [b'a', number]);
    }
    dialler.write_all(&frame(b"after")).unwrap();
    assert_eq!(read_frame(&mut node), b"after");
    let counters = bench.counters();
    assert_eq!((counters.held, counters.released), (100, 100));
    assert_eq!((counters.released_later, counters.held_lost), (0, 0));
}

#[test]
fn held_frames_outlive_both_connections_and_come_first_on_the_next() {
    let bench = Bench::framed();
    bench.set(hold(kinds("a")));
    // Two connections end while their frames are held, one by FIN, one by RST.
    let (mut first, mut first_node) = bench.connected();
    first.write_all(&[frame(b"a1"), frame(b"a2"), frame(b"b1")].concat()).unwrap();
    assert_eq!(read_frame(&mut first_node), b"b1");
    drop(first);
    assert_eq!(read_all(&mut first_node), b"", "the end is passed on");
    drop(first_node);
    let (mut second, mut second_node) = bench.connected();
    second.write_all(&[frame(b"a3"), frame(b"b2")].concat()).unwrap();
    assert_eq!(read_frame(&mut second_node), b"b2");
    close_with_reset(second);
    assert!(is_reset(second_node.read(&mut [0; 1])));
    bench.heal();
    assert_eq!((bench.counters().held, bench.counters().released), (3, 0));
    let (mut third, mut third_node) = bench.connected();
    third.write_all(&frame(b"b3")).unwrap();
    drop(third);
    let expected = [frame(b"a1"), frame(b"a2"), frame(b"a3"), frame(b"b3")].concat();
    assert_eq!(read_all(&mut third_node), expected);
    let counters = bench.counters();
    assert_eq!((counters.released, counters.released_later, counters.held_lost), (3, 3, 0));
}

#[test]
fn a_connection_that_stands_at_the_heal_carries_the_frames_of_the_one_before() {
    let bench = Bench::framed();
    bench.set(hold(None));
    let (mut first, mut first_node) = bench.connected();
    first.write_all(&frame(b"older")).unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut first_node), b"");
    let (mut second, mut second_node) = bench.connected();
    second.write_all(&frame(b"newer")).unwrap();
    bench.wait_for("both are held", |now| now.held == 2);
    bench.heal();
    // The first connection's way back still stands, but nothing goes to the node on it.
    assert_eq!(read_frame(&mut second_node), b"older");
    assert_eq!(read_frame(&mut second_node), b"newer");
    assert_eq!((bench.counters().released, bench.counters().released_later), (2, 1));
}

#[test]
fn kinds_are_let_go_one_by_one() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    let mut both = hold(kinds("a"));
    both.add(&hold(kinds("other")));
    bench.set(both);
    dialler.write_all(&[frame(b"a"), frame(b"b"), frame(b"a")].concat()).unwrap();
    bench.wait_for("all are held", |now| now.held == 3);
    bench.set(hold(kinds("a")));
    assert_eq!(read_frame(&mut node), b"b");
    assert!(is_silent(&mut node));
    bench.heal();
    assert_eq!(read_frame(&mut node), b"a");
    assert_eq!(read_frame(&mut node), b"a");
}

#[test]
fn held_requests_of_a_client_that_is_gone_come_on_a_connection_of_their_own() {
    let mut bench = Bench::framed();
    bench.link = Link::clients(N2);
    bench.set(hold(None));
    let (mut gone, mut gone_node) = bench.connected();
    gone.write_all(&frame(b"ask")).unwrap();
    bench.wait_for("the request is held", |now| now.held == 1);
    gone_node.write_all(&frame(b"answer")).unwrap();
    bench.wait_for("the answer too", |now| now.held == 2);
    drop(gone);
    assert_eq!(read_all(&mut gone_node), b"");
    drop(gone_node);
    bench.wait_for("nobody can hear the answer any more", |now| now.held_lost == 1);
    let (mut stays, mut stays_node) = bench.connected();
    bench.heal();
    let mut late = bench.accept();
    assert_eq!(read_all(&mut late), frame(b"ask"));
    late.write_all(&frame(b"to nobody")).unwrap();
    drop(late);
    bench.wait_for("it is let go", |now| now.released_later == 1);
    assert!(is_silent(&mut stays));
    assert!(is_silent(&mut stays_node));
    stays.write_all(&frame(b"own")).unwrap();
    assert_eq!(read_frame(&mut stays_node), b"own");
}

#[test]
fn holding_is_bounded_and_what_had_to_go_is_counted() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.set(hold(kinds("a")));
    let big = frame(&[b'a'; (1 << 20) - 4]);
    for _ in 0..HELD_BYTES_MAX / big.len() + 3 {
        dialler.write_all(&big).unwrap();
    }
    dialler.write_all(&frame(b"b")).unwrap();
    assert_eq!(read_frame(&mut node), b"b");
    assert_eq!(bench.counters().held_lost, 3);
    bench.heal();
    drop(dialler);
    assert_eq!(read_all(&mut node).len(), HELD_BYTES_MAX);
    // There is room again.
    let (mut dialler, mut node) = bench.connected();
    bench.set(hold(None));
    dialler.write_all(&big).unwrap();
    bench.wait_for("held again", |now| now.held == 16 + 3 + 1);
    bench.heal();
    assert_eq!(read_frame(&mut node).len() + 4, big.len());
    assert_eq!(bench.counters().held_lost, 3);
}

// ---- Reset ---------------------------------------------------------------------------------------

#[test]
fn a_reset_hits_both_sides_of_all_connections_of_its_links_once() {
    let bench = Bench::framed();
    let mut pairs: Vec<(TcpStream, TcpStream)> = (0..3).map(|_| bench.connected()).collect();
    bench.set(half_open());
    let mut waiting = bench.dial();
    bench.wait_for("one waits", |now| now.stalled_connections == 1);
    let links =
        BTreeSet::from([bench.link, Link::clients(N1), Link::between(N1, harness::system::NodeId(9))]);
    assert_eq!(bench.mesh.reset(&BTreeSet::from([Link::clients(N2)])), 0);
    assert_eq!(bench.mesh.reset(&links), 4);
    for (dialler, node) in &mut pairs {
        assert!(is_reset(dialler.read(&mut [0; 1])));
        assert!(is_reset(node.read(&mut [0; 1])));
    }
    assert!(is_reset(waiting.read(&mut [0; 1])));
    assert_eq!(bench.mesh.reset(&links), 0, "there are none any more");
    bench.heal();
    let (mut dialler, mut node) = bench.connected();
    dialler.write_all(&frame(b"anew")).unwrap();
    assert_eq!(read_frame(&mut node), b"anew");
    assert_eq!(bench.counters().resets, 4);
}

// ---- Watches -------------------------------------------------------------------------------------

fn watch(bench: &Bench, id: u64, kinds: Option<BTreeSet<String>>) -> Watch {
    Watch { id, kinds, links: [bench.link].into(), ..Watch::default() }
}

fn nth(number: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(number)
}

#[test]
fn watches_see_what_they_wait_for_both_ways_and_nothing_else() {
    let mut bench = Bench::framed();
    bench.link = Link::clients(N2);
    let (mut client, mut node) = bench.connected();
    let mut sightings = bench.mesh.sightings().unwrap();
    assert!(bench.mesh.sightings().is_none());
    let second = Watch { nth: nth(2), ..watch(&bench, 2, None) };
    let elsewhere = Watch { links: [Link::clients(N1)].into(), ..watch(&bench, 3, None) };
    bench.mesh.watch(vec![watch(&bench, 1, kinds("a")), second, elsewhere]).unwrap();
    client.write_all(&[frame(b"b1"), frame(b"a1")].concat()).unwrap();
    assert_eq!(read_frame(&mut node), b"b1");
    assert_eq!(read_frame(&mut node), b"a1");
    node.write_all(&frame(b"a2")).unwrap();
    assert_eq!(read_frame(&mut client), b"a2");
    let mut seen = Vec::new();
    while let Ok(sighting) = sightings.try_recv() {
        assert!(!sighting.swapped && sighting.link == bench.link);
        seen.push((sighting.watch, sighting.number, sighting.info.kind));
    }
    assert_eq!(seen, [(1, 1, "a"), (2, 2, "a"), (1, 2, "a")]);
    // A watch that stays goes on counting, a new one starts, and one that is gone sees no more.
    bench.mesh.watch(vec![watch(&bench, 1, kinds("a")), watch(&bench, 4, kinds("a"))]).unwrap();
    client.write_all(&frame(b"a3")).unwrap();
    assert_eq!(read_frame(&mut node), b"a3");
    let seen: Vec<_> =
        std::iter::from_fn(|| sightings.try_recv().ok()).map(|s| (s.watch, s.number)).collect();
    assert_eq!(seen, [(1, 3), (4, 1)]);
    assert_eq!(bench.mesh.sightings_lost(), 0);
}

#[test]
fn nobody_waits_for_a_reader_of_sightings_and_lost_ones_are_counted() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    bench.mesh.watch(vec![watch(&bench, 1, None)]).unwrap();
    let reader = thread::spawn(move || read_all(&mut node).len());
    let messages = frame(b"a").repeat(SIGHTINGS_MAX + 5);
    dialler.write_all(&messages).unwrap();
    drop(dialler);
    assert_eq!(reader.join().unwrap(), messages.len());
    assert_eq!(bench.mesh.sightings_lost(), 5);
    let mut sightings = bench.mesh.sightings().unwrap();
    assert_eq!(std::iter::from_fn(|| sightings.try_recv().ok()).count(), SIGHTINGS_MAX);
}

#[test]
fn the_third_of_its_kind_and_everything_after_it_is_dropped_exactly() {
    for _ in 0..20 {
        let bench = Bench::framed();
        let (mut dialler, mut node) = bench.connected();
        let mut sightings = bench.mesh.sightings().unwrap();
        let then = Links::from([(bench.link, LinkPolicy { drop_ppm: PPM, ..LinkPolicy::default() })]);
        let third = Watch { nth: nth(3), then: Some(then.clone()), ..watch(&bench, 7, kinds("a")) };
        bench.mesh.watch(vec![third]).unwrap();
        let bodies: [&[u8]; 7] = [b"a1", b"b1", b"a2", b"b2", b"a3", b"b3", b"a4"];
        let batch: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
        dialler.write_all(&batch).unwrap();
        drop(dialler);
        let passed: Vec<u8> = bodies[..4].iter().flat_map(|body| frame(body)).collect();
        assert_eq!(read_all(&mut node), passed);
        let sighting = sightings.try_recv().unwrap();
        assert_eq!((sighting.watch, sighting.number, sighting.swapped), (7, 3, true));
        assert!(sightings.try_recv().is_err());
        assert_eq!(*bench.mesh.policies(), then);
        assert_eq!(bench.counters().dropped, 3);
    }
}

#[test]
fn a_frame_that_cuts_its_own_link_waits_for_the_heal_and_is_seen_once() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    let mut sightings = bench.mesh.sightings().unwrap();
    let then = Links::from([(bench.link, LinkPolicy::cut())]);
    let first = Watch { then: Some(then), ..watch(&bench, 1, kinds("a")) };
    bench.mesh.watch(vec![first]).unwrap();
    dialler.write_all(&[frame(b"b1"), frame(b"a1"), frame(b"b2")].concat()).unwrap();
    assert_eq!(read_frame(&mut node), b"b1");
    assert!(is_silent(&mut node));
    bench.wait_for("both stalled", |now| now.stalled_bytes == 12);
    bench.heal();
    assert_eq!(read_frame(&mut node), b"a1");
    assert_eq!(read_frame(&mut node), b"b2");
    assert!(sightings.try_recv().unwrap().swapped);
    assert!(sightings.try_recv().is_err());
}

#[test]
fn a_new_map_set_with_its_watches_is_safe_from_the_old_ones() {
    let bench = Bench::framed();
    let (mut dialler, mut node) = bench.connected();
    let then = Links::from([(bench.link, LinkPolicy::cut())]);
    let first = Watch { then: Some(then), ..watch(&bench, 1, kinds("a")) };
    bench.mesh.set(Links::new(), vec![first]).unwrap();
    bench.mesh.set(Links::new(), vec![]).unwrap();
    dialler.write_all(&frame(b"a")).unwrap();
    assert_eq!(read_frame(&mut node), b"a");
    assert!(bench.mesh.policies().is_empty());
}

#[test]
fn senseless_watches_are_refused_as_a_whole() {
    let bench = Bench::framed();
    let good = watch(&bench, 1, None);
    let twice = bench.mesh.watch(vec![good.clone(), good.clone()]);
    assert_eq!(twice, Err(PolicyError::WatchTwice(1)));
    let nowhere = Link::between(N2, harness::system::NodeId(9));
    let lost = Watch { links: [nowhere].into(), ..good.clone() };
    assert_eq!(bench.mesh.watch(vec![lost]), Err(PolicyError::NoSuchLink(nowhere)));
    let over = LinkPolicy { drop_ppm: PPM + 1, ..LinkPolicy::default() };
    let bad = Watch { then: Some(Links::from([(bench.link, over)])), ..good.clone() };
    assert!(matches!(bench.mesh.watch(vec![bad]), Err(PolicyError::Share { .. })));
    let plain = Bench::plain();
    let refused = plain.mesh.set(Links::from([(plain.link, LinkPolicy::cut())]), vec![good]);
    assert_eq!(refused, Err(PolicyError::NeedsFrames(plain.link)));
    assert!(plain.mesh.policies().is_empty(), "neither of the two");
}
