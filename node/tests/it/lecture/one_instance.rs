//! Choosing one value: proposers, acceptors, learners.

use crate::lab::{Lab, ballot, n, value};
use paxos_node::paxos::{Ballot, Message, RoleName, Slot, SlotReport, majority};

#[test]
fn a_server_plays_all_roles() {
    let mut lab = Lab::new(3);
    lab.elect(n(2));
    lab.propose(n(2), "a");
    lab.run();
    assert_eq!(lab.replica(n(2)).role(), RoleName::Leader, "a proposer,");
    assert_eq!(lab.accepted(n(2), 2), Some((ballot(1, 2), "a".into())), "an acceptor,");
    assert_eq!(lab.learned(n(2), 2).as_deref(), Some("a"), "and a learner");
}

#[test]
fn a_value_is_chosen_when_a_majority_has_it_on_disk() {
    let mut lab = Lab::led_by(n(1), 3);
    let slot = lab.propose(n(1), "a");
    lab.deliver(n(1), n(2));
    lab.sync(n(2));
    lab.deliver(n(2), n(1));
    assert_eq!(lab.learned(n(1), slot.0), None, "one disk has it, the leader's own does not");
    lab.sync(n(1));
    assert_eq!(lab.learned(n(1), slot.0).as_deref(), Some("a"));
}

#[test]
fn a_majority_is_more_than_half() {
    let majorities: Vec<usize> = (1..=9).map(majority).collect();
    assert_eq!(majorities, [1, 2, 2, 3, 3, 4, 4, 5, 5]);
}

#[test]
fn an_acceptor_accepts_the_first_proposal() {
    let mut lab = Lab::new(3);
    let proposal =
        Message::Accept { ballot: ballot(9, 3), slot: Slot(5), value: value("a"), chosen_upto: Slot(0) };
    lab.hand(n(3), n(1), proposal);
    assert_eq!(lab.accepted(n(1), 5), Some((ballot(9, 3), "a".into())), "without any prepare before");
}

#[test]
fn a_fragmented_electorate_is_resolved_by_a_higher_ballot() {
    // Three candidates, three values in slot 1, one vote each: nobody has a majority.
    let mut lab = Lab::new(3);
    for (node, round, text) in [(n(1), 1, "a"), (n(2), 2, "b"), (n(3), 3, "c")] {
        let proposer = if node == n(1) { n(2) } else { n(1) };
        let accept = Message::Accept {
            ballot: Ballot { round, node: proposer },
            slot: Slot(1),
            value: value(text),
            chosen_upto: Slot(0),
        };
        lab.hand(proposer, node, accept);
        lab.sync(node);
    }
    lab.lose_everything();
    // n2 tries again, with a majority of n1 and itself, and proposes what it finds there.
    lab.elect_among(n(2), &[n(1), n(2)]);
    assert_eq!(lab.learned(n(2), 1).as_deref(), Some("b"), "the highest ballot of those who answered");
    // n3 accepts again: a value other than the one it had.
    lab.elect(n(3));
    assert_eq!(lab.learned(n(3), 1).as_deref(), Some("b"));
    assert_eq!(lab.accepted(n(3), 1).map(|(_, text)| text), Some("c".into()), "told, it need not accept");
}

#[test]
fn ballots_are_unique_and_totally_ordered() {
    assert!(ballot(2, 1) > ballot(1, 9), "the round decides");
    assert!(ballot(2, 2) > ballot(2, 1), "between nodes in one round, the node");
    let mut lab = Lab::new(3);
    lab.campaign(n(1));
    lab.campaign(n(2));
    lab.campaign(n(3));
    let ballots: Vec<Ballot> = [n(1), n(2), n(3)].map(|node| lab.replica(node).promised()).into();
    assert_eq!(ballots, [ballot(1, 1), ballot(1, 2), ballot(1, 3)], "standing at once, they differ");
}

#[test]
fn a_chosen_value_survives_a_new_leader() {
    let mut lab = Lab::led_by(n(1), 3);
    let slot = lab.propose(n(1), "a");
    lab.deliver(n(1), n(2));
    lab.sync(n(2));
    lab.sync(n(1));
    // Chosen, for n1 and n2 have it; but nobody knows, and n1 dies.
    assert_eq!(lab.learned(n(1), slot.0), None);
    lab.lose_everything();
    lab.elect_among(n(3), &[n(2), n(3)]);
    assert_eq!(lab.learned(n(3), slot.0).as_deref(), Some("a"));
    assert_eq!(
        lab.accepted(n(3), slot.0),
        Some((ballot(2, 3), "a".into())),
        "a higher proposal, the same value"
    );
}

#[test]
fn a_promise_blocks_lower_ballots() {
    let mut lab = Lab::led_by(n(1), 3);
    lab.propose(n(1), "late");
    let late = lab.take(n(1), n(2));
    lab.lose_everything();
    lab.elect_among(n(3), &[n(2), n(3)]);
    let before = lab.records(n(2)).to_vec();
    for message in late {
        lab.hand(n(1), n(2), message);
    }
    assert_eq!(lab.records(n(2)), before, "nothing accepted, nothing promised");
    let answers = lab.take(n(2), n(1));
    let refusal = Message::Reject { ballot: ballot(1, 1), promised: ballot(2, 3) };
    assert!(answers.contains(&refusal), "{answers:?}");
}

#[test]
fn a_promise_reports_the_highest_accepted_proposal() {
    let mut lab = Lab::new(3);
    for (round, text) in [(1, "a"), (2, "b"), (3, "c")] {
        let accept = Message::Accept {
            ballot: ballot(round, 1),
            slot: Slot(4),
            value: value(text),
            chosen_upto: Slot(0),
        };
        lab.hand(n(1), n(2), accept);
    }
    lab.sync(n(2));
    lab.lose_everything();
    lab.hand(n(3), n(2), Message::Prepare { ballot: ballot(4, 3), from: Slot(1) });
    lab.sync(n(2));
    let report = SlotReport { slot: Slot(4), ballot: ballot(3, 1), value: value("c"), learned: false };
    let promise = Message::Promise {
        ballot: ballot(4, 3),
        from: Slot(1),
        slots: vec![report],
        next: None,
        trimmed: Slot::ZERO,
    };
    assert_eq!(lab.take(n(2), n(3)), [promise]);
}

#[test]
fn the_proposer_takes_the_value_of_the_highest_ballot() {
    let mut lab = Lab::new(5);
    for (node, round, text) in [(n(2), 5, "newer"), (n(3), 4, "older"), (n(4), 3, "oldest")] {
        let accept = Message::Accept {
            ballot: ballot(round, 5),
            slot: Slot(1),
            value: value(text),
            chosen_upto: Slot(0),
        };
        lab.hand(n(5), node, accept);
        lab.sync(node);
    }
    lab.lose_everything();
    // n1 has heard of no ballot at all: its first attempts are refused, and tell it.
    lab.campaign(n(1));
    lab.run_among(&[n(1), n(2), n(3), n(4)]);
    lab.elect_among(n(1), &[n(1), n(2), n(3), n(4)]);
    assert_eq!(lab.learned(n(1), 1).as_deref(), Some("newer"));
}

#[test]
fn a_lower_prepare_is_refused() {
    let mut lab = Lab::led_by(n(3), 3);
    let before = lab.records(n(2)).to_vec();
    lab.hand(n(1), n(2), Message::Prepare { ballot: ballot(1, 1), from: Slot(1) });
    assert_eq!(lab.records(n(2)), before);
    let refusal = Message::Reject { ballot: ballot(1, 1), promised: ballot(1, 3) };
    assert_eq!(lab.take(n(2), n(1)), [refusal]);
}

#[test]
fn a_duplicate_prepare_is_answered_again() {
    let mut lab = Lab::new(3);
    let prepare = Message::Prepare { ballot: ballot(1, 1), from: Slot(1) };
    lab.hand(n(1), n(2), prepare.clone());
    lab.sync(n(2));
    let first = lab.take(n(2), n(1));
    let records = lab.records(n(2)).to_vec();
    lab.hand(n(1), n(2), prepare);
    assert_eq!(lab.take(n(2), n(1)), first, "the answer may have been lost: the same once more");
    assert_eq!(lab.records(n(2)), records, "and nothing to write");
}

#[test]
fn accepting_raises_the_promise() {
    let mut lab = Lab::new(3);
    let accept =
        Message::Accept { ballot: ballot(7, 3), slot: Slot(1), value: value("a"), chosen_upto: Slot(0) };
    lab.hand(n(3), n(1), accept);
    assert_eq!(
        lab.replica(n(1)).promised(),
        ballot(7, 3),
        "it missed the prepare, and keeps it all the same"
    );
    lab.sync(n(1));
    lab.take(n(1), n(3));
    lab.hand(n(2), n(1), Message::Prepare { ballot: ballot(6, 2), from: Slot(1) });
    let refusal = Message::Reject { ballot: ballot(6, 2), promised: ballot(7, 3) };
    assert_eq!(lab.take(n(1), n(2)), [refusal]);
}

#[test]
fn followers_learn_from_the_leader() {
    let mut lab = Lab::led_by(n(1), 3);
    let slot = lab.propose(n(1), "a");
    lab.run();
    assert_eq!(lab.learned(n(1), slot.0).as_deref(), Some("a"), "votes go to the leader alone");
    assert_eq!((lab.learned(n(2), slot.0), lab.learned(n(3), slot.0)), (None, None));
    lab.propose(n(1), "b");
    lab.run();
    assert_eq!(lab.learned(n(2), slot.0).as_deref(), Some("a"), "its next message spreads the word");
    assert_eq!(lab.learned(n(3), slot.0).as_deref(), Some("a"));
}
