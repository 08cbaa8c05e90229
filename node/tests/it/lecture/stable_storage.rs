//! What is saved before what is said.

use crate::lab::{Lab, ballot, last_lsn, n};
use paxos_node::paxos::{Lsn, Message, NodeId, Record, Slot};

#[test]
fn nothing_leaves_before_it_is_durable() {
    let mut lab = Lab::new(3);
    let everything = |lab: &mut Lab, node: NodeId| {
        let others = [n(1), n(2), n(3)].into_iter().filter(|to| *to != node);
        others.flat_map(|to| lab.take(node, to)).collect::<Vec<_>>()
    };
    // A ballot about to be used.
    lab.campaign(n(1));
    assert_eq!(lab.held(n(1)).len(), 2, "two prepares wait");
    assert_eq!(everything(&mut lab, n(1)), []);
    lab.sync(n(1));
    // A promise.
    lab.deliver(n(1), n(2));
    assert!(matches!(lab.held(n(2))[..], [Message::Promise { .. }]));
    assert_eq!(everything(&mut lab, n(2)), []);
    lab.sync(n(2));
    lab.deliver(n(2), n(1));
    // An accepted value.
    let accepts = lab.deliver(n(1), n(2));
    assert!(accepts.iter().any(|message| matches!(message, Message::Accept { .. })), "these need no disk");
    assert!(lab.held(n(2)).iter().any(|message| matches!(message, Message::Accepted { .. })));
    let revealed = everything(&mut lab, n(2));
    assert!(!revealed.iter().any(|message| matches!(message, Message::Accepted { .. })));
    // A refusal, which tells of a promise.
    let mut lab = Lab::new(3);
    lab.hand(n(1), n(2), Message::Prepare { ballot: ballot(9, 1), from: Slot(1) });
    lab.hand(n(3), n(2), Message::Prepare { ballot: ballot(8, 3), from: Slot(1) });
    assert_eq!(everything(&mut lab, n(2)), []);
    assert!(lab.held(n(2)).contains(&&Message::Reject { ballot: ballot(8, 3), promised: ballot(9, 1) }));
}

#[test]
fn a_proposer_never_reuses_a_ballot_across_a_restart() {
    let mut lab = Lab::new(3);
    lab.campaign(n(1));
    lab.sync(n(1));
    assert_eq!(lab.records(n(1))[0], Record::BallotUsed(ballot(1, 1)));
    assert_eq!(last_lsn(lab.records(n(1))), Lsn(2));
    lab.crash(n(1));
    lab.campaign(n(1));
    assert_eq!(lab.replica(n(1)).promised(), ballot(2, 1), "1.n1 is used up");
    // A ballot that never reached the disk was never shown either: it may be taken again.
    lab.crash(n(1));
    lab.campaign(n(1));
    assert_eq!(lab.replica(n(1)).promised(), ballot(2, 1));
}
