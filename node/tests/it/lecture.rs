//! The lectures as tests: each concept of the slides by name, and a table that leads from the one
//! to the other.

use crate::lab::{Lab, ballot, last_lsn, n, text, value};
use paxos_node::kv::{Batch, Command, Kv, Txn, TxnOp};
use paxos_node::paxos::{
    Ballot, CHUNK_BYTES_MAX, ElectionMode, Lsn, Message, NodeId, Record, RoleName, Slot, SlotReport, Timing, Value,
    majority,
};
use paxos_node::sim::{Conditions, Setup, Trace, Weather, World, simulate, simulate_setup};

/// Each concept of the lectures, and the tests that show it.
const LECTURE: &[(&str, &[&str])] = &[
    ("Replicas are deterministic: same initial state, same order, same state", &[
        "replicas_that_execute_the_same_log_reach_the_same_state",
    ]),
    ("2t + 1 machines tolerate t faults", &["five_machines_tolerate_two_faults_and_no_more"]),
    ("Simplest, but fault-intolerant solution: a single acceptor", &["a_single_acceptor_is_a_cluster"]),
    ("FLP: two proposers may duel ad infinitum; a distinguished proposer ends it", &[
        "proposers_duel_ad_infinitum",
        "a_distinguished_proposer_ends_the_duel",
    ]),
    ("Asynchronous network: messages are delayed, duplicated, lost, reordered", &[
        "the_network_may_do_anything_but_corrupt",
        "a_duplicated_vote_counts_once",
    ]),
    ("But not corrupted", &["one_flipped_bit_anywhere_in_a_frame_is_noticed"]),
    ("Non-Byzantine fail-stop machines with stable memory", &[
        "an_acceptor_remembers_across_a_restart",
        "a_cluster_that_lost_power_goes_on_where_it_was",
    ]),
    ("The three roles may be mapped to the same process", &["a_server_plays_all_roles"]),
    ("Only a value that has been proposed may be chosen; only one; nobody learns what isn't chosen", &[
        "a_few_hundred_seeds_are_clean",
    ]),
    ("A value is chosen when a majority has accepted it", &[
        "a_value_is_chosen_when_a_majority_has_it_on_disk",
        "a_majority_is_more_than_half",
    ]),
    ("An acceptor must accept the first value proposed to it", &["an_acceptor_accepts_the_first_proposal"]),
    ("Fragmented electorate: several proposals must be possible", &[
        "a_fragmented_electorate_is_resolved_by_a_higher_ballot",
    ]),
    ("Proposals have unique, totally ordered numbers", &["ballots_are_unique_and_totally_ordered"]),
    ("Once v is chosen, every higher-numbered proposal has v", &["a_chosen_value_survives_a_new_leader"]),
    ("Control the future by extracting a promise", &["a_promise_blocks_lower_ballots"]),
    ("A promise reports the highest-numbered proposal accepted", &[
        "a_promise_reports_the_highest_accepted_proposal",
        "the_proposer_takes_the_value_of_the_highest_ballot",
    ]),
    ("An acceptor can ignore lower and duplicate prepare requests", &[
        "a_lower_prepare_is_refused",
        "a_duplicate_prepare_is_answered_again",
    ]),
    ("Accept unless a higher prepare was answered", &["accepting_raises_the_promise"]),
    ("Learners learn from one distinguished learner", &["followers_learn_from_the_leader"]),
    ("Stable storage: save the promise, the accepted value, the numbers used, before speaking", &[
        "nothing_leaves_before_it_is_durable",
        "a_proposer_never_reuses_a_ballot_across_a_restart",
    ]),
    ("Many instances: a new leader may know only some outcomes (1-134, 138, ..)", &[
        "a_new_leader_knows_slots_1_to_134_and_138",
    ]),
    ("It fills those slots with what was proposed there, or a no-op", &[
        "gaps_are_filled_with_old_values",
        "gaps_nobody_knows_are_filled_with_no_ops",
    ]),
    ("As soon as the gap fills, commands are executed", &["commands_execute_as_soon_as_the_gap_fills"]),
    ("Phase 1 for infinitely many instances", &["one_promise_covers_every_slot"]),
    ("Acceptors can respond with reasonably short messages", &["a_long_promise_comes_in_short_messages"]),
    ("Cost of Paxos effectively the cost of phase 2", &["the_steady_state_costs_one_round_trip"]),
    ("Block acceptance of proposals below N and learn accepted values: one message", &[
        "one_promise_blocks_and_reports",
    ]),
    ("Replicas write to disk prior to sending ACK", &["nothing_leaves_before_it_is_durable"]),
];

#[test]
fn every_concept_of_the_lectures_has_a_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut sources = String::new();
    for entry in std::fs::read_dir(folder).expect("the tests' folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).expect("a source"));
        }
    }
    for (concept, tests) in LECTURE {
        assert!(!tests.is_empty(), "{concept}: no test");
        for test in *tests {
            assert!(sources.contains(&format!("#[test]\nfn {test}()")), "{concept}: there is no test {test}");
        }
    }
}

// ---- State machine replication -------------------------------------------------------------------

#[test]
fn replicas_that_execute_the_same_log_reach_the_same_state() {
    let append = |key: &'static str, item: String| {
        let op = TxnOp::Append { key: key.into(), value: item.into() };
        Command::Execute { request: None, txn: Txn { ops: vec![op] } }
    };
    let log: Vec<Value> = (0..50)
        .map(|number| {
            let commands = vec![append("a", format!("{number}")), append("b", format!("{}", number * 7 % 11))];
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

// ---- Progress ------------------------------------------------------------------------------------

/// Three nodes whose timeouts all are 300 ms, on a network that takes exactly 200 ms: whoever has
/// just finished phase 1 finds the next proposer's prepare everywhere before its accept.
fn duelling(election: ElectionMode) -> Conditions {
    let timing = Timing { election_ticks_min: 30, election_ticks_max: 60, ..Timing::default() };
    let far = Weather { delay_us_min: 200_000, delay_us_max: 200_000, ..Weather::CALM };
    Conditions { timing, election, weather: far, ..Conditions::calm(3) }
}

fn ballots_and_chosen_slots(conditions: Conditions, seconds: u64) -> (u64, u64) {
    let mut world = World::new(conditions, 21, Trace::off());
    let end = world.now().after(seconds * 1_000_000);
    while !world.is_over_at(end) {
        world.step().expect("safety is guaranteed, always");
    }
    (world.observer().ballots_used(), world.observer().chosen_slots())
}

#[test]
fn proposers_duel_ad_infinitum() {
    let (ballots, chosen) = ballots_and_chosen_slots(duelling(ElectionMode::Fixed), 120);
    assert_eq!(chosen, 0, "p prepares, q prepares higher, p prepares higher still");
    assert!(ballots > 200, "only {ballots} ballots in two minutes of duel");
}

#[test]
fn a_distinguished_proposer_ends_the_duel() {
    let (ballots, chosen) = ballots_and_chosen_slots(duelling(ElectionMode::Randomised), 120);
    assert!(chosen > 0, "{ballots} ballots and nothing chosen");
    assert!(ballots < 60, "{ballots} ballots: redrawn timeouts should have settled it earlier");
}

// ---- Assumptions ---------------------------------------------------------------------------------

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

// ---- One instance --------------------------------------------------------------------------------

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
    assert_eq!(lab.accepted(n(3), slot.0), Some((ballot(2, 3), "a".into())), "a higher proposal, the same value");
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
    let promise = Message::Promise { ballot: ballot(4, 3), from: Slot(1), slots: vec![report], next: None };
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
    let accept = Message::Accept { ballot: ballot(7, 3), slot: Slot(1), value: value("a"), chosen_upto: Slot(0) };
    lab.hand(n(3), n(1), accept);
    assert_eq!(lab.replica(n(1)).promised(), ballot(7, 3), "it missed the prepare, and keeps it all the same");
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

// ---- Stable storage ------------------------------------------------------------------------------

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

// ---- Many instances ------------------------------------------------------------------------------

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
    assert_eq!(lab.executed(n(1)).last().map(|(slot, _)| *slot), Some(134), "but not executed: there is a gap");
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
    assert_eq!(lab.learned(n(1), slot.0).as_deref(), Some("a"), "one message there, one back, and it is chosen");
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
    let reported: Vec<(u64, String)> = slots.iter().map(|report| (report.slot.0, text(&report.value))).collect();
    assert_eq!(reported, [(1, "-".into()), (2, "a".into())], "and this is what I hold");
}

// ---- Everything at once --------------------------------------------------------------------------

#[test]
fn a_few_hundred_seeds_are_clean() {
    for seed in 0..200 {
        if let Err(failure) = simulate(seed) {
            panic!("seed {seed} failed {failure}\nrepeat: cargo run --release -p paxos-node --bin paxos-sim -- --seed {seed}");
        }
    }
}
