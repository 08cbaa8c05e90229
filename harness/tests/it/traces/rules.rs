//! Each rule broken by one step, and next to it the same step as it should be.

use super::tale::*;
use harness::system::paxos::white_box::trace::Rule;
use paxos_node::paxos::{Ballot, Slot};
use paxos_node::trace::{Entry, Said, ValueId};

#[test]
fn a_sound_run_passes_and_it_is_told_how_much_was_looked_at() {
    let tale = Tale::new();
    tale.is_sound();
    let examined = tale.examined().examined;
    assert_eq!((examined["traces"], examined["traced slots"], examined["traced answers"]), (3, 2, 2));
    assert!(examined["traced steps"] > 60 && !examined.contains_key("torn traces"), "{examined:?}");
}

#[test]
fn rule_1_only_what_was_proposed_is_accepted() {
    let mut tale = Tale::new();
    tale.then(2, [accepts(4, 3, first(), B)]);
    tale.breaks(
        Rule::OnlyProposed,
        "n2 at 0.019 s (byte 780) accepts value b in slot 3 of ballot 1.n1, where n1 never proposed it",
    );
    tale.then(1, [accepts(5, 3, first(), B)]);
    tale.is_sound();
}

/// Two leaders, neither of whom knew of the other: what mutated ballots and quorums lead to.
#[test]
fn rule_2_one_value_per_slot() {
    let other = |value: ValueId| {
        let mut tale = Tale::new();
        let later = ballot(2, 3);
        for node in [2, 3] {
            tale.then(node, [accepts(4, 2, later, value), durable(4)]);
        }
        tale
    };
    let broken = other(B).broken();
    assert!(broken.contains(Rule::OneValuePerSlot.name()), "{broken:?}");
    assert!(!other(A).broken().contains(Rule::OneValuePerSlot.name()));

    let mut tale = Tale::new();
    tale.instead(3, &chosen(2, A), chosen(2, B));
    let broken = tale.broken();
    assert!(broken.contains(Rule::OneValuePerSlot.name()), "{broken:?}");
}

#[test]
fn rule_3_whoever_takes_a_value_for_chosen_has_counted_the_votes_or_been_told() {
    let mut tale = Tale::new();
    tale.instead(1, &received(3, accepted(first(), 2)), received(3, accepted(first(), 1)));
    tale.breaks(
        Rule::LearntIsChosen,
        "takes value a in slot 2 for chosen; votes it was sent: none; its own in 1.n1; and nobody told it",
    );
    // One voter is one vote, however often it comes.
    let mut tale = Tale::new();
    tale.without(1, &durable(4));
    tale.breaks(
        Rule::LearntIsChosen,
        "votes it was sent: {n3} in 1.n1; its own in 1.n1, not durable; and nobody told it",
    );
    // A leader's mark says nothing of what was accepted in another ballot.
    let mut tale = Tale::new();
    tale.instead(3, &received(1, heartbeat(first(), 2)), received(1, heartbeat(ballot(2, 1), 2)));
    let broken = tale.broken();
    assert_eq!(broken, [Rule::LearntIsChosen.name().to_owned()].into());
    // Told by somebody who knew.
    tale.instead(3, &received(1, heartbeat(ballot(2, 1), 2)), received(2, told(A)));
    tale.is_sound();
}

fn told(value: ValueId) -> Said {
    Said::LearnReply { slots: vec![learned(2, value)] }
}

#[test]
fn rule_3_nothing_is_taken_for_chosen_that_no_quorum_holds() {
    let mut tale = Tale::new();
    for slot in [3, 4] {
        tale.then(1, [accepts(slot + 2, slot, first(), B)]);
    }
    let learns = Entry::Learned { slot: Slot(3), ballot: first(), value: B };
    tale.then(2, [received(1, Said::LearnReply { slots: vec![learned(3, B)] }), wrote(4, learns)]);
    tale.breaks(
        Rule::LearntIsChosen,
        "takes value b for chosen in slot 3, which only these hold: {} in 1.n1",
    );
    tale.then(1, [durable(6)]);
    tale.then(3, [accepts(4, 3, first(), B), durable(4)]);
    tale.is_sound();
    // Whoever vouches for a value is held to it.
    tale.then(3, [sent(&[2], Said::LearnReply { slots: vec![learned(4, B)] })]);
    tale.breaks(Rule::LearntIsChosen, "which only these hold: {n1} in 1.n1");
}

#[test]
fn rule_4_one_value_per_slot_and_ballot() {
    let mut tale = Tale::new();
    tale.then(1, [accepts(5, 3, first(), A)]);
    tale.then(2, [accepts(4, 3, first(), A)]);
    tale.is_sound();
    tale.then(1, [sent(&[3], accept(first(), 3, B, 2))]);
    tale.breaks(
        Rule::OneValuePerBallot,
        "proposes value b in slot 3 of ballot 1.n1, and accepted another value itself",
    );
    tale.then(3, [accepts(4, 3, first(), B)]);
    let broken = tale.broken();
    assert_eq!(
        broken,
        [Rule::OnlyProposed.name().to_owned(), Rule::OneValuePerBallot.name().to_owned()].into()
    );
}

/// n3 stands, n2 tells it what it accepted, and n3 proposes.
fn successor(reports: &[(u64, Ballot, ValueId)], proposes: ValueId) -> Tale {
    let mut tale = Tale::new();
    let later = ballot(2, 3);
    let reports: Vec<_> =
        reports.iter().map(|(slot, ballot, value)| reported(*slot, *ballot, *value)).collect();
    tale.then(3, [wrote(4, Entry::BallotUsed(later)), wrote(5, Entry::Promised(later)), durable(5)]);
    tale.then(3, [sent(&[1, 2], prepare(later, 3))]);
    tale.then(2, [received(3, prepare(later, 3)), wrote(4, Entry::Promised(later)), durable(4)]);
    tale.then(3, [received(2, promise(later, 3, &reports)), accepts(6, 3, later, proposes)]);
    tale
}

#[test]
fn rule_5_the_value_of_the_highest_ballot_reported_is_proposed() {
    successor(&[], NOOP).is_sound();
    successor(&[], B).is_sound();
    let lower = Ballot { round: 0, ..ballot(0, 2) };
    successor(&[(3, first(), B)], B).is_sound();
    successor(&[(3, first(), B)], NOOP).breaks(
        Rule::HighestReported,
        "proposes no-op in slot 3 of ballot 2.n3, where n2 reported value b as accepted in 1.n1",
    );
    // Another acceptor's report of a lower ballot, in the same quorum or after it, changes nothing.
    let mut tale = successor(&[(3, first(), B)], B);
    tale.then(3, [received(1, promise(ballot(2, 3), 3, &[reported(3, lower, A)]))]);
    tale.is_sound();
    let mut tale = successor(&[(3, first(), B)], A);
    let late = promise(ballot(2, 3), 3, &[reported(3, lower, A)]);
    tale.then(3, [received(1, late)]);
    tale.breaks(Rule::HighestReported, "where n2 reported value b as accepted in 1.n1");
}

#[test]
fn rule_5_nobody_leads_without_a_quorum_of_whole_promises_of_its_own_ballot_and_life() {
    let later = ballot(2, 3);
    let whole = promise(later, 3, &[]);
    let in_parts =
        Said::Promise { ballot: later, from: Slot(3), slots: vec![], next: Some(Slot(4)), trimmed: Slot(0) };
    for (comes, words) in [
        (promise(ballot(1, 3), 3, &[]), "promised only by {} and itself"),
        (promise(later, 4, &[]), "promised only by {} and itself"),
        (in_parts, "promised only by {} and itself"),
    ] {
        let mut tale = successor(&[], B);
        tale.instead(3, &received(2, whole.clone()), received(2, comes));
        tale.breaks(Rule::HighestReported, words);
    }
    let mut tale = successor(&[], B);
    let held = [(1, first(), NOOP), (2, first(), A)];
    tale.then(3, restart(3, 5, later, &held));
    tale.then(3, [accepts(6, 3, later, B), sent(&[1], accept(later, 3, B, 2))]);
    tale.breaks(Rule::HighestReported, "in ballot 2.n3, in which it never asked for promises in this life");
}

/// P2b, also where nobody tells of phase 1.
#[test]
fn rule_5_a_chosen_value_is_what_every_higher_ballot_proposes() {
    let mut tale = successor(&[], B);
    tale.then(3, [accepts(7, 2, ballot(2, 3), B)]);
    let broken = tale.examined().violations;
    assert!(
        broken.iter().any(|words| words.ends_with(
            "accepts value b in slot 2 of ballot 2.n3, though {n1, n2, n3} had chosen value a in 1.n1"
        )),
        "{broken:#?}"
    );
}

#[test]
fn rule_6_no_acceptor_goes_below_its_promise_not_after_a_restart_either() {
    let later = ballot(2, 3);
    let held = [(1, first(), NOOP), (2, first(), A)];
    let mut tale = successor(&[], NOOP);
    tale.then(1, [accepts(5, 3, first(), B)]);
    let sound = tale.clone();
    tale.then(2, [accepts(5, 3, first(), B)]);
    let words = "accepts value b in slot 3 of ballot 1.n1 after it promised 2.n3";
    tale.breaks(Rule::NeverBelowPromise, words);
    let mut tale = sound.clone();
    tale.then(2, restart(2, 4, later, &held));
    tale.is_sound();
    tale.then(2, [accepts(5, 3, first(), B)]);
    tale.breaks(Rule::NeverBelowPromise, words);
    // A promise that never became durable binds no later life.
    let mut tale = sound.clone();
    tale.without(2, &durable(4));
    tale.then(2, restart(2, 3, first(), &held));
    tale.then(2, [accepts(4, 3, first(), B)]);
    tale.is_sound();
    // Accepting is promising.
    let mut tale = Tale::new();
    tale.then(3, [accepts(4, 3, ballot(3, 2), B), wrote(5, Entry::Promised(later))]);
    let broken = tale.broken();
    assert!(broken.contains(Rule::NeverBelowPromise.name()), "{broken:?}");
}

#[test]
fn rule_7_what_a_message_reveals_is_on_disk() {
    let ack = sent(&[1], accepted(first(), 2));
    let promised = sent(&[1], promise(first(), 1, &[]));
    for (node, confirms, words) in [
        (2, durable(1), "says to have promised ballot 1.n1 while its disk knows only of 0.n0"),
        (2, durable(3), "says to have accepted slot 2 in ballot 1.n1, record 3, while its disk has only 2"),
    ] {
        let mut tale = Tale::new();
        tale.without(node, &confirms);
        // It comes later: all that is told is true in the end.
        tale.then(node, [confirms]);
        tale.breaks(Rule::DiskBeforeAck, words);
    }
    let mut tale = Tale::new();
    tale.then(2, [ack.clone(), promised]);
    tale.is_sound();
    tale.then(2, [sent(&[1], accepted(first(), 7))]);
    tale.breaks(Rule::DiskBeforeAck, "says to have accepted slot 7 in ballot 1.n1, which it has not");

    let mut tale = Tale::new();
    tale.then(2, [wrote(4, Entry::Promised(ballot(2, 3)))]);
    let refusal = sent(&[1], Said::Reject { ballot: first(), promised: ballot(2, 3) });
    let mut patient = tale.clone();
    tale.then(2, [refusal.clone()]);
    tale.breaks(Rule::DiskBeforeAck, "refuses by a promise of 2.n3 while its disk knows only of 1.n1");
    patient.then(2, [durable(4), refusal]);
    patient.is_sound();

    let mut tale = successor(&[], B);
    tale.without(3, &durable(5));
    tale.then(3, [durable(6)]);
    let broken = tale.examined().violations;
    let words = "asks for promises in ballot 2.n3 before its disk has it as used and promised";
    assert!(broken.iter().any(|found| found.ends_with(words)), "{broken:#?}");
}

#[test]
fn rule_8_what_is_applied_is_a_prefix_of_what_is_known_to_be_chosen() {
    let mut tale = Tale::new();
    tale.then(3, [applied(3)]);
    tale.breaks(Rule::GapFreePrefix, "has applied slot 3, and knows only up to slot 2 what is chosen");
    let mut tale = Tale::new();
    tale.then(3, [applied(1)]);
    tale.breaks(Rule::GapFreePrefix, "applies slot 1 after slot 2");
    let mut tale = Tale::new();
    tale.without(3, &chosen(1, NOOP));
    tale.without(3, &applied(1));
    tale.breaks(Rule::GapFreePrefix, "takes everything up to slot 2 for chosen, with a gap after slot 0");
}

#[test]
fn rule_9_equal_prefixes_have_equal_states() {
    let mut tale = Tale::new();
    tale.instead(2, &applied(2), applied_as(2, 0xbad));
    tale.breaks(Rule::EqualStates, "has state 0000000000000bad after slot 2, n1 had 0000000000000102");
}

#[test]
fn rule_10_no_ballot_is_used_twice_or_by_another() {
    let mut tale = Tale::new();
    tale.then(1, restart(1, 4, first(), &[(1, first(), NOOP), (2, first(), A)]));
    let mut fresh = tale.clone();
    tale.then(1, [wrote(5, Entry::BallotUsed(first()))]);
    tale.breaks(Rule::FreshBallot, "uses ballot 1.n1 a second time");
    fresh.then(1, [wrote(5, Entry::BallotUsed(ballot(2, 1)))]);
    fresh.is_sound();
    fresh.then(1, [wrote(6, Entry::BallotUsed(ballot(3, 2)))]);
    fresh.breaks(Rule::FreshBallot, "uses ballot 3.n2, which is not its own");
}

#[test]
fn rule_11_a_promise_tells_all_that_was_accepted_and_how() {
    let later = ballot(2, 3);
    let told = |slots: &[_]| {
        let mut tale = Tale::new();
        tale.then(2, [received(3, prepare(later, 2)), wrote(4, Entry::Promised(later)), durable(4)]);
        tale.then(2, [sent(&[3], promise(later, 2, slots))]);
        tale
    };
    told(&[reported(2, first(), A)]).is_sound();
    told(&[learned(2, A)]).is_sound();
    told(&[]).breaks(
        Rule::PromiseTellsAll,
        "promises ballot 2.n3 and leaves out slot 2, where it had accepted value a in 1.n1",
    );
    told(&[reported(2, later, A)]).breaks(
        Rule::PromiseTellsAll,
        "reports slot 2 as value a of ballot 2.n3, where it had accepted value a in 1.n1",
    );
    told(&[reported(2, first(), B)]).breaks(
        Rule::PromiseTellsAll,
        "reports slot 2 as value b of ballot 1.n1, where it had accepted value a in 1.n1",
    );
    told(&[reported(2, first(), A), reported(9, first(), B)]).breaks(
        Rule::PromiseTellsAll,
        "promises ballot 2.n3 and reports slot 9 as value b of ballot 1.n1, where it had accepted nothing",
    );
}

#[test]
fn rule_12_a_restart_forgets_nothing_that_was_durable() {
    let held = [(1, first(), NOOP), (2, first(), A)];
    for (records, promised, held, words) in [
        (3, first(), &held[..], ""),
        (2, first(), &held[..1], "restarts with 2 records, of 3 that its disk had confirmed"),
        (3, Ballot::ZERO, &held, "restarts bound by ballot 0.n0; its log holds the promise of 1.n1"),
        (3, first(), &held[..1], "restarts with 1 slots accepted; its log holds 2"),
        (
            3,
            first(),
            &[(1, first(), NOOP), (2, first(), B)],
            "restarts with 2 slots accepted as its log says, but not all with the latest ballot and value",
        ),
    ] {
        let mut tale = Tale::new();
        tale.then(2, restart(2, records, promised, held));
        match words {
            "" => tale.is_sound(),
            _ => tale.breaks(Rule::NothingForgotten, words),
        }
    }
}

#[test]
fn rule_13_no_client_is_answered_with_what_is_not_known_to_be_chosen() {
    let mut tale = Tale::new();
    tale.then(1, [replied(9, 3)]);
    tale.breaks(Rule::AnsweredIsChosen, "answers a client with slot 3, which nobody knew ever to be chosen");
    // A follower answers what its leader told it, before it knows itself.
    let mut tale = Tale::new();
    tale.without(2, &applied(2));
    tale.without(2, &chosen(2, A));
    tale.later(90, 2, replied(1, 2));
    tale.is_sound();
}

#[test]
fn rule_14_a_read_sees_what_was_known_to_be_chosen_when_it_came() {
    let mut tale = Tale::new();
    tale.at_first(3, asked(1));
    tale.then(3, [replied(1, 1)]);
    // n1 knew slot 2 later than n3 was asked.
    tale.is_sound();
    let mut tale = Tale::new();
    tale.later(100, 3, asked(2));
    let mut fresh = tale.clone();
    tale.then(3, [replied(2, 1)]);
    let found = tale.examined().violations;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("slot 2 was known to be chosen "), "{found:#?}");
    fresh.then(3, [replied(2, 2)]);
    fresh.is_sound();
}

#[test]
fn rule_15_who_was_told_of_a_higher_ballot_leads_no_more() {
    let later = ballot(2, 3);
    for told in [
        prepare(later, 1),
        heartbeat(later, 0),
        accept(later, 3, B, 0),
        Said::Reject { ballot: first(), promised: later },
    ] {
        let mut tale = Tale::new();
        tale.then(1, [sent(&[2, 3], heartbeat(first(), 2)), received(3, told)]);
        assert!(!tale.broken().contains(Rule::ToldIsDeposed.name()));
        tale.then(1, [sent(&[2, 3], heartbeat(first(), 2))]);
        tale.breaks(Rule::ToldIsDeposed, "sends a heartbeat in ballot 1.n1, and was told of 2.n3 before");
    }
}
