//! Multi-Paxos: many slots, their gaps, and what they cost.

use crate::lab::{Lab, ballot, n, text, value};
use paxos_node::paxos::{CHUNK_BYTES_MAX, Message, RoleName, Slot};

/// Slots 1 to 134 are chosen, and everybody knows; 138 is chosen, and only n1 and n2 have it.
/// In 135 to 137 nothing is chosen; n1 alone accepted something there.
fn slots_1_to_134_and_138() -> Lab {
    let mut lab = Lab::led_by(n(1), 3);
    for slot in 2..=134 {
        assert_eq!(lab.propose(n(1), &format!("command {slot}")), Slot(slot));
        lab.run();
    }
    lab.heartbeat(n(1));
    lab.run();
    for slot in 135..=137 {
        lab.propose(n(1), &format!("command {slot}"));
    }
    lab.sync(n(1));
    lab.lose_everything();
    lab.propose(n(1), "command 138");
    lab.deliver(n(1), n(2));
    for node in [n(1), n(2)] {
        lab.sync(node);
    }
    lab
}

#[test]
fn a_new_leader_knows_slots_1_to_134_and_138() {
    let mut lab = slots_1_to_134_and_138();
    lab.deliver(n(2), n(1));
    assert_eq!(lab.learned(n(1), 138).as_deref(), Some("command 138"), "the vote of n2 made it chosen");
    lab.lose_everything();
    lab.campaign(n(3));
    lab.sync(n(3));
    lab.deliver(n(3), n(1));
    lab.sync(n(1));
    let answer = lab.take(n(1), n(3));
    let [Message::Promise { from, slots, next, .. }] = answer.as_slice() else { panic!("{answer:?}") };
    assert_eq!((*from, *next), (Slot(135), None), "what lies below, both know");
    let reported: Vec<(u64, bool)> = slots.iter().map(|report| (report.slot.0, report.learned)).collect();
    assert_eq!(reported, [(135, false), (136, false), (137, false), (138, true)]);
    lab.hand(n(1), n(3), answer[0].clone());
    assert_eq!(lab.replica(n(3)).role(), RoleName::Leader);
    assert_eq!(lab.replica(n(3)).chosen_upto(), Slot(134), "1 to 134,");
    assert_eq!(lab.learned(n(3), 138).as_deref(), Some("command 138"), "and 138,");
    assert_eq!((135..=137).filter_map(|slot| lab.learned(n(3), slot)).count(), 0, "and nothing in between");
}

/// A candidate may lag behind: were executed slots left out, it would fill them with no-ops.
#[test]
fn a_promise_reports_executed_slots_too() {
    let mut lab = Lab::led_by(n(1), 3);
    lab.propose(n(1), "a");
    lab.run_among(&[n(1), n(2)]);
    lab.heartbeat(n(1));
    lab.run_among(&[n(1), n(2)]);
    lab.lose_everything();
    assert_eq!(lab.executed(n(2)).last(), Some(&(2, "a".into())));
    assert_eq!(lab.replica(n(3)).chosen_upto(), Slot(1), "n3 has missed it");
    lab.campaign(n(3));
    lab.sync(n(3));
    lab.deliver(n(3), n(2));
    lab.sync(n(2));
    let [Message::Promise { slots, .. }] = &lab.deliver(n(2), n(3))[..] else { panic!("one message") };
    let reported: Vec<(u64, bool)> = slots.iter().map(|report| (report.slot.0, report.learned)).collect();
    assert_eq!(reported, [(2, true)]);
    assert_eq!(lab.executed(n(3)).last(), Some(&(2, "a".into())));
}

#[test]
fn gaps_are_filled_with_old_values() {
    let mut lab = slots_1_to_134_and_138();
    lab.lose_everything();
    // n2 is gone; n1 remembers what it had proposed, chosen or not.
    lab.elect_among(n(3), &[n(1), n(3)]);
    for slot in 135..=138 {
        assert_eq!(lab.learned(n(3), slot), Some(format!("command {slot}")));
    }
    assert_eq!(lab.learned(n(3), 139).as_deref(), Some("-"), "behind it all, the new leader's own no-op");
}

#[test]
fn gaps_nobody_knows_are_filled_with_no_ops() {
    let mut lab = slots_1_to_134_and_138();
    lab.lose_everything();
    // n1 is gone, and with it all that was known of 135 to 137.
    lab.elect_among(n(3), &[n(2), n(3)]);
    for slot in 135..=137 {
        assert_eq!(lab.learned(n(3), slot).as_deref(), Some("-"));
    }
    assert_eq!(lab.learned(n(3), 138).as_deref(), Some("command 138"));
}

#[test]
fn commands_execute_as_soon_as_the_gap_fills() {
    let mut lab = slots_1_to_134_and_138();
    lab.deliver(n(2), n(1));
    assert_eq!(lab.learned(n(1), 138).as_deref(), Some("command 138"), "known to be chosen");
    assert_eq!(
        lab.executed(n(1)).last().map(|(slot, _)| *slot),
        Some(134),
        "but not executed: there is a gap"
    );
    // The leader repeats what was lost, and the votes come in out of order.
    for slot in [137, 135] {
        lab.hand(n(2), n(1), Message::Accepted { ballot: ballot(1, 1), slot: Slot(slot) });
    }
    assert_eq!(lab.executed(n(1)).last().map(|(slot, _)| *slot), Some(135), "as far as the next gap");
    lab.hand(n(2), n(1), Message::Accepted { ballot: ballot(1, 1), slot: Slot(136) });
    let slots: Vec<u64> = lab.executed(n(1)).iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, (1..=138).collect::<Vec<_>>(), "the gap is filled, all behind it follows, in order");
}

#[test]
fn one_promise_covers_every_slot() {
    let mut lab = Lab::new(3);
    lab.hand(n(3), n(2), Message::Prepare { ballot: ballot(5, 3), from: Slot(1) });
    for slot in [1, 138, 1 << 40] {
        let accept = Message::Accept {
            ballot: ballot(4, 1),
            slot: Slot(slot),
            value: value("below"),
            chosen_upto: Slot(0),
        };
        lab.hand(n(1), n(2), accept);
        assert_eq!(lab.accepted(n(2), slot), None, "slot {slot}");
    }
}

#[test]
fn a_long_promise_comes_in_short_messages() {
    let mut lab = Lab::led_by(n(1), 3);
    let large = "x".repeat(CHUNK_BYTES_MAX / 4);
    for _ in 0..10 {
        lab.propose(n(1), &large);
        lab.deliver(n(1), n(2));
    }
    lab.sync(n(2));
    lab.lose_everything();
    lab.campaign(n(3));
    lab.sync(n(3));
    let mut chunks = 0;
    while lab.replica(n(3)).role() != RoleName::Leader {
        lab.deliver(n(3), n(2));
        lab.sync(n(2));
        for message in lab.deliver(n(2), n(3)) {
            let Message::Promise { slots, next, .. } = message else { panic!("{message:?}") };
            let bytes: usize = slots.iter().map(|report| report.value.len()).sum();
            assert!(bytes <= CHUNK_BYTES_MAX, "{bytes} bytes in one message");
            chunks += 1;
            let leads = lab.replica(n(3)).role() == RoleName::Leader;
            assert_eq!(leads, next.is_none(), "an acceptor counts when its last chunk is in, not before");
        }
    }
    assert_eq!(chunks, 3, "ten values of a quarter of a message each");
    assert_eq!(lab.accepted(n(3), 11).map(|(_, text)| text), Some(large));
}

#[test]
fn the_steady_state_costs_one_round_trip() {
    let mut lab = Lab::led_by(n(1), 3);
    lab.run();
    let slot = lab.propose(n(1), "a");
    let there = lab.deliver(n(1), n(2));
    assert!(matches!(there[..], [Message::Accept { .. }]), "no phase 1: {there:?}");
    // The disks write at the same time, the leader's too.
    lab.sync(n(1));
    lab.sync(n(2));
    let back = lab.deliver(n(2), n(1));
    assert!(matches!(back[..], [Message::Accepted { .. }]), "{back:?}");
    assert_eq!(
        lab.learned(n(1), slot.0).as_deref(),
        Some("a"),
        "one message there, one back, and it is chosen"
    );
}

#[test]
fn one_promise_blocks_and_reports() {
    let mut lab = Lab::led_by(n(1), 3);
    lab.propose(n(1), "a");
    lab.deliver(n(1), n(2));
    lab.sync(n(2));
    lab.lose_everything();
    lab.hand(n(3), n(2), Message::Prepare { ballot: ballot(2, 3), from: Slot(1) });
    lab.sync(n(2));
    let [Message::Promise { ballot: promised, slots, .. }] = &lab.take(n(2), n(3))[..] else {
        panic!("one message")
    };
    assert_eq!(*promised, ballot(2, 3), "nothing below 2.n3 any more,");
    let reported: Vec<(u64, String)> =
        slots.iter().map(|report| (report.slot.0, text(&report.value))).collect();
    assert_eq!(reported, [(1, "-".into()), (2, "a".into())], "and this is what I hold");
}
