//! Stories of acceptors: what must not be forgotten, and what must not be accepted.

use super::stage::{Found, Stage};
use paxos_node::paxos::Message;

/// n2 accepts "a" and loses power before its disk has it. Had it said "accepted" at once, n1 would
/// have told the client that "a" is safe; and n2 and n3, a quorum, know nothing of it.
pub(super) fn an_acceptance_is_told_when_it_is_on_disk() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.sync(1);
    stage.deliver(1, 2);
    stage.deliver(2, 1);
    stage.lose_everything();
    stage.lose_power(2);
    stage.kill(1);
    stage.start(2);
    stage.elect(3, &[2, 3]);
    stage.finish()
}

/// n2 promises n3 a ballot and loses power before its disk has the promise. Had the promise left
/// at once, n3 would lead; and n2, back without it, accepts "a" from n1, whom it has forgotten to
/// have forsaken: "a" is chosen behind n3's back.
pub(super) fn a_promise_is_told_when_it_is_on_disk() -> Found {
    let (mut stage, late) = n2_is_asked_while_a_proposal_is_late();
    stage.deliver(2, 3);
    stage.lose_power(2);
    stage.start(2);
    the_proposal_arrives(stage, late)
}

/// The same with a promise that is safe on disk: whoever restarts must read it there. n2 does, and
/// refuses n1's late proposal.
pub(super) fn a_promise_is_remembered_across_a_restart() -> Found {
    let (mut stage, late) = n2_is_asked_while_a_proposal_is_late();
    stage.sync(2);
    stage.deliver(2, 3);
    stage.kill(2);
    stage.start(2);
    the_proposal_arrives(stage, late)
}

/// "z" and "a" go to n1 and n2 in one breath and are chosen there; the log says so of neither yet.
/// Both nodes restart, n3 takes over with n2's help: what a log holds behind its last chosen mark
/// may be chosen all the same.
pub(super) fn what_was_accepted_is_remembered_beyond_the_chosen_mark() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "z");
    stage.append(1, "a");
    stage.exchange(1, 2);
    stage.lose_everything();
    for node in [1, 2] {
        stage.kill(node);
        stage.start(node);
    }
    stage.elect(3, &[2, 3]);
    stage.finish()
}

/// n2 has promised n3, who leads; then n1's proposal of "a" arrives at n2 late. n2 has accepted
/// nothing in that slot, which is no reason to accept: its promise is.
pub(super) fn a_promise_holds_in_slots_never_seen() -> Found {
    let (mut stage, late) = n2_is_asked_while_a_proposal_is_late();
    stage.sync(2);
    stage.deliver(2, 3);
    the_proposal_arrives(stage, late)
}

/// n1 leads a second ballot with n3 and n5; n4 never heard its Prepare, but accepts "v", which is
/// chosen by n1, n3 and n4. Then the first leader's proposals reach n4, late. Accepting was a
/// promise: were it none, n4 would put an old value in the place of a chosen one.
pub(super) fn accepting_is_promising() -> Found {
    let mut stage = Stage::led_by(2, 5);
    stage.append(2, "w1");
    stage.append(2, "w2");
    let late = stage.take(2, 4, "Accept");
    stage.lose_everything();
    stage.campaign(1);
    stage.sync(1);
    stage.lose(1, 2);
    stage.lose(1, 4);
    stage.run(&[1, 3, 5]);
    stage.append(1, "v");
    stage.lose(1, 5);
    stage.run(&[1, 3, 4]);
    stage.hand(2, 4, late);
    stage.lose_everything();
    stage.finish()
}

/// n1 and n2 don't hear each other and stand at the same moment, in the same round. n3 promises
/// n1; then n2, whose ballot is higher, for its id is. So n1's proposal is refused: two leaders of
/// one round can't both be served.
pub(super) fn two_ballots_of_one_round_are_two_ballots() -> Found {
    let mut stage = Stage::new(3);
    stage.campaign(1);
    stage.campaign(2);
    stage.sync(1);
    stage.sync(2);
    stage.deliver(1, 3);
    stage.sync(3);
    stage.deliver(3, 1);
    stage.deliver(2, 3);
    stage.sync(3);
    stage.deliver(3, 2);
    stage.append(1, "a");
    stage.run(&[1, 3]);
    stage.append(2, "b");
    stage.read(2);
    stage.run(&[2, 3]);
    stage.finish()
}

/// n1 leads with the promise of n2, which then dies. n3 never heard the Prepare; it must accept
/// n1's proposals all the same, or n1, whom everybody alive follows, never gets anything done.
pub(super) fn a_proposal_above_the_promise_is_accepted() -> Found {
    let mut stage = Stage::new(3);
    stage.campaign(1);
    stage.sync(1);
    stage.lose(1, 3);
    stage.deliver(1, 2);
    stage.sync(2);
    stage.deliver(2, 1);
    stage.kill(2);
    let a = stage.append(1, "a");
    for _ in 0..100 {
        stage.tick(1, 1);
        stage.run(&[1, 3]);
    }
    stage.demand(stage.is_done(a), "a leader and a follower, two of three, get nothing done");
    stage.finish()
}

/// n1's "a" is long under way to n2, and the question of n3, who stands, has reached n2 alone.
fn n2_is_asked_while_a_proposal_is_late() -> (Stage, Vec<Message>) {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.sync(1);
    let late = stage.take(1, 2, "Accept");
    stage.lose(1, 3);
    stage.campaign(3);
    stage.sync(3);
    stage.lose(3, 1);
    stage.deliver(3, 2);
    (stage, late)
}

/// n2 answers n1 as it may; then n3 is asked what there is.
fn the_proposal_arrives(mut stage: Stage, late: Vec<Message>) -> Found {
    stage.hand(1, 2, late);
    stage.sync(2);
    stage.deliver(2, 1);
    stage.read(3);
    stage.run(&[2, 3]);
    stage.finish()
}
