//! State machine replication, and what is assumed of machines and networks.

use crate::lab::{Lab, ballot, n, value};
use paxos_node::kv::{Batch, Command, Kv, Txn, TxnOp};
use paxos_node::paxos::{Ballot, Message, Slot, Value};
use paxos_node::sim::{Setup, Trace, Weather, simulate_setup};

#[test]
fn replicas_that_execute_the_same_log_reach_the_same_state() {
    let append = |key: &'static str, item: String| {
        let op = TxnOp::Append { key: key.into(), value: item.into() };
        Command::Execute { request: None, txn: Txn { ops: vec![op] } }
    };
    let log: Vec<Value> = (0..50)
        .map(|number| {
            let commands =
                vec![append("a", format!("{number}")), append("b", format!("{}", number * 7 % 11))];
            Value::Batch(Batch { time_ms: number, commands }.encode())
        })
        .collect();
    let (mut one, mut other) = (Kv::new(), Kv::new());
    for (slot, value) in (1..).map(Slot).zip(&log) {
        let replies = one.apply(slot, value).expect("a batch");
        assert_eq!(replies, other.apply(slot, value).expect("a batch"));
        assert_eq!(one.applied(), other.applied(), "equal prefixes, equal hashes");
    }
    let mut third = Kv::new();
    for (slot, value) in (1..).map(Slot).zip(log.iter().rev()) {
        third.apply(slot, value).expect("a batch");
    }
    assert_ne!(one.applied(), third.applied(), "another order is another state, and shows");
}

#[test]
fn five_machines_tolerate_two_faults_and_no_more() {
    let mut lab = Lab::led_by(n(1), 5);
    lab.propose(n(1), "a");
    lab.run_among(&[n(1), n(4), n(5)]);
    assert_eq!(lab.executed(n(1)), [(1, "-".into()), (2, "a".into())], "n2 and n3 are not missed");
    lab.propose(n(1), "b");
    lab.run_among(&[n(1), n(5)]);
    assert_eq!(lab.learned(n(1), 3), None, "n4 is");
}

#[test]
fn a_single_acceptor_is_a_cluster() {
    let mut lab = Lab::new(1);
    lab.elect(n(1));
    lab.propose(n(1), "a");
    assert_eq!(lab.learned(n(1), 2), None, "even alone, disk first");
    lab.sync(n(1));
    assert_eq!(lab.executed(n(1)), [(1, "-".into()), (2, "a".into())]);
}

#[test]
fn the_network_may_do_anything_but_corrupt() {
    let wild = Weather {
        lose: 150_000,
        duplicate: 250_000,
        delay_us_min: 50,
        delay_us_max: 20_000,
        late: 50_000,
        late_us_max: 900_000,
    };
    for seed in 0..10 {
        let mut setup = Setup::calm(5, 5_000_000);
        setup.conditions.weather = wild;
        let (result, _) = simulate_setup(&setup, seed, Trace::off());
        let summary = result.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert!(summary.calls.0 > 50, "seed {seed}: only {} calls got through", summary.calls.0);
    }
}

#[test]
fn a_duplicated_vote_counts_once() {
    let mut lab = Lab::led_by(n(1), 5);
    let slot = lab.propose(n(1), "a");
    lab.sync(n(1));
    for _ in 0..5 {
        lab.hand(n(2), n(1), Message::Accepted { ballot: ballot(1, 1), slot });
    }
    assert_eq!(lab.learned(n(1), slot.0), None, "n1 and n2 are two of five, however often n2 says so");
    lab.hand(n(3), n(1), Message::Accepted { ballot: ballot(1, 1), slot });
    assert_eq!(lab.learned(n(1), slot.0).as_deref(), Some("a"));
}

#[test]
fn one_flipped_bit_anywhere_in_a_frame_is_noticed() {
    use paxos_node::wire::{Frame, frame::PREFIX_BYTES, peer};
    let envelope = peer::Envelope { cluster: 7, from: n(1), to: n(2), message_id: 1 };
    let accept = Message::Accept {
        ballot: ballot(3, 1),
        slot: Slot(138),
        value: value("a value"),
        chosen_upto: Slot(134),
    };
    let mut bytes = bytes::BytesMut::new();
    peer::encode(&mut bytes, envelope, &accept).expect("a small frame");
    let frame = bytes[PREFIX_BYTES..].to_vec();
    assert_eq!(Frame::open(frame.clone().into()).and_then(|frame| peer::decode(&frame)), Ok(accept));
    for bit in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Frame::open(flipped.into()).is_err(), "bit {bit}: corruption must turn into loss");
    }
}

#[test]
fn an_acceptor_remembers_across_a_restart() {
    let mut lab = Lab::led_by(n(1), 3);
    let slot = lab.propose(n(1), "a");
    lab.run();
    lab.crash(n(2));
    assert_eq!(lab.replica(n(2)).promised(), ballot(1, 1));
    assert_eq!(lab.accepted(n(2), slot.0), Some((ballot(1, 1), "a".into())));
    lab.hand(n(3), n(2), Message::Prepare { ballot: Ballot { round: 1, node: n(0) }, from: Slot(1) });
    assert_eq!(lab.replica(n(2)).promised(), ballot(1, 1), "and it still refuses what is lower");
}

#[test]
fn a_cluster_that_lost_power_goes_on_where_it_was() {
    let mut lab = Lab::led_by(n(1), 3);
    lab.propose(n(1), "a");
    lab.run();
    for node in [n(1), n(2), n(3)] {
        lab.crash(node);
    }
    lab.lose_everything();
    lab.elect(n(3));
    for node in [n(1), n(2), n(3)] {
        assert_eq!(lab.learned(node, 2).as_deref(), Some("a"), "{node}");
    }
}
